"""The baseline: a reference dataset as edges and counts, made once, stored beside the model.

Invariants: all rows are counted, whatever their number; memory is bounded; one bad column never stops
the others, and is named.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from airflow_batch_inference.drift.bins import equal_width_edges, reference_edges
from airflow_batch_inference.drift.packing import pack
from airflow_batch_inference.drift.performance import score_edges
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.drift.values import (
    COLUMN_ERRORS,
    category_counts,
    is_categorical,
    most_frequent,
    numbers,
)
from airflow_batch_inference.records import (
    BaselineRecord,
    CategoricalBaseline,
    CategoricalProfile,
    NumericBaseline,
    NumericProfile,
    fingerprint,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from airflow_batch_inference.records import Calibration, ColumnBaseline, DataFile, Profile

MAX_CATEGORIES = 1000
_MOST_BYTES = 256 << 20


def make_baseline(
    batches: Callable[[], Iterable[pa.Table]],
    *,
    schema: pa.Schema,
    source: tuple[DataFile, ...] = (),
    model_sha256: str | None = None,
    inputs: Sequence[str] | None = None,
    predictions: Sequence[str] = (),
    scored: bool = False,
    predict_method: str | None = None,
    importances: Mapping[str, float] | None = None,
    calibration: Calibration | None = None,
    targets: Sequence[str] = (),
    most_bytes: int = _MOST_BYTES,
) -> BaselineRecord:
    """Make the baseline of a reference.

    Up to ``most_bytes`` of data (33 million numbers) one pass is enough and the edges are the reference's exact
    quantiles. Of more data every second, fourth, … row gives the edges, and a second pass counts all rows on them:
    minima, maxima, counts, sums, and whatever is computed from them, stay exact.

    Parameters
    ----------
    batches
        Called for each pass; yields the reference's rows.
    schema
        Of those tables.
    source
        Files, for provenance.
    model_sha256, inputs, predictions, scored, importances, calibration, targets
        Kept in the record, which explains them.
    most_bytes
        How much of the data is held in memory at once.
    """
    sample, extremes, is_whole = _collect(batches(), schema, most_bytes)
    further = {} if calibration is None else {calibration.score_column: score_edges(calibration)}
    empty: list[ColumnBaseline] = []
    skipped: dict[str, str] = {}
    for name in schema.names:
        try:
            column = _edges_of(name, sample.column(name), extremes.get(name), further.get(name, np.empty(0)))
            empty.append(column)
        except COLUMN_ERRORS as error:
            skipped[name] = str(error)
    profiler = Profiler(empty)
    for table in [sample] if is_whole else batches():
        profiler.add(table)
    profile = profiler.profile()
    skipped |= profile.skipped
    columns = _filled(empty, profile)
    return baseline_of(
        columns,
        skipped,
        rows=profile.rows,
        source=source,
        model_sha256=model_sha256,
        inputs=None if inputs is None else tuple(inputs),
        predictions=tuple(predictions),
        scored=scored,
        predict_method=predict_method,
        importances=None if importances is None else dict(importances),
        calibration=calibration,
        targets=tuple(targets),
    )


def baseline_of(
    columns: Sequence[ColumnBaseline],
    skipped: Mapping[str, str],
    *,
    rows: int,
    source: tuple[DataFile, ...] = (),
    model_sha256: str | None = None,
    inputs: tuple[str, ...] | None = None,
    predictions: tuple[str, ...] = (),
    scored: bool = False,
    predict_method: str | None = None,
    importances: dict[str, float] | None = None,
    calibration: Calibration | None = None,
    targets: tuple[str, ...] = (),
    made_of: str = "rows",
) -> BaselineRecord:
    """Return the record of columns that were counted; see its own fields."""
    return BaselineRecord(
        rows=rows,
        source=source,
        data_sha256=fingerprint([asdict(column) for column in columns]),
        model_sha256=model_sha256,
        columns=tuple(columns),
        skipped=dict(skipped),
        inputs=inputs,
        predictions=predictions,
        scored=scored,
        predict_method=predict_method,
        importances=importances,
        calibration=calibration,
        targets=targets,
        made_of=made_of,
    )


def _filled(empty: Sequence[ColumnBaseline], profile: Profile) -> tuple[ColumnBaseline, ...]:
    """Put the counts of all rows beside the edges."""
    counted = {column.name: column for column in profile.columns}
    filled: list[ColumnBaseline] = []
    for column in empty:
        found = counted.get(column.profile.name)
        if isinstance(column, NumericBaseline) and isinstance(found, NumericProfile):
            filled.append(NumericBaseline(profile=found, edges=column.edges, histogram_edges=column.histogram_edges))
        elif isinstance(column, CategoricalBaseline) and isinstance(found, CategoricalProfile):
            known = replace(found, unseen=())  # what it does not name is its own rest, and nothing new
            filled.append(CategoricalBaseline(profile=known, categories=column.categories, distinct=column.distinct))
    return tuple(filled)


def _collect(
    batches: Iterable[pa.Table], schema: pa.Schema, most_bytes: int
) -> tuple[pa.Table, dict[str, tuple[float, float]], bool]:
    """Return the rows that fit into memory, each numeric column's extremes over all rows, and whether all rows fit."""
    kept: list[pa.Table] = []
    extremes: dict[str, tuple[float, float]] = {}
    step, seen, held = 1, 0, 0
    for table in batches:
        _widen(extremes, table)
        taken = _every(table, step, seen)
        seen += table.num_rows
        kept.append(taken)
        held += taken.nbytes
        while held > most_bytes and sum(each.num_rows for each in kept) > 1:
            step *= 2
            kept = [_every(pa.concat_tables(kept), 2, 0).combine_chunks()]
            held = kept[0].nbytes
    sample = pa.concat_tables(kept) if kept else schema.empty_table()
    return sample, extremes, step == 1


def _every(table: pa.Table, step: int, first: int) -> pa.Table:
    """Return the rows whose number, counted from ``first`` on, is a multiple of ``step``."""
    return table if step == 1 else table.take(pa.array(np.arange(-first % step, table.num_rows, step)))


def _widen(extremes: dict[str, tuple[float, float]], table: pa.Table) -> None:
    for name, values in zip(table.column_names, table.columns, strict=True):
        if is_categorical(values.type):
            continue
        try:
            finite = [chunk[np.isfinite(chunk)] for chunk in numbers(values)]
        except COLUMN_ERRORS:
            continue  # its edges cannot be found either, which says why
        for chunk in finite:
            if len(chunk):
                low, high = extremes.get(name, (math.inf, -math.inf))
                extremes[name] = (min(low, float(chunk.min())), max(high, float(chunk.max())))


def _edges_of(
    name: str, values: pa.ChunkedArray, extremes: tuple[float, float] | None, further: NDArray[np.float64]
) -> ColumnBaseline:
    """Return a column's edges or categories, with nothing counted on them yet; ``further`` are more edges."""
    if is_categorical(values.type):
        return _categories_of(name, values)
    histogram_edges = np.empty(0) if extremes is None else equal_width_edges(*extremes)
    ordered = np.sort(np.concatenate(list(_finite(values, extremes))))
    edges = with_far_edges(reference_edges(ordered, histogram_edges))
    return NumericBaseline(
        profile=_nothing(name, str(values.type)),
        edges=pack(edges if not len(edges) else np.union1d(edges, further)),
        histogram_edges=tuple(histogram_edges.tolist()),
    )


def with_far_edges(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add an edge a range below and one a range above, so that outliers do not move the mean of what lies near."""
    if not len(edges):
        return edges
    with np.errstate(over="ignore"):
        width = edges[-1] - edges[0]
        far = np.array([edges[0] - width, edges[-1] + width])
    wide: NDArray[np.float64] = np.union1d(edges, far[np.isfinite(far)])
    return wide


def _finite(values: pa.ChunkedArray, extremes: tuple[float, float] | None) -> Iterator[NDArray[np.float64]]:
    """Yield the finite values, and the extremes where the sample lacks them."""
    low, high = math.inf, -math.inf
    for chunk in numbers(values):
        finite = chunk[np.isfinite(chunk)]
        if len(finite):
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
        yield finite
    if extremes is not None:
        yield np.array([each for each, held in zip(extremes, (low, high), strict=True) if each != held])
    yield np.empty(0)


def _categories_of(name: str, values: pa.ChunkedArray) -> CategoricalBaseline:
    counts = category_counts(values)
    return CategoricalBaseline(
        profile=CategoricalProfile(
            name=name, type=str(values.type), rows=0, missing=0, counts=pack(np.zeros(0)), other=0, unseen=()
        ),
        categories=tuple(category for category, _ in most_frequent(counts, MAX_CATEGORIES)),
        distinct=counts.num_rows,
    )


def _nothing(name: str, kind: str) -> NumericProfile:
    return NumericProfile(
        name=name,
        type=kind,
        rows=0,
        missing=0,
        negative_inf=0,
        positive_inf=0,
        min=None,
        max=None,
        mean=None,
        m2=None,
        counts=pack(np.zeros(0)),
        sums=pack(np.zeros(0)),
    )
