"""Worker processes, and the parent that watches them: what they score, where they died, when they hang.

Invariants: no worker outlives the parent; a death is taken for a row's fault only where the same rows
killed twice; and the number of replacements is limited.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.engines.base import EngineCapabilities
from airflow_batch_inference.engines.processes.queue import PartQueue
from airflow_batch_inference.exceptions import PredictionError, WorkerError
from airflow_batch_inference.jobs.encoding import Decoder, Encoder, Handover
from airflow_batch_inference.processes.child import send, start_process
from airflow_batch_inference.processes.limited_child import ending
from airflow_batch_inference.processes.surroundings import is_remote

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from airflow_batch_inference.engines.base import Engine, Limits
    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.jobs.prepare import PreparedJob
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.jobs.spec import JobSpec
    from airflow_batch_inference.records import Receipt
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_POLL_S = 0.2
_MOST_DEATHS = 64
_MOST_DEATHS_WITHOUT_ROWS = 3
_MOST_DEATHS_OF_A_CHALLENGER = 3

Rows = tuple[int, int]


@dataclass(slots=True, eq=False)
class _Worker:
    """One process: its pipe, what it is doing, and since when."""

    process: subprocess.Popen[bytes]
    pipe: Any
    plan: PartPlan | None = None
    rows: Rows | None = None
    heard: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    is_preparing: bool = False
    """Whether it tries the model on the first rows."""
    reason: str | None = None
    """Why the parent killed it."""
    challenger: str = ""
    """The one that is at work; empty: none is."""

    def how_it_ended(self) -> str:
        """Return how the process ended, in a word or two."""
        return self.reason or ending(self.process.wait())


@dataclass(slots=True)
class _Troubles:
    """In which parts and rows workers have died."""

    total: int = 0
    without_rows: dict[int, int] = field(default_factory=dict)
    suspects: dict[int, list[Rows]] = field(default_factory=dict)
    failing: dict[int, dict[Rows, str]] = field(default_factory=dict)

    def note(self, index: int, rows: Rows | None, how: str) -> None:
        """Remember a death; rows that were suspected before, or lie in rows that fail, count as failing.

        Raises
        ------
        WorkerError
            There were too many.
        """
        self.total += 1
        known = self.failing.setdefault(index, {})
        if rows is None:
            self.without_rows[index] = self.without_rows.get(index, 0) + 1
        elif rows in self.suspects.get(index, ()) or any(a <= rows[0] and rows[1] <= b for a, b in known):
            known[rows] = how
        else:
            self.suspects.setdefault(index, []).append(rows)
        if self.total > _MOST_DEATHS or self.without_rows.get(index, 0) >= _MOST_DEATHS_WITHOUT_ROWS:
            message = (
                f"Worker processes died {self.total} time(s), the last one by {how} in part {index}. If it was "
                "SIGKILL, memory may have run out: lower max_workers or max_memory."
            )
            raise WorkerError(message)


@dataclass(frozen=True, slots=True)
class _PoolEngine:
    """The workers of a pool that is open; see :class:`~airflow_batch_inference.engines.base.Engine`."""

    pool: WorkerPool
    spec: JobSpec

    @property
    def capabilities(self) -> EngineCapabilities:
        return EngineCapabilities(isolates_crashes=True, has_time_limit=True, is_elsewhere=False)

    def run(self, _: str, indices: Sequence[int], limits: Limits) -> Iterator[Receipt]:
        return self.pool.run([self.spec.plans[index] for index in indices], limits.allowed)

    def stop(self) -> None:
        """Do nothing: the pool's block ends its workers."""


class WorkerPool:
    """A context manager: processes that score parts.

    Parameters
    ----------
    request, opened, storage
        What to score, the opened dataset, and what reaches the artifact store, with their file systems in place.
    workers
        How many processes.
    raise_if_stopped
        Called a few times a second; raises to stop.
    timeout_s
        After so many seconds without a sign of life in a part, a worker is killed; None: never.
    is_default
        Whether nobody has asked for that limit: then what oversteps it twice ends the job, and says what to do.
    """

    def __init__(
        self,
        request: ScoringRequest,
        opened: Dataset,
        storage: Storage,
        *,
        workers: int,
        raise_if_stopped: Callable[[], None],
        timeout_s: float | None = None,
        is_default: bool = False,
    ) -> None:
        self._request = request
        self._opened = opened
        self._storage = storage
        self.number = workers
        self._raise_if_stopped = raise_if_stopped
        self._timeout_s = timeout_s
        self._is_default = is_default
        self._hung: set[tuple[int, Rows | None]] = set()
        self._workers: list[_Worker] = []
        self._job: PreparedJob | None = None
        self._told = ""
        self._troubles = _Troubles()
        self._starting_deaths = 0
        self._excluded: dict[int, dict[str, str]] = {}
        self.handover = Handover()
        self._encoder = Encoder(self.handover)
        self._dataset = self._encoder.encode(opened)
        self._started_with()  # what cannot be sent is noticed before anything is started

    def _started_with(self) -> str:
        """Return what every worker is started with."""
        request = replace(self._request, environment={})
        return self._encoder.encode((request, self._storage, self._opened.source.storage))

    def __enter__(self) -> Self:
        try:
            for _ in range(self.number):
                self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()
            worker.pipe.close()
        self._workers.clear()

    def prepare(self) -> PreparedJob:
        """Let the first worker prepare the job, and tell the others.

        Raises
        ------
        BatchInferenceError, OSError
            Whatever it raised.
        """
        first = self._workers[0]
        first.is_preparing = True
        send(first.pipe, ("prepare", self._dataset, self.handover.objects))
        while self._job is None:
            for worker, message in self._messages():
                if message is None:
                    if worker.reason and self._is_default and not worker.challenger:
                        raise self._endless("the first rows")
                    if not self._blame_challenger(worker):
                        self._note_starting_death(worker)
                    fresh = self._restart(worker)
                    if worker is first:
                        first = fresh
                        first.is_preparing = True
                        send(first.pipe, ("prepare", self._dataset, self.handover.objects))
                elif message[0] == "prepared":
                    self._told = message[1]
                    self._job = Decoder(self.handover.objects).decode(message[1], where="a worker's answer")
        first.is_preparing = False
        for other in self._workers:
            if other is not first:
                send(other.pipe, ("job", self._told, self.handover.objects))
        return self._job

    def adopt(self, job: PreparedJob) -> None:
        """Tell all workers a job that was prepared before."""
        self._job, self._told = job, self._encoder.encode(job)
        for worker in self._workers:
            send(worker.pipe, ("job", self._told, self.handover.objects))

    def engine(self, spec: JobSpec) -> Engine:
        """Return the workers as an engine for the job that was prepared."""
        return _PoolEngine(self, spec)

    def run(self, plans: Sequence[PartPlan], allowed: Callable[[], int | None]) -> Iterator[Receipt]:
        """Score parts, and yield their receipts as they come.

        Parameters
        ----------
        plans
            The parts.
        allowed
            Asked for each part: how many of its rows may still be rejected.

        Raises
        ------
        BatchInferenceError, OSError
            Whatever a worker raised; the others are killed when the block ends.
        WorkerError
            Workers died again and again.
        """
        queue = PartQueue(plans)
        left = len(plans)
        for worker in self._workers:
            self._give(worker, queue, allowed)
        while left:
            for worker, message in self._messages():
                if message is None:
                    self._replace(worker, queue, allowed)
                elif message[0] == "rows":
                    worker.rows = (message[1], message[2])
                elif message[0] == "done":
                    left -= 1
                    worker.plan = worker.rows = None
                    self._give(worker, queue, allowed)
                    yield message[1]

    def _start(self) -> _Worker:
        process, pipe = start_process(
            "airflow_batch_inference.engines.processes.worker",
            workers=self.number,
            environment=self._request.environment,
            reaches_stores=is_remote(self._storage, self._opened.source.storage, *self._request.models.storages()),
        )
        worker = _Worker(process, pipe)
        self._workers.append(worker)
        send(worker.pipe, (self._started_with(), self.handover.objects, self._request.environment))
        return worker

    def _restart(self, worker: _Worker) -> _Worker:
        """Start a new worker in the place of one that died."""
        worker.process.wait()
        worker.pipe.close()
        self._workers.remove(worker)
        return self._start()

    def _give(self, worker: _Worker, queue: PartQueue, allowed: Callable[[], int | None]) -> None:
        worker.plan = queue.take(worker)
        worker.heard = time.monotonic()
        if worker.plan is not None:
            failing = self._troubles.failing.get(worker.plan.index, {})
            send(worker.pipe, ("part", worker.plan, allowed(), failing, self._excluded.get(worker.plan.index, {})))

    def _messages(self) -> Iterator[tuple[_Worker, tuple[Any, ...] | None]]:
        """Yield what workers say within a moment; None for one that has died. Errors are raised."""
        self._raise_if_stopped()
        self._kill_hanging()
        by_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in connection.wait(list(by_pipe), timeout=_POLL_S):
            worker = by_pipe[pipe]
            worker.heard = time.monotonic()
            try:
                message = worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                message = None
            if message is not None and message[0] == "error":
                raise message[1]
            if message is not None and message[0] == "ready":
                worker.is_ready = True
            if message is not None and message[0] == "challenger":
                worker.challenger = message[1]
            yield worker, message

    def _kill_hanging(self) -> None:
        for worker in self._workers:
            silent = time.monotonic() - worker.heard
            is_busy = worker.is_ready and (worker.is_preparing or worker.plan is not None)
            if self._timeout_s is not None and is_busy and silent > self._timeout_s:
                worker.reason = f"no sign of life for {self._timeout_s:g} s"
                worker.process.kill()

    def _replace(self, worker: _Worker, queue: PartQueue, allowed: Callable[[], int | None]) -> None:
        """Put a new worker in the place of one that died, and its part back."""
        how = worker.how_it_ended()
        if not self._blame_challenger(worker):
            if not worker.is_ready:
                self._note_starting_death(worker)
            if worker.plan is not None:
                self._note_hanging(worker, worker.plan.index)
                log.warning("A worker process ended (%s) in part %d, rows %s", how, worker.plan.index, worker.rows)
                self._troubles.note(worker.plan.index, worker.rows, how)
        queue.put_back(worker, worker.plan)
        fresh = self._restart(worker)
        send(fresh.pipe, ("job", self._told, self.handover.objects))
        self._give(fresh, queue, allowed)

    def _note_hanging(self, worker: _Worker, index: int) -> None:
        """Remember rows that overstepped a limit that nobody has asked for.

        Raises
        ------
        PredictionError
            They did so before.
        """
        if worker.reason is None or not self._is_default:
            return
        if (index, worker.rows) in self._hung:
            where = f"rows {worker.rows[0]} to {worker.rows[1]}" if worker.rows else "rows"
            raise self._endless(f"{where} of part {index}")
        self._hung.add((index, worker.rows))

    def _endless(self, what: str) -> PredictionError:
        message = (
            f"The model {self._request.record.name} did not predict {what} within {self._timeout_s:g} s, perhaps it "
            "never would: a file whose digest nobody has pinned has that limit for a mini-batch. If it is only slow, "
            "give mini_batch_timeout_s or a lower rows_per_batch, or pin the file with LoadModelOperator(sha256=…); to "
            "set such rows aside, give mini_batch_timeout_s and error_threshold."
        )
        return PredictionError(message)

    def _blame_challenger(self, worker: _Worker) -> bool:
        """Leave out a challenger that has ended a process: in that part, or after some of them in whatever comes."""
        name = worker.challenger
        if not name:
            return False
        how = worker.how_it_ended()
        log.warning("The challenger %s ended a worker process (%s); its columns are null from here", name, how)
        if worker.plan is not None and worker.is_ready:
            self._excluded.setdefault(worker.plan.index, {})[name] = how
        parts = sum(name in excluded for excluded in self._excluded.values())
        if worker.plan is None or not worker.is_ready or parts >= _MOST_DEATHS_OF_A_CHALLENGER:
            error = f"It ended worker processes: {how}"
            self._request = replace(self._request, models=self._request.models.exclude(name, error))
        return True

    def _note_starting_death(self, worker: _Worker) -> None:
        self._starting_deaths += 1
        if self._starting_deaths <= 2 * self.number:
            return
        how = ending(worker.process.wait())
        message = f"A worker process ended ({how}) while it loaded or first tried the model, before it scored a row."
        raise WorkerError(message)
