"""Watches the interpreter's lock of another process from outside, without asking for it: the watched is not disturbed.

CPython keeps in its runtime whether the lock is held. Which word that is differs among versions, so it is found: it is
zero whenever the process waits for a message and not zero whenever it counts. Linux, and a process of our own.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

SPIN_S = 0.3
SAMPLE_S = 0.001
_MOST_BYTES = 1 << 20
_TURNS = 6


def runtime_address() -> int:
    """Return where this process's interpreter keeps its state."""
    return ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))


def spin() -> None:
    """Hold the lock for a while: nothing else in this process wants it."""
    deadline = time.monotonic() + SPIN_S
    while time.monotonic() < deadline:
        pass


class LockWatch:
    """The lock of a process.

    Parameters
    ----------
    process
        Its number.
    address
        Its :func:`runtime_address`.
    spin
        Starts :func:`spin` there, and returns when it has begun.
    wait
        Returns when that has ended and the process waits for a message.

    Raises
    ------
    SystemExit
        No word says whether the lock is held.
    """

    def __init__(self, process: int, address: int, spin: Callable[[], object], wait: Callable[[], object]) -> None:
        self._memory = os.open(f"/proc/{process}/mem", os.O_RDONLY)
        is_lock: np.ndarray | None = None
        turns = 0
        while turns < _TURNS:
            started = time.monotonic()
            spin()
            time.sleep(SPIN_S / 10)
            held = self._words(address) != 0
            in_time = time.monotonic() - started < SPIN_S * 0.9
            wait()
            time.sleep(SPIN_S / 10)
            if in_time:  # it may have had no core
                turns += 1
                found = held & (self._words(address) == 0)
                is_lock = found if is_lock is None else is_lock & found
        places = np.flatnonzero(is_lock)
        if len(places) == 0:
            raise SystemExit("No word of the interpreter's state says whether its lock is held.")
        self._place = address + 4 * int(places[0])

    def _words(self, address: int) -> np.ndarray:
        data = os.pread(self._memory, _MOST_BYTES, address)  # fewer, where the mapping ends
        return np.frombuffer(data[: len(data) // 4 * 4], np.uint32)

    def share(self, until: Callable[[], Any]) -> tuple[float, Any]:
        """Return the share of the time that the lock is held until a call returns, and what that returned."""
        counts, done = [0, 0], threading.Event()

        def look() -> None:
            while not done.wait(SAMPLE_S):
                counts[os.pread(self._memory, 4, self._place) != b"\0\0\0\0"] += 1

        looking = threading.Thread(target=look)
        looking.start()
        try:
            returned = until()
        finally:
            done.set()
            looking.join()
        return counts[1] / max(1, sum(counts)), returned

    def close(self) -> None:
        """Close the file."""
        os.close(self._memory)
