"""A model that adds up two columns, and a bench that scores with it into a temporary artifact store."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.flavors.base import LoadedModel
from airflow_batch_inference.jobs.request import Destination, RowPolicy, ScoringOptions, ScoringRequest
from airflow_batch_inference.predictors.graphs.chain import ChainGraph, single_model
from airflow_batch_inference.predictors.graphs.source import ModelChain
from airflow_batch_inference.records import ColumnSpec, ModelRecord, TaskKey
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.score import score_dataset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def weighted_sum(batch):
    """The fake's prediction, a + 2 b: one that columns in the wrong order would change."""
    return batch.column("a").to_numpy() + 2 * batch.column("b").to_numpy()


@dataclass
class FakeModel(LoadedModel):
    """Takes the numbers a and b and returns a + 2 b, or whatever ``answer`` makes of the batch."""

    answer: Callable[[pa.Table], np.ndarray] = weighted_sum
    inputs: tuple[ColumnSpec, ...] | None = (ColumnSpec(name="a", type="double"), ColumnSpec(name="b", type="double"))
    n_features: int | None = 2
    output_names: tuple[str, ...] | None = None
    methods: tuple[str, ...] = ("predict",)
    versions: dict[str, str] = field(default_factory=lambda: {"fake": "1"})
    calls: list[tuple[pa.Table, str, dict]] = field(default_factory=list)

    def predict(self, batch, *, method="predict", kwargs=None):
        self.calls.append((batch, method, dict(kwargs or {})))
        return self.answer(batch)


def model_record(model: FakeModel, **changed) -> ModelRecord:
    fields = {
        "name": "fake",
        "model_uri": "file:///models/fake",
        "conn_id": None,
        "sha256": "5" * 64,
        "size_bytes": 1,
        "flavor": "fake",
        "format": "fake",
        "trust": "data",
        "trusted_types": (),
        "trusted_by": None,
        "load_options": {},
        "classes": None,
        "class_names": None,
        "inputs": model.inputs,
        "n_features": model.n_features,
        "output_names": model.output_names,
        "label_columns": None,
        "versions": {},
        "baseline_uri": None,
        "golden_uri": None,
        "tag": None,
    }
    return ModelRecord(**(fields | changed))


def with_record(request: ScoringRequest, **changed) -> ScoringRequest:
    """Return a request for one model with another record of it."""
    source = request.models.first
    source = replace(source, record=replace(source.record, **changed))
    return replace(request, models=ChainGraph(main=ModelChain(sources=(source,))))


class Bench:
    """Scores with a fake model, and looks at what lies in the artifact store afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "artifacts"
        self.storage = Storage()
        self.model = FakeModel()
        self.task = TaskKey(dag_id="nightly", run_id="run/1", task_id="predict")

    def request(
        self,
        dataset,
        *,
        model=None,
        models=None,
        attempt="1",
        rows_per_batch="auto",
        on_empty="fail",
        policy=None,
        alignment_check_rows=0,
        **options,
    ):
        model = model or self.model
        return ScoringRequest(
            models=models or single_model(model_record(model), model=model),
            dataset=dataset,
            options=ScoringOptions(**options),
            destination=Destination(
                root=str(self.root), task=self.task, attempt=attempt, try_id=attempt, batch_id="2013-04-08"
            ),
            rows_per_batch=rows_per_batch,
            on_empty=on_empty,
            policy=policy or RowPolicy(),
            alignment_check_rows=alignment_check_rows,
        )

    def score(self, dataset, *, stopped=lambda: False, storage=None, **arguments):
        """Return the commit's URI and record."""
        return score_dataset(self.request(dataset, **arguments), storage=storage or self.storage, stopped=stopped)

    def output(self, record) -> pa.Table:
        """Return the rows of a prediction set that was written as Parquet."""
        return pa.concat_tables([pq.read_table(part.uri.removeprefix("file://")) for part in record.parts])

    def files(self) -> list[str]:
        """Return the names of all files in the artifact store."""
        return sorted(path.name for path in self.root.rglob("*") if path.is_file())

    def visible(self) -> list[str]:
        """Return the names of the commits."""
        return sorted(path.name for path in self.root.rglob("_commits/*.json"))

    def unaccounted(self) -> list[str]:
        """Return files that are neither a job's description, nor a receipt, nor named by a receipt or a commit."""
        notes = [path for path in self.root.rglob("*.json") if path.parent.parent.name == "_work"]
        commits = list(self.root.rglob("_commits/*.json"))
        told = "".join(path.read_text() for path in [*notes, *commits])
        others = [path for path in self.root.rglob("*") if path.is_file() and path not in [*notes, *commits]]
        return sorted(path.name for path in others if path.name not in told)

    def write(self, name: str, columns) -> str:
        """Write a Parquet file below the bench's folder and return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path)
        return str(path)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def make_model():
    return FakeModel


@pytest.fixture
def make_record():
    return model_record


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """A small ensemble of trees that takes the numbers a and b."""
    import lightgbm as lgb

    path = tmp_path_factory.mktemp("model") / "m.txt"
    x = pd.DataFrame(np.random.default_rng(21).normal(size=(500, 2)), columns=["a", "b"])
    data = lgb.Dataset(x, label=x["a"] - x["b"] ** 2)
    lgb.train({"num_threads": 1, "num_leaves": 7, "verbose": -1}, data, num_boost_round=5).save_model(path)
    return path
