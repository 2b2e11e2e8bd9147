"""What a part has to tell beside its receipt: the profile, and counts that are too large for one.

A receipt of more than 2 KB would make listing and committing a job of many parts slow. So the profile lies in a file of
its own beside it, which the receipt names; as do counts of nulls, checks and models where there are many.

Such a file is, in little-endian numbers: the length of what is compressed (uint32); zlib of the length of a JSON text
(uint32), the text (:class:`~.records.PartDetails`, with the profile's packed arrays left out) and the counts of its
columns (int64); and the sums of its numeric columns (float64), which no compression makes smaller.

Invariants: the file lies there before its receipt does; its bytes hang on what it says alone; a file that is not what
its receipt says is an error.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.drift.packing import unpack_counts, unpack_numbers
from airflow_batch_inference.exceptions import ArtifactIntegrityError
from airflow_batch_inference.ledger.receipts import work_folder
from airflow_batch_inference.records import NumericProfile, Part, PartDetails
from airflow_batch_inference.storage.digests import sha256_of_bytes
from airflow_batch_inference.storage.uris import encode_segment, join_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.drift.profile import ColumnArrays
    from airflow_batch_inference.records import ColumnProfile, Profile, Receipt
    from airflow_batch_inference.storage.store import Storage

RECEIPT_BYTES = 2048
"""Most bytes of a receipt. Only URIs of over some 400 bytes, or the reasons of many tree ensembles, go beyond it."""
DETAILS_SUFFIX = ".details"
_SHOWN_CHARACTERS = 120
"""Of a rejected row's error, which the quarantine has whole."""
_HEAD = struct.Struct("<I")


def with_details(receipt: Receipt, profile: Profile | None, folder: str, attempt: str, storage: Storage) -> Receipt:
    """Return a receipt of at most 2 KB, and put what is too large for it beside it.

    Parameters
    ----------
    receipt
        With all that was counted but the profile.
    profile
        The part's; None: its rows were not counted.
    folder, attempt
        The task instance's folder, and the word of its files' names that no other try has.
    storage
        Writes the file.

    Raises
    ------
    OSError
        It could not be written.
    """
    short = replace(receipt, rejections=tuple(replace(each, error=_cut(each.error)) for each in receipt.rejections))
    name = f"part-{receipt.index:05d}-{encode_segment(attempt)}{DETAILS_SUFFIX}"
    uri = join_uri(work_folder(folder, receipt.job_key), name)
    details = PartDetails(profile=profile)
    if _is_too_large(short if profile is None else _naming(short, uri, b"")):
        details = replace(details, nulled=short.nulled, checks=short.checks, chains=short.chains)
        short = replace(short, nulled={}, checks=(), chains=())
    if details != PartDetails():
        data = encode_details(details)
        storage.put(uri, data)
        short = _naming(short, uri, data)
    while len(short.rejections) > 1 and _is_too_large(short):
        short = replace(short, rejections=short.rejections[:-1])
    return short


def _naming(receipt: Receipt, uri: str, data: bytes) -> Receipt:
    part = Part(uri=uri, rows=receipt.rows_in, size_bytes=len(data), sha256=sha256_of_bytes(data))
    return replace(receipt, details=part)


def _is_too_large(receipt: Receipt) -> bool:
    return len(receipt.to_json()) > RECEIPT_BYTES


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def encode_details(details: PartDetails) -> bytes:
    """Return the bytes of a part's details."""
    counts: list[bytes] = []
    sums: list[bytes] = []
    if details.profile is not None:
        columns: list[ColumnProfile] = []
        for column in details.profile.columns:
            counts.append(unpack_counts(column.counts).astype("<i8").tobytes())
            short = replace(column, counts=str(len(counts[-1]) // 8))
            if isinstance(short, NumericProfile):
                sums.append(unpack_numbers(short.sums).astype("<f8").tobytes())
                short = replace(short, sums="")
            columns.append(short)
        details = replace(details, profile=replace(details.profile, columns=tuple(columns)))
    text = details.to_json()
    packed = zlib.compress(b"".join([_HEAD.pack(len(text)), text, *counts]), 1)
    return b"".join([_HEAD.pack(len(packed)), packed, *sums])


def read_details(named: Part, storage: Storage) -> tuple[PartDetails, list[ColumnArrays]]:
    """Read a part's details, and the arrays of its profile's columns, which the profile itself is without.

    Raises
    ------
    ArtifactNotFoundError
        They are gone.
    ArtifactIntegrityError
        They were changed, or are damaged.
    """
    data = storage.read_bytes(named.uri)
    if len(data) != named.size_bytes or sha256_of_bytes(data) != named.sha256:
        message = (
            f"{named.uri} was changed after its receipt was written: its bytes are not those that the receipt names "
            f"({named.size_bytes} bytes, SHA-256 {named.sha256}). Remove it, and run the task again: its part is "
            "scored again."
        )
        raise ArtifactIntegrityError(message)
    return decode_details(data, where=named.uri)


def decode_details(data: bytes, *, where: str) -> tuple[PartDetails, list[ColumnArrays]]:
    """Return what :func:`encode_details` made bytes of; see :func:`read_details`."""
    (packed,) = _HEAD.unpack_from(data)
    plain, sums = zlib.decompress(data[_HEAD.size : _HEAD.size + packed]), data[_HEAD.size + packed :]
    (length,) = _HEAD.unpack_from(plain)
    details = PartDetails.from_json(plain[_HEAD.size : _HEAD.size + length], where=where)
    columns = () if details.profile is None else details.profile.columns
    return details, list(_arrays(columns, plain[_HEAD.size + length :], sums))


def _arrays(columns: tuple[ColumnProfile, ...], counts: bytes, sums: bytes) -> Iterator[ColumnArrays]:
    all_counts, all_sums = np.frombuffer(counts, "<i8"), np.frombuffer(sums, "<f8")
    at = at_sum = 0
    for column in columns:
        length = int(column.counts)
        found, at = all_counts[at : at + length], at + length
        if isinstance(column, NumericProfile):
            yield found, all_sums[at_sum : at_sum + length]
            at_sum += length
        else:
            yield found, None
