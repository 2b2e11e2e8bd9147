"""Native threads held in check: as many as there are cores, whatever the number of workers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from airflow_batch_inference.flavors.threads import usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator


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
