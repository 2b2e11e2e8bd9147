"""All commands: two entrances of one declaration, light to import, the result alone on standard output."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_batch_inference.cli import COMMANDS, get_cli_commands

HEAVY = ["numpy", "pandas", "pyarrow", "scipy", "sklearn", "lightgbm", "fsspec", "pydantic", "airflow"]


def test_reading_the_commands_imports_nothing_heavy():
    code = f"import sys, airflow_batch_inference.cli; print(sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []


def test_airflow_is_given_every_command_with_every_argument():
    (group,) = get_cli_commands()
    given = {command.name: [argument.flags[0] for argument in command.args] for command in group.subcommands}
    assert given == {command.name: [flag for flag, _ in command.arguments] for command in COMMANDS}


def test_a_command_of_each_entrance_ends_alike(run, either_entrance, code_model):
    ended = run("inspect", code_model.name, "--json", entrance=either_entrance)
    assert ended.status == 0
    assert json.loads(ended.out)["format"] == "joblib"


def test_an_error_is_one_line_and_status_1(run, either_entrance):
    ended = run("verify", "/nowhere/_commits/0000000001.json", entrance=either_entrance)
    assert isinstance(ended.status, str)  # sys.exit of a text prints it to standard error, and exits with 1
    assert ended.status.startswith("ArtifactNotFoundError: Nothing lies at")
    assert "\n" not in ended.status
    assert ended.out == ""


def test_what_the_package_logs_goes_to_standard_error(run, either_entrance, pinned, batch, tmp_path):
    arguments = ["score", *pinned, batch, "--output", "scores.parquet", "--artifact-root", tmp_path / "store"]
    positional = [arguments[0], arguments[1], batch, *arguments[2:4], *arguments[5:]]
    ended = run(*positional, entrance=either_entrance)
    assert ended.status == 0
    assert "Plan: 400 rows in 1 part(s)" in ended.err
    assert "Plan" not in ended.out
    assert ended.out.startswith("rows            400\n")


def test_the_module_runs_as_a_program(tmp_path, code_model):
    command = [sys.executable, "-m", "airflow_batch_inference", "inspect", str(code_model), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["is_loaded"] is False


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(run, monkeypatch, pinned, batch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("airflow_batch_inference.workflows.score.score_dataset", interrupt)
    ended = run("score", pinned[0], batch, *pinned[1:], "--output", "scores.parquet", "--artifact-root", "store")
    assert ended.status == 130
    assert "the same command goes on from there" in ended.err


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_each_command_has_help(run, command):
    ended = run(command, "--help")
    assert ended.status == 0
    assert "usage: python -m airflow_batch_inference" in ended.out


def test_the_documentation_has_every_command_and_no_option_that_there_is_not():
    document = (Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text()
    for command in COMMANDS:
        assert f"| `{command.name}` |" in document
    there = {flag for command in COMMANDS for flag, _ in command.arguments} | {"--help"}
    assert set(re.findall(r"--[a-z][a-z0-9-]+", document)) <= there
