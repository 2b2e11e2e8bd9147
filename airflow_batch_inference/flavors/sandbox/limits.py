"""How much processor time and memory a child may take for a file, by its size.

Invariants: the limits of memory hold before the file is touched; those of processor time are set anew for each step.
"""

from __future__ import annotations

import math
import resource
from pathlib import Path

MOST_RESERVED_BYTES = 8 << 30
_MOST_USED_BYTES = 600 << 20  # importing TensorFlow and building a small network takes 270 MiB
_GPU_BYTES = 4 << 30  # what CUDA's libraries may take of the host's memory when they start
_GPU = Path("/dev/nvidiactl")
_MOST_GROWTH = 16
_LOOK_CPU_S = 20.0
_LOAD_CPU_S = 30.0
_LOAD_BYTES_A_S = 1 << 20
_PROBE_CPU_S = 6.0
_PROBE_BYTES_A_S = 16 << 20
_SLOW = frozenset({"contributions"})
_SLOWER = 10


def look_cpu_s(path: Path) -> float:
    """Return how much processor time it may take to tell what a file is."""
    return _LOOK_CPU_S + size_of(path) / _PROBE_BYTES_A_S


def load_cpu_s(path: Path) -> float:
    """Return how much processor time it may take to import a framework and load a file."""
    return _LOAD_CPU_S + size_of(path) / _LOAD_BYTES_A_S


def size_of(path: Path) -> int:
    """Return how many bytes a file has, or all files in a folder."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files if file.is_file())


def limit_memory(path: Path) -> None:
    """Let a small file that unfolds into more memory than a model of its size can need fail, and nothing else."""
    most = MOST_RESERVED_BYTES + _MOST_GROWTH * size_of(path)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def limit_computing(seconds: float) -> None:
    """Let this process be killed by SIGXCPU once it has used so many more seconds of processor time.

    The soft limit only: it can be set again for the next step, and the hard one kills without a signal that tells why.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = math.ceil(used.ru_utime + used.ru_stime + seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def probe_cpu_s(path: Path, method: str) -> float:
    """Return how much processor time it may take to score a few rows by a method."""
    return (_PROBE_CPU_S + size_of(path) / _PROBE_BYTES_A_S) * (_SLOWER if method in _SLOW else 1)


def most_used_bytes(path: Path) -> int:
    """Return how much memory a child may take that imports a framework and loads a file."""
    return _MOST_USED_BYTES + (_GPU_BYTES if _GPU.exists() else 0) + _MOST_GROWTH * size_of(path)
