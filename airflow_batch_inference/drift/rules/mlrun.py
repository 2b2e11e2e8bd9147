"""The rule ``mlrun``: the mean over all columns of (TVD + Hellinger) / 2, as MLRun judges.

Invariants: the numbers stay MLRun's: neither earlier runs nor a column that is gone changes them; too few rows are
never "no drift".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from airflow_batch_inference.drift.reasons import (
    MOST_NAMED,
    NOTHING_COMPARED,
    insufficient,
    left_out,
    named,
    new_categories,
    number_of_columns,
    short,
)
from airflow_batch_inference.drift.rules.base import Bar, Context, Rule, Verdict
from airflow_batch_inference.drift.statuses import status_at
from airflow_batch_inference.records import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import ColumnDrift

_METRIC = "mlrun_drift"
_WORTH_SAYING = 0.05


class MlrunRule(Rule):
    """Judges the mean drift of all columns, whatever the model takes."""

    name: ClassVar[str] = "mlrun"
    usual_thresholds: ClassVar[tuple[float, float]] = (0.5, 0.7)
    ends_at: ClassVar[str] = "(TVD + Hellinger) / 2 ends at 1, and nothing would ever be over it"
    judges_every_column: ClassVar[bool] = True
    weighs_only_metrics: ClassVar[bool] = True

    def judge(self, comparisons: Sequence[ColumnDrift], context: Context) -> Verdict:
        """Return the verdict: the dataset drifts where the mean of its columns does."""
        columns = tuple(map(self._with_status, comparisons))
        metric = context.metrics.get(_METRIC)
        status = DriftStatus.NOT_ANALYSED if metric is None else status_at(metric, self.thresholds())
        if not self.has_enough(context):
            status = DriftStatus.INSUFFICIENT
        judged = [column for column in columns if column.is_judged]
        reasons = (
            self._decided(status, metric, columns, context),
            self._highest(columns),
            *_oddities(columns),
            *left_out(judged, self, context, context.missing_columns),
        )
        return Verdict(status=status, metric=metric, columns=columns, reasons=tuple(filter(None, reasons)))

    def _with_status(self, column: ColumnDrift) -> ColumnDrift:
        drift = column.metrics.get(_METRIC)
        if drift is None:
            return replace(column, status=DriftStatus.NOT_ANALYSED)
        values = (column.reference_values or 0, column.current_values or 0)
        if min(values[0], values[1] or self.min_rows) < self.min_rows:
            few = f"{values[0]:,} reference and {values[1]:,} current values: too few to judge"
            return replace(column, status=DriftStatus.INSUFFICIENT, reason=column.reason or few)
        return replace(column, status=status_at(drift, self.thresholds(column.name)))

    @classmethod
    def highest(cls, column: str | None) -> float:  # noqa: ARG003  # it is the same for all
        """Return 1: the metric ends there."""
        return 1.0

    # -- how reports show it ------------------------------------------------------------------------------------------

    @classmethod
    def rank(cls, column: ColumnDrift) -> tuple[float, ...]:
        """Return what columns are sorted by: their drift, and their effect where they are alike."""
        drift = column.metrics.get(_METRIC)
        return -(drift or 0.0), -(column.effect or 0.0), float(drift is None)

    @classmethod
    def marks(cls, possible: float, drift: float) -> tuple[float, float]:
        """Return the thresholds themselves: the bar goes to 1, as the metric does."""
        return possible, drift

    @classmethod
    def bar(cls, column: ColumnDrift, limits: tuple[float, float]) -> Bar | None:  # noqa: ARG003  # the same for all
        """Return the metric."""
        drift = column.metrics.get(_METRIC)
        return None if drift is None else Bar(text=f"{drift:.2f}", share=drift)

    # -- in words -----------------------------------------------------------------------------------------------------

    def _decided(
        self, status: DriftStatus, metric: float | None, columns: Sequence[ColumnDrift], context: Context
    ) -> str:
        if status == DriftStatus.INSUFFICIENT:
            given = "" if metric is None else f" The drift metric is {metric:.3f}."
            return f"{insufficient(self, context)}{given}"
        if metric is None:
            return NOTHING_COMPARED
        number = sum(_METRIC in column.metrics for column in columns)
        possible, drift = self.thresholds()
        over = {
            DriftStatus.DRIFT_DETECTED: f"at or over the drift threshold of {drift:g}",
            DriftStatus.POSSIBLE_DRIFT: (
                f"at or over the possible-drift threshold of {possible:g}, under the drift threshold of {drift:g}"
            ),
        }.get(status, f"under the thresholds of {possible:g} and {drift:g}")
        return f"The mean drift of {number_of_columns(number)} is {metric:.3f}, {over}."

    def _highest(self, columns: Sequence[ColumnDrift]) -> str:
        pairs = [(column.name, drift) for column in columns if (drift := column.metrics.get(_METRIC))]
        drifted = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
        over = sum(column.status == DriftStatus.DRIFT_DETECTED for column in columns)
        said = named("Highest", (f"{short(name)} {drift:.2f}" for name, drift in drifted[:MOST_NAMED]))
        if not over or not said:
            return said
        are = "is" if over == 1 else "are"
        return f"{over} of {len(columns)} columns {are} at or over {self.thresholds()[1]:g} alone. {said}"


def _oddities(columns: Sequence[ColumnDrift]) -> list[str]:
    """Say what the distance of the histograms does not show."""
    missing, infinite, outside, unseen, other = [], [], [], [], []
    for column in columns:
        name = short(column.name)
        now, before = column.current_missing_fraction, column.reference_missing_fraction
        if now is not None and before is not None and abs(now - before) >= _WORTH_SAYING:
            missing.append(f"{name} {now:.0%} (was {before:.0%})")
        if column.current_inf_fraction:
            infinite.append(f"{name} {column.current_inf_fraction:.2%}")
        if (column.out_of_range_fraction or 0) >= _WORTH_SAYING:
            outside.append(f"{name} {column.out_of_range_fraction:.0%}")
        if column.unseen_fraction:
            unseen.append(f"{name} {column.unseen_fraction:.1%} ({new_categories(column)})")
        if column.metrics and column.reason:
            other.append(f"{name} ({column.reason})")
    return [
        named("Missing values", missing),
        named("Infinite values", infinite),
        named("Outside the reference's range", outside),
        named("Categories that the reference never had", unseen),
        named("With reserve", other),
    ]
