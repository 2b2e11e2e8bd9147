"""A small job that can be disturbed, and what must hold after each of its runs."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from poisoned import make_model

from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.exceptions import BatchInferenceError
from airflow_batch_inference.flavors.base import LoadedModel
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.request import Destination, RowPolicy, ScoringOptions, ScoringRequest
from airflow_batch_inference.ledger.commit import latest_commit
from airflow_batch_inference.models.describe import ModelRequest, describe_model
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.records import ColumnSpec, ModelRecord, PredictionSetRecord, TaskKey
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.score import score_dataset
from airflow_batch_inference.workflows.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


ROWS = 240
PART_ROWS = 20
BAD = (33, 34, 150)
REFUSED, DEADLY = -3.0, -1.0
"""Values of a that both models refuse, and that the one from a file dies of."""
NAMES = ("a", "b")


class Model(LoadedModel):
    """a + 2 b, but for three rows that it refuses; the model from a file (:mod:`poisoned`) does the same."""

    inputs = tuple(ColumnSpec(name=name, type="double") for name in NAMES)
    feature_names = NAMES
    n_features = 2
    output_names = None
    methods = ("predict",)
    versions: dict[str, str] = {"fake": "1"}  # noqa: RUF012  # never changed

    def predict(self, batch: pa.Table, *, method: str = "predict", kwargs: Any = None) -> np.ndarray:
        values = batch.column("a").to_numpy()
        if (values == REFUSED).any():
            raise ValueError("no such leaf")
        return values + 2 * batch.column("b").to_numpy()


@dataclass
class Result:
    """What a campaign did, and what it found."""

    seed: int
    runs: int = 0
    kills: int = 0
    faults: int = 0
    resumed_parts: int = 0
    silent: int = 0
    crashes: int = 0
    stops: int = 0
    slowest_stop_s: float = 0.0
    violations: list[str] = field(default_factory=list)


class Runs:
    """Runs of one job, and what must hold after each.

    Parameters
    ----------
    folder
        For the input files.
    root
        The artifact store; each disturbed job gets a folder of its own in it.
    seed
        Of all that is random.
    means
        Who scores, with a model from a file: ``threads`` or ``processes``; None: the task's own thread, with a model
        that only this process has.
    """

    def __init__(self, folder: Path, root: str, *, seed: int, means: str | None = None) -> None:
        self.root = root
        self.means = means
        self.model = None if means is None else make_model(folder)
        self.random = random.Random(seed)
        self.result = Result(seed)
        self.storage = Storage()
        self.source = folder / "in"
        self.source.mkdir(exist_ok=True)
        rows = np.arange(float(ROWS))
        rows[list(BAD)] = REFUSED
        for name, part in (("1", rows[:100]), ("2", rows[100:])):
            table = pa.table({"a": part, "b": np.ones(len(part)), "key": [f"k{row:.0f}" for row in part]})
            pq.write_table(table, self.source / f"{name}.parquet", write_page_checksum=True)
        reference = pq.read_table(self.source / "1.parquet")
        self.baseline = make_baseline(lambda: [reference], schema=reference.schema)
        plan._PART_ROWS = PART_ROWS
        _, self.expected = self.run(f"file://{folder}/undisturbed", "1", storage=Storage())

    def run(
        self,
        root: str,
        attempt: str,
        *,
        storage: Storage | None = None,
        batch_id: str = "b",
        task: TaskKey = TaskKey(dag_id="d", run_id="r", task_id="t"),  # noqa: B008  # never changed
        stopped: Callable[[], bool] = lambda: False,
        source: Path | None = None,
        means: str | None = None,
        rejects: int = len(BAD),
    ) -> tuple[str, PredictionSetRecord]:
        """Score as one try of one task would."""
        model, models = Model(), None
        if self.model is not None:
            trust = TrustRequest(sha256=hashlib.sha256(self.model.read_bytes()).hexdigest())
            _, described = describe_model(ModelRequest(model_uri=str(self.model), trust=trust), storage=Storage())
            models = single_model(replace(described, baseline_uri="file:///baseline"), storage=Storage())
        record = ModelRecord(
            name="fake", model_uri="file:///m", conn_id=None, sha256="5" * 64, size_bytes=1, flavor="fake",
            format="fake", trust="data", trusted_types=(), trusted_by=None, load_options={}, classes=None,
            class_names=None, inputs=model.inputs, n_features=2, output_names=None, label_columns=None, versions={},
            baseline_uri="file:///baseline", golden_uri=None, tag=None,
        )  # fmt: skip
        request = ScoringRequest(
            models=models or single_model(record, model=model),
            dataset=str(source or self.source), options=ScoringOptions(),
            destination=Destination(
                root=root, task=task, attempt=attempt,
                try_id=f"{int(attempt):06d}", batch_id=batch_id,
            ),
            policy=RowPolicy(error_threshold=rejects), rows_per_batch=7, baseline=self.baseline,
        )  # fmt: skip
        asked = means or self.means or "auto"
        resources = Resources(means=asked, max_workers=2, isolate=asked == "processes")
        return score_dataset(
            request, storage=storage or self.storage, data_storage=Storage(), stopped=stopped, resources=resources
        )

    def folder(self, root: str) -> str:
        return Destination(
            root=root, task=TaskKey(dag_id="d", run_id="r", task_id="t"), attempt="1", try_id="1", batch_id="b"
        ).folder

    def check(self, root: str, what: str, *, must_exist: bool = False, storage: Storage | None = None) -> None:
        """Nothing is visible, or one whole set with the bytes of an undisturbed run."""
        storage = storage or self.storage
        number, uri = latest_commit(self.folder(root), storage)
        if uri is None:
            if must_exist:
                self.result.violations.append(f"{what}: no commit after the last try")
            return
        try:
            found = verify(uri, storage)
        except BatchInferenceError as error:
            self.result.violations.append(f"{what}: {error}")
            return
        self.result.violations += [f"{what}: {problem}" for problem in found.problems]
        record = found.record
        if [p.sha256 for p in record.parts] != [p.sha256 for p in self.expected.parts]:
            self.result.violations.append(f"{what}: other bytes than those of an undisturbed run")
        # A profile is named after its content.
        if file_name(record.profile_uri) != file_name(self.expected.profile_uri) or not storage.exists(
            str(record.profile_uri)
        ):
            self.result.violations.append(f"{what}: another profile than that of an undisturbed run")
        if record.certificate != self.expected.certificate or number != 1:
            self.result.violations.append(f"{what}: commit {number}, {record.certificate}")

    def receipts(self, root: str) -> int:
        folder = f"{self.folder(root)}/_work"
        if not self.storage.exists(folder):
            return 0
        return sum("/part-" in file.uri for file in self.storage.list_files(folder))


def file_name(uri: str | None) -> str:
    return str(uri).rpartition("/")[2]
