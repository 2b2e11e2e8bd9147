"""What a verification of a prediction set has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_batch_inference.records import PredictionSetRecord


@dataclass(slots=True)
class Verification:
    """What was checked, and what is wrong.

    Attributes
    ----------
    record
        The commit.
    checks
        What was found to be right, in words.
    problems
        What was found to be wrong; empty for a set that holds.
    """

    record: PredictionSetRecord
    checks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
