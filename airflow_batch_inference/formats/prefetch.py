"""Reading ahead in a thread, so that the next mini-batch is there when the last one is scored."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")
_END = object()


@contextlib.contextmanager
def prefetched(items: Iterable[T], *, ahead: int = 1) -> Iterator[Iterator[T]]:
    """Give an iterator over ``items`` that a thread keeps ``ahead`` items ahead of; the thread ends with the block.

    What the source raises is raised by the iterator, in its place.
    """
    ready: queue.Queue[object] = queue.Queue(maxsize=ahead)
    stopping = threading.Event()
    failure: list[BaseException] = []

    def put(item: object) -> bool:
        while not stopping.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # noqa: BLE001  # raised again where the items are taken
            failure.append(error)
        finally:
            put(_END)

    def taken() -> Iterator[T]:
        while (item := ready.get()) is not _END:
            yield item  # type: ignore[misc]  # what work() put there
        if failure:
            raise failure[0]

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopping.set()
        thread.join()
