"""Small models in memory, and what is scored with them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeRegressor

from airflow_batch_inference.flavors.base import LoadedModel
from airflow_batch_inference.records import ColumnSpec

if TYPE_CHECKING:
    from collections.abc import Callable


def doubled_sum(batch):
    return 2 * (batch.column("a").to_numpy() + batch.column("b").to_numpy())


@dataclass
class FakeModel(LoadedModel):
    """Takes the doubles a and b and returns 2 (a + b), or whatever ``answer`` makes of the batch."""

    answer: Callable[[Any], Any] = doubled_sum
    inputs: tuple[ColumnSpec, ...] | None = (ColumnSpec(name="a", type="double"), ColumnSpec(name="b", type="double"))
    n_features: int | None = 2
    output_names: tuple[str, ...] | None = None
    methods: tuple[str, ...] = ("predict",)
    versions: dict[str, str] = field(default_factory=lambda: {"fake": "1"})
    feature_names: tuple[str, ...] | None = ("a", "b")
    sizes: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def predict(self, batch, *, method="predict", kwargs=None):
        with self.lock:
            self.sizes.append(batch.num_rows)
        return self.answer(batch)


def fails_on(value):
    """Return an answer that raises where column a holds a value."""

    def answer(batch):
        if value in batch.column("a").to_pylist():
            raise ValueError(f"cannot score {value}")
        return doubled_sum(batch)

    return answer


def hangs_on(value, seconds):
    """Return an answer that does not come back in time where column a holds a value."""

    def answer(batch):
        if value in batch.column("a").to_pylist():
            time.sleep(seconds)
        return doubled_sum(batch)

    return answer


@pytest.fixture
def make_model():
    return FakeModel


@pytest.fixture
def fake_answers():
    return fails_on, hangs_on


@pytest.fixture(scope="session")
def tree():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300)})
    return DecisionTreeRegressor(max_depth=6, random_state=0).fit(data, data["a"] * data["b"])


@pytest.fixture
def frame():
    return pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.5, -0.5, 0.0]}, index=[10, 20, 30])
