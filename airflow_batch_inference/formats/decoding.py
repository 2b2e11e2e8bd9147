"""Columns in the types that the rest computes with: no encodings, views, or extensions that only rename a type.

Invariants: values stay what they are, and a file's columns have the same types in every process.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.schema.columns import replace_columns

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

    What computes has no kernels for the others, also where they are within lists, structs and maps.

    Examples
    --------
    >>> read_type(pa.struct([("s", pa.list_(pa.string_view()))]))
    StructType(struct<s: list<item: string>>)
    """
    if kind.id in _ENCODED:
        if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            return read_type(kind.value_type)
        if isinstance(kind, (pa.JsonType, pa.OpaqueType)):
            return read_type(kind.storage_type)
        if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
            return (pa.list_ if pa.types.is_list_view(kind) else pa.large_list)(_read_field(kind.value_field))
        return _SIMPLE.get(kind, kind)
    return _nested_type(kind) if pa.types.is_nested(kind) else kind


def _read_field(field: pa.Field) -> pa.Field:
    return field.with_type(read_type(field.type))


def _nested_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        return pa.struct([_read_field(field) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(_read_field(kind.key_field), _read_field(kind.item_field), keys_sorted=kind.keys_sorted)
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_read_field(kind.value_field), kind.list_size)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return (pa.list_ if pa.types.is_list(kind) else pa.large_list)(_read_field(kind.value_field))
    return kind


def decoded(table: pa.Table) -> pa.Table:
    """Return a table with each column in the type that it is read as (:func:`read_type`)."""
    kinds = {
        place: read_type(kind)
        for place, kind in enumerate(table.schema.types)
        if kind.id in _ENCODED or pa.types.is_nested(kind)
    }
    others = {place: kind for place, kind in kinds.items() if kind != table.schema.types[place]}
    return replace_columns(table, {place: _decoded_column(table.column(place), kind) for place, kind in others.items()})


def _decoded_column(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type) and read_type(column.type.value_type) == column.type.value_type:
        return column.cast(kind)
    return pa.chunked_array([_decoded(chunk) for chunk in column.chunks], kind)


def _decoded(array: pa.Array) -> pa.Array:
    """Return an array in the type that it is read as."""
    kind = read_type(array.type)
    if kind == array.type:
        return array
    if isinstance(array.type, pa.BaseExtensionType):
        is_boolean = isinstance(array.type, pa.Bool8Type)
        return array.storage.cast(pa.bool_()) if is_boolean else _decoded(array.storage)
    if pa.types.is_dictionary(array.type):
        # Views have no kernel that takes them by their places.
        return pa.DictionaryArray.from_arrays(array.indices, _decoded(array.dictionary)).cast(kind)
    if pa.types.is_run_end_encoded(array.type):
        return _decoded(pc.run_end_decode(array))
    return _decoded_nested(array, kind) if pa.types.is_nested(array.type) else array.cast(kind)


def _decoded_nested(array: pa.Array, kind: pa.DataType) -> pa.Array:
    nulls = array.is_null()
    if pa.types.is_struct(kind):
        children = [_decoded(array.field(place)) for place in range(kind.num_fields)]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=nulls)
    if pa.types.is_fixed_size_list(kind):
        size = kind.list_size
        values = _decoded(array.values.slice(array.offset * size, len(array) * size))
        return pa.FixedSizeListArray.from_arrays(values, type=kind, mask=nulls)
    if pa.types.is_map(kind):
        offsets = np.asarray(array.offsets)
        entries = slice(int(offsets[0]), int(offsets[-1]))
        keys, items = _decoded(array.keys[entries]), _decoded(array.items[entries])
        return pa.MapArray.from_arrays(pa.array(offsets - offsets[0]), keys, items, kind, mask=nulls)
    is_large = pa.types.is_large_list(kind)
    sizes = np.asarray(pc.fill_null(pc.list_value_length(array), 0))
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int64() if is_large else pa.int32())
    # Made of offsets: Arrow's own cast of views gives arrays that are not valid.
    make = pa.LargeListArray if is_large else pa.ListArray
    return make.from_arrays(offsets, _decoded(array.flatten()), type=kind, mask=nulls)
