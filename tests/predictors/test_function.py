"""A plain function in the place of a model."""

from __future__ import annotations

import datetime as dt
import os
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.exceptions import ConfigurationError, RowAlignmentError
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.predictors.function import FunctionModel, frame, function_record, pickled, predictions
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.workflows.score import score_dataset

LOCK = threading.Lock()


@pytest.fixture
def score(bench):
    """``score(function, columns, …)``: the commit's record and its output."""

    def score(function, columns, *, form="pandas", resources=None, function_kwargs=None, **arguments):
        model = FunctionModel(function=function, form=form, kwargs=function_kwargs or {})
        dataset = columns if isinstance(columns, str) else bench.write("in.parquet", columns)
        record = function_record(model, where="nightly.risk")
        models = single_model(record, model=model, function=pickled(model))
        request = bench.request(dataset, models=models, **arguments)
        _, record = score_dataset(request, storage=bench.storage, resources=resources)
        return record, bench.output(record)

    return score


def test_the_types_of_a_frame_do_not_depend_on_the_rows_in_it():
    whole = pa.table({"i": [1, None], "f": [1.0, None], "b": [True, None], "t": ["x", None]})
    assert (frame(whole).dtypes == frame(whole.slice(0, 1)).dtypes).all()
    assert [str(kind) for kind in frame(whole).dtypes] == ["Int64", "float64", "boolean", "str"]


@pytest.mark.parametrize(
    ("returned", "column"),
    [
        (np.array([1.0, np.nan]), pa.array([1.0, np.nan])),
        (pd.Series([1.0, np.nan], index=[7, 7], name="amount"), pa.array([1.0, np.nan])),
        (pd.Series([1, None], dtype="Int64"), pa.array([1, None])),
        (pd.Series(["a", None]), pa.array(["a", None], pa.large_string())),
        (pd.Series(["a", "b"], dtype="category"), pa.array(["a", "b"], pa.large_string())),
        (
            pd.Series(pd.to_datetime(["2026-01-01", None], utc=True)),
            pa.array([dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
        ),
        (pa.chunked_array([[1], [None]]), pa.array([1, None])),
        (pa.array(["x", "x"]).dictionary_encode(), pa.array(["x", "x"])),
        ([True, False], pa.array([True, False])),
        ((1, 2), pa.array([1, 2])),
    ],
)
def test_one_prediction_a_row_may_come_in_any_of_these(returned, column):
    found = predictions(returned, "risk")
    made = found if isinstance(found, pa.Array) else pa.array(found)
    assert made.type == column.type
    assert str(made) == str(column)


@pytest.mark.parametrize("returned", [None, 0.5, "text", {1, 2}, iter([1])])
def test_what_cannot_be_predictions_is_named(returned):
    with pytest.raises(ConfigurationError, match=f"risk returned a {type(returned).__name__}; it must return one"):
        predictions(returned, "risk")


def test_a_function_gets_all_columns_and_its_predictions_stand_beside_them(score):
    record, output = score(
        lambda batch: batch["a"] * 2, {"a": [1, 2, None], "t": ["x", "y", "z"]}, policy=RowPolicy(error_threshold=1)
    )
    assert output.to_pydict() == {"a": [1, 2], "t": ["x", "y"], "predicted_label": [2, 4]}
    assert (record.rows_out, record.rows_rejected, record.model_flavor) == (2, 1, "function")
    assert record.model_uri == "function:nightly.risk"


def in_frames(batch):
    return pd.DataFrame({"double": batch["a"] * 2, "label": "x"}).set_axis(batch.index + 7)


def in_tables(batch):
    return pa.table({"double": pc.multiply(batch["a"], 2), "label": ["x"] * len(batch)})


def in_dicts(batch):
    return {"double": batch["a"] * 2, "label": ["x"] * len(batch)}


@pytest.mark.parametrize(("function", "form"), [(in_frames, "pandas"), (in_tables, "arrow"), (in_dicts, "pandas")])
def test_columns_that_it_returns_keep_their_names(score, function, form):
    _, output = score(function, {"a": [1.0, 2.0]}, form=form)
    assert output.to_pydict() == {"a": [1.0, 2.0], "double": [2.0, 4.0], "label": ["x", "x"]}


def test_a_column_alone_keeps_its_name_too(score):
    record, _ = score(lambda batch: pd.DataFrame({"risk": batch["a"]}), {"a": [1.0, 2.0]})
    assert record.label_columns == ("risk",)


def test_a_matrix_is_several_columns(score):
    _, output = score(lambda batch: np.column_stack([batch["a"], -batch["a"]]), {"a": [1.0]})
    assert output.column_names == ["a", "predicted_label_0", "predicted_label_1"]


def test_what_it_does_to_its_mini_batch_does_not_reach_the_output(score):
    def careless(batch):
        batch.loc[:, "a"] = 0.0
        batch["new"] = 1
        return batch["new"]

    _, output = score(careless, {"a": [1.0, 2.0]})
    assert output.to_pydict() == {"a": [1.0, 2.0], "predicted_label": [1, 1]}


def test_rows_that_it_leaves_out_are_an_error_whatever_is_allowed(score):
    with pytest.raises(RowAlignmentError, match="for 3 rows"):
        score(lambda batch: batch["a"][batch["a"] > 1], {"a": [1.0, 2.0, 3.0]}, policy=RowPolicy(error_threshold=-1))


def test_predictions_that_depend_on_the_other_rows_are_noticed(score):
    with pytest.raises(RowAlignmentError, match="it depends on the rows around it"):
        score(lambda batch: batch["a"] / batch["a"].mean(), {"a": [1.0, 2.0, 3.0]}, alignment_check_rows=4)


def test_a_row_that_it_raises_on_is_set_aside(score):
    def strict(batch):
        if (batch["a"] < 0).any():
            raise ValueError("negative")
        return batch["a"]

    record, output = score(strict, {"a": [1.0, -1.0, 3.0]}, policy=RowPolicy(error_threshold=1))
    assert output["predicted_label"].to_pylist() == [1.0, 3.0]
    assert record.rows_rejected == 1


def helper(values, factor):
    return values * factor + OFFSET


OFFSET = 10


def test_a_worker_process_gets_it_by_value_with_what_it_needs_of_its_file(score, bench):
    def risk(batch, factor):
        return pd.DataFrame({"risk": helper(batch["a"], factor), "pid": os.getpid()})

    columns = {"a": np.arange(100.0)}
    resources = Resources(isolate=True)
    _, output = score(risk, columns, resources=resources, function_kwargs={"factor": 3})
    assert output["risk"].to_pylist() == [3 * value + 10 for value in range(100)]
    assert os.getpid() not in output["pid"].to_pylist()


def test_what_cannot_be_handed_over_stays_in_its_process_and_the_log_says_why(caplog):
    def locked(batch):
        with LOCK:
            return batch["a"]

    with caplog.at_level("INFO"):
        assert pickled(FunctionModel(function=locked, form="pandas")) is None
    assert "locked scores in this process alone" in caplog.text


def test_the_same_function_again_is_the_same_job_and_another_argument_is_another(score, bench):
    def risk(batch, factor):
        return batch["a"] * factor

    first, _ = score(risk, {"a": [1.0]}, function_kwargs={"factor": 2})
    again, _ = score(risk, str(bench.folder / "in.parquet"), function_kwargs={"factor": 2}, attempt="2")
    _, output = score(risk, str(bench.folder / "in.parquet"), function_kwargs={"factor": 3}, attempt="3")
    assert again.job_key == first.job_key
    assert bench.visible() == ["0000000001.json", "0000000002.json"]
    assert output["predicted_label"].to_pylist() == [3.0]


def test_the_versions_of_what_hands_the_rows_over_are_in_the_record(score):
    record, _ = score(lambda batch: batch["a"], {"a": [1.0]})
    assert {"python", "pandas", "numpy", "pyarrow"} <= set(record.versions)
    record, _ = score(lambda batch: batch["a"], {"a": [1.0, 2.0]}, form="arrow")
    assert "pandas" not in record.versions


def test_what_a_function_raises_is_told_with_its_own_line(score):
    def risk(frame):
        return frame["nothing"]

    line = risk.__code__.co_firstlineno + 1
    words = rf"The function risk \(test_function.py, line {line}\) failed on .*KeyError: 'nothing'"
    with pytest.raises(Exception, match=words):
        score(risk, {"a": [1.0, 2.0]})
