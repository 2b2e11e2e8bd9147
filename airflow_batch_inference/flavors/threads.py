"""How many threads a framework may use: never more than the cores, whatever the number of workers."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def native_threads() -> int:
    """Return how many threads a framework may use: what the worker was given, else all usable cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else usable_cores()
