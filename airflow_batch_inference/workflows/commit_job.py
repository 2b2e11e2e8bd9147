"""The third step of a scoring job: reconcile the receipts of all parts, and commit them.

Invariants: every input row is in the output or among the rejects, exactly once, or nothing is committed.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from airflow_batch_inference.checks.checks import describe, judged, require_passed
from airflow_batch_inference.exceptions import ArtifactNotFoundError, CheckFailedError, EngineError
from airflow_batch_inference.jobs.acceleration import drop_suspects
from airflow_batch_inference.jobs.leftovers import sweep_job
from airflow_batch_inference.jobs.resume import finished_parts
from airflow_batch_inference.jobs.spec import put_spec, read_spec
from airflow_batch_inference.jobs.totals import add_up, counted_columns
from airflow_batch_inference.ledger.commit import commit, committed
from airflow_batch_inference.ledger.retries import retrying
from airflow_batch_inference.predictors.input_contract import warn_of_nulls
from airflow_batch_inference.records import ProfileRecord
from airflow_batch_inference.workflows.prediction_set import make_record, with_models
from airflow_batch_inference.workflows.rejects import RejectedRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.jobs.spec import JobSpec
    from airflow_batch_inference.records import (
        ChallengersRecord,
        CheckCount,
        CheckResult,
        PredictionSetRecord,
        Profile,
        Receipt,
    )
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_SHOWN = 10


def commit_job(
    job_uri: str,
    *,
    storage: Storage | None = None,
    fence: Callable[[], None] = lambda: None,
    report: Callable[[ChallengersRecord, str], ChallengersRecord] = lambda record, folder: record,  # noqa: ARG005
) -> tuple[str, PredictionSetRecord]:
    """Commit a job all of whose parts have been scored, in whatever process and on whatever day.

    Parameters
    ----------
    job_uri
        What :func:`~airflow_batch_inference.workflows.plan_job.plan_job` returned.
    storage
        Reaches it; None: as Airflow's config says, or this process's environment.
    fence, report
        See :func:`~airflow_batch_inference.workflows.score.score_dataset`.

    Returns
    -------
    tuple
        The commit's URI and its record; of a job that was committed before, that one.

    Raises
    ------
    EngineError
        Parts have no receipt: names them. Or the kernel for tree ensembles gave other bits than the models' own
        libraries somewhere: names the job that leaves it out, and has the same parts.
    TooManyRejectedRowsError, CheckFailedError, ArtifactIntegrityError, ArtifactConflictError
        As their messages say; nothing is committed.
    """
    planned = read_spec(job_uri, storage)
    spec = planned.reached_by(storage)
    done = committed(spec.request.destination.folder, spec.job.key, spec.storage)
    if done is not None:
        return done
    spec.job.dataset.require_unchanged()
    receipts = finished_parts(spec)
    missing = [plan.index for plan in spec.without([*receipts])]
    if missing:
        shown = ", ".join(map(str, missing[:_SHOWN])) + (", …" if len(missing) > _SHOWN else "")
        message = (
            f"{len(missing)} of {len(spec.plans)} parts have not been scored ({shown}): nothing was committed. Score "
            "them (score_parts), then commit again."
        )
        raise EngineError(message)
    RejectedRows(spec, receipts.values()).require_allowed()
    wrong = drop_suspects(receipts, spec.request.destination.folder, spec.storage)
    if wrong:
        raise _to_be_scored_again(planned, spec, receipts, wrong)
    return commit_receipts(spec, receipts, seconds=_phases(receipts.values()), fence=fence, report=report)


def _to_be_scored_again(
    planned: JobSpec, spec: JobSpec, receipts: Mapping[int, Receipt], wrong: Mapping[str, str]
) -> EngineError:
    """Store the job without the kernel for tree ensembles, and return the error that says what to do with it."""
    slow = replace(planned, request=replace(planned.request, accelerate="off"))
    uri = put_spec(slow, storage=spec.storage)
    told = "; ".join(f"{name}: {reason}" for name, reason in wrong.items())
    message = (
        f"The kernel for tree ensembles gave other bits than the model's own library ({told}): what it has scored of "
        f"{len(spec.without([*receipts]))} of {len(spec.plans)} parts was removed, and nothing was committed. The same "
        f"job without it is {uri}. Score what is missing of that (score_parts), then commit that."
    )
    return EngineError(message)


def commit_receipts(
    spec: JobSpec,
    receipts: dict[int, Receipt],
    *,
    seconds: dict[str, float],
    wrong: Mapping[str, str] | None = None,
    fence: Callable[[], None],
    report: Callable[[ChallengersRecord, str], ChallengersRecord],
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> tuple[str, PredictionSetRecord]:
    """Commit a job whose parts all have a receipt.

    Parameters
    ----------
    spec
        The job.
    receipts
        By the parts' indices.
    seconds
        What took how long.
    wrong
        By model, where the kernel for tree ensembles gave other bits.
    fence, report
        See :func:`~airflow_batch_inference.workflows.score.score_dataset`.
    raise_if_stopped
        Called several times a second while what the parts have counted is added up; raises to stop.
    """
    request, storage, folder = spec.request, spec.storage, spec.request.destination.folder
    columns = counted_columns(request)
    try:
        totals = add_up([receipts[plan.index] for plan in spec.plans], storage, columns, raise_if_stopped)
    except ArtifactNotFoundError:  # another try has committed, and what lay beside the receipts went with it
        done = committed(folder, spec.job.key, storage)
        if done is None:
            raise
        return done
    results = _judged(request, totals.checks, sum(plan.rows for plan in spec.plans), storage)
    profile_uri = _put_profile(request, totals.profile, storage)
    record = make_record(spec, receipts, seconds, profile_uri, results, totals.nulled)
    record = with_models(record, request, totals.chains.whole(), storage, report)
    record = replace(record, tree_kernel={**record.tree_kernel, **(wrong or {})})
    uri, kept = retrying("The commit", lambda: commit(folder, record, storage, fence))
    sweep_job(folder, spec.job.key, storage)
    return uri, kept


def _phases(receipts: Iterable[Receipt]) -> dict[str, float]:
    """Return the seconds of all parts in each phase, summed."""
    phases: dict[str, float] = {}
    for receipt in receipts:
        for phase, spent in receipt.seconds.items():
            phases[phase] = round(phases.get(phase, 0.0) + spent, 3)
    return phases


def _put_profile(request: ScoringRequest, profile: Profile | None, storage: Storage) -> str | None:
    """Store the profile of all rows; None where they were not counted."""
    if profile is None or request.record.baseline_uri is None:
        return None
    warn_of_nulls(request.record.contract, profile)
    record = ProfileRecord(baseline_uri=request.record.baseline_uri, profile=profile)
    return retrying("The profile", lambda: storage.put_record(request.destination.folder, "profile", record))


def _judged(
    request: ScoringRequest, counts: tuple[CheckCount, ...], rows: int, storage: Storage
) -> tuple[CheckResult, ...]:
    """Return what came of the checks over the whole input; it is stored before anything is raised.

    Raises
    ------
    CheckFailedError
        One holds for too many rows to commit them.
    """
    results = judged(request.options.checks, counts, rows)
    for result in results:
        if result.rows and not result.is_exceeded:
            log.info("%s", describe(result, rows))
    try:
        require_passed(results, rows)
    except CheckFailedError as error:
        data = json.dumps([asdict(result) for result in results], indent=1).encode()
        folder = request.destination.folder
        uri = retrying("The record of the checks", lambda: storage.put_content(folder, "checks", ".json", data))
        message = f"{error} All checks: {uri}"
        raise CheckFailedError(message, results=results, rows=rows, uri=uri) from None
    return results
