"""Lines of JSON one by one, where they do not go together: which kind a field has in most, and what is wrong with one.

Invariants: what a model takes decides, before what most lines hold.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.formats.json.limits import MOST_FIELDS, TOO_DEEP, TOO_WIDE, is_deep
from airflow_batch_inference.schema.casting import changes_in_a_double
from airflow_batch_inference.schema.column_types import is_list, is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.formats.reading import Reading

_SHOWN_CHARACTERS = 60
_KINDS: dict[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def _decoded(line: bytes) -> dict[str, Any]:
    """Return the object of a line.

    Raises
    ------
    ValueError
        It is none, or no JSON as Arrow reads it.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
        if twice:
            message = f"it has more than one field named {twice[0]!r}"
            raise ValueError(message)
        return dict(pairs)

    if is_deep(line):
        raise ValueError(TOO_DEEP)
    try:
        found = json.loads(line, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        message = f"it is no JSON ({error})"
        raise ValueError(message) from error
    if not isinstance(found, dict):
        message = f"it is {_KINDS.get(type(found), 'null')}, and no object"
        raise ValueError(message)  # noqa: TRY004  # as the others
    return found


def _kind(value: object) -> str | None:
    return None if value is None else _KINDS[type(value)]


def _kind_of(kind: pa.DataType) -> str | None:
    """Return what values of an Arrow type are called."""
    if pa.types.is_null(kind):
        return None
    tests = ((is_list, "a list"), (is_text, "text"), (pa.types.is_temporal, "text"), (pa.types.is_boolean, "a boolean"))
    found = next((name for test, name in tests if test(kind)), None)
    return found or ("a number" if is_number(kind) else "an object")


def described(line: bytes, schema: pa.Schema) -> str | None:
    """Say what is wrong with a line that cannot be read with these types; None where nobody can tell."""
    try:
        found = _decoded(line)
    except ValueError as error:
        return str(error)
    for name, value in found.items():
        kind = _kind(value)
        place = schema.get_field_index(name)
        there = _kind_of(schema.field(place).type) if place >= 0 else None
        if kind is not None and kind != there:
            shown = json.dumps(value, ensure_ascii=False)[:_SHOWN_CHARACTERS]
            return f"field {name!r} holds {kind} ({shown}), and in the other lines {there or 'nothing'}"
    return None


def refuse_rounded_integers(block: bytes) -> None:
    """Refuse integers that JSON holds and a double does not: identifiers would become others."""
    for line in block.splitlines():
        for name, value in (json.loads(line) if line.strip() else {}).items():
            changed = next((each for each in _integers(value) if changes_in_a_double(each)), None)
            if changed is not None:
                shown = str(changed)[:_SHOWN_CHARACTERS]
                message = f"field {name!r} holds the integer {shown}, which no number here holds; write it as text"
                raise ValueError(message)


def _integers(value: object) -> Iterator[int]:
    """Yield the integers of a value, at any level."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, int):
            yield inner
        elif isinstance(inner, (list, dict)):
            waiting += inner if isinstance(inner, list) else inner.values()


class MixedLines:
    """Which kind each field has, and which lines do not go with it.

    Attributes
    ----------
    fields
        Field to how many lines hold each kind.
    broken
        How many lines have another kind than they should, or are no objects.
    """

    def __init__(self, reading: Reading) -> None:
        self.fields: dict[str, Counter[str]] = {}
        self.broken = 0
        self._reading = reading

    def count(self, block: bytes) -> None:
        """Count the kinds of whole lines.

        Raises
        ------
        ValueError
            They have too many different fields.
        """
        for line in block.splitlines():
            for name, value in self._object(line).items():
                kind = _kind(value)
                if kind is not None:
                    self.fields.setdefault(name, Counter())[kind] += 1
            if len(self.fields) > MOST_FIELDS:
                raise ValueError(TOO_WIDE)

    def find_broken(self, block: bytes) -> None:
        """Count the lines that do not go with the others."""
        self.broken += self.good(block)[1]

    def good(self, block: bytes) -> tuple[bytes, int]:
        """Return the lines that go together, and how many do not."""
        lines = [line for line in block.splitlines() if line.strip()]
        kept = [line for line in lines if self._fits(line)]
        return b"\n".join([*kept, b""]), len(lines) - len(kept)

    def _object(self, line: bytes) -> dict[str, Any]:
        try:
            return _decoded(line) if line.strip() else {}
        except ValueError:
            return {}

    def _fits(self, line: bytes) -> bool:
        try:
            found = _decoded(line)
        except ValueError:
            return False
        return all(_kind(value) in (None, self._chosen(name)) for name, value in found.items())

    def _chosen(self, name: str) -> str | None:
        counted = self.fields.get(name)
        if not counted:
            return None
        wanted = self._reading.wanted(name)
        kind = None if wanted is None else _kind_of(wanted)
        return kind if kind in counted else counted.most_common(1)[0][0]
