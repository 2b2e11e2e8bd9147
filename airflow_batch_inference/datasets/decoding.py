"""Columns in the types that the rest computes with: no encodings, views, or extensions that only rename a type.

What must not be relaxed: values stay what they are, and a file's columns have the same types in every process.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.columns import replace_columns

_SIMPLE = {pa.bool8(): pa.bool_(), pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
_ENCODED = {
    kind.id
    for kind in (
        *_SIMPLE,
        pa.dictionary(pa.int8(), pa.string()),
        pa.run_end_encoded(pa.int32(), pa.string()),
        pa.list_view(pa.string()),
        pa.large_list_view(pa.string()),
    )
}
"""Kinds of types that may be read as another: encodings, views, extensions."""


def read_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column is read as: of encodings the values', of views and simple extensions the usual one.

    What computes has no kernels for the others.
    """
    if kind.id not in _ENCODED:
        return kind
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return read_type(kind.value_type)
    if isinstance(kind, (pa.JsonType, pa.OpaqueType)):
        return read_type(kind.storage_type)
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return (pa.list_ if pa.types.is_list_view(kind) else pa.large_list)(read_type(kind.value_type))
    return _SIMPLE.get(kind, kind)


def decoded(table: pa.Table) -> pa.Table:
    """Return a table with each column in the type that it is read as (:func:`read_type`)."""
    kinds = enumerate(table.schema.types)
    places = [place for place, kind in kinds if kind.id in _ENCODED and read_type(kind) != kind]
    return replace_columns(table, {place: _decoded_column(table.column(place)) for place in places})


def _decoded_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = read_type(column.type)
    if isinstance(column.type, pa.BaseExtensionType):
        is_boolean = isinstance(column.type, pa.Bool8Type)
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
        column = column.cast(pa.bool_()) if is_boolean else column
    if pa.types.is_dictionary(column.type) and read_type(column.type.value_type) != column.type.value_type:
        column = pa.chunked_array(
            [_with_plain_values(chunk) for chunk in column.chunks], pa.dictionary(column.type.index_type, kind)
        )
    if pa.types.is_run_end_encoded(column.type):
        column = pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], column.type.value_type)
    if pa.types.is_list_view(column.type) or pa.types.is_large_list_view(column.type):
        return pa.chunked_array([_listed(chunk, kind) for chunk in column.chunks], kind)
    return column.cast(kind)


def _with_plain_values(encoded: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return a dictionary whose values have a type that Arrow can take them by; views have no such kernel."""
    values = _decoded_column(pa.chunked_array([encoded.dictionary])).combine_chunks()
    return pa.DictionaryArray.from_arrays(encoded.indices, values)


def _listed(views: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return lists of views; Arrow's own cast of them gives arrays that are not valid."""
    is_large = pa.types.is_large_list(kind)
    sizes = np.asarray(pc.fill_null(pc.list_value_length(views), 0))
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int64() if is_large else pa.int32())
    values = pa.chunked_array([views.flatten()]).cast(kind.value_type).combine_chunks()
    make = pa.LargeListArray if is_large else pa.ListArray
    return make.from_arrays(offsets, values, mask=views.is_null())
