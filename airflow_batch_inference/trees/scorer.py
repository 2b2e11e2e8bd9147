"""Packed trees, ready to score, and what the library says beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from airflow_batch_inference.flavors.forests.source import is_plain
from airflow_batch_inference.schema.arrays import to_doubles
from airflow_batch_inference.schema.column_types import as_doubles
from airflow_batch_inference.trees.compiled import raw_scores
from airflow_batch_inference.trees.ensemble import pack
from airflow_batch_inference.trees.probes import probe_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_batch_inference.flavors.base import Prediction
    from airflow_batch_inference.flavors.forests.source import Library, TreeSource
    from airflow_batch_inference.trees.ensemble import Ensemble

    Answers = Mapping[str, np.ndarray]

_LARGEST, _LARGEST_DOUBLE = float(np.finfo(np.float32).max), float(np.finfo(np.float64).max)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TreeScorer:
    """Packed trees, ready to score; see :class:`TreeSource`, whose forest takes more memory than they, and is not kept.

    Raises
    ------
    NotCoveredError
        By :meth:`of`: the kernel cannot hold them.
    """

    ensemble: Ensemble
    encode: Callable[[pa.Table], pa.Table]
    answers: Callable[[np.ndarray, Sequence[str]], Answers]
    reference: Library
    takes_infinite: bool
    takes_missing: bool

    @classmethod
    def of(cls, source: TreeSource) -> TreeScorer:
        """Pack a source's trees."""
        return cls(
            ensemble=pack(source.forest),
            encode=source.encode,
            answers=source.answers,
            reference=source.reference,
            takes_infinite=source.takes_infinite,
            takes_missing=source.takes_missing,
        )

    def score(self, batch: pa.Table, methods: Sequence[str]) -> Answers | None:
        """Return what each method returns for a mini-batch; None where only the library can tell."""
        if batch.num_columns != self.ensemble.width:
            return None
        try:
            table = self.encode(batch)
            columns = {place: _doubles(table.column(place)) for place in self._looked_at(table)}
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError, ValueError):
            return None  # the library, or its flavor, says what is wrong
        if not self._takes_all and not all(self._takes(column) for column in columns.values()):
            return None
        return self.answers(self._sums(columns, batch.num_rows), methods)

    @property
    def _takes_all(self) -> bool:
        return self.takes_infinite and self.takes_missing

    def _looked_at(self, table: pa.Table) -> Iterable[int]:
        """Return the inputs that splits ask for, and those that the library might refuse."""
        if not self._takes_all:
            return range(self.ensemble.width)
        odd = [place for place, kind in enumerate(table.schema.types) if not is_plain(kind)]
        return sorted({*self.ensemble.inputs.tolist(), *odd})

    def _sums(self, columns: Mapping[int, np.ndarray] | Sequence[np.ndarray], rows: int) -> np.ndarray:
        return raw_scores(self.ensemble, [columns[place] for place in self.ensemble.inputs.tolist()], rows)

    def _takes(self, column: np.ndarray) -> bool:
        """Say whether the library takes each value of a column; inputs that no split asks for are looked at, too."""
        largest = _LARGEST if self.ensemble.is_single else _LARGEST_DOUBLE
        # Two passes without room for results; NaN is neither, and leads to the whole look.
        if column.size and -largest <= column.min() and column.max() <= largest:
            return True
        size = np.abs(column)
        ordinary = size <= (np.inf if self.takes_infinite else largest)
        return bool((ordinary | np.isnan(size) if self.takes_missing else ordinary).all())

    def difference(self, source: TreeSource, methods: Sequence[str]) -> str | None:
        """Score rows that are made from the trees, and say where the library answers something else; None: nowhere."""
        rows = probe_rows(source.forest, infinite=source.takes_infinite, missing=source.takes_missing)
        found = self.answers(self._sums([np.ascontiguousarray(column) for column in rows.T], len(rows)), methods)
        with np.errstate(all="ignore"):  # the largest numbers that there are overflow in the library's own checks
            return first_difference(found, source.library(rows, methods))


def ask(
    model: Library, batch: pa.Table, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
) -> dict[str, Prediction]:
    """Return what a model gives, from one pass where it can."""
    if model.is_one_pass and len(methods) > 1:
        return dict(model.predict_all(batch, methods=methods, kwargs=kwargs))
    return {method: model.predict(batch, method=method, kwargs=kwargs) for method in methods}


def _doubles(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column as contiguous float64, nulls as NaN; where it has that type and no nulls, without a copy."""
    return to_doubles(as_doubles(column))


def first_difference(found: Answers, expected: Answers) -> str | None:
    """Say in which method and row two answers differ in a bit; None where they do not. All NaNs are one.

    Examples
    --------
    >>> first_difference({"predict": np.array([1.0, 2.0])}, {"predict": np.array([1.0, 2.5])})
    'row 1 of predict is 2.0, not 2.5'
    >>> first_difference({"predict": np.array([np.nan])}, {"predict": np.array([np.nan])})
    """
    for method, values in expected.items():
        mine = found[method]
        if (mine.dtype, mine.shape) != (values.dtype, values.shape):
            return f"{method} gives {mine.dtype} {mine.shape}, not {values.dtype} {values.shape}"
        same = _same_bits(mine, values)
        if not same.all():
            place = tuple(int(index) for index in np.argwhere(~same)[0])
            return f"row {place[0]} of {method} is {mine[place]!s}, not {values[place]!s}"
    return None


def _same_bits(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    if first.dtype.kind != "f":
        return np.asarray(first == second)
    bits = np.dtype(f"u{first.dtype.itemsize}")
    one, other = np.ascontiguousarray(first), np.ascontiguousarray(second)
    both_nan = np.isnan(one) & np.isnan(other)
    return np.asarray((one.view(bits) == other.view(bits)) | both_nan)
