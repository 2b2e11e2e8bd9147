"""Native threads held in check: as many as there are cores, whatever the number of workers.

Invariants: threads and processes that score side by side share the cores, and what a library starts within them is
counted.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


_SHARED_BY: ContextVar[int] = ContextVar("_SHARED_BY", default=1)
"""How many threads of this process score side by side."""


def usable_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def native_threads() -> int:
    """Return how many threads a framework may use: what the process was given, else all usable cores; or its share."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    of_all = int(given) if given.isdigit() and int(given) > 0 else usable_cores()
    return max(1, of_all // _SHARED_BY.get())


@contextlib.contextmanager
def cores_shared_by(threads: int) -> Iterator[None]:
    """Give what is loaded and called within the block the share of one of so many threads that score side by side.

    It holds for this context: threads that are to know of it are run in a copy of it.
    """
    token = _SHARED_BY.set(threads)
    try:
        yield
    finally:
        _SHARED_BY.reset(token)


def worker_environment(workers: int) -> dict[str, str]:
    """Return the environment variables that give each of so many workers its share of the cores, and little memory.

    BLAS gets one thread everywhere: it would add up in another order with more, and change the last digits. The
    allocators (Arrow's and glibc's) keep what is freed for the next mini-batch, which has the same size: giving it
    back to the system and taking it again costs a logistic regression a quarter of its time.
    """
    share = str(max(1, usable_cores() // workers))
    names = ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS")
    blas = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    kept = str(64 << 20)
    memory = {
        "MIMALLOC_PURGE_DELAY": "1000",
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_MMAP_THRESHOLD_": kept,
        "MALLOC_TRIM_THRESHOLD_": kept,
    }
    return dict.fromkeys(names, share) | dict.fromkeys(blas, "1") | memory


@contextlib.contextmanager
def limited_blas() -> Iterator[None]:
    """Hold BLAS libraries that are loaded already to one thread, within the block."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no annotations

    with threadpool_limits(1, user_api="blas"):
        yield


@contextlib.contextmanager
def limited_openmp() -> Iterator[None]:
    """Hold OpenMP libraries that are loaded already to this thread's share, for what this very thread calls."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(native_threads(), user_api="openmp"):
        yield


@contextlib.contextmanager
def kept_filters() -> Iterator[None]:
    """Leave Python's filters of warnings as they were before the block, whatever threads within it did to them.

    Libraries set them for a while (scikit-learn at each call), and two threads that do so at once put back those of the
    other: what was an error for one of them would stay one for the rest of the process.
    """
    with warnings.catch_warnings():
        yield
