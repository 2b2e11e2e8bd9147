"""The job of a scoring script: plan, run the mini-batches that are missing, account for every file, commit.

Invariants: nothing is visible before the commit; a mini-batch that has succeeded is not run again, and one that has
failed is; every file is in exactly one mini-batch, or nothing is committed.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_batch_inference import __version__
from airflow_batch_inference.exceptions import (
    BatchInferenceError,
    ConfigurationError,
    TooManyFailedItemsError,
)
from airflow_batch_inference.jobs.leftovers import sweep_task
from airflow_batch_inference.jobs.resume import receipts_of
from airflow_batch_inference.ledger.commit import commit, committed
from airflow_batch_inference.ledger.retries import retrying
from airflow_batch_inference.records import MiniBatchReceipt, PredictionSetRecord, fingerprint
from airflow_batch_inference.scripts.assemble import assemble
from airflow_batch_inference.scripts.error_limits import Budget
from airflow_batch_inference.scripts.journal import Journal
from airflow_batch_inference.scripts.output_consistency import Agreement
from airflow_batch_inference.scripts.plan import MiniBatch, list_items, plan_mini_batches
from airflow_batch_inference.scripts.prediction_set import make_record
from airflow_batch_inference.scripts.processes.outcome import Outcome
from airflow_batch_inference.scripts.processes.worker import WorkerSetup
from airflow_batch_inference.scripts.processes.workload import ScriptWorkload, run_mini_batches
from airflow_batch_inference.storage.handover import require_serializable
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.uris import join_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_batch_inference.records import ColumnSpec, Part
    from airflow_batch_inference.scripts.plan import Item
    from airflow_batch_inference.scripts.request import ScriptRequest
    from airflow_batch_inference.scripts.source import Opened
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_PROTOCOL = 1


def run_script(
    request: ScriptRequest,
    *,
    storage: Storage,
    data_storage: Storage | None = None,
    stopped: Callable[[], bool] = lambda: False,
    fence: Callable[[], None] = lambda: None,
) -> tuple[str, PredictionSetRecord]:
    """Run a scoring script over files and commit the prediction set.

    Parameters
    ----------
    request
        What to run, on what, and where to.
    storage, data_storage
        Reach the artifact store, and the dataset (None: in the same way).
    stopped
        Asked several times a second and before the commit; True ends the job with nothing committed.
    fence
        Called right before the commit; raises where this try is no longer the live one.

    Returns
    -------
    tuple
        The commit's URI and its record. A job that was committed before is not run again.

    Raises
    ------
    EmptyDatasetError
        No file, and ``on_empty="fail"``.
    TooManyFailedItemsError
        More failed than may, or all; the message has the first failure and the URI of the record of all.
    ScriptError
        The script cannot be loaded, or its outputs contradict each other.
    DataError, ConfigurationError, WorkerError
        As their messages say; mini-batches that succeeded stay for the next try.
    InterruptedError
        ``stopped`` said so.
    """
    started = time.monotonic()

    def raise_if_stopped() -> None:
        if stopped():
            message = "The task was stopped before its prediction set was committed; nothing of it is visible."
            raise InterruptedError(message)

    data_storage = (data_storage or storage).keeping()
    folder = request.destination.folder
    storage.require_writable(folder)
    sweep_task(folder, storage)
    items = list_items(request.dataset, data_storage, recursive=request.recursive, on_empty=request.on_empty)
    settings = request.settings
    batches = plan_mini_batches(items, settings.mini_batch_size, most_bytes=settings.mini_batch_bytes)
    with private_folder() as scratch, request.scorer.opened(scratch) as opened:
        job = _Job(request, opened, items, batches, storage, data_storage)
        done = committed(folder, job.key, storage)
        if done is not None:
            log.info("This very job is committed already: %s", done[0])
            return done
        job.run(raise_if_stopped)
    raise_if_stopped()
    return _committed(job, time.monotonic() - started, fence)


@dataclass(slots=True)
class _Job:
    """A job, and what has become of its mini-batches so far."""

    request: ScriptRequest
    opened: Opened
    items: tuple[Item, ...]
    batches: tuple[MiniBatch, ...]
    storage: Storage
    data_storage: Storage
    work: dict[str, Any] = field(init=False)
    """All that determines what a mini-batch gives."""
    work_key: str = field(init=False)
    """The key of receipts and pieces: limits are not in it, so that a job with other ones resumes."""
    key: str = field(init=False)
    """The key of the commit: with other limits, the job might have failed."""
    journal: Journal = field(init=False)
    budget: Budget = field(init=False)
    agreement: Agreement = field(init=False)

    def __post_init__(self) -> None:
        settings = self.request.settings
        limits = [
            settings.error_threshold,
            settings.mini_batch_error_threshold,
            settings.allowed_failed_percent,
            settings.max_attempts,
            settings.mini_batch_timeout_s,
        ]
        self.work = _work(self.request, self.opened, self.items)
        self.work_key = fingerprint(self.work)
        self.key = fingerprint([self.work_key, limits])
        self.journal = Journal(len(self.batches))
        self.budget = Budget(settings, len(self.batches))
        self.agreement = Agreement(settings)

    @property
    def folder(self) -> str:
        """The task instance's."""
        return self.request.destination.folder

    def run(self, raise_if_stopped: Callable[[], None]) -> None:
        """Run what is missing; what has become of each mini-batch is stored before anything is raised."""
        receipts = receipts_of(MiniBatchReceipt, self.folder, self.work_key, self.work, self.storage)
        missing = [batch for batch in self.batches if batch.index not in receipts]
        settings = self.request.settings
        workers = min(settings.max_concurrency_per_instance, len(missing))
        log.info(
            "Plan: %s files in %d mini-batch(es) of at most %s, by %d worker process(es); %d are done already",
            *(f"{len(self.items):,}", len(self.batches), settings.mini_batch_limit, workers, len(receipts)),
        )
        try:
            for index, receipt in sorted(receipts.items()):
                self._note(Outcome(batch=self.batches[index], receipt=receipt), is_resumed=True)
            if missing:
                self._run(missing, raise_if_stopped)
            self._require(self.budget.without_success())
        except BatchInferenceError as error:
            if not self.journal.outcomes:
                raise
            message = f"{error} All mini-batches: {self.journal.store(self.folder, self.storage)}"
            raise type(error)(message) from error.__cause__

    def _run(self, missing: Sequence[MiniBatch], raise_if_stopped: Callable[[], None]) -> None:
        settings = self.request.settings
        workload = ScriptWorkload(
            setup=_setup(self),
            environment={} if self.opened.runner.place.origin else settings.environment_variables,
            model_folder=self.opened.model_folder,
            raise_if_stopped=raise_if_stopped,
            before_start=self.opened.require_unchanged,
        )
        # Closed here and now: the workers must not live on as long as an exception that is on its way.
        with contextlib.closing(run_mini_batches(workload, missing)) as outcomes:
            for outcome in outcomes:
                self._note(outcome)
                self._require(self.budget.exceeded(all_given_out=workload.all_given_out))

    def _note(self, outcome: Outcome, *, is_resumed: bool = False) -> None:
        self.journal.note(outcome, is_resumed=is_resumed)
        self.budget.note(outcome)
        self.agreement.note(outcome)

    def _require(self, problem: str | None) -> None:
        if problem is not None:
            message = f"{problem}. Nothing was committed.{self.journal.first_failure()}"
            raise TooManyFailedItemsError(message)

    def receipts(self) -> Iterator[MiniBatchReceipt]:
        """Yield the receipts of all mini-batches that gave something, in input order."""
        for batch in self.batches:
            receipt = self.journal.outcomes[batch.index].receipt
            if receipt is not None:
                yield receipt


def _work(request: ScriptRequest, opened: Opened, items: Sequence[Item]) -> dict[str, Any]:
    settings = request.settings
    return {
        "protocol": _PROTOCOL,
        "package": __version__,
        "scorer": opened.key,
        "files": {item.file.uri: [item.file.size_bytes, item.file.version] for item in items},
        "order": [item.file.uri for item in items],
        "mini_batch_size": settings.mini_batch_limit,
        "output": [settings.output_action, settings.output_file_name, settings.header, settings.label_columns],
        # A digest, as values may be secret; what is only logged is no part of the output.
        "environment": fingerprint([dict(settings.environment_variables), settings.program_arguments]),
        "name": request.name,
        "batch_id": request.destination.batch_id,
    }


def _setup(job: _Job) -> WorkerSetup:
    """Return what goes to the worker processes.

    Raises
    ------
    ConfigurationError
        A file system cannot.
    """
    settings = job.request.settings
    arguments = job.opened.model_folder.filled(settings.program_arguments)
    setup = WorkerSetup(
        runner=job.opened.runner,
        settings=replace(settings, program_arguments=arguments),
        work_key=job.work_key,
        folder=job.folder,
        attempt=job.request.destination.attempt,
        storage=job.storage.resolved(job.request.destination.root),
        data_storage=job.data_storage.resolved(*(item.file.uri for item in job.items)),
        code=job.opened.code,
    )
    try:
        require_serializable(setup)
    except Exception as error:
        message = (
            f"The file systems of this job cannot be handed to worker processes, which a script runs in ({error}). Use "
            "another artifact_root or dataset, or another connection."
        )
        raise ConfigurationError(message) from error
    return setup


def _committed(job: _Job, seconds: float, fence: Callable[[], None]) -> tuple[str, PredictionSetRecord]:
    """Assemble, reconcile, commit; what another writer of this job has committed counts instead."""
    settings, storage, destination = job.request.settings, job.storage, job.request.destination
    assembling = time.monotonic()
    parts: list[Part] = []
    columns: tuple[ColumnSpec, ...] = ()
    if settings.keeps_rows:
        names = job.agreement.columns or ()
        table, columns = retrying(
            "The output file",
            lambda: assemble(
                list(job.receipts()),
                names,
                settings=settings,
                folder=join_uri(job.folder, "data", job.key[:16]),
                attempt=destination.attempt,
                storage=storage,
            ),
        )
        parts.append(table)
    parts += [part for receipt in job.receipts() for part in receipt.written]
    spent = {"run": round(seconds, 3), "assemble": round(time.monotonic() - assembling, 3)}
    record = make_record(
        job.request,
        job.opened,
        job.items,
        [job.journal.outcomes[batch.index] for batch in job.batches],
        key=job.key,
        parts=tuple(parts),
        columns=columns,
        seconds=spent,
        mini_batches_uri=job.journal.store(job.folder, storage),
    )
    uri, kept = retrying("The commit", lambda: commit(job.folder, record, storage, fence))
    if settings.keeps_rows and parts[0] not in kept.parts:
        with contextlib.suppress(OSError):
            storage.remove(parts[0].uri)
    return uri, kept
