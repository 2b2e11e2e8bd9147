"""How this machine plans a job and scores it where no other engine was asked for: by threads, or by worker processes.

The first rows are predicted before the first part is scored. Whoever has loaded the models for that goes on with them:
a *session* plans, then is the engine.

Invariants: the output does not depend on the choice; a model that nobody vouches for is never loaded in the task; and
neither is one of which an earlier try has died.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from airflow_batch_inference.engines.in_process import InProcessEngine
from airflow_batch_inference.engines.processes.pool import WorkerPool
from airflow_batch_inference.engines.threads import ThreadsEngine
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.jobs.open_job import OpenJob
from airflow_batch_inference.jobs.part import PartScorer
from airflow_batch_inference.jobs.prepare import prepare
from airflow_batch_inference.jobs.spec import described, resolved_store
from airflow_batch_inference.ledger.under_way import note_uri, noted
from airflow_batch_inference.models.process import CALL_TIMEOUT_S
from airflow_batch_inference.models.trust import is_vouched
from airflow_batch_inference.processes.garbage import paused_collection
from airflow_batch_inference.processes.threads import cores_shared_by, usable_cores
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

Means = Literal["auto", "threads", "processes"]

_WORKER_BYTES = 300 << 20
_MANY_PARTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a scoring job may use; the output does not depend on it.

    Attributes
    ----------
    max_workers
        Most threads or worker processes. None: one a core; worker processes from 8 parts on only (some million rows, or
        1 GiB), as before that, starting them takes longer than it saves.
    max_memory
        Bytes of memory for all of them together; None: no limit but theirs of some 300 MB each, for a small model.
    timeout_s
        After so many seconds without a sign of life a worker process is killed and its part tried again.
    isolate
        Score in worker processes even where one would do, so that a model that crashes takes no more with it.
    means
        ``threads``: of the task's own process, also where the models hold Python's lock; ``processes``: worker
        processes; ``auto``: threads for models that release the lock, else processes.
    """

    max_workers: int | None = None
    max_memory: int | None = None
    timeout_s: float | None = None
    isolate: bool = False
    means: Means = "auto"

    def most(self, parts: int) -> int:
        """Return how many threads or processes may score so many parts; at least 1."""
        most = self.max_workers or usable_cores()
        if self.max_memory is not None:
            most = min(most, self.max_memory // _WORKER_BYTES)
        return max(1, min(most, parts))

    @property
    def needs_processes(self) -> bool:
        """Whether a worker process scores even where nothing is gained by it."""
        return self.isolate or self.timeout_s is not None


@dataclass(frozen=True, slots=True)
class Crew:
    """Who scores on this machine.

    Attributes
    ----------
    processes
        So many worker processes; 0: the task's own process.
    threads
        So many threads of the task's own process; 0: none but the one that it is in.
    """

    processes: int = 0
    threads: int = 0

    @property
    def number(self) -> int:
        """How many score side by side; 0: one, in the task's own process."""
        return self.processes or (self.threads if self.threads > 1 else 0)

    def __str__(self) -> str:
        """Say so in words."""
        if self.processes:
            return f"{self.processes} worker process{'es' if self.processes > 1 else ''}"
        return f"{self.threads} threads of one process" if self.threads > 1 else "one process"


def choose_crew(request: ScoringRequest | None, parts: int, resources: Resources) -> Crew:
    """Choose between threads of this process and worker processes, for so many parts.

    Parameters
    ----------
    request
        The job; None: it is not known yet.
    parts
        How many parts it has.
    resources
        What it may use.
    """
    if request is not None and not request.models.is_serializable:
        return Crew()  # only the caller's own thread has them
    most = resources.most(parts)
    is_apart = resources.needs_processes or (request is not None and default_limit(request) is not None)
    if not is_apart and resources.means != "processes":
        if request is None or all(source.may_share_process for source in request.models.sources()):
            return Crew(threads=most)
        if resources.means == "threads" and request.models.is_from_files:
            return Crew(threads=most)
    if resources.max_workers is None and parts < _MANY_PARTS:
        most = 1
    if most > 1 or is_apart:
        return Crew(processes=most)
    is_ours = request is not None and not request.models.is_from_files
    return Crew(threads=0 if is_ours else 1)


class Session(Protocol):
    """Plans a job, then scores it."""

    @property
    def by(self) -> str:
        """Who scores, in words."""

    @property
    def is_apart(self) -> bool:
        """Whether models are called in processes of their own."""

    def prepare(self) -> PreparedJob:
        """Load the models, and predict the first rows; see :func:`~airflow_batch_inference.jobs.prepare.prepare`."""

    def engine(self, spec: JobSpec) -> Engine:
        """Return what scores the parts of the job that was prepared, whatever its URI."""


@dataclass
class TaskSession:
    """The task's own process; see :class:`Session`."""

    request: ScoringRequest
    opened: Dataset
    storage: Storage
    raise_if_stopped: Callable[[], None]
    crew: Crew
    is_apart: ClassVar[bool] = False
    models: LoadedModels = field(init=False)

    @property
    def by(self) -> str:
        """Its threads."""
        return str(self.crew)

    def prepare(self) -> PreparedJob:
        """Load the models here, and predict the first rows."""
        models = self.request.models
        if self.crew.threads > 1 and any(source.model is not None for source in models.sources()):
            models = models.for_transport()  # loaded for all cores, where each thread is to have its share
        with cores_shared_by(max(1, self.crew.threads)):
            with paused_collection():
                self.models = models.load(self.storage, self.request.accelerate)
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
        job = OpenJob(spec=spec, scorer=scorer)
        return ThreadsEngine(job, max_workers=self.crew.threads) if self.crew.threads else InProcessEngine(job)


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
    if request.environment and not request.models.is_serializable:
        message = (
            "environment_variables are set in worker processes, and the model cannot be handed to one. Leave them out, "
            "or give a model that has a file."
        )
        raise ConfigurationError(message)

    def make_pool(number: int) -> WorkerPool | None:
        return _worker_pool(request, opened, storage, resources, raise_if_stopped, number)

    crew = choose_crew(request, len(plans), resources)
    pool = make_pool(crew.processes) if crew.processes else None
    if pool is not None:
        with pool:
            yield pool
        return
    destination = request.destination
    with noted(destination.folder, destination.attempt, storage) as has_died:
        if has_died:
            pool = make_pool(resources.most(len(plans)))
        if pool is not None:
            log.warning(
                "An earlier try of this task has ended while it scored in the task's own process (%s): this one scores "
                "by worker processes, which tell the rows that end one.",
                note_uri(destination.folder),
            )
            with pool:
                yield pool
        else:
            crew = crew if not crew.processes else Crew()
            yield TaskSession(request, opened, storage, raise_if_stopped, crew)


def _worker_pool(
    request: ScoringRequest,
    opened: Dataset,
    storage: Storage,
    resources: Resources,
    raise_if_stopped: Callable[[], None],
    number: int,
) -> WorkerPool | None:
    """Return worker processes that have yet to be started; None where the job cannot be handed to one.

    Raises
    ------
    ConfigurationError
        It cannot, and must be, for the environment variables that it asks for.
    """
    if not request.models.is_serializable:
        return None
    limit_s = None if resources.timeout_s is not None else default_limit(request)
    try:
        pool = WorkerPool(
            *_shared(request, opened, storage),
            workers=number,
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
        return None
    request.models.release()
    return pool


def default_limit(request: ScoringRequest) -> float | None:
    """Return the limit of a mini-batch where a file that nobody vouches for may compute without end; else None."""
    are_vouched = all(is_vouched(source.record) for source in request.models.sources())
    return None if are_vouched else CALL_TIMEOUT_S


def _shared(request: ScoringRequest, opened: Dataset, storage: Storage) -> tuple[ScoringRequest, Dataset, Storage]:
    """Replace what finds file systems by the file systems themselves: other processes know no connections."""
    sent = replace(described(request, is_inline=opened.source.is_inline), models=request.models.for_transport())
    return replace(sent, environment=request.environment), opened.for_transport(), resolved_store(storage, request)
