"""Rows as a workload of worker processes: what they score, where they died, when they hang.

Invariants: one worker prepares the job, and the others are told of it before their first part; what ends a process
twice is set aside or ends the job, and a challenger that does is left out; all messages to and from a worker
(:mod:`~airflow_batch_inference.engines.processes.worker`) stand here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, Union

from airflow_batch_inference.engines.processes.deaths import SAMPLES, Deaths
from airflow_batch_inference.engines.processes.queue import PartQueue
from airflow_batch_inference.engines.processes.workload import Start, Step, Worker
from airflow_batch_inference.exceptions import PredictionError, WorkerError
from airflow_batch_inference.jobs.encoding import Decoder, Encoder, Handover
from airflow_batch_inference.processes.surroundings import is_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_batch_inference.engines.processes.deaths import Rows
    from airflow_batch_inference.engines.processes.workload import Message
    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.jobs.prepare import PreparedJob
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.records import Receipt
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_MOST_DEATHS_OF_A_CHALLENGER = 3
_PREPARE: Final = "prepare"
"""The first unit of work: to try the model on the first rows, and say what the job is."""


@dataclass(slots=True)
class RowsState:
    """What is known of a worker.

    Attributes
    ----------
    rows
        Those that it scores, and while it prepares the job the sample that it tries; None: it has begun none.
    challenger
        The one that is at work; empty: none is.
    has_job
        Whether it knows the job.
    """

    rows: Rows | None = None
    challenger: str = ""
    has_job: bool = False


RowsUnit: TypeAlias = Union["PartPlan", Literal["prepare"]]
RowsWorker: TypeAlias = Worker[RowsUnit, RowsState]


@dataclass(slots=True, kw_only=True)
class RowsWorkload:
    """Prepares a job, then scores its parts; see :class:`~airflow_batch_inference.engines.processes.workload.Workload`.

    Attributes
    ----------
    request, opened, storage
        What to score, the opened dataset, and what reaches the artifact store, with their file systems in place.
    workers
        How many processes there are.
    raise_if_stopped
        Called a few times a second; raises to stop.
    timeout_s
        After so many seconds without a sign of life in a part, a worker is killed; None: never.
    is_default
        Whether nobody has asked for that limit: then what oversteps it twice ends the job, and says what to do.
    """

    request: ScoringRequest
    opened: Dataset
    storage: Storage
    workers: int
    raise_if_stopped: Callable[[], None]
    timeout_s: float | None = None
    is_default: bool = False
    handover: Handover = field(default_factory=Handover, init=False)
    """What goes to the workers beside texts, in memory only."""
    _encoder: Encoder = field(init=False)
    _dataset: str = field(init=False)
    _told: str = field(default="", init=False)
    """The job, as a worker has described it."""
    _job: PreparedJob | None = field(default=None, init=False)
    _preparer: RowsWorker | None = field(default=None, init=False)
    _queue: PartQueue = field(default_factory=lambda: PartQueue(()), init=False)
    _left: int = field(default=0, init=False)
    _allowed: Callable[[], int | None] = field(default=lambda: None, init=False)
    _deaths: Deaths = field(init=False)
    _excluded: dict[int, dict[str, str]] = field(default_factory=dict, init=False)
    """By part: the challengers that are left out, and why."""

    def __post_init__(self) -> None:
        self._deaths = Deaths(self.workers)
        self._encoder = Encoder(self.handover, hands_over="all")
        self._dataset = self._encoder.encode(self.opened)
        self._first()  # what cannot be sent is noticed before any process is started

    def _first(self) -> Message:
        """Return what a worker is told first: what it loads the models of."""
        request = replace(self.request, environment={})  # their values go beside the text
        text = self._encoder.encode((request, self.storage, self.opened.source.storage))
        return (text, self.handover.objects, self.request.environment)

    def adopt(self, job: PreparedJob) -> None:
        """Take a job that was prepared before."""
        self._job, self._told = job, self._encoder.encode(job)

    def plan(self, plans: Sequence[PartPlan], allowed: Callable[[], int | None]) -> None:
        """Take the parts that are to be scored; ``allowed`` is asked for each how many rows may still be rejected."""
        self._queue, self._left, self._allowed = PartQueue(plans), len(plans), allowed

    @property
    def job(self) -> PreparedJob:
        """What a worker has prepared.

        Raises
        ------
        WorkerError
            None has yet.
        """
        if self._job is None:
            message = "The job is not prepared: let the supervisor run first."
            raise WorkerError(message)
        return self._job

    @property
    def is_done(self) -> bool:
        """Whether the job is prepared, and every part that was planned is scored."""
        return self._job is not None and not self._left

    @property
    def needs_worker(self) -> bool:
        """Whether a new worker takes the place of one that died: always."""
        return True

    def check(self, workers: Sequence[RowsWorker]) -> None:  # noqa: ARG002  # the port's
        """Raise where the job is to stop."""
        self.raise_if_stopped()

    def start(self) -> Start[RowsState]:
        """Let the next process load the models, without challengers that have ended too many."""
        return Start(
            module="airflow_batch_inference.engines.processes.worker",
            first=self._first(),
            state=RowsState(),
            environment=self.request.environment,
            reaches_stores=is_remote(self.storage, self.opened.source.storage, *self.request.models.storages()),
        )

    def take(self, worker: RowsWorker) -> RowsUnit | None:
        """Let one worker prepare the job; then hand out parts, also to those that still load the model."""
        if self._job is not None:
            return self._queue.take(worker)
        if self._preparer is not None:
            return None
        self._preparer = worker
        return _PREPARE

    def messages(self, worker: RowsWorker, unit: RowsUnit) -> Sequence[Message]:
        """Return the part, and before a worker's first one the job."""
        if unit == _PREPARE:
            passed_over = {start for start, _ in self._deaths.failing(SAMPLES)}
            return [(_PREPARE, self._dataset, self.handover.objects, passed_over)]
        excluded = self._excluded.get(unit.index, {})
        part = ("part", unit, self._allowed(), self._deaths.failing(unit.index), excluded)
        if worker.state.has_job:
            return [part]
        worker.state.has_job = True
        return [("job", self._told, self.handover.objects), part]

    def received(self, worker: RowsWorker, message: Message) -> Step[Receipt]:
        """Say what a message means.

        Raises
        ------
        BatchInferenceError, OSError
            Whatever the worker raised.
        """
        kind, *values = message
        if kind == "error":
            raise values[0]
        if kind == "ready":
            return Step(is_ready=True)
        if kind == "prepared":
            self._told = values[0]
            self.handover.take(values[1])
            self._job = Decoder(self.handover.objects).decode(self._told, where="a worker's answer")
            worker.state.has_job, worker.state.rows = True, None
            return Step(is_over=True)
        if kind == "done":
            self._left -= 1
            worker.state.rows = None
            return Step(is_over=True, result=values[0])
        if kind == "rows":
            worker.state.rows = (values[0], values[1])
        elif kind == "challenger":
            worker.state.challenger = values[0]
        return Step()

    def died(self, worker: RowsWorker, how: str) -> None:
        """Find out whose fault a death was, and put the part back.

        Raises
        ------
        PredictionError
            The model computes without end.
        WorkerError
            Workers died again and again.
        """
        plan = None if worker.unit == _PREPARE else worker.unit
        told = f"no sign of life for {self.timeout_s:g} s" if worker.is_late else how
        if self._job is None and worker.is_late and self.is_default and not worker.state.challenger:
            raise self._endless("the first rows")
        if not self._blame_challenger(worker, plan, told):
            if worker.unit == _PREPARE and worker.state.rows:
                log.warning("A worker process ended (%s) while it tried the model on some of the first rows", told)
                self._deaths.note_sample(worker.state.rows, told)
            elif self._job is None or not worker.is_ready:
                self._deaths.note_starting(how)
            if plan is not None:
                self._note_hanging(worker, plan.index)
                log.warning("A worker process ended (%s) in part %d, rows %s", told, plan.index, worker.state.rows)
                self._deaths.note(plan.index, worker.state.rows, told)
        if worker is self._preparer:
            self._preparer = None
        self._queue.put_back(worker, plan)

    def due(self, worker: RowsWorker) -> float | None:
        """Limit the time without a sign of life, in a part or while the job is prepared."""
        if self.timeout_s is None or not worker.is_ready or worker.unit is None:
            return None
        return worker.heard + self.timeout_s

    def _note_hanging(self, worker: RowsWorker, index: int) -> None:
        """Remember rows that overstepped a limit that nobody has asked for.

        Raises
        ------
        PredictionError
            They did so before.
        """
        rows = worker.state.rows
        if worker.is_late and self.is_default and self._deaths.hung_before(index, rows):
            where = f"rows {rows[0]} to {rows[1]}" if rows else "rows"
            raise self._endless(f"{where} of part {index}")

    def _endless(self, what: str) -> PredictionError:
        message = (
            f"The model {self.request.record.name} did not predict {what} within {self.timeout_s:g} s, perhaps it "
            "never would: a file whose digest nobody has pinned has that limit for a mini-batch. If it is only slow, "
            "give mini_batch_timeout_s or a lower rows_per_batch, or pin the file with LoadModelOperator(sha256=…); to "
            "set such rows aside, give mini_batch_timeout_s and error_threshold."
        )
        return PredictionError(message)

    def _blame_challenger(self, worker: RowsWorker, plan: PartPlan | None, how: str) -> bool:
        """Leave out a challenger that has ended a process: in that part, or after some of them in whatever comes."""
        name = worker.state.challenger
        if not name:
            return False
        log.warning("The challenger %s ended a worker process (%s); its columns are null from here", name, how)
        if plan is not None and worker.is_ready:
            self._excluded.setdefault(plan.index, {})[name] = how
        parts = sum(name in excluded for excluded in self._excluded.values())
        if plan is None or not worker.is_ready or parts >= _MOST_DEATHS_OF_A_CHALLENGER:
            error = f"It ended worker processes: {how}"
            self.request = replace(self.request, models=self.request.models.exclude(name, error))
        return True
