"""Many values of one kind as JSON, column by column: a job of many files and parts, in a text of few names.

A *column* is an object with ``plain`` (a list of texts, numbers and nulls), ``one`` and ``n`` (one value, so often),
``class``, ``n`` and ``fields`` (objects of one dataclass: a column for each field that is not at its default),
``lengths`` and ``items`` (tuples, or with ``lists`` lists, joined), or ``each`` (any values, as elsewhere).

Invariants: what comes out is what went in, of the same types.
"""

from __future__ import annotations

import dataclasses
import math
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MANY = 64
"""From so many values on a tuple is written in columns."""
_MOST = 100_000_000
_PLAIN = frozenset({bool, str, int, type(None)})
_SAME = frozenset({str, int})


def write_column(
    values: Sequence[Any], other: Callable[[Any], Any], class_name: Callable[[type], str | None]
) -> dict[str, Any]:
    """Return the column of some values, at least one.

    Parameters
    ----------
    values
        The values.
    other
        Writes a value that is in no column.
    class_name
        Returns the name of a dataclass whose objects are their fields and no more; None for any other class.
    """
    first, kinds = values[0], set(map(type, values))
    if all(value is first for value in values) or (kinds <= _SAME and len(kinds) == 1 and len(set(values)) == 1):
        return {"one": other(first), "n": len(values)}
    if kinds <= _PLAIN or (kinds == {float} and all(map(math.isfinite, values))):
        return {"plain": list(values)}
    if len(kinds) > 1:
        return {"each": [other(value) for value in values]}
    if kinds == {tuple} or kinds == {list}:
        items = list(chain.from_iterable(values))
        inner = write_column(items, other, class_name) if items else {"plain": []}
        lengths = write_column(list(map(len, values)), other, class_name)
        return {"lengths": lengths, "items": inner, **({"lists": True} if kinds == {list} else {})}
    name = class_name(type(first))
    if name is None:
        return {"each": [other(value) for value in values]}
    fields = {}
    for member in dataclasses.fields(first):
        found = [getattr(value, member.name) for value in values]
        is_left_out = isinstance(member.default, bool | str | int | None) and all(
            each is member.default for each in found
        )
        if member.init and not is_left_out:
            fields[member.name] = write_column(found, other, class_name)
    return {"class": name, "n": len(values), "fields": fields}


def read_column(column: dict[str, Any], other: Callable[[Any], Any], class_of: Callable[[str], type]) -> list[Any]:
    """Return the values of a column.

    Parameters
    ----------
    column
        What :func:`write_column` returned.
    other
        Reads a value that is in no column.
    class_of
        Returns the dataclass of a name.

    Raises
    ------
    ValueError, LookupError, TypeError
        It is none.
    """
    if "plain" in column:
        values = column["plain"]
        if not isinstance(values, list) or not set(map(type, values)) <= {*_PLAIN, float}:
            message = "a column of plain values has others"
            raise ValueError(message)
        return values
    if "each" in column:
        return [other(value) for value in column["each"]]
    if "one" in column:
        return [other(column["one"])] * _number(column["n"])
    if "lengths" in column:
        items = iter(read_column(column["items"], other, class_of))
        make = list if "lists" in column else tuple
        made = [make(islice(items, length)) for length in read_column(column["lengths"], other, class_of)]
        if next(items, None) is not None:
            message = "a column of tuples has too many items"
            raise ValueError(message)
        return made
    kind, names = class_of(column["class"]), list(column["fields"])
    read = [read_column(each, other, class_of) for each in column["fields"].values()]
    rows = zip(*read, strict=True) if read else repeat((), _number(column["n"]))
    made = [kind(**dict(zip(names, row, strict=True))) for row in rows]
    if len(made) != column["n"]:
        message = "a column of objects has other columns than it says"
        raise ValueError(message)
    return made


def _number(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MOST:
        message = f"{value!r} values of one kind"
        raise ValueError(message)
    return value
