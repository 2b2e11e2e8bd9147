"""The engine that is this very process: one part after the other.

Invariants: a part that fails ends the run with its error; nothing runs beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.engines.base import EngineCapabilities
from airflow_batch_inference.jobs.open_job import open_job, require_parts
from airflow_batch_inference.processes.threads import limited_blas

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_batch_inference.engines.base import Limits
    from airflow_batch_inference.jobs.open_job import OpenJob
    from airflow_batch_inference.records import Receipt
    from airflow_batch_inference.storage.store import Storage


class InProcessEngine:
    """Scores in this process; see :class:`~.base.Engine`.

    Parameters
    ----------
    job
        The job with its models in memory; None: it is read and loaded by its URI.
    storage
        Reaches the job by its URI; None: as this process's environment says.
    """

    def __init__(self, job: OpenJob | None = None, *, storage: Storage | None = None) -> None:
        self._job = job
        self._storage = storage

    @property
    def capabilities(self) -> EngineCapabilities:
        """Nothing beyond what any engine can do, but what is in memory is at hand."""
        return EngineCapabilities(is_elsewhere=self._job is None)

    def run(self, job_uri: str, indices: Sequence[int], limits: Limits) -> Iterator[Receipt]:
        """Score parts in their order."""
        if not indices:
            return
        job = self._job or open_job(job_uri, storage=self._storage, raise_if_stopped=limits.raise_if_stopped)
        require_parts(job.spec, list(indices))
        with limited_blas():
            for index in indices:
                yield job.score(index, allowed=limits.allowed())

    def stop(self) -> None:
        """Do nothing: what runs here ends with ``raise_if_stopped``."""
