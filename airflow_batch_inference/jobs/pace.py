"""The pace of a few mini-batches, and what it says of many: wall and processor seconds, and memory."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path

from airflow_batch_inference.processes.threads import usable_cores

_TIMED_BATCHES = 4
_TIMED_S = 5.0


@dataclass(slots=True)
class Watch:
    """Wall and processor seconds of mini-batches, one after the other."""

    laps: list[tuple[int, float, float]] = field(default_factory=list)
    most_bytes: int = 0
    _wall: float = field(default_factory=time.monotonic)
    _cpu: float = field(default_factory=time.process_time)

    @property
    def goes_on(self) -> bool:
        """Whether another mini-batch is to be timed."""
        return len(self.laps) < _TIMED_BATCHES and self.seconds < _TIMED_S

    @property
    def rows(self) -> int:
        """Of all laps."""
        return sum(rows for rows, _, _ in self.laps)

    @property
    def seconds(self) -> float:
        """Of all laps, by the wall."""
        return sum(wall for _, wall, _ in self.laps)

    def lap(self, rows: int) -> None:
        """Note that so many rows are done."""
        wall, cpu = time.monotonic(), time.process_time()
        self.laps.append((rows, wall - self._wall, cpu - self._cpu))
        self._wall, self._cpu = wall, cpu
        self.most_bytes = max(self.most_bytes, _resident_bytes())

    def whole_s(self, rows: int, workers: int) -> tuple[float, float]:
        """Return the seconds that so many rows take at the fastest and at the slowest lap's pace.

        What is still cold in the first lap is not the pace of many rows.
        """
        warm = self.laps[1:] or self.laps
        paces = [_pace(wall, cpu, workers) / max(1, count) for count, wall, cpu in warm]
        first = self.laps[0][1]
        return rows * min(paces), rows * max(paces) + first


def _pace(wall: float, cpu: float, workers: int) -> float:
    """Return the wall seconds that so many workers need for what took this process these seconds.

    A model that has used several cores here gets its share of them there.

    Examples
    --------
    >>> _pace(2.0, 2.0, 2), _pace(2.0, 2.0, 0)
    (1.0, 2.0)
    """
    if not workers:
        return wall
    cores_used = max(1.0, cpu / max(wall, 1e-9))
    share = max(1, usable_cores() // workers)
    return wall * cores_used / (min(cores_used, share) * min(workers, usable_cores()))


def _resident_bytes() -> int:
    """Return how much memory this process has in use; where that is not told, how much it ever had."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
