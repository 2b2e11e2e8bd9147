"""Calls that must come back in time: each runs in a thread, which is left behind where it does not."""

from __future__ import annotations

import math
import queue
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
MOST_LEFT_BEHIND = 8


def seconds(name: str, value: object) -> float:
    """Return a number of seconds.

    Raises
    ------
    ConfigurationError
        It is none over 0.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        message = f"{name} is {value!r}; it must be a number of seconds over 0."
        raise ConfigurationError(message)
    return float(value)


class WorkThread:
    """A thread that runs one call after the other, and ends with the process."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="batch-inference", daemon=True)
        self._thread.start()

    def run(self, call: Callable[[], Any]) -> Future[Any]:
        """Begin a call."""
        future: Future[Any] = Future()
        self._tasks.put((call, future))
        return future

    def end(self) -> None:
        """End it, once its call is over."""
        self._tasks.put(None)

    def is_alive(self) -> bool:
        """Say whether its call is still running."""
        return self._thread.is_alive()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            call, future = task
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001  # told to whoever waits for it
                future.set_exception(error)
            del task, call, future  # an idle thread holds no rows


class InTime:
    """Runs single calls, each within its time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left_behind: list[WorkThread] = []

    def run(self, call: Callable[[], T], timeout_s: float) -> T:
        """Return what a call returns.

        Raises
        ------
        TimeoutError
            It has not come back in time, or too many before it never have.
        """
        with self._lock:
            self._left_behind = [thread for thread in self._left_behind if thread.is_alive()]
            if len(self._left_behind) >= MOST_LEFT_BEHIND:
                message = f"{MOST_LEFT_BEHIND} calls of the model have not come back in time, and no more are begun."
                raise TimeoutError(message)
        thread = WorkThread()
        future = thread.run(call)
        thread.end()
        wait([future], timeout=timeout_s)
        if not future.done():
            with self._lock:
                self._left_behind.append(thread)
            message = (
                f"The data were not scored within {timeout_s:g} s. Raise timeout, or give fewer rows; the call itself "
                "cannot be stopped in Python, and goes on in its thread."
            )
            raise TimeoutError(message)
        found: T = future.result()
        return found
