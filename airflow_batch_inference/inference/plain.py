"""Requests that are dicts of columns or lists of records, and answers that JSON can hold."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.inference.arrays import ArrayForm
from airflow_batch_inference.inference.cells import column_of
from airflow_batch_inference.inference.forms import Form, cut, different_names, have_one_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.inference.arrays import ArrayInputs
    from airflow_batch_inference.inference.forms import Column


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
        names = different_names(list(data))
        columns = {}
        for name, values in zip(names, data.values(), strict=True):
            found = _listed(values)
            if found is None:
                message = f"Column {name!r} of the data is a {type(values).__name__}; give a list of its values."
                raise DataError(message)
            columns[name] = found
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            message = f"The columns of the data differ in length: {lengths}. Give each the same number of values."
            raise DataError(message)
        return cls(columns, max(lengths.values(), default=0), is_records=False)

    @classmethod
    def of_records(cls, data: Sequence[Mapping[object, object]]) -> PlainForm:
        """Take records; what one of them lacks is null."""
        keys = list(dict.fromkeys(key for row in data for key in row))
        names = different_names(keys)
        columns = {name: [row.get(key) for row in data] for name, key in zip(names, keys, strict=True)}
        return cls(columns, len(data), is_records=True)

    @classmethod
    def of_rows(cls, rows: Sequence[Sequence[Any]], inputs: ArrayInputs) -> PlainForm:
        """Take rows without names; the answer is a list of records.

        Raises
        ------
        DataError
            They are not alike, or have another number of values than the model has inputs.
        """
        for place, row in enumerate(rows):
            if len(row) != len(rows[0]):
                message = f"Row {place} (from 0) of the data has {len(row)} values, and row 0 has {len(rows[0])}."
                raise DataError(message)
        names = ArrayForm(np.broadcast_to(np.empty((), dtype=object), (len(rows), len(rows[0]))), inputs).names
        if len(names) < len(rows[0]):
            return cls({names[0]: list(rows)}, len(rows), is_records=True)
        columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
        return cls(columns, len(rows), is_records=True)

    @property
    def size_bytes(self) -> int:
        """See :meth:`Form.size_bytes`."""
        return 0 if self.found is None else int(self.found.nbytes)

    def goes_with(self, other: Form[Any]) -> bool:
        """See :meth:`Form.goes_with`; the types are those that Arrow finds."""
        if not isinstance(other, PlainForm) or (self.is_records, self.names) != (other.is_records, other.names):
            return False
        return have_one_type(self, other)

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
        columns: Mapping[str, Column],
    ) -> list[Any]:
        """Return dicts of columns, or lists of records."""
        found: list[Any] = []
        for form, part in zip(forms, cut(forms, columns), strict=True):
            plain = {
                name: list(map(plain_value, form.columns[values] if isinstance(values, str) else values.to_pylist()))
                for name, values in part.items()
            }
            if form.is_records:
                found.append([dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)])
            else:
                found.append(plain)
        return found


def _listed(values: object) -> list[Any] | None:
    """Return a column's values: of a list, an array, a series or an Arrow column; None for anything else."""
    if isinstance(values, (list, tuple)) or (isinstance(values, np.ndarray) and values.ndim):
        return list(values)
    for method in ("to_pylist", "to_list"):  # Arrow's, and that of series
        convert = getattr(values, method, None)
        if callable(convert):
            return list(convert())
    return None


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
