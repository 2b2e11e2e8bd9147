"""Worker processes of this machine as an engine for rows: a supervisor, and rows as its workload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from airflow_batch_inference.engines.base import EngineCapabilities
from airflow_batch_inference.engines.processes.rows import RowsWorkload
from airflow_batch_inference.engines.processes.supervisor import Supervisor
from airflow_batch_inference.storage.shared import sweep_shared_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Self

    from airflow_batch_inference.engines.base import Engine, Limits
    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.jobs.prepare import PreparedJob
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.jobs.spec import JobSpec
    from airflow_batch_inference.records import Receipt
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage


class WorkerPool:
    """A context manager: processes that score parts.

    Parameters
    ----------
    request, opened, storage
        What to score, the opened dataset, and what reaches the artifact store, with their file systems in place.
    workers
        How many processes.
    raise_if_stopped
        Called a few times a second; raises to stop.
    timeout_s
        After so many seconds without a sign of life in a part, a worker is killed; None: never.
    is_default
        Whether nobody has asked for that limit: then what oversteps it twice ends the job, and says what to do.
    """

    is_apart: ClassVar[bool] = True
    """See :class:`~airflow_batch_inference.engines.local.Session`."""

    def __init__(
        self,
        request: ScoringRequest,
        opened: Dataset,
        storage: Storage,
        *,
        workers: int,
        raise_if_stopped: Callable[[], None],
        timeout_s: float | None = None,
        is_default: bool = False,
    ) -> None:
        self._number = workers
        self._rows = RowsWorkload(
            request=request,
            opened=opened,
            storage=storage,
            workers=workers,
            raise_if_stopped=raise_if_stopped,
            timeout_s=timeout_s,
            is_default=is_default,
        )
        self._supervisor = Supervisor(self._rows, workers)

    def __enter__(self) -> Self:
        self._supervisor.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._supervisor.__exit__()
        sweep_shared_folders()  # a worker that was killed has left its model's copy

    def kill(self) -> None:
        """End the workers at once; may be called by another thread. The block buries them."""
        self._supervisor.kill()

    @property
    def by(self) -> str:
        """How many processes there are, in words."""
        return f"{self._number} worker process{'es' if self._number > 1 else ''}"

    def prepare(self) -> PreparedJob:
        """Start the workers, and let one of them prepare the job.

        Raises
        ------
        BatchInferenceError, OSError
            Whatever it raised.
        """
        self._supervisor.start(self._number)
        for _ in self._supervisor.run():
            pass  # there are no receipts yet
        return self._rows.job

    @property
    def handed_over(self) -> Mapping[str, object]:
        """What goes to the workers beside texts."""
        return self._rows.handover.objects

    def adopt(self, job: PreparedJob) -> None:
        """Start the workers with a job that was prepared before."""
        self._rows.adopt(job)
        self._supervisor.start(self._number)

    def engine(self, spec: JobSpec) -> Engine:
        """Return the workers as an engine for a job that they have prepared, or adopted."""
        return _PoolEngine(self, spec)

    def run(self, plans: Sequence[PartPlan], allowed: Callable[[], int | None]) -> Iterator[Receipt]:
        """Score parts, and yield their receipts as they come.

        Parameters
        ----------
        plans
            The parts.
        allowed
            Asked for each part: how many of its rows may still be rejected.

        Raises
        ------
        BatchInferenceError, OSError
            Whatever a worker raised; the others are killed when the block ends.
        WorkerError
            Workers died again and again.
        """
        self._rows.plan(plans, allowed)
        return self._supervisor.run()


@dataclass(frozen=True, slots=True)
class _PoolEngine:
    """A pool that is open; see :class:`~airflow_batch_inference.engines.base.Engine`."""

    pool: WorkerPool
    spec: JobSpec

    @property
    def capabilities(self) -> EngineCapabilities:
        return EngineCapabilities(isolates_crashes=True, has_time_limit=True, is_elsewhere=False)

    def run(self, _: str, indices: Sequence[int], limits: Limits) -> Iterator[Receipt]:
        return self.pool.run([self.spec.plans[index] for index in indices], limits.allowed)

    def stop(self) -> None:
        """Do nothing: the pool's block ends its workers."""
