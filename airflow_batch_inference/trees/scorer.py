"""What a source gives: trees that the kernel walks, and how their sums become what the library's methods return.

What must not be relaxed: what is asked of :attr:`TreeScorer.library` is the library itself, untouched by anything here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from airflow_batch_inference.trees.compiled import raw_scores
from airflow_batch_inference.trees.ensemble import pack
from airflow_batch_inference.trees.probes import probe_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.trees.ensemble import Ensemble, Forest

    Answers = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TreeSource:
    """A model's trees, as a reader found them, and how they answer.

    Attributes
    ----------
    forest
        The trees.
    encode
        Makes one numeric column an input of a mini-batch, as the flavor does before it calls the library.
    answers
        Makes of sums, shape (rows, outputs), what each of some methods returns.
    library
        What the library's own predict returns for a float64 matrix of encoded rows, by method.
    reference
        The model whose answers are the right ones.
    takes_infinite
        Whether the library takes infinite values, and not only raises.
    """

    forest: Forest
    encode: Callable[[pa.Table], pa.Table]
    answers: Callable[[np.ndarray, Sequence[str]], Answers]
    library: Callable[[np.ndarray, Sequence[str]], Answers]
    reference: LoadedModel
    takes_infinite: bool = True


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
    reference: LoadedModel
    takes_infinite: bool

    @classmethod
    def of(cls, source: TreeSource) -> TreeScorer:
        """Pack a source's trees."""
        return cls(
            ensemble=pack(source.forest),
            encode=source.encode,
            answers=source.answers,
            reference=source.reference,
            takes_infinite=source.takes_infinite,
        )

    def score(self, batch: pa.Table, methods: Sequence[str]) -> Answers | None:
        """Return what each method returns for a mini-batch; None where only the library can tell."""
        if batch.num_columns != self.ensemble.width:
            return None
        try:
            columns = [_doubles(column) for column in self.encode(batch).columns]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError, ValueError):
            return None  # the library, or its flavor, says what is wrong
        return self._answers(columns, methods)

    def difference(self, source: TreeSource, methods: Sequence[str]) -> str | None:
        """Score rows that are made from the trees, and say where the library answers something else; None: nowhere."""
        rows = probe_rows(source.forest, infinite=source.takes_infinite)
        found = self._answers([np.ascontiguousarray(column) for column in rows.T], methods)
        expected = source.library(rows, methods)
        return "the kernel found infinite values" if found is None else first_difference(found, expected)

    def _answers(self, columns: list[np.ndarray], methods: Sequence[str]) -> Answers | None:
        raw, is_infinite = raw_scores(self.ensemble, columns)
        return None if is_infinite and not self.takes_infinite else self.answers(raw, methods)


def _doubles(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column as contiguous float64, nulls as NaN; where it has that type and no nulls, without a copy."""
    wide = column if pa.types.is_float64(column.type) else column.cast(pa.float64())
    array = wide.chunk(0) if wide.num_chunks == 1 else wide.combine_chunks()
    values: np.ndarray = np.ascontiguousarray(array.to_numpy(zero_copy_only=False))
    return values


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
