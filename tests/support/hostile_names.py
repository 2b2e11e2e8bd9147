"""Names that do harm in a log, on a terminal or on a page, and records that hold a text wherever one may stand."""

from __future__ import annotations

import json
import unicodedata

from airflow_batch_inference.exceptions import ArtifactIntegrityError

CONTROLS = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u061c\u200e\u200f\u2028\u2029\ufeff\u200b"]
CONTROLS += [*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\ud800", "\udfff", "\U000e0041"]
NAMES = [
    *(f"a{control}b" for control in CONTROLS),
    "a\nERROR root: forged",
    "a\r\n2026-01-01T00:00:00 CRITICAL forged",
    "\x1b[2J\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31mC1",
    "\u202egpj.exe",
    "x\u2028forged\u2029",
    "\x00",
    "\b\b\b\bgone",
]


def is_harmless(text, lines=False):
    kept = text.replace("\n", "") if lines else text
    return not any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in kept)


def texts_of(value):
    """Yield each text of plain JSON types, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from texts_of(pair)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from texts_of(each)


def _places(value, way=()):
    """Yield the ways to each text of plain JSON types, and to each key of a dict that is no field of a record."""
    if isinstance(value, str):
        yield way
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from _places(each, (*way, key))


def _with(document, way, text):
    for key in way[:-1]:
        document = document[key]
    before = document[way[-1]]
    document[way[-1]] = text
    return before


class Poison:
    """Puts a text into every field of a record that may hold any text, but for some.

    Parameters
    ----------
    record
        A real one.
    kept
        Names of fields that stay as they are, with all below them.
    """

    def __init__(self, record, kept=()):
        self.kind, self.document, self.places = type(record), json.loads(record.to_json()), []
        for way in list(_places(self.document)):
            if set(way) & {*kept}:
                continue
            before = _with(self.document, way, "x")
            try:
                self.kind.from_dict(self.document)
                self.places.append(way)
            except ArtifactIntegrityError:
                pass
            _with(self.document, way, before)

    def with_text(self, text):
        """Return the record; a text that JSON cannot hold, as no record can hold it either, loses what it cannot."""
        for way in self.places:
            _with(self.document, way, text.encode("utf-8", "replace").decode())
        return self.kind.from_dict(self.document)
