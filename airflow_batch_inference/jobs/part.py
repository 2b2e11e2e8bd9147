"""Scoring one part: from its description to immutable files and a receipt, in whatever process.

Invariants: the part's bytes depend on its description alone; a file is complete before its receipt
exists; of several who score one part, the first receipt counts and the others remove what they wrote.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_batch_inference import __version__
from airflow_batch_inference.checks.checks import Marked, added, count_marks, set_aside
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.exceptions import ArtifactIntegrityError, BatchInferenceError, TooManyRejectedRowsError
from airflow_batch_inference.formats.names import PART_FORMAT, output_suffix
from airflow_batch_inference.formats.prefetch import prefetched
from airflow_batch_inference.formats.writers import PartWriter
from airflow_batch_inference.jobs.acceleration import tree_kernel
from airflow_batch_inference.jobs.details import with_details
from airflow_batch_inference.jobs.output_layout import as_number
from airflow_batch_inference.jobs.plan import versions_digest, versions_of
from airflow_batch_inference.jobs.quarantine import (
    QUARANTINE_COLUMNS,
    quarantine_rows,
    quarantine_schema,
)
from airflow_batch_inference.ledger.accounting import as_text, row_hash, rows_hash
from airflow_batch_inference.ledger.receipts import put_receipt, receipt_uri
from airflow_batch_inference.ledger.retries import retrying
from airflow_batch_inference.predictors.isolation import Isolator
from airflow_batch_inference.predictors.output_table import assemble
from airflow_batch_inference.predictors.row_alignment import check_row_alignment
from airflow_batch_inference.records import Part, Receipt, Rejection
from airflow_batch_inference.schema.columns import append_columns
from airflow_batch_inference.sources.cursor import Cursor
from airflow_batch_inference.sources.read_digest import ReadDigest
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.uris import encode_segment, join_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.jobs.prepare import PreparedJob
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.predictors.base import ModelStatistics
    from airflow_batch_inference.predictors.graphs.loaded import LoadedModels
    from airflow_batch_inference.predictors.scored_rows import RejectedRow, ScoredRows
    from airflow_batch_inference.records import CheckCount, Profile
    from airflow_batch_inference.sources.batches import MiniBatch
    from airflow_batch_inference.storage.store import Storage

_SUFFIX = output_suffix(PART_FORMAT)
_SHOWN_REJECTIONS = 5
_CHECKED_PARTS = 8
"""Every eighth part is checked: that takes some tens of milliseconds, a tenth of a cheap model's part."""
_COUNTED_ROWS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PartScorer:
    """All that the parts of a job have in common; scores one after the other.

    Attributes
    ----------
    job, request
        What is scored, and where to.
    models
        Loaded in this process.
    storage
        Reaches the artifact store.
    on_progress
        Called with start and stop (numbered within the part) before each predict call.
    raise_if_stopped
        Called before each mini-batch; raises to stop.
    cursor
        Reads on where the last part ended.
    turn
        Held while models are called: by threads of one process that share models which may not be called side by side.
    """

    job: PreparedJob
    request: ScoringRequest
    models: LoadedModels
    storage: Storage
    on_progress: Callable[[int, int], None] = lambda start, stop: None  # noqa: ARG005
    raise_if_stopped: Callable[[], None] = lambda: None
    cursor: Cursor = field(default_factory=Cursor)
    turn: AbstractContextManager[object] = field(default_factory=nullcontext)

    def score(
        self,
        plan: PartPlan,
        *,
        allowed: int | None,
        failing: Mapping[tuple[int, int], str],
        excluded: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Score a part, write its files, and return its receipt: this one, or that of whoever was first.

        Parameters
        ----------
        plan
            The part.
        allowed
            How many of its rows may be rejected; None: any number.
        failing
            See :class:`~airflow_batch_inference.predictors.isolation.Isolator`.
        excluded
            Challengers that have ended a process in this part, and how.

        Raises
        ------
        DataError, PredictionError
            As their messages say; nothing is written.
        """
        return retrying(f"Part {plan.index}", lambda: self._score(plan, allowed, failing, excluded or {}))

    def _score(
        self,
        plan: PartPlan,
        allowed: int | None,
        failing: Mapping[tuple[int, int], str],
        excluded: Mapping[str, str],
    ) -> Receipt:
        predictor = self.job.predictor(self.request, self.models)
        for name, reason in excluded.items():
            predictor.exclude(name, reason)
        run = _Run(
            self,
            Isolator(
                predictor=predictor,
                allowed=allowed,
                is_strict=not self.request.policy.is_tolerant,
                allow_nan=self.request.policy.allow_nan,
                failing=failing,
                is_secret=bool(self.request.policy.redact_columns),
                on_progress=self.on_progress,
            ),
            predictor.statistics(self.job.inferred, self.job.labels),
            Profiler(self.request.baseline.columns) if self.request.baseline else None,
        )
        dataset = self.job.dataset
        splits = tuple(dict.fromkeys(wanted.split for wanted in plan.ranges))
        dataset.require_unchanged(splits)
        try:
            part = self._write(plan, run)
        except TooManyRejectedRowsError as error:
            dataset.require_unchanged(splits)
            raise self._with_rejects(error, plan, run) from error.__cause__
        except BatchInferenceError:
            dataset.require_unchanged(splits)  # half of a file that is being written is no damaged file
            raise
        dataset.require_unchanged(splits)
        quarantine = self._write_quarantine(plan, run)
        receipt = Receipt(
            job_key=self.job.key,
            index=plan.index,
            rows_in=run.rows_in,
            rows_out=run.rows_out,
            part=part,
            quarantine=quarantine,
            rejections=tuple(run.rejections[:_SHOWN_REJECTIONS]),
            row_hash_out=as_text(run.hash_out),
            row_hash_rejected=as_text(run.hash_rejected),
            seconds={phase: round(value, 3) for phase, value in run.seconds.items()},
            nulled=dict(run.nulled),
            checks=run.checks,
            rows_set_aside=run.rows_set_aside,
            chains=run.statistics.chains(),
            tree_kernel=tree_kernel(self.models),
            versions_digest=versions_digest(dataset, plan),
            rows_digest=run.digest.hexdigest(),
        )
        folder, attempt = self.request.destination.folder, self.request.destination.attempt
        return self._put(with_details(receipt, run.profile(), folder, attempt, self.storage), plan)

    def _put(self, receipt: Receipt, plan: PartPlan) -> Receipt:
        """Put the receipt, and return the one that counts.

        Raises
        ------
        ArtifactIntegrityError
            Another try has read other rows of the same files.
        """
        folder = self.request.destination.folder
        kept = put_receipt(receipt, folder, self.storage)
        if kept.rows_digest != receipt.rows_digest:
            files = ", ".join(file.uri for file in versions_of(self.job.dataset, plan)[:3])
            message = (
                f"Two tries of this job have read different rows for part {receipt.index}, of files that have one "
                f"version: {files}. Their file system does not tell what "
                f"was changed. Remove {receipt_uri(folder, receipt.job_key, receipt.index).rpartition('/')[0]}, and "
                "run the task again when nobody writes to them."
            )
            raise ArtifactIntegrityError(message)
        return kept

    def _write(self, plan: PartPlan, run: _Run) -> Part | None:
        if not self.request.options.keep:
            for _ in run.tables(plan):
                pass
            return None
        uri = self._uri("data", plan)
        with self.storage.writing(uri) as path:
            with PartWriter(path, PART_FORMAT, self.job.schema, self._footer()) as writer:
                for table in run.tables(plan):
                    now = time.monotonic()
                    writer.write(table)
                    run.spent("write", now)
                now = time.monotonic()
            part = _finished(path, uri, writer.rows)
            run.spent("write", now)
        return part

    def _with_rejects(self, error: TooManyRejectedRowsError, plan: PartPlan, run: _Run) -> TooManyRejectedRowsError:
        """Store the rows that were rejected up to here, and return the error that says where they lie."""
        if error.rejects is not None and error.rejects[1]:
            run.set_aside(*error.rejects)
        stored = self._write_quarantine(plan, run)
        if stored is None:
            return TooManyRejectedRowsError(str(error))
        return TooManyRejectedRowsError(f"{error} Those that were rejected up to here lie in {stored.uri}.")

    def _write_quarantine(self, plan: PartPlan, run: _Run) -> Part | None:
        if not run.quarantined:
            return None
        uri = self._uri("quarantine", plan)
        redact = self.request.policy.redact_columns
        schema = quarantine_schema(self.job.dataset.schema, redact)
        with self.storage.writing(uri) as path:
            with PartWriter(path, PART_FORMAT, schema, self._footer()) as writer:
                for table in run.quarantined:
                    writer.write(table)
            return _finished(path, uri, writer.rows)

    def _uri(self, folder: str, plan: PartPlan) -> str:
        destination = self.request.destination
        name = f"part-{plan.index:05d}-{encode_segment(destination.attempt)}{_SUFFIX}"
        return join_uri(destination.folder, folder, self.job.key[:16], name)

    def _footer(self) -> dict[str, str]:
        return {
            "batch_inference.version": __version__,
            "batch_inference.job_key": self.job.key,
            "batch_inference.batch_id": self.request.destination.batch_id,
            "batch_inference.model_sha256": self.request.models.output_model.record.sha256,
        }


def _finished(path: Path, uri: str, rows: int) -> Part:
    """Describe a file that was just closed; its footer is read again."""
    if (found := pq.read_metadata(path).num_rows) != rows:
        message = f"{uri} was written with {rows} rows, but its footer says {found}."
        raise ArtifactIntegrityError(message)
    return Part(uri=uri, rows=rows, size_bytes=path.stat().st_size, sha256=sha256_of(path))


@dataclass(slots=True)
class _Run:
    """One pass over a part's rows, and what was counted on the way."""

    scorer: PartScorer
    isolator: Isolator
    statistics: ModelStatistics
    profiler: Profiler | None = None
    digest: ReadDigest = field(default_factory=ReadDigest)
    uncounted: list[pa.Table] = field(default_factory=list)
    rows_in: int = 0
    rows_out: int = 0
    hash_out: int = 0
    hash_rejected: int = 0
    quarantined: list[pa.Table] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    nulled: Counter[str] = field(default_factory=Counter)
    checks: tuple[CheckCount, ...] = ()
    rows_set_aside: int = 0
    seconds: dict[str, float] = field(
        default_factory=lambda: {"read": 0.0, "predict": 0.0, "write": 0.0, "profile": 0.0}
    )

    def spent(self, phase: str, since: float) -> None:
        self.seconds[phase] += time.monotonic() - since

    def tables(self, plan: PartPlan) -> Iterator[pa.Table]:
        """Yield the output's rows, mini-batch after mini-batch."""
        job = self.scorer.job
        reading = job.dataset.mini_batches(job.batch_rows, ranges=plan.ranges, cursor=self.scorer.cursor)
        with prefetched(self.digest.watching(reading)) as batches:
            while True:
                self.scorer.raise_if_stopped()
                now, started = time.monotonic(), time.perf_counter_ns()
                batch = next(batches, None)
                self.spent("read", now)
                if batch is None:
                    return
                waited = time.perf_counter_ns() - started
                now, started = time.monotonic(), time.perf_counter_ns()
                with self.scorer.turn:
                    scored = self.isolator.score(batch, self.rows_in)
                    elapsed = (waited, *self._steps(time.perf_counter_ns() - started))
                    self._check_row_alignment(plan, scored)
                self.statistics.count(scored)  # rows that a check sets aside were scored, too
                self.statistics.count_rejected(batch, scored.rejected)
                scored, marked = self._checked(batch, scored)
                self._account(batch, scored)
                scored = self._coerced(scored)
                table = assemble(scored.rows, job.passthrough, scored.predicted, job.base)
                self.spent("predict", now)
                self._profile(table, scored)
                yield table if job.layout is None else job.layout.table(table, marked, elapsed)

    def _steps(self, took: int) -> Sequence[int]:
        """Return the nanoseconds of each step; of one alone all that its rows took, isolating bad ones included."""
        steps = self.isolator.predictor.main.elapsed
        return steps if len(steps) > 1 else (took,)

    def _checked(self, batch: MiniBatch, scored: ScoredRows) -> tuple[ScoredRows, Marked]:
        """Evaluate the checks, count what they mark, and set aside what they say."""
        job = self.scorer.job
        if job.layout is None:
            return scored, Marked({}, scored.rows.table.num_rows)
        table = scored.rows.table if job.validation is None else job.validation.readable(scored.rows.table)
        marked = job.layout.mark(table, scored.predicted)
        self.checks = added(self.checks, count_marks(marked, scored.rows))
        aside = set_aside(job.layout.checks, batch, scored, marked)
        if aside is None:
            return scored, marked
        self.rows_set_aside += len(aside.scored.rejected) - len(scored.rejected)
        return aside.scored, marked.taken(aside.keep)

    def _coerced(self, scored: ScoredRows) -> ScoredRows:
        """Count what became null for the model, and return the rows with the numbers that text stands for."""
        validation = self.scorer.job.validation
        if validation is None:
            return scored
        table = scored.rows.table
        self.nulled.update(validation.nulled(table))
        return replace(scored, rows=replace(scored.rows, table=validation.readable(table)))

    def _profile(self, table: pa.Table, scored: ScoredRows) -> None:
        """Count the scored rows on the baseline's edges: what is written, and inputs that are not."""
        if self.profiler is None:
            return
        now = time.monotonic()
        inputs = self.scorer.job.inputs
        written, rows = set(table.column_names), scored.rows.table
        columns = zip(inputs.columns, inputs.types, strict=True)
        read = {name: as_number(rows.column(name), kind, name) for name, kind in columns if name not in written}
        table = append_columns(table, read)
        self.uncounted.append(table)
        if sum(each.num_rows for each in self.uncounted) >= _COUNTED_ROWS:
            self._count(self.profiler)
        self.spent("profile", now)

    def _count(self, profiler: Profiler) -> None:
        """Count what was held back: small mini-batches of a wide table would pay each column's fixed cost each time."""
        if self.uncounted:
            profiler.add(pa.concat_tables(self.uncounted))
            self.uncounted.clear()

    def profile(self) -> Profile | None:
        """Return the profile of all rows of the part, if they are counted."""
        if self.profiler is None:
            return None
        self._count(self.profiler)
        return self.profiler.profile()

    def _check_row_alignment(self, plan: PartPlan, scored: ScoredRows) -> None:
        rows = self.scorer.request.alignment_check_rows
        if rows and plan.index % _CHECKED_PARTS == 0 and self.rows_in == 0 and scored.rows.table.num_rows:
            main = self.isolator.predictor.main
            own = scored.predicted[: len(main.outputs)]
            check_row_alignment(main, scored.rows, own, rows=rows, seed=plan.index)

    def _account(self, batch: MiniBatch, scored: ScoredRows) -> None:
        self.rows_in += batch.table.num_rows
        self.rows_out += scored.rows.table.num_rows
        self.hash_out += sum(row_hash(origin.uri, origin.first_row, origin.rows) for origin in scored.rows.origins)
        if scored.rejected:
            self.set_aside(batch, scored.rejected)

    def set_aside(self, batch: MiniBatch, rejected: list[RejectedRow]) -> None:
        """Keep rejected rows for the quarantine, and the first of them for the receipt."""
        table = quarantine_rows(batch, rejected, self.scorer.request.policy.redact_columns)
        self.quarantined.append(table)
        for uri, row, stage, error in zip(
            *(table.column(name).to_pylist() for name in QUARANTINE_COLUMNS), strict=True
        ):
            self.hash_rejected += rows_hash(uri, [row])
            if len(self.rejections) < _SHOWN_REJECTIONS:
                self.rejections.append(Rejection(uri=uri, row=row, stage=stage, error=error))
