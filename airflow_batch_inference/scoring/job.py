"""The scoring job: score part after part, reconcile, commit.

What must not be relaxed: memory does not grow with the rows; and the rows read, scored and written are equal, or
nothing is committed.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference import __version__
from airflow_batch_inference.datasets.formats import output_suffix
from airflow_batch_inference.datasets.writers import PartWriter
from airflow_batch_inference.records import ColumnSpec, Part, PredictionSetRecord
from airflow_batch_inference.scoring.batch import assemble
from airflow_batch_inference.scoring.commit import commit, committed
from airflow_batch_inference.scoring.plan import PartPlan, plan_parts
from airflow_batch_inference.scoring.prepare import PreparedJob, prepare
from airflow_batch_inference.storage import encode_segment, join_uri, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_batch_inference.scoring.request import ScoringRequest
    from airflow_batch_inference.storage import Storage

log = logging.getLogger(__name__)

_LOG_EVERY_S = 10.0


def _never() -> bool:
    return False


@dataclass(slots=True)
class _Progress:
    """What has been done so far, with a line in the log every few seconds."""

    rows_in: int = 0
    rows_out: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: {"plan": 0.0, "read": 0.0, "predict": 0.0, "write": 0.0})
    started: float = field(default_factory=time.monotonic)
    logged: float = field(default_factory=time.monotonic)

    def timed(self, phase: str, since: float) -> float:
        """Add the time since ``since`` to a phase and return the time now."""
        now = time.monotonic()
        self.seconds[phase] += now - since
        return now

    def tell(self, *, last: bool = False) -> None:
        """Log rows and rows a second, unless the last line is too fresh."""
        now = time.monotonic()
        if last or now - self.logged >= _LOG_EVERY_S:
            self.logged = now
            rate = self.rows_out / max(now - self.started, 1e-9)
            log.info("Scored %s rows, %.0f rows/s", f"{self.rows_out:,}", rate)


def score_dataset(
    request: ScoringRequest,
    *,
    storage: Storage,
    data_storage: Storage | None = None,
    stopped: Callable[[], bool] = _never,
) -> tuple[str, PredictionSetRecord]:
    """Score a dataset and commit the prediction set.

    Parameters
    ----------
    request
        What to score, with which model, and where to.
    storage, data_storage
        Reach the artifact store, and the dataset (None: in the same way).
    stopped
        Asked before each mini-batch and before the commit; True ends the job with nothing committed.

    Returns
    -------
    tuple
        The commit's URI and its record. A job that was committed before is not scored again.

    Raises
    ------
    EmptyDatasetError
        No row, and ``on_empty="fail"``.
    DataError, PredictionError, ConfigurationError
        As their messages say; nothing is committed.
    InterruptedError
        ``stopped`` said so.
    """
    destination = request.destination
    storage.require_writable(destination.folder)
    progress = _Progress()
    job = prepare(request, data_storage or storage)
    progress.timed("plan", progress.started)
    done = committed(destination.folder, job.key, storage)
    if done is not None:
        log.info("This very job is committed already: %s", done[0])
        return done
    parts: list[Part] = []
    try:
        for plan in plan_parts(job.dataset.snapshot if job.dataset.inline is None else ()):
            parts += _score_part(plan, job, request, storage, progress, stopped)
        _check(stopped)
    except BaseException:
        for part in parts:
            storage.remove(part.uri)
        raise
    progress.tell(last=True)
    # From here on the parts stay, whatever happens: an error does not tell whether the commit was written.
    return commit(destination.folder, _record(job, request, parts, progress), storage)


def _check(stopped: Callable[[], bool]) -> None:
    if stopped():
        message = "The task was stopped before its prediction set was committed; nothing of it is visible."
        raise InterruptedError(message)


def _score_part(
    plan: PartPlan,
    job: PreparedJob,
    request: ScoringRequest,
    storage: Storage,
    progress: _Progress,
    stopped: Callable[[], bool],
) -> list[Part]:
    """Score one part; returns it, or nothing where the result set is not kept."""
    if not request.options.keep:
        for _ in _scored(plan, job, progress, stopped):
            pass
        return []
    uri = _part_uri(plan, job, request)
    with storage.writing(uri) as path:
        with PartWriter(path, request.options.output_format, job.schema, _footer(job, request)) as writer:
            for table in _scored(plan, job, progress, stopped):
                now = time.monotonic()
                writer.write(table)
                progress.timed("write", now)
            now = time.monotonic()
        part = Part(uri=uri, rows=writer.rows, size_bytes=path.stat().st_size, sha256=sha256_of(path))
    progress.timed("write", now)
    return [part]


def _scored(plan: PartPlan, job: PreparedJob, progress: _Progress, stopped: Callable[[], bool]) -> Iterator[pa.Table]:
    batches = job.dataset.mini_batches(job.batch_rows, positions=plan.positions)
    while True:
        _check(stopped)
        now = time.monotonic()
        batch = next(batches, None)
        now = progress.timed("read", now)
        if batch is None:
            return
        progress.rows_in += batch.table.num_rows
        table = assemble(batch, job.passthrough, job.predictor.predict(batch), job.schema)
        progress.timed("predict", now)
        progress.rows_out += table.num_rows
        progress.tell()
        yield table


def _part_uri(plan: PartPlan, job: PreparedJob, request: ScoringRequest) -> str:
    destination = request.destination
    suffix = output_suffix(request.options.output_format)
    name = f"part-{plan.index:05d}-{encode_segment(destination.attempt)}{suffix}"
    return join_uri(destination.folder, "data", job.key[:16], name)


def _footer(job: PreparedJob, request: ScoringRequest) -> dict[str, str]:
    return {
        "batch_inference.version": __version__,
        "batch_inference.job_key": job.key,
        "batch_inference.batch_id": request.destination.batch_id,
        "batch_inference.model_sha256": request.record.sha256,
    }


def _record(
    job: PreparedJob, request: ScoringRequest, parts: Sequence[Part], progress: _Progress
) -> PredictionSetRecord:
    record, options, destination = request.record, request.options, request.destination
    return PredictionSetRecord(
        name=options.name,
        batch_id=destination.batch_id,
        job_key=job.key,
        task=destination.task,
        model_uri=record.model_uri,
        model_sha256=record.sha256,
        model_flavor=record.flavor,
        model_record_uri=request.model_record_uri,
        baseline_uri=record.baseline_uri,
        dataset=job.dataset.snapshot,
        dataset_uris=() if job.dataset.inline is not None else _uris(request.dataset),
        output_format=options.output_format,
        columns=tuple(ColumnSpec(name=column.name, type=str(column.type)) for column in job.schema),
        feature_columns=job.predictor.inputs.columns,
        label_columns=job.labels,
        rows_in=progress.rows_in,
        rows_out=progress.rows_out,
        kept=options.keep,
        parts=tuple(parts),
        seconds={phase: round(value, 3) for phase, value in progress.seconds.items()},
        versions={"airflow-batch-inference": __version__, "pyarrow": pa.__version__, **request.model.versions},
    )


def _uris(dataset: object) -> tuple[str, ...]:
    return (dataset,) if isinstance(dataset, str) else tuple(map(str, dataset))  # type: ignore[call-overload]  # a list
