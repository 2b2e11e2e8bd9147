"""The forms that a request can have, and its answer in the same form: frame, Arrow table, dict of columns, records.

What must not be relaxed: the fields of the request come back as they were given, in their order and with their types
(a frame's also with its index); an array in a cell is a tensor, never several rows or columns; and what holds for a
request alone holds for it among others that are scored in one go.
"""

from __future__ import annotations

import base64
import functools
import math
from abc import abstractmethod
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.inference.cells import column_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Column: TypeAlias = "str | pa.Array"
"""A field of the request by its name, or values."""
T = TypeVar("T")
_OBJECT = np.dtype(object)
_PLAIN = tuple(map(np.dtype, ("float64", "float32", "int64", "int32")))
_NULLABLE = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


class Form(Generic[T]):
    """A request in one of the forms."""

    rows: int

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Its fields.

        Raises
        ------
        DataError
            Two have one name.
        """

    @property
    @abstractmethod
    def size_bytes(self) -> int:
        """About how much memory its values take."""

    @abstractmethod
    def goes_with(self, other: Form[Any]) -> bool:
        """Say whether two requests have the same columns of the same types, so that they may be scored as one."""

    @functools.cached_property
    def found(self) -> pa.Table | None:
        """What Arrow finds in columns without a type; None where it is a mixture."""
        try:
            return self.arrow(tolerant=False)
        except DataError:
            return None

    @abstractmethod
    def arrow(self, *, tolerant: bool) -> pa.Table:
        """Return what the model sees.

        Parameters
        ----------
        tolerant
            Whether a row may fail: values of several kinds in a column are then text, each judged by itself.

        Raises
        ------
        DataError
            A column holds what no column can.
        """

    @classmethod
    @abstractmethod
    def joined(cls, forms: Sequence[Any]) -> Any:  # noqa: ANN401  # one of its own kind
        """Return requests that go with each other as one."""

    @classmethod
    @abstractmethod
    def answers(cls, forms: Sequence[Any], whole: Any, columns: Mapping[str, Column]) -> list[Any]:  # noqa: ANN401  # see above
        """Return the answer of each request.

        Parameters
        ----------
        forms
            Requests that go with each other.
        whole
            All of them as one.
        columns
            The answers' columns, all rows together.
        """


def take(data: object) -> Form[Any]:
    """Return a request in its form.

    Raises
    ------
    TypeError
        It is none of them; names its type and those accepted.
    DataError
        Columns of different lengths.
    """
    if isinstance(data, pd.DataFrame):
        return FrameForm(data)
    if isinstance(data, pa.Table):
        return TableForm(data)
    if isinstance(data, dict):
        return PlainForm.of_columns(data)
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return PlainForm.of_records(data)
    inside = ""
    if isinstance(data, list):
        inside = f" of {next(type(row).__name__ for row in data if not isinstance(row, dict))}"
    message = (
        f"infer takes a pandas DataFrame, a pyarrow Table, a dict of columns or a list of records (dicts), not a "
        f"{type(data).__name__}{inside}."
    )
    raise TypeError(message)


def _have_one_type(first: Form[Any], second: Form[Any]) -> bool:
    """Say whether Arrow finds the same in both; a mixture goes with nothing."""
    return first.found is not None and second.found is not None and first.found.schema.equals(second.found.schema)


def _names(given: Sequence[object]) -> tuple[str, ...]:
    """Return names as text; refuse two that are one.

    Raises
    ------
    DataError
        Names it.
    """
    names = tuple(map(str, given))
    if len(set(names)) < len(names):
        twice = next(name for at, name in enumerate(names) if name in names[:at])
        message = f"The data have two columns named {twice!r}. Rename one, or leave it out."
        raise DataError(message)
    return names


class FrameForm(Form[pd.DataFrame]):
    """A pandas data frame."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.rows = len(frame)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Its columns."""
        return _names(list(self.frame.columns))

    @functools.cached_property
    def dtypes(self) -> list[Any]:
        """The types of its columns."""
        return self.frame.dtypes.to_list()

    @property
    def size_bytes(self) -> int:
        """See :meth:`Form.size_bytes`; what objects take is known from Arrow."""
        if _OBJECT in self.dtypes:
            return 0 if self.found is None else int(self.found.nbytes)
        return self.rows * sum(getattr(dtype, "itemsize", 8) for dtype in self.dtypes)

    @property
    def is_one_block(self) -> bool:
        """Whether its columns are all of one type of numbers."""
        return len(set(self.dtypes)) == 1 and self.dtypes[0] in _PLAIN

    def goes_with(self, other: Form[Any]) -> bool:
        """See :meth:`Form.goes_with`; columns of objects are told apart by what Arrow finds in them."""
        if not isinstance(other, FrameForm) or not self.frame.columns.equals(other.frame.columns):
            return False
        if self.dtypes != other.dtypes:
            return False
        return _OBJECT not in self.dtypes or _have_one_type(self, other)

    def arrow(self, *, tolerant: bool) -> pa.Table:
        """Return its columns, without its index."""
        names = list(self.names)
        if self.is_one_block:  # many times faster than pandas' own way
            columns = np.ascontiguousarray(self.frame.to_numpy().T)
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
        first = forms[0]
        if first.is_one_block:
            values = np.concatenate([form.frame.to_numpy() for form in forms])
            return cls(pd.DataFrame(values, columns=first.frame.columns, copy=False))
        return cls(pd.concat([form.frame for form in forms], ignore_index=True))

    @classmethod
    def answers(cls, forms: Sequence[FrameForm], whole: FrameForm, columns: Mapping[str, Column]) -> list[pd.DataFrame]:
        """Return frames with the index of each request's."""
        if len(forms) > 1 and any(_is_gapped(values) for values in columns.values()):
            # pandas has other types for integers with nulls: what one request lacks must not change the others.
            return [cls._alone(form, part) for form, part in zip(forms, _cut(forms, columns), strict=True)]
        frame = whole._built(columns)
        found, start = [], 0
        for form in forms:
            part = frame[start : start + form.rows]
            part.index = form.frame.index
            found.append(part)
            start += form.rows
        return found

    @classmethod
    def _alone(cls, form: FrameForm, columns: Mapping[str, Column]) -> pd.DataFrame:
        return form._built(columns).set_axis(form.frame.index, axis=0)

    def _built(self, columns: Mapping[str, Column]) -> pd.DataFrame:
        """Return a frame of its own fields and others, numbered from 0."""
        own = self.frame.set_axis(range(self.rows), axis=0)
        places = {name: place for place, name in enumerate(self.names)}
        segments: list[pd.DataFrame] = []
        fields: list[str] = []
        others: dict[str, Any] = {}

        def close() -> None:
            if fields:
                chosen = [places[str(columns[name])] for name in fields]
                part = own if chosen == list(range(len(self.names))) else own.iloc[:, chosen]
                segments.append(part.set_axis(fields, axis=1))
            if others:
                segments.append(pd.DataFrame(dict(others), index=own.index, copy=False))
            fields.clear()
            others.clear()

        for name, values in columns.items():
            is_field = isinstance(values, str)
            if (is_field and others) or (not is_field and fields):
                close()
            if is_field:
                fields.append(name)
            else:
                others[name] = _series(values)
        close()
        return pd.concat(segments, axis=1)


def _is_gapped(values: Column) -> bool:
    return not isinstance(values, str) and values.type in _NULLABLE and values.null_count > 0


def _series(values: pa.Array) -> Any:  # noqa: ANN401  # an array or a series
    """Return values as pandas has them: integers and booleans keep their kind beside nulls."""
    if _is_gapped(values):
        return values.to_pandas(types_mapper=_NULLABLE.get)
    is_plain = pa.types.is_primitive(values.type) and not pa.types.is_temporal(values.type)
    return values.to_numpy(zero_copy_only=False) if is_plain else values.to_pandas()


def _cut(forms: Sequence[Form[Any]], columns: Mapping[str, Column]) -> list[dict[str, Column]]:
    """Return the rows of each request."""
    parts, start = [], 0
    for form in forms:
        parts.append(
            {
                name: values if isinstance(values, str) else values.slice(start, form.rows)
                for name, values in columns.items()
            }
        )
        start += form.rows
    return parts


class TableForm(Form[pa.Table]):
    """An Arrow table."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.rows = table.num_rows

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Its columns."""
        return _names(self.table.column_names)

    @property
    def size_bytes(self) -> int:
        """See :meth:`Form.size_bytes`."""
        return int(self.table.nbytes)

    def goes_with(self, other: Form[Any]) -> bool:
        """See :meth:`Form.goes_with`."""
        return isinstance(other, TableForm) and self.table.schema.equals(other.table.schema)

    def arrow(self, *, tolerant: bool) -> pa.Table:  # noqa: ARG002  # its columns have types
        """Return it as it is."""
        return self.table

    @classmethod
    def joined(cls, forms: Sequence[TableForm]) -> TableForm:
        """Put tables below each other."""
        return cls(pa.concat_tables([form.table.replace_schema_metadata(None) for form in forms]))

    @classmethod
    def answers(
        cls,
        forms: Sequence[TableForm],
        whole: TableForm,  # noqa: ARG003  # no copy is made of it
        columns: Mapping[str, Column],
    ) -> list[pa.Table]:
        """Return tables, whose fields are those of the requests, without a copy."""
        return [
            pa.table(
                [form.table.column(values) if isinstance(values, str) else values for values in part.values()],
                names=list(part),
            )
            for form, part in zip(forms, _cut(forms, columns), strict=True)
        ]


@dataclass(frozen=True)
class PlainForm(Form[Any]):
    """A dict of columns, or a list of records; its answers hold what JSON can hold."""

    columns: dict[str, list[Any]]
    rows: int
    is_records: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns, or all that its records have."""
        return tuple(self.columns)

    @classmethod
    def of_columns(cls, data: Mapping[object, object]) -> PlainForm:
        """Take a dict of columns.

        Raises
        ------
        DataError
            A value is no list, or the lists differ in length.
        """
        names = _names(list(data))
        columns = {}
        for name, values in zip(names, data.values(), strict=True):
            if isinstance(values, (str, bytes)) or not isinstance(values, (list, tuple, np.ndarray)):
                message = f"Column {name!r} of the data is a {type(values).__name__}; give a list of its values."
                raise DataError(message)
            columns[name] = list(values)
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            message = f"The columns of the data differ in length: {lengths}. Give each the same number of values."
            raise DataError(message)
        return cls(columns, max(lengths.values(), default=0), is_records=False)

    @classmethod
    def of_records(cls, data: Sequence[Mapping[object, object]]) -> PlainForm:
        """Take records; what one of them lacks is null."""
        keys = list(dict.fromkeys(key for row in data for key in row))
        names = _names(keys)
        columns = {name: [row.get(key) for row in data] for name, key in zip(names, keys, strict=True)}
        return cls(columns, len(data), is_records=True)

    @property
    def size_bytes(self) -> int:
        """See :meth:`Form.size_bytes`."""
        return 0 if self.found is None else int(self.found.nbytes)

    def goes_with(self, other: Form[Any]) -> bool:
        """See :meth:`Form.goes_with`; the types are those that Arrow finds."""
        if not isinstance(other, PlainForm) or (self.is_records, self.names) != (other.is_records, other.names):
            return False
        return _have_one_type(self, other)

    def arrow(self, *, tolerant: bool) -> pa.Table:
        """Return its columns as Arrow finds their types."""
        arrays = [column_of(name, values, tolerant=tolerant) for name, values in self.columns.items()]
        return pa.table(arrays, names=list(self.names))

    @classmethod
    def joined(cls, forms: Sequence[PlainForm]) -> PlainForm:
        """Put requests below each other."""
        first = forms[0]
        columns = {name: [value for form in forms for value in form.columns[name]] for name in first.names}
        return cls(columns, sum(form.rows for form in forms), first.is_records)

    @classmethod
    def answers(
        cls,
        forms: Sequence[PlainForm],
        whole: PlainForm,  # noqa: ARG003  # each has its own values
        columns: Mapping[str, Column],
    ) -> list[Any]:
        """Return dicts of columns, or lists of records."""
        found: list[Any] = []
        for form, part in zip(forms, _cut(forms, columns), strict=True):
            plain = {
                name: list(map(plain_value, form.columns[values] if isinstance(values, str) else values.to_pylist()))
                for name, values in part.items()
            }
            if form.is_records:
                found.append([dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)])
            else:
                found.append(plain)
        return found


def plain_value(value: Any) -> Any:  # noqa: ANN401  # whatever a cell holds
    """Return a value as JSON has it: NaN and infinity are null, times ISO 8601 text, bytes Base64.

    Examples
    --------
    >>> plain_value([1.5, float("nan"), np.float32(2)]), plain_value(date(2026, 1, 2))
    ([1.5, None, 2.0], '2026-01-02')
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain_value(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(plain_value, value))
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return float(value) if isinstance(value, Decimal) else value


def nested(columns: Mapping[tuple[str, str], pa.Array | pa.ChunkedArray]) -> dict[str, pa.Array]:
    """Return one column a group, which holds its fields; columns without a group as they are.

    Examples
    --------
    >>> found = nested({("", "time"): pa.array([0]), ("in", "a"): pa.array([1]), ("in", "b"): pa.array([2])})
    >>> {name: values.to_pylist() for name, values in found.items()}
    {'time': [0], 'in': [{'a': 1, 'b': 2}]}
    """
    found: dict[str, pa.Array] = {}
    groups: dict[str, dict[str, pa.Array]] = {}
    for (group, name), values in columns.items():
        whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        if group:
            groups.setdefault(group, {})[name] = whole
            fields = groups[group]
            found[group] = pc.make_struct(*fields.values(), field_names=list(fields))
        else:
            found[name] = whole
    return found
