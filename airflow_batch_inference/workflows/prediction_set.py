"""The commit's record, made of the receipts of all parts.

Invariants: every input row is in the output or among the rejects, exactly once, or there is no record.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference import __version__
from airflow_batch_inference.exceptions import ArtifactIntegrityError
from airflow_batch_inference.formats.names import PART_FORMAT
from airflow_batch_inference.jobs.acceleration import of_all_parts
from airflow_batch_inference.jobs.plan import versions_digest, versions_of
from airflow_batch_inference.ledger.accounting import as_text, row_hash
from airflow_batch_inference.ledger.retries import retrying
from airflow_batch_inference.processes.threads import usable_cores
from airflow_batch_inference.records import Certificate, ChainRows, ColumnSpec, PredictionSetRecord
from airflow_batch_inference.storage.parallel import in_order
from airflow_batch_inference.storage.uris import plain_uris

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.jobs.spec import JobSpec
    from airflow_batch_inference.records import ChallengersRecord, CheckResult, Receipt
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_SHOWN = 3
_HASHED_ROWS = 1 << 24


def make_record(
    spec: JobSpec,
    receipts: dict[int, Receipt],
    seconds: dict[str, float],
    profile_uri: str | None,
    results: tuple[CheckResult, ...],
    nulled: Mapping[str, int],
) -> PredictionSetRecord:
    """Reconcile the receipts with the plan, and make the commit of them."""
    job, request, opened, plans = spec.job, spec.request, spec.opened, spec.plans
    options, destination = request.options, request.destination
    source, record = request.models.output_model, request.models.output_model.record
    ordered = [receipts[plan.index] for plan in plans]
    certificate = _certificate(opened, plans, ordered)
    names = {name: name for name in job.base.names} if job.layout is None else job.layout.written_as
    return PredictionSetRecord(
        name=options.name,
        batch_id=destination.batch_id,
        job_key=job.key,
        task=destination.task,
        model_uri=record.model_uri,
        model_sha256=record.sha256,
        model_flavor=record.flavor,
        model_record_uri=source.record_uri,
        baseline_uri=request.record.baseline_uri,
        profile_uri=profile_uri,
        dataset=opened.identity,
        dataset_uris=() if opened.source.is_inline else _uris(request.dataset),
        reading=opened.options,
        dataset_rows=tuple(sum(unit.rows for unit in units) for units in opened.units),
        output_format=PART_FORMAT,
        columns=tuple(ColumnSpec(name=column.name, type=str(column.type)) for column in job.schema),
        feature_columns=tuple(names.get(name, name) for name in job.features),
        label_columns=tuple(names[label] for label in job.labels if label in names),
        rows_in=certificate.rows_in,
        rows_out=certificate.rows_out,
        rows_rejected=certificate.rows_rejected,
        predict_methods=options.methods,
        decision_threshold=options.decision_threshold,
        kept=options.keep,
        parts=tuple(receipt.part for receipt in ordered if receipt.part is not None),
        quarantine=tuple(receipt.quarantine for receipt in ordered if receipt.quarantine is not None),
        certificate=certificate,
        try_id=destination.try_id,
        seconds=seconds,
        versions={"airflow-batch-inference": __version__, "pyarrow": pa.__version__, **job.versions},
        nulled=_told(nulled),
        checks=results,
        rows_set_aside=sum(receipt.rows_set_aside for receipt in ordered),
        input_names={written: name for name, written in names.items() if written != name},
        added_columns=tuple(names[name] for name in job.added if name in names),
        tree_kernel=of_all_parts(ordered),
    )


def with_models(
    record: PredictionSetRecord,
    request: ScoringRequest,
    counts: Mapping[str, ChainRows],
    storage: Storage,
    report: Callable[[ChallengersRecord, str], ChallengersRecord],
) -> PredictionSetRecord:
    """Add what each of several models has done; store how challengers differ from the champion."""
    scored = record.rows_out + record.rows_set_aside
    rejected = record.rows_rejected - record.rows_set_aside
    name = request.models.main.name
    whole = ChainRows(name=name, rows=scored, rows_failed=rejected, seconds=0.0, error=None)
    models = request.models.used_models(counts, whole)
    about = {"task": record.task, "batch_id": record.batch_id, "dataset_uris": record.dataset_uris, "rows": scored}
    found, uri = request.models.compare(counts, models, **about), None
    if found is not None:
        folder = request.destination.folder
        uri = retrying("The report", lambda: storage.put_record(folder, "challengers", report(found, folder)))
    return replace(record, models=models, challengers_uri=uri)


def _told(counts: Mapping[str, int]) -> dict[str, int]:
    """Say what became null for the model, and return it in the columns' order."""
    for column, count in sorted(counts.items()):
        log.warning("%s values of column %r did not fit and became null for the model", f"{count:,}", column)
    return dict(sorted(counts.items()))


def _certificate(opened: Dataset, plans: Sequence[PartPlan], receipts: Sequence[Receipt]) -> Certificate:
    """Prove that what went in came out or was rejected.

    Raises
    ------
    ArtifactIntegrityError
        It did not.
    """
    for plan, receipt in zip(plans, receipts, strict=True):
        if receipt.rows_in != plan.rows or receipt.rows_out + receipt.rows_rejected != plan.rows:
            message = (
                f"Part {plan.index} was planned with {plan.rows} rows; {receipt.rows_in} were read, "
                f"{receipt.rows_out} scored and {receipt.rows_rejected} rejected. Nothing was committed."
            )
            raise ArtifactIntegrityError(message)
        if receipt.versions_digest != versions_digest(opened, plan):
            files = ", ".join(file.uri for file in versions_of(opened, plan)[:_SHOWN])
            message = (
                f"Part {plan.index} was made from other versions of its files ({files}) than those that this run has "
                "found. Nothing was committed. Run the task again when their writer is done."
            )
            raise ArtifactIntegrityError(message)
    counts = [sum(unit.rows for unit in units) for units in opened.units]
    try:
        return Certificate(
            rows_in=sum(counts),
            rows_out=sum(receipt.rows_out for receipt in receipts),
            rows_rejected=sum(receipt.rows_rejected for receipt in receipts),
            row_hash_in=as_text(_hash_of_all(opened, counts)),
            row_hash_out=as_text(sum(int(receipt.row_hash_out, 16) for receipt in receipts)),
            row_hash_rejected=as_text(sum(int(receipt.row_hash_rejected, 16) for receipt in receipts)),
        )
    except ValueError as error:
        message = f"The rows of this job do not reconcile: {error}. Nothing was committed."
        raise ArtifactIntegrityError(message) from error


def _hash_of_all(opened: Dataset, counts: Sequence[int]) -> int:
    """Return the summed hash of all input rows, made from the splits' names and numbers of rows alone."""
    runs = [
        (opened.label_of(split), start, min(_HASHED_ROWS, rows - start))
        for split, rows in enumerate(counts)
        for start in range(0, rows, _HASHED_ROWS)
    ]
    return sum(in_order(lambda run: row_hash(*run), runs, threads=usable_cores())) % 2**64


def _uris(dataset: object) -> tuple[str, ...]:
    dataset = plain_uris(dataset)
    return (dataset,) if isinstance(dataset, str) else tuple(map(str, dataset))  # type: ignore[call-overload]  # a list
