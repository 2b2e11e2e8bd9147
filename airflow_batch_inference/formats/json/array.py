"""A JSON list of objects, as pandas writes frames (``orient="records"``), read as JSON lines.

Invariants: memory holds some rows, never the file; each row's text goes on as it is, digit for digit; and other forms
of JSON are refused by name, since one of them would be read as a single row.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from typing import IO, TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.json.limits import TOO_DEEP
from airflow_batch_inference.formats.streams import BLOCK_BYTES, open_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.storage.store import Storage

_PEEKED_BYTES = 4
MOST_ROW_CHARACTERS = 64 << 20
"""A row of a list that is longer is refused: no end of it was found."""
_BLANKS = re.compile(r"[ \t\r\n]*")
_KINDS = {"[": "a list", '"': "text", "t": "true", "f": "false", "n": "null", "]": "missing: a comma stands before it"}
_NAN = re.compile(r'"(?:[^"\\]|\\.)*+"?|NaN')  # of text that is not closed, all: looked through once
_WRITE = "Write it with orient='records' (with or without lines=True), or as Parquet."


def open_json(uri: str, storage: Storage, compression: str | None, start: int = 0, stop: int | None = None) -> Any:  # noqa: ANN401  # a stream
    """Open a file of JSON lines, or of one list of objects, which comes as JSON lines (:class:`ArrayLines`).

    Parameters
    ----------
    uri, storage, compression
        The file.
    start, stop
        Offsets of JSON lines; a list is read as a whole.

    Raises
    ------
    DataError
        It holds one frame in another form of JSON.
    """
    source = open_stream(uri, storage, compression, start, stop)
    if start:
        return source
    head = _first(source)
    ahead = _Ahead(head, source)
    if _begins_with(head, b"[") and b"\0" not in head[:_PEEKED_BYTES]:  # UTF-16 has zeros
        return ArrayLines(ahead, uri)
    if _begins_with(head, b"{"):
        try:
            _refuse_other_forms(head, uri)
        except DataError:
            ahead.close()
            raise
    return ahead


def orient_of(content: object) -> str | None:
    """Return how pandas calls the form in which a frame stands in JSON; None where it is no frame in one object.

    Examples
    --------
    >>> orient_of({"a": {"0": 1, "1": 2}}), orient_of({"columns": ["a"], "index": [0], "data": [[1]]})
    ('columns', 'split')
    >>> orient_of({"age": 31, "place": {"zip": 1}}) is None
    True
    """
    if not isinstance(content, dict) or not content:
        return None
    if isinstance(content.get("data"), list):
        if isinstance(content.get("columns"), list) and set(content) <= {"columns", "index", "data", "dtypes"}:
            return "split"
        if isinstance(content.get("schema"), dict) and set(content) == {"schema", "data"}:
            return "table"
    parts = list(content.values())
    if not all(isinstance(part, dict) and part and part.keys() == parts[0].keys() for part in parts):
        return None
    if all(key.isdecimal() for key in parts[0]):
        return "columns"
    return "index" if all(key.isdecimal() for key in content) else None


class ArrayLines(io.RawIOBase):
    """The objects of a JSON list as lines, one after the other."""

    def __init__(self, source: IO[bytes] | io.RawIOBase, uri: str) -> None:
        super().__init__()
        self._source = source
        self._rows = _Rows(source, uri).lines()
        self._held = b""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, or fewer at the end."""
        found = [self._held]
        length = len(self._held)
        while size < 0 or length < size:
            line = next(self._rows, None)
            if line is None:
                break
            found.append(line)
            length += len(line)
        whole = b"".join(found)
        self._held = b"" if size < 0 else whole[size:]
        return whole if size < 0 else whole[:size]

    def close(self) -> None:
        """Close the file, too."""
        if not self.closed:
            self._source.close()
        super().close()


class _Rows:
    """Cuts a list into its objects, with as much of the file in memory as one of them needs."""

    def __init__(self, source: IO[bytes] | io.RawIOBase, uri: str) -> None:
        self._source, self._uri = source, uri
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._place = 0
        self._row = 0
        self._is_over = False
        self._has_nan = False
        self._decoder = json.JSONDecoder(parse_constant=self._constant)

    def lines(self) -> Iterator[bytes]:
        """Yield one line an object.

        Raises
        ------
        DataError
            It is no list of objects: names the row.
        """
        self._next()  # the bracket
        self._place += 1
        if self._next() != "]":
            yield self._line()
            while self._next() == ",":
                self._place += 1
                yield self._line()
        if self._next() != "]":
            raise self._wrong("a comma or the list's end is missing behind it", self._row - 1)
        self._place += 1
        if self._next():
            message = f"{self._uri} holds more behind its list of {self._row:,} rows. Write one list, or JSON lines."
            raise DataError(message)

    def _line(self) -> bytes:
        first = self._next()
        if first != "{":
            what = _KINDS.get(first, "a number") if first else "missing: the file ends before it"
            raise self._wrong(f"it is {what}, where an object (column to value) must stand", self._row)
        self._has_nan = False
        while True:
            try:
                _, end = self._decoder.raw_decode(self._text, self._place)
                break
            except json.JSONDecodeError as error:
                if len(self._text) - self._place > MOST_ROW_CHARACTERS:
                    told = f"it is no JSON, or longer than {MOST_ROW_CHARACTERS:,} characters ({error.msg})"
                    raise self._wrong(told, self._row) from None
                if not self._more():
                    raise self._wrong(f"it is no JSON ({error.msg})", self._row) from None
            except RecursionError:
                raise self._wrong(TOO_DEEP, self._row) from None
        text = self._text[self._place : end]
        if self._has_nan:
            text = _NAN.sub(lambda each: "null" if each.group() == "NaN" else each.group(), text)
        self._place = end
        self._row += 1
        # Between values a line's end is a blank; within text, JSON has none.
        return text.replace("\n", " ").replace("\r", " ").encode() + b"\n"

    def _constant(self, word: str) -> None:
        """Take NaN, which Python's json writes for a missing number, for null."""
        if word != "NaN":
            raise self._wrong(f"it holds {word}, for which JSON has no word; write null, or a number", self._row)
        self._has_nan = True

    def _next(self) -> str:
        """Return the next character that is no blank; nothing at the end."""
        while True:
            found = _BLANKS.match(self._text, self._place)
            self._place = self._place if found is None else found.end()
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._more():
                return ""

    def _more(self) -> bool:
        if self._is_over:
            return False
        chunk = self._source.read(BLOCK_BYTES) or b""
        self._is_over = not chunk
        self._text = self._text[self._place :] + self._decode.decode(chunk, final=not chunk)
        self._place = 0
        return True

    def _wrong(self, what: str, row: int) -> DataError:
        return DataError(f"Row {row} (from 0) of the list in {self._uri} cannot be read: {what}. Correct the file.")


class _Ahead(io.RawIOBase):
    """A stream of which the beginning was read already."""

    def __init__(self, head: bytes, source: IO[bytes]) -> None:
        super().__init__()
        self._head, self._source = head, source

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._source.read(size)
        if size < 0:
            found, self._head = self._head + self._source.read(), b""
            return found
        found, self._head = self._head[:size], self._head[size:]
        return found

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()


def _first(source: IO[bytes]) -> bytes:
    """Return a file's beginning, with something in it that is no blank where there is."""
    head = b""
    while chunk := source.read(BLOCK_BYTES):
        head += chunk
        if head.removeprefix(codecs.BOM_UTF8).strip():
            break
    return head


def _begins_with(head: bytes, sign: bytes) -> bool:
    return head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(sign)


def _refuse_other_forms(head: bytes, uri: str) -> None:
    """Refuse one object that is a whole frame, or that stands on several lines.

    Raises
    ------
    DataError
        Says how to write it.
    """
    content = head.removeprefix(codecs.BOM_UTF8).strip()
    first, newline, _ = content.partition(b"\n")
    if newline and first.rstrip().endswith(b"}"):
        return  # JSON lines
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return  # the reader of JSON lines says what is wrong
    orient = orient_of(found)
    if orient is not None:
        message = f"{uri} is a data frame as pandas writes it with orient={orient!r}, all in one object. {_WRITE}"
        raise DataError(message)
    if newline:
        message = (
            f"{uri} holds one JSON object on several lines. Write JSON lines (one object a line, one line a row), or a "
            "list of objects."
        )
        raise DataError(message)
