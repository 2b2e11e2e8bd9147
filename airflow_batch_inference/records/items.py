"""The account of files that were scored, and the scoring script that scored them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

OutputAction: TypeAlias = Literal["append_row", "summary_only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptSource:
    """A scoring script as it was when it ran."""

    uri: str
    sha256: str
    code_uri: str | None
    """The folder that its modules come from, where it was given."""
    code_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAccount:
    """The proof that every input file was in exactly one mini-batch, and what became of it.

    ``files_in = files_succeeded + files_failed``; the hashes of the files that went in and of those of all mini-batches
    are the same (:mod:`~airflow_batch_inference.ledger.accounting`).
    """

    output_action: OutputAction
    """``append_row``: what was returned is a table; ``summary_only``: it was counted, and the files are the output."""
    has_header: bool
    """Whether a table that is text begins with the names of its columns."""
    files_in: int
    files_succeeded: int
    files_failed: int
    """Those of mini-batches that failed in all attempts, and as many as were missing in what was returned."""
    mini_batches: int
    mini_batches_failed: int
    returned: int
    """How many elements (rows) the mini-batches returned."""
    file_hash_in: str
    """Sum of the hashes of all input files, made from their names."""
    file_hash_done: str
    """The same of the files that the mini-batches were given."""

    def __post_init__(self) -> None:
        """Refuse numbers that do not add up."""
        if self.files_in != self.files_succeeded + self.files_failed:
            message = f"{self.files_in} files went in, {self.files_succeeded} succeeded and {self.files_failed} failed"
            raise ValueError(message)
        if not 0 <= self.mini_batches_failed <= self.mini_batches <= self.files_in:
            message = (
                f"{self.mini_batches_failed} of {self.mini_batches} mini-batches of {self.files_in} files have failed"
            )
            raise ValueError(message)
        if self.file_hash_in != self.file_hash_done:
            message = "the files that the mini-batches were given are not the files that went in"
            raise ValueError(message)
