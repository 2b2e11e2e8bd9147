"""The job of a scoring script: plan, run the mini-batches that are missing, account for every file, commit.

What must not be relaxed: nothing is visible before the commit; a mini-batch that has succeeded is not run again, and
one that has failed is; every file is in exactly one mini-batch, or nothing is committed.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_batch_inference import __version__
from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    BatchInferenceError,
    ConfigurationError,
    TooManyFailedItemsError,
)
from airflow_batch_inference.jobs.leftovers import sweep_task
from airflow_batch_inference.jobs.resume import receipts_of
from airflow_batch_inference.ledger.accounting import as_text
from airflow_batch_inference.ledger.commit import commit, committed
from airflow_batch_inference.ledger.retries import retrying
from airflow_batch_inference.records import ItemAccount, MiniBatchReceipt, PredictionSetRecord, fingerprint
from airflow_batch_inference.scripts.assemble import assemble
from airflow_batch_inference.scripts.error_limits import Budget
from airflow_batch_inference.scripts.journal import Journal
from airflow_batch_inference.scripts.output_consistency import Agreement
from airflow_batch_inference.scripts.plan import MiniBatch, file_hash, list_items, plan_mini_batches
from airflow_batch_inference.scripts.processes.outcome import Outcome
from airflow_batch_inference.scripts.processes.worker import WorkerSetup
from airflow_batch_inference.scripts.processes.workload import ScriptWorkload, run_mini_batches
from airflow_batch_inference.scripts.settings import ScriptSettings
from airflow_batch_inference.storage.handover import require_serializable
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.uris import join_uri, plain_uris

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from airflow_batch_inference.jobs.request import Destination
    from airflow_batch_inference.records import ColumnSpec, Part
    from airflow_batch_inference.scripts.plan import Item
    from airflow_batch_inference.scripts.source import Opened
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_PROTOCOL = 1
_FILES = "files"


class Scorer(Protocol):
    """What mini-batches of files are scored with: a user's script, or a model by itself."""

    def opened(self, scratch: Path) -> AbstractContextManager[Opened]:
        """Make it ready to go to worker processes, for as long as the block lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRequest:
    """A job as it is asked for.

    Attributes
    ----------
    scorer
        The script, or the model.
    dataset
        A file, folder or glob, or a list of them.
    destination
        Where the prediction set goes.
    settings
        How the script is run.
    name
        The prediction set's.
    recursive
        Whether the files of sub-folders belong to a folder.
    on_empty
        What no file at all means: ``"succeed"`` commits an empty prediction set.
    """

    scorer: Scorer
    dataset: object
    destination: Destination
    settings: ScriptSettings = field(default_factory=ScriptSettings)
    name: str = "prediction"
    recursive: bool = False
    on_empty: str = "fail"


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
    record = _record(job, tuple(parts), columns, spent)
    uri, kept = retrying("The commit", lambda: commit(job.folder, record, storage, fence))
    if settings.keeps_rows and parts[0] not in kept.parts:
        with contextlib.suppress(OSError):
            storage.remove(parts[0].uri)
    return uri, kept


def _record(
    job: _Job, parts: tuple[Part, ...], columns: tuple[ColumnSpec, ...], seconds: dict[str, float]
) -> PredictionSetRecord:
    request, opened = job.request, job.opened
    items = _account(job)
    dataset = plain_uris(request.dataset)
    return PredictionSetRecord(
        name=request.name,
        batch_id=request.destination.batch_id,
        job_key=job.key,
        task=request.destination.task,
        model_uri=opened.model_uri,
        model_sha256=opened.model_sha256,
        model_flavor=opened.model_flavor,
        model_record_uri=opened.model_record_uri,
        baseline_uri=None,
        profile_uri=None,
        dataset=tuple(item.file for item in job.items),
        dataset_uris=(dataset,) if isinstance(dataset, str) else tuple(dataset),  # type: ignore[arg-type]  # a list
        dataset_rows=(),
        output_format=request.settings.table_format if request.settings.keeps_rows else _FILES,
        columns=columns,
        feature_columns=(),
        label_columns=tuple(column.name for column in columns),
        rows_in=items.returned,
        rows_out=items.returned,
        rows_rejected=0,
        kept=True,
        parts=parts,
        quarantine=(),
        certificate=None,
        try_id=request.destination.try_id,
        seconds=seconds,
        versions={"airflow-batch-inference": __version__, **opened.versions},
        items=items,
        script=opened.script,
        mini_batches_uri=job.journal.store(job.folder, job.storage),
    )


def _account(job: _Job) -> ItemAccount:
    """Prove that every file was in exactly one mini-batch.

    Raises
    ------
    ArtifactIntegrityError
        It was not.
    """
    outcomes = [job.journal.outcomes[batch.index] for batch in job.batches]
    failed = sum(outcome.errors for outcome in outcomes)
    done = sum(
        file_hash(each.batch.items) if each.receipt is None else int(each.receipt.file_hash, 16) for each in outcomes
    )
    settings = job.request.settings
    try:
        return ItemAccount(
            output_action="append_row" if settings.keeps_rows else "summary_only",
            has_header=settings.has_header,
            files_in=len(job.items),
            files_succeeded=sum(len(outcome.batch.items) for outcome in outcomes) - failed,
            files_failed=failed,
            mini_batches=len(job.batches),
            mini_batches_failed=sum(outcome.is_failed for outcome in outcomes),
            returned=sum(outcome.returned for outcome in outcomes),
            file_hash_in=as_text(file_hash(job.items)),
            file_hash_done=as_text(done),
        )
    except ValueError as error:
        message = f"The files of this job do not reconcile: {error}. Nothing was committed."
        raise ArtifactIntegrityError(message) from error
