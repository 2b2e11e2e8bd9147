"""The rules that turn evidence into statuses: the one place that judges.

What must not be relaxed: a rule that can never work is refused before any data are read; too few rows are never "no
drift"; under ``effect`` nothing is drift that is small, or that chance explains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from airflow_batch_inference.drift.limits import (
    SHARE_LIMITS,
    THRESHOLDS,
    one_of,
    own_limits,
    require_limits,
    thresholds_of,
    within,
)
from airflow_batch_inference.drift.metrics import drift_score
from airflow_batch_inference.drift.significance import CORRECTIONS, adjusted
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import Check, ColumnDrift, DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_batch_inference.drift.comparison import Compared, Evidence

SEVERITY = {
    DriftStatus.NOT_ANALYSED: 0,
    DriftStatus.INSUFFICIENT: 1,
    DriftStatus.NO_DRIFT: 2,
    DriftStatus.POSSIBLE_DRIFT: 3,
    DriftStatus.DRIFT_DETECTED: 4,
}
"""What outweighs what; for the order of columns, not for verdicts."""
BAD = (DriftStatus.DRIFT_DETECTED, DriftStatus.POSSIBLE_DRIFT)

_IMPORTANT_SHARE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRule:
    """How to judge.

    Attributes
    ----------
    name
        ``effect``: a column drifts where an effect is large enough to matter and too large for chance; ``mlrun``: the
        mean of all columns' (TVD + Hellinger) / 2.
    drift_threshold, possible_drift_threshold
        A value at or over them is ``DRIFT_DETECTED`` or ``POSSIBLE_DRIFT``. None: 0.2 and 0.1 under ``effect``
        (standard deviations of the reference, or Jensen-Shannon distance), 0.7 and 0.5 under ``mlrun``.
    inf_capping
        Stands for an infinite metric of MLRun's; finite and not negative.
    edges
        Of MLRun's numbers. ``padded``: what lies outside the reference's range counts in two bins of its own;
        ``open``: it is left out.
    min_rows
        Below it, on either side, the verdict is ``INSUFFICIENT``.
    significance
        Of a whole analysis: how likely any false alarm in it may be at most, in [0, 1].
    correction
        For the number of columns and checks: ``holm`` or ``bonferroni``.
    max_drifted_fraction
        A larger share of drifted columns is drift of the dataset, important or not.
    limits
        Column name, or ``"*"`` for all that are not named, to limits of its own: ``drift_threshold``,
        ``possible_drift_threshold``, and the shares ``missing`` (0.1), ``infinite`` (0.1), ``range`` (0.05) and
        ``unseen`` (0.05) from which a change is ``DRIFT_DETECTED``; a fifth of it is ``POSSIBLE_DRIFT``. With a limit
        for ``missing`` the other checks leave missing values out.
    watch, ignore
        Columns whose drift alone is the dataset's, whatever their importance; and columns that are not judged.

    Raises
    ------
    ConfigurationError
        An unknown rule, kind of edges, correction or limit, or a number out of its range.
    """

    name: str = "effect"
    drift_threshold: float | None = None
    possible_drift_threshold: float | None = None
    inf_capping: float = 10.0
    edges: Literal["padded", "open"] = "padded"
    min_rows: int = 30
    significance: float = 0.01
    correction: Literal["holm", "bonferroni"] = "holm"
    max_drifted_fraction: float = 0.3
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    watch: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a rule that can never work."""
        one_of("edges", self.edges, ("padded", "open"))
        one_of("correction", self.correction, CORRECTIONS)
        require_limits(self.name, self.drift_threshold, self.possible_drift_threshold, self.limits)
        within("inf_capping", self.inf_capping, 0, math.inf)
        within("min_rows", self.min_rows, 0, math.inf)
        within("significance", self.significance, 0, 1)
        within("max_drifted_fraction", self.max_drifted_fraction, 0, 1)
        both = sorted({*self.watch} & {*self.ignore})
        if both:
            message = f"{both[0]!r} is among both watch_columns and ignore_columns. Leave it out of one."
            raise ConfigurationError(message)

    def thresholds(self, column: str | None = None) -> tuple[float, float]:
        """Return the possible-drift and the drift threshold, of a column or in general."""
        own = {} if column is None else self.own_limits(column)
        return thresholds_of(self.name, self.drift_threshold, self.possible_drift_threshold, own)

    def own_limits(self, column: str) -> dict[str, float]:
        """Return the limits that a column has of its own: those of its name, else those of ``"*"``."""
        return own_limits(self.limits, column)

    def limits_of(self, check: str, column: str) -> tuple[float, float]:
        """Return the limits of a check of a column; under ``mlrun`` they are shown and judge nothing."""
        if check not in SHARE_LIMITS:
            return self.thresholds(column) if self.name == "effect" else THRESHOLDS["effect"]
        own = self.own_limits(column).get(check)
        return SHARE_LIMITS[check] if own is None else (own / 5, own)

    def parameters(self) -> dict[str, float | str]:
        """Return what the verdict depends on, for the record."""
        possible, drift = self.thresholds()
        common: dict[str, float | str] = {
            "drift_threshold": drift,
            "possible_drift_threshold": possible,
            "min_rows": float(self.min_rows),
            "inf_capping": self.inf_capping,
            "edges": self.edges,
        }
        if self.name == "effect":
            common["significance"] = self.significance
            common["correction"] = self.correction
            common["max_drifted_fraction"] = self.max_drifted_fraction
        own = {f"{column}: {name}": value for column, limits in self.limits.items() for name, value in limits.items()}
        return {
            **common,
            **own,
            **({"watch": ", ".join(self.watch)} if self.watch else {}),
            **({"ignore": ", ".join(self.ignore)} if self.ignore else {}),
        }


def status_at(value: float, limits: tuple[float, float]) -> DriftStatus:
    """Judge one number by the possible-drift and the drift limit."""
    if value >= limits[1]:
        return DriftStatus.DRIFT_DETECTED
    return DriftStatus.POSSIBLE_DRIFT if value >= limits[0] else DriftStatus.NO_DRIFT


def judge(compared: Sequence[Compared], rows: int, reference_rows: int, rule: DriftRule) -> list[ColumnDrift]:
    """Give every column its checks and its status.

    Parameters
    ----------
    compared
        The columns, with their roles.
    rows, reference_rows
        Of the whole data: shares of missing values are judged on them.
    """
    judged = [each for each in compared if is_judged(each.column, rule)]
    corrected = _corrected(judged, rule)
    enough = min(rows, reference_rows) >= rule.min_rows
    columns = []
    for each in compared:
        name = each.column.name
        checks = tuple(_check(found, name, corrected.get((name, found.name)), rule) for found in each.evidence)
        columns.append(_with_status(each.column, checks, rule, enough=enough))
    return columns


def is_judged(column: ColumnDrift, rule: DriftRule) -> bool:
    """Say whether a column has a say in the verdict."""
    return column.name not in rule.ignore and (column.role != "other" or column.name in rule.watch)


def _corrected(judged: Sequence[Compared], rule: DriftRule) -> dict[tuple[str, str], float]:
    """Correct the p-values of all checks of all judged columns together: any false alarm among them counts."""
    all_p = {(each.column.name, found.name): found.p for each in judged for found in each.evidence}
    return dict(zip(all_p, adjusted(list(all_p.values()), rule.correction), strict=True))


def _check(found: Evidence, column: str, corrected: float | None, rule: DriftRule) -> Check:
    possible, drift = rule.limits_of(found.name, column)
    p = found.p if corrected is None else corrected
    return Check(
        name=found.name,
        value=found.value,
        possible=possible,
        drift=drift,
        p=found.p,
        p_adjusted=p,
        status=status_at(found.value, (possible, drift)) if p < rule.significance else DriftStatus.NO_DRIFT,
    )


def _with_status(column: ColumnDrift, checks: tuple[Check, ...], rule: DriftRule, *, enough: bool) -> ColumnDrift:
    if column.checks:  # a type that changed, a column gone: there is nothing to weigh
        return replace(column, status=DriftStatus.NOT_ANALYSED if rule.name == "mlrun" else column.status)
    column = replace(column, checks=checks, effect=effect(checks))
    values = (column.reference_values or 0, column.current_values or 0)
    if rule.name == "mlrun":
        return _mlrun_status(column, values, rule)
    if column.kind == "none" or not values[0]:
        return column
    status = worst(checks, DriftStatus.NO_DRIFT)
    if not enough or (min(values) < rule.min_rows and status == DriftStatus.NO_DRIFT):
        return replace(column, status=DriftStatus.INSUFFICIENT, reason=column.reason or _few(values))
    return replace(column, status=status)


def worst(checks: Iterable[Check], default: DriftStatus = DriftStatus.NOT_ANALYSED) -> DriftStatus:
    """Return the worst status of some checks, ``default`` where there is none."""
    return max((check.status for check in checks), key=SEVERITY.__getitem__, default=default)


def effect(checks: Sequence[Check]) -> float | None:
    """Return the largest of the checks that speak, in units of its drift limit; None without any check."""
    found = [check.value / check.drift if check.drift else math.inf for check in checks if check.status in BAD]
    return min(1e9, max(found, default=0.0)) if checks else None


def _mlrun_status(column: ColumnDrift, values: tuple[int, int], rule: DriftRule) -> ColumnDrift:
    if column.mlrun is None:
        return column
    if min(values[0], values[1] or rule.min_rows) < rule.min_rows:
        return replace(column, status=DriftStatus.INSUFFICIENT, reason=column.reason or _few(values))
    return replace(column, status=status_at(column.mlrun.drift, rule.thresholds(column.name)))


def _few(values: tuple[int, int]) -> str:
    return f"{values[0]:,} reference and {values[1]:,} current values: too few to judge"


def mlrun_metric(columns: Iterable[ColumnDrift], without: Iterable[str] = ()) -> float | None:
    """Return MLRun's drift metric: (mean TVD + mean Hellinger) / 2 over the columns that have numbers."""
    left_out = set(without)
    numbers = [(c.mlrun.tvd, c.mlrun.hellinger) for c in columns if c.mlrun is not None and c.name not in left_out]
    if not numbers:
        return None
    tvd, distances = (math.fsum(side) / len(numbers) for side in zip(*numbers, strict=True))
    return drift_score(tvd, distances)


def important(importances: Mapping[str, float] | None, rule: DriftRule) -> set[str] | None:
    """Return the columns that make up 95 % of the model and those that are watched; None: all, since nobody knows."""
    if importances is None:
        return set(rule.watch) or None
    found, held = set(rule.watch), 0.0
    for name, share in sorted(importances.items(), key=lambda pair: (-pair[1], pair[0])):
        if held >= _IMPORTANT_SHARE or share <= 0:
            break
        found.add(name)
        held += share
    return found


def verdict(
    columns: Sequence[ColumnDrift], metric: float | None, rows: int, reference_rows: int, rule: DriftRule
) -> DriftStatus:
    """Return the dataset's status.

    Parameters
    ----------
    columns
        Judged, with roles and importance.
    metric
        MLRun's, which the rule ``mlrun`` goes by.
    rows, reference_rows
        Of the current data and of the reference.
    """
    if min(rows, reference_rows) < rule.min_rows:
        return DriftStatus.INSUFFICIENT
    if rule.name == "mlrun":
        return DriftStatus.NOT_ANALYSED if metric is None else status_at(metric, rule.thresholds())
    judged = [column for column in columns if is_judged(column, rule)]
    statuses = [column.status for column in judged if column.status != DriftStatus.NOT_ANALYSED]
    if not statuses:
        return DriftStatus.NOT_ANALYSED
    drifted = [column for column in judged if column.status == DriftStatus.DRIFT_DETECTED]
    if any(column.is_important for column in drifted) or len(drifted) > rule.max_drifted_fraction * len(statuses):
        return DriftStatus.DRIFT_DETECTED
    if drifted or DriftStatus.POSSIBLE_DRIFT in statuses:
        return DriftStatus.POSSIBLE_DRIFT
    return DriftStatus.NO_DRIFT if DriftStatus.NO_DRIFT in statuses else DriftStatus.INSUFFICIENT
