"""An Azure ML batch deployment's YAML file, or a parallel job's, read into the arguments of ``ScoringScriptOperator``.

Light to import, and to use: a DAG file may read its deployment while it is parsed.

Invariants: every key is taken, said to be ignored, or refused by name; none is passed over in silence; and a value that
can never work is refused in the file's own words.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.compat.azureml.deployment_values import PARTITIONS, check
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
_INSTANCES = "instance_count"
_VARIABLES = "environment_variables"
_IN_SETTINGS = frozenset({"retry_settings", _VARIABLES, _INSTANCES})
_NESTED = frozenset({"settings", "code_configuration", "resources", "model"}) | _IN_SETTINGS
_KNOWN = sorted({*_SETTINGS, *_IGNORED, *_NESTED, "type"})
_OF_RESOURCES = (
    _INSTANCES,
    "instance_type",
    "properties",
    "shm_size",
    "docker_args",
    "locations",
    "max_instance_count",
)
_OF_MODELS = ("path", "name", "version", "type", "description", "tags", "properties", "flavors", "stage", "$schema")
_WORDS = ("output_action", "logging_level")


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


@dataclass(slots=True)
class Reader:
    """Takes one mapping after the other.

    Attributes
    ----------
    path
        Of the file.
    given
        Arguments that are given beside it: what the file says of them is not looked at.
    arguments, sources
        What was taken, and which key each was taken from.
    ignored
        Keys that have no meaning here.
    environment
        What was said of the script's Python, in words.
    """

    path: Path
    given: Collection[str] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    environment: str | None = None
    sources: dict[str, str] = field(default_factory=dict)

    def refuse(self, reason: str) -> ConfigurationError:
        """Return an error that names the file."""
        return ConfigurationError(f"{self.path}: {reason}")

    def section(self, name: str, value: object) -> dict[str, Any]:
        """Return a mapping with text as keys; an empty one for nothing."""
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self.refuse(f"{name} is {value!r}; it must be a mapping.")
        return value

    def set(self, name: str, argument: str, value: object) -> None:
        """Take one value; two places that say different things are refused."""
        if argument in self.sources and self.arguments[argument] != value:
            raise self.refuse(
                f"{self.sources[argument]} is {self.arguments[argument]!r}, and {name} is {value!r}. Say it once."
            )
        self.arguments[argument], self.sources[argument] = value, name

    def take(self, name: str, values: Mapping[str, Any], known: Mapping[str, str]) -> None:
        """Take the keys of a section that holds nothing else."""
        for key, value in values.items():
            where = f"{name}.{key}" if name else key
            if key not in known:
                raise self.refuse(f"{name} has the key {key!r}, which is unknown{did_you_mean(key, known)}.")
            if isinstance(value, (dict, list)) or value is None:
                raise self.refuse(f"{where} is {value!r}; it must be one value.")
            argument = known[key]
            if argument in self.given:
                continue
            plain = value.lower() if argument in _WORDS and isinstance(value, str) else value
            problem = check(key, plain)
            if problem is not None:
                raise self.refuse(f"{where} is {value!r}; {problem}")
            self.set(where, argument, plain)

    def read(self, document: Mapping[str, Any]) -> None:
        """Take the whole document."""
        kind = document.get("type", "model")
        if kind != "model":
            jobs = f" ({', '.join(map(str, document['jobs']))})" if document.get("jobs") else ""
            raise self.refuse(
                f"type is {kind!r}; only deployments of a model are run here, and parallel jobs (type: parallel) that "
                f"stand in a file of their own. Make its steps{jobs} tasks."
            )
        for key, value in document.items():
            if key not in _KNOWN:
                advice = PARTITIONS if key == "partition_keys" else ""
                raise self.refuse(f"the key {key!r} is not supported{did_you_mean(key, _KNOWN)}.{advice}")
            if key == _ENVIRONMENT:
                self.tell_environment(value)
            if key == "compute" and isinstance(value, dict):  # as older files have it
                self.take_instances(f"compute.{_INSTANCES}", value.get(_INSTANCES))
            if key in _IGNORED:
                self.ignored.append(key)
            elif key in _SETTINGS:
                self.take("", {key: value}, _SETTINGS)
        self._nested(document)
        self._code(self.section("code_configuration", document.get("code_configuration")))
        self._model(document.get("model"))

    def _nested(self, document: Mapping[str, Any]) -> None:
        settings = self.section("settings", document.get("settings"))
        if "partition_keys" in settings:
            raise self.refuse(f"settings.partition_keys is not supported.{PARTITIONS}")
        for name, section in (("", document), ("settings.", settings)):
            retry = self.section(f"{name}retry_settings", section.get("retry_settings"))
            self.take(f"{name}retry_settings", retry, _RETRY_SETTINGS)
            self.take_variables(f"{name}{_VARIABLES}", section.get(_VARIABLES))
            self.take_instances(f"{name}{_INSTANCES}", section.get(_INSTANCES))
        self.take_resources(document.get("resources"))
        plain = {key: value for key, value in settings.items() if key not in _IN_SETTINGS}
        known = dict(_SETTINGS) | {key: key for key in _IN_SETTINGS}
        for key in plain:
            if key not in _SETTINGS:
                raise self.refuse(f"settings has the key {key!r}, which is unknown{did_you_mean(key, known)}.")
        self.take("settings", plain, _SETTINGS)

    def take_variables(self, name: str, value: object) -> None:
        """Take environment variables."""
        variables = self.section(name, value)
        if variables and _VARIABLES not in self.given:
            self.set(name, _VARIABLES, {key: self._text(f"{name}.{key}", each) for key, each in variables.items()})

    def _text(self, name: str, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise self.refuse(f"{name} is {value!r}; put it in quotes.")
        return str(value)

    def take_instances(self, name: str, count: object) -> None:
        """Take how many machines there are."""
        if count is None:
            return
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise self.refuse(f"{name} is {count!r}; it must be a whole number of at least 1.")
        self.set(name, _INSTANCES, count)

    def take_resources(self, value: object) -> None:
        """Take how many machines there are, and pass over of what kind."""
        resources = self.section("resources", value)
        for key in resources:
            if key not in _OF_RESOURCES:
                raise self.refuse(f"resources has the key {key!r}, which is unknown{did_you_mean(key, _OF_RESOURCES)}.")
        self.take_instances(f"resources.{_INSTANCES}", resources.get(_INSTANCES))
        self.ignored += [f"resources.{key}" for key in resources if key != _INSTANCES]

    def _code(self, code: Mapping[str, Any]) -> None:
        self.take("code_configuration", code, _CODE)
        if code and "scoring_script" not in code:
            raise self.refuse("code_configuration has no scoring_script. Name the file with init() and run().")
        self.place_code()

    def place_code(self) -> None:
        """Make the paths of the code absolute."""
        if "code" in self.arguments:
            self.arguments["code"] = self.local(self.arguments["code"])
        elif "scoring_script" in self.arguments:
            self.arguments["scoring_script"] = self.local(self.arguments["scoring_script"])

    def tell_environment(self, value: object) -> None:
        """Keep what the file says of the script's Python, in words."""
        parts = value if isinstance(value, dict) else {"name": value}
        names = ("conda_file", "image", "build", "name")
        self.environment = ", ".join(f"{name} {parts[name]}" for name in names if parts.get(name)) or str(value)

    def local(self, place: object) -> str:
        """Return a path of the file's as an absolute one; a URI as it is."""
        text = str(place)
        return text if "://" in text else str((self.path.parent / text).resolve())

    def _model(self, model: object) -> None:
        """Take a model that is a path beside the file; one of Azure's registry must be given otherwise."""
        if model is None:
            return
        parts = self.section("model", model) if isinstance(model, dict) else {"path": model}
        for key in parts:
            if key not in _OF_MODELS:
                raise self.refuse(f"model has the key {key!r}, which is unknown{did_you_mean(key, _OF_MODELS)}.")
        self.ignored += [f"model.{key}" for key in parts if key != "path"]
        self.take_model("model", parts.get("path"))

    def take_model(self, name: str, place: object) -> None:
        """Take a model's path."""
        if not isinstance(place, str):
            raise self.refuse(f"{name} is {place!r}; it must be a path, or a mapping with a path.")
        self.arguments["model"] = place if place.startswith("azureml:") else self.local(place)


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

    from airflow_batch_inference.compat.azureml.parallel_job import read_parallel

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
        reader.read(whole)
    count = reader.arguments.pop(_INSTANCES, 1)
    return Deployment(
        arguments=reader.arguments,
        instance_count=count,
        instance_key=reader.sources.get(_INSTANCES, ""),
        ignored=tuple(reader.ignored),
        environment=reader.environment,
    )


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
