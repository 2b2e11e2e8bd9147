"""Python's cyclic garbage collector, held still while a framework is imported and a model loaded.

What is made then stays, and the collector would look through all of it several times: a tenth of the time that
scikit-learn takes to import. For the same reason an interpreter that ends looks for no cycles in it: half a second,
where scikit-learn and pandas are loaded.

Invariants: it is on again afterwards if it was on before, also after an error, and however many threads load at once.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Pauses:
    """How many blocks go on, whether the collector was on before the first of them, and whether there ever was one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.number = 0
        self.was_on = False
        self.is_first = True


_pauses = _Pauses()


@contextlib.contextmanager
def paused_collection() -> Iterator[None]:
    """Collect no cyclic garbage within the block, in any thread.

    Examples
    --------
    >>> with paused_collection():
    ...     gc.isenabled()
    False
    """
    with _pauses.lock:
        if _pauses.is_first:
            _pauses.is_first = False
            # Python promises nobody that what is in a cycle then is finalized; files and threads are ended before.
            atexit.register(gc.freeze)
        if not _pauses.number:
            _pauses.was_on = gc.isenabled()
            gc.disable()
        _pauses.number += 1
    try:
        yield
    finally:
        with _pauses.lock:
            _pauses.number -= 1
            if not _pauses.number and _pauses.was_on:
                gc.enable()
