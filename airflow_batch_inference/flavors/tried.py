"""Which model files have been tried out on this machine: marks in a folder that is this user's alone.

A record says nothing of its file's trial that whoever can write records could not say too. So each machine remembers
for itself what it has tried, and a job of many processes tries a file once.

Invariants: a mark is made after a whole trial only, it is of the very bytes and of all that the trial was made with,
and a folder in which anybody else could make one is not believed.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import logging
import os
import stat
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.flavors.registry import flavor_names, get_flavor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

log = logging.getLogger(__name__)

_OF_ALL = ("airflow-batch-inference", "numpy")
_MOST_MARKS = 10_000


def note_tried(sha256: str, flavor: str, model_format: str, types: Sequence[str], options: Mapping[str, Any]) -> None:
    """Remember that a file was tried out and has passed; where it cannot be remembered, it is tried again."""
    folder = _folder()
    if folder is None:
        return
    with contextlib.suppress(OSError):
        if sum(1 for _ in os.scandir(folder)) > _MOST_MARKS:
            for entry in folder.iterdir():
                entry.unlink(missing_ok=True)
        (folder / _key(sha256, flavor, model_format, types, options)).touch(mode=0o600)


def was_tried(sha256: str, flavor: str, model_format: str, types: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Say whether these bytes were tried out here, as these, with these packages."""
    folder = _folder()
    return folder is not None and (folder / _key(sha256, flavor, model_format, types, options)).is_file()


@contextlib.contextmanager
def trying(
    sha256: str, flavor: str, model_format: str, types: Sequence[str], options: Mapping[str, Any]
) -> Iterator[bool]:
    """Say whether a file was tried out here; where not, other processes wait for this one to try it in the block."""
    if was_tried(sha256, flavor, model_format, types, options):
        yield True
        return
    folder = _folder()
    with contextlib.ExitStack() as held:
        if folder is not None:
            with contextlib.suppress(OSError):
                name = f"{_key(sha256, flavor, model_format, types, options)}.lock"
                lock = held.enter_context((folder / name).open("a"))
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield was_tried(sha256, flavor, model_format, types, options)


def _key(sha256: str, flavor: str, model_format: str, types: Sequence[str], options: Mapping[str, Any]) -> str:
    made_of = [sha256, flavor, model_format, sorted(types), options, sys.version, sys.prefix, _versions(flavor)]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True, default=repr).encode()).hexdigest()


@functools.cache
def _versions(flavor: str) -> list[str | None]:
    """Return the versions of what a flavor loads with; of all flavors, where it may be any of them."""
    packages = get_flavor(flavor).packages
    if packages is None:
        packages = tuple(package for name in flavor_names() for package in get_flavor(name).packages or ())
    return [_version(package) for package in (*_OF_ALL, *packages)]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _folder() -> Path | None:
    """Return the folder of marks; None where there is none that is this user's alone."""
    folder = Path(tempfile.gettempdir(), f"airflow-batch-inference-tried-{os.geteuid()}")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        log.warning("%s is not this user's alone, so what it says of tried models is not believed. Remove it.", folder)
        return None
    return folder
