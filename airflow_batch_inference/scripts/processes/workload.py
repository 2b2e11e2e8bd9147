"""Mini-batches of files as a workload of worker processes: who runs what, who takes too long, who has died.

Invariants: each mini-batch is tried ``max_attempts`` times in all, whatever ended an attempt; a call that takes too
long is killed with all that it has started; no worker outlives the job; all messages to and from a worker
(:mod:`~airflow_batch_inference.scripts.processes.worker`) stand here.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_batch_inference.engines.processes.supervisor import Supervisor
from airflow_batch_inference.engines.processes.workload import Start, Step, Worker
from airflow_batch_inference.exceptions import ScriptError, WorkerError
from airflow_batch_inference.jobs.encoding import Encoder, Handover
from airflow_batch_inference.processes.surroundings import is_remote
from airflow_batch_inference.scripts.contracts import model_variables, output_variables, told
from airflow_batch_inference.scripts.failures import Failure
from airflow_batch_inference.scripts.model_folder import ModelFolder
from airflow_batch_inference.scripts.plan import MiniBatch
from airflow_batch_inference.scripts.processes.outcome import Outcome
from airflow_batch_inference.storage.temporary import HeldFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from airflow_batch_inference.engines.processes.workload import Message
    from airflow_batch_inference.records import MiniBatchReceipt
    from airflow_batch_inference.scripts.processes.worker import WorkerSetup

log = logging.getLogger(__name__)

_MOST_STARTING_DEATHS = 3


@dataclass(slots=True)
class ScriptState:
    """What is known of a worker.

    Attributes
    ----------
    layout
        Which of the folders that may hold the model it looks into.
    running_since
        When its ``run()`` began, by the monotonic clock; None: it is in none.
    """

    layout: int
    running_since: float | None = None


ScriptWorker: TypeAlias = Worker[MiniBatch, ScriptState]


@dataclass(slots=True, kw_only=True)
class ScriptWorkload:
    """Runs a script's mini-batches; see :class:`~airflow_batch_inference.engines.processes.workload.Workload`.

    Attributes
    ----------
    setup
        What each worker needs; it must be picklable.
    environment
        Variables that are set before the script is loaded.
    raise_if_stopped
        Called a few times a second; raises to stop.
    model_folder
        What the script is told of its model.
    before_start
        Called before each process is started; raises where the code has changed.
    scratch
        Holds the workers' output folders.
    """

    setup: WorkerSetup
    environment: Mapping[str, str]
    raise_if_stopped: Callable[[], None]
    model_folder: ModelFolder = field(default_factory=ModelFolder)
    before_start: Callable[[], None] = lambda: None
    scratch: HeldFolder = field(default_factory=HeldFolder)
    _pending: deque[MiniBatch] = field(default_factory=deque, init=False)
    _left: int = field(default=0, init=False)
    _failures: dict[int, list[Failure]] = field(default_factory=dict, init=False)
    _starting_deaths: int = field(default=0, init=False)
    _progressed: float = field(default=0.0, init=False)

    def plan(self, batches: Sequence[MiniBatch]) -> None:
        """Take the mini-batches that are to be run, the largest first so that all workers end together."""
        self._pending.extend(sorted(batches, key=lambda batch: -batch.size_bytes))
        self._left = len(batches)
        self._progressed = time.monotonic()

    @property
    def all_given_out(self) -> bool:
        """Whether every mini-batch has been given to a worker, and none waits for another attempt."""
        return not self._pending

    @property
    def is_done(self) -> bool:
        """Whether each mini-batch has come to an outcome."""
        return not self._left

    @property
    def needs_worker(self) -> bool:
        """Whether a mini-batch waits that no worker has taken."""
        return bool(self._pending)

    def check(self, workers: Sequence[ScriptWorker]) -> None:
        """Raise where the job is to stop, or where nothing has ended for too long."""
        self.raise_if_stopped()
        limit = self.setup.settings.progress_timeout_s
        if self._left and limit is not None and time.monotonic() - self._progressed > limit:
            busy = [worker.unit.describe() for worker in workers if worker.unit is not None] or ["init()"]
            message = f"No mini-batch has ended for {limit:g} s (progress_timeout_s). Being run: {', '.join(busy)}."
            raise WorkerError(message)

    def start(self) -> Start[ScriptState]:
        """Let the next process load the script and call its ``init()``, with an output folder of its own."""
        self.before_start()
        outputs, handover = Path(tempfile.mkdtemp(dir=self.scratch.path)), Handover()
        return Start(
            module="airflow_batch_inference.scripts.processes.worker",
            first=(Encoder(handover, hands_over="all").encode(self.setup), handover.objects, str(outputs)),
            state=ScriptState(self.model_folder.at),
            environment={
                **self.environment,
                **self.model_folder.variables,
                **dict.fromkeys(output_variables(), str(outputs)),
            },
            is_leader=True,
            reaches_stores=is_remote(self.setup.storage, self.setup.data_storage, *self.setup.runner.storages),
            clean_up=partial(shutil.rmtree, outputs, ignore_errors=True),
        )

    def take(self, worker: ScriptWorker) -> MiniBatch | None:
        """Return the next mini-batch for a worker whose ``init()`` is over."""
        return self._pending.popleft() if worker.is_ready and self._pending else None

    def messages(self, worker: ScriptWorker, unit: MiniBatch) -> Sequence[Message]:  # noqa: ARG002  # the port's
        """Return the mini-batch, which attempt at it this is, and whether it is the last one."""
        attempt = len(self._failures.get(unit.index, ())) + 1
        return [("mini-batch", unit, attempt, attempt >= self.setup.settings.max_attempts)]

    def received(self, worker: ScriptWorker, message: Message) -> Step[Outcome]:
        """Say what a message means.

        Raises
        ------
        BatchInferenceError, OSError
            Whatever ended a worker for good: ``init()``, a changed file, the artifact store.
        """
        kind, *values = message
        if kind == "error":
            raise values[0]
        if kind == "unready":
            self._turn_after_init(worker, values[0])
            return Step(restart=True)
        if kind == "ready":
            self._starting_deaths = 0
            return Step(is_ready=True)
        if kind in ("running", "ran"):
            worker.state.running_since = time.monotonic() if kind == "running" else None
            return Step()
        return self._finish(worker, kind, values)

    def died(self, worker: ScriptWorker, how: str) -> Outcome | None:
        """Count the death as an attempt at the worker's mini-batch, or as one in ``init()``.

        Raises
        ------
        WorkerError
            Workers die before they are ready.
        """
        if not worker.is_ready:
            self._note_starting_death(how)
        return None if worker.unit is None else self._failed(worker.unit, self._death(worker, how))

    def due(self, worker: ScriptWorker) -> float | None:
        """Limit the time of a ``run()``."""
        since = worker.state.running_since
        return None if since is None else since + self.setup.settings.mini_batch_timeout_s

    def _finish(self, worker: ScriptWorker, kind: str, values: list[Any]) -> Step[Outcome]:
        batch = worker.unit
        if batch is None:
            return Step()
        worker.state.running_since = None
        if kind == "failed" and self._turns_for(worker, values[0]):
            self._pending.appendleft(batch)
            return Step(restart=True)
        if kind == "done":
            self.model_folder.settle()
            failures = tuple(self._failures.pop(batch.index, ()))
            return Step(is_over=True, result=self._came_to(Outcome(batch=batch, receipt=values[0], failures=failures)))
        return Step(is_over=True, result=self._failed(batch, values[0], values[1]))

    def _failed(self, batch: MiniBatch, failure: Failure, receipt: MiniBatchReceipt | None = None) -> Outcome | None:
        """Note a failed attempt; the mini-batch waits for another one at the end, or has failed."""
        known = self._failures.setdefault(batch.index, [])
        known.append(failure)
        if len(known) < self.setup.settings.max_attempts and not failure.lost:
            log.warning(
                "Attempt %d of %d of mini-batch %d failed: %s",
                *(len(known), self.setup.settings.max_attempts, batch.index, failure),
            )
            self._pending.append(batch)
            return None
        failures = tuple(self._failures.pop(batch.index))
        return self._came_to(Outcome(batch=batch, receipt=receipt, failures=failures, is_failed=True))

    def _came_to(self, outcome: Outcome) -> Outcome:
        self._left -= 1
        self._progressed = time.monotonic()
        return outcome

    def _turn_after_init(self, worker: ScriptWorker, error: BaseException) -> None:
        """Take the other folder of the model, where this one may be why ``init()`` failed; else raise."""
        if worker.state.layout != self.model_folder.at:
            return
        if not (isinstance(error, ScriptError) and self.model_folder.turn(str(error))):
            if not isinstance(error, ScriptError):
                raise error
            text = self.model_folder.explained(str(error))
            raise error if text == str(error) else type(error)(text) from error.__cause__
        log.info(
            "init() failed, and is tried once more with %s=%s: %s",
            *(told(model_variables()), self.model_folder.choices[self.model_folder.at], str(error).partition("\n")[0]),
        )

    def _turns_for(self, worker: ScriptWorker, failure: Failure) -> bool:
        """Say whether a mini-batch is to be given out anew, as the model was looked for in the other folder."""
        if worker.state.layout != self.model_folder.at:
            return True
        return failure.kind == "exception" and self.model_folder.turn_for_run(failure.error)

    def _death(self, worker: ScriptWorker, how: str) -> Failure:
        seconds = round(time.monotonic() - worker.unit_since, 3)
        if worker.is_late:
            limit = self.setup.settings.mini_batch_timeout_s
            error = f"run() took longer than {limit:g} s (mini_batch_timeout_s), and its process was killed"
            return Failure(kind="timeout", error=error, seconds=seconds)
        memory = ". Memory may have run out: lower max_concurrency_per_instance" if how == "SIGKILL" else ""
        return Failure(kind="death", error=f"the worker process ended ({how}){memory}", seconds=seconds)

    def _note_starting_death(self, how: str) -> None:
        self._starting_deaths += 1
        if self._starting_deaths >= _MOST_STARTING_DEATHS:
            message = (
                f"{self._starting_deaths} worker processes in a row ended ({how}) while the script was loaded or in "
                "its init(), before any run(). If it was SIGKILL, memory may have run out: lower "
                "max_concurrency_per_instance."
            )
            raise WorkerError(message)


def run_mini_batches(workload: ScriptWorkload, batches: Sequence[MiniBatch]) -> Generator[Outcome]:
    """Run mini-batches in worker processes, and yield each one's outcome; whoever stops early closes the generator.

    Raises
    ------
    BatchInferenceError, OSError
        Whatever ended a worker for good.
    WorkerError
        Workers die before they are ready, or nothing has ended for too long.
    """
    settings = workload.setup.settings
    workers = settings.max_concurrency_per_instance
    try:
        with Supervisor(workload, workers) as supervisor:
            workload.plan(batches)
            supervisor.start(min(workers, len(batches)))
            yield from supervisor.run()
            answers, silent = supervisor.dismiss(("shutdown",), within_s=settings.mini_batch_timeout_s)
            for answer in answers:
                problem = "its process ended in it" if answer is None else answer[1]
                if problem is not None:
                    log.warning("shutdown() of the script failed, which changes nothing: %s", problem)
            if silent:
                log.warning("shutdown() of the script took longer than a run() may, and was ended")
    finally:
        workload.scratch.remove()
