"""A task's surroundings, without a database: what an operator reads from its context and writes to it."""

from __future__ import annotations

import hashlib
import itertools
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from airflow.sdk.bases.operator import ExecutorSafeguard
from evaluating import evaluate, gate, load, tumours, write  # noqa: F401  # fixtures

from airflow_batch_inference.operators import DriftAnalysisOperator, LoadModelOperator
from airflow_batch_inference.records import DriftStatus
from airflow_batch_inference.storage.store import Storage

_COUNTER = itertools.count()


@dataclass
class FakeTaskInstance:
    """The part of a running task instance that the operators use."""

    task_id: str
    dag_id: str = "nightly"
    run_id: str = "scheduled__2026-01-01T00:00:00+00:00"
    map_index: int = -1
    try_number: int = 1
    id: uuid.UUID = field(default_factory=lambda: uuid.UUID(int=time.time_ns() << 64 | next(_COUNTER)))
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key, value):
        self.xcoms[key] = value


@dataclass
class FakeEvent:
    """An asset's event accessor."""

    extra: dict[str, Any] = field(default_factory=dict)
    added: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)

    def add(self, asset, extra):
        self.added.append((asset, extra))


class FakeEvents:
    """Outlet events by the asset's name."""

    def __init__(self):
        self.events = {}

    def __getitem__(self, asset):
        return self.events.setdefault(asset.name, FakeEvent())


class Runner:
    """Runs operators as the task runner does: templates rendered, execute called; keeps the XComs of each task."""

    def __init__(self, root):
        self.root = root
        self.xcoms = {}
        self.events = FakeEvents()
        self.params = {}
        self.logical_date = None

    def __call__(self, operator, **identity):
        operator.artifact_root = operator.artifact_root or str(self.root)
        ti = FakeTaskInstance(task_id=operator.task_id, **identity)
        context = {"ti": ti, "outlet_events": self.events, "params": self.params, "run_id": ti.run_id}
        if self.logical_date is not None:
            context["logical_date"] = self.logical_date
        operator.render_template_fields(context)
        self.xcoms[operator.task_id] = ti.xcoms
        sentinel = {f"{type(operator).__name__}__sentinel": ExecutorSafeguard.sentinel_value}
        return operator.execute(context, **sentinel)


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path / "artifacts")


@pytest.fixture
def openlineage():
    """Skip where Airflow's provider for it is not installed, as it need not be."""
    pytest.importorskip("airflow.providers.openlineage.extractors")


@pytest.fixture(scope="session")
def rng_frame():
    rng = np.random.default_rng(7)
    return pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400)})


@pytest.fixture(scope="session")
def model_text(rng_frame):
    target = (rng_frame["a"] + rng_frame["b"] > 0).astype(int)
    parameters = {"objective": "binary", "num_leaves": 4, "num_threads": 1, "verbose": -1, "seed": 0}
    return lightgbm.train(parameters, lightgbm.Dataset(rng_frame, target), num_boost_round=5).model_to_string()


@pytest.fixture
def model_file(tmp_path, model_text):
    path = tmp_path / "model.txt"
    path.write_text(model_text)
    return path


@pytest.fixture
def digest(model_text):
    """Pinned, so that the file needs no trial in a child process."""
    return hashlib.sha256(model_text.encode()).hexdigest()


@pytest.fixture
def batch(tmp_path, rng_frame):
    """A folder of two Parquet files, 400 rows with a key."""
    folder = tmp_path / "batch"
    folder.mkdir()
    keyed = rng_frame.assign(key=[f"k{i}" for i in range(len(rng_frame))])
    keyed.iloc[:150].to_parquet(folder / "1.parquet")
    keyed.iloc[150:].to_parquet(folder / "2.parquet")
    return folder


@pytest.fixture
def sample_set(tmp_path, rng_frame, model_text):
    path = tmp_path / "sample.parquet"
    booster = lightgbm.Booster(model_str=model_text)
    rng_frame.assign(score=booster.predict(rng_frame)).to_parquet(path)
    return path


@pytest.fixture
def drift_result(runner, batch):
    """Return what makes a drift result with any verdict and any columns that have drifted, from a real one."""
    drift = runner(DriftAnalysisOperator(task_id="drift", dataset=str(batch), sample_set=str(batch)))
    real = Storage().read_record(drift)

    def make(status="DRIFT_DETECTED", drifted=("a",), ordinary=("z",), metric=0.9):
        columns = [replace(real.columns[0], name=name, status=DriftStatus.DRIFT_DETECTED) for name in drifted]
        columns += [replace(real.columns[0], name=name, status=DriftStatus.NO_DRIFT) for name in ordinary]
        return replace(
            real,
            status=DriftStatus(status),
            columns=tuple(columns),
            drift_metric=metric,
            reasons=("It has", "drifted."),
            batch_id="batch-1",
            model_sha256="0" * 64,
            report_uri="file:///report.html",
        )

    return make


@pytest.fixture
def model(runner, model_file, digest, sample_set):
    """The record of a model with a baseline."""
    return runner(
        LoadModelOperator(
            task_id="load",
            model_uri=str(model_file),
            sha256=digest,
            sample_set=str(sample_set),
            label_columns=["score"],
        )
    )


@pytest.fixture
def moved(tmp_path, rng_frame):
    """A batch of 3,000 rows in which `a` has moved, with a key and a few holes."""
    rng = np.random.default_rng(9)
    frame = rng_frame.sample(3_000, replace=True, random_state=1, ignore_index=True)
    frame["a"] += 0.4
    frame.loc[rng.random(3_000) < 0.01, "b"] = np.nan
    frame.assign(key=np.arange(3_000)).to_parquet(tmp_path / "moved.parquet")
    return str(tmp_path / "moved.parquet")
