"""Which version of a file lies there: what a file system says that no rewriting of the file can leave as it was.

Invariants: a time that a writer can set, and a size, tell no versions apart; where a store says nothing better, a
file's version is the digest of its bytes.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from fsspec import AbstractFileSystem

_SECOND_NS = 1_000_000_000
_TICK_NS = 20_000_000
"""How far apart two changes are at least that a local file system tells apart: some 10 ms, in most kernels."""
_NAMED = (
    *("generation", "etag", "version_id", "versionid"),  # gs://, s3:// and their like, abfs://
    *("md5hash", "md5", "content_md5", "checksum", "sha", "sha256", "sha1", "hex", "blob_id"),
)
"""What stores call a version, or a digest of the bytes, in lower case, the surest first."""


def local_version(status: os.stat_result) -> str:
    """Return the version of a local file: when it was changed (twice) in nanoseconds, and its inode.

    ``cp -p``, ``rsync -t`` and backups put the time of modification back; nobody can that of the change of the inode.
    The device's number is left out: each machine that mounts a share has its own. ``chmod`` and a new hard link make
    another version, too: then the file is scored anew, which is no error.
    """
    return f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"


def is_touched_only(before: str, now: str) -> bool:
    """Say whether two versions of a local file of one size differ in no more than what ``chmod`` changes, too.

    Examples
    --------
    >>> is_touched_only("5-5-1", "5-9-1"), is_touched_only("5-5-1", "6-9-1"), is_touched_only('"e1"', '"e2"')
    (True, False, False)
    """
    first, second = _parts(before), _parts(now)
    return first is not None and second is not None and first[0] == second[0]


def wait_until_told_apart(versions: Iterable[str]) -> bool:
    """Wait until any later change of the files gives another version; say whether there was a need to.

    Two changes within a tick of the clock have one time. Where the last one is that near, a file could be changed once
    more without a trace.

    Parameters
    ----------
    versions
        Of local files (:func:`local_version`).
    """
    now, needed = time.time_ns(), 0
    for _, changed, _ in filter(None, map(_parts, versions)):
        tick = 2 * _SECOND_NS if changed % _SECOND_NS == 0 else _TICK_NS  # some file systems count in seconds
        if now - tick < changed <= now + tick:  # a clock that is far ahead is another machine's
            needed = max(needed, changed + tick - now)
    if needed > 0:
        time.sleep(min(needed, 2 * _SECOND_NS) / _SECOND_NS)
    return needed > 0


def _parts(version: str) -> tuple[int, int, int] | None:
    """Return the numbers of a local file's version (the first may be negative: before 1970); None of any other."""
    found = re.fullmatch(r"(-?\d+)-(\d+)-(\d+)", version)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def told_version(info: dict[str, Any]) -> str:
    """Return the version that a remote store tells of a file; nothing where none is sure to change with it.

    Parameters
    ----------
    info
        What the store says of the file.

    Examples
    --------
    >>> told_version({"ETag": '"9f"', "LastModified": "today"}), told_version({"size": 3, "mtime": 1700000000})
    ('9f', '')
    """
    told = {str(name).lower(): value for name, value in info.items()}
    settings = told.get("content_settings")  # of blobs
    if settings is not None:
        told.setdefault("content_md5", getattr(settings, "content_md5", None))
    for name in _NAMED:
        value = told.get(name)
        if value and not str(value).startswith("W/"):  # a weak one is the same for what somebody calls alike
            return str(value).strip('"')
    return ""


def asked_version(fs: AbstractFileSystem, path: str) -> str:
    """Return the digest that a store makes of a file when it is asked to; nothing where it makes none."""
    if "webhdfs" in protocols_of(fs):
        with contextlib.suppress(NotImplementedError, LookupError, TypeError, ValueError):  # no gateway has to offer it
            return str(fs.ukey(path))
    return ""


def protocols_of(fs: AbstractFileSystem) -> tuple[str, ...]:
    """Return the names of a file system."""
    protocol = getattr(fs, "protocol", "")
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
