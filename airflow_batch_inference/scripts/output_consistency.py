"""What mini-batches must have in common, and what they must not: columns, and the names of files.

Invariants: no mini-batch's output ever replaces another's; the error names both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ScriptError
from airflow_batch_inference.scripts.contracts import output_variables, told

if TYPE_CHECKING:
    from airflow_batch_inference.records import ColumnSpec, MiniBatchReceipt
    from airflow_batch_inference.scripts.processes.outcome import Outcome
    from airflow_batch_inference.scripts.settings import ScriptSettings

_TABLE = -1


@dataclass(slots=True)
class Agreement:
    """Compares each mini-batch with those before it.

    Attributes
    ----------
    settings
        Say whether there is one table, with a header, and what its file is called.
    """

    settings: ScriptSettings
    columns: tuple[ColumnSpec, ...] | None = None
    _first: str = ""
    _owners: dict[str, int] = field(default_factory=dict)
    _folders: dict[str, int] = field(default_factory=dict)
    _described: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Keep the table's name from the script."""
        if self.settings.keeps_rows:
            self._enter(self.settings.output_file_name, _TABLE)
            self._described[_TABLE] = "the table of what run() returns (output_file_name)"

    def note(self, outcome: Outcome) -> None:
        """Take in what a mini-batch gave.

        Raises
        ------
        ScriptError
            It has other columns than another one, or wrote a file that another one wrote.
        """
        receipt = outcome.receipt
        if receipt is None:
            return
        where = outcome.batch.describe()
        self._described[receipt.index] = where
        self._compare(receipt, where)
        for part in receipt.written:
            self._enter(part.name or "", receipt.index)

    def _compare(self, receipt: MiniBatchReceipt, where: str) -> None:
        """Compare names, and their order; the first columns that came with a row are those of all."""
        if not receipt.returned or not receipt.columns:
            return
        if self.columns is None:
            self.columns, self._first = receipt.columns, where
        ours, theirs = ([column.name for column in each] for each in (receipt.columns, self.columns))
        if self.settings.has_header and ours != theirs:
            message = (
                f"run() returned the columns {', '.join(ours)} for {where}, but {', '.join(theirs)} for {self._first}. "
                "Return the same columns in one order"
                + (", or set header=False." if self.settings.table_format == "csv" else ".")
            )
            raise ScriptError(message)

    def _enter(self, name: str, index: int) -> None:
        """Give a name to one mini-batch; a file's name cannot be a folder's, too."""
        folders = [name[:at] for at, character in enumerate(name) if character == "/"]
        taken = self._owners.get(name, self._folders.get(name))
        shared = next((folder for folder in folders if folder in self._owners), None)
        if taken is None and shared is not None:
            taken = self._owners[shared]
        if taken is not None:
            what = name if shared is None else f"{name} below {shared}"
            message = (
                f"Both {self._described[taken]} and {self._described[index]} wrote {what} to "
                f"{told(output_variables())}: one would replace the other. Name each file after its input file, with "
                "its folder, and never append to a file that is there."
            )
            raise ScriptError(message)
        self._owners[name] = index
        self._folders |= dict.fromkeys(folders, index)
