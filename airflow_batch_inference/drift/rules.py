"""The rules that turn the columns' distances into one verdict, and their parameters.

What must not be relaxed: a rule that can never work is refused before any data are read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_batch_inference.drift.metrics import drift_score
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_batch_inference.records import ColumnDrift


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRule:
    """How to judge.

    Attributes
    ----------
    name
        The rule; ``mlrun`` is the one there is.
    drift_threshold, possible_drift_threshold
        In [0, 1]; a value at or over them is ``DRIFT_DETECTED`` or ``POSSIBLE_DRIFT``.
    inf_capping
        Stands for an infinite metric; finite and not negative.
    edges
        ``padded``: what lies outside the reference's range counts in two bins of its own; ``open``: it is left out.
    min_rows
        Below it, on either side, the verdict is ``INSUFFICIENT``.

    Raises
    ------
    ConfigurationError
        An unknown rule or kind of edges, or a number out of its range.
    """

    name: str = "mlrun"
    drift_threshold: float = 0.7
    possible_drift_threshold: float = 0.5
    inf_capping: float = 10.0
    edges: Literal["padded", "open"] = "padded"
    min_rows: int = 30

    def __post_init__(self) -> None:
        """Refuse a rule that can never work."""
        _one_of("rule", self.name, RULES)
        _one_of("edges", self.edges, ("padded", "open"))
        if not 0 <= self.possible_drift_threshold <= self.drift_threshold <= 1:
            message = (
                f"possible_drift_threshold is {self.possible_drift_threshold} and drift_threshold is "
                f"{self.drift_threshold}; they must lie in [0, 1], the first not over the second."
            )
            raise ConfigurationError(message)
        for name, value in (("inf_capping", self.inf_capping), ("min_rows", self.min_rows)):
            if not (math.isfinite(value) and value >= 0):
                message = f"{name} is {value}; it must be a finite number, 0 or more."
                raise ConfigurationError(message)

    def status(self, drift: float) -> DriftStatus:
        """Judge one number."""
        if drift >= self.drift_threshold:
            return DriftStatus.DRIFT_DETECTED
        return DriftStatus.POSSIBLE_DRIFT if drift >= self.possible_drift_threshold else DriftStatus.NO_DRIFT

    def metric(self, columns: Sequence[ColumnDrift]) -> float | None:
        """Return the dataset's drift metric; None where no column has a number."""
        return RULES[self.name](columns)

    def parameters(self) -> dict[str, float | str]:
        """Return what the verdict depends on, for the record."""
        return {
            "drift_threshold": self.drift_threshold,
            "possible_drift_threshold": self.possible_drift_threshold,
            "inf_capping": self.inf_capping,
            "edges": self.edges,
            "min_rows": float(self.min_rows),
        }


def _one_of(argument: str, value: str, known: Iterable[str]) -> None:
    if value not in (known := tuple(known)):
        message = f"{argument} is {value!r}; it must be one of {', '.join(map(repr, known))}."
        raise ConfigurationError(message)


def _mlrun_metric(columns: Sequence[ColumnDrift]) -> float | None:
    """Return MLRun's drift metric: (mean TVD + mean Hellinger) / 2 over the columns that have numbers."""
    numbers = [(c.tvd, c.hellinger) for c in columns if c.tvd is not None and c.hellinger is not None]
    if not numbers:
        return None
    tvd, distances = (math.fsum(side) / len(numbers) for side in zip(*numbers, strict=True))
    return drift_score(tvd, distances)


RULES: dict[str, Callable[[Sequence[ColumnDrift]], float | None]] = {"mlrun": _mlrun_metric}
