"""What docs/deployment.md says of settings is what Airflow and its Celery provider have."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import airflow.config_templates
import pytest
import yaml
from airflow.providers.celery.get_provider_info import get_provider_info as celery_provider

from airflow_batch_inference.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "deployment.md").read_text()
SETTINGS = {
    (section, name): option.get("default")
    for known in (
        yaml.safe_load((Path(airflow.config_templates.__path__[0]) / "config.yml").read_text()),
        celery_provider()["config"],
        get_provider_info()["config"],
    )
    for section, what in known.items()
    for name, option in what["options"].items()
}
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)


def test_every_setting_that_is_named_exists():
    named = set(re.findall(r"`\[(\w+)\] (\w+)`", TEXT))
    assert len(named) > 10
    assert named <= set(SETTINGS)


def test_the_defaults_are_those_of_the_packages():
    told = re.findall(r"^\| `\[(\w+)\] (\w+)` \| (\w+) \|", TEXT, re.MULTILINE)
    assert len(told) == 8
    for section, name, default in told:
        if name == "visibility_timeout":  # the provider's code has it, its list of settings has none
            continue
        found = str(SETTINGS[section, name])
        assert found == default or float(found) == float(default)


@pytest.mark.parametrize("block", [text for kind, text in BLOCKS if kind == "ini"])
def test_a_config_is_one_that_airflow_reads(block):
    parser = configparser.ConfigParser()
    parser.read_string(block)
    assert {(section, name) for section in parser.sections() for name in parser[section]} <= set(SETTINGS)


@pytest.mark.parametrize("block", [text for kind, text in BLOCKS if kind == "bash"])
def test_a_command_is_one_that_the_shell_reads_and_the_project_has(block):
    subprocess.run(["bash", "-n", "-c", block], check=True)
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", block, re.MULTILINE):
        assert f"\n{target}: " in makefile
