"""Who writes: a token that names a running process, and whether that process still runs.

Invariants: a process is called dead only where this machine can know it; of another machine (or container) nothing is
said. No heavy import here.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import time
import uuid
from pathlib import Path

_TOKEN = re.compile(r"([0-9a-f]{8})\.(\d+)\.(\d+)")
_DEAD_STATES = ("Z", "X", "x")
STALE_S = 24 * 3600.0


def this_process() -> str:
    """Return the token of this process: its machine (or container), its number, and when it began.

    Examples
    --------
    >>> is_alive(this_process())
    True
    """
    return _token(os.getpid())


@functools.lru_cache(maxsize=4)
def _token(pid: int) -> str:
    return f"{_machine()}.{pid}.{_began(pid) or 0}"


def is_alive(token: str) -> bool | None:
    """Say whether the process of a token still runs; None where this machine cannot know.

    Examples
    --------
    >>> is_alive("00000000.1.1") is None
    True
    """
    found = _TOKEN.fullmatch(token)
    if found is None or found.group(1) != _machine():
        return None
    pid, began = int(found.group(2)), int(found.group(3))
    now = _began(pid)
    if now is not None or Path("/proc/self/stat").exists():
        return now == began
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_leftover(name: str, modified: float | None, *, older_than_s: float = STALE_S) -> bool:
    """Say whether a temporary file is surely left by a dead writer: its process is gone, or it is old.

    Parameters
    ----------
    name
        The file's, with its writer's token in it; without one, only its age counts.
    modified
        When it was last written to (seconds since 1970); None: unknown, which is never old.
    older_than_s
        From this age on nobody can be writing to it any more.
    """
    found = _TOKEN.search(name)
    alive = None if found is None else is_alive(found.group())
    if alive is not None:
        return not alive
    return modified is not None and time.time() - modified > older_than_s


@functools.lru_cache(maxsize=1)
def _machine() -> str:
    """Return a short digest of what numbers processes here: the boot, and the container's own numbering."""
    known = [platform.node()]
    try:
        known += [Path("/proc/sys/kernel/random/boot_id").read_text(), str(Path("/proc/self/ns/pid").readlink())]
    except OSError:
        known.append(str(uuid.getnode()))
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:8]


def _began(pid: int) -> int | None:
    """Return when a process began, in ticks since the boot; None where none of that number runs, or nobody says."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if state.decode() in _DEAD_STATES else int(rest[18])
