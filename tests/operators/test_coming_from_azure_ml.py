"""The guide for who comes from Azure ML: its example runs, and its table names arguments that there are."""

from __future__ import annotations

import re
import runpy
from dataclasses import fields
from pathlib import Path

import pytest

from airflow_batch_inference.compat.azureml.deployment import _SETTINGS
from airflow_batch_inference.operators import ErrorLimits, ScoringScriptOperator, ScriptEnvironment, ScriptSettings

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "coming-from-azure-ml.md").read_text()
BLOCKS = dict(re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", GUIDE, re.DOTALL))


@pytest.fixture
def example(tmp_path):
    """The guide's files, its model and two texts."""
    for name, block in BLOCKS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block)
    model = tmp_path / "models" / "keywords" / "model"
    model.mkdir(parents=True)
    (model / "keywords.json").write_text('["late", "lost"]')
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "000.txt").write_text("My bag is LATE.")
    (tmp_path / "texts" / "001.txt").write_text("Lost, and now late.")
    return tmp_path


def test_the_example_runs_from_the_deployments_file_to_the_published_one(runner, example):
    dag = runpy.run_path(str(example / "keyword_hits.py"))["dag"]
    predict, log = dag.get_task("predict"), dag.get_task("log")
    log.artifacts = [runner(predict)]
    runner(log)
    published = (example / "published" / "hits.csv").read_text()
    (told,) = re.findall(r"```\n(file,.*?)```", GUIDE, re.DOTALL)
    assert published == told
    assert runner.xcoms["predict"]["items"] == 2


def test_the_other_blocks_can_be_executed(example):
    mapped = runpy.run_path(str(example / "mapped.py"))["predict"]
    assert mapped.operator_class is ScoringScriptOperator


def test_every_setting_of_a_deployment_and_every_argument_of_scripts_is_in_the_tables():
    rows = "".join(line for line in GUIDE.splitlines() if line.startswith("|"))
    for key in _SETTINGS:
        assert f"`{key}`" in rows
    groups = (ScriptSettings, ErrorLimits, ScriptEnvironment)
    known = {each.name: each.default for kind in groups for each in fields(kind)}
    table = (DOCS / "scripts.md").read_text().split("## Settings", 1)[1].split("\n## ", 1)[0]
    named = re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.MULTILINE)
    assert {name for name, _ in named} >= {*known, "scoring_script", "code", "program_arguments"}
    for name, default in named:
        if name in known:
            assert default.strip("`") in (str(known[name]), "none", "the worker's")
