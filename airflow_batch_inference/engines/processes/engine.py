"""Worker processes of this machine as an engine for a job that was planned elsewhere, or earlier."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_batch_inference.engines.base import EngineCapabilities
from airflow_batch_inference.engines.local import default_limit
from airflow_batch_inference.engines.processes.pool import WorkerPool
from airflow_batch_inference.jobs.environment import require_same_environment
from airflow_batch_inference.jobs.open_job import attempt_word, require_parts, variables_of
from airflow_batch_inference.jobs.spec import read_spec, resolved_store
from airflow_batch_inference.processes.threads import usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_batch_inference.engines.base import Limits
    from airflow_batch_inference.records import Receipt
    from airflow_batch_inference.storage.store import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessesEngine:
    """Scores in worker processes; see :class:`~airflow_batch_inference.engines.base.Engine`.

    Attributes
    ----------
    storage
        Reaches the job's description; None: as Airflow's config says, or this process's environment.
    max_workers
        Most processes; None: one a core.
    timeout_s
        After so many seconds without a sign of life a process is killed and its part tried again; None: never, but
        for models that nobody vouches for.
    """

    storage: Storage | None = None
    max_workers: int | None = None
    timeout_s: float | None = None
    _running: list[tuple[threading.Event, WorkerPool]] = field(default_factory=list, init=False, repr=False)

    @property
    def capabilities(self) -> EngineCapabilities:
        """A model that crashes or hangs ends its process alone."""
        return EngineCapabilities(isolates_crashes=True, has_time_limit=self.timeout_s is not None)

    def run(self, job_uri: str, indices: Sequence[int], limits: Limits) -> Iterator[Receipt]:
        """Score parts, in as many processes as there are cores."""
        spec = read_spec(job_uri, self.storage).reached_by(self.storage)
        require_same_environment(spec.environment)
        require_parts(spec, list(indices))
        if not indices:
            return
        word = attempt_word(spec)
        request = replace(
            spec.request,
            models=spec.request.models.for_transport(),
            destination=replace(spec.request.destination, attempt=word),
            environment=variables_of(spec),
        )
        limit_s = default_limit(request) if self.timeout_s is None else None
        store = resolved_store(spec.storage, spec.request)
        ended = threading.Event()

        def raise_if_stopped() -> None:
            if ended.is_set():
                message = "The engine was stopped."
                raise InterruptedError(message)
            limits.raise_if_stopped()

        pool = WorkerPool(
            request,
            spec.job.dataset.for_transport(),
            store,
            workers=max(1, min(self.max_workers or usable_cores(), len(indices))),
            raise_if_stopped=raise_if_stopped,
            timeout_s=self.timeout_s if limit_s is None else limit_s,
            is_default=limit_s is not None,
        )
        running = (ended, pool)
        self._running.append(running)
        try:
            with pool:
                pool.adopt(replace(spec.job, dataset=spec.job.dataset.for_transport()))
                yield from pool.run([spec.plans[index] for index in indices], limits.allowed)
        finally:
            self._running.remove(running)

    def stop(self) -> None:
        """End the processes of all runs that are not over; whoever waits for one of them gets an InterruptedError."""
        for ended, pool in list(self._running):
            ended.set()
            pool.kill()
