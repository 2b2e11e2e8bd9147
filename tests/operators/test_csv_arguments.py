"""csv_options on each operator that takes a dataset; a CSV without a header is never scored but for its first row."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import task
from sklearn.linear_model import LogisticRegression

import airflow_batch_inference as abi
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    EvaluateModelOperator,
    LoadModelOperator,
    PredictOperator,
    PreflightOperator,
    ScoringScriptOperator,
    ScriptSettings,
)
from airflow_batch_inference.storage.store import Storage

if TYPE_CHECKING:
    import pyarrow as pa

STORE = Storage()
ROWS = np.arange(120).reshape(40, 3)
GERMAN = {"separator": ";", "decimal": ",", "encoding": "cp1252"}


@pytest.fixture(scope="module")
def positional_text():
    target = (ROWS[:, 0] % 2).astype(int)
    parameters = {"objective": "binary", "num_leaves": 4, "min_data_in_leaf": 2, "verbose": -1, "num_threads": 1}
    return lightgbm.train(parameters, lightgbm.Dataset(ROWS.astype(float), target), num_boost_round=4).model_to_string()


@pytest.fixture
def positional(tmp_path, positional_text):
    path = tmp_path / "positional.txt"
    path.write_text(positional_text)
    return {"model_uri": str(path), "sha256": hashlib.sha256(positional_text.encode()).hexdigest()}


@pytest.fixture
def headless(tmp_path):
    """A folder of Spark's, with ``header=False``."""
    folder = tmp_path / "headless"
    folder.mkdir()
    for part, rows in enumerate(np.split(ROWS, 2)):
        pd.DataFrame(rows).to_csv(folder / f"part-0000{part}.csv", header=False, index=False)
    (folder / "_SUCCESS").touch()
    return str(folder)


def scored(uri):
    record = STORE.read_record(uri)
    return pd.concat([pq.read_table(part.uri.removeprefix("file://")).to_pandas() for part in record.parts])


def test_a_headless_csv_is_refused_for_a_model_without_names_and_scored_whole_with_the_option(
    runner, positional, headless, positional_text
):
    model = runner(LoadModelOperator(task_id="load", **positional))
    with pytest.raises(AirflowFailException, match=r"looks like data, not like names: 0, 1, 2\."):
        runner(PredictOperator(task_id="predict", model=model, dataset=headless))
    expected = lightgbm.Booster(model_str=positional_text).predict(ROWS.astype(float))
    for options in ({"header": False}, {"names": ["x", "y", "z"]}, '{"header": "false"}'):
        uri = runner(PredictOperator(task_id="predict", model=model, dataset=headless, csv_options=options))
        found = scored(uri)
        assert len(found) == 40
        np.testing.assert_array_equal(found["predicted_label"], expected)


@pytest.mark.parametrize("argument", ["sample_set", "golden_set"])
def test_sample_and_golden_sets_without_a_header_are_refused_and_read_with_the_option(
    runner, positional, headless, argument
):
    given = {**positional, argument: headless}
    with pytest.raises(AirflowFailException, match="looks like data"):
        runner(LoadModelOperator(task_id="load", **given))
    record = STORE.read_record(runner(LoadModelOperator(task_id="load", csv_options={"header": False}, **given)))
    uri = record.baseline_uri or record.golden_uri
    assert STORE.read_record(uri).rows == 40


def test_drift_of_files_without_a_header(runner, headless):
    asked = {"task_id": "drift", "dataset": headless, "sample_set": headless}
    with pytest.raises(AirflowFailException, match="looks like data"):
        runner(DriftAnalysisOperator(**asked))
    result = STORE.read_record(runner(DriftAnalysisOperator(csv_options={"header": False}, **asked)))
    assert (result.current_rows, len(result.columns)) == (40, 3)


@pytest.fixture
def named(tmp_path):
    frame = pd.DataFrame({"größe": np.arange(40) / 4, "b": np.arange(40) % 3})
    estimator = LogisticRegression().fit(frame, np.arange(40) < 20)
    joblib.dump(estimator, tmp_path / "m.joblib")
    frame.assign(label=np.arange(40) < 20).to_csv(
        tmp_path / "german.csv", sep=";", decimal=",", encoding="cp1252", index=False
    )
    digest = hashlib.sha256((tmp_path / "m.joblib").read_bytes()).hexdigest()
    return estimator, frame, {"model_uri": str(tmp_path / "m.joblib"), "sha256": digest}, str(tmp_path / "german.csv")


def test_every_operator_takes_the_options_and_renders_them(runner, named):
    estimator, frame, given, path = named
    runner.params = {"mark": ";"}
    options = {**GERMAN, "separator": "{{ params.mark }}"}
    load = LoadModelOperator(task_id="load", sample_set=path, golden_set=path, csv_options=options, **given)
    model = runner(load)
    assert [spec.type for spec in STORE.read_record(model).inputs] == ["double", "int64"]
    uri = runner(PredictOperator(task_id="predict", model=model, dataset=path, csv_options=dict(options)))
    assert scored(uri)["predicted_label"].tolist() == estimator.predict(frame).tolist()
    drift = runner(DriftAnalysisOperator(task_id="drift", dataset=path, model=model, csv_options=dict(options)))
    assert STORE.read_record(drift).status == "NO_DRIFT"
    evaluation = EvaluateModelOperator(
        task_id="evaluate", model=model, dataset=path, label_columns="label", csv_options=dict(options)
    )
    assert STORE.read_record(runner(evaluation)).metrics["accuracy"] == estimator.score(frame, np.arange(40) < 20)
    preflight = PreflightOperator(task_id="preflight", model=model, dataset=path, csv_options=dict(options))
    assert runner(preflight) is None
    assert runner.xcoms["preflight"]["rows"] == 40


@pytest.mark.parametrize("operator", [PredictOperator, DriftAnalysisOperator])
def test_a_word_that_is_not_known_is_refused_with_the_one_that_is_meant(runner, model_file, batch, operator):
    asked = {"task_id": "t", "model": str(model_file), "dataset": str(batch)}
    with pytest.raises(ConfigurationError, match=r"csv_options has the key 'sep', .*did you mean 'separator'"):
        operator(csv_options={"sep": ";"}, **asked)
    runner.params = {"options": {"sep": ";"}}
    with pytest.raises(AirflowFailException, match=r"csv_options has the key 'sep', .*did you mean 'separator'"):
        runner(operator(csv_options="{{ params.options }}", **asked))


def test_a_function_gets_rows_that_are_read_with_them(runner, named):
    def size(batch: pa.Table):
        return {"twice": [2 * value for value in batch.column("größe").to_pylist()]}

    size.__annotations__["batch"] = "pa.Table"
    uri = runner(task.score(dataset=named[3], csv_options=GERMAN)(size)().operator)
    assert scored(uri)["twice"].tolist() == (2 * named[1]["größe"]).tolist()


def test_a_model_that_scores_file_by_file_reads_them_so(runner, named):
    estimator, frame, given, path = named
    model = runner(LoadModelOperator(task_id="load", **given))
    options = ScoringScriptOperator(
        task_id="predict",
        model=model,
        dataset=path,
        csv_options=GERMAN,
        settings=ScriptSettings(output_file_name="x.csv"),
    )
    record = STORE.read_record(runner(options))
    found = pd.read_csv(record.parts[0].uri.removeprefix("file://"))
    assert found["prediction"].tolist() == estimator.predict(frame).tolist()


def test_a_scoring_script_reads_its_files_itself(runner, tmp_path):
    (tmp_path / "score.py").write_text("def init(): pass\ndef run(batch): return batch\n")
    script = str(tmp_path / "score.py")
    with pytest.raises(ConfigurationError, match="csv_options cannot be given here"):
        ScoringScriptOperator(task_id="t", dataset=str(tmp_path), scoring_script=script, csv_options={"separator": ";"})


def test_a_request_from_a_file_is_read_with_them(named):
    estimator, frame, given, path = named
    found = abi.infer_from_file(given["model_uri"], path, csv_options=GERMAN, sha256=given["sha256"])
    assert found["out.predicted_label"].tolist() == estimator.predict(frame).tolist()


def test_the_options_are_part_of_the_record_and_not_there_where_there_is_no_text(runner, named, batch, model_file):
    _, _, given, path = named
    model = runner(LoadModelOperator(task_id="load", **given))
    uri = runner(PredictOperator(task_id="predict", model=model, dataset=path, csv_options=GERMAN))
    reading = json.loads(STORE.read_bytes(uri))["reading"]
    assert reading["csv"]["separator"] == ";"
    assert {"name": "größe", "type": "double"} in reading["types"]
    parquet = runner(PredictOperator(task_id="other", model=str(model_file), dataset=str(batch)))
    assert STORE.read_record(parquet).reading is None
