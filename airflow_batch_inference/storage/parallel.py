"""The same small piece of work for many files: as many at a time as a store answers, in the order that was given.

Invariants: results come in the order of the items; of several items that fail, the error is the one of the first; and
no more than a window of results waits in memory.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from airflow_batch_inference.storage.local_files import is_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fsspec import AbstractFileSystem

T = TypeVar("T")
R = TypeVar("R")

THREADS = 64
"""Of a store that is far away: what waits for an answer costs no processor."""
_LOCAL_THREADS = 8
"""Of a disk: more would wait for each other, and not for it."""
_MOST_IN_A_BATCH = 32
_BATCHES_A_THREAD = 4
_LOOKS_EVERY_S = 0.2


def threads_for(fs: AbstractFileSystem) -> int:
    """Return how many files of a file system are worked on at a time."""
    return _LOCAL_THREADS if is_local(fs) else THREADS


def in_order(
    work: Callable[[T], R],
    items: Sequence[T],
    *,
    threads: int = THREADS,
    most_in_a_batch: int = _MOST_IN_A_BATCH,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> Iterator[R]:
    """Yield what some work gives for each item, in the items' order; several are worked on at once.

    Parameters
    ----------
    work
        Called by several threads at once.
    items
        What it is called with. A single one is worked on by the caller.
    threads
        How many at a time.
    most_in_a_batch
        How many of them one thread works on before it hands over their results. At most twice so many a thread wait in
        memory: few, where results are large.
    raise_if_stopped
        Called several times a second; raises to stop. What has begun by then ends by itself.

    Raises
    ------
    Exception
        Whatever the work raised, for the first item that it failed for.

    Examples
    --------
    >>> list(in_order(lambda value: value * 2, [1, 2, 3]))
    [2, 4, 6]
    """
    if len(items) <= 1 or threads <= 1:
        for item in items:
            raise_if_stopped()
            yield work(item)
        return
    size = max(1, min(most_in_a_batch, len(items) // (threads * _BATCHES_A_THREAD)))
    starts = iter(range(0, len(items), size))
    pool = ThreadPoolExecutor(min(threads, len(items)), "in-order")
    waiting: deque[Future[tuple[list[R], BaseException | None]]] = deque()

    def begin() -> None:
        start = next(starts, None)
        if start is not None:
            waiting.append(pool.submit(_work_on, work, items[start : start + size]))

    try:
        for _ in range(2 * threads):
            begin()
        while waiting:
            raise_if_stopped()
            if not wait([waiting[0]], timeout=_LOOKS_EVERY_S).done:
                continue
            results, error = waiting.popleft().result()
            begin()
            yield from results
            if error is not None:
                raise error
    finally:  # without waiting: a store that does not answer must not hold up whoever was told to stop
        pool.shutdown(wait=False, cancel_futures=True)


def _work_on(work: Callable[[T], R], items: Sequence[T]) -> tuple[list[R], BaseException | None]:
    """Work on some items one after the other, up to the first that fails."""
    results: list[R] = []
    for item in items:
        try:
            results.append(work(item))
        except BaseException as error:  # noqa: BLE001  # raised where the results are taken
            return results, error
    return results, None
