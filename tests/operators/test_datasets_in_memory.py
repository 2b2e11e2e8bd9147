"""Arrays, data frames and Arrow tables as datasets of the operators: in the DAG file, and by XCom."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG
from airflow.sdk.serde import deserialize, serialize
from airflow.serialization.serialized_objects import DagSerialization
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import airflow_batch_inference as abi
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    EvaluateModelOperator,
    LoadModelOperator,
    PredictOperator,
    RowPolicy,
)
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
FORMS = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "table": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "batch": lambda frame: pa.RecordBatch.from_pandas(frame, preserve_index=False),
    "structured": lambda frame: frame.to_records(index=False),
    "array": lambda frame: frame.to_numpy(),
    "rows of arrays": lambda frame: list(frame.to_numpy()),
    "columns": lambda frame: {name: frame[name].to_numpy() for name in frame},
    "series": lambda frame: dict(frame.items()),
}


@pytest.fixture
def load(runner, tmp_path):
    def run(estimator, **arguments):
        path = tmp_path / "model.joblib"
        joblib.dump(estimator, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return runner(LoadModelOperator(task_id="load", model_uri=str(path), sha256=digest, **arguments))

    return run


@pytest.fixture
def score(runner):
    def run(model, dataset, **arguments):
        record = STORE.read_record(runner(PredictOperator(task_id="p", model=model, dataset=dataset, **arguments)))
        return record, open_dataset([part.uri for part in record.parts], STORE).whole().to_pandas()

    run.runner = runner
    return run


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_scored_as_the_model_scores_the_frame(load, score, rng_frame, form):
    estimator = LinearRegression().fit(rng_frame, rng_frame["a"] - 2 * rng_frame["b"])
    record, found = score(load(estimator), FORMS[form](rng_frame))
    np.testing.assert_array_equal(found["predicted_label"], estimator.predict(rng_frame))
    assert found[["a", "b"]].equals(rng_frame)
    assert record.rows_in == len(rng_frame)
    assert record.dataset_uris == ()


def test_an_index_a_category_and_a_null_change_nothing(load, score):
    frame = pd.DataFrame({"kind": ["u", "v", None, "u"], "x": [1.0, 2.0, np.nan, 4.0]})
    estimator = make_pipeline(OrdinalEncoder(encoded_missing_value=-1), LinearRegression())
    fitted = frame.assign(x=frame["x"].fillna(0))
    estimator.fit(fitted, [1, 2, 3, 4])
    given = fitted.assign(kind=fitted["kind"].astype("category")).set_index(pd.Index([4, 3, 2, 1]))
    _, found = score(load(estimator), given)
    np.testing.assert_array_equal(found["predicted_label"], estimator.predict(fitted))


def test_the_columns_of_an_array_take_the_model_s_names_and_may_be_dropped_by_position(load, score, rng_frame):
    estimator = LinearRegression().fit(rng_frame, rng_frame["a"])
    array = np.column_stack([rng_frame["a"], np.arange(len(rng_frame)), rng_frame["b"]])
    _, found = score(load(estimator), array, drop_columns=[1])
    assert list(found) == ["a", "b", "predicted_label"]
    np.testing.assert_array_equal(found["predicted_label"], estimator.predict(rng_frame))


def test_a_model_without_names_takes_numbers(load, score, rng_frame):
    estimator = LinearRegression().fit(rng_frame.to_numpy(), rng_frame["a"])
    for dataset in (rng_frame.to_numpy(), rng_frame.to_numpy().tolist(), pd.DataFrame(rng_frame.to_numpy())):
        _, found = score(load(estimator), dataset)
        assert list(found) == ["0", "1", "predicted_label"]
        np.testing.assert_array_equal(found["predicted_label"], estimator.predict(rng_frame.to_numpy()))


def test_a_frame_that_names_other_columns_is_refused_and_never_taken_by_position(load, score, rng_frame):
    estimator = LinearRegression().fit(rng_frame, rng_frame["a"])
    with pytest.raises(AirflowFailException, match="'a'"):
        score(load(estimator), rng_frame.rename(columns={"a": "c"}))


def test_a_bad_row_is_set_aside_with_its_place_in_the_frame(load, score, rng_frame):
    estimator = LinearRegression().fit(rng_frame, rng_frame["a"])
    frame = rng_frame.astype(object)
    frame.iloc[7, 0] = "seven"
    with pytest.raises(AirflowFailException, match="row 0 holds a float, row 7 holds 'seven'"):
        score(load(estimator), frame)
    text = rng_frame.astype(str)
    text.iloc[7, 0] = "seven"
    record, found = score(load(estimator), text, rows=RowPolicy(error_threshold=1))
    assert len(found) == len(rng_frame) - 1
    rejected = open_dataset(record.quarantine[0].uri, STORE).whole().to_pylist()
    assert [(row["_file"], row["_row"]) for row in rejected] == [("the inline dataset", 7)]


def test_a_frame_that_was_pulled_by_xcom_is_scored(load, score, rng_frame):
    pulled = deserialize(json.loads(json.dumps(serialize(rng_frame))))
    estimator = LinearRegression().fit(rng_frame, rng_frame["a"])
    first, found = score(load(estimator), pulled)
    np.testing.assert_array_equal(found["predicted_label"], estimator.predict(rng_frame))
    again, _ = score(load(estimator), rng_frame)
    assert first.job_key == again.job_key
    other, _ = score(load(estimator), rng_frame.assign(b=rng_frame["b"] + 1e-9))
    assert other.job_key != first.job_key


@pytest.mark.parametrize("form", ["pandas", "polars", "table", "structured"])
def test_a_sample_set_a_golden_set_and_a_drift_analysis_take_frames(runner, load, rng_frame, form):
    make = FORMS[form]
    estimator = LinearRegression().fit(rng_frame, rng_frame["a"])
    model = load(estimator, sample_set=make(rng_frame), golden_set=make(rng_frame.head(20)))
    for shift, status in ((0, "NO_DRIFT"), (40, "DRIFT_DETECTED")):
        moved = make(rng_frame.assign(a=rng_frame["a"] + shift))
        by_model = DriftAnalysisOperator(task_id="drift", dataset=moved, model=model)
        by_sample = DriftAnalysisOperator(task_id="drift", dataset=moved, sample_set=make(rng_frame))
        for operator in (by_model, by_sample):
            assert STORE.read_record(runner(operator)).status == status


def test_a_labelled_frame_is_evaluated(runner, load, rng_frame):
    labels = (rng_frame["a"] > 0).astype(int)
    estimator = LogisticRegression().fit(rng_frame, labels)
    evaluate = EvaluateModelOperator(
        task_id="evaluate", model=load(estimator), dataset=rng_frame.assign(y=labels), label_columns="y"
    )
    record = STORE.read_record(runner(evaluate))
    assert record.metrics["accuracy"] == estimator.score(rng_frame, labels)


def operators_with(given):
    return [
        lambda: PredictOperator(task_id="predict", model="/data/m.txt", dataset=given),
        lambda: EvaluateModelOperator(task_id="evaluate", model="/data/m.txt", dataset=given, label_columns="y"),
        lambda: DriftAnalysisOperator(task_id="drift", dataset=given),
        lambda: DriftAnalysisOperator(task_id="drift", dataset="/data/d.csv", sample_set=given),
        lambda: LoadModelOperator(task_id="load", model_uri="/data/m.txt", sample_set=given),
        lambda: LoadModelOperator(task_id="load", model_uri="/data/m.txt", golden_set=given),
    ]


@pytest.mark.parametrize("form", ["pandas", "polars", "table", "batch", "array", "structured"])
def test_what_is_too_large_is_refused_while_the_dag_is_read(rng_frame, form):
    for make in operators_with(FORMS[form](pd.concat([rng_frame] * 26))):
        with pytest.raises(ConfigurationError, match=r"has 10400 rows; the limit is 10000.*Parquet file"):
            make()


@pytest.mark.parametrize("given", [pd.Series([1]), pl.Series([1]), pl.LazyFrame({"a": [1]})])
def test_what_is_nearly_a_frame_is_refused_there_too(given):
    for make in operators_with(given):
        with pytest.raises(ConfigurationError, match=r"which is no data frame.*(to_frame|collect)\(\)"):
            make()


def test_what_comes_by_xcom_is_refused_when_it_is_there(load, score, rng_frame):
    operator = PredictOperator(task_id="p", model="/data/m.txt", dataset="{{ ti.xcom_pull('frame') }}")
    operator.dataset = pd.concat([rng_frame] * 26)
    operator.model = load(LinearRegression().fit(rng_frame, rng_frame["a"]))
    with pytest.raises(AirflowFailException, match=r"has 10400 rows; the limit is 10000"):
        score.runner(operator)


@pytest.mark.parametrize("form", ["pandas", "polars", "table", "batch", "structured", "array", "columns"])
def test_a_dag_with_a_frame_in_it_is_read_and_is_the_same_at_each_reading(rng_frame, form):
    def serialized():
        given = FORMS[form](rng_frame.copy())
        with DAG("nightly", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
            load = LoadModelOperator(task_id="load", model_uri="/data/m.txt", sample_set=given, golden_set=given)
            PredictOperator(task_id="predict", model=load.output, dataset=given)
            DriftAnalysisOperator(task_id="drift", dataset=given, sample_set=given)
        return DagSerialization.to_dict(dag)

    first = serialized()
    assert json.dumps(first, sort_keys=True) == json.dumps(serialized(), sort_keys=True)
    assert DagSerialization.from_dict(first).task_ids == ["load", "predict", "drift"]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_df_json_is_read_as_infer_from_file_reads_it(runner, load, score, tmp_path, rng_frame, indent):
    path = tmp_path / "cc_data.df.json"
    rng_frame.to_json(path, orient="records", double_precision=15, indent=indent)
    estimator = LinearRegression().fit(rng_frame, rng_frame["a"])
    model = load(estimator, sample_set=str(path))
    expected = abi.infer_from_file(model, path)
    record, found = score(model, str(path))
    np.testing.assert_array_equal(found["predicted_label"], expected["out.predicted_label"])
    np.testing.assert_array_equal(found["a"], expected["in.a"])
    assert record.rows_out == len(rng_frame)
    drift = DriftAnalysisOperator(task_id="drift", dataset=str(path), model=model)
    assert STORE.read_record(runner(drift)).status == "NO_DRIFT"


def test_a_bad_row_of_a_list_is_named_and_may_be_set_aside(load, score, tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0]})
    path = tmp_path / "data.json"
    path.write_text(json.dumps([{"a": "1", "b": 1}, {"a": "two", "b": 0}, {"a": "3", "b": 1}]))
    model = load(LinearRegression().fit(frame, frame["a"]))
    with pytest.raises(AirflowFailException, match="two"):
        score(model, str(path))
    record, found = score(model, str(path), rows=RowPolicy(error_threshold=1))
    assert found["a"].astype(float).tolist() == [1.0, 3.0]
    assert open_dataset(record.quarantine[0].uri, STORE).whole()["_row"].to_pylist() == [1]
