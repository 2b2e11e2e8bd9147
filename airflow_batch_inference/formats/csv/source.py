"""A CSV file's bytes on their way to the parser: decoded to UTF-8, and looked at for what the parser would not tell.

Invariants: bytes of another encoding end in an error that names the option, never in other names or values; and a file
is looked at whole, since a later row may be the one that tells. A quote that is never closed makes one value of all the
rows behind it, and the parser says nothing: so it is asked for a line behind the last one.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import IO, TYPE_CHECKING

import numpy as np

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.budget import require_columns
from airflow_batch_inference.formats.csv.escapes import EscapeWatch

if TYPE_CHECKING:
    from airflow_batch_inference.formats.csv.parser import CsvForm
    from airflow_batch_inference.records import CsvOptions

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF_8 = ("utf-8", "utf-8-sig")
_ONE_BYTE = re.compile(r"ascii|iso8859-\d+|cp125\d|cp437|cp85\d|koi8-[rtu]|mac-\w+")
_PEEKED_BYTES = 1_000
_KEPT_BYTES = 3
_AT_ONCE = 64 << 10
_ZERO, _PLUS, _MINUS, _EXPONENT, _X = b"0+-ex"
_TEN, _LOWER = np.uint8(10), np.uint8(0x20)
_END = "\x03end\x03"


class CsvSource(io.RawIOBase):
    """A stream of UTF-8 for the parser, which remembers what it has seen.

    Parameters
    ----------
    source, uri, options
        The file's bytes, and what was said of them.
    is_start
        Whether they are the file's first.
    watched
        What the parser takes the file for; None: nothing of it is remembered.

    Attributes
    ----------
    has_codes
        Whether a value may be a code that a number would change: ``007``, ``0x1F``, ``+49``, ``12E3``.
    has_backslash_quote
        Whether a quote stands behind a backslash somewhere.
    end_mark
        A line of too many values that follows the last one of a file with quotes; None: the file has none, or its end
        has not come yet. A parser that does not tell of it has taken it for a part of a quoted value.
    """

    def __init__(
        self, source: IO[bytes], uri: str, options: CsvOptions, *, is_start: bool, watched: CsvForm | None = None
    ) -> None:
        super().__init__()
        self.has_codes = False
        self.has_backslash_quote = False
        self.end_mark: str | None = None
        self._source, self._uri, self._is_start, self._watched = source, uri, is_start, watched
        self._has_quote = False
        self._separators = self._seen = 0
        self._options = options
        encoding = options.encoding or "utf-8"
        self._encoding = encoding
        self._decoder = None if is_utf_8(options) else codecs.getincrementaldecoder(encoding)()
        self._before = _before_values(options)
        self._escapes = None if watched is None else _escape_watch(uri, options, watched)
        self._tail = b"\n"

    def readable(self) -> bool:
        """Say that it is open for reading."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return about so many bytes; none at the end.

        Raises
        ------
        DataError
            They are not of the encoding that the file is said to have.
        """
        while True:
            raw = self._source.read(size)
            data = raw if self._decoder is None else self._decoded(raw)
            if data or not raw:
                break
        if self._is_start and raw:
            self._is_start = False
            self._require_encoding(raw)
            end = raw.find(b"\n")
            separator = (self._options.separator or (self._watched.separator if self._watched else ",")).encode()
            require_columns(self._uri, raw.count(separator, 0, end if end >= 0 else len(raw)) + 1)
        if self._watched is None:
            return data
        if data:
            self._watch(data, self._watched)
        elif self._has_quote and self.end_mark is None:
            self.end_mark = _END + self._watched.separator * self._most_columns(self._watched)
            return f"\n{self.end_mark}\n".encode()
        return data

    def close(self) -> None:
        """Close the file, too."""
        if not self.closed:
            self._source.close()
        super().close()

    def _decoded(self, raw: bytes) -> bytes:
        try:
            text = self._decoder.decode(raw, not raw)  # type: ignore[union-attr]  # there is one here
        except UnicodeDecodeError as error:
            message = (
                f"{self._uri} is not {self._encoding}, as csv_options says: {error.reason}. Give csv_options the "
                "encoding that it was written with."
            )
            raise DataError(message) from error
        return text.encode()

    def _require_encoding(self, raw: bytes) -> None:
        if self._decoder is not None:
            return
        if raw.startswith(_UTF_16):
            found, how = "begins with the byte order mark of UTF-16", "utf-16"
        elif b"\0" in (head := raw[:_PEEKED_BYTES]):
            found, how = "has zero bytes, as UTF-16 has", "utf-16-be" if head[::2].count(0) else "utf-16-le"
        else:
            return
        message = f'{self._uri} {found}, and CSV files are read as UTF-8. Give csv_options={{"encoding": "{how}"}}.'
        raise DataError(message)

    def _most_columns(self, form: CsvForm) -> int:
        """Return a number that the first row's values do not exceed: it lies in one block, and names are not empty."""
        return min(self._separators, form.block_bytes // 2) + 1

    def _watch(self, data: bytes, form: CsvForm) -> None:
        if self._seen < form.block_bytes:
            self._separators += data.count(form.separator.encode())
            self._seen += len(data)
        if self._escapes is not None:
            self._escapes.add(data)
        self._has_quote = self._has_quote or bool(form.quote and form.quote.encode() in data)
        joined = self._tail + data
        self._tail = joined[-_KEPT_BYTES:]
        # One byte is found much faster than two.
        self.has_backslash_quote = self.has_backslash_quote or (b"\\" in joined and b'\\"' in joined)
        self.has_codes = self.has_codes or _has_codes(joined, self._before)


def _escape_watch(uri: str, options: CsvOptions, form: CsvForm) -> EscapeWatch | None:
    if not options.escape or not form.quote or options.escape == form.quote:
        return None
    return EscapeWatch(uri, escape=options.escape, quote=form.quote, separator=form.separator)


def _before_values(options: CsvOptions) -> tuple[int, ...]:
    """Return which bytes may stand before a value."""
    quote = '"' if options.quote is None else options.quote
    return tuple(dict.fromkeys(f"{options.separator or ','}{quote}\r\n\t ".encode()))


def _has_codes(text: bytes, before: tuple[int, ...]) -> bool:
    """Say whether a zero with a digit or an x behind it, or a plus, begins a value, or an exponent has no sign."""
    data = np.frombuffer(text, dtype=np.uint8)
    steps = range(0, max(0, len(data) - _KEPT_BYTES), _AT_ONCE)
    # Little at a time stays in the processor's memory, which makes this five times as fast.
    return any(_have_codes(data[place : place + _AT_ONCE + _KEPT_BYTES], before) for place in steps)


def _have_codes(data: np.ndarray, before: tuple[int, ...]) -> bool:
    digit = (data - _ZERO) < _TEN  # what is smaller wraps round
    begins = data == before[0]
    for byte in before[1:]:
        begins |= data == byte
    lower = data | _LOWER
    coded = (data[1:-1] == _ZERO) & (digit[2:] | (lower[2:] == _X))
    starts = begins[:-2] & (coded | ((data[1:-1] == _PLUS) & digit[2:]))
    signed = begins[:-3] & ((data[1:-2] == _MINUS) | (data[1:-2] == _PLUS)) & coded[1:]
    powers = (lower[1:-1] == _EXPONENT) & digit[:-2] & digit[2:]
    return bool(starts.any() or signed.any() or powers.any())


def cuts_by_bytes(options: CsvOptions) -> bool:
    """Say whether every ASCII byte of such a file is that character, and can be read from any character on."""
    return is_utf_8(options) or _ONE_BYTE.fullmatch(options.encoding or "") is not None


def is_utf_8(options: CsvOptions) -> bool:
    """Say whether the bytes of such a file are what the parser takes."""
    return (options.encoding or "utf-8") in _UTF_8
