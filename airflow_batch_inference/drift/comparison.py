"""One column against its reference: the same bins for both, the distances, and what they do not show.

What must not be relaxed: identical data is exactly 0; a comparison that makes no sense has a reason, never a number;
too few values are never "no drift".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.drift.metrics import drift_score, hellinger, kl_divergence_symmetric, total_variation
from airflow_batch_inference.drift.statistics import (
    categorical_statistics,
    category_counts,
    column_statistics,
    finite_values,
    histogram,
    most_frequent,
    number_counted,
    numeric_statistics,
)
from airflow_batch_inference.records import CategoricalStatistics, ColumnDrift, DriftStatus, NumericStatistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_batch_inference.drift.rules import DriftRule
    from airflow_batch_inference.records import ColumnStatistics

_SHOWN_UNSEEN = 10


def compare_column(
    name: str, values: pa.ChunkedArray, reference: ColumnStatistics | None, rule: DriftRule
) -> tuple[ColumnStatistics, ColumnDrift | None]:
    """Summarise a column and compare it with its reference, reading it once.

    Parameters
    ----------
    values
        The column's current values; one that is wholly null fits any reference.
    reference
        None: there is nothing to compare with, and the second item is None.

    Raises
    ------
    UnsupportedColumnError, ValueError, pyarrow.ArrowException
        The column cannot be summarised; see ``statistics.COLUMN_ERRORS``.
    """
    if reference is None:
        return column_statistics(name, values), None
    if values.null_count == len(values):
        kind = pa.large_string() if isinstance(reference, CategoricalStatistics) else pa.float64()
        values = pa.chunked_array([pa.nulls(len(values), kind)])
    elif _family(reference.type) != _family(str(values.type)):
        reason = f"it was {reference.type} in the reference and is {values.type} now"
        return column_statistics(name, values), incomparable(name, reason)
    if isinstance(reference, CategoricalStatistics):
        counts = category_counts(values)
        summary = categorical_statistics(name, values, counts)
        return summary, _compare_categories(reference, counts, summary, rule)
    finite, missing, infinite = finite_values(values)
    numeric = numeric_statistics(name, values.type, len(values), finite, missing, infinite)
    return numeric, _compare_numbers(reference, finite, numeric, rule)


_FAMILIES = {
    "category": ("string", "large_string", "dictionary", "bool"),
    "moment": ("timestamp", "date"),
    "duration": ("duration",),
    "time of day": ("time32", "time64"),
}


def _family(kind: str) -> str:
    """Say what the values of an Arrow type are, as far as comparing them goes."""
    return next((family for family, prefixes in _FAMILIES.items() if kind.startswith(prefixes)), "number")


def _compare_numbers(
    reference: NumericStatistics, current: NDArray[np.float64], summary: NumericStatistics, rule: DriftRule
) -> ColumnDrift:
    edges = np.array(reference.edges)
    reference_counts = np.array([0, *reference.counts, 0], dtype=np.int64)
    current_counts = histogram(current, edges) if len(edges) else np.zeros(2, dtype=np.int64)
    if rule.edges == "open":
        reference_counts, current_counts = reference_counts[1:-1], current_counts[1:-1]
    numbers = _distances(current_counts, len(current), reference_counts, summary.rows, rule)
    return ColumnDrift(
        name=reference.name,
        kind="numeric",
        reference_missing_fraction=_share(reference.missing, reference.rows),
        current_missing_fraction=_share(summary.missing, summary.rows),
        reference_inf_fraction=_share(reference.inf, reference.rows),
        current_inf_fraction=_share(summary.inf, summary.rows),
        out_of_range_fraction=_out_of_range(reference, current),
        unseen_fraction=None,
        unseen=(),
        edges=reference.edges,
        categories=(),
        reference_counts=tuple(reference_counts.tolist()),
        current_counts=tuple(current_counts.tolist()),
        **numbers,
    )


def _out_of_range(reference: NumericStatistics, current: NDArray[np.float64]) -> float | None:
    """Return the share outside min and max; a constant's edges are wider than its range."""
    if reference.min is None or reference.max is None:
        return None
    below = int(np.searchsorted(current, reference.min, side="left"))
    above = len(current) - int(np.searchsorted(current, reference.max, side="right"))
    return _share(below + above, len(current))


def _compare_categories(
    reference: CategoricalStatistics, counts: pa.Table, summary: CategoricalStatistics, rule: DriftRule
) -> ColumnDrift:
    known = pa.array([category for category, _ in reference.counts], pa.large_string())
    place = pc.index_in(known, value_set=counts["name"])
    current = pc.fill_null(counts["count"].take(place), 0).to_pylist()
    total = number_counted(counts)
    # Categories that the reference did not keep by name share one bin with those that it never saw.
    rest = total - sum(current)
    current_counts = np.array([*current, rest], dtype=np.int64)
    reference_counts = np.array([*(count for _, count in reference.counts), reference.other], dtype=np.int64)
    certain = reference.other == 0
    unseen = counts.filter(pc.invert(pc.is_in(counts["name"], value_set=known)))
    numbers = _distances(current_counts, total, reference_counts, summary.rows, rule)
    return ColumnDrift(
        name=reference.name,
        kind="categorical",
        reference_missing_fraction=_share(reference.missing, reference.rows),
        current_missing_fraction=_share(summary.missing, summary.rows),
        reference_inf_fraction=None,
        current_inf_fraction=None,
        out_of_range_fraction=None,
        unseen_fraction=_share(rest, total) if certain else None,
        unseen=most_frequent(unseen, _SHOWN_UNSEEN) if certain else (),
        edges=(),
        categories=tuple(category for category, _ in reference.counts),
        reference_counts=tuple(reference_counts.tolist()),
        current_counts=tuple(current_counts.tolist()),
        **numbers,
    )


def _distances(
    current: NDArray[np.int64],
    n_current: int,
    reference: NDArray[np.int64],
    rows: int,
    rule: DriftRule,
) -> dict[str, Any]:
    """Return a column's status, reason and measures; a side without values has no distribution."""
    n_reference = int(reference.sum())
    if not n_reference or not rows:
        reason = "there are no current rows" if n_reference else "the reference has no values"
        nothing = dict.fromkeys(("drift", "tvd", "hellinger", "kld"))
        return {"status": DriftStatus.NOT_ANALYSED, "reason": reason, **nothing}
    gone = None if n_current else "no current value is left"
    # Where all values have gone the two have nothing in common, and there is no bin to measure it by.
    measures = (1.0, 1.0, None) if gone else _measure(current / n_current, reference / n_reference, rule)
    few = f"{n_reference:,} reference and {n_current:,} current values: too few to judge"
    enough = min(n_reference, n_current or rows) >= rule.min_rows
    drift = drift_score(measures[0], measures[1])
    return {
        "status": rule.status(drift) if enough else DriftStatus.INSUFFICIENT,
        "reason": gone or (None if enough else few),
        "drift": drift,
        **dict(zip(("tvd", "hellinger", "kld"), measures, strict=True)),
    }


def _measure(p: NDArray[np.float64], q: NDArray[np.float64], rule: DriftRule) -> tuple[float, float, float]:
    if np.array_equal(p, q):
        return 0.0, 0.0, 0.0  # rounding in the square roots must not show
    measures = (total_variation(p, q), hellinger(p, q), kl_divergence_symmetric(p, q))
    tvd, distance, kld = (value if math.isfinite(value) else rule.inf_capping for value in measures)
    return tvd, distance, kld


def incomparable(name: str, reason: str) -> ColumnDrift:
    """Return the entry of a column that has no number, with the reason in words."""
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
