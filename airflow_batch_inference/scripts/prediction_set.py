"""The record of what a scoring script gave: what the commit says of it, and the account of its files.

Invariants: every file is in exactly one mini-batch, or there is no record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference import __version__
from airflow_batch_inference.exceptions import ArtifactIntegrityError
from airflow_batch_inference.ledger.accounting import as_text
from airflow_batch_inference.records import ItemAccount, PredictionSetRecord
from airflow_batch_inference.scripts.plan import file_hash
from airflow_batch_inference.storage.uris import plain_uris

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import ColumnSpec, Part
    from airflow_batch_inference.scripts.plan import Item
    from airflow_batch_inference.scripts.processes.outcome import Outcome
    from airflow_batch_inference.scripts.request import ScriptRequest
    from airflow_batch_inference.scripts.settings import ScriptSettings
    from airflow_batch_inference.scripts.source import Opened

_FILES = "files"


def make_record(
    request: ScriptRequest,
    opened: Opened,
    items: Sequence[Item],
    outcomes: Sequence[Outcome],
    *,
    key: str,
    parts: tuple[Part, ...],
    columns: tuple[ColumnSpec, ...],
    seconds: dict[str, float],
    mini_batches_uri: str,
) -> PredictionSetRecord:
    """Return the record of a prediction set whose mini-batches have all come to an outcome.

    Parameters
    ----------
    request, opened
        What was asked for, and what scored.
    items
        The files, in input order.
    outcomes
        Of all mini-batches, in input order.
    key
        The commit's.
    parts, columns
        The output, and the columns of its table.
    seconds
        What took how long.
    mini_batches_uri
        Of the journal.

    Raises
    ------
    ArtifactIntegrityError
        The files do not reconcile.
    """
    account = _account(request.settings, items, outcomes)
    dataset = plain_uris(request.dataset)
    return PredictionSetRecord(
        name=request.name,
        batch_id=request.destination.batch_id,
        job_key=key,
        task=request.destination.task,
        model_uri=opened.model_uri,
        model_sha256=opened.model_sha256,
        model_flavor=opened.model_flavor,
        model_record_uri=opened.model_record_uri,
        baseline_uri=None,
        profile_uri=None,
        dataset=tuple(item.file for item in items),
        dataset_uris=(dataset,) if isinstance(dataset, str) else tuple(dataset),  # type: ignore[arg-type]  # a list
        dataset_rows=(),
        output_format=request.settings.table_format if request.settings.keeps_rows else _FILES,
        columns=columns,
        feature_columns=(),
        label_columns=tuple(column.name for column in columns),
        rows_in=account.returned,
        rows_out=account.returned,
        rows_rejected=0,
        kept=True,
        parts=parts,
        quarantine=(),
        certificate=None,
        try_id=request.destination.try_id,
        seconds=seconds,
        versions={"airflow-batch-inference": __version__, **opened.versions},
        items=account,
        script=opened.script,
        mini_batches_uri=mini_batches_uri,
    )


def _account(settings: ScriptSettings, items: Sequence[Item], outcomes: Sequence[Outcome]) -> ItemAccount:
    """Prove that every file was in exactly one mini-batch.

    Raises
    ------
    ArtifactIntegrityError
        It was not.
    """
    failed = sum(outcome.errors for outcome in outcomes)
    done = sum(
        file_hash(each.batch.items) if each.receipt is None else int(each.receipt.file_hash, 16) for each in outcomes
    )
    try:
        return ItemAccount(
            output_action="append_row" if settings.keeps_rows else "summary_only",
            has_header=settings.has_header,
            files_in=len(items),
            files_succeeded=sum(len(outcome.batch.items) for outcome in outcomes) - failed,
            files_failed=failed,
            mini_batches=len(outcomes),
            mini_batches_failed=sum(outcome.is_failed for outcome in outcomes),
            returned=sum(outcome.returned for outcome in outcomes),
            file_hash_in=as_text(file_hash(items)),
            file_hash_done=as_text(done),
        )
    except ValueError as error:
        message = f"The files of this job do not reconcile: {error}. Nothing was committed."
        raise ArtifactIntegrityError(message) from error
