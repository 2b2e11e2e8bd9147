"""What a record takes, refuses and says is what pydantic takes, refuses and says of the same dataclass."""

from __future__ import annotations

import copy
import json
import random
import types
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from airflow_batch_inference import records
from airflow_batch_inference.records.decoding import decoder

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
ODD = [None, True, 0, 1, -1, 1.0, 0.5, 1e400, "", "1", "x", [], [1], ["a"], {}, {"a": 1}, 2**70, "numeric", "NO_DRIFT"]


def example(kind: Any, chance: random.Random) -> Any:
    """Return JSON of a type, as a record's field has it."""
    origin, arguments = get_origin(kind), get_args(kind)
    plain = {str: "text", int: 3, float: 0.5, bool: True, Any: {"any": [1]}}
    if kind in plain:
        return plain[kind]
    if kind is types.NoneType:
        return None
    if origin is Literal:
        return chance.choice(arguments)
    if origin in (Union, types.UnionType):
        return example(chance.choice(arguments), chance)
    if origin is tuple:
        kinds = arguments[:1] * chance.randint(0, 2) if arguments[-1] is ... else arguments
        return [example(each, chance) for each in kinds]
    if origin is dict:
        return {f"k{place}": example(arguments[1], chance) for place in range(chance.randint(0, 2))}
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return {field.name: example(hints[field.name], chance) for field in fields(kind)}
    assert issubclass(kind, Enum)
    return chance.choice([*kind]).value


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(document, (dict, list)):
        return [path]
    inner = document.items() if isinstance(document, dict) else enumerate(document)
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def changed(document: Any, chance: random.Random) -> Any:
    """Return it with another value, one key less, or one key more, at some place."""
    *path, last = chance.choice(places(document)[1:])
    found = copy.deepcopy(document)
    within = found
    for key in path:
        within = within[key]
    kind = chance.randint(0, 3)
    if kind == 0 and isinstance(within, dict):
        del within[last]
    elif kind == 1 and isinstance(within, dict):
        within["unknown"] = 1
    else:
        within[last] = chance.choice(ODD)
    return found


def outcome(decode: Any, text: str) -> Any:
    try:
        return decode(text)
    except ValidationError as error:
        return repr(error.errors(include_url=False, include_context=False)), error.title


@pytest.mark.parametrize("name", sorted(records._TYPES))
def test_every_record_is_decoded_as_pydantic_does(name):
    cls, chance = records._type_of(name), random.Random(name)
    theirs = TypeAdapter(with_config(STRICT)(cls)).validate_json
    del cls.__pydantic_config__
    ours = decoder(cls).validate_json
    for _ in range(60):
        document = example(cls, chance)
        for each in (document, *(changed(document, chance) for _ in range(10))):
            text = json.dumps(each)
            assert outcome(ours, text) == outcome(theirs, text), text
    for text in ("", "[]", "null", "{", '{"kind": "model", "kind": "model"}', '"\ud800"', "NaN"):
        assert outcome(ours, text) == outcome(theirs, text), text


def test_a_field_of_a_type_that_is_not_known_is_an_error():
    @dataclass
    class Odd:
        values: list

    Odd.__annotations__["values"] = set
    with pytest.raises(TypeError, match="is no type of a record's field"):
        decoder(Odd)
