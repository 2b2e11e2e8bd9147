"""Many columns of a table at once: each step here takes time in proportion to their number, not to its square."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that stand more than once, sorted.

    Examples
    --------
    >>> repeated(["b", "a", "b"])
    ['b']
    """
    return sorted(name for name, times in Counter(names).items() if times > 1)


def replace_columns(table: pa.Table, columns: Mapping[int, pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Return a table with other values, of any type, at some places; names and all other columns stay.

    ``Table.set_column`` copies the list of all columns each time that it is called.

    Examples
    --------
    >>> replace_columns(pa.table({"a": [1], "b": [2]}), {1: pa.array(["x"])}).to_pydict()
    {'a': [1], 'b': ['x']}
    """
    if not columns:
        return table
    arrays, fields = table.columns, list(table.schema)
    for place, values in columns.items():
        arrays[place], fields[place] = values, pa.field(fields[place].name, values.type)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=table.schema.metadata))


def append_columns(table: pa.Table, columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Return a table with more columns at its end.

    Examples
    --------
    >>> append_columns(pa.table({"a": [1]}), {"b": pa.array(["x"])}).to_pydict()
    {'a': [1], 'b': ['x']}
    """
    if not columns:
        return table
    fields = [*table.schema, *(pa.field(name, values.type) for name, values in columns.items())]
    arrays = [*table.columns, *columns.values()]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=table.schema.metadata))
