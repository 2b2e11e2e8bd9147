"""Escapes outside of quotes in a CSV file: the parser takes them for such, and who wrote them meant a character.

Spark puts a backslash before a quote within quotes, and leaves one that stands in a plain value as it is.

Invariants: no value loses a character, so such a file is refused.
"""

from __future__ import annotations

import re

from airflow_batch_inference.exceptions import DataError


class EscapeWatch:
    """Follows a file's quotes, piece by piece.

    Parameters
    ----------
    uri
        The file, for messages.
    escape, quote, separator
        What the file is said to have.
    """

    def __init__(self, uri: str, *, escape: str, quote: str, separator: str) -> None:
        self._uri, self._escape, self._quote = uri, escape.encode(), quote.encode()
        esc, quo, sep = (re.escape(each.encode()) for each in (escape, quote, separator))
        # A quote opens a value only where that begins.
        self._outside = re.compile(b"(?:" + esc + b")|(?<=[\r\n])" + quo + b"|(?<=" + sep + b")" + quo)
        self._within = re.compile(esc + b"|" + quo)
        self._is_quoted = self._is_escaped = self._has_closed = False
        self._last = b"\n"
        self._lines = 1

    def add(self, data: bytes) -> None:
        """Look at the next bytes.

        Raises
        ------
        DataError
            An escape stands outside of quotes; names about the line.
        """
        if not data:
            return
        border = len(self._last)
        joined, place = self._last + data, border
        if self._is_escaped:
            place += 1
        elif self._has_closed and data.startswith(self._quote):  # the second of two
            self._is_quoted, place = True, place + 1
        self._is_escaped = self._has_closed = False
        while (found := (self._within if self._is_quoted else self._outside).search(joined, place)) is not None:
            place = found.end()
            if not self._is_quoted and found.group() == self._escape:
                raise self._refusal(joined, found.start(), self._lines + data.count(b"\n", 0, found.start() - border))
            if not self._is_quoted:
                self._is_quoted = True
            elif found.group() == self._escape:
                self._is_escaped = place == len(joined)
                place += 1
            elif joined.startswith(self._quote, place):
                place += 1
            else:
                self._is_quoted, self._has_closed = False, place == len(joined)
        self._lines += data.count(b"\n")
        self._last = joined[-max(1, border) :]

    def _refusal(self, text: bytes, place: int, line: int) -> DataError:
        begin = max(text.rfind(b"\n", 0, place) + 1, place - 100)
        shown = text[begin : place + 20].split(b"\n")[0].decode(errors="replace")
        return DataError(
            f"{self._uri}, about line {line}, has {self._escape.decode()!r} outside of quotes ({shown!r}), where the "
            "reader would take it for an escape and leave it out. If it is none, and quotes within values are doubled, "
            'leave "escape" out of csv_options; else write the file with all values in quotes (Spark: quoteAll=true), '
            "or as Parquet."
        )
