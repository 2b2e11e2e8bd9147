"""The first step of a scoring job: fix all that determines its output, and store that where any process can read it.

Invariants: a job that was planned has the same parts, whoever scores them; and a job that was committed before is not
planned again.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from airflow_batch_inference.engines.local import Resources, local_session
from airflow_batch_inference.jobs.environment import environment_stamp
from airflow_batch_inference.jobs.leftovers import sweep_job, sweep_task
from airflow_batch_inference.jobs.plan import plan_parts
from airflow_batch_inference.jobs.prepare import open_input
from airflow_batch_inference.jobs.resume import finished_parts
from airflow_batch_inference.jobs.spec import make_spec, put_spec, require_describable
from airflow_batch_inference.ledger.commit import committed
from airflow_batch_inference.workflows.publication import check_target

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Sequence

    from airflow_batch_inference.engines.local import Session
    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.jobs.spec import JobSpec
    from airflow_batch_inference.records import PredictionSetRecord, Receipt
    from airflow_batch_inference.sinks.base import Target
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)


def never() -> bool:
    """Say that nobody has stopped the task."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """A job that any process can score.

    Attributes
    ----------
    uri
        Its description's, for :func:`~airflow_batch_inference.jobs.open_job.score_part` and the other steps.
    parts
        How many parts it has.
    missing
        The indices of those that no earlier try has scored; none where it is committed.
    commit_uri
        Where its commit lies, if it was committed before.
    """

    uri: str
    parts: int
    missing: tuple[int, ...]
    commit_uri: str | None = None


def plan_job(
    request: ScoringRequest,
    *,
    storage: Storage,
    data_storage: Storage | None = None,
    stopped: Callable[[], bool] = never,
    resources: Resources | None = None,
) -> PlannedJob:
    """Plan a job for other processes, and store its description.

    Parameters
    ----------
    request, storage, data_storage, stopped, resources
        See :func:`~airflow_batch_inference.workflows.score.score_dataset`. The resources are those of planning.

    Raises
    ------
    NotDescribableError
        Other processes cannot have its models or reach its stores.
    EmptyDatasetError, DataError, PredictionError, ModelError, ArtifactError
        Whatever can be known to be wrong before the first row is scored.
    """
    opened = OpenedRequest.of(request, storage, data_storage, stopped, resources or Resources())
    opened.require_describable()
    with opened.session() as session:
        step = opened.plan(session)
        uri = put_spec(step.spec)
        if step.done is not None:
            return PlannedJob(uri=uri, parts=len(opened.plans), missing=(), commit_uri=step.done[0])
        missing = tuple(plan.index for plan in step.spec.without([*step.receipts]))
        return PlannedJob(uri=uri, parts=len(opened.plans), missing=missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A job as it is in the process that has planned it.

    Attributes
    ----------
    spec
        The job.
    receipts
        Of the parts that an earlier try has scored.
    done
        Its commit, if it was committed before.
    """

    spec: JobSpec
    receipts: dict[int, Receipt] = field(default_factory=dict)
    done: tuple[str, PredictionSetRecord] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRequest:
    """A request whose dataset is open and cut into parts."""

    request: ScoringRequest
    opened: Dataset
    plans: tuple[PartPlan, ...]
    storage: Storage
    resources: Resources
    raise_if_stopped: Callable[[], None]
    started: float

    @classmethod
    def of(
        cls,
        request: ScoringRequest,
        storage: Storage,
        data_storage: Storage | None,
        stopped: Callable[[], bool],
        resources: Resources,
    ) -> OpenedRequest:
        """Open the dataset, and cut it into parts."""
        folder, started = request.destination.folder, time.monotonic()
        if request.environment:
            resources = replace(resources, isolate=True)
        storage.require_writable(folder)
        sweep_task(folder, storage)
        raise_if_stopped = partial(_raise_if_stopped, stopped)
        data_storage = replace(data_storage or storage, max_memory=resources.max_memory)
        opened = open_input(request, data_storage, raise_if_stopped)
        return cls(
            request=request,
            opened=opened,
            plans=plan_parts(opened.units),
            storage=storage,
            resources=resources,
            raise_if_stopped=raise_if_stopped,
            started=started,
        )

    def require_describable(self) -> None:
        """Refuse what other processes could not score; see :func:`~airflow_batch_inference.jobs.spec.put_spec`."""
        require_describable(self.request, self.opened, self.storage)

    def session(self) -> contextlib.AbstractContextManager[Session]:
        """Return what plans the job on this machine, and can score it."""
        return local_session(self.request, self.opened, self.plans, self.storage, self.resources, self.raise_if_stopped)

    def plan(self, session: Session, targets: Sequence[Target] = ()) -> Plan:
        """Let a session predict the first rows, and look for what earlier tries have left.

        Raises
        ------
        ConfigurationError, ArtifactConflictError
            A target of the prediction set would not take it.
        """
        job = session.prepare()
        for target in targets:
            check_target(job, self.request, target)
        stamp = environment_stamp(job.versions)
        spec = make_spec(self.request, job, self.opened, self.plans, stamp, self.storage)
        folder = self.request.destination.folder
        done = committed(folder, job.key, self.storage)
        if done is not None:
            log.info("This very job is committed already: %s", done[0])
            sweep_job(folder, job.key, self.storage)
            return Plan(spec=spec, done=done)
        return Plan(spec=spec, receipts=finished_parts(spec, self.raise_if_stopped))


def _raise_if_stopped(stopped: Callable[[], bool]) -> None:
    if stopped():
        message = "The task was stopped before its prediction set was committed; nothing of it is visible."
        raise InterruptedError(message)
