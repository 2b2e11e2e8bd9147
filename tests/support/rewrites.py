"""Inputs that are rewritten at any moment, over tries and runs: no set has rows of two versions of a file, or old ones.

Each version of a file has its own number in a column of every row, and as many bytes as the one before where it can.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from campaign_runs import PART_ROWS, Model
from fsspec.implementations.memory import MemoryFileSystem

from airflow_batch_inference.exceptions import BatchInferenceError
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.request import Destination, ScoringOptions, ScoringRequest
from airflow_batch_inference.ledger.commit import latest_commit
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.records import ModelRecord, PredictionSetRecord, TaskKey
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.score import score_dataset

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = ("1", "2")
ROWS = 100
WAYS = ("kept", "renamed", "appended", "truncated")


class Untold(MemoryFileSystem):
    """A store that tells a time, which each of its writers puts back, and nothing else."""

    protocol = "untold"
    store: dict[str, Any] = {}  # noqa: RUF012  # shared by all instances, as in the class it comes from
    pseudo_dirs = [""]  # noqa: RUF012
    cachable = False

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        found = super().info(path, **kwargs)
        return {"name": found["name"], "size": found["size"], "type": found["type"], "mtime": 1_700_000_000}


@dataclass
class Result:
    """What a campaign did, and what it found."""

    seed: int
    runs: int = 0
    rewrites: int = 0
    during: int = 0
    stopped: int = 0
    refused: int = 0
    commits: int = 0
    resumed_parts: int = 0
    violations: list[str] = field(default_factory=list)


class Rewrites:
    """Rewrites the inputs of one job.

    Parameters
    ----------
    place
        Where the input lies: a local folder, or a URI of S3, ``memory://`` or ``untold://``.
    root
        The artifact store.
    seed
        Of all that is random.
    """

    def __init__(self, place: str, root: Path, *, seed: int) -> None:
        self.place = place
        self.root = root
        self.random = random.Random(seed)
        self.result = Result(seed)
        self.untold = Untold()
        self.storage = Storage(filesystem_for=self._filesystem)
        self.versions: dict[str, tuple[int, int]] = {}
        """Of each file: its number, and how many rows it has."""
        self.known: dict[tuple[str, int], int] = {}
        plan._PART_ROWS = PART_ROWS
        if place.startswith("/"):
            Path(place).mkdir(parents=True, exist_ok=True)
        for name in FILES:
            self.rewrite(name, "new")

    def _filesystem(self, protocol: str) -> Any:
        return self.untold if protocol == "untold" else fsspec.filesystem(protocol)

    # -- the input ----------------------------------------------------------------------------------------

    def rewrite(self, name: str, way: str) -> None:
        """Write the next version of a file."""
        number, rows = self.versions.get(name, (0, ROWS))
        number += 1
        rows += {"appended": PART_ROWS, "truncated": -7}.get(way, 0)
        rows = max(3 * PART_ROWS, min(rows, 8 * PART_ROWS))
        self.known[name, number] = rows
        data = self._data(name, number, rows)
        uri = f"{self.place}/{name}.parquet"
        if uri.startswith("/"):
            _rewrite_locally(uri, data, way)
        else:
            scheme, path = uri.split("://")
            self._filesystem(scheme).pipe_file(path, data)
        self.versions[name] = (number, rows)

    def _data(self, name: str, number: int, rows: int) -> bytes:
        table = pa.table(
            {
                "a": np.arange(float(rows)) + 1000,  # none of those that the model refuses
                "b": np.full(rows, float(number)),
                "key": [f"{name}-{row:05d}" for row in range(rows)],
            }
        )
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="none", use_dictionary=False, row_group_size=50)
        return buffer.getvalue()

    def _rewrite_some(self) -> None:
        for name in self.random.sample(FILES, self.random.choice([1, 1, 2])):
            self.rewrite(name, self.random.choice(WAYS))
            self.result.rewrites += 1

    # -- the job ------------------------------------------------------------------------------------------

    def run(self, root: str, attempt: int, stopped: Callable[[], bool] = lambda: False) -> PredictionSetRecord:
        """Score as one try of one task would."""
        model = Model()
        record = ModelRecord(
            name="fake", model_uri="file:///m", conn_id=None, sha256="5" * 64, size_bytes=1, flavor="fake",
            format="fake", trust="data", trusted_types=(), trusted_by=None, load_options={}, classes=None,
            class_names=None, inputs=model.inputs, n_features=2, output_names=None, label_columns=None, versions={},
            baseline_uri=None, golden_uri=None, tag=None,
        )  # fmt: skip
        request = ScoringRequest(
            models=single_model(record, model=model), dataset=self.place, options=ScoringOptions(),
            destination=Destination(
                root=root, task=TaskKey(dag_id="d", run_id="r", task_id="t"), attempt=str(attempt),
                try_id=f"{attempt:06d}", batch_id="b",
            ), rows_per_batch=7,
        )  # fmt: skip
        return score_dataset(request, storage=Storage(), data_storage=self.storage, stopped=stopped)[1]

    def campaign(self, *, runs: int) -> Result:
        """Let jobs have tries that are stopped or disturbed, and runs after their commits."""
        started = time.monotonic()
        self.run(f"{self.root}/warm", 1)
        longest = time.monotonic() - started
        job = 0
        while self.result.runs < runs:
            job += 1
            root = f"{self.root}/{job}"
            for attempt in range(1, self.random.randrange(3, 7)):
                if attempt > 1 and self.random.random() < 0.7:
                    self._rewrite_some()
                kind = self.random.choice(["quiet", "stopped", "stopped", "during"])
                self._try(root, attempt, kind, longest)
            self._rewrite_some()
            self._try(root, 99, "quiet", longest)
        return self.result

    def _try(self, root: str, attempt: int, kind: str, longest: float) -> None:
        self.result.runs += 1
        what = f"{root} try {attempt} ({kind})"
        before = dict(self.versions)
        left = self.random.randrange(2, 40)

        def stopped() -> bool:
            nonlocal left
            left -= kind == "stopped"
            return left <= 0

        writer = threading.Thread(target=self._disturb, args=(self.random.uniform(0, longest),))
        if kind == "during":
            self.result.during += 1
            writer.start()
        self.result.resumed_parts += self._receipts(root)
        record = None
        try:
            record = self.run(root, attempt, stopped)
        except InterruptedError:
            self.result.stopped += 1
        except BatchInferenceError as error:
            self.result.refused += 1
            if kind != "during":
                self.result.violations.append(f"{what}: refused: {error}")
        finally:
            if kind == "during":
                writer.join()
        if record is not None:
            self.result.commits += 1
            self._check(record, what, before if kind != "during" else None)

    def _disturb(self, delay: float) -> None:
        time.sleep(delay)
        self._rewrite_some()

    def _receipts(self, root: str) -> int:
        folder = Destination(
            root=root, task=TaskKey(dag_id="d", run_id="r", task_id="t"), attempt="1", try_id="1", batch_id="b"
        ).folder
        if latest_commit(folder, Storage())[1] is not None or not Storage().exists(f"{folder}/_work"):
            return 0
        return sum("/part-" in file.uri for file in Storage().list_files(f"{folder}/_work"))

    def _check(self, record: PredictionSetRecord, what: str, current: dict[str, tuple[int, int]] | None) -> None:
        rows = [row for part in record.parts for row in pq.read_table(part.uri.removeprefix("file://")).to_pylist()]
        for name in FILES:
            own = [row for row in rows if row["key"].startswith(f"{name}-")]
            found = {row["b"] for row in own}
            if len(found) != 1:
                self.result.violations.append(f"{what}: file {name} has the versions {sorted(found)}")
                continue
            number = int(found.pop())
            keys = [row["key"] for row in own]
            if keys != [f"{name}-{row:05d}" for row in range(self.known[name, number])]:
                self.result.violations.append(f"{what}: file {name}, version {number}, has {len(keys)} rows")
            if any(row["predicted_label"] != row["a"] + 2 * number for row in own):
                self.result.violations.append(f"{what}: predictions of another version")
            if current is not None and current[name][0] != number:
                self.result.violations.append(f"{what}: version {number} of {name}, and {current[name]} is there")


def _rewrite_locally(path: str, data: bytes, way: str) -> None:
    """Put the time of the last modification back, whatever was written."""
    place, times = Path(path), None
    with contextlib.suppress(FileNotFoundError):
        status = place.stat()
        times = (status.st_atime_ns, status.st_mtime_ns)
    target = Path(f"{path}.new") if way == "renamed" else place
    with target.open("r+b" if way not in ("new", "renamed") else "wb") as file:
        half = len(data) // 2
        file.write(data[:half])
        file.flush()
        file.write(data[half:])
        file.truncate()
    if times is not None:
        os.utime(target, ns=times)
    if target != place:
        target.replace(place)
