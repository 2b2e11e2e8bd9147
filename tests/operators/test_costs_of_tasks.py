"""What a task may import, and how often it may ask the store: what each of them costs beside its work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_batch_inference.example_data import make_example_data

SUPPORT = Path(__file__).resolve().parents[1] / "support"
RUN = """
import json, sys
given = json.loads(sys.argv[1])
sys.path.insert(0, given["support"])
from airflow_runs import Results
from airflow_batch_inference import operators
from counted_store import Counted
operator = getattr(operators, given["operator"])(task_id=given["task_id"], **given["arguments"])
parsed, counted = [*sys.modules], Counted()
uri = Results(given["root"]).run(operator)
print(json.dumps({"uri": uri, "parsed": parsed, "run": [*sys.modules], "calls": counted.calls}))
"""
FRAMEWORKS = {"lightgbm", "sklearn", "scipy", "llvmlite"}
ARROW = {"numpy", "pyarrow"}
OURS = "airflow_batch_inference"
RECORDS = {f"{OURS}.records.{name}" for name in ("scoring", "profiles", "challengers", "drift", "evaluation")}
NOT_PARSED = {*FRAMEWORKS, *ARROW, *RECORDS, "pandas", "lark", "jinja2.ext", f"{OURS}.jobs", f"{OURS}.reports"}
NOT_RUN = {
    "load": {*FRAMEWORKS, "lark"},  # the model has a process of its own: nobody vouches for its file
    "predict": {*FRAMEWORKS, "lark", "pandas"},
    "drift": {*FRAMEWORKS - {"scipy"}, "scipy.stats", "lark", "pandas"},  # categories, and numbers that repeat, need it
    "log": {*FRAMEWORKS, *ARROW, "lark", "pandas", f"{OURS}.jobs", f"{OURS}.drift.analysis"},
    "gate": {*FRAMEWORKS, *ARROW, "lark", "pandas", f"{OURS}.jobs", f"{OURS}.sinks.files", f"{OURS}.records.scoring"},
}
MOST_CALLS = {"load": 15, "predict": 18, "drift": 10, "log": 19, "gate": 1}


def run(root, operator, task_id, **arguments):
    """Run a task in a process of its own."""
    given = {"support": str(SUPPORT), "root": str(root), "operator": operator, "task_id": task_id}
    command = [sys.executable, "-c", RUN, json.dumps(given | {"arguments": arguments})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """Run the pipeline, and return what each task told."""
    folder = tmp_path_factory.mktemp("costs")
    data, root = make_example_data(str(folder / "data")), folder / "artifacts"
    found = {}
    found["load"] = run(
        root,
        "LoadModelOperator",
        "load",
        model_uri=data["model_uri"],
        sample_set=data["sample_set"],
        label_columns=["malignant"],
    )
    model = found["load"]["uri"]
    found["predict"] = run(root, "PredictOperator", "predict", model=model, dataset=data["ordinary"])
    predicted = found["predict"]["uri"]
    found["drift"] = run(root, "DriftAnalysisOperator", "drift", model=model, dataset=predicted)
    drift = found["drift"]["uri"]
    found["log"] = run(
        root,
        "LogArtifactsOperator",
        "log",
        artifacts=[model, predicted, drift],
        publish_to=str(folder / "published.parquet"),
    )
    found["gate"] = run(root, "DriftGateOperator", "gate", drift=drift, on_drift="alert")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("task", MOST_CALLS)
def test_making_an_operator_imports_neither_records_nor_what_works_with_rows(tasks, task):
    assert sorted(NOT_PARSED & set(tasks[task]["parsed"])) == (
        ["airflow_batch_inference.records.drift"] if task == "drift" else []
    )


@pytest.mark.slow
@pytest.mark.parametrize("task", MOST_CALLS)
def test_a_task_imports_nothing_that_it_does_not_need(tasks, task):
    assert sorted(NOT_RUN[task] & set(tasks[task]["run"])) == []


@pytest.mark.slow
@pytest.mark.parametrize("task", MOST_CALLS)
def test_a_task_asks_the_store_no_more_often_than_it_must(tasks, task):
    calls = tasks[task]["calls"]
    assert len(calls) <= MOST_CALLS[task], "\n".join(map(str, calls))


@pytest.mark.slow
def test_registering_for_the_first_time_lists_no_earlier_runs(tasks):
    assert not [uri for name, uri in tasks["log"]["calls"] if name == "tree" and "/catalog/" in uri]
