"""How this machine plans a job and scores it where no other engine was asked for: in this process, or in several.

The first rows are predicted before the first part is scored. Whoever has loaded the models for that goes on with them:
a *session* plans, then is the engine.

Invariants: the output does not depend on the choice; and a model that nobody vouches for is never loaded in the task.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from airflow_batch_inference.engines.in_process import InProcessEngine
from airflow_batch_inference.engines.processes.pool import WorkerPool
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.jobs.open_job import OpenJob
from airflow_batch_inference.jobs.part import PartScorer
from airflow_batch_inference.jobs.prepare import prepare
from airflow_batch_inference.jobs.spec import described, resolved_store
from airflow_batch_inference.models.process import CALL_TIMEOUT_S
from airflow_batch_inference.models.trust import is_vouched
from airflow_batch_inference.processes.garbage import paused_collection
from airflow_batch_inference.processes.threads import usable_cores
from airflow_batch_inference.storage.handover import require_serializable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_batch_inference.engines.base import Engine
    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.jobs.prepare import PreparedJob
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.jobs.spec import JobSpec
    from airflow_batch_inference.predictors.graphs.loaded import LoadedModels
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_WORKER_BYTES = 300 << 20
_MANY_PARTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a scoring job may use; the output does not depend on it.

    Attributes
    ----------
    max_workers
        Most worker processes. None: one a core, from 8 parts on (some million rows, or 1 GiB): before that,
        starting them takes longer than it saves. With 1, or a single part, this process scores by itself.
    max_memory
        Bytes of memory for all workers together; None: no limit but theirs of some 300 MB each, for a small model.
    timeout_s
        After so many seconds without a sign of life a worker process is killed and its part tried again.
    isolate
        Score in worker processes even where one would do, so that a model that crashes takes no more with it.
    """

    max_workers: int | None = None
    max_memory: int | None = None
    timeout_s: float | None = None
    isolate: bool = False

    def workers(self, parts: int) -> int:
        """Return how many worker processes score so many parts; 0: this process does it by itself."""
        most = self.max_workers or (usable_cores() if parts >= _MANY_PARTS else 1)
        if self.max_memory is not None:
            most = min(most, max(1, self.max_memory // _WORKER_BYTES))
        number = max(1, min(most, parts))
        return number if number > 1 or self.isolate or self.timeout_s is not None else 0


class Session(Protocol):
    """Plans a job, then scores it."""

    @property
    def number(self) -> int:
        """How many worker processes it has; 0: it is this process."""

    def prepare(self) -> PreparedJob:
        """Load the models, and predict the first rows; see :func:`~airflow_batch_inference.jobs.prepare.prepare`."""

    def engine(self, spec: JobSpec) -> Engine:
        """Return what scores the parts of the job that was prepared, whatever its URI."""


@dataclass
class InProcessSession:
    """The task's own process; see :class:`Session`."""

    request: ScoringRequest
    opened: Dataset
    storage: Storage
    raise_if_stopped: Callable[[], None]
    number: int = 0
    models: LoadedModels = field(init=False)

    def prepare(self) -> PreparedJob:
        """Load the models here, and predict the first rows."""
        with paused_collection():
            self.models = self.request.models.load(self.storage, self.request.accelerate)
        return prepare(self.request, self.opened, self.models)

    def engine(self, spec: JobSpec) -> Engine:
        """Return this process as an engine."""
        scorer = PartScorer(
            job=spec.job,
            request=self.request,
            models=self.models,
            storage=self.storage,
            raise_if_stopped=self.raise_if_stopped,
        )
        return InProcessEngine(OpenJob(spec=spec, scorer=scorer))


@contextlib.contextmanager
def local_session(
    request: ScoringRequest,
    opened: Dataset,
    plans: Sequence[PartPlan],
    storage: Storage,
    resources: Resources,
    raise_if_stopped: Callable[[], None],
) -> Iterator[Session]:
    """Choose between this process and others, and end them with the block."""
    limit_s = None if resources.timeout_s is not None else default_limit(request)
    workers = resources.workers(len(plans)) or (0 if limit_s is None else 1)
    if request.environment and not request.models.is_serializable:
        message = (
            "environment_variables are set in worker processes, and the model cannot be handed to one. Leave them out, "
            "or give a model that has a file."
        )
        raise ConfigurationError(message)
    if workers and request.models.is_serializable:
        try:
            pool = WorkerPool(
                *_shared(request, opened, storage),
                workers=workers,
                raise_if_stopped=raise_if_stopped,
                timeout_s=resources.timeout_s if limit_s is None else limit_s,
                is_default=limit_s is not None,
            )
            require_serializable(pool.handed_over)
        except Exception as error:  # a value's own pickling may fail in any way
            if request.environment:
                message = (
                    "environment_variables are set in worker processes, and the job cannot be handed to one "
                    f"({error}). Leave them out, or use another connection or other arguments."
                )
                raise ConfigurationError(message) from error
            log.warning("Scoring in this process alone: the job cannot be handed to another (%s)", error)
        else:
            request.models.release()
            with pool:
                yield pool
            return
    yield InProcessSession(request, opened, storage, raise_if_stopped)


def default_limit(request: ScoringRequest) -> float | None:
    """Return the limit of a mini-batch where a file that nobody vouches for may compute without end; else None."""
    are_vouched = all(is_vouched(source.record) for source in request.models.sources())
    return None if are_vouched else CALL_TIMEOUT_S


def _shared(request: ScoringRequest, opened: Dataset, storage: Storage) -> tuple[ScoringRequest, Dataset, Storage]:
    """Replace what finds file systems by the file systems themselves: other processes know no connections."""
    sent = replace(described(request, is_inline=opened.source.is_inline), models=request.models.for_transport())
    return replace(sent, environment=request.environment), opened.for_transport(), resolved_store(storage, request)
