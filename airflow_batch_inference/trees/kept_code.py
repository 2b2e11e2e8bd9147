"""Machine code on disk that can be damaged, or not be written, without a word about the model.

What must not be relaxed: whatever goes wrong with the files, the function is compiled as if there were none, and the
files that may be to blame are removed. This module imports Numba, so it is imported only by :mod:`~.compiled`.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from numba import config
from numba.core.caching import FunctionCache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)


def keep_code(function: Any, folder: Path) -> None:  # noqa: ANN401  # Numba has no types
    """Let the machine code of a compiled function be kept in a folder.

    Parameters
    ----------
    function
        What ``njit`` returned; nothing is compiled here.
    folder
        See :func:`~.compiled.cache_folder`.
    """
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)  # read when the cache is made, and only then: other packages keep their folder
    try:
        with _harmless(folder):
            function._cache = _KeptCode(function.py_func, folder)  # noqa: SLF001  # as its enable_caching does
    finally:
        config.CACHE_DIR = before


class _KeptCode(FunctionCache):  # type: ignore[misc]  # Numba has no types
    """Numba's cache of one function, whose errors are no errors of the function."""

    def __init__(self, function: Any, folder: Path) -> None:  # noqa: ANN401  # Numba has no types
        self._folder = folder
        super().__init__(function)

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ANN401  # Numba has no types
        """Return the machine code of a signature; None where there is none that can be read."""
        with _harmless(self._folder):
            return super().load_overload(sig, target_context)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:  # noqa: ANN401  # Numba has no types
        """Write the machine code of a signature, if that can be done."""
        with _harmless(self._folder):
            super().save_overload(sig, data)


@contextlib.contextmanager
def _harmless(folder: Path) -> Iterator[None]:
    """Let any error only empty the folder: what lies there is damaged, or was not finished."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # damaged files fail in any way
        log.info("The compiled kernel in %s cannot be used, so it is compiled: %s", folder, type(error).__name__)
        with contextlib.suppress(OSError):
            for file in [each for each in folder.rglob("*") if not each.is_dir()]:
                file.unlink(missing_ok=True)
