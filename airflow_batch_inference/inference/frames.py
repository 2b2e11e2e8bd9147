"""Requests that are pandas data frames.

Invariants: a frame's columns keep their types in the answer, integers beside nulls too, and its index is
that of the answer; joining frames and cutting them apart costs some tens of microseconds each, not a millisecond.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from airflow_batch_inference.flavors.nullable import NULLABLE
from airflow_batch_inference.inference.cells import column_of
from airflow_batch_inference.inference.forms import Form, cut, different_names, have_one_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.inference.forms import Column

_OBJECT = np.dtype(object)
_PLAIN = tuple(map(np.dtype, ("float64", "float32", "int64", "int32")))


class FrameForm(Form[pd.DataFrame]):
    """A pandas data frame."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.rows = len(frame)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Its columns."""
        return different_names(list(self.frame.columns))

    @functools.cached_property
    def dtypes(self) -> list[Any]:
        """The types of its columns."""
        return self.frame.dtypes.to_list()

    @functools.cached_property
    def block(self) -> np.ndarray | None:
        """Its values, shape (rows, columns), where all columns are of one type of numbers; None where they are not."""
        return self.frame.to_numpy() if len(set(self.dtypes)) == 1 and self.dtypes[0] in _PLAIN else None

    @property
    def size_bytes(self) -> int:
        """See :meth:`Form.size_bytes`; what objects take is known from Arrow."""
        if self.block is not None:
            return int(self.block.nbytes)
        if _OBJECT in self.dtypes:
            return 0 if self.found is None else int(self.found.nbytes)
        return self.rows * sum(getattr(dtype, "itemsize", 8) for dtype in self.dtypes)

    def goes_with(self, other: Form[Any]) -> bool:
        """See :meth:`Form.goes_with`; columns of objects are told apart by what Arrow finds in them."""
        if not isinstance(other, FrameForm) or not self.frame.columns.equals(other.frame.columns):
            return False
        if self.block is not None and other.is_block_of(self.block.dtype):
            return True
        if self.dtypes != other.dtypes:
            return False
        return _OBJECT not in self.dtypes or have_one_type(self, other)

    def is_block_of(self, dtype: np.dtype[Any]) -> bool:
        """Say whether all columns are of one type, in a fraction of the time that asking for their types takes.

        pandas gives out the frame's own memory read-only, and makes a copy only where types differ (or the columns
        do not lie together: then this says no, and their types must be asked for).
        """
        values = self.frame.to_numpy()
        if values.dtype != dtype or values.flags.writeable:
            return False
        self.block = values
        return True

    def arrow(self, *, tolerant: bool) -> pa.Table:
        """Return its columns, without its index."""
        names = list(self.names)
        if self.block is not None:  # many times faster than pandas' own way
            columns = np.ascontiguousarray(self.block.T)
            # Looking for NaN value by value takes longer than all the rest; a sum tells that there is none.
            arrays = [pa.array(values, from_pandas=bool(np.isnan(values.sum()))) for values in columns]
            return pa.table(arrays, names=names)
        try:
            named = self.frame.set_axis(names, axis=1)
            return pa.Table.from_pandas(named, preserve_index=False, nthreads=1).replace_schema_metadata(None)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            given = [self.frame.iloc[:, place] for place in range(len(names))]
            return pa.table(
                [column_of(*each, tolerant=tolerant) for each in zip(names, given, strict=True)], names=names
            )

    @classmethod
    def joined(cls, forms: Sequence[FrameForm]) -> FrameForm:
        """Put frames below each other."""
        if len(forms) == 1:
            return forms[0]
        blocks = [form.block for form in forms if form.block is not None]
        if len(blocks) == len(forms):
            return cls(pd.DataFrame(_below_each_other(blocks), columns=forms[0].frame.columns, copy=False))
        return cls(pd.concat([form.frame for form in forms], ignore_index=True))

    @classmethod
    def answers(cls, forms: Sequence[FrameForm], columns: Mapping[str, Column]) -> list[pd.DataFrame]:
        """Return frames with the index of each request's, whose fields share its memory (pandas copies on write)."""
        if len(forms) > 1 and any(_is_gapped(values) for values in columns.values()):
            # pandas has other types for integers with nulls: what one request lacks must not change the others.
            return [cls.answers([form], part)[0] for form, part in zip(forms, cut(forms, columns), strict=True)]
        names, segments = pd.Index(list(columns)), _segments(columns, forms[0].names)
        found, start = [], 0
        for form in forms:
            parts = [segment.part(form.frame, start) for segment in segments]
            whole = pd.concat(parts, axis=1, ignore_index=True) if len(parts) > 1 else parts[0].copy(deep=False)
            whole.columns = names
            found.append(whole)
            start += form.rows
        return found


@dataclass(frozen=True, slots=True)
class _Segment:
    """Neighbouring columns of the answers: fields of each request, or values of all requests together.

    Attributes
    ----------
    fields
        Their places among the request's; None: all of them, in its order.
    values
        Numbered from 0; None where they are fields.
    """

    fields: list[int] | None
    values: pd.DataFrame | None

    def part(self, frame: pd.DataFrame, start: int) -> pd.DataFrame:
        """Return the columns of one request, whose rows begin at ``start``."""
        if self.values is None:
            return frame if self.fields is None else frame.iloc[:, self.fields]
        part = self.values[start : start + len(frame)]
        part.index = frame.index
        return part


def _segments(columns: Mapping[str, Column], fields: Sequence[str]) -> list[_Segment]:
    """Cut the answers' columns between fields and values."""
    segments = []
    for is_field, run in itertools.groupby(columns.values(), key=lambda values: isinstance(values, str)):
        if is_field:
            places = {name: place for place, name in enumerate(fields)}
            chosen = [places[str(name)] for name in run]
            segments.append(_Segment(None if chosen == list(range(len(fields))) else chosen, None))
        else:
            values = {place: _series(each) for place, each in enumerate(run)}
            segments.append(_Segment(None, pd.DataFrame(values, copy=False)))
    return segments


def _below_each_other(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Join blocks of one type and width, column after column, as Arrow takes them."""
    joined = np.empty((blocks[0].shape[1], sum(map(len, blocks))), dtype=blocks[0].dtype)
    return np.concatenate(blocks, out=joined.T)


def _is_gapped(values: Column) -> bool:
    return not isinstance(values, str) and values.type in NULLABLE and values.null_count > 0


def _series(values: pa.Array) -> Any:  # noqa: ANN401  # an array or a series
    """Return values as pandas has them: integers and booleans keep their kind beside nulls."""
    if _is_gapped(values):
        return values.to_pandas(types_mapper=NULLABLE.get)
    is_plain = pa.types.is_primitive(values.type) and not pa.types.is_temporal(values.type)
    return values.to_numpy(zero_copy_only=False) if is_plain else values.to_pandas()
