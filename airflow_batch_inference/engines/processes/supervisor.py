"""The parent of worker processes: it starts them, listens to them, hands out work, ends and replaces them.

Invariants: no worker outlives the block, and none keeps the parent from going on, whatever it does; a worker has one
unit of work at a time; a process that has ended is told to the workload once, and by nobody but the workload is it
decided what that means; nothing here knows what a unit is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from multiprocessing import connection
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic

from airflow_batch_inference.engines.processes.workload import Result, State, Unit, Worker
from airflow_batch_inference.processes.child import start_process
from airflow_batch_inference.processes.limited_child import ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

    from airflow_batch_inference.engines.processes.workload import Message, Workload
    from airflow_batch_inference.storage.handover import Pipe

_POLL_S = 0.2
_GRACE_S = 5.0


@dataclass(slots=True, eq=False, kw_only=True)
class _Process(Worker[Unit, State]):
    """A worker with its process and the pipe to it."""

    process: subprocess.Popen[bytes]
    pipe: Pipe
    is_leader: bool
    clean_up: Callable[[], None]
    _outbox: SimpleQueue[bytes | None] = field(default_factory=SimpleQueue, init=False)
    _sender: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._sender.start()

    def tell(self, message: Message) -> None:
        """Send a message without waiting for the worker, which may be busy, or hang: a pipe holds some 64 KiB."""
        for piece in self.pipe.pieces(message):
            self._outbox.put(piece)

    def _send(self) -> None:
        while (piece := self._outbox.get()) is not None:
            try:
                self.pipe.send_piece(piece)
            except (OSError, TypeError):  # it has died, which is noticed when messages are read; or the pipe was closed
                return

    def kill(self) -> None:
        """End the process; of a leader, all that it has started as well."""
        if self.is_leader:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()

    def bury(self) -> str:
        """Wait for the end of a process that was killed, or died, and return how it ended."""
        how = ending(self.process.wait())
        self._outbox.put(None)
        self._sender.join(_GRACE_S)  # its last message breaks off with the pipe
        self.pipe.close()
        self.clean_up()
        return how


@dataclass(slots=True)
class Supervisor(Generic[Unit, State, Result]):
    """A context manager: worker processes, until the block ends.

    Attributes
    ----------
    workload
        What they do.
    number
        How many of them share the cores.
    """

    workload: Workload[Unit, State, Result]
    number: int
    _workers: list[_Process[Unit, State]] = field(default_factory=list, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for worker in self._workers:
            worker.bury()
        self._workers.clear()

    def kill(self) -> None:
        """End all processes at once, without waiting for their ends; may be called by another thread."""
        for worker in list(self._workers):
            worker.kill()

    def start(self, number: int) -> None:
        """Start so many more processes."""
        for _ in range(number):
            start = self.workload.start()
            process, pipe = start_process(
                start.module,
                workers=self.number,
                environment=start.environment,
                is_leader=start.is_leader,
                reaches_stores=start.reaches_stores,
            )
            worker: _Process[Unit, State] = _Process(
                start.state, process=process, pipe=pipe, is_leader=start.is_leader, clean_up=start.clean_up
            )
            self._workers.append(worker)
            worker.tell(start.first)

    def run(self) -> Iterator[Result]:
        """Hand out work until the workload is done, and yield its results as they come.

        Raises
        ------
        Exception
            Whatever the workload raises; the processes end with the block.
        """
        self._hand_out()
        while not self.workload.is_done:
            for worker, message in self._messages():
                result = self._died(worker) if message is None else self._received(worker, message)
                # Before the job looks at the result: the worker need not wait for it.
                self._hand_out()
                if result is not None:
                    yield result

    def dismiss(self, message: Message, *, within_s: float) -> tuple[list[Message | None], int]:
        """Send a last message to all that are ready, and wait for their answers.

        Returns
        -------
        tuple
            The answers, None for each worker that ended without one; and how many have said nothing within so many
            seconds.
        """
        deadline = time.monotonic() + within_s
        waiting = [worker for worker in self._workers if worker.is_ready]
        answers: list[Message | None] = []
        for worker in waiting:
            worker.tell(message)
        while waiting and time.monotonic() < deadline:
            self.workload.check(self._workers)
            speaking = _speaking(waiting, _POLL_S)
            answers += [_heard(worker) for worker in speaking]
            waiting = [worker for worker in waiting if worker not in speaking]
        return answers, len(waiting)

    def _messages(self) -> Iterator[tuple[_Process[Unit, State], Message | None]]:
        """Yield what workers say within a moment, each one message; None for one that has died."""
        self.workload.check(self._workers)
        speaking = _speaking(self._workers, self._patience())
        for worker in list(self._workers):
            if worker in speaking:
                yield worker, _heard(worker)
            # Processes that it has started may hold the pipe open after its death.
            elif worker.process.poll() is not None and not worker.pipe.poll():
                yield worker, None
        self._kill_late()

    def _patience(self) -> float:
        """Return how many seconds to wait for a message: not beyond the next deadline."""
        due = [self.workload.due(worker) for worker in self._workers if not worker.is_late]
        now = time.monotonic()
        return max(0.0, min([_POLL_S, *(moment - now for moment in due if moment is not None)]))

    def _kill_late(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            due = None if worker.is_late else self.workload.due(worker)
            # What it has said before its time was over still counts.
            if due is not None and now >= due and not worker.pipe.poll():
                worker.is_late = True
                worker.kill()

    def _received(self, worker: _Process[Unit, State], message: Message) -> Result | None:
        worker.heard = time.monotonic()
        step = self.workload.received(worker, message)
        worker.is_ready |= step.is_ready
        if step.is_over:
            worker.unit = None
        if step.restart:
            self._remove(worker)
            self.start(1)
        return step.result

    def _died(self, worker: _Process[Unit, State]) -> Result | None:
        # It has closed its pipe, and may still be ending by itself: how it does is what the user is told.
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.process.wait(_GRACE_S)
        result = self.workload.died(worker, self._remove(worker))
        self._hand_out()  # what comes back may go to one that is idle
        if self.workload.needs_worker:
            self.start(1)
        return result

    def _remove(self, worker: _Process[Unit, State]) -> str:
        """End a worker, and return how it ended."""
        worker.kill()
        self._workers.remove(worker)
        return worker.bury()

    def _hand_out(self) -> None:
        """Give work to each worker that has none, as far as there is any."""
        for worker in self._workers:
            if worker.unit is not None or worker.is_late:
                continue
            unit = self.workload.take(worker)
            if unit is not None:
                worker.unit = unit
                worker.unit_since = worker.heard = time.monotonic()
                for message in self.workload.messages(worker, unit):
                    worker.tell(message)


def _speaking(workers: Sequence[_Process[Unit, State]], timeout_s: float) -> list[_Process[Unit, State]]:
    """Wait until workers have something to say, or have closed their pipes, and return them."""
    ready = connection.wait([worker.pipe.fileno() for worker in workers], timeout_s)
    return [worker for worker in workers if worker.pipe.fileno() in ready]


def _heard(worker: _Process[Unit, State]) -> Message | None:
    """Return what a worker has said; None where it has closed its pipe, be it within a message."""
    try:
        return worker.pipe.recv()  # type: ignore[no-any-return]
    except (EOFError, ConnectionResetError):
        return None
    except OSError as error:
        if error.errno is not None:
            raise
        return None  # "got end of file during message", which has no number
