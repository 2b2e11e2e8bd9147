"""An Azure ML batch deployment's YAML file, read into the arguments of ``PredictOperator``.

Light to import, and to use: a DAG file may read its deployment while it is parsed. What must not be relaxed: every key
is taken, said to be ignored, or refused by name; none is passed over in silence.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_IGNORED = frozenset(
    {
        "$schema",
        "name",
        "description",
        "tags",
        "properties",
        "endpoint_name",
        "environment",
        "compute",
        "app_insights_enabled",
    }
)
_NESTED = frozenset({"settings", "retry_settings", "code_configuration", "resources", "model", "environment_variables"})
_KNOWN = sorted({*_SETTINGS, *_IGNORED, *_NESTED, "type"})
_FILEWISE = "azure"
_WORDS = ("output_action", "logging_level")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployment's file says.

    Attributes
    ----------
    arguments
        Of ``PredictOperator``.
    instance_count
        How many machines it asks for: mapped task instances on Airflow.
    ignored
        Keys that have no meaning here.
    """

    arguments: Mapping[str, Any]
    instance_count: int = 1
    ignored: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reader:
    """Takes one mapping after the other."""

    path: Path
    arguments: dict[str, Any] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    instance_count: int = 1

    def refuse(self, reason: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path}: {reason}")

    def section(self, name: str, value: object) -> dict[str, Any]:
        """Return a mapping with text as keys; an empty one for nothing."""
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self.refuse(f"{name} is {value!r}; it must be a mapping.")
        return value

    def take(self, name: str, values: Mapping[str, Any], known: Mapping[str, str]) -> None:
        """Take the keys of a section that holds nothing else."""
        for key, value in values.items():
            if key not in known:
                raise self.refuse(f"{name} has the key {key!r}, which is unknown{did_you_mean(key, known)}.")
            if isinstance(value, (dict, list)) or value is None:
                raise self.refuse(f"{name}.{key} is {value!r}; it must be one value.")
            argument = known[key]
            self.arguments[argument] = value.lower() if argument in _WORDS and isinstance(value, str) else value

    def read(self, document: Mapping[str, Any]) -> None:
        """Take the whole document."""
        for key, value in document.items():
            if key not in _KNOWN:
                advice = " Give the rows of each key files of their own." if key == "partition_keys" else ""
                raise self.refuse(f"the key {key!r} is not supported{did_you_mean(key, _KNOWN)}.{advice}")
            if key in _IGNORED:
                self.ignored.append(key)
            elif key in _SETTINGS:
                self.take("the file", {key: value}, _SETTINGS)
        kind = document.get("type", "model")
        if kind != "model":
            raise self.refuse(f"type is {kind!r}; only deployments of a model are run here. Make its steps tasks.")
        self._nested(document)
        self._model(document.get("model"))

    def _nested(self, document: Mapping[str, Any]) -> None:
        settings = dict(self.section("settings", document.get("settings")))
        for name, section in (("settings.", settings), ("", document)):
            retry = self.section(f"{name}retry_settings", section.get("retry_settings"))
            self.take(f"{name}retry_settings", retry, _RETRY_SETTINGS)
        settings.pop("retry_settings", None)
        self.take("settings", settings, _SETTINGS)
        variables = self.section("environment_variables", document.get("environment_variables"))
        if variables:
            self.arguments["environment_variables"] = {key: self._text(key, each) for key, each in variables.items()}
        self._resources(self.section("resources", document.get("resources")))
        code = self.section("code_configuration", document.get("code_configuration"))
        self.take("code_configuration", code, _CODE)
        if code and "scoring_script" not in code:
            raise self.refuse("code_configuration has no scoring_script. Name the file with init() and run().")
        if "code" in self.arguments:
            self.arguments["code"] = self._local(self.arguments["code"])
        elif "scoring_script" in self.arguments:
            self.arguments["scoring_script"] = self._local(self.arguments["scoring_script"])
        if not code:
            self.arguments["output_schema"] = _FILEWISE

    def _text(self, name: str, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise self.refuse(f"environment_variables.{name} is {value!r}; put it in quotes.")
        return str(value)

    def _resources(self, resources: Mapping[str, Any]) -> None:
        count = resources.get("instance_count", 1)
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise self.refuse(f"resources.instance_count is {count!r}; it must be a whole number of at least 1.")
        self.instance_count = count
        self.ignored += [f"resources.{key}" for key in resources if key != "instance_count"]

    def _local(self, place: object) -> str:
        """Return a path of the file's as an absolute one; a URI as it is."""
        text = str(place)
        return text if "://" in text else str((self.path.parent / text).resolve())

    def _model(self, model: object) -> None:
        """Take a model that is a path beside the file; one of Azure's registry must be given otherwise."""
        if model is None:
            return
        place = self.section("model", model).get("path") if isinstance(model, dict) else model
        if not isinstance(place, str):
            raise self.refuse(f"model is {model!r}; it must be a path, or a mapping with a path.")
        if place.startswith("azureml:"):
            self.arguments["model"] = place
        else:
            self.arguments["model"] = self._local(place)


def read_deployment(path: str | Path) -> Deployment:
    """Read a batch deployment's file.

    Parameters
    ----------
    path
        Of the YAML file; paths in it are relative to its folder.

    Raises
    ------
    ConfigurationError
        It cannot be read, or has a key or a value that has no meaning here.
    """
    import yaml

    place = Path(path)
    try:
        document = yaml.safe_load(place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{place} cannot be read as a deployment's YAML file: {error}"
        raise ConfigurationError(message) from error
    reader = _Reader(place.absolute())
    reader.read(reader.section("the document", document))
    return Deployment(arguments=reader.arguments, instance_count=reader.instance_count, ignored=tuple(reader.ignored))


def arguments_of(path: str | Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``PredictOperator`` that a deployment's file and what is given beside it make.

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
    found = read_deployment(path)
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
    if found.instance_count > 1:
        log.info(
            "%s: resources.instance_count is %d: on Airflow these are mapped task instances, such as "
            "PredictOperator.partial(…).expand(dataset=[…]), each with a share of the files",
            *(path, found.instance_count),
        )
    return arguments
