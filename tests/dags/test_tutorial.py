"""docs/tutorial.md, followed line by line in an empty folder."""

from __future__ import annotations

import json
import os
import runpy
import shlex
from pathlib import Path

import pandas as pd
import pytest
from document_blocks import blocks_of, commands

from airflow_batch_inference.cli import main

pytestmark = [pytest.mark.dags, pytest.mark.slow]

DONE_ALREADY = {
    "python3 -m venv": "the tests' own environment",
    ". .venv/bin/activate": "the tests' own environment",
    "pip install": "the tests' own environment; its arguments are looked at in test_document_commands.py",
    "airflow db migrate": "the tests' own database",
    "airflow standalone": "a server that does not end",
}
"""The beginning of each line that is not run, and what stands in its place."""


class Reader:
    """Does what the tutorial says, and keeps how each command ended."""

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch
        self.statuses = {}
        self.scope = {}

    def follow(self, block):
        if block.title:
            Path(block.title).write_text(block.code)
        elif block.language == "python":
            exec(compile(block.code, block.name, "exec"), self.scope)  # our own document
        elif block.language == "bash":
            for line in commands(block):
                self.type(line)

    def type(self, line):
        if any(line.startswith(known) for known in DONE_ALREADY):
            return
        words = shlex.split(line.replace("$PWD", str(Path.cwd())), comments=True)
        match words:
            case ["mkdir", "-p", folder]:
                Path(folder).mkdir(parents=True)
            case ["cd", folder]:
                self.monkeypatch.chdir(folder)
            case ["export", setting]:
                self.monkeypatch.setenv(*setting.split("=", 1))
            case ["python", script]:
                runpy.run_path(script)
            case ["airflow", "batch-inference", *rest]:
                self.statuses[line] = ended(lambda: main(rest))
            case ["airflow", *rest]:
                self.statuses[line] = ended(lambda: through_airflow(rest))
            case _:
                pytest.fail(f"The tutorial has a command that its test cannot follow: {line}")


def ended(command):
    try:
        command()
    except SystemExit as status:
        return status.code or 0
    return 0


def through_airflow(arguments):
    from airflow.cli import cli_parser

    # Airflow reads where DAGs lie once a process: a bundle says it to this one again.
    bundle = {
        "name": "tutorial",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": os.environ["AIRFLOW__CORE__DAGS_FOLDER"]},
    }
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps([bundle])
    try:
        parsed = cli_parser.get_parser().parse_args(arguments)
        parsed.func(parsed)
    finally:
        del os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"]


def test_a_new_user_gets_from_a_model_to_a_drift_report(load_dags, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT", str(tmp_path / "artifacts"))
    # A model is loaded in a child process first: seconds each time, and tests/models/test_loading.py tells of it.
    monkeypatch.setattr("airflow_batch_inference.models.loading.load_in_subprocess", lambda *_, **__: None)
    reader = Reader(monkeypatch)
    for block in blocks_of("docs/tutorial.md"):
        reader.follow(block)
    inspected, tried, friday, saturday = reader.statuses.values()
    assert (inspected, tried, friday) == (0, 0, 0)
    assert saturday, "the gate has failed the run"
    assert "ready     nothing was written\n" in capsys.readouterr().out
    assert len(pd.read_parquet("scores/saturday.parquet")) == 5_000
    result = reader.scope["result"]
    assert [column.name for column in result.columns if column.status == "DRIFT_DETECTED"] == ["spend", "churn_score"]
    reports = list((tmp_path / "artifacts").rglob("drift_table_plot-*.html"))
    assert len(reports) == 2
    assert any("Drift detected" in report.read_text() for report in reports)
