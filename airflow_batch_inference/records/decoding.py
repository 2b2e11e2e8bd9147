"""Records decoded by pydantic's engine, told by their own annotations what is strict JSON of each.

pydantic's own layer above that engine makes the same of dataclasses, for any type; it takes a tenth of a second to
import, which is a tenth of a small job. The few types that records have are turned into the engine's schemas here.

Invariants: what is taken, refused and said is what pydantic says (a test compares them, for every record); a type that
is not known here is an error of ours at the first decoding, never a looser check.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator

Schema: TypeAlias = dict[str, Any]

_CONFIG = {"extra_fields_behavior": "forbid", "strict": True, "allow_inf_nan": False}
_PLAIN: dict[object, str] = {str: "str", int: "int", float: "float", bool: "bool", Any: "any"}


@cache
def decoder(cls: type[Any]) -> SchemaValidator:
    """Return what decodes the JSON of a dataclass; its errors are pydantic's ``ValidationError``.

    Raises
    ------
    TypeError
        A field is of a type that records do not have.
    """
    from pydantic_core import SchemaValidator

    return SchemaValidator(_of_dataclass(cls))  # type: ignore[arg-type]  # a typed dict of theirs


@cache
def _of_dataclass(cls: type[Any]) -> Schema:
    hints = get_type_hints(cls)
    known = [field for field in fields(cls) if field.init]
    return {
        "type": "dataclass",
        "cls": cls,
        "fields": [field.name for field in fields(cls)],
        "slots": "__slots__" in vars(cls),
        "post_init": hasattr(cls, "__post_init__"),
        "config": _CONFIG,
        "schema": {
            "type": "dataclass-args",
            "dataclass_name": cls.__name__,
            "fields": [_of_field(field, hints[field.name]) for field in known],
        },
    }


def _of_field(field: Field[Any], kind: object) -> Schema:
    schema = _of(kind)
    if field.default is not MISSING:
        schema = {"type": "default", "schema": schema, "default": field.default}
    elif field.default_factory is not MISSING:
        schema = {"type": "default", "schema": schema, "default_factory": field.default_factory}
    return {"type": "dataclass-field", "name": field.name, "kw_only": field.kw_only, "schema": schema}


def _of(kind: Any) -> Schema:  # noqa: ANN401  # a type
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"type": "literal", "expected": [*arguments]}
    if origin in (Union, types.UnionType):
        return _of_union([each for each in arguments if each is not types.NoneType], len(arguments))
    if origin is tuple and arguments[-1:] == (...,):
        return {"type": "tuple", "items_schema": [_of(arguments[0])], "variadic_item_index": 0}
    if origin is tuple:
        return {"type": "tuple", "items_schema": [_of(each) for each in arguments]}
    if origin is dict:
        keys, values = arguments
        return {"type": "dict", "keys_schema": _of(keys), "values_schema": _of(values)}
    if isinstance(kind, type) and is_dataclass(kind):
        return _of_dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"type": "enum", "cls": kind, "members": [*kind], "sub_type": "str"}
    message = f"{kind!r} is no type of a record's field; teach {__name__} what JSON it is."
    raise TypeError(message)


def _of_union(kinds: list[Any], number: int) -> Schema:
    """Return the schema of one of several types; of fewer than ``number``, where one of them was None."""
    schema = _of(kinds[0]) if len(kinds) == 1 else {"type": "union", "choices": [_of(each) for each in kinds]}
    return schema if len(kinds) == number else {"type": "nullable", "schema": schema}
