"""Zip archives that hold a model, looked at before a framework opens them.

Invariants: a member is known by its exact name, there is one of each, none leads out of the archive, and none is read
that would unpack to far more than the archive holds.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ZIP = b"PK\x03\x04"
MOST_MEMBERS = 100_000
MOST_EXPANSION = 100

_ENCRYPTED = 0x1
_UNIX_MODE_BITS = 16  # an entry's mode stands in the upper half of its attributes
_FREE_BYTES = 1 << 20


def members(path: Path) -> tuple[str, ...]:
    """Return the names of an archive's members; () where it is none, or damaged.

    Only its directory is read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return ()


def read_member(path: Path, name: str, *, most_bytes: int) -> bytes | None:
    """Return a member's bytes; None where it is not there, damaged, encrypted or larger than ``most_bytes``."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as member:
            content = member.read(most_bytes + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, KeyError, RuntimeError, ValueError, EOFError):
        return None
    return None if len(content) > most_bytes else content


def require_sound(path: Path, *, reads_all: bool = False, free_bytes: int = _FREE_BYTES) -> None:
    """Refuse an archive that two readers could read differently, or that fills the memory or the disk.

    Parameters
    ----------
    path
        The archive.
    reads_all
        Whether to compare each member's checksum too, for a framework that does not do so itself.
    free_bytes
        What its members may unpack to, all together, beyond 100 times their size.

    Raises
    ------
    ModelLoadError
        It is damaged, or has a member that is encrypted, there twice, leads out of it, is a link, or unpacks to far
        more than its size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            fault = _fault(archive.infolist(), free_bytes)
            changed = archive.testzip() if reads_all and not fault else None
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, NotImplementedError) as error:
        message = f"{path.name} is a damaged zip archive: {error}. Save or copy the model again."
        raise ModelLoadError(message) from error
    fault = f"the checksum of {changed!r} is wrong" if changed else fault
    if fault:
        message = f"{path.name} is no archive that its framework writes: {fault}. Save the model again."
        raise ModelLoadError(message)


def _fault(entries: Sequence[zipfile.ZipInfo], free_bytes: int) -> str | None:
    if len(entries) > MOST_MEMBERS:
        return f"it has {len(entries)} members, more than {MOST_MEMBERS}"
    seen: set[str] = set()
    for entry in entries:
        free_bytes -= max(0, entry.file_size - MOST_EXPANSION * entry.compress_size)
        fault = _entry_fault(entry, seen)
        if fault or free_bytes < 0:
            unpacks = f"unpacks from {entry.compress_size} to {entry.file_size} bytes"
            return f"{entry.filename!r} {fault or unpacks}"
        seen.add(entry.filename)
    return None


def _entry_fault(entry: zipfile.ZipInfo, seen: set[str]) -> str | None:
    if entry.filename in seen:
        return "is in it twice"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if not _stays_inside(entry.filename):
        return "leads out of it"
    return "is a link" if stat.S_ISLNK(entry.external_attr >> _UNIX_MODE_BITS) else None


def _stays_inside(name: str) -> bool:
    parts = name.rstrip("/").split("/")
    return "\\" not in name and "\0" not in name and ":" not in parts[0] and not {"", ".", ".."} & set(parts)
