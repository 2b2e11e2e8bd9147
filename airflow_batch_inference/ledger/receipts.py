"""Where the receipts of a job lie, and how one is put: of several who do the same work, the first one counts.

Invariants: a receipt is put after all files that it names, and the files of a receipt that came second
are removed, so that nothing of theirs is taken for output.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ArtifactNotFoundError
from airflow_batch_inference.storage.uris import join_uri

if TYPE_CHECKING:
    from airflow_batch_inference.records import Part
    from airflow_batch_inference.storage.store import Storage

_PUTS = 5


class AnyReceipt(Protocol):
    """What says that a piece of work is done, and names the files that it gave."""

    @property
    def job_key(self) -> str:
        """The job that it belongs to."""

    @property
    def index(self) -> int:
        """The number of the piece."""

    @property
    def files(self) -> tuple[Part, ...]:
        """All files that it names."""

    @classmethod
    def from_json(cls, data: bytes | str, *, where: str) -> Self:
        """Decode strictly."""

    def to_json(self) -> bytes:
        """Return the canonical JSON text."""


R = TypeVar("R", bound=AnyReceipt)


def work_folder(folder: str, job_key: str) -> str:
    """Return where the receipts of a job lie."""
    return join_uri(folder, "_work", job_key[:16])


def receipt_uri(folder: str, job_key: str, index: int) -> str:
    """Return where the receipt of a part lies, or will lie."""
    return join_uri(work_folder(folder, job_key), f"part-{index:05d}.json")


def put_receipt(receipt: R, folder: str, storage: Storage) -> R:
    """Put a receipt into a task instance's folder and return the one that counts: this one, or an earlier one.

    Raises
    ------
    ArtifactIntegrityError
        The store does not hold what it was given.
    """
    uri = receipt_uri(folder, receipt.job_key, receipt.index)
    data = receipt.to_json()
    for _ in range(_PUTS):
        if storage.put_new(uri, data):
            return receipt
        with contextlib.suppress(ArtifactNotFoundError):  # it has just been found unusable, and removed
            theirs = type(receipt).from_json(storage.read_bytes(uri), where=uri)
            break
    else:
        message = f"{uri} can neither be put nor read: its store does not hold what it was given."
        raise ArtifactIntegrityError(message)
    if theirs != receipt:
        kept = {part.uri for part in theirs.files}
        for mine in receipt.files:
            if mine.uri not in kept:
                storage.remove(mine.uri)
    return theirs
