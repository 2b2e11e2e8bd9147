"""The kernel, compiled once and kept on disk, and called by as many threads as the process may use.

Numba's cache holds machine code inside pickles, so whoever writes into its folder runs code here. What must not be
relaxed: the folder belongs to this user and nobody else may write there, or nothing is kept; it is never beside the
installed code; and other versions of anything that compiles have another folder.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
import logging
import os
import stat
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.flavors.threads import native_threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

    from airflow_batch_inference.trees.ensemble import Ensemble

log = logging.getLogger(__name__)

EXTRA = "fast"
_ROWS, _BLOCK_BYTES = 128, 48 << 10
_TALL_ROWS, _TALL_BYTES = 4096, 1 << 20
_LARGE_BYTES = 2 << 20
_LEAST_ROWS_A_THREAD = 1024
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def is_installed() -> bool:
    """Say whether Numba is there; it is not imported."""
    return importlib.util.find_spec("numba") is not None


def raw_scores(ensemble: Ensemble, columns: Sequence[np.ndarray]) -> np.ndarray:
    """Add up the leaves that rows fall into.

    Parameters
    ----------
    ensemble
        The trees.
    columns
        One contiguous float64 array an input, all of the same length; missing values are NaN.

    Returns
    -------
    numpy.ndarray
        Shape (rows, outputs), in the type of the ensemble's ``base``.
    """
    rows = len(columns[0]) if columns else 0
    found = np.empty((rows, ensemble.outputs), dtype=ensemble.base.dtype)
    threads = max(1, min(native_threads(), rows // _LEAST_ROWS_A_THREAD))
    borders = np.linspace(0, rows, threads + 1).astype(np.int64).tolist()
    addresses = np.array([column.ctypes.data for column in columns], dtype=np.uint64)
    score = kernel().score

    def run(start: int, stop: int) -> None:
        height = _height(ensemble)
        score(
            addresses,
            ensemble.inputs,
            ensemble.rules,
            ensemble.is_single,
            ensemble.thresholds,
            ensemble.links,
            ensemble.roots,
            ensemble.steps,
            ensemble.groups,
            ensemble.sets,
            ensemble.rows,
            ensemble.base,
            start,
            stop,
            np.zeros(height * (len(ensemble.inputs) + 1)),
            np.zeros(height * ensemble.outputs, dtype=ensemble.base.dtype),
            found.reshape(-1),
        )

    if threads == 1:
        run(0, rows)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, borders[:-1], borders[1:]))  # an error is raised here
    return found


def apply_link(raw: np.ndarray, link: int | None, *, steepness: float = 1.0) -> np.ndarray:
    """Return what a link function makes of sums.

    Parameters
    ----------
    raw
        Shape (rows, outputs), float64 or float32; it stays as it is.
    link
        One of :mod:`~.links`; None: none.
    steepness
        Of a sigmoid.
    """
    found = np.array(raw, order="C")
    if link is not None:
        kernel().LINKED[link](found.reshape(-1), raw.shape[1], steepness)
    return found


def _height(ensemble: Ensemble) -> int:
    """Return how many rows a block has: a multiple of eight.

    A small ensemble stays in the processor's caches, and so should the block, in the first one; of a large one each
    tree is fetched once a block, so the block is tall.
    """
    most_rows, most_bytes = (_TALL_ROWS, _TALL_BYTES) if ensemble.nbytes > _LARGE_BYTES else (_ROWS, _BLOCK_BYTES)
    width = 8 * (len(ensemble.inputs) + 1 + ensemble.outputs)
    return max(8, min(most_rows, most_bytes // width) // 8 * 8)


class NotCompiledError(Exception):
    """Numba is there, and told to compile nothing; the message says by what."""


@functools.cache
def kernel() -> ModuleType:
    """Import the functions; they compile when they are first called, or come from the cache.

    Raises
    ------
    ImportError
        Numba is not installed, or not for this NumPy.
    NotCompiledError
        Numba is told to compile nothing.
    """
    from numba import config

    if config.DISABLE_JIT:
        message = "Numba is told to compile nothing; unset NUMBA_DISABLE_JIT"
        raise NotCompiledError(message)
    from airflow_batch_inference.trees import kernel as compiled
    from airflow_batch_inference.trees.kept_code import keep_code

    folder = cache_folder()
    if folder is None:
        log.info("The compiled kernel is not kept: there is no folder for it that only this user may write.")
        return compiled
    for function in (compiled.score, *compiled.LINKED.values()):
        keep_code(function, folder)
    return compiled


def cache_folder() -> Path | None:
    """Return a folder of these very versions that nobody else may write, and make it; None where there is none."""
    versions = [importlib.metadata.version(name) for name in ("numba", "llvmlite", "numpy")]
    name = "-".join([f"py{sys.version_info.major}.{sys.version_info.minor}", *versions])
    for parent in _parents():
        folder = parent / "airflow-batch-inference"
        with contextlib.suppress(OSError):
            _make_ours(folder / name)
            if all(_is_ours(each) for each in (parent, folder, folder / name)):
                return folder / name
    return None


def _make_ours(folder: Path) -> None:
    """Make a folder and those above it, for this user alone: ``Path.mkdir`` gives its mode only to the last one."""
    for each in (*reversed(folder.parents), folder):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)


def _parents() -> Iterator[Path]:
    """Yield where the folder may be; a home's cache may be a link to somewhere else, what anybody may make may not."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    with contextlib.suppress(RuntimeError, OSError):  # links that lead to themselves
        if Path(given).is_absolute():
            yield Path(given).resolve()
    with contextlib.suppress(RuntimeError, OSError):  # there is no home
        yield (Path.home() / ".cache").resolve()
    yield Path(tempfile.gettempdir()) / f"airflow-batch-inference-{_user()}"


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _is_ours(folder: Path) -> bool:
    found = folder.lstat()
    is_private = not found.st_mode & _OTHERS_WRITE and found.st_uid == _user()
    return stat.S_ISDIR(found.st_mode) and is_private and os.access(folder, os.W_OK)
