"""A Keras model's HDF5 weights, looked through before Keras reads them.

An HDF5 file can keep a data set's bytes in other files of the machine (external storage, links, virtual data sets:
CVE-2026-1669), and declare shapes that no memory holds (CVE-2026-0897, CVE-2026-12570).

Invariants: each object is reached by a plain link within the file, and no more is declared than the file can hold.
"""

from __future__ import annotations

import math
import zipfile
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.archives import MOST_EXPANSION
from airflow_batch_inference.flavors.base import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from airflow_batch_inference.flavors.runtimes import FrameworkObject

WEIGHTS = "model.weights.h5"

_MOST_OBJECTS = 1_000_000
_FREE_BYTES = 1 << 20


def require_plain_weights(path: Path) -> None:
    """Refuse a ``.keras`` file whose weights lie outside of it or are larger than it can hold.

    Parameters
    ----------
    path
        The ``.keras`` file, a sound zip archive.

    Raises
    ------
    ModelLoadError
        What is wrong, and with which data set.
    """
    h5py = require("h5py", extra="tensorflow")
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo(WEIGHTS).file_size
        with archive.open(WEIGHTS) as member:
            try:
                with h5py.File(member, "r") as file:
                    fault = _fault(file, h5py, size)
            except (OSError, RuntimeError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
                message = f"{WEIGHTS} in {path.name} is damaged: {error}. Save or copy the model again."
                raise ModelLoadError(message) from error
    if fault:
        message = f"{WEIGHTS} in {path.name} is no file that Keras writes: {fault}. Save the model again."
        raise ModelLoadError(message)


def _fault(file: FrameworkObject, h5py: ModuleType, size: int) -> str | None:
    declared = 0
    for number, (name, found) in enumerate(_objects(file, h5py)):
        if number > _MOST_OBJECTS:
            return f"it holds more than {_MOST_OBJECTS} objects"
        if isinstance(found, str):
            return f"{name} {found}"
        if isinstance(found, h5py.Dataset):
            if found.external or found.is_virtual:
                return f"{name} keeps its values in other files"
            declared += math.prod(found.shape or ()) * found.dtype.itemsize
            if declared > MOST_EXPANSION * size + _FREE_BYTES:
                return f"{name} is of shape {found.shape}, far more than the {size} bytes of the file can hold"
    return None


def _objects(file: FrameworkObject, h5py: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield each object once, or why a link is refused; a group that holds itself ends nowhere else."""
    seen: set[tuple[int, int]] = set()
    waiting = [("", file)]
    while waiting:
        parent, group = waiting.pop()
        for name in group:
            full = f"{parent}/{name}"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                yield full, "is a link that may lead out of the file"
                continue
            found = group[name]
            info = h5py.h5o.get_info(found.id)
            if (info.fileno, info.addr) in seen:
                continue
            seen.add((info.fileno, info.addr))
            yield full, found
            if isinstance(found, h5py.Group):
                waiting.append((full, found))
