"""The parent of a scoring script's worker processes: who runs what, who takes too long, who has died.

Invariants: each mini-batch is tried ``max_attempts`` times in all, whatever ended an attempt; a call that takes too
long is killed with all that it has started; and no worker outlives the pool.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ScriptError, WorkerError
from airflow_batch_inference.processes.child import send, start_process
from airflow_batch_inference.processes.limited_child import ending
from airflow_batch_inference.processes.surroundings import is_remote
from airflow_batch_inference.scripts.failures import Failure
from airflow_batch_inference.scripts.model_folder import ModelFolder
from airflow_batch_inference.storage.temporary import HeldFolder

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Self

    from airflow_batch_inference.records import MiniBatchReceipt
    from airflow_batch_inference.scripts.plan import MiniBatch
    from airflow_batch_inference.scripts.worker import WorkerSetup

log = logging.getLogger(__name__)

_POLL_S = 0.2
_MOST_STARTING_DEATHS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a mini-batch, after its last attempt.

    Attributes
    ----------
    batch
        Its files.
    receipt
        What it gave; None where nothing.
    failures
        The attempts that failed, in order.
    is_failed
        Whether all did. With a receipt, the last one returned too few elements.
    """

    batch: MiniBatch
    receipt: MiniBatchReceipt | None
    failures: tuple[Failure, ...] = ()
    is_failed: bool = False

    @property
    def returned(self) -> int:
        """How many elements were returned, each one success."""
        return 0 if self.receipt is None else self.receipt.returned

    @property
    def errors(self) -> int:
        """How many of its files failed."""
        if not self.is_failed:
            return 0
        lost = self.failures[-1].lost
        return min(len(self.batch.items), max(0, len(self.batch.items) - self.returned) + lost)


@dataclass(slots=True, eq=False)
class _Worker:
    """One process: its pipe, its output folder, what it is doing, and since when."""

    process: subprocess.Popen[bytes]
    pipe: Any
    outputs: Path
    batch: MiniBatch | None = None
    running_since: float | None = None
    is_ready: bool = False
    has_timed_out: bool = False
    batch_since: float = 0.0
    layout: int = 0

    def kill(self) -> None:
        """End the process and all that it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()


@dataclass(slots=True, kw_only=True)
class ScriptPool:
    """A context manager: processes that run a scoring script.

    Attributes
    ----------
    setup
        What each of them needs; it must be picklable.
    workers
        How many there are at most.
    environment
        Variables that are set before the script is loaded.
    raise_if_stopped
        Called a few times a second; raises to stop.
    model_folder
        What the script is told of its model.
    before_start
        Called before each process is started; raises where the code has changed.
    """

    setup: WorkerSetup
    workers: int
    environment: Mapping[str, str]
    raise_if_stopped: Callable[[], None]
    model_folder: ModelFolder = field(default_factory=ModelFolder)
    before_start: Callable[[], None] = lambda: None
    _running: list[_Worker] = field(default_factory=list, init=False)
    _pending: deque[MiniBatch] = field(default_factory=deque, init=False)
    _failures: dict[int, list[Failure]] = field(default_factory=dict, init=False)
    _starting_deaths: int = field(default=0, init=False)
    _progressed: float = field(default=0.0, init=False)
    _scratch: HeldFolder | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self._scratch = HeldFolder()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._running:
            worker.kill()
        for worker in self._running:
            worker.process.wait()
            worker.pipe.close()
        self._running.clear()
        if self._scratch is not None:
            self._scratch.remove()

    @property
    def all_given_out(self) -> bool:
        """Whether every mini-batch has been given to a worker, and none waits for another attempt."""
        return not self._pending

    def run(self, batches: Sequence[MiniBatch]) -> Iterator[Outcome]:
        """Run mini-batches, the largest first so that all workers end together, and yield each one's outcome.

        Raises
        ------
        BatchInferenceError, OSError
            Whatever ended a worker for good: ``init()``, a changed file, the artifact store.
        WorkerError
            Workers die before they are ready, or nothing has ended for too long.
        """
        self._pending.extend(sorted(batches, key=lambda batch: -batch.size_bytes))
        left = len(batches)
        self._progressed = time.monotonic()
        for _ in range(min(self.workers, left)):
            self._start()
        while left:
            for worker, message in self._messages():
                outcome = self._took(worker, message)
                if outcome is not None:
                    left -= 1
                    self._progressed = time.monotonic()
                    yield outcome
        self._shut_down()

    def _start(self) -> None:
        self.before_start()
        outputs = Path(tempfile.mkdtemp(dir=None if self._scratch is None else self._scratch.path))
        environment = {**self.environment, **self.model_folder.variables, "AZUREML_BI_OUTPUT_PATH": str(outputs)}
        process, pipe = start_process(
            "airflow_batch_inference.scripts.worker",
            workers=self.workers,
            environment=environment,
            is_leader=True,
            reaches_stores=is_remote(self.setup.storage, self.setup.data_storage, *self.setup.runner.storages),
        )
        self._running.append(_Worker(process, pipe, outputs, layout=self.model_folder.at))
        send(pipe, (self.setup, str(outputs)))

    def _messages(self) -> Iterator[tuple[_Worker, tuple[Any, ...] | None]]:
        """Yield what workers say within a moment; None for one that has died."""
        self.raise_if_stopped()
        self._require_progress()
        connection.wait([worker.pipe for worker in self._running], timeout=self._patience())
        for worker in list(self._running):
            try:
                while worker in self._running and worker.pipe.poll():
                    yield worker, worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                yield worker, None
                continue
            # Processes that it has started may hold the pipe open after its death.
            if worker in self._running and worker.process.poll() is not None and not worker.pipe.poll():
                yield worker, None
        self._kill_late()

    def _patience(self) -> float:
        """Return how many seconds to wait for a message: not beyond the next deadline."""
        now = time.monotonic()
        deadlines = [
            worker.running_since + self.setup.settings.mini_batch_timeout_s - now
            for worker in self._running
            if worker.running_since is not None
        ]
        return max(0.0, min([_POLL_S, *deadlines]))

    def _took(self, worker: _Worker, message: tuple[Any, ...] | None) -> Outcome | None:
        """Take note of what a worker says, and return an outcome where its mini-batch has come to one."""
        if message is None:
            return self._replace(worker)
        kind, *values = message
        if kind == "error":
            raise values[0]
        if kind == "unready":
            self._start_otherwise(worker, values[0])
        elif kind == "running":
            worker.running_since = time.monotonic()
        elif kind == "ran":
            worker.running_since = None
        elif kind == "ready":
            worker.is_ready, self._starting_deaths = True, 0
            self._give(worker)
        else:
            return self._finish(worker, kind, values)
        return None

    def _finish(self, worker: _Worker, kind: str, values: list[Any]) -> Outcome | None:
        batch = worker.batch
        if batch is None:
            return None
        worker.batch = worker.running_since = None
        if kind == "failed" and self._turns_for(worker, values[0]):
            self._pending.appendleft(batch)
            self._restart(worker)
            return None
        if kind == "done":
            self.model_folder.settle()
            outcome: Outcome | None = Outcome(
                batch=batch, receipt=values[0], failures=tuple(self._failures.pop(batch.index, ()))
            )
        else:
            outcome = self._failed(batch, values[0], values[1])
        self._give(worker)
        return outcome

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
            self._wake()
            return None
        return Outcome(batch=batch, receipt=receipt, failures=tuple(self._failures.pop(batch.index)), is_failed=True)

    def _wake(self) -> None:
        """Give what waits to a worker that has nothing to do."""
        for worker in self._running:
            if worker.is_ready and worker.batch is None and self._pending:
                self._give(worker)

    def _give(self, worker: _Worker) -> None:
        if worker.batch is not None or worker.has_timed_out or not self._pending:
            return
        batch = worker.batch = self._pending.popleft()
        worker.batch_since = time.monotonic()
        attempt = len(self._failures.get(batch.index, ())) + 1
        is_last = attempt >= self.setup.settings.max_attempts
        send(worker.pipe, ("mini-batch", batch, attempt, is_last))

    def _start_otherwise(self, worker: _Worker, error: BaseException) -> None:
        """Start a process anew with the model in the other folder, where that may be why ``init()`` failed."""
        is_behind = worker.layout != self.model_folder.at
        if not is_behind and not (isinstance(error, ScriptError) and self.model_folder.turn(str(error))):
            if not isinstance(error, ScriptError):
                raise error
            text = self.model_folder.explained(str(error))
            raise error if text == str(error) else type(error)(text) from error.__cause__
        if not is_behind:
            log.info(
                "init() failed, and is tried once more with AZUREML_MODEL_DIR=%s: %s",
                *(self.model_folder.choices[self.model_folder.at], str(error).partition("\n")[0]),
            )
        self._restart(worker)

    def _turns_for(self, worker: _Worker, failure: Failure) -> bool:
        """Say whether a mini-batch is to be given out anew, as the model was looked for in the other folder."""
        if worker.layout != self.model_folder.at:
            return True
        return failure.kind == "exception" and self.model_folder.turn_for_run(failure.error)

    def _restart(self, worker: _Worker) -> None:
        """Put a fresh process in the place of one that did nothing wrong."""
        worker.kill()
        worker.process.wait()
        worker.pipe.close()
        self._running.remove(worker)
        shutil.rmtree(worker.outputs, ignore_errors=True)
        self._start()

    def _shut_down(self) -> None:
        """Let each process clean up, for as long as one ``run()`` may take."""
        deadline = time.monotonic() + self.setup.settings.mini_batch_timeout_s
        waiting = {worker.pipe: worker for worker in self._running if worker.is_ready}
        for pipe in waiting:
            send(pipe, ("shutdown",))
        while waiting and time.monotonic() < deadline:
            self.raise_if_stopped()
            for pipe in connection.wait(list(waiting), timeout=_POLL_S):
                try:
                    _, problem = pipe.recv()  # type: ignore[union-attr, call-arg]  # a Connection
                except (EOFError, ConnectionResetError):
                    problem = "its process ended in it"
                if problem is not None:
                    log.warning("shutdown() of the script failed, which changes nothing: %s", problem)
                del waiting[pipe]
        if waiting:
            log.warning("shutdown() of the script took longer than a run() may, and was ended")

    def _kill_late(self) -> None:
        limit = self.setup.settings.mini_batch_timeout_s
        now = time.monotonic()
        for worker in self._running:
            is_late = worker.running_since is not None and now - worker.running_since >= limit
            if is_late and not worker.pipe.poll():
                worker.has_timed_out = True
                worker.kill()

    def _replace(self, worker: _Worker) -> Outcome | None:
        """Put a fresh process in the place of one that has died, where there is work for it."""
        worker.kill()
        how = ending(worker.process.wait())
        worker.pipe.close()
        self._running.remove(worker)
        shutil.rmtree(worker.outputs, ignore_errors=True)
        if not worker.is_ready:
            self._note_starting_death(how)
        outcome = None if worker.batch is None else self._failed(worker.batch, self._death(worker, how))
        if self._pending and len(self._running) < self.workers:
            self._start()
        return outcome

    def _death(self, worker: _Worker, how: str) -> Failure:
        seconds = round(time.monotonic() - worker.batch_since, 3)
        if worker.has_timed_out:
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

    def _require_progress(self) -> None:
        limit = self.setup.settings.progress_timeout_s
        if limit is not None and time.monotonic() - self._progressed > limit:
            busy = [worker.batch.describe() for worker in self._running if worker.batch is not None] or ["init()"]
            message = f"No mini-batch has ended for {limit:g} s (progress_timeout_s). Being run: {', '.join(busy)}."
            raise WorkerError(message)
