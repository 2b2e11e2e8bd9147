"""The forms that a request can have, and its answer in the same form: frame, Arrow table, dict of columns, records.

Invariants: the fields of the request come back as they were given, in their order and with their types
(a frame's also with its index); an array in a cell is a tensor, never several rows or columns; and what holds for a
request alone holds for it among others that are scored in one go.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import pyarrow as pa

from airflow_batch_inference.exceptions import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Column: TypeAlias = "str | pa.Array"
"""A field of the request by its name, or values."""
K = TypeVar("K")
T = TypeVar("T")


class Form(Generic[T]):
    """A request in one of the forms."""

    rows: int
    is_bare = False
    """Whether its answer holds what the model returns, and nothing else."""

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
    def answers(cls, forms: Sequence[Any], columns: Mapping[str, Column]) -> list[Any]:
        """Return the answer of each request.

        Parameters
        ----------
        forms
            Requests that go with each other.
        columns
            The answers' columns, all rows together.
        """


def have_one_type(first: Form[Any], second: Form[Any]) -> bool:
    """Say whether Arrow finds the same in both; a mixture goes with nothing."""
    return first.found is not None and second.found is not None and first.found.schema.equals(second.found.schema)


def different_names(given: Sequence[object]) -> tuple[str, ...]:
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


def cut(forms: Sequence[Form[Any]], columns: Mapping[K, Column]) -> list[dict[K, Column]]:
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
        return different_names(self.table.column_names)

    @property
    def size_bytes(self) -> int:
        """See :meth:`Form.size_bytes`."""
        return int(self.table.nbytes)

    def goes_with(self, other: Form[Any]) -> bool:
        """See :meth:`Form.goes_with`."""
        return type(other) is type(self) and self.table.schema.equals(other.table.schema)

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
        columns: Mapping[str, Column],
    ) -> list[pa.Table]:
        """Return tables, whose fields are those of the requests, without a copy."""
        return [
            pa.table(
                [form.table.column(values) if isinstance(values, str) else values for values in part.values()],
                names=list(part),
            )
            for form, part in zip(forms, cut(forms, columns), strict=True)
        ]


class BatchForm(TableForm):
    """An Arrow record batch."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        super().__init__(pa.Table.from_batches([batch]))

    @classmethod
    def joined(cls, forms: Sequence[TableForm]) -> TableForm:
        """Put batches below each other."""
        return TableForm.joined(forms)

    @classmethod
    def answers(cls, forms: Sequence[TableForm], columns: Mapping[str, Column]) -> list[pa.RecordBatch]:
        """Return batches."""
        return [
            pa.RecordBatch.from_arrays([_whole(column) for column in table.columns], names=table.column_names)
            for table in TableForm.answers(forms, columns)
        ]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)
