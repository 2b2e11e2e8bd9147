"""An Azure ML batch deployment's YAML file, or a parallel job's, read into the arguments of ``ScoringScriptOperator``.

Light to import, and to use: a DAG file may read its deployment while it is parsed.

Invariants: every key is taken, said to be ignored, or refused by name; none is passed over in silence; and a value that
can never work is refused in the file's own words.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.compat.azureml.deployment_values import PARTITIONS
from airflow_batch_inference.compat.azureml.parallel_job import read_parallel
from airflow_batch_inference.compat.azureml.reader import INSTANCES, VARIABLES, Reader
from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

log = logging.getLogger(__name__)

_SETTINGS = {
    "mini_batch_size": "mini_batch_size",
    "max_concurrency_per_instance": "max_concurrency_per_instance",
    "error_threshold": "error_threshold",
    "output_action": "output_action",
    "output_file_name": "output_file_name",
    "logging_level": "logging_level",
    "mini_batch_error_threshold": "mini_batch_error_threshold",
    "allowed_failed_percent": "allowed_failed_percent",
    "progress_update_timeout": "progress_timeout_s",
}
_RETRY_SETTINGS = {"max_retries": "max_attempts", "timeout": "mini_batch_timeout_s"}
_CODE = {"code": "code", "scoring_script": "scoring_script"}
_ENVIRONMENT = "environment"
_IGNORED = frozenset(
    {
        "$schema",
        "name",
        "description",
        "tags",
        "properties",
        "endpoint_name",
        _ENVIRONMENT,
        "compute",
        "app_insights_enabled",
        "id",
        "creation_context",
        "provisioning_state",
        "resourceGroup",
    }
)
_IN_SETTINGS = frozenset({"retry_settings", VARIABLES, INSTANCES})
_NESTED = frozenset({"settings", "code_configuration", "resources", "model"}) | _IN_SETTINGS
_KNOWN = sorted({*_SETTINGS, *_IGNORED, *_NESTED, "type"})
_OF_MODELS = ("path", "name", "version", "type", "description", "tags", "properties", "flavors", "stage", "$schema")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployment's file says.

    Attributes
    ----------
    arguments
        Of ``ScoringScriptOperator`` and of its groups, by their own names.
    instance_count
        How many machines it asks for: mapped task instances on Airflow.
    instance_key
        Where it says so.
    ignored
        Keys that have no meaning here.
    environment
        What it says of the Python that the script runs in, in words; None: nothing.
    """

    arguments: Mapping[str, Any]
    instance_count: int = 1
    instance_key: str = ""
    ignored: tuple[str, ...] = ()
    environment: str | None = None


def read_deployment(path: str | Path, given: Collection[str] = ()) -> Deployment:
    """Read a batch deployment's file, or a parallel job's.

    Parameters
    ----------
    path
        Of the YAML file; paths in it are relative to its folder.
    given
        Arguments that are given beside it, and win.

    Raises
    ------
    ConfigurationError
        It cannot be read, or has a key or a value that has no meaning here.
    """
    import yaml

    place = Path(path)
    try:
        document = yaml.safe_load(place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        message = f"{place} cannot be read as a deployment's YAML file: {error}"
        raise ConfigurationError(message) from error
    reader = Reader(place.absolute(), given)
    whole = reader.section("the document", document)
    if whole.get("type") == "parallel":
        read_parallel(reader, whole)
    else:
        _take_deployment(reader, whole)
    count = reader.arguments.pop(INSTANCES, 1)
    return Deployment(
        arguments=reader.arguments,
        instance_count=count,
        instance_key=reader.sources.get(INSTANCES, ""),
        ignored=tuple(reader.ignored),
        environment=reader.environment,
    )


def _take_deployment(reader: Reader, document: Mapping[str, Any]) -> None:
    """Take a whole batch deployment."""
    kind = document.get("type", "model")
    if kind != "model":
        jobs = f" ({', '.join(map(str, document['jobs']))})" if document.get("jobs") else ""
        raise reader.refuse(
            f"type is {kind!r}; only deployments of a model are run here, and parallel jobs (type: parallel) that "
            f"stand in a file of their own. Make its steps{jobs} tasks."
        )
    for key, value in document.items():
        if key not in _KNOWN:
            advice = PARTITIONS if key == "partition_keys" else ""
            raise reader.refuse(f"the key {key!r} is not supported{did_you_mean(key, _KNOWN)}.{advice}")
        if key == _ENVIRONMENT:
            reader.note_environment(value)
        if key == "compute" and isinstance(value, dict):  # as older files have it
            reader.take_instances(f"compute.{INSTANCES}", value.get(INSTANCES))
        if key in _IGNORED:
            reader.ignored.append(key)
        elif key in _SETTINGS:
            reader.take("", {key: value}, _SETTINGS)
    _take_nested(reader, document)
    _take_code(reader, reader.section("code_configuration", document.get("code_configuration")))
    _take_model(reader, document.get("model"))


def _take_nested(reader: Reader, document: Mapping[str, Any]) -> None:
    settings = reader.section("settings", document.get("settings"))
    if "partition_keys" in settings:
        raise reader.refuse(f"settings.partition_keys is not supported.{PARTITIONS}")
    for name, section in (("", document), ("settings.", settings)):
        retry = reader.section(f"{name}retry_settings", section.get("retry_settings"))
        reader.take(f"{name}retry_settings", retry, _RETRY_SETTINGS)
        reader.take_variables(f"{name}{VARIABLES}", section.get(VARIABLES))
        reader.take_instances(f"{name}{INSTANCES}", section.get(INSTANCES))
    reader.take_resources(document.get("resources"))
    plain = {key: value for key, value in settings.items() if key not in _IN_SETTINGS}
    known = dict(_SETTINGS) | {key: key for key in _IN_SETTINGS}
    for key in plain:
        if key not in _SETTINGS:
            raise reader.refuse(f"settings has the key {key!r}, which is unknown{did_you_mean(key, known)}.")
    reader.take("settings", plain, _SETTINGS)


def _take_code(reader: Reader, code: Mapping[str, Any]) -> None:
    reader.take("code_configuration", code, _CODE)
    if code and "scoring_script" not in code:
        raise reader.refuse("code_configuration has no scoring_script. Name the file with init() and run().")
    reader.place_code()


def _take_model(reader: Reader, model: object) -> None:
    """Take a model that is a path beside the file; one of Azure's registry must be given otherwise."""
    if model is None:
        return
    parts = reader.section("model", model) if isinstance(model, dict) else {"path": model}
    for key in parts:
        if key not in _OF_MODELS:
            raise reader.refuse(f"model has the key {key!r}, which is unknown{did_you_mean(key, _OF_MODELS)}.")
    reader.ignored += [f"model.{key}" for key in parts if key != "path"]
    reader.take_model("model", parts.get("path"))


def arguments_of(path: str | Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``ScoringScriptOperator`` that a deployment's file and what is given beside it make.

    Parameters
    ----------
    path
        Of the YAML file.
    overrides
        Arguments that win.

    Raises
    ------
    ConfigurationError
        As :func:`read_deployment` says; or the model lies in Azure's registry, and no other is given.
    """
    found = read_deployment(path, frozenset(overrides))
    arguments = {**found.arguments, **overrides}
    model = arguments.get("model")
    if isinstance(model, str) and model.startswith("azureml:"):
        message = (
            f"{path}: model is {model!r}, which only Azure ML can resolve. Download it (`az ml model download`), and "
            "give its file or folder: from_azure_deployment(…, model=…)."
        )
        raise ConfigurationError(message)
    if found.ignored:
        log.info("%s: ignored on Airflow: %s", path, ", ".join(found.ignored))
    if found.environment is not None and not {"python", "requirements"} & set(overrides):
        log.info(
            "%s: environment (%s) is not built on Airflow: the script runs in the worker's Python. For one of its own "
            "give from_azure_deployment(…, requirements='/path/requirements.txt'), or python='/path/bin/python'",
            *(path, found.environment),
        )
    if found.instance_count > 1:
        log.info(
            "%s: %s is %d: on Airflow these are mapped task instances, such as "
            "ScoringScriptOperator.partial(…).expand(dataset=[…]), each with a share of the files",
            *(path, found.instance_key, found.instance_count),
        )
    return arguments
