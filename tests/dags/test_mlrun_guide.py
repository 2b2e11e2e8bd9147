"""The worked example of docs/coming-from-mlrun.md, run as it stands there, in a folder of the test's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

pytestmark = [pytest.mark.dags, pytest.mark.slow]

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "coming-from-mlrun.md"


@pytest.fixture
def blocks(tmp_path):
    """The guide's Python blocks: the data, the DAG, and what is read afterwards."""
    text = GUIDE.read_text().replace("/data/churn", str(tmp_path / "churn"))
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_example_runs_and_gives_mlruns_numbers(blocks, load_dags, tmp_path, monkeypatch):
    prepare, dag, afterwards = blocks
    exec(compile(prepare, "prepare", "exec"), {})
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "churn.py").write_text(dag)
    bundle = {
        "name": "churn",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(tmp_path / "dags")},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    run = load_dags(tmp_path / "dags").dags["churn"].test()
    assert str(run.state) == "success"
    published = pd.read_parquet(tmp_path / "churn" / "prediction.parquet")
    assert list(published.columns) == ["age", "income", "label"]
    scope = {}
    exec(compile(afterwards, "afterwards", "exec"), scope)
    result = scope["result"]
    assert (scope["status"], result.rule) == ("NO_DRIFT", "mlrun")
    drifts = [column.metrics for column in result.columns]
    assert scope["metric"] == pytest.approx(
        sum(each["mlrun_tvd"] + each["mlrun_hellinger"] for each in drifts) / 2 / len(drifts)
    )
    assert result.parameters["drift_threshold"] == 0.7


def test_every_parameter_of_mlruns_function_has_a_row():
    rows = [line for line in GUIDE.read_text().splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    expected = {
        *("model", "dataset", "drop_columns", "label_columns", "feature_columns", "log_result_set"),
        *("result_set_name", "batch_id", "perform_drift_analysis", "sample_set", "drift_threshold"),
        *("possible_drift_threshold", "inf_capping", "artifacts_tag", "predict_kwargs"),
    }
    assert expected <= named


def test_the_defaults_that_the_table_tells_are_the_operators():
    from airflow_batch_inference.drift.rules.effect import EffectRule
    from airflow_batch_inference.drift.rules.mlrun import MlrunRule
    from airflow_batch_inference.operators import DriftAnalysisOperator, PredictOperator
    from airflow_batch_inference.operators import MlrunRule as MlrunArguments

    drift = DriftAnalysisOperator(task_id="d", dataset="/d")
    predict = PredictOperator(task_id="p", model="/m", dataset="/d")
    assert (drift.rule, drift.drift_threshold, drift.possible_drift_threshold) == ("effect", None, None)
    for rule in (MlrunArguments(), MlrunRule()):
        assert (rule.inf_capping, rule.edges, rule.min_rows) == (10.0, "padded", 30)
    assert (predict.log_result_set, predict.result_set_name, predict.batch_id) == (True, "prediction", None)
    assert (MlrunRule().thresholds(), EffectRule().thresholds()) == ((0.5, 0.7), (0.1, 0.2))
