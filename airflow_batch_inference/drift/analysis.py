"""A dataset against a reference: every column compared, one verdict, the reasons in words.

What must not be relaxed: each column is read once and dropped; one bad column never stops the others; no column is
left out without being named; too few rows are never "no drift".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_batch_inference.drift.comparison import compare_column, incomparable
from airflow_batch_inference.drift.reasons import reasons
from airflow_batch_inference.drift.rules import DriftRule
from airflow_batch_inference.drift.statistics import COLUMN_ERRORS
from airflow_batch_inference.records import DriftResult, DriftStatus, StatisticsRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from airflow_batch_inference.records import ColumnDrift, ColumnStatistics, DataFile

__all__ = ["DriftRule", "analyse"]


def analyse(
    baseline: StatisticsRecord | None,
    columns: Iterable[tuple[str, pa.ChunkedArray]],
    *,
    column_names: Sequence[str],
    rows: int,
    source: tuple[DataFile, ...],
    rule: DriftRule,
) -> tuple[DriftResult, StatisticsRecord]:
    """Compare a dataset with a baseline; each column is read once, for its statistics and for the comparison.

    Parameters
    ----------
    baseline
        The reference's statistics; None: nothing to compare with, the verdict is ``NOT_ANALYSED``.
    columns
        (name, values) pairs of the current data, read one after the other.
    column_names
        The names of all of them.
    rows
        Rows of the current data.
    source
        Its files, for provenance.
    rule
        How to judge.

    Returns
    -------
    tuple
        The result (without URIs: a caller adds them) and the current data's statistics. Where no column can be
        compared the verdict is ``NOT_ANALYSED``: a reference that shares nothing with the data cannot vouch for them.
    """
    reference = {} if baseline is None else {column.name: column for column in baseline.columns}
    unsummarised = {} if baseline is None else baseline.skipped
    compared: list[ColumnDrift] = []
    summaries: list[ColumnStatistics] = []
    skipped: dict[str, str] = {}
    for name, values in columns:
        drift = incomparable(name, f"in the reference: {unsummarised[name]}") if name in unsummarised else None
        try:
            summary, found = compare_column(name, values, reference.get(name), rule)
            summaries.append(summary)
            drift = found or drift
        except COLUMN_ERRORS as error:
            skipped[name] = str(error)
            drift = incomparable(name, str(error)) if name in reference else drift
        if drift is not None:
            compared.append(drift)
    result = _result(baseline, compared, column_names, rows, rule)
    return result, StatisticsRecord(rows=rows, source=source, columns=tuple(summaries), skipped=skipped)


def _result(
    baseline: StatisticsRecord | None,
    columns: Sequence[ColumnDrift],
    names: Sequence[str],
    rows: int,
    rule: DriftRule,
) -> DriftResult:
    metric = rule.metric(columns)
    wanted = [] if baseline is None else [*(column.name for column in baseline.columns), *baseline.skipped]
    there, known = set(names), set(wanted)
    result = DriftResult(
        status=_status(baseline, metric, rows, rule),
        reasons=(),
        rule=rule.name,
        parameters=rule.parameters(),
        drift_metric=metric,
        reference_rows=None if baseline is None else baseline.rows,
        current_rows=rows,
        columns=tuple(columns),
        missing_columns=tuple(name for name in wanted if name not in there),
        extra_columns=() if baseline is None else tuple(name for name in names if name not in known),
        baseline_uri=None,
        dataset_uri=None,
        batch_id=None,
        model_sha256=None,
        report_uri=None,
        statistics_uri=None,
        features_drift_uri=None,
    )
    return replace(result, reasons=reasons(result, rule))


def _status(baseline: StatisticsRecord | None, metric: float | None, rows: int, rule: DriftRule) -> DriftStatus:
    if baseline is None:
        return DriftStatus.NOT_ANALYSED
    if min(rows, baseline.rows) < rule.min_rows:
        return DriftStatus.INSUFFICIENT
    return DriftStatus.NOT_ANALYSED if metric is None else rule.status(metric)
