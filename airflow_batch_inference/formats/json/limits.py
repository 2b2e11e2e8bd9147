"""How deep JSON may be nested, and how many different fields its objects may have: known before a parser sees it.

Parsers call themselves for each level, until the process has no stack left; and they make a column of each field, for
all the rows that they parse at once.

Invariants: both are bounded on the bytes, in linear time.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import numpy as np

MOST_LEVELS = 64
"""Objects and lists within one another, the row's own object too: Arrow's files hold no more levels."""
MOST_FIELDS = 20_000
"""Different fields, within objects too."""
MOST_CELLS = 1 << 24
"""Rows by fields that are parsed at once: a parser keeps room for each field in each row."""
TOO_DEEP = f"it is nested more than {MOST_LEVELS} levels deep, the limit"
TOO_WIDE = (
    f"there are more than {MOST_FIELDS:,} different fields up to here, the limit. Where the fields' names are data, "
    "write them as values: one line for each, with a field for the name"
)
NO_OBJECT = "it begins with null, and must be one object"
_OPENS, _NEWLINE, _RETURN, _COLON = 0x7B, 0x0A, 0x0D, 0x3A
_CASE = np.uint8(0x20)  # with it, [ is {, and ] is }
_AT_ONCE = 256 << 10
_NULL = re.compile(rb"[ \t]*+null")
_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_OTHERS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_ALIKE = bytes.maketrans(b"[]", b"{}")
_SHALLOW = 4


def null_line(block: bytes) -> int | None:
    r"""Return the place of the first line, from 0, that begins with null; None where none does.

    Arrow's parser ends the process where what it parses at once, from the end of any line on, begins with one.

    Examples
    --------
    >>> null_line(b'{"a": 1}\nnull\n'), null_line(b'{"a": null}\n')
    (1, None)
    """
    if b"null" not in block:
        return None
    data = np.frombuffer(block, dtype=np.uint8)
    starts = np.append(0, np.flatnonzero((data == _NEWLINE) | (data == _RETURN)) + 1)
    starts = starts[starts < len(data)]
    firsts = data[starts]
    for start in starts[(firsts != _OPENS) & (firsts != _NEWLINE) & (firsts != _RETURN)].tolist():
        if _NULL.match(block, start):
            return block.count(b"\n", 0, start)
    return None


def is_deep(text: bytes) -> bool:
    """Say whether a text of JSON is nested deeper than it may be.

    Examples
    --------
    >>> is_deep(b'{"a": ' * 65 + b"1" + b"}" * 65), is_deep(b'{"a": "[[[["}')
    (True, False)
    """
    if text.count(b"{") + text.count(b"[") <= MOST_LEVELS:
        return False
    # Brackets within quotes are none; of a quote that is never closed the parser sees no end either.
    bare = _TEXT.sub(b"", text) if b"\\" in text else b"".join(text.split(b'"')[::2])
    brackets = bare.translate(_ALIKE, _OTHERS)
    for _ in range(_SHALLOW):  # takes out the innermost level, which is quick where there are few
        brackets = brackets.replace(b"{}", b"")
    steps = np.where(np.frombuffer(brackets, dtype=np.uint8) == _OPENS, 1, -1)
    return len(steps) > 0 and int(np.cumsum(steps, dtype=np.int64).max()) + _SHALLOW > MOST_LEVELS


def deep_line(block: bytes) -> int | None:
    """Return the place of the first line, from 0, that is nested deeper than it may be; None where none is."""
    data = np.frombuffer(block, dtype=np.uint8)
    if _nested(data) < MOST_LEVELS:
        return None
    opens = np.flatnonzero((data | _CASE) == _OPENS)
    ends = np.flatnonzero(data == _NEWLINE)
    lines = np.searchsorted(ends, opens)
    many = np.unique(lines[MOST_LEVELS:][lines[MOST_LEVELS:] == lines[:-MOST_LEVELS]])
    for line in many.tolist():
        start = int(ends[line - 1]) + 1 if line else 0
        stop = int(ends[line]) if line < len(ends) else len(block)
        if is_deep(block[start:stop]):
            return int(line)
    return None


def _nested(data: np.ndarray) -> int:
    """Count the brackets that open elsewhere than at a line's beginning: lines of flat objects have none."""
    found = 0
    for place in range(0, len(data), _AT_ONCE):  # what is small stays in the processor's memory
        piece = data[place : place + _AT_ONCE]
        opens = (piece | _CASE) == _OPENS
        found += int(opens[0]) + int(np.count_nonzero(opens[1:] & (piece[:-1] != _NEWLINE)))
        if found >= MOST_LEVELS:
            break
    return found


def number_of_lines(block: bytes) -> int:
    """Count the lines of a block; three times as fast as ``bytes.count``."""
    return int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == _NEWLINE)) + (not block.endswith(b"\n"))


def has_many_fields(line: bytes) -> bool:
    """Say whether the object in a line has more different fields than there may be; of what is no JSON: no."""
    if np.count_nonzero(np.frombuffer(line, dtype=np.uint8) == _COLON) <= MOST_FIELDS:
        return False
    try:
        waiting: list[tuple[int, Any]] = [(0, json.loads(line))]
    except (ValueError, RecursionError):
        return False
    paths: dict[tuple[int, str], int] = {}
    while waiting:
        parent, value = waiting.pop()
        if isinstance(value, list):
            waiting += [(parent, each) for each in value if isinstance(each, (dict, list))]
        elif isinstance(value, dict):
            for name, inner in value.items():
                path = paths.setdefault((parent, name), len(paths) + 1)
                if isinstance(inner, (dict, list)):
                    waiting.append((path, inner))
            if len(paths) > MOST_FIELDS:
                return True
    return False


def lines_of(block: bytes, rows: int) -> list[bytes]:
    """Cut whole lines into pieces of at most so many."""
    ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == _NEWLINE)[rows - 1 :: rows] + 1
    borders = [0, *ends.tolist()]
    if borders[-1] < len(block):
        borders.append(len(block))
    return [block[start:stop] for start, stop in itertools.pairwise(borders)]
