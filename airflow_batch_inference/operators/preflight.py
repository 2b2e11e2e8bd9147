"""A scoring task that only tries its job out: reported, pushed, and failed where it would fail; nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError, PreflightFailedError
from airflow_batch_inference.operators.arguments import csv_options, structure
from airflow_batch_inference.operators.base import push
from airflow_batch_inference.wording.logs import Lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.operators.predict import PredictOperator
    from airflow_batch_inference.records import CsvOptions
    from airflow_batch_inference.workflows.score import Resources


def try_out(
    operator: PredictOperator, make_request: Callable[[], ScoringRequest], resources: Resources, context: Context
) -> None:
    """Try a scoring task's job out, log the report, and push its numbers.

    Raises
    ------
    PreflightFailedError
        It has found problems: all of them are named.
    """
    from airflow_batch_inference.workflows.preflight import preflight

    found = preflight(
        make_request,
        dataset=structure(operator.dataset),
        storage=operator.storage,
        data_storage=operator.data_storage(operator.conn_id),
        resources=resources,
        csv=_csv(operator),
    )
    operator.log.info("Preflight:\n%s", Lines(found.text()))
    push(context, found.numbers())
    if not found.is_ready:
        listed = " ".join(f"({place}) {problem}" for place, problem in enumerate(found.problems, start=1))
        message = f"The preflight has found {len(found.problems)} problem(s), and nothing was written. {listed}"
        raise PreflightFailedError(message)


def _csv(operator: PredictOperator) -> CsvOptions | None:
    """Return what CSV files look like; what is wrong with it is found with the other arguments."""
    try:
        return csv_options(operator.csv_options)
    except ConfigurationError:
        return None
