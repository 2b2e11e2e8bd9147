"""What the deaths of workers that score rows mean: a fault of some rows, of the model, or of this machine.

Invariants: a death is taken for a row's fault only where the same rows killed twice; and the number of deaths that a
job survives is limited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from airflow_batch_inference.exceptions import WorkerError

_MOST_DEATHS = 64
_MOST_DEATHS_WITHOUT_ROWS = 3
_MOST_DEADLY_SAMPLES = 4

SAMPLES = -1
"""In place of a part's index: the samples of the first rows, counted as rows, on which the models are tried."""

Rows: TypeAlias = tuple[int, int]
"""Rows of a part: the first one, and that after the last one."""


@dataclass(slots=True)
class Deaths:
    """Counts them.

    Attributes
    ----------
    workers
        How many processes there are.
    """

    workers: int
    _total: int = 0
    _starting: int = 0
    _without_rows: dict[int, int] = field(default_factory=dict)
    _suspects: dict[int, list[Rows]] = field(default_factory=dict)
    _failing: dict[int, dict[Rows, str]] = field(default_factory=dict)
    _hung: set[tuple[int, Rows | None]] = field(default_factory=set)

    def failing(self, index: int) -> dict[Rows, str]:
        """Return the rows of a part that count as failing, and how the process ended that scored them last."""
        return self._failing.get(index, {})

    def note(self, index: int, rows: Rows | None, how: str) -> None:
        """Remember a death; rows that were suspected before, or lie in rows that fail, count as failing.

        Raises
        ------
        WorkerError
            There were too many.
        """
        self._total += 1
        known = self._failing.setdefault(index, {})
        if rows is None:
            self._without_rows[index] = self._without_rows.get(index, 0) + 1
        elif rows in self._suspects.get(index, ()) or any(a <= rows[0] and rows[1] <= b for a, b in known):
            known[rows] = how
        else:
            self._suspects.setdefault(index, []).append(rows)
        if self._total > _MOST_DEATHS or self._without_rows.get(index, 0) >= _MOST_DEATHS_WITHOUT_ROWS:
            message = (
                f"Worker processes died {self._total} time(s), the last one by {how} in part {index}. If it was "
                "SIGKILL, memory may have run out: lower max_workers or max_memory."
            )
            raise WorkerError(message)

    def note_sample(self, sample: Rows, how: str) -> None:
        """Remember a death while the model was tried on one of the first rows' samples.

        Raises
        ------
        WorkerError
            Several samples in turn ended a process: it is not their rows.
        """
        self.note(SAMPLES, sample, how)
        if len(self.failing(SAMPLES)) >= _MOST_DEADLY_SAMPLES:
            raise _not_started(how)

    def note_starting(self, how: str) -> None:
        """Remember a death before the first row.

        Raises
        ------
        WorkerError
            There were too many.
        """
        self._starting += 1
        if self._starting > 2 * self.workers:
            raise _not_started(how)

    def hung_before(self, index: int, rows: Rows | None) -> bool:
        """Say whether rows have overstepped a limit of time before, and remember that they have now."""
        if (index, rows) in self._hung:
            return True
        self._hung.add((index, rows))
        return False


def _not_started(how: str) -> WorkerError:
    message = f"A worker process ended ({how}) while it loaded or first tried the model, before it scored a row."
    return WorkerError(message)
