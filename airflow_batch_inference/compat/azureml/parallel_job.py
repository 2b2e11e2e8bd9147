"""A parallel job of Azure ML (``type: parallel``), read into the arguments of ``ScoringScriptOperator``.

Its script is that of a batch deployment, with a ``shutdown()`` and with arguments.

Invariants: what has no counterpart here (mini-batches of rows as DataFrames, ``partition_keys``) is refused by name.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.compat.azureml.deployment_values import PARTITIONS, check, is_bytes
from airflow_batch_inference.exceptions import did_you_mean
from airflow_batch_inference.scripts.settings import MODEL, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.compat.azureml.reader import Reader

_SETTINGS = {
    "max_concurrency_per_instance": "max_concurrency_per_instance",
    "error_threshold": "error_threshold",
    "mini_batch_error_threshold": "mini_batch_error_threshold",
    "logging_level": "logging_level",
}
_RETRY_SETTINGS = {"max_retries": "max_attempts", "timeout": "mini_batch_timeout_s"}
_TASK = {"code": "code", "entry_script": "scoring_script"}
_IGNORED = ("$schema", "name", "version", "display_name", "description", "experiment_name", "tags", "properties",
            "compute", "identity", "is_deterministic")  # fmt: skip
_NESTED = ("type", "task", "inputs", "outputs", "input_data", "mini_batch_size", "retry_settings", "resources",
           "instance_count", "environment_variables", "partition_keys")  # fmt: skip
_KNOWN = (*_SETTINGS, *_IGNORED, *_NESTED)
_IN_TASK = (*_TASK, "type", "environment", "program_arguments", "args", "append_row_to", "model")
_PREDEFINED = {
    "error_threshold": "error_threshold",
    "allowed_failed_percent": "allowed_failed_percent",
    "progress_update_timeout": "progress_timeout_s",
}
_OF_THE_ENGINE = ("task_overhead_timeout", "first_task_creation_timeout", "copy_logs_to_parent", "metrics_name_prefix",
                  "push_metrics_to_parent", "resource_monitor_interval")  # fmt: skip
_DEFAULTS = {"mini_batch_size": 1, "mini_batch_timeout_s": 60}
"""Where Azure's differ from those of a deployment."""
_REFERENCE = re.compile(r"\$\{\{\s*([^}]*?)\s*\}\}")
_ROWS = (
    " Mini-batches of rows are not given to scripts here: give dataset the table's files, which the script reads "
    "itself; or score rows without a script (PredictOperator(model=…), @task.score)."
)


def read_parallel(reader: Reader, document: Mapping[str, Any]) -> None:
    """Take the whole document.

    Raises
    ------
    ConfigurationError
        A key or a value in it has no meaning here; it is named.
    """
    for key in document:
        if key not in _KNOWN:
            raise reader.refuse(f"the key {key!r} is not supported{did_you_mean(key, _KNOWN)}.")
        if key in _IGNORED:
            reader.ignored.append(key)
    if document.get("partition_keys"):
        raise reader.refuse(f"partition_keys is {document['partition_keys']!r}, and is not supported.{PARTITIONS}")
    reader.take("", {key: value for key, value in document.items() if key in _SETTINGS}, _SETTINGS)
    reader.take("retry_settings", reader.section("retry_settings", document.get("retry_settings")), _RETRY_SETTINGS)
    reader.take_variables("environment_variables", document.get("environment_variables"))
    reader.take_instances("instance_count", document.get("instance_count"))
    reader.take_resources(document.get("resources"))
    inputs = reader.section("inputs", document.get("inputs"))
    data = _REFERENCE.sub(r"\1", str(document.get("input_data", ""))).rpartition(".")[2]
    _require_files(reader, inputs, data)
    _take_size(reader, document.get("mini_batch_size"))
    _take_task(reader, reader.section("task", document.get("task")), inputs, data)
    for argument, value in _DEFAULTS.items():
        if argument not in reader.given:
            reader.arguments.setdefault(argument, value)


def _require_files(reader: Reader, inputs: Mapping[str, Any], data: str) -> None:
    given = inputs.get(data)
    if isinstance(given, dict) and (given.get("type"), given.get("mode")) == ("mltable", "direct"):
        raise reader.refuse(f"inputs.{data} is an mltable with the mode direct, of which run() gets DataFrames.{_ROWS}")


def _take_size(reader: Reader, value: object) -> None:
    if value is None or "mini_batch_size" in reader.given:
        return
    if is_bytes(value):  # Azure's kb has 1,024
        reader.set("mini_batch_size", "mini_batch_size", re.sub(r"(?i)([kmgt])i?b", r"\1iB", str(value)).strip())
        return
    problem = check("mini_batch_size", value)
    if problem is not None:
        raise reader.refuse(f"mini_batch_size is {value!r}; {problem} Or bytes with a unit, such as 100kb.")
    reader.set("mini_batch_size", "mini_batch_size", int(float(str(value))))


def _take_task(reader: Reader, task: Mapping[str, Any], inputs: Mapping[str, Any], data: str) -> None:
    for key in task:
        if key not in _IN_TASK:
            raise reader.refuse(f"task has the key {key!r}, which is unknown{did_you_mean(key, _IN_TASK)}.")
    if "entry_script" not in task:
        raise reader.refuse("task has no entry_script. Name the file with init() and run().")
    reader.take("task", {key: value for key, value in task.items() if key in _TASK}, _TASK)
    reader.place_code()
    if task.get("environment"):
        reader.note_environment(task["environment"])
        reader.ignored.append("task.environment")
    if "output_action" not in reader.given:
        reader.set("task.append_row_to", "output_action", "append_row" if task.get("append_row_to") else "summary_only")
    name = "args" if "args" in task else "program_arguments"
    text = task.get(name) or ""
    if not isinstance(text, str):
        raise reader.refuse(f"task.{name} is {text!r}; it must be text, as in a shell.")
    try:
        words = shlex.split(_REFERENCE.sub(r"${{\1}}", text))
    except ValueError as error:
        raise reader.refuse(f"task.{name} is {text!r}, which is no line of a shell ({error}).") from error
    left = _take_predefined(reader, words)
    if left and "program_arguments" not in reader.given:
        reader.arguments["program_arguments"] = [_resolved(reader, word, inputs, data) for word in left]


def _take_predefined(reader: Reader, words: list[str]) -> list[str]:
    """Take what is for the engine, and return what is for the script."""
    left: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in (*_PREDEFINED, *_OF_THE_ENGINE):
            left.append(word)
            continue
        value = value if equals else next(rest, "")
        if name in _OF_THE_ENGINE:
            reader.ignored.append(f"--{name}")
        else:
            number = float(value) if re.fullmatch(r"-?\d+(\.\d+)?", value) else value
            is_whole = isinstance(number, float) and number.is_integer()
            reader.take("program_arguments", {name: int(number) if is_whole else number}, _PREDEFINED)
    return left


def _resolved(reader: Reader, word: str, inputs: Mapping[str, Any], data: str) -> str:
    return _REFERENCE.sub(lambda match: _value(reader, match[1], inputs, data), word)


def _value(reader: Reader, reference: str, inputs: Mapping[str, Any], data: str) -> str:
    """Return what a reference stands for: a literal, the model's path, or the output folder."""
    kind, _, name = reference.partition(".")
    if kind == "outputs":
        return OUTPUT
    if kind != "inputs" or name not in inputs or name == data:
        why = "is the data, which run() is given" if name == data else "is not known here"
        raise reader.refuse(
            f"task.program_arguments refers to {reference}, which {why}. Give program_arguments= beside the file."
        )
    value = inputs[name]
    if isinstance(value, (int, float, str)) and not _REFERENCE.search(str(value)):
        return str(value)
    if "model" not in reader.given:
        place = value.get("path") if isinstance(value, dict) else None
        if not isinstance(place, str) or _REFERENCE.search(place):
            raise reader.refuse(
                f"inputs.{name} is {value!r}, which only a pipeline resolves. Give model= beside the file."
            )
        known = reader.arguments.get("model")
        reader.take_model(f"inputs.{name}", place)
        if known not in (None, reader.arguments["model"]):
            raise reader.refuse(
                f"task.program_arguments refers to two folders, and inputs.{name} is the second. A script has one "
                "model here: put them into one folder, and give model= and program_arguments= beside the file."
            )
    return MODEL
