"""Arrow's parser of JSON lines, and the types that it finds."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.json as pa_json

ERRORS = (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeDecodeError)


def parsed(block: bytes, schema: pa.Schema | None = None, *, others: str = "infer") -> pa.Table:
    """Parse whole lines; the parser's own blocks are small, and grow where a line is longer."""
    parse = None if schema is None else pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=others)
    try:
        return pa_json.read_json(io.BytesIO(block), parse_options=parse)
    except pa.ArrowInvalid as error:
        if "straddling object" not in str(error):
            raise
    read = pa_json.ReadOptions(block_size=len(block) + 1)
    return pa_json.read_json(io.BytesIO(block), read_options=read, parse_options=parse)


def parses(block: bytes) -> bool:
    """Say whether the parser takes a block."""
    try:
        parsed(block)
    except pa.ArrowInvalid:
        return False
    return True


def without_times(kind: pa.DataType) -> pa.DataType:
    """Return a type with text for the times that the parser sees in it: JSON has none.

    Examples
    --------
    >>> without_times(pa.list_(pa.timestamp("s")))
    ListType(list<item: string>)
    """
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(without_times(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(without_times(field.type)) for field in kind])
    return kind


def number_of_fields(kind: pa.DataType) -> int:
    """Count the fields of a type, with those within it.

    Examples
    --------
    >>> number_of_fields(pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])), number_of_fields(pa.int8())
    (3, 1)
    """
    if pa.types.is_struct(kind):
        return 1 + sum(number_of_fields(field.type) for field in kind)
    return number_of_fields(kind.value_type) if pa.types.is_list(kind) else 1


def merge_types(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """Return the type that holds both without loss of kind (integer and number: number).

    Raises
    ------
    pyarrow.ArrowTypeError
        There is none, such as for a number and text.
    """
    if left == right:
        return left
    schemas = [pa.schema([pa.field("_", kind)]) for kind in (left, right)]
    return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
