"""The code in the documents on inference runs as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import lightgbm
import pandas as pd
import pytest

from airflow_batch_inference.storage.store import Storage

DOCS = Path(__file__).parents[2] / "docs"


def blocks(name):
    return re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)


@pytest.fixture
def namespace(tmp_path, monkeypatch):
    """What the documents take for granted: a model file, a frame, and the same as a file."""
    monkeypatch.chdir(tmp_path)
    customers = pd.DataFrame({"age": [31, 45, 62, 23] * 20, "visits": [4.0, 1.0, 0.0, 9.0] * 20})
    parameters = {"objective": "binary", "verbose": -1, "num_leaves": 4, "min_data_in_leaf": 1}
    churned = customers["visits"] < 2
    lightgbm.train(parameters, lightgbm.Dataset(customers, churned), num_boost_round=5).save_model("churn.txt")
    customers.to_parquet("customers.parquet")
    return {"customers": customers}


@pytest.mark.parametrize("name", ["inference.md", "coming-from-wallaroo.md"])
def test_the_code_runs(namespace, name):
    found = blocks(name)
    assert len(found) >= 2
    for code in found:
        exec(compile(code, name, "exec"), namespace)  # our own documents


def test_the_dag_of_the_guide_writes_wallaroos_columns(namespace, runner, tmp_path):
    code = blocks("coming-from-wallaroo.md")[-1].replace("/data/", f"{tmp_path}/")
    exec(code, namespace)  # our own documents
    load, predict = namespace["load"], namespace["predict"]
    runner.logical_date = predict.dag.start_date
    predict.model = runner(load)
    record = Storage().read_record(runner(predict))
    found = pd.read_parquet(record.parts[0].uri.removeprefix("file://"))
    assert list(found) == [
        "time", "in.age", "in.visits", "out.predicted_label", "check_failures", "metadata.pipeline_version",
    ]  # fmt: skip
    assert {result.name: result.action for result in record.checks} == {"likely": "alert", "age": "fail"}
