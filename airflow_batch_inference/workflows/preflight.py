"""A scoring job tried out before it runs: everything that can be known of it, at the price of some rows.

Invariants: nothing is written, neither to the artifact store nor elsewhere (private copies, of the model
and of the rows that are timed, are removed again); every problem that can be found is listed, and not only the first;
and an estimate says what it was made of.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.engines.local import Crew, Resources, choose_crew
from airflow_batch_inference.exceptions import BatchInferenceError, PredictionError, SignatureMismatchError
from airflow_batch_inference.flavors.base import require_method
from airflow_batch_inference.formats.names import PART_FORMAT
from airflow_batch_inference.formats.writers import PartWriter
from airflow_batch_inference.jobs.columns import kept_columns, match_columns, passed_columns
from airflow_batch_inference.jobs.pace import Watch
from airflow_batch_inference.jobs.plan import plan_parts
from airflow_batch_inference.jobs.prepare import open_input, prepare
from airflow_batch_inference.predictors.input_validation import policies
from airflow_batch_inference.predictors.isolation import Isolator
from airflow_batch_inference.predictors.output_table import assemble, require_new_names
from airflow_batch_inference.predictors.row_alignment import check_row_alignment
from airflow_batch_inference.predictors.single import require_threshold
from airflow_batch_inference.processes.surroundings import lent
from airflow_batch_inference.processes.threads import limited_blas
from airflow_batch_inference.records import CsvOptions, ReadOptions
from airflow_batch_inference.schema.names import known_names
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.uris import normalize_uri
from airflow_batch_inference.workflows.findings import Estimate, Finding, Preflight, in_bytes
from airflow_batch_inference.workflows.publication import check_target

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.jobs.prepare import PreparedJob
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.predictors.graphs.loaded import LoadedModels
    from airflow_batch_inference.predictors.scored_rows import ScoredRows
    from airflow_batch_inference.records import ColumnSpec
    from airflow_batch_inference.sinks.base import Target
    from airflow_batch_inference.sources.batches import MiniBatch
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage
    from airflow_batch_inference.workflows.findings import Level

T = TypeVar("T")

TRIED_ROWS = 100
_FASTER, _SLOWER = 0.75, 1.5
"""How far the estimate reaches beyond what was measured: disks, networks and neighbours differ."""
_MORE_MEMORY = 1.3
"""What is read ahead, joined and published comes on top of what the timed mini-batches took."""
_SHOWN = 5


def preflight(
    make_request: Callable[[], ScoringRequest],
    *,
    dataset: object,
    storage: Storage,
    data_storage: Storage | None = None,
    resources: Resources | None = None,
    csv: CsvOptions | None = None,
    targets: Sequence[Target] = (),
) -> Preflight:
    """Try out a scoring job: load its model, check its dataset, score its first rows, and estimate what it will take.

    Parameters
    ----------
    make_request
        Returns the job; whatever of this package's errors it raises is a problem.
    dataset
        The job's: it is looked at also where there is no job.
    storage, data_storage, resources, targets
        As for :func:`~airflow_batch_inference.workflows.score.score_dataset`.
    csv
        What CSV files look like, where there is no job.

    Raises
    ------
    OSError
        Whatever the system or the network says: a preflight that could not be made finds nothing.
    """
    run = _Run(data_storage=data_storage or storage, resources=resources or Resources(), csv=csv or CsvOptions())
    started = time.monotonic()
    request = run.attempt(make_request)
    with lent({} if request is None else request.environment):
        models = None if request is None else run.attempt(lambda: request.models.load(storage, request.accelerate))
        loading_s = time.monotonic() - started
        if request is not None and models is not None:
            run.note("ok", f"{_model_line(request)}, loaded in {loading_s:.1f} s")
        opened = run.open(request, dataset)
        if request is None or models is None or opened is None:
            return run.result()
        run.check_place(normalize_uri(request.destination.root))
        with limited_blas():
            run.check_rows(request, opened, models, loading_s, targets)
    return run.result()


@dataclass(slots=True, kw_only=True)
class _Run:
    """One preflight: what was found so far."""

    data_storage: Storage
    resources: Resources
    csv: CsvOptions
    findings: list[Finding] = field(default_factory=list)
    plans: tuple[PartPlan, ...] | None = None
    crew: Crew = field(default_factory=Crew)
    rows_tried: int = 0
    rows_rejected: int = 0
    estimate: Estimate | None = None

    def note(self, level: Level, text: str) -> None:
        finding = Finding(level=level, text=" ".join(text.split()))
        if finding not in self.findings:
            self.findings.append(finding)

    def attempt(self, step: Callable[[], T]) -> T | None:
        """Do something; note a known error as a problem, and return None."""
        try:
            return step()
        except BatchInferenceError as error:
            self.note("problem", f"{type(error).__name__}: {error}")
            return None

    @property
    def has_problems(self) -> bool:
        return any(finding.level == "problem" for finding in self.findings)

    def result(self) -> Preflight:
        plans = self.plans
        return Preflight(
            findings=tuple(self.findings),
            rows=None if plans is None else sum(plan.rows for plan in plans),
            parts=None if plans is None else len(plans),
            workers=None if plans is None else self.crew.number,
            by=str(self.crew),
            rows_tried=self.rows_tried,
            rows_rejected=self.rows_rejected,
            estimate=self.estimate,
        )

    def open(self, request: ScoringRequest | None, dataset: object) -> Dataset | None:
        """Open the dataset, as the job would where there is one."""
        opened = self.attempt(
            lambda: (
                open_dataset(dataset, self.data_storage, reading=ReadOptions(csv=self.csv))
                if request is None
                else open_input(request, self.data_storage)
            )
        )
        if opened is not None:
            self.plans = plan_parts(opened.units)
            self.crew = choose_crew(request, len(self.plans), self.resources)
            rows = sum(plan.rows for plan in self.plans)
            level: Level = "ok" if rows or request is not None else "problem"
            columns = len(opened.schema.names)
            self.note(
                level,
                f"dataset {opened.name}: {opened.source.describe()}, {rows:,} rows, {columns} columns, {self._cut()}",
            )
        return opened

    def _cut(self) -> str:
        parts = len(self.plans or ())
        return f"{parts:,} part(s), {self.crew}"

    def check_place(self, root: str) -> None:
        """Say where an artifact store on a disk cannot be written to; others are found out by writing only."""
        if not root.startswith("file://"):
            return
        there = _nearest(root)
        if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
            self.note(
                "problem",
                f"Cannot write to {root}: give the worker the right to write to {there}, or set another artifact_root.",
            )

    def check_rows(
        self,
        request: ScoringRequest,
        opened: Dataset,
        models: LoadedModels,
        loading_s: float,
        targets: Sequence[Target],
    ) -> None:
        """Match the columns, ask the targets, score the first rows, and time some mini-batches."""
        for check in _column_checks(request, opened, models):
            self.attempt(check)
        if opened.schema.names and self.has_problems:
            return  # preparing would stop at the first of them
        started = time.monotonic()
        job = self._prepared(request, opened, models)
        if job is None or self.plans is None:
            return
        predictions = [f"{name} {job.base.field(name).type}" for name in job.labels]
        self.note("ok", f"predictions: {', '.join(predictions)}")
        for target in targets:
            self.attempt(lambda target=target: check_target(job, request, target))  # type: ignore[misc]  # bound early
        if not self.plans[0].rows:
            self.note("warning", f"{opened.name} has no rows: an empty prediction set would be committed.")
            return
        preparing_s = time.monotonic() - started
        self.attempt(lambda: self._try_rows(request, job, models))
        self.attempt(lambda: self._time(request, job, models, fixed_s=loading_s + preparing_s))

    def _prepared(self, request: ScoringRequest, opened: Dataset, models: LoadedModels) -> PreparedJob | None:
        """Prepare the job; where its first rows fail and none may, as one in which they may, to see how many do."""
        try:
            return prepare(request, opened, models)
        except (PredictionError, SignatureMismatchError) as error:
            self.note("problem", f"{type(error).__name__}: {error}")
            if request.policy.is_tolerant:
                return None
        except BatchInferenceError as error:
            self.note("problem", f"{type(error).__name__}: {error}")
            return None
        with contextlib.suppress(BatchInferenceError):
            tolerant = replace(request, policy=replace(request.policy, error_threshold=-1))
            return prepare(tolerant, open_input(tolerant, self.data_storage), models)
        return None

    def _try_rows(self, request: ScoringRequest, job: PreparedJob, models: LoadedModels) -> None:
        with contextlib.closing(self._batches(job)) as batches:
            batch = next(batches)
        sample = batch.slice(0, min(TRIED_ROWS, batch.table.num_rows))
        isolator = _isolator(request, job, models)
        scored = isolator.score(sample, 0)
        self.rows_tried, self.rows_rejected = sample.table.num_rows, len(scored.rejected)
        self._note_rejected(request, scored)
        if request.alignment_check_rows and scored.rows.table.num_rows:
            main = isolator.predictor.main  # a challenger may depend on whatever it likes
            own = scored.predicted[: len(main.outputs)]
            check_row_alignment(main, scored.rows, own, rows=request.alignment_check_rows, seed=0)

    def _note_rejected(self, request: ScoringRequest, scored: ScoredRows) -> None:
        tried, rejected, policy = self.rows_tried, self.rows_rejected, request.policy
        if not rejected:
            self.note("ok", f"the first {tried} rows can be scored")
            return
        total = sum(plan.rows for plan in self.plans or ())
        most = policy.most(total)
        limit = "any number" if most is None else f"{most:,}"
        is_too_many = most is not None and rejected > most
        level: Level = "problem" if is_too_many else "warning"
        expected = f"; at that rate {total * rejected // tried:,} of all {total:,}" if total > tried else ""
        self.note(level, f"{rejected} of the first {tried} rows would be rejected{expected}, where {limit} may be.")
        for row in () if policy.redact_columns else scored.rejected[:_SHOWN]:
            self.note(level, f"row rejected ({row.stage}): {row.error}")

    def _batches(self, job: PreparedJob) -> Generator[MiniBatch, None, None]:
        ranges = self.plans[0].ranges if self.plans else None
        return job.dataset.mini_batches(job.batch_rows, ranges=ranges)

    def _time(self, request: ScoringRequest, job: PreparedJob, models: LoadedModels, *, fixed_s: float) -> None:
        """Read, score and write some mini-batches of the first part, and estimate from them."""
        isolator = _isolator(request, job, models)
        profiler = Profiler(request.baseline.columns) if request.baseline else None
        watch = Watch()
        with private_folder() as folder, contextlib.closing(self._batches(job)) as batches:
            path = folder / "timed.parquet"
            with PartWriter(path, PART_FORMAT, job.schema, {}) as writer:
                while watch.goes_on and (batch := next(batches, None)) is not None:
                    scored = isolator.score(batch, 0)
                    table = _assembled(job, scored)
                    writer.write(_as_written(job, table, scored))
                    if profiler is not None:
                        profiler.add(table)
                    watch.lap(batch.table.num_rows)
            written = path.stat().st_size
        total = sum(plan.rows for plan in self.plans or ())
        low, high = watch.whole_s(total, self.crew.number)
        self.estimate = Estimate(
            timed_rows=watch.rows,
            timed_s=round(watch.seconds, 3),
            low_s=round(fixed_s + _FASTER * low, 3),
            high_s=round(_SLOWER * (fixed_s + high), 3),
            memory_bytes=round(_MORE_MEMORY * (self.crew.processes + 1) * watch.most_bytes),
            output_bytes=written * total // max(1, watch.rows) if request.options.keep else 0,
        )
        self._check_room(request, self.estimate)

    def _check_room(self, request: ScoringRequest, estimate: Estimate) -> None:
        """Say where the output does not fit on the disk, or the processes not into the memory."""
        root, output, memory = normalize_uri(request.destination.root), estimate.output_bytes, estimate.memory_bytes
        if root.startswith("file://"):
            there = _nearest(root)
            free = shutil.disk_usage(there).free
            if output > free:
                sizes = f"about {in_bytes(output)}, and {there} has {in_bytes(free)} left"
                self.note("problem", f"The output takes {sizes}. Make room, or set another artifact_root.")
        most = self.resources.max_memory
        if most is not None and memory > most:
            self.note(
                "warning", f"The job may take {in_bytes(memory)} of memory, where max_memory is {in_bytes(most)}."
            )


def _column_checks(request: ScoringRequest, opened: Dataset, models: LoadedModels) -> Iterator[Callable[[], object]]:
    """Yield all checks that need no row; each raises for itself."""
    options, record, names = request.options, request.record, opened.schema.names
    last = models.last.model
    for method in (*options.methods, *(("contributions",) if options.explain is not None else ())):
        yield lambda method=method: require_method(method, last.methods)  # type: ignore[misc]  # bound early
    yield lambda: require_threshold(last, options.decision_threshold)
    if not names:
        return
    kept = names
    with contextlib.suppress(BatchInferenceError):
        kept = kept_columns(names, options.drop_columns, opened.name)
    yield lambda: kept_columns(names, options.drop_columns, opened.name)
    yield lambda: require_new_names(
        options.label_columns or (), passed_columns(options.passthrough_columns, kept, opened)
    )
    tolerant = request.policy.is_tolerant
    inputs = kept if record.inputs is None else [spec.name for spec in record.inputs]
    words: dict[str, Any] = {}
    with contextlib.suppress(BatchInferenceError):
        words = dict(policies(options.on_mismatch, inputs, is_tolerant=tolerant))
    yield lambda: policies(options.on_mismatch, inputs, is_tolerant=tolerant)
    coerced = {name for name, word in words.items() if word in ("null", "quarantine")}
    for some, columns in _separately(record.inputs, kept):
        yield lambda some=some, columns=columns: match_columns(  # type: ignore[misc]  # bound early
            opened.select(columns),
            replace(record, inputs=some),
            models.first.model,
            tolerant=tolerant,
            coerced=coerced,
        )


def _separately(
    inputs: tuple[ColumnSpec, ...] | None, names: list[str]
) -> Iterator[tuple[tuple[ColumnSpec, ...] | None, list[str]]]:
    """Yield what is looked at together: all missing inputs beside all columns, and each other one with its own."""
    if inputs is None:
        yield None, names
        return
    as_known, there = known_names(names), set(names)
    if missing := tuple(spec for spec in inputs if as_known(spec.name) not in there):
        yield missing, names
    for spec in inputs:
        if (column := as_known(spec.name)) in there:
            yield (spec,), [column]


def _nearest(root: str) -> Path:
    """Return what lies on the way to a local folder, as far as there is anything."""
    place = Path(root.removeprefix("file://"))
    return next(each for each in (place, *place.parents) if each.exists())


def _isolator(request: ScoringRequest, job: PreparedJob, models: LoadedModels) -> Isolator:
    """Return what scores rows and sets bad ones aside, however many may be."""
    return Isolator(
        predictor=job.predictor(request, models),
        allowed=None,
        allow_nan=request.policy.allow_nan,
        is_secret=bool(request.policy.redact_columns),
    )


def _assembled(job: PreparedJob, scored: ScoredRows) -> Any:  # noqa: ANN401  # pyarrow has no annotations
    """Return the ordinary output of scored rows: passed-through columns, then predictions."""
    return assemble(_readable(job, scored), job.passthrough, scored.predicted, job.base)


def _as_written(job: PreparedJob, table: Any, scored: ScoredRows) -> Any:  # noqa: ANN401  # pyarrow has no annotations
    """Return it with the columns that are written."""
    if job.layout is None:
        return table
    return job.layout.table(table, job.layout.mark(_readable(job, scored).table, scored.predicted))


def _readable(job: PreparedJob, scored: ScoredRows) -> MiniBatch:
    rows = scored.rows
    return rows if job.validation is None else replace(rows, table=job.validation.readable(rows.table))


def _model_line(request: ScoringRequest) -> str:
    record = request.record
    golden = ", its golden set holds" if record.golden_uri is not None and request.models.first.model is None else ""
    size = in_bytes(record.size_bytes)
    return f"model {record.name}: {record.flavor} ({record.format}), sha256 {record.sha256[:12]}…, {size}{golden}"
