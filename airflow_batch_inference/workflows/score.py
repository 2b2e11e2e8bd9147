"""The scoring job: plan, score the parts that are missing, commit.

Its three steps in one call; each can run in a process of its own (:mod:`.plan_job`, :mod:`.score_parts`,
:mod:`.commit_job`).

Invariants: memory does not grow with the rows; what was scored before a crash is not scored again; and every input row
is in the output or among the rejects, exactly once, or nothing is committed.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.exceptions import EngineError
from airflow_batch_inference.jobs.acceleration import drop_suspects
from airflow_batch_inference.jobs.progress import Progress
from airflow_batch_inference.jobs.resume import finished_parts
from airflow_batch_inference.jobs.spec import put_spec
from airflow_batch_inference.workflows.commit_job import commit_receipts
from airflow_batch_inference.workflows.plan_job import OpenedRequest, never
from airflow_batch_inference.workflows.rejects import RejectedRows
from airflow_batch_inference.workflows.score_parts import run_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_batch_inference.engines.base import Engine
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.jobs.spec import JobSpec
    from airflow_batch_inference.records import ChallengersRecord, PredictionSetRecord, Receipt
    from airflow_batch_inference.sinks.base import Target
    from airflow_batch_inference.storage.store import Storage


def score_dataset(
    request: ScoringRequest,
    *,
    storage: Storage,
    data_storage: Storage | None = None,
    stopped: Callable[[], bool] = never,
    resources: Resources | None = None,
    engine: Engine | None = None,
    fence: Callable[[], None] = lambda: None,
    report: Callable[[ChallengersRecord, str], ChallengersRecord] = lambda record, folder: record,  # noqa: ARG005
    targets: Sequence[Target] = (),
) -> tuple[str, PredictionSetRecord]:
    """Score a dataset and commit the prediction set.

    Parameters
    ----------
    request
        What to score, with which model, and where to.
    storage, data_storage
        Reach the artifact store, and the dataset (None: in the same way).
    stopped
        Asked several times a second and before the commit; True ends the job with nothing committed.
    resources
        Processes and memory of this machine.
    engine
        Scores the parts that this machine has planned; None: this machine.
    fence
        Called right before the commit; raises where this try is no longer the live one.
    report
        Called with how challengers differ from the champion, and the task's folder, before that is stored; returns it
        with the report's URI.
    targets
        Where the prediction set will be published: checked before the first row, and not written to.

    Returns
    -------
    tuple
        The commit's URI and its record. A job that was committed before is not scored again.

    Raises
    ------
    EmptyDatasetError
        No row, and ``on_empty="fail"``.
    DataError, PredictionError, ConfigurationError, ArtifactConflictError
        As their messages say; nothing is committed. Parts that were finished stay for the next try.
    InterruptedError
        ``stopped`` said so.
    """
    opened = OpenedRequest.of(request, storage, data_storage, stopped, resources or Resources())
    if engine is not None:
        opened.require_describable()
    with opened.session() as session:
        plan = opened.plan(session, targets)
        if plan.done is not None:
            return plan.done
        spec, receipts = plan.spec, plan.receipts
        progress = Progress(opened.plans, receipts, by=session.by, started=opened.started)
        run = _Run(opened, receipts, progress, is_elsewhere=engine is not None)
        # Whoever scores here has the job in memory; only others read its description.
        uri = "" if engine is None else put_spec(spec)
        if engine is None:
            run.score(spec, uri, session.engine(spec))
    if engine is not None:
        run.score(spec, uri, engine)
    wrong = drop_suspects(receipts, request.destination.folder, storage)
    if wrong:  # the kernel for trees gave other bits somewhere
        run.score_without_kernel(spec, engine, is_apart=session.is_apart)
    run.progress.finish()
    seconds = run.progress.seconds()
    return commit_receipts(
        spec,
        receipts,
        seconds=seconds,
        wrong=wrong,
        fence=fence,
        report=report,
        raise_if_stopped=opened.raise_if_stopped,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """Has the parts scored that have no receipt, and adds theirs."""

    opened: OpenedRequest
    receipts: dict[int, Receipt]
    progress: Progress
    is_elsewhere: bool

    def score(self, spec: JobSpec, uri: str, engine: Engine) -> None:
        missing = [plan.index for plan in spec.without([*self.receipts])]
        scoring = run_engine(engine, spec, uri, missing, self.receipts, self.opened.raise_if_stopped)
        with contextlib.closing(scoring):
            for receipt in scoring:
                self.progress.report(receipt)
        self.opened.raise_if_stopped()
        if self.is_elsewhere:  # what lies in the store counts, and not what somebody else's engine says of it
            self.receipts.clear()
            self.receipts.update(finished_parts(spec, self.opened.raise_if_stopped))
            RejectedRows(spec, self.receipts.values()).require_allowed()
        self._require_all(spec)

    def score_without_kernel(self, spec: JobSpec, engine: Engine | None, *, is_apart: bool) -> None:
        """Score what is missing by the models' own libraries; as before, in processes of their own or not."""
        # Where models were called in processes of their own, the task may have died of one.
        resources = replace(self.opened.resources, isolate=self.opened.resources.isolate or is_apart)
        slowly = replace(self.opened, request=replace(self.opened.request, accelerate="off"), resources=resources)
        slow = replace(spec, request=slowly.request)
        if engine is not None:
            self.score(slow, put_spec(slow), engine)
            return
        with slowly.session() as session:
            session.prepare()
            self.score(slow, "", session.engine(slow))

    def _require_all(self, spec: JobSpec) -> None:
        left = spec.without([*self.receipts])
        if left:
            message = (
                f"The engine ended, and {len(left)} of {len(spec.plans)} parts have no receipt, part {left[0].index} "
                "first: nothing was committed. A retry scores those that are missing."
            )
            raise EngineError(message)
