"""Statistics of a dataset that people read, made of its profile: what is stored beside a drift result.

Invariants: every column of the profile stands there, and every one that could not be counted is named.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.drift.bins import closed, regrouped
from airflow_batch_inference.drift.packing import unpack_counts, unpack_numbers
from airflow_batch_inference.records import (
    CategoricalProfile,
    CategoricalStatistics,
    NumericBaseline,
    NumericStatistics,
    StatisticsRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from airflow_batch_inference.records import (
        CategoricalBaseline,
        ColumnBaseline,
        ColumnStatistics,
        DataFile,
        NumericProfile,
        Profile,
    )


def statistics_of(
    profile: Profile, columns: Iterable[ColumnBaseline], *, source: tuple[DataFile, ...]
) -> StatisticsRecord:
    """Return the readable statistics of a profile.

    Quantiles are interpolated between the baseline's edges: off by at most about 1/256 of the rows where they are
    spread like the reference, and by at most the share of the bin that they fall into where they are not.

    Parameters
    ----------
    profile
        The data's.
    columns
        The baseline's, on whose edges it was counted.
    source
        The data's files, for provenance.
    """
    edges = {column.profile.name: column for column in columns}
    found: list[ColumnStatistics] = []
    for column in profile.columns:
        baseline = edges[column.name]
        if isinstance(column, CategoricalProfile):
            found.append(_categories(column, baseline))  # type: ignore[arg-type]  # of one kind
        elif isinstance(baseline, NumericBaseline):
            found.append(_numbers(column, baseline))
    changed = {
        name: f"it is {kind} now, and was another kind in the reference" for name, kind in profile.changed.items()
    }
    return StatisticsRecord(
        rows=profile.rows, source=source, columns=tuple(found), skipped={**changed, **profile.skipped}
    )


def _numbers(column: NumericProfile, baseline: NumericBaseline) -> NumericStatistics:
    counts, edges = unpack_counts(column.counts), unpack_numbers(baseline.edges)
    wanted = closed(np.array(baseline.histogram_edges))
    q25, q50, q75 = (_quantile(column, counts, edges, share) for share in (0.25, 0.5, 0.75))
    return NumericStatistics(
        name=column.name,
        type=column.type,
        rows=column.rows,
        missing=column.missing,
        inf=column.inf,
        mean=column.mean,
        std=column.std,
        min=column.min,
        q25=q25,
        q50=q50,
        q75=q75,
        max=column.max,
        edges=baseline.histogram_edges,
        counts=tuple(regrouped(counts, edges, wanted)[1:-1].tolist()) if len(wanted) else (),
    )


def _quantile(
    column: NumericProfile, counts: NDArray[np.int64], edges: NDArray[np.float64], share: float
) -> float | None:
    """Interpolate inside the bin that the share falls into, which ends at the data's own minimum and maximum."""
    if column.min is None or column.max is None:
        return None
    up_to = np.cumsum(counts)
    wanted = share * up_to[-1]
    place = int(np.searchsorted(up_to, wanted))
    low = float(edges[place - 1]) if place else column.min
    high = float(edges[place]) if place < len(edges) else column.max
    if high == math.nextafter(low, math.inf):  # the bin of a single value
        return low
    low, high = max(low, column.min), min(high, column.max)
    inside = float((wanted - (up_to[place] - counts[place])) / counts[place])
    return low * (1 - inside) + high * inside


def _categories(column: CategoricalProfile, baseline: CategoricalBaseline) -> CategoricalStatistics:
    counts = unpack_counts(column.counts).tolist()
    named = [(name, count) for name, count in zip(baseline.categories, counts, strict=True) if count]
    unseen = () if baseline.profile.other else column.unseen  # those may be among the reference's
    pairs = sorted([*named, *unseen], key=lambda pair: (-pair[1], pair[0]))
    is_reference = (column.counts, column.other) == (baseline.profile.counts, baseline.profile.other)
    return CategoricalStatistics(
        name=column.name,
        type=column.type,
        rows=column.rows,
        missing=column.missing,
        counts=tuple(pairs),
        other=column.values - sum(count for _, count in pairs),
        distinct=baseline.distinct if is_reference else len(pairs),
    )
