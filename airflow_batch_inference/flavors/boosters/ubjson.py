"""The part of UBJSON that XGBoost writes.

Invariants: no length is larger than what is left of the file, and no name is there twice in an object.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from airflow_batch_inference.flavors.boosters.xgboost_lists import SHOWN

_MOST_LEVELS = 50
# Markers of numbers in UBJSON (ubjson.org, "Type Reference"), big-endian.
_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_PLAIN = {"T": True, "F": False, "Z": None}


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of a name that is there twice XGBoost takes the first value, or the last.

    Raises
    ------
    ValueError
        There is one.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        message = f"{twice[:SHOWN]!r} is in it twice"
        raise ValueError(message)
    return found


class Reader:
    """Reads the part of UBJSON that XGBoost writes: strings and counts with lengths of 8 bytes, typed arrays."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def document(self) -> Any:  # noqa: ANN401  # whatever the file holds
        """Return what the file holds; ValueError: it is damaged."""
        found = self.value(0)
        if self._content[self._at :].strip():
            message = f"something follows its end at byte {self._at}"
            raise ValueError(message)
        return found

    def value(self, level: int) -> Any:  # noqa: ANN401  # whatever the file holds
        """Return the value that comes next."""
        if level > _MOST_LEVELS:
            message = f"it is nested more than {_MOST_LEVELS} levels deep"
            raise ValueError(message)
        marker = self._marker()
        if marker == "{":
            return self._object(level)
        if marker == "[":
            return self._array(level)
        if marker == "S":
            return self._text()
        if marker in _PLAIN:
            return _PLAIN[marker]
        return self._numbers(marker, 1)[0].item()

    def _object(self, level: int) -> dict[str, Any]:
        found = []
        while self._next() != "}":
            name = self._text()
            found.append((name, self.value(level + 1)))
        self._at += 1
        return once(found)

    def _array(self, level: int) -> Any:  # noqa: ANN401  # a list, or an array of numbers
        if self._next() == "$":
            self._at += 1
            kind = self._marker()
            self._expect("#")
            return self._numbers(kind, self._length())
        if self._next() == "#":
            self._at += 1
            return [self.value(level + 1) for _ in range(self._length())]
        found = []
        while self._next() != "]":
            found.append(self.value(level + 1))
        self._at += 1
        return found

    def _numbers(self, marker: str, count: int) -> np.ndarray:
        if marker not in _NUMBERS:
            message = f"byte {self._at} is no value ({marker!r})"
            raise ValueError(message)
        dtype = np.dtype(_NUMBERS[marker])
        return np.frombuffer(self._taken(count * dtype.itemsize), dtype)

    def _text(self) -> str:
        return self._taken(self._length()).decode(errors="replace")

    def _length(self) -> int:
        self._expect("L")
        (length,) = struct.unpack(">q", self._taken(8))
        if not 0 <= length <= len(self._content) - self._at:
            message = f"byte {self._at} starts something of length {length}, but {len(self._content)} bytes are there"
            raise ValueError(message)
        return int(length)

    def _taken(self, size: int) -> bytes:
        if size > len(self._content) - self._at:
            message = f"it ends within what starts at byte {self._at}"
            raise ValueError(message)
        self._at += size
        return self._content[self._at - size : self._at]

    def _marker(self) -> str:
        return self._taken(1).decode("latin-1")

    def _next(self) -> str:
        if self._at >= len(self._content):
            message = "its end is missing"
            raise ValueError(message)
        return chr(self._content[self._at])

    def _expect(self, marker: str) -> None:
        found = self._marker()
        if found != marker:
            message = f"byte {self._at - 1} is {found!r} where {marker!r} must be"
            raise ValueError(message)
