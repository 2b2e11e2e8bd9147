"""Where a CSV file can be cut into ranges of whole records, by one pass over its bytes.

Invariants: a file is cut only where every quote in it stands as RFC 4180 has it, so that a line end inside a quoted
value is never taken for a record's; all other files are read as one range.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK_BYTES = 4 << 20
_NEWLINE, _RETURN = b"\n\r"
_NO_QUOTE = -1


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

    quote: int
    beside: np.ndarray
    """Which bytes may stand before a quote that opens a value, and behind one that closes it."""
    offset: int = 0
    records: int = 0
    quotes: int = 0
    last: int = _NEWLINE
    """The byte before the block."""
    filled: bool = False
    """Whether the line that the block begins in has had a byte yet."""
    borders: list[Border] = field(default_factory=list)


def csv_borders(
    source: IO[bytes], *, every_rows: int, separator: str = ",", quote: str = '"', has_header: bool = True
) -> list[Border] | None:
    """Find record borders in an uncompressed CSV file, at most ``every_rows`` records and about 4 MiB apart.

    Parameters
    ----------
    source
        The open file, at its beginning.
    every_rows
        Most records between two borders (but for a record that is larger than a block).
    separator, quote
        Between and around values, ASCII characters; ``quote`` may be empty: there is none.
    has_header
        Whether the first record has names.

    Returns
    -------
    list
        Borders in order, the beginning of the data first and the end of the file last; None where the file cannot be
        cut with certainty: a quote in an unquoted value, a carriage return alone, no line end, a quote never closed.
    """
    scan = _scan_of(separator, quote)
    if not has_header:
        scan.borders.append(Border(0, 0))
    for block in _blocks(source, separator):
        if not _scan_block(scan, np.frombuffer(block, dtype=np.uint8), every_rows):
            return None
    if scan.quotes % 2 or not scan.borders or scan.last == _RETURN:
        return None
    if scan.filled:
        scan.records += 1
    if scan.borders[-1].offset != scan.offset:
        scan.borders.append(Border(scan.offset, scan.records))
    return scan.borders


def has_regular_quotes(source: IO[bytes], *, separator: str, quote: str) -> bool:
    """Say whether every quote in a CSV file stands as RFC 4180 has it, doubled within a quoted value."""
    scan = _scan_of(separator, quote)
    for block in _blocks(source, separator):
        data = np.frombuffer(block, dtype=np.uint8)
        quotes = np.flatnonzero(data == scan.quote)
        if not _quotes_are_regular(scan, data, quotes):
            return False
        scan.quotes += len(quotes)
        scan.last = int(data[-1])
    return scan.quotes % 2 == 0


def _blocks(source: IO[bytes], separator: str) -> Iterator[bytes]:
    """Yield a file's bytes, with a separator for the byte order mark, behind which a quote may open a value."""
    block = source.read(_BLOCK_BYTES)
    if block.startswith(codecs.BOM_UTF8):
        block = separator.encode() * len(codecs.BOM_UTF8) + block[len(codecs.BOM_UTF8) :]
    while block:
        yield block
        block = source.read(_BLOCK_BYTES)


def _scan_of(separator: str, quote: str) -> _Scan:
    beside = np.zeros(256, dtype=bool)
    beside[list(f"{separator}{quote}\r\n".encode())] = True
    return _Scan(quote=ord(quote) if quote else _NO_QUOTE, beside=beside)


def _scan_block(scan: _Scan, data: np.ndarray, every_rows: int) -> bool:
    quotes = np.flatnonzero(data == scan.quote) if scan.quote != _NO_QUOTE else np.empty(0, dtype=np.int64)
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
    if not (scan.beside[before].all() and scan.beside[data[inner + 1]].all()):
        return False
    # A quote that the last block closed at its very end is followed by this block's first byte.
    closed_at_end = scan.last == scan.quote and scan.quotes > 0 and scan.quotes % 2 == 0
    return not closed_at_end or bool(scan.beside[data[0]])
