"""What an engine is: a way to have a planned job's parts scored, at least once each, anywhere and in any order.

An engine decides nothing. The plan, the budget of rejected rows and the commit stay with the task; receipts in the
artifact store are the only truth, and what an engine yields is progress. So it may try again, score a part twice, or
lose half of its work: the output has the same bytes.

Invariants: an engine calls :func:`~airflow_batch_inference.jobs.open_job.score_part` and never computes a prediction in
another way; it gets a job by its URI alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_batch_inference.records import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCapabilities:
    """What an engine can do, asked before a job is planned for it.

    Attributes
    ----------
    isolates_crashes
        Whether a model that ends its process leaves the task alive.
    has_time_limit
        Whether a mini-batch that never ends is ended.
    is_elsewhere
        Whether parts are scored in processes to which nothing can be handed over in memory: stores are then reached by
        the names of connections, and models, functions and rows must lie in stores.
    """

    isolates_crashes: bool = False
    has_time_limit: bool = False
    is_elsewhere: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an engine asks while it runs.

    Attributes
    ----------
    allowed
        Returns how many rows may still be rejected; None: any number.
    raise_if_stopped
        Called several times a second; raises where the task was stopped.
    """

    allowed: Callable[[], int | None] = lambda: None
    raise_if_stopped: Callable[[], None] = lambda: None


class Engine(Protocol):
    """A way to have parts scored; made without arguments, importing nothing heavy."""

    @property
    def capabilities(self) -> EngineCapabilities:
        """What it can do."""

    def run(self, job_uri: str, indices: Sequence[int], limits: Limits) -> Iterator[Receipt]:
        """Score parts, and yield their receipts as they come, in any order.

        Parameters
        ----------
        job_uri
            The job's description in the artifact store.
        indices
            Which of its parts.
        limits
            What may be asked meanwhile.

        Raises
        ------
        BatchInferenceError, OSError
            Whatever scoring a part raised.
        """

    def stop(self) -> None:
        """End what is still running, within 10 s; what it was at work on has no receipt. May be called at any time."""
