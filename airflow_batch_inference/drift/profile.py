"""Counting rows on a baseline's edges: bounded memory, mergeable by addition.

Invariants: any split of the rows, in any order, over any processes gives the same integers; no value
stops the counting; a column that cannot be counted is named and stops no other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.drift.bins import is_one_point
from airflow_batch_inference.drift.packing import pack, unpack_counts, unpack_numbers
from airflow_batch_inference.drift.values import (
    COLUMN_ERRORS,
    category_counts,
    family,
    number_counted,
    numbers,
    summed,
)
from airflow_batch_inference.records import (
    CategoricalProfile,
    NumericBaseline,
    NumericProfile,
    Profile,
)
from airflow_batch_inference.schema.names import known_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from airflow_batch_inference.records import ColumnBaseline, ColumnProfile

    ColumnArrays: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64] | None]
    """Counts of a column, and the sums of its bins where it is numeric."""

_SORTED_ROWS = 65_536
"""Chunks of this size sort in the cache, which makes counting on sorted values faster than on unsorted ones."""
_KEPT_UNSEEN = 200


class Profiler:
    """Counts the rows of a dataset, table by table, on the edges of a baseline's columns.

    Parameters
    ----------
    columns
        The baseline's; columns that it does not have are passed over.
    """

    def __init__(self, columns: Iterable[ColumnBaseline]) -> None:
        self._counters = {column.profile.name: _counter(column) for column in columns}
        self._known = known_names(self._counters)
        self._changed: dict[str, str] = {}
        self._skipped: dict[str, str] = {}
        self._seen: set[str] = set()
        self._rows = 0

    def counts(self, name: str) -> bool:
        """Say whether a column is among the baseline's."""
        return self._known(name) in self._counters

    def add(self, table: pa.Table) -> None:
        """Count the rows of a table."""
        self._rows += table.num_rows
        for given, values in zip(table.column_names, table.columns, strict=True):
            name = self._known(given)
            counter = self._counters.get(name)
            if counter is None or name in self._skipped:
                continue
            self._seen.add(name)
            if values.null_count == len(values):  # fits any type
                counter.add_missing(len(values))
            elif family(counter.type) != family(str(values.type)) and counter.type != "null":
                self._changed[name] = str(values.type)
            else:
                try:
                    counter.add(values)
                except COLUMN_ERRORS as error:
                    self._skipped[name] = str(error)

    def merge(self, profile: Profile, arrays: Iterable[ColumnArrays] | None = None) -> None:
        """Add what another profiler of the same baseline counted.

        Parameters
        ----------
        profile
            What it counted.
        arrays
            Of each of its columns, where they are at hand; None: those that are packed in it.
        """
        self._rows += profile.rows
        self._changed |= profile.changed
        self._skipped |= profile.skipped
        self._seen.update(profile.changed, profile.skipped)
        for column, (counts, sums) in zip(
            profile.columns, map(_unpacked, profile.columns) if arrays is None else arrays, strict=True
        ):
            self._seen.add(column.name)
            self._counters[column.name].merge(column, counts, sums)  # type: ignore[arg-type]  # one baseline, one kind

    def profile(self) -> Profile:
        """Return what was counted so far, in the baseline's order of columns."""
        wrong = {*self._changed, *self._skipped}
        counted = [name for name in self._counters if name in self._seen and name not in wrong]
        return Profile(
            rows=self._rows,
            columns=tuple(self._counters[name].profile(name) for name in counted),
            changed=self._changed,
            skipped=self._skipped,
        )


def _unpacked(column: ColumnProfile) -> ColumnArrays:
    sums = unpack_numbers(column.sums) if isinstance(column, NumericProfile) else None
    return unpack_counts(column.counts), sums


def _is_short(kind: str) -> bool:
    """Say whether an Arrow type holds fewer digits than a double."""
    return kind in ("float", "halffloat")


def _counter(column: ColumnBaseline) -> NumericCounter | CategoryCounter:
    if isinstance(column, NumericBaseline):
        return NumericCounter(type=column.profile.type, edges=unpack_numbers(column.edges))
    return CategoryCounter(
        type=column.profile.type,
        categories=pa.array(column.categories, pa.large_string()),
        names_unseen=column.profile.other == 0,
    )


@dataclass(kw_only=True)
class _Counter:
    """What all columns have: rows, and those without a value.

    Attributes
    ----------
    type
        Arrow type of the reference's column.
    """

    type: str
    rows: int = 0
    missing: int = 0
    _type_now: str | None = None

    def add_missing(self, rows: int) -> None:
        """Count rows without a value."""
        self.rows += rows
        self.missing += rows

    def _add_rows(self, kind: str, rows: int, missing: int) -> None:
        self._type_now = self._type_now or kind
        self.rows += rows
        self.missing += missing


@dataclass(kw_only=True)
class NumericCounter(_Counter):
    """Counts numbers on edges, and keeps their sums, mean and spread.

    Attributes
    ----------
    edges
        Shape (k,), increasing; counts and sums have shape (k + 1,).
    """

    edges: NDArray[np.float64]
    negative_inf: int = 0
    positive_inf: int = 0
    finite: int = 0
    min: float = math.inf
    max: float = -math.inf
    mean: float = 0.0
    m2: float = 0.0
    counts: NDArray[np.int64] = field(init=False)
    sums: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        """Begin at nothing."""
        self.counts = np.zeros(len(self.edges) + 1, dtype=np.int64)
        self.sums = np.zeros(len(self.edges) + 1)

    def add(self, values: pa.ChunkedArray) -> None:
        """Count a column's values; see :func:`~airflow_batch_inference.drift.values.numbers` for what is refused."""
        chunks = list(numbers(values))
        if _is_short(str(values.type)) != _is_short(self.type):
            chunks = [self._snapped(chunk) for chunk in chunks]
        self._add_rows(str(values.type), len(values), len(values) - sum(map(len, chunks)))
        for chunk in chunks:
            for start in range(0, len(chunk), _SORTED_ROWS):
                self._count(np.sort(chunk[start : start + _SORTED_ROWS]))

    def _snapped(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Put values on the reference's that they equal in single precision: 0.1 written as float32 is still 0.1."""
        points = self.edges[:-1][is_one_point(self.edges)]
        if not len(points):
            return values
        with np.errstate(over="ignore"):
            short = values.astype(np.float32)
            starts, first = np.unique(points.astype(np.float32), return_index=True)
        place = np.minimum(np.searchsorted(starts, short), len(starts) - 1)
        return np.where(starts[place] == short, points[first[place]], values)

    def _count(self, ordered: NDArray[np.float64]) -> None:
        """Count sorted values; NaN sorts to the end."""
        if np.isnan(ordered[-1]):
            valid = int(np.searchsorted(ordered, math.nan))
            self.missing += len(ordered) - valid
            ordered = ordered[:valid]
        first = int(np.searchsorted(ordered, -math.inf, side="right"))
        last = int(np.searchsorted(ordered, math.inf, side="left"))
        self.negative_inf += first
        self.positive_inf += len(ordered) - last
        ordered = ordered[first:last]
        if not len(ordered):
            return
        places = np.concatenate([[0], np.searchsorted(ordered, self.edges), [len(ordered)]])
        counts = np.diff(places)
        filled = counts > 0
        with np.errstate(over="ignore", invalid="ignore"):
            self.sums[filled] += np.add.reduceat(ordered, places[:-1][filled])
            # Rounding must not give a constant a spread.
            mean = float(ordered[0] if ordered[0] == ordered[-1] else ordered.mean())
            differences = ordered - mean
            self._spread(len(ordered), mean, float(differences @ differences))
        self.counts += counts
        self.min, self.max = min(self.min, float(ordered[0])), max(self.max, float(ordered[-1]))

    def _spread(self, number: int, mean: float, m2: float) -> None:
        """Join the mean and the squared differences of further values (Chan, Golub, LeVeque 1983)."""
        if not self.finite:
            self.finite, self.mean, self.m2 = number, mean, m2
            return
        with np.errstate(over="ignore", invalid="ignore"):
            total = self.finite + number
            difference = np.float64(mean) - self.mean
            self.mean = float(self.mean + difference * (number / total))
            self.m2 = float(self.m2 + m2 + difference * difference * (self.finite * (number / total)))
        self.finite = total

    def merge(self, other: NumericProfile, counts: NDArray[np.int64], sums: NDArray[np.float64]) -> None:
        """Add another counter's numbers, and its arrays, both of shape (k + 1,)."""
        self._add_rows(other.type, other.rows, other.missing)
        self.negative_inf += other.negative_inf
        self.positive_inf += other.positive_inf
        with np.errstate(over="ignore", invalid="ignore"):
            self.sums += sums
        self.counts += counts
        if other.min is not None and other.max is not None:
            self.min, self.max = min(self.min, other.min), max(self.max, other.max)
            mean, m2 = (math.nan if value is None else value for value in (other.mean, other.m2))
            self._spread(int(counts.sum()), mean, m2)

    def profile(self, name: str) -> NumericProfile:
        """Return what was counted."""
        return NumericProfile(
            name=name,
            type=self._type_now or self.type,
            rows=self.rows,
            missing=self.missing,
            negative_inf=self.negative_inf,
            positive_inf=self.positive_inf,
            min=self.min if self.finite else None,
            max=self.max if self.finite else None,
            mean=self.mean if self.finite and math.isfinite(self.mean) else None,
            m2=self.m2 if self.finite and math.isfinite(self.m2) else None,
            counts=pack(self.counts),
            sums=pack(self.sums),
        )


@dataclass(kw_only=True)
class CategoryCounter(_Counter):
    """Counts categories on the reference's.

    Attributes
    ----------
    categories
        The reference's, as text.
    names_unseen
        Whether all others are new: the reference names all that it had.
    """

    categories: pa.Array
    names_unseen: bool
    other: int = 0
    counts: NDArray[np.int64] = field(init=False)
    unseen: pa.Table = field(init=False)

    def __post_init__(self) -> None:
        """Begin at nothing."""
        self.counts = np.zeros(len(self.categories), dtype=np.int64)
        self.unseen = pa.table({"name": pa.array([], pa.large_string()), "count": pa.array([], pa.int64())})

    def add(self, values: pa.ChunkedArray) -> None:
        """Count a column's values."""
        found = category_counts(values)
        total = number_counted(found)
        self._add_rows(str(values.type), len(values), len(values) - total)
        place = pc.index_in(self.categories, value_set=found["name"].combine_chunks())
        counts = pc.fill_null(found["count"].combine_chunks().cast(pa.int64()).take(place), 0)
        self.counts += cast("NDArray[np.int64]", np.from_dlpack(counts))
        known = pc.sum(counts).as_py() or 0
        self.other += total - known
        if self.names_unseen and total > known:
            new = found.filter(pc.invert(pc.is_in(found["name"], value_set=self.categories)))
            self._keep_unseen(new.cast(self.unseen.schema))

    def _keep_unseen(self, new: pa.Table) -> None:
        """Keep the first by name: whoever is among them in the end was so all along, so that its count is whole."""
        both = summed(pa.concat_tables([self.unseen, new]))
        first = pc.select_k_unstable(both, k=_KEPT_UNSEEN, sort_keys=[("name", "ascending")])
        self.unseen = both.take(first)

    def merge(self, other: CategoricalProfile, counts: NDArray[np.int64], _: None = None) -> None:
        """Add another counter's numbers, and its counts, one a category."""
        self._add_rows(other.type, other.rows, other.missing)
        self.other += other.other
        self.counts += counts
        if other.unseen:
            names, rows = zip(*other.unseen, strict=True)
            self._keep_unseen(pa.table({"name": names, "count": rows}).cast(self.unseen.schema))

    def profile(self, name: str) -> CategoricalProfile:
        """Return what was counted."""
        return CategoricalProfile(
            name=name,
            type=self._type_now or self.type,
            rows=self.rows,
            missing=self.missing,
            counts=pack(self.counts),
            other=self.other,
            unseen=tuple(zip(self.unseen["name"].to_pylist(), self.unseen["count"].to_pylist(), strict=True)),
        )
