"""The rule ``effect``: a column drifts where an effect is large enough to matter and too large for chance.

Invariants: nothing is drift that is small, or that chance explains; too few rows are never "no drift".
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from airflow_batch_inference.drift.limits import EVERY, SHAPE_LIMITS
from airflow_batch_inference.drift.reasons import (
    MOST_NAMED,
    NOTHING_COMPARED,
    insufficient,
    left_out,
    named,
    new_categories,
    number_of_columns,
    percent,
    short,
)
from airflow_batch_inference.drift.rules.base import Bar, Context, Rule, Verdict
from airflow_batch_inference.drift.statuses import BAD, SEVERITY, worst
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.records import BaselineRecord, Check, ColumnBaseline, ColumnDrift

_SHAPES = ("distance", "divergence")
_UNITS = {
    "distance": "{:.2g} sd",
    "divergence": "JS {:.2f}",
    "missing": "±{:.0%} missing",
    "infinite": "±{:.0%} infinite",
    "mean": "{:.2g} sd",
    "mix": "{:.0%} elsewhere",
    "range": "{:.0%} outside",
    "unseen": "{:.0%} new",
}


class EffectRule(Rule):
    """Judges every check of every column that the model takes or gives, against limits and chance."""

    name: ClassVar[str] = "effect"
    usual_thresholds: ClassVar[tuple[float, float]] = SHAPE_LIMITS
    ends_at: ClassVar[str] = (
        "the Jensen-Shannon distance of categories ends at 1, and nothing would ever be over it. A column of numbers "
        "may have a larger one by its name, in standard deviations: column_limits={'age': {'drift_threshold': 3}}"
    )
    shows_noise: ClassVar[bool] = True

    def judge(self, comparisons: Sequence[ColumnDrift], context: Context) -> Verdict:
        """Return the verdict: the dataset drifts where a column that matters does, or many do."""
        is_enough = self.has_enough(context)
        columns = tuple(self._with_status(column, is_enough=is_enough) for column in comparisons)
        judged = [column for column in columns if column.is_judged]
        status = self._status(judged) if is_enough else DriftStatus.INSUFFICIENT
        checked = {column.name for column in columns if column.checks}
        gone = [name for name in context.missing_columns if name in checked]
        reasons = (
            self._decided(status, judged, context),
            *_found(judged),
            _more(judged),
            *left_out(judged, self, context, gone),
        )
        return Verdict(
            status=status,
            metric=max((column.effect for column in judged if column.effect is not None), default=None),
            columns=columns,
            reasons=tuple(filter(None, reasons)),
        )

    def _with_status(self, column: ColumnDrift, *, is_enough: bool) -> ColumnDrift:
        values = (column.reference_values or 0, column.current_values or 0)
        if column.kind == "none" or not values[0]:  # a schema change has its status, and the others nothing to weigh
            return column
        status = worst(column.checks, DriftStatus.NO_DRIFT)
        if not is_enough or (min(values) < self.min_rows and status == DriftStatus.NO_DRIFT):
            few = f"{values[0]:,} reference and {values[1]:,} current values: too few to judge"
            return replace(column, status=DriftStatus.INSUFFICIENT, reason=column.reason or few)
        return replace(column, status=status)

    def _status(self, judged: Sequence[ColumnDrift]) -> DriftStatus:
        statuses = [column.status for column in judged if column.status != DriftStatus.NOT_ANALYSED]
        if not statuses:
            return DriftStatus.NOT_ANALYSED
        drifted = [column for column in judged if column.status == DriftStatus.DRIFT_DETECTED]
        if any(column.is_important for column in drifted) or len(drifted) > self.max_drifted_fraction * len(statuses):
            return DriftStatus.DRIFT_DETECTED
        if drifted or DriftStatus.POSSIBLE_DRIFT in statuses:
            return DriftStatus.POSSIBLE_DRIFT
        return DriftStatus.NO_DRIFT if DriftStatus.NO_DRIFT in statuses else DriftStatus.INSUFFICIENT

    # -- limits -------------------------------------------------------------------------------------------------------

    @classmethod
    def highest(cls, column: str | None) -> float:
        """Return 1 where columns of categories are meant too; numbers may move by any number of deviations."""
        return 1.0 if column in (None, EVERY) else math.inf

    def shape_limits(self, column: str) -> tuple[float, float]:
        """Return the column's thresholds."""
        return self.thresholds(column)

    def require_reachable(self, baseline: BaselineRecord) -> None:
        """Refuse a column's threshold that nothing could ever be over, now that the columns' kinds are known."""
        for column in baseline.columns:
            name = column.profile.name
            drift = self.limits.get(name, {}).get("drift_threshold")
            if drift is None or drift <= 1:
                continue
            most = max(1.0, _farthest(column))
            if drift > most:
                what = (
                    "it holds categories, whose Jensen-Shannon distance ends at 1"
                    if column.kind == "categorical"
                    else f"its values can move by {most:.3g} standard deviations of the reference at most"
                )
                message = (
                    f"drift_threshold of column {name!r} is {drift:g}, and nothing would ever be over it: {what}. Give "
                    "a smaller one, or leave the column out with ignore_columns."
                )
                raise ConfigurationError(message)

    def parameters(self) -> dict[str, float | str]:
        """Return what the verdict depends on, for the record."""
        return {
            **super().parameters(),
            "significance": self.significance,
            "correction": self.correction,
            "max_drifted_fraction": self.max_drifted_fraction,
        }

    # -- how reports show it ------------------------------------------------------------------------------------------

    @classmethod
    def bar(cls, column: ColumnDrift, limits: tuple[float, float]) -> Bar | None:
        """Return the bar of the check that says most."""
        check = _leading(column)
        if check is None:
            return None
        if check.name not in _UNITS:  # a schema change: a type that changed, a column that is gone
            return Bar(text="", share=1.0)
        full = 2 * check.drift or 1.0
        is_usual = check.name in _SHAPES and (check.possible, check.drift) == limits
        # The divergence has what chance makes taken off already.
        floor = column.noise_floor.get("w1_sd") if check.name == "distance" else None
        return Bar(
            text=_UNITS[check.name].format(check.value),
            share=check.value / full,
            mark=None if is_usual else min(1.0, check.possible / full),
            noise=None if floor is None else min(1.0, floor / full),
        )

    # -- in words -----------------------------------------------------------------------------------------------------

    def _decided(self, status: DriftStatus, judged: Sequence[ColumnDrift], context: Context) -> str:
        if status == DriftStatus.INSUFFICIENT:
            return insufficient(self, context)
        statuses = [column.status for column in judged]
        compared = sum(each != DriftStatus.NOT_ANALYSED for each in statuses)
        if not compared:
            return NOTHING_COMPARED
        drifted = statuses.count(DriftStatus.DRIFT_DETECTED)
        possible = statuses.count(DriftStatus.POSSIBLE_DRIFT)
        if not drifted and not possible:
            all_of = "The one column that can be compared is" if compared == 1 else f"All {compared} columns are"
            return f"{all_of} within {'its' if compared == 1 else 'their'} limits."
        if not drifted:
            return f"{possible} of {number_of_columns(compared)} may have drifted."
        said = f"{drifted} of {number_of_columns(compared)} {'has' if drifted == 1 else 'have'} drifted"
        return f"{said}{f', {possible} may have' if possible else ''}{self._cause(status, judged)}."

    def _cause(self, status: DriftStatus, judged: Sequence[ColumnDrift]) -> str:
        """Say what makes the columns' drift the dataset's, where that is not plain."""
        drifted = [column for column in judged if column.status == DriftStatus.DRIFT_DETECTED]
        if status != DriftStatus.DRIFT_DETECTED:
            return "; none of them matters much to the model"
        if any(column.role == "prediction" for column in drifted):
            return "; the predictions are among them"
        if not any(column.is_important for column in drifted):
            return f": more than {self.max_drifted_fraction:.0%}"
        matter = [short(column.name) for column in drifted if column.is_important]
        if all(column.is_important for column in judged) or len(matter) > MOST_NAMED:
            return ""
        return f"; {', '.join(matter)} {'matters' if len(matter) == 1 else 'matter'} to the model"


def _farthest(column: ColumnBaseline) -> float:
    """Return how far numbers can move, in standard deviations: a range outside the reference's range; 0 for others."""
    profile = column.profile
    if profile.kind != "numeric":
        return 0.0
    low, high, mean, std = profile.min, profile.max, profile.mean, profile.std
    if low is None or high is None or mean is None or not std:
        return 0.0
    wide = high - low
    return max(mean - (low - wide), (high + wide) - mean) / std


def _leading(column: ColumnDrift) -> Check | None:
    """Return the check that says most about a column: the worst one, else the larger of its two distances."""
    checks = [check for check in column.checks if check.name in (*_SHAPES, "mean", "mix")]
    bad = [check for check in column.checks if check.status in BAD]
    return max(bad or checks, key=lambda check: check.value / (check.drift or 1.0), default=None)


def _found(judged: Sequence[ColumnDrift]) -> Iterable[str]:
    """Say of the worst columns what has happened to them."""
    for column in _bad(judged)[:MOST_NAMED]:
        checks = [check for check in column.checks if check.status in BAD]
        # The two shape checks say the same thing twice: the stronger one speaks.
        shapes = sorted((c for c in checks if c.name in _SHAPES), key=lambda c: -c.value / (c.drift or 1))
        others = [check for check in checks if check not in shapes]
        said = [*others, *shapes[:1]] if others else shapes[:1]
        words = ", ".join(_words(check, column) for check in said) or column.reason or ""
        yield f"{short(column.name)}: {words}."


def _more(judged: Sequence[ColumnDrift]) -> str:
    return named("Further", (short(column.name) for column in _bad(judged)[MOST_NAMED:]))


def _bad(judged: Sequence[ColumnDrift]) -> list[ColumnDrift]:
    return sorted(
        (column for column in judged if column.status in BAD),
        key=lambda column: (-SEVERITY[column.status], -(column.effect or 0.0), column.name),
    )


def _words(check: Check, column: ColumnDrift) -> str:
    missing = (column.current_missing_fraction, column.reference_missing_fraction)
    infinite = (column.current_inf_fraction, column.reference_inf_fraction)
    top = new_categories(column)
    return {
        "distance": f"moved by {check.value:.2g} standard deviations",
        "divergence": f"its distribution changed (Jensen-Shannon {check.value:.2f})",
        "missing": f"{percent(missing[0])} missing, was {percent(missing[1])}",
        "infinite": f"{percent(infinite[0])} infinite, was {percent(infinite[1])}",
        "range": f"{percent(check.value)} outside the reference's range",
        "unseen": f"{percent(check.value)} in categories it never had{f' ({top})' if top else ''}",
        "type": column.reason or "its type changed",
        "gone": "gone from the data",
    }[check.name]
