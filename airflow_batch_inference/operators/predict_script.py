"""What ``PredictOperator`` does where it gets files: a scoring script, or the model once a file."""

from __future__ import annotations

import inspect
import os
import shlex
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators.arguments import (
    boolean,
    byte_size,
    csv_options,
    mapping,
    names,
    number,
    optional_text,
    optional_whole_number,
    structure,
    whole_number,
)
from airflow_batch_inference.operators.base import environments_folder, fence_of, push, storage_for
from airflow_batch_inference.operators.inputs import read_model, resolve_model
from airflow_batch_inference.operators.task_context import destination_of, model_of
from airflow_batch_inference.storage.uris import is_record_uri

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.operators.predict import PredictOperator
    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.scripts.filewise import FilewiseModel
    from airflow_batch_inference.scripts.job import Scorer
    from airflow_batch_inference.scripts.settings import ScriptSettings
    from airflow_batch_inference.scripts.source import OwnPython, UserScript
    from airflow_batch_inference.storage.store import Storage

FILEWISE = "azure"
OF_SCRIPTS = ("scoring_script", "code", "python", "requirements", "program_arguments")
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
OF_TABLES = ("csv_options",)
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
    "alignment_check_rows",
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
        refuse(
            operator,
            (*OF_ROWS, *OF_TABLES, "output_schema"),
            "a scoring_script reads its files and calls its model itself",
        )
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
    files, most_bytes = _mini_batch(operator.mini_batch_size)
    seconds: dict[str, Any] = {}
    if timeout is not None:
        seconds["mini_batch_timeout_s"] = number("mini_batch_timeout_s", timeout, low=0.001)
    return ScriptSettings(
        mini_batch_size=files,
        mini_batch_bytes=most_bytes,
        max_concurrency_per_instance=whole_number(
            "max_concurrency_per_instance", operator.max_concurrency_per_instance, low=1
        ),
        error_threshold=unsaid if threshold is None else threshold,
        max_attempts=whole_number("max_attempts", operator.max_attempts, low=1),
        **seconds,
        output_action=str(operator.output_action),
        output_file_name=str(operator.output_file_name),
        header=boolean("header", operator.header),
        logging_level=str(operator.logging_level).lower(),
        environment_variables=variables(operator),
        mini_batch_error_threshold=whole_number(
            "mini_batch_error_threshold", operator.mini_batch_error_threshold, low=UNLIMITED
        ),
        allowed_failed_percent=number("allowed_failed_percent", operator.allowed_failed_percent, low=0, high=100),
        progress_timeout_s=None if progress is None else number("progress_timeout_s", progress, low=0.001),
        label_columns=names("label_columns", operator.label_columns),
        program_arguments=_arguments(operator.program_arguments),
    )


def _mini_batch(given: object) -> tuple[int, int | None]:
    """Return how many files a mini-batch has, and how many bytes instead, where a unit says so.

    Examples
    --------
    >>> _mini_batch("10"), _mini_batch("1kB")
    ((10, None), (1, 1000))
    """
    if isinstance(given, str) and given.strip().lower().endswith("b"):
        return 1, byte_size("mini_batch_size", given)
    return whole_number("mini_batch_size", given, low=1), None


def _arguments(given: object) -> tuple[str, ...]:
    """Return what stands in ``sys.argv[1:]``.

    Raises
    ------
    ConfigurationError
        It is neither text nor a list of values.

    Examples
    --------
    >>> _arguments("--name 'a b'"), _arguments(["--top", 3])
    (('--name', 'a b'), ('--top', '3'))
    """
    value = structure(given)
    if value is None:
        return ()
    try:
        items = shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        message = f"program_arguments is {given!r}, which is no line of a shell ({error}). Give a list."
        raise ConfigurationError(message) from error
    if not isinstance(items, (list, tuple)) or any(isinstance(each, (dict, list, tuple)) for each in items):
        message = f"program_arguments is {given!r}; it must be text as in a shell, or a list of values."
        raise ConfigurationError(message)
    return tuple(map(str, items))


def variables(operator: PredictOperator) -> dict[str, str]:
    """Return the worker processes' own environment variables; numbers are text there."""
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
        own_python=_own_python(operator, storage),
    )


def _own_python(operator: PredictOperator, storage: Storage) -> OwnPython | None:
    """Return the interpreter that the script is to have for itself, if any."""
    from airflow_batch_inference.scripts.source import OwnPython

    python = optional_text(operator.python)
    required = structure(operator.requirements)
    required = os.fspath(required) if isinstance(required, os.PathLike) else required
    if python is None and required is None:
        return None
    if isinstance(required, (list, tuple)):
        required = tuple(str(line) for line in required)
    elif required is not None and not isinstance(required, str):
        message = f"requirements is {required!r}; it must be the path of a requirements file, or a list of its lines."
        raise ConfigurationError(message)

    def check() -> None:
        if operator.is_stopped:
            message = "The task was stopped while the environment of its script was built."
            raise InterruptedError(message)

    return OwnPython(
        python=python,
        requirements=required,
        environments=environments_folder(),
        variables=variables(operator),
        storage=storage,
        raise_if_stopped=check,
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
        csv=csv_options(operator.csv_options),
    )
