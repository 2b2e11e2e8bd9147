"""The receipt of one mini-batch of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_batch_inference.records.base import ColumnSpec, Record
from airflow_batch_inference.records.scoring import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniBatchReceipt(Record):
    """One mini-batch of files, scored: written once, by whoever finishes it first; a retry takes it as it is."""

    kind: Literal["mini-batch-receipt"] = "mini-batch-receipt"
    job_key: str
    """The work's, see :mod:`~airflow_batch_inference.scripts.prepare`."""
    index: int
    items: int
    """How many files it had."""
    file_hash: str
    """Sum of the hashes of the files that the script was given."""
    returned: int
    """How many elements (rows) the script returned."""
    columns: tuple[ColumnSpec, ...]
    """Of the rows; empty where they are only counted."""
    rows: Part | None
    """The rows, where they are kept."""
    written: tuple[Part, ...]
    """The files that the script wrote itself."""
    attempts: int
    seconds: float
    """How long the successful call took."""

    @property
    def files(self) -> tuple[Part, ...]:
        """All files that it names."""
        return (*self.written, *((self.rows,) if self.rows is not None else ()))
