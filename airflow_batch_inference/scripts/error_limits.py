"""How much may fail: every limit that is given holds, and the first one exceeded ends the job.

Invariants: errors are counted over the whole input and after the last attempt; and a job without a single success has
failed, whatever may be ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_batch_inference.scripts.settings import UNLIMITED

if TYPE_CHECKING:
    from airflow_batch_inference.scripts.processes.outcome import Outcome
    from airflow_batch_inference.scripts.settings import ScriptSettings

_PERCENT = 100


@dataclass(slots=True)
class Budget:
    """Counts what failed.

    Attributes
    ----------
    settings
        The limits.
    mini_batches
        How many there are in all.
    """

    settings: ScriptSettings
    mini_batches: int
    errors: int = 0
    failed: int = 0
    successes: int = 0

    def note(self, outcome: Outcome) -> None:
        """Count a mini-batch after its last attempt."""
        self.errors += outcome.errors
        self.failed += outcome.is_failed
        self.successes += outcome.returned

    def exceeded(self, *, all_given_out: bool) -> str | None:
        """Return which limit is exceeded, in words; None where none is.

        Parameters
        ----------
        all_given_out
            Whether no mini-batch waits any more: before that, ``allowed_failed_percent`` is not asked.
        """
        settings = self.settings
        if settings.error_threshold != UNLIMITED and self.errors > settings.error_threshold:
            return f"{self.errors} files failed, and {settings.error_threshold} may (error_threshold)"
        most = settings.mini_batch_error_threshold
        if most != UNLIMITED and self.failed > most:
            return f"{self.failed} mini-batches failed, and {most} may (mini_batch_error_threshold)"
        percent = settings.allowed_failed_percent
        if all_given_out and self.failed * _PERCENT > percent * self.mini_batches:
            return (
                f"{self.failed} of {self.mini_batches} mini-batches failed, and {percent:g} % may "
                "(allowed_failed_percent)"
            )
        return None

    def without_success(self) -> str | None:
        """Return that nothing succeeded, in words, once all is done; None where something did, or there was nothing."""
        if self.successes or not self.mini_batches:
            return None
        return f"Not one of {self.mini_batches} mini-batches returned an element, which fails the job in any case"
