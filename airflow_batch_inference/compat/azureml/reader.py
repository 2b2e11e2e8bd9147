"""Takes the values of an Azure ML file one by one, with the place that each came from.

Invariants: two places that say different things are refused; what is given beside the file is not looked at in it; an
error names the file and the key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.compat.azureml.deployment_values import check
from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

INSTANCES = "instance_count"
VARIABLES = "environment_variables"
_OF_RESOURCES = (
    INSTANCES,
    "instance_type",
    "properties",
    "shm_size",
    "docker_args",
    "locations",
    "max_instance_count",
)
_WORDS = ("output_action", "logging_level")


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

    def take_variables(self, name: str, value: object) -> None:
        """Take environment variables."""
        variables = self.section(name, value)
        if variables and VARIABLES not in self.given:
            self.set(name, VARIABLES, {key: self._text(f"{name}.{key}", each) for key, each in variables.items()})

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
        self.set(name, INSTANCES, count)

    def take_resources(self, value: object) -> None:
        """Take how many machines there are, and pass over of what kind."""
        resources = self.section("resources", value)
        for key in resources:
            if key not in _OF_RESOURCES:
                raise self.refuse(f"resources has the key {key!r}, which is unknown{did_you_mean(key, _OF_RESOURCES)}.")
        self.take_instances(f"resources.{INSTANCES}", resources.get(INSTANCES))
        self.ignored += [f"resources.{key}" for key in resources if key != INSTANCES]

    def place_code(self) -> None:
        """Make the paths of the code absolute."""
        if "code" in self.arguments:
            self.arguments["code"] = self.local(self.arguments["code"])
        elif "scoring_script" in self.arguments:
            self.arguments["scoring_script"] = self.local(self.arguments["scoring_script"])

    def note_environment(self, value: object) -> None:
        """Keep what the file says of the script's Python, in words."""
        parts = value if isinstance(value, dict) else {"name": value}
        names = ("conda_file", "image", "build", "name")
        self.environment = ", ".join(f"{name} {parts[name]}" for name in names if parts.get(name)) or str(value)

    def local(self, place: object) -> str:
        """Return a path of the file's as an absolute one; a URI as it is."""
        text = str(place)
        return text if "://" in text else str((self.path.parent / text).resolve())

    def take_model(self, name: str, place: object) -> None:
        """Take a model's path."""
        if not isinstance(place, str):
            raise self.refuse(f"{name} is {place!r}; it must be a path, or a mapping with a path.")
        self.arguments["model"] = place if place.startswith("azureml:") else self.local(place)
