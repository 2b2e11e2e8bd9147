"""The column types that a Parquet part was written with, where Parquet itself has others.

Parquet knows no seconds, no ``date64`` and dictionaries of text only; and pandas' types come back as what they are made
of where nobody has imported pandas.

Invariants: a value that is written to another format has the text that it would have had without Parquet between.
"""

from __future__ import annotations

import base64
from importlib import import_module
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

_PANDAS = b"pandas."
_OWN = b"batch_inference."


def original_schema(path: Path) -> pa.Schema:
    """Return the columns that a local part was written with."""
    written = (pq.read_metadata(path).metadata or {}).get(b"ARROW:schema")
    if written is None:
        return pq.read_schema(path).remove_metadata()
    data = base64.b64decode(written)
    if _PANDAS in data:
        import_module("pandas.core.arrays.arrow.extension_types")  # tells pyarrow of them
    return pa.ipc.read_schema(pa.BufferReader(data)).remove_metadata()


def footer_of(path: Path) -> dict[str, str]:
    """Return what a local part's footer says of its job."""
    found = pq.read_metadata(path).metadata or {}
    return {key.decode(): value.decode() for key, value in found.items() if key.startswith(_OWN)}


def restored(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows that were read from a part with the types that they were written with."""
    columns = zip(table.columns, schema.types, strict=True)
    arrays = [column if column.type == kind else _restored(column, kind) for column, kind in columns]
    return pa.Table.from_arrays(arrays, schema=schema)


def _restored(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if isinstance(kind, pa.BaseExtensionType):
        return pa.chunked_array([kind.wrap_array(chunk.cast(kind.storage_type)) for chunk in column.chunks], kind)
    if not pa.types.is_dictionary(kind):
        return column.cast(kind)
    values = column.cast(kind.value_type).combine_chunks().dictionary_encode()
    whole = pa.DictionaryArray.from_arrays(
        values.indices.cast(kind.index_type), values.dictionary, ordered=kind.ordered
    )
    return pa.chunked_array([whole], kind)
