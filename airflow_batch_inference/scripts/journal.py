"""What became of each mini-batch: a line in the log, a line in a file beside the commit, and the first failure.

Invariants: what failed is told with the script's own exception, and stored before anything raises.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.ledger.retries import retrying

if TYPE_CHECKING:
    from airflow_batch_inference.scripts.processes.outcome import Outcome
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Journal:
    """The outcomes so far, by the mini-batches' numbers.

    Attributes
    ----------
    number
        How many mini-batches there are.
    """

    number: int
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    resumed: set[int] = field(default_factory=set)

    def note(self, outcome: Outcome, *, is_resumed: bool = False) -> None:
        """Take in a mini-batch after its last attempt, and log it."""
        self.outcomes[outcome.batch.index] = outcome
        if is_resumed:
            self.resumed.add(outcome.batch.index)
            return
        entry = _entry(outcome, is_resumed=False)
        log.log(
            logging.WARNING if outcome.is_failed else logging.INFO,
            "Mini-batch %d (of %d, from 0): %s, %d files, %d elements, attempt %d, %.2f s%s",
            *(outcome.batch.index, self.number, entry["outcome"], len(entry["files"]), entry["returned"]),
            *(entry["attempts"], entry["seconds"]),
            f": {outcome.failures[-1]}. Its files: {outcome.batch.some_files()}" if outcome.is_failed else "",
        )

    def store(self, folder: str, storage: Storage) -> str:
        """Store all outcomes as JSON lines, in order, and return the URI."""
        lines = [
            json.dumps(_entry(self.outcomes[index], is_resumed=index in self.resumed), ensure_ascii=False)
            for index in sorted(self.outcomes)
        ]
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        return retrying(
            "The record of the mini-batches",
            lambda: storage.put_content(folder, "mini_batches", ".jsonl", data),
        )

    def first_failure(self) -> str:
        """Describe the first mini-batch that failed: its files, attempts, exception, and the script's own lines."""
        failed = next((self.outcomes[index] for index in sorted(self.outcomes) if self.outcomes[index].is_failed), None)
        if failed is None:
            return ""
        last = failed.failures[-1]
        return (
            f" First: {failed.batch.describe()}, attempt {len(failed.failures)}: {last}"
            f"{'.' if not last.traceback else chr(10) + last.traceback.rstrip() + chr(10)}"
        )


def _entry(outcome: Outcome, *, is_resumed: bool) -> dict[str, Any]:
    receipt, failures = outcome.receipt, outcome.failures
    return {
        "mini_batch": outcome.batch.index,
        "outcome": "failed" if outcome.is_failed else "succeeded",
        "files": [item.file.uri for item in outcome.batch.items],
        "files_failed": outcome.errors,
        "returned": outcome.returned,
        "written": [part.name for part in receipt.written] if receipt is not None else [],
        "attempts": receipt.attempts if receipt is not None else len(failures),
        "seconds": receipt.seconds if receipt is not None else round(failures[-1].seconds, 3),
        "resumed": is_resumed,
        "failures": [{"attempt": number, **asdict(failure)} for number, failure in enumerate(failures, start=1)],
    }
