"""The one place that judges drift: a dataset against a reference, column by column, and as a whole.

What must not be relaxed: identical data is exactly 0; no column is left out without being named; too few rows are
never "no drift".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from airflow_batch_inference.drift.metrics import drift_score, hellinger, kl_divergence, total_variation
from airflow_batch_inference.drift.statistics import (
    COLUMN_ERRORS,
    categorical_statistics,
    category_counts,
    column_statistics,
    finite_values,
    histogram,
    is_categorical,
    numeric_statistics,
)
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import (
    CategoricalStatistics,
    ColumnDrift,
    DriftResult,
    DriftStatus,
    NumericStatistics,
    StatisticsRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from airflow_batch_inference.records import ColumnStatistics, DataFile

_SHOWN_UNSEEN = 10
_SHOWN_REASONS = 5
_WORTH_SAYING = 0.05


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
        Stands for an infinite metric.
    edges
        ``padded``: what lies outside the reference's range counts in two bins of its own; ``open``: it is left out.
    min_rows
        Below it, on either side, the verdict is ``INSUFFICIENT``.
    """

    name: str = "mlrun"
    drift_threshold: float = 0.7
    possible_drift_threshold: float = 0.5
    inf_capping: float = 10.0
    edges: Literal["padded", "open"] = "padded"
    min_rows: int = 30

    def __post_init__(self) -> None:
        """Refuse a rule that can never work."""
        if self.name not in RULES:
            message = f"rule is {self.name!r}; it must be one of {', '.join(map(repr, RULES))}."
            raise ConfigurationError(message)
        if not 0 <= self.possible_drift_threshold <= self.drift_threshold <= 1:
            message = (
                f"possible_drift_threshold is {self.possible_drift_threshold} and drift_threshold is "
                f"{self.drift_threshold}; they must lie in [0, 1], the first not over the second."
            )
            raise ConfigurationError(message)

    def status(self, drift: float) -> DriftStatus:
        """Judge one number."""
        if drift >= self.drift_threshold:
            return DriftStatus.DRIFT_DETECTED
        return DriftStatus.POSSIBLE_DRIFT if drift >= self.possible_drift_threshold else DriftStatus.NO_DRIFT


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
        The result (without URIs: a caller adds them) and the current data's statistics.
    """
    reference = {} if baseline is None else {column.name: column for column in baseline.columns}
    compared: list[ColumnDrift] = []
    summaries: list[ColumnStatistics] = []
    skipped: dict[str, str] = {}
    for name, values in columns:
        try:
            summary, drift = _column(name, values, reference.get(name), rule)
        except COLUMN_ERRORS as error:
            skipped[name] = str(error)
            if name in reference:
                compared.append(_incomparable(name, str(error)))
            continue
        summaries.append(summary)
        if drift is not None:
            compared.append(drift)
    result = _result(baseline, compared, column_names, rows, rule)
    return result, StatisticsRecord(rows=rows, source=source, columns=tuple(summaries), skipped=skipped)


# -- one column -----------------------------------------------------------------------------------------------


def _column(
    name: str, values: pa.ChunkedArray, reference: ColumnStatistics | None, rule: DriftRule
) -> tuple[ColumnStatistics, ColumnDrift | None]:
    if reference is None:
        return column_statistics(name, values), None
    empty = values.null_count == len(values)
    if isinstance(reference, CategoricalStatistics) and (is_categorical(values.type) or empty):
        counts = {} if empty else category_counts(values)
        summary: ColumnStatistics = categorical_statistics(name, values.cast("string") if empty else values)
        return summary, _compare_categories(reference, counts, len(values), rule)
    if isinstance(reference, NumericStatistics) and (empty or not is_categorical(values.type)):
        finite, missing, infinite = finite_values(values.cast("double") if empty else values)
        numeric = numeric_statistics(name, values.type, len(values), finite, missing, infinite)
        return numeric, _compare_numbers(reference, finite, numeric, rule)
    reason = f"it was {reference.type} in the reference and is {values.type} now"
    return column_statistics(name, values), _incomparable(name, reason)


def _compare_numbers(
    reference: NumericStatistics, current: NDArray[np.float64], summary: NumericStatistics, rule: DriftRule
) -> ColumnDrift:
    edges = np.array(reference.edges)
    reference_counts = np.array([0, *reference.counts, 0], dtype=np.int64)
    current_counts = histogram(current, edges) if len(edges) else np.zeros(2, dtype=np.int64)
    outside = int(current_counts[0] + current_counts[-1])
    if rule.edges == "open":
        reference_counts, current_counts = reference_counts[1:-1], current_counts[1:-1]
    numbers = _distances(current_counts, len(current), reference_counts, int(sum(reference.counts)), rule)
    return ColumnDrift(
        name=reference.name,
        kind="numeric",
        reference_missing_fraction=_share(reference.missing, reference.rows),
        current_missing_fraction=_share(summary.missing, summary.rows),
        reference_inf_fraction=_share(reference.inf, reference.rows),
        current_inf_fraction=_share(summary.inf, summary.rows),
        out_of_range_fraction=_share(outside, len(current)),
        unseen_fraction=None,
        unseen=(),
        edges=reference.edges,
        categories=(),
        reference_counts=tuple(reference_counts.tolist()),
        current_counts=tuple(current_counts.tolist()),
        **numbers,
    )


def _compare_categories(
    reference: CategoricalStatistics, counts: dict[str, int], rows: int, rule: DriftRule
) -> ColumnDrift:
    known = dict(reference.counts)
    total = sum(counts.values())
    # Categories that the reference did not keep by name share one bin with those that it never saw.
    current = [counts.get(category, 0) for category in known]
    current_counts = np.array([*current, total - sum(current)], dtype=np.int64)
    reference_counts = np.array([*known.values(), reference.other], dtype=np.int64)
    unseen = sorted(
        ((category, count) for category, count in counts.items() if category not in known),
        key=lambda item: (-item[1], item[0]),
    )
    certain = reference.other == 0
    numbers = _distances(current_counts, total, reference_counts, int(reference_counts.sum()), rule)
    return ColumnDrift(
        name=reference.name,
        kind="categorical",
        reference_missing_fraction=_share(reference.missing, reference.rows),
        current_missing_fraction=_share(rows - total, rows),
        reference_inf_fraction=None,
        current_inf_fraction=None,
        out_of_range_fraction=None,
        unseen_fraction=_share(sum(count for _, count in unseen), total) if certain else None,
        unseen=tuple(unseen[:_SHOWN_UNSEEN]) if certain else (),
        edges=(),
        categories=tuple(known),
        reference_counts=tuple(reference_counts.tolist()),
        current_counts=tuple(current_counts.tolist()),
        **numbers,
    )


def _distances(
    current: NDArray[np.int64], n_current: int, reference: NDArray[np.int64], n_reference: int, rule: DriftRule
) -> dict[str, Any]:
    """Return the measures of a column and its status; a side without values has no distribution."""
    nothing: dict[str, Any] = {
        "status": DriftStatus.NOT_ANALYSED, "reason": None, "drift": None, "tvd": None, "hellinger": None, "kld": None,
    }  # fmt: skip
    if not n_reference:
        return nothing | {"reason": "the reference has no values"}
    if not n_current:
        # All mass has gone: the distributions have nothing in common.
        gone = {"reason": "no current value is left", "drift": 1.0, "tvd": 1.0, "hellinger": 1.0}
        return nothing | gone | {"status": rule.status(1.0)}
    p, q = current / n_current, reference / n_reference
    capped = [
        value if math.isfinite(value) else rule.inf_capping
        for value in (total_variation(p, q), hellinger(p, q), kl_divergence(p, q))
    ]
    if np.array_equal(p, q):
        capped = [0.0, 0.0, 0.0]  # equal shares: rounding in the square roots must not show
    drift = drift_score(capped[0], capped[1])
    return {
        "status": rule.status(drift),
        "reason": None,
        "drift": drift,
        "tvd": capped[0],
        "hellinger": capped[1],
        "kld": capped[2],
    }


def _incomparable(name: str, reason: str) -> ColumnDrift:
    return ColumnDrift(
        name=name,
        kind="none",
        status=DriftStatus.NOT_ANALYSED,
        reason=reason,
        drift=None,
        tvd=None,
        hellinger=None,
        kld=None,
        reference_missing_fraction=None,
        current_missing_fraction=None,
        reference_inf_fraction=None,
        current_inf_fraction=None,
        out_of_range_fraction=None,
        unseen_fraction=None,
        unseen=(),
        edges=(),
        categories=(),
        reference_counts=(),
        current_counts=(),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


# -- the whole ------------------------------------------------------------------------------------------------


def _mlrun_metric(columns: Sequence[ColumnDrift]) -> float | None:
    """Return MLRun's drift metric: (mean TVD + mean Hellinger) / 2 over the columns that have numbers."""
    tvd = [column.tvd for column in columns if column.tvd is not None]
    distances = [column.hellinger for column in columns if column.hellinger is not None]
    if not tvd or not distances:
        return None
    return drift_score(math.fsum(tvd) / len(tvd), math.fsum(distances) / len(distances))


RULES = {"mlrun": _mlrun_metric}


def _result(
    baseline: StatisticsRecord | None,
    columns: Sequence[ColumnDrift],
    names: Sequence[str],
    rows: int,
    rule: DriftRule,
) -> DriftResult:
    metric = RULES[rule.name](columns)
    wanted = [] if baseline is None else [column.name for column in baseline.columns]
    missing = tuple(name for name in wanted if name not in set(names))
    extra = () if baseline is None else tuple(name for name in names if name not in {*wanted, *baseline.skipped})
    status = _status(baseline, metric, rows, rule)
    return DriftResult(
        status=status,
        reasons=(_verdict(status, metric, columns, baseline, rows, rule), *_details(columns, missing, extra)),
        rule=rule.name,
        parameters={
            "drift_threshold": rule.drift_threshold,
            "possible_drift_threshold": rule.possible_drift_threshold,
            "inf_capping": rule.inf_capping,
            "edges": rule.edges,
            "min_rows": float(rule.min_rows),
        },
        drift_metric=metric,
        reference_rows=None if baseline is None else baseline.rows,
        current_rows=rows,
        columns=tuple(columns),
        missing_columns=missing,
        extra_columns=extra,
        baseline_uri=None,
        dataset_uri=None,
        batch_id=None,
        model_sha256=None,
        report_uri=None,
        statistics_uri=None,
        features_drift_uri=None,
    )


def _status(baseline: StatisticsRecord | None, metric: float | None, rows: int, rule: DriftRule) -> DriftStatus:
    if baseline is None:
        return DriftStatus.NOT_ANALYSED
    if min(rows, baseline.rows) < rule.min_rows:
        return DriftStatus.INSUFFICIENT
    # A reference that shares no column with the data cannot vouch for them.
    return DriftStatus.INSUFFICIENT if metric is None else rule.status(metric)


def _verdict(
    status: DriftStatus,
    metric: float | None,
    columns: Sequence[ColumnDrift],
    baseline: StatisticsRecord | None,
    rows: int,
    rule: DriftRule,
) -> str:
    if baseline is None:
        return "There is nothing to compare with, or the analysis was switched off."
    if min(rows, baseline.rows) < rule.min_rows:
        side = f"{rows} current" if rows < rule.min_rows else f"{baseline.rows} reference"
        return f"Only {side} rows: below {rule.min_rows} no verdict is given."
    if metric is None:
        return "No column of the reference can be compared: the two datasets share none that has values."
    number = sum(column.drift is not None for column in columns)
    over = {
        DriftStatus.DRIFT_DETECTED: f"at or over the drift threshold of {rule.drift_threshold:g}",
        DriftStatus.POSSIBLE_DRIFT: f"at or over the possible-drift threshold of {rule.possible_drift_threshold:g}",
    }.get(status, f"under the thresholds of {rule.possible_drift_threshold:g} and {rule.drift_threshold:g}")
    return f"The mean drift of {number} column(s) is {metric:.3f}, {over}."


def _details(columns: Sequence[ColumnDrift], missing: Sequence[str], extra: Sequence[str]) -> list[str]:
    drifted = sorted((c for c in columns if c.drift), key=lambda column: -(column.drift or 0.0))
    details = []
    if drifted:
        named = ", ".join(f"{column.name} {column.drift:.2f}" for column in drifted[:_SHOWN_REASONS])
        details.append(f"Highest: {named}.")
    details += [f"Not compared: {column.name} ({column.reason})." for column in columns if column.drift is None]
    details += [f"{column.name}: {column.reason}." for column in columns if column.drift is not None and column.reason]
    for column in columns:
        details += _oddities(column)
    if missing:
        details.append(f"Gone from the data: {', '.join(missing)}.")
    if extra:
        details.append(f"Not in the reference: {', '.join(extra)}.")
    return details


def _oddities(column: ColumnDrift) -> list[str]:
    """Say what the distance of the histograms does not show."""
    found = []
    now, before = column.current_missing_fraction, column.reference_missing_fraction
    if now is not None and before is not None and abs(now - before) >= _WORTH_SAYING:
        found.append(f"{column.name}: {now:.0%} missing, {before:.0%} in the reference.")
    if column.current_inf_fraction:
        found.append(f"{column.name}: {column.current_inf_fraction:.2%} infinite.")
    if column.unseen_fraction:
        named = ", ".join(category for category, _ in column.unseen[:3])
        found.append(f"{column.name}: {column.unseen_fraction:.1%} in categories never seen before ({named}).")
    return found
