"""Where a CSV file can be cut into ranges of whole records, by one pass over its bytes.

What must not be relaxed: a file is cut only where every quote in it stands as RFC 4180 has it, so that a line end
inside a quoted value is never taken for a record's; all other files are read as one range.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO

import numpy as np

_BLOCK_BYTES = 4 << 20
_QUOTE, _COMMA, _NEWLINE, _RETURN = b'",\n\r'
_BEFORE_OPENING = np.zeros(256, dtype=bool)
_BEFORE_OPENING[[_COMMA, _NEWLINE, _RETURN, _QUOTE]] = True
_AFTER_CLOSING = _BEFORE_OPENING


@dataclass(frozen=True, slots=True)
class Border:
    """A place right behind a record."""

    offset: int
    """Byte offset in the file."""
    records: int
    """Records before it, the header among them; empty lines do not count."""


@dataclass(slots=True)
class _Scan:
    """What carries over from one block to the next."""

    offset: int = 0
    records: int = 0
    quotes: int = 0
    last: int = _NEWLINE
    """The byte before the block."""
    filled: bool = False
    """Whether the line that the block begins in has had a byte yet."""
    borders: list[Border] = field(default_factory=list)


def csv_borders(source: IO[bytes], *, every_rows: int) -> list[Border] | None:
    """Find record borders in an uncompressed CSV file, at most ``every_rows`` records and about 4 MiB apart.

    Parameters
    ----------
    source
        The open file, at its beginning.
    every_rows
        Most records between two borders (but for a record that is larger than a block).

    Returns
    -------
    list
        Borders in order, the end of the header first and the end of the file last; None where the file cannot be cut
        with certainty: a quote in an unquoted value, a carriage return alone, no line end, a quote never closed.
    """
    scan = _Scan()
    while block := source.read(_BLOCK_BYTES):
        if not _scan_block(scan, np.frombuffer(block, dtype=np.uint8), every_rows):
            return None
    if scan.quotes % 2 or not scan.borders or scan.last == _RETURN:
        return None
    if scan.filled:
        scan.records += 1
    if scan.borders[-1].offset != scan.offset:
        scan.borders.append(Border(scan.offset, scan.records))
    return scan.borders


def _scan_block(scan: _Scan, data: np.ndarray, every_rows: int) -> bool:
    quotes = np.flatnonzero(data == _QUOTE)
    if not _quotes_are_regular(scan, data, quotes) or _has_lone_return(scan, data, quotes):
        return False
    ends = np.flatnonzero(data == _NEWLINE)
    if len(quotes) or scan.quotes % 2:
        ends = ends[(np.searchsorted(quotes, ends) + scan.quotes) % 2 == 0]
    if len(ends):
        _count_records(scan, data, ends, every_rows)
    tail = data[ends[-1] + 1 :] if len(ends) else data
    scan.filled = bool((tail != _RETURN).any()) or (scan.filled and not len(ends))
    scan.quotes += len(quotes)
    scan.offset += len(data)
    scan.last = int(data[-1])
    return True


def _count_records(scan: _Scan, data: np.ndarray, ends: np.ndarray, every_rows: int) -> None:
    """Count the lines that are not empty, and note borders."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    # An empty line ends where it starts, or holds a carriage return only.
    lengths = ends - starts
    returns = (lengths > 0) & (data[np.maximum(ends - 1, 0)] == _RETURN)
    full = (lengths - returns) > 0
    full[0] = full[0] or scan.filled
    counted = scan.records + np.cumsum(full)
    wanted = {len(ends) - 1}
    if not scan.borders and counted[-1] >= 1:
        wanted.add(int(np.searchsorted(counted, 1)))
    first = scan.borders[-1].records if scan.borders else 1
    wanted |= {int(at) for at in np.searchsorted(counted, np.arange(first + every_rows, counted[-1] + 1, every_rows))}
    for at in sorted(wanted):
        border = Border(scan.offset + int(ends[at]) + 1, int(counted[at]))
        if border.records >= 1 and (not scan.borders or border.records > scan.borders[-1].records):
            scan.borders.append(border)
        elif scan.borders and border.records == scan.borders[-1].records:
            scan.borders[-1] = border  # past empty lines
    scan.records = int(counted[-1])


def _has_lone_return(scan: _Scan, data: np.ndarray, quotes: np.ndarray) -> bool:
    """Say whether a carriage return ends a line without a newline behind it."""
    if scan.last == _RETURN and scan.quotes % 2 == 0 and data[0] != _NEWLINE:
        return True
    returns = np.flatnonzero(data == _RETURN)
    outside = returns[(np.searchsorted(quotes, returns) + scan.quotes) % 2 == 0]
    inner = outside[outside < len(data) - 1]
    return bool((data[inner + 1] != _NEWLINE).any())


def _quotes_are_regular(scan: _Scan, data: np.ndarray, quotes: np.ndarray) -> bool:
    """Say whether quotes open values only where values begin, and close them only where they end."""
    opening = quotes[(np.arange(len(quotes)) + scan.quotes) % 2 == 0]
    closing = quotes[(np.arange(len(quotes)) + scan.quotes) % 2 == 1]
    before = np.where(opening > 0, data[np.maximum(opening - 1, 0)], scan.last)
    inner = closing[closing < len(data) - 1]
    if not (_BEFORE_OPENING[before].all() and _AFTER_CLOSING[data[inner + 1]].all()):
        return False
    # A quote that the last block closed at its very end is followed by this block's first byte.
    closed_at_end = scan.last == _QUOTE and scan.quotes > 0 and scan.quotes % 2 == 0
    return not closed_at_end or bool(_AFTER_CLOSING[data[0]])
