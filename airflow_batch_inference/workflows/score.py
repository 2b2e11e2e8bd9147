"""The scoring job: plan, score the parts that are missing, reconcile, commit.

Invariants: memory does not grow with the rows; what was scored before a crash is not scored again; and
every input row is in the output or among the rejects, exactly once, or nothing is committed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from airflow_batch_inference.checks.checks import added, describe, judged, require_passed
from airflow_batch_inference.drift.profile import merged
from airflow_batch_inference.engines.processes.pool import WorkerPool
from airflow_batch_inference.exceptions import (
    CheckFailedError,
    ConfigurationError,
    TooManyRejectedRowsError,
)
from airflow_batch_inference.jobs.acceleration import drop_suspects
from airflow_batch_inference.jobs.leftovers import sweep_job, sweep_task
from airflow_batch_inference.jobs.part import PartScorer
from airflow_batch_inference.jobs.plan import plan_parts
from airflow_batch_inference.jobs.prepare import open_input, prepare
from airflow_batch_inference.jobs.progress import Progress
from airflow_batch_inference.jobs.resume import finished_parts
from airflow_batch_inference.ledger.commit import commit, committed
from airflow_batch_inference.ledger.retries import retrying
from airflow_batch_inference.models.process import CALL_TIMEOUT_S
from airflow_batch_inference.models.trust import is_vouched
from airflow_batch_inference.predictors.input_contract import warn_of_nulls
from airflow_batch_inference.processes.threads import limited_blas, usable_cores
from airflow_batch_inference.records import (
    PredictionSetRecord,
    ProfileRecord,
)
from airflow_batch_inference.storage.handover import require_serializable
from airflow_batch_inference.workflows.prediction_set import make_record, with_models
from airflow_batch_inference.workflows.publication import check_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.jobs.prepare import PreparedJob
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.records import ChallengersRecord, CheckCount, CheckResult, Receipt
    from airflow_batch_inference.sinks.base import Target
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_WORKER_BYTES = 300 << 20
_MANY_PARTS = 8


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a scoring job may use; the output does not depend on it.

    Attributes
    ----------
    max_workers
        Most worker processes. None: one a core, from 8 parts on (some million rows, or 1 GiB): before that,
        starting them takes longer than it saves. With 1, or a single part, this process scores by itself.
    max_memory
        Bytes of memory for all workers together; None: no limit but theirs of some 300 MB each, for a small model.
    timeout_s
        After so many seconds without a sign of life a worker process is killed and its part tried again.
    isolate
        Score in worker processes even where one would do, so that a model that crashes takes no more with it.
    """

    max_workers: int | None = None
    max_memory: int | None = None
    timeout_s: float | None = None
    isolate: bool = False

    def workers(self, parts: int) -> int:
        """Return how many worker processes score so many parts; 0: this process does it by itself."""
        most = self.max_workers or (usable_cores() if parts >= _MANY_PARTS else 1)
        if self.max_memory is not None:
            most = min(most, max(1, self.max_memory // _WORKER_BYTES))
        number = max(1, min(most, parts))
        return number if number > 1 or self.isolate or self.timeout_s is not None else 0


def score_dataset(
    request: ScoringRequest,
    *,
    storage: Storage,
    data_storage: Storage | None = None,
    stopped: Callable[[], bool] = _never,
    resources: Resources | None = None,
    fence: Callable[[], None] = lambda: None,
    report: Callable[[ChallengersRecord, str], ChallengersRecord] = lambda record, folder: record,  # noqa: ARG005
    targets: Sequence[Target] = (),
) -> tuple[str, PredictionSetRecord]:
    """Score a dataset and commit the prediction set.

    Parameters
    ----------
    request
        What to score, with which model, and where to.
    storage, data_storage
        Reach the artifact store, and the dataset (None: in the same way).
    stopped
        Asked several times a second and before the commit; True ends the job with nothing committed.
    resources
        Processes and memory.
    fence
        Called right before the commit; raises where this try is no longer the live one.
    report
        Called with how challengers differ from the champion, and the task's folder, before that is stored; returns it
        with the report's URI.
    targets
        Where the prediction set will be published: checked before the first row, and not written to.

    Returns
    -------
    tuple
        The commit's URI and its record. A job that was committed before is not scored again.

    Raises
    ------
    EmptyDatasetError
        No row, and ``on_empty="fail"``.
    DataError, PredictionError, ConfigurationError, ArtifactConflictError
        As their messages say; nothing is committed. Parts that were finished stay for the next try.
    InterruptedError
        ``stopped`` said so.
    """
    folder = request.destination.folder
    started = time.monotonic()
    resources = resources or Resources()
    if request.environment:
        resources = replace(resources, isolate=True)
    raise_if_stopped = partial(_raise_if_stopped, stopped)
    storage.require_writable(folder)
    sweep_task(folder, storage)
    opened = open_input(request, replace(data_storage or storage, max_memory=resources.max_memory))
    plans = plan_parts(opened.units)
    with _engine(request, opened, plans, storage, resources, raise_if_stopped) as engine:
        job = engine.prepare()
        for target in targets:
            check_target(job, request, target)
        done = committed(folder, job.key, storage)
        if done is not None:
            log.info("This very job is committed already: %s", done[0])
            sweep_job(folder, job.key, storage)
            return done
        receipts = finished_parts(job, request, storage)
        progress = Progress(plans, receipts, workers=engine.number, started=started)
        _score_missing(engine, request, plans, receipts, progress)
        raise_if_stopped()
    wrong = drop_suspects(receipts, folder, storage)
    if wrong:  # the kernel for trees gave other bits somewhere
        slowly = replace(request, accelerate="off")
        with _engine(slowly, opened, plans, storage, resources, raise_if_stopped) as engine:
            engine.prepare()
            _score_missing(engine, request, plans, receipts, progress)
            raise_if_stopped()
    progress.finish()
    results = _judged(request, plans, receipts, storage)
    profile_uri = _put_profile(request, receipts.values(), storage)
    record = make_record(job, request, opened, plans, receipts, progress, profile_uri, results)
    record = with_models(record, request, receipts.values(), storage, report)
    record = replace(record, tree_kernel=record.tree_kernel | wrong)
    uri, kept = retrying("The commit", lambda: commit(folder, record, storage, fence))
    sweep_job(folder, job.key, storage)
    return uri, kept


def _raise_if_stopped(stopped: Callable[[], bool]) -> None:
    if stopped():
        message = "The task was stopped before its prediction set was committed; nothing of it is visible."
        raise InterruptedError(message)


@dataclass
class _InProcessEngine:
    """Scores in this process, one part after the other."""

    request: ScoringRequest
    opened: Dataset
    storage: Storage
    raise_if_stopped: Callable[[], None]
    number: int = 0

    def prepare(self) -> PreparedJob:
        self.models = self.request.models.load(self.storage, self.request.accelerate)
        self.job = prepare(self.request, self.opened, self.models)
        return self.job

    def run(self, plans: Sequence[PartPlan], allowed: Callable[[], int | None]) -> Iterator[Receipt]:
        scorer = PartScorer(
            job=self.job,
            request=self.request,
            models=self.models,
            storage=self.storage,
            raise_if_stopped=self.raise_if_stopped,
        )
        with limited_blas():
            for plan in plans:
                yield scorer.score(plan, allowed=allowed(), failing={})


@contextlib.contextmanager
def _engine(
    request: ScoringRequest,
    opened: Dataset,
    plans: Sequence[PartPlan],
    storage: Storage,
    resources: Resources,
    raise_if_stopped: Callable[[], None],
) -> Iterator[_InProcessEngine | WorkerPool]:
    limit_s = None if resources.timeout_s is not None else _default_limit(request)
    workers = resources.workers(len(plans)) or (0 if limit_s is None else 1)
    if request.environment and not request.models.is_serializable:
        message = (
            "environment_variables are set in worker processes, and the model cannot be handed to one. Leave them out, "
            "or give a model that has a file."
        )
        raise ConfigurationError(message)
    if workers and request.models.is_serializable:
        try:
            shared = _shared(request, opened, storage)
            require_serializable(shared)
        except Exception as error:  # a file system's own pickling may fail in any way
            if request.environment:
                message = (
                    "environment_variables are set in worker processes, and the job's file systems cannot be handed "
                    f"to one ({error}). Leave them out, or use another connection."
                )
                raise ConfigurationError(message) from error
            log.warning("Scoring in this process alone: its file systems cannot be handed to another (%s)", error)
        else:
            request.models.release()
            timeout_s = resources.timeout_s if limit_s is None else limit_s
            with WorkerPool(
                *shared,
                workers=workers,
                raise_if_stopped=raise_if_stopped,
                timeout_s=timeout_s,
                is_default=limit_s is not None,
            ) as pool:
                yield pool
            return
    yield _InProcessEngine(request, opened, storage, raise_if_stopped)


def _default_limit(request: ScoringRequest) -> float | None:
    """Return the limit of a mini-batch where a file that nobody vouches for may compute without end; else None."""
    are_vouched = all(is_vouched(source.record) for source in request.models.sources())
    return None if are_vouched else CALL_TIMEOUT_S


def _shared(request: ScoringRequest, opened: Dataset, storage: Storage) -> tuple[ScoringRequest, Dataset, Storage]:
    """Replace what finds file systems by the file systems themselves: other processes know no connections."""
    golden = [source.record.golden_uri for source in request.models.sources()]
    return (
        replace(request, models=request.models.for_transport()),
        opened.for_transport(),
        storage.resolved(request.destination.root, *filter(None, golden)),
    )


def _score_missing(
    engine: _InProcessEngine | WorkerPool,
    request: ScoringRequest,
    plans: Sequence[PartPlan],
    receipts: dict[int, Receipt],
    progress: Progress,
) -> None:
    """Score the parts that have no receipt, and add theirs."""
    missing = [plan for plan in plans if plan.index not in receipts]
    most = request.policy.most(sum(plan.rows for plan in plans))
    for receipt in engine.run(missing, lambda: _left(most, receipts.values())):
        receipts[receipt.index] = receipt
        _require_allowed(most, receipts.values())
        progress.report(receipt)


def _left(most: int | None, receipts: Iterable[Receipt]) -> int | None:
    """Return how many rows may still be rejected."""
    return None if most is None else max(0, most - sum(_unscored(receipt) for receipt in receipts))


def _unscored(receipt: Receipt) -> int:
    """Return how many rows could not be scored; those that a check sets aside have a limit of their own."""
    return receipt.rows_rejected - receipt.rows_set_aside


def _require_allowed(most: int | None, receipts: Iterable[Receipt]) -> None:
    rejected = [receipt for receipt in receipts if receipt.quarantine]
    count = sum(map(_unscored, rejected))
    if most is not None and count > most:
        shown = [f"{each.uri} row {each.row} ({each.stage}): {each.error}" for each in rejected[0].rejections[:3]]
        where = ", ".join(receipt.quarantine.uri for receipt in rejected[:3] if receipt.quarantine)
        message = (
            f"{count} rows were rejected, and {most} may be (error_threshold, max_rejected_fraction). Nothing was "
            f"committed. The rejects lie in {where}. First: {'; '.join(shown)}"
        )
        raise TooManyRejectedRowsError(message)


def _put_profile(request: ScoringRequest, receipts: Iterable[Receipt], storage: Storage) -> str | None:
    """Add up the parts' profiles and store the sum; None where the rows were not counted."""
    if request.baseline is None or request.record.baseline_uri is None:
        return None
    profile = merged(request.baseline.columns, [each.profile for each in receipts if each.profile is not None])
    warn_of_nulls(request.record.contract, profile)
    record = ProfileRecord(baseline_uri=request.record.baseline_uri, profile=profile)
    return retrying("The profile", lambda: storage.put_record(request.destination.folder, "profile", record))


def _judged(
    request: ScoringRequest, plans: Sequence[PartPlan], receipts: dict[int, Receipt], storage: Storage
) -> tuple[CheckResult, ...]:
    """Return what came of the checks over the whole input; it is stored before anything is raised.

    Raises
    ------
    CheckFailedError
        One holds for too many rows to commit them.
    """
    rows = sum(plan.rows for plan in plans)
    counts: tuple[CheckCount, ...] = ()
    for plan in plans:
        counts = added(counts, receipts[plan.index].checks)
    results = judged(request.options.checks, counts, rows)
    for result in results:
        if result.rows and not result.is_exceeded:
            log.info("%s", describe(result, rows))
    try:
        require_passed(results, rows)
    except CheckFailedError as error:
        data = json.dumps([asdict(result) for result in results], indent=1).encode()
        folder = request.destination.folder
        uri = retrying("The record of the checks", lambda: storage.put_content(folder, "checks", ".json", data))
        message = f"{error} All checks: {uri}"
        raise CheckFailedError(message, results=results, rows=rows, uri=uri) from None
    return results
