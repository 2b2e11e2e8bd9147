"""How drift is judged: the rules with what they can be told, and the earlier runs that a run is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_inference.drift.corrections import CORRECTIONS
from airflow_batch_inference.drift.limits import EDGES
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators.arguments import choice, number, whole_number
from airflow_batch_inference.operators.groups.base import ArgumentGroup

if TYPE_CHECKING:
    from collections.abc import Mapping


def _rows(name: str, value: object) -> int:
    return int(number(name, value, low=0))


@dataclass(frozen=True, kw_only=True)
class EffectRule(ArgumentGroup):
    """A column drifts where an effect is large enough to matter and too large for chance: ``rule="effect"``.

    :param significance: how likely any false alarm in a run may be at most. (templated)
    :param correction: for the number of columns and checks: ``holm`` or ``bonferroni``. (templated)
    :param max_drifted_fraction: a larger share of drifted columns is drift, important or not. (templated)
    :param min_rows: below this number of rows the verdict is ``INSUFFICIENT``. (templated)
    """

    significance: float | str = 0.01
    correction: str = "holm"
    max_drifted_fraction: float | str = 0.3
    min_rows: int | str = 30

    name: ClassVar[str] = "effect"
    parsers: ClassVar[Mapping[str, Any]] = {
        "significance": partial(number, low=0, high=1),
        "correction": partial(choice, allowed=CORRECTIONS),
        "max_drifted_fraction": partial(number, low=0, high=1),
        "min_rows": _rows,
    }


@dataclass(frozen=True, kw_only=True)
class MlrunRule(ArgumentGroup):
    """MLRun's: the mean over the columns of (TVD + Hellinger) / 2: ``rule="mlrun"``.

    :param inf_capping: stands for an infinite metric. (templated)
    :param edges: ``padded``: values outside the reference's range count in bins of their own; ``open``: they are left
        out, as MLRun before 1.5 did. (templated)
    :param min_rows: below this number of rows the verdict is ``INSUFFICIENT``. (templated)
    """

    inf_capping: float | str = 10.0
    edges: str = "padded"
    min_rows: int | str = 30

    name: ClassVar[str] = "mlrun"
    parsers: ClassVar[Mapping[str, Any]] = {
        "inf_capping": partial(number, low=0),
        "edges": partial(choice, allowed=EDGES),
        "min_rows": _rows,
    }


@dataclass(frozen=True, kw_only=True)
class History(ArgumentGroup):
    """Which earlier runs a run is compared with, and in how many of them drift must have lasted.

    :param which: ``last``, ``weekday`` (the same weekday's) or ``none``. With fewer than 4 of them nothing is said.
        (templated)
    :param runs: how many of them. (templated)
    :param min_drift_runs: drift counts where it was found in so many of the last ``of_runs`` runs, this one included;
        until then it is ``POSSIBLE_DRIFT``. (templated)
    :param of_runs: see there. (templated)
    """

    which: str = field(default="last", kw_only=False)
    runs: int | str = 8
    min_drift_runs: int | str = 1
    of_runs: int | str = 1

    parsers: ClassVar[Mapping[str, Any]] = {
        "which": partial(choice, allowed=("last", "weekday", "none")),
        "runs": partial(whole_number, low=0),
        "min_drift_runs": partial(whole_number, low=1),
        "of_runs": partial(whole_number, low=1),
    }

    def require_together(self) -> None:
        """Refuse drift that is to last in more runs than there are."""
        needed, of = self.parse("min_drift_runs"), self.parse("of_runs")
        if needed > of:
            message = f"min_drift_runs is {needed}, more than of_runs, {of}: drift must be found in so many of so many."
            raise ConfigurationError(message)
