"""What ``PredictOperator`` does where it gets files: a scoring script, or the model once a file."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators.arguments import (
    boolean,
    mapping,
    names,
    number,
    optional_text,
    optional_whole_number,
    structure,
    whole_number,
)
from airflow_batch_inference.operators.base import fence_of, push, storage_for
from airflow_batch_inference.operators.inputs import read_model, resolve_model
from airflow_batch_inference.operators.scored import destination_of, model_of
from airflow_batch_inference.uris import is_record_uri

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.operators.predict import PredictOperator
    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.scripts.filewise import FilewiseModel
    from airflow_batch_inference.scripts.job import Scorer
    from airflow_batch_inference.scripts.settings import ScriptSettings
    from airflow_batch_inference.scripts.source import UserScript

FILEWISE = "azure"
OF_SCRIPTS = ("scoring_script", "code", "environment_variables")
OF_FILES = (
    "mini_batch_size",
    "max_concurrency_per_instance",
    "max_attempts",
    "output_action",
    "output_file_name",
    "header",
    "logging_level",
    "mini_batch_error_threshold",
    "allowed_failed_percent",
    "progress_timeout_s",
    "recursive",
)
OF_ROWS = (
    "drop_columns",
    "feature_columns",
    "predict_method",
    "decision_threshold",
    "explain",
    "predict_kwargs",
    "on_mismatch",
    "output_format",
    "log_result_set",
    "passthrough_columns",
    "mini_batch_rows",
    "max_rejected_fraction",
    "allow_nan",
    "redact_columns",
    "parity_rows",
    "max_workers",
    "max_memory",
    "profile",
    "isolate",
    "result_columns",
    "result_exclude",
    "result_separator",
    "checks",
    "notifiers",
    "preflight",
    "challengers",
    "split",
    "flips",
)


def file_scorer(operator: PredictOperator) -> Scorer | None:
    """Return what scores files, where an operator gets files; and refuse arguments that then mean nothing.

    Raises
    ------
    ConfigurationError
        Names them.
    """
    is_script = optional_text(operator.scoring_script) is not None
    is_filewise = optional_text(operator.output_schema) == FILEWISE
    if is_script and is_filewise:
        message = f'output_schema="{FILEWISE}" is for models without a scoring_script. Leave one of them out.'
        raise ConfigurationError(message)
    several = structure(operator.model) if is_script or is_filewise else None
    if isinstance(several, (list, tuple, dict)):
        who = "a scoring_script" if is_script else f'output_schema="{FILEWISE}"'
        message = f"model is {several!r}; {who} takes one model: a record's URI, an alias or a model file. Give one."
        raise ConfigurationError(message)
    if is_script:
        refuse(operator, (*OF_ROWS, "output_schema"), "a scoring_script reads its files and calls its model itself")
        return _script(operator)
    if operator.model is None:
        message = "model is missing: give a model record's URI, an alias, a model file, or a scoring_script."
        raise ConfigurationError(message)
    if is_filewise:
        why = f'output_schema="{FILEWISE}" predicts once a file, and has its own columns'
        refuse(operator, (*OF_ROWS, *OF_SCRIPTS, "label_columns"), why)
        return _filewise(operator)
    refuse(operator, (*OF_SCRIPTS, *OF_FILES), "they are for a scoring_script, and none is given")
    return None


def refuse(operator: PredictOperator, unused: Iterable[str], why: str) -> None:
    """Refuse arguments that were given, and mean nothing.

    Raises
    ------
    ConfigurationError
        Names them.
    """
    defaults = {
        name: parameter.default
        for kind in reversed(type(operator).__mro__)
        if "__init__" in vars(kind)
        for name, parameter in inspect.signature(vars(kind)["__init__"]).parameters.items()
    }
    given = [name for name in unused if getattr(operator, name) != defaults[name]]
    if given:
        message = f"{', '.join(given)} cannot be given here: {why}. Leave them out."
        raise ConfigurationError(message)


def score_files(operator: PredictOperator, scorer: Scorer, context: Context, on_empty: str) -> str:
    """Run the job and return the commit's URI; pushes ``rows``, ``items``, ``items_failed`` and the like by XCom."""
    from airflow_batch_inference.scripts.job import ScriptRequest, run_script

    uri, record = run_script(
        ScriptRequest(
            scorer=scorer,
            dataset=structure(operator.dataset),
            destination=destination_of(context, operator.root, optional_text(operator.batch_id)),
            settings=settings_of(operator),
            name=operator.result_set_name,
            recursive=boolean("recursive", operator.recursive),
            on_empty="succeed" if on_empty == "succeed" else "fail",
        ),
        storage=operator.storage,
        data_storage=operator.data_storage(operator.conn_id),
        stopped=lambda: operator.is_stopped,
        fence=fence_of(context),
    )
    operator.recorded = uri, record
    _tell(operator, record, uri)
    push(context, _scalars(record))
    return uri


def _tell(operator: PredictOperator, record: PredictionSetRecord, uri: str) -> None:
    items = record.items
    if items is None:
        return
    operator.log.info(
        "Prediction set %s: %d files, %d elements returned, %d file(s) written, %s",
        *(record.name, items.files_in, items.returned, len(record.parts), uri),
    )
    if items.files_failed or items.mini_batches_failed:
        operator.log.warning(
            "%d of %d files and %d of %d mini-batches failed: %s",
            *(items.files_failed, items.files_in, items.mini_batches_failed, items.mini_batches),
            record.mini_batches_uri,
        )


def _scalars(record: PredictionSetRecord) -> dict[str, Any]:
    items = record.items
    return {
        "rows": record.rows_out,
        "items": 0 if items is None else items.files_in,
        "items_failed": 0 if items is None else items.files_failed,
        "batch_id": record.batch_id,
        "model_sha256": record.model_sha256,
    }


def settings_of(operator: PredictOperator) -> ScriptSettings:
    """Parse the settings of a scoring script.

    Raises
    ------
    ConfigurationError
        One of them can never work.
    """
    from airflow_batch_inference.scripts.settings import UNLIMITED, ScriptSettings

    threshold = optional_whole_number("error_threshold", operator.error_threshold, low=UNLIMITED)
    unsaid = UNLIMITED if operator.files_may_fail else 0
    timeout, progress = optional_text(operator.mini_batch_timeout_s), optional_text(operator.progress_timeout_s)
    return ScriptSettings(
        mini_batch_size=whole_number("mini_batch_size", operator.mini_batch_size, low=1),
        max_concurrency_per_instance=whole_number(
            "max_concurrency_per_instance", operator.max_concurrency_per_instance, low=1
        ),
        error_threshold=unsaid if threshold is None else threshold,
        max_attempts=whole_number("max_attempts", operator.max_attempts, low=1),
        **({} if timeout is None else {"mini_batch_timeout_s": number("mini_batch_timeout_s", timeout, low=0.001)}),
        output_action=str(operator.output_action),
        output_file_name=str(operator.output_file_name),
        header=boolean("header", operator.header),
        logging_level=str(operator.logging_level).lower(),
        environment_variables=_variables(operator),
        mini_batch_error_threshold=whole_number(
            "mini_batch_error_threshold", operator.mini_batch_error_threshold, low=UNLIMITED
        ),
        allowed_failed_percent=number("allowed_failed_percent", operator.allowed_failed_percent, low=0, high=100),
        progress_timeout_s=None if progress is None else number("progress_timeout_s", progress, low=0.001),
        label_columns=names("label_columns", operator.label_columns),
    )


def _variables(operator: PredictOperator) -> dict[str, str]:
    """Return the script's environment variables; numbers are text there."""
    given = mapping("environment_variables", operator.environment_variables)
    return {
        name: str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
        for name, value in given.items()
    }


def _script(operator: PredictOperator) -> UserScript:
    """Return the script with the files of its model, whose record is believed as far as its digest goes."""
    from airflow_batch_inference.scripts.source import UserScript

    storage = storage_for(optional_text(operator.conn_id))
    uri, digest, record_uri, model_storage = optional_text(operator.model), None, None, storage
    if uri is not None:
        uri = resolve_model(uri, operator.as_of, root=operator.root, storage=operator.storage)
        if is_record_uri(uri):
            record_uri = uri
            record = read_model("model", uri, root=operator.root, storage=operator.storage)
            uri, digest, model_storage = record.model_uri, record.sha256, storage_for(record.conn_id)
    return UserScript(
        script=str(operator.scoring_script),
        code=optional_text(operator.code),
        storage=storage,
        model_uri=uri,
        model_sha256=digest,
        model_record_uri=record_uri,
        model_storage=model_storage,
    )


def _filewise(operator: PredictOperator) -> FilewiseModel:
    from airflow_batch_inference.scripts.filewise import FilewiseModel

    uri = resolve_model(str(operator.model), operator.as_of, root=operator.root, storage=operator.storage)
    _, record, record_uri = model_of(uri, optional_text(operator.conn_id), operator.root, operator.storage)
    return FilewiseModel(
        record=record,
        record_uri=record_uri,
        storage=operator.storage,
        model_storage=storage_for(record.conn_id),
    )
