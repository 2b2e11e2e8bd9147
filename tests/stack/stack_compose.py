"""docker-compose.yaml as one machine without containers needs it: commands, environments and health checks.

The file itself is read, so that what runs here are its settings. Only what is a container's own is replaced: the names
of hosts by this machine's ports, and the image's folder by one of this machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGE_HOME = "/opt/airflow"
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<how>[-?])(?P<rest>[^}]*))?\})")


@dataclass(frozen=True, kw_only=True)
class Compose:
    """The services of the file, with its variables and hosts replaced.

    Attributes
    ----------
    services
        As the file has them, merged and filled in.
    home
        The folder in the place of the image's ``/opt/airflow``.
    """

    services: Mapping[str, Any]
    home: Path

    def environment(self, service: str) -> dict[str, str]:
        """Return a service's environment."""
        return {name: str(value) for name, value in self.services[service]["environment"].items()}

    def command(self, service: str) -> list[str]:
        """Return the arguments that the image's entry point hands to ``airflow``."""
        return str(self.services[service]["command"]).split()

    def health_command(self, service: str) -> str:
        """Return a service's health check as a shell command."""
        kind, *words = self.services[service]["healthcheck"]["test"]
        assert kind in ("CMD", "CMD-SHELL")
        return " ".join(words)

    def mount(self) -> None:
        """Lay out the folders that all Airflow services mount: volumes as folders, the checkout's own as links."""
        for volume in self.services["worker"]["volumes"]:
            source, target = str(volume).split(":")[:2]
            place = Path(target)
            if source.startswith("."):
                place.symlink_to(REPOSITORY / source)
            else:
                place.mkdir(parents=True)


def read_compose(*, variables: Mapping[str, str], hosts: Mapping[str, str], home: Path) -> Compose:
    """Read docker-compose.yaml.

    Parameters
    ----------
    variables
        What ``.env`` would say.
    hosts
        The address of each service that others name in a URL, such as ``{"redis:6379": "127.0.0.1:40001"}``.
    home
        The folder in the place of the image's ``/opt/airflow``.
    """

    def filled(value: object) -> object:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        if not isinstance(value, str):
            return value
        text = _VARIABLE.sub(lambda found: _value(found, variables), value)
        for name, address in hosts.items():
            text = re.sub(rf"(?<=[/@]){re.escape(name)}(?=/|$)", address, text)
        return text.replace(IMAGE_HOME, str(home))

    services = filled(yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text())["services"])
    assert isinstance(services, dict)
    return Compose(services=services, home=home)


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    """Return what compose puts in the place of ``$$``, ``${NAME}``, ``${NAME:-default}`` or ``${NAME:?message}``."""
    name = found["name"]
    if name is None:
        return "$"
    if variables.get(name):
        return variables[name]
    if found["how"] == "?":
        raise KeyError(f"{name}: {found['rest']}")
    return found["rest"] or ""
