"""A rule of somebody else's: any column whose toy metric reaches the drift threshold is drift."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from airflow_batch_inference.drift.rules.base import Context, Rule, Verdict
from airflow_batch_inference.drift.statuses import status_at
from airflow_batch_inference.records import DriftStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import ColumnDrift


class MedianRule(Rule):
    """Judges columns by how far their medians have moved."""

    name: ClassVar[str] = "median"
    usual_thresholds: ClassVar[tuple[float, float]] = (1.0, 3.0)

    def judge(self, comparisons: Sequence[ColumnDrift], context: Context) -> Verdict:
        """Return the verdict of the column that has moved most."""
        columns = tuple(map(self._with_status, comparisons))
        moved = {c.name: c.metrics["median_shift"] for c in columns if c.is_judged and "median_shift" in c.metrics}
        if not moved:
            status, said = DriftStatus.NOT_ANALYSED, "No median can be compared."
        elif not self.has_enough(context):
            status, said = DriftStatus.INSUFFICIENT, f"Fewer than {self.min_rows} rows."
        else:
            most = max(moved, key=moved.__getitem__)
            limits = self.thresholds(most)
            status, said = status_at(moved[most], limits), f"The median of {most} moved by {moved[most]:g} bins."
        return Verdict(status=status, metric=max(moved.values(), default=None), columns=columns, reasons=(said,))

    def _with_status(self, column: ColumnDrift) -> ColumnDrift:
        shift = column.metrics.get("median_shift")
        if shift is None:
            return replace(column, status=DriftStatus.NOT_ANALYSED)
        limits = self.thresholds(column.name)
        return replace(column, status=status_at(shift, limits), effect=shift / (limits[1] or 1.0))
