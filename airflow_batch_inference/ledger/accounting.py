"""Row accounting: an order-independent hash of row identities, so that lost, doubled and foreign rows are noticed.

A row's identity is its file and its number in the file. The hash of a set of rows is the sum of their hashes modulo
2^64: it does not depend on their order, each row counts as often as it is there, and sets can be added. The hash of
one row is SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014) of the file's
seed plus the row number.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCK = 1 << 15
"""Rows whose hashes stay in the processor's cache while they are mixed."""
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def row_hash(uri: str, first_row: int, rows: int) -> int:
    """Return the summed hash of a run of rows of one file, from 0 to 2^64 - 1.

    Examples
    --------
    >>> both = row_hash("file:///a", 0, 10)
    >>> both == (row_hash("file:///a", 0, 4) + row_hash("file:///a", 4, 6)) % 2**64
    True
    """
    seed = np.uint64(int.from_bytes(hashlib.sha256(uri.encode()).digest()[:8]))
    total = 0
    with np.errstate(over="ignore"):
        steps = np.arange(min(_BLOCK, rows), dtype=np.uint64) * _GAMMA
        mixed, shifted = np.empty_like(steps), np.empty_like(steps)
        for start in range(first_row, first_row + rows, _BLOCK):
            size = min(_BLOCK, first_row + rows - start)
            np.add(steps[:size], seed + (np.uint64(start) + np.uint64(1)) * _GAMMA, out=mixed[:size])
            total += int(_mix(mixed[:size], shifted[:size]).sum(dtype=np.uint64))
    return total % 2**64


def rows_hash(uri: str, rows: Iterable[int]) -> int:
    """Return the summed hash of single rows of one file."""
    seed = np.uint64(int.from_bytes(hashlib.sha256(uri.encode()).digest()[:8]))
    return int(_mixed(np.fromiter(rows, dtype=np.uint64), seed).sum(dtype=np.uint64))


def row_shares(uri: str, first_row: int, rows: int, *, salt: str) -> np.ndarray:
    """Return a number in [0, 1) for each row of a run of rows of one file, shape (rows,), evenly spread.

    The first 52 bits of SplitMix64 of the row, seeded with the first 8 bytes of SHA-256 of ``<salt>:<uri>``.

    Examples
    --------
    >>> both = row_shares("file:///a", 0, 3, salt="0")
    >>> bool((both[1:] == row_shares("file:///a", 1, 2, salt="0")).all()), bool((both < 1).all())
    (True, True)
    """
    seed = np.uint64(int.from_bytes(hashlib.sha256(f"{salt}:{uri}".encode()).digest()[:8]))
    return share_of(_mixed(np.arange(first_row, first_row + rows, dtype=np.uint64), seed))


def share_of(hashes: np.ndarray) -> np.ndarray:
    """Return the first 52 bits of 64-bit hashes as numbers in [0, 1): a double holds each of them."""
    shares: np.ndarray = (hashes >> np.uint64(12)) / 2.0**52
    return shares


def _mixed(rows: np.ndarray, seed: np.uint64) -> np.ndarray:
    with np.errstate(over="ignore"):
        mixed: np.ndarray = seed + (rows + np.uint64(1)) * _GAMMA
        return _mix(mixed, np.empty_like(mixed))


def _mix(values: np.ndarray, shifted: np.ndarray) -> np.ndarray:
    """Mix values in their place; ``shifted`` is room for as many."""
    for shift, factor in ((30, _MIX_1), (27, _MIX_2)):
        np.right_shift(values, np.uint64(shift), out=shifted)
        np.bitwise_xor(values, shifted, out=values)
        np.multiply(values, factor, out=values)
    np.right_shift(values, np.uint64(31), out=shifted)
    np.bitwise_xor(values, shifted, out=values)
    return values


def as_text(value: int) -> str:
    """Return a row hash as 16 hex digits."""
    return f"{value % 2**64:016x}"
