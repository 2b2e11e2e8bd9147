"""One request at a time: models, forms, bad rows, types, and the lazy names of the package."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import pickle
import subprocess
import sys
import uuid

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import airflow_batch_inference as abi
from airflow_batch_inference.exceptions import (
    ConfigurationError,
    DataError,
    PredictionError,
    SignatureMismatchError,
    TooManyRejectedRowsError,
    UntrustedModelError,
)
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.register_model import register_model


def test_the_public_names_are_lazy():
    code = (
        "import sys, airflow_batch_inference as abi\n"
        "heavy = {'numpy', 'pandas', 'pyarrow', 'sklearn', 'lightgbm', 'lark', 'airflow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert set(abi.__all__) <= set(dir(abi))\n"
        "abi.Pipeline, abi.infer, abi.infer_from_file, abi.parallel_infer, abi.infer_stream\n"
        "assert 'pandas' in sys.modules and 'airflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'inferr'"):
        abi.inferr  # noqa: B018  # reading it is the test


# Models


def test_a_model_file_is_loaded_once_and_named(tmp_path, tree, frame):
    path = tmp_path / "trees.pkl"
    path.write_bytes(pickle.dumps(tree))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    pipeline = abi.Pipeline(path, sha256=digest)
    found = pipeline.infer(frame, dataset=["out", "metadata"])
    assert found["out.predicted_label"].tolist() == tree.predict(frame).tolist()
    assert found["metadata.last_model"].iloc[0] == {"model_name": "trees", "model_sha": digest}
    version = uuid.UUID(found["metadata.pipeline_version"].iloc[0])
    assert version.version == 5
    again = abi.Pipeline(path, sha256=digest)
    other = abi.Pipeline(path, sha256=digest, checks={"x": "in.a < 0"})
    assert again.version == pipeline.version != other.version


def test_a_file_that_can_run_code_needs_its_pin(tmp_path, tree, frame):
    path = tmp_path / "trees.pkl"
    path.write_bytes(pickle.dumps(tree))
    with pytest.raises(UntrustedModelError):
        abi.infer(str(path), frame)


def test_a_model_record_says_all_of_the_model(tmp_path, tree, frame):
    path = tmp_path / "trees.pkl"
    path.write_bytes(pickle.dumps(tree))
    from airflow_batch_inference.models.trust import TrustRequest

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    request = ModelRequest(model_uri=str(path), trust=TrustRequest(sha256=digest), label_columns=("price",))
    uri, _ = register_model(request, root=str(tmp_path / "store"), storage=Storage(), model_storage=Storage())
    assert "out.price" in abi.infer(uri, frame)
    with pytest.raises(ConfigurationError, match="a record, which says them itself"):
        abi.infer(uri, frame, sha256=digest)


def test_models_in_memory(tree, frame):
    booster = lightgbm.train(
        {"verbose": -1, "num_leaves": 4, "min_data_in_leaf": 1}, lightgbm.Dataset(frame, frame["a"]), num_boost_round=2
    )
    assert abi.infer(booster, frame)["out.predicted_label"].tolist() == booster.predict(frame).tolist()
    reordered = frame[["b", "a"]]
    assert abi.infer(booster, reordered)["out.predicted_label"].tolist() == booster.predict(frame).tolist()
    assert abi.infer(tree, reordered)["out.predicted_label"].tolist() == tree.predict(frame).tolist()
    with pytest.raises(TypeError, match="not a int"):
        abi.Pipeline(7)
    with pytest.raises(ConfigurationError, match="a model in memory"):
        abi.Pipeline(tree, flavor="sklearn")


def test_options_of_a_pipeline_are_given_when_it_is_made(tree, frame):
    pipeline = abi.Pipeline(tree)
    assert abi.infer(pipeline, frame).shape == (3, 5)
    with pytest.raises(ConfigurationError, match="checks belong to a Pipeline"):
        abi.infer(pipeline, frame, checks={"x": "in.a < 0"})


def test_two_models_in_memory_have_different_versions(make_model):
    assert abi.Pipeline(make_model()).version != abi.Pipeline(make_model()).version


@pytest.mark.parametrize(
    ("answer", "methods", "expected"),
    [
        (lambda batch: np.arange(batch.num_rows), ("predict",), {"out.predicted_label": pa.int64()}),
        (lambda batch: np.zeros((batch.num_rows, 2)), ("predict_proba",),
         {"out.predicted_probability": pa.list_(pa.float64())}),
        (lambda batch: {"x": np.zeros(batch.num_rows), "y": np.zeros((batch.num_rows, 2, 3), np.float32)}, ("predict",),
         {"out.x": pa.float64(), "out.y": pa.list_(pa.list_(pa.float32()))}),
        (lambda batch: np.array(["yes"] * batch.num_rows), ("predict",), {"out.predicted_label": pa.string()}),
    ],
)  # fmt: skip
def test_an_output_is_one_column(make_model, frame, answer, methods, expected):
    pipeline = abi.Pipeline(make_model(answer=answer, methods=methods), predict_method=methods)
    found = pipeline.infer(pa.Table.from_pandas(frame, preserve_index=False), dataset=["out"])
    assert {field.name: field.type for field in found.schema} == expected


# Forms


def test_the_request_is_not_changed_and_its_fields_keep_their_types(make_model):
    frame = pd.DataFrame(
        {
            "a": pd.array([1, None, 3], dtype="Int64"),
            "b": np.float32([1, 2, 3]),
            "city": pd.Categorical(["x", "y", "x"]),
        },
        index=["u", "v", "w"],
    )
    before = frame.copy(deep=True)
    found = abi.infer(make_model(answer=lambda batch: np.zeros(batch.num_rows)), frame)
    pd.testing.assert_frame_equal(frame, before)
    assert found.index.tolist() == ["u", "v", "w"]
    for name in frame:
        pd.testing.assert_series_equal(found[f"in.{name}"], frame[name], check_names=False)


def test_columns_without_text_for_names(make_model):
    pipeline = abi.Pipeline(
        make_model(answer=lambda batch: batch.column(1).to_numpy(), inputs=None, feature_names=None)
    )
    found = pipeline.infer(pd.DataFrame(np.arange(4.0).reshape(2, 2)))
    assert list(found) == ["time", "in.0", "in.1", "out.predicted_label", "check_failures"]
    assert found["out.predicted_label"].tolist() == [1.0, 3.0]
    with pytest.raises(DataError, match="two columns named '0'"):
        pipeline.infer(pd.DataFrame([[1.0, 2.0]], columns=[0, "0"]))


@pytest.mark.parametrize(
    "data", [pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])]
)
def test_two_columns_of_one_name_are_refused(make_model, data):
    with pytest.raises(DataError, match="two columns named 'a'"):
        abi.infer(make_model(), data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"a": 1.0, "b": [2.0]}, "Column 'a' of the data is a float"),
        ({"a": [1.0], "b": [2.0, 3.0]}, "differ in length"),
        ({"a": [1.0, "x"], "b": [2.0, 3.0]}, "mixes types: row 0 .from 0. holds a float, row 1 holds 'x'"),
        ({"a": [2**70], "b": [2.0]}, "no column can hold"),
    ],
)
def test_dicts_that_are_no_columns(make_model, data, words):
    with pytest.raises(DataError, match=words):
        abi.infer(make_model(), data)


def test_json_answers_hold_no_nan_and_times_as_text(make_model):
    pipeline = abi.Pipeline(make_model(answer=lambda batch: np.array([np.nan, np.inf])))
    data = [
        {"a": 1.0, "b": 2.0, "day": dt.date(2026, 1, 2), "raw": b"x"},
        {"a": None, "b": math.nan, "day": None, "raw": None},
    ]
    found = pipeline.infer(data)
    json.dumps(found, allow_nan=False)
    assert [row["out.predicted_label"] for row in found] == [None, None]
    assert (found[0]["in.day"], found[0]["in.raw"], found[1]["in.b"]) == ("2026-01-02", "eA==", None)
    dt.datetime.fromisoformat(found[0]["time"])


def test_records_may_lack_keys(make_model):
    pipeline = abi.Pipeline(make_model(answer=lambda batch: batch.column("a").is_null().to_numpy().astype(int)))
    assert [row["out.predicted_label"] for row in pipeline.infer([{"a": 1.0, "b": 1.0}, {"b": 2.0}])] == [0, 1]


NOTHING = {"a": [], "b": []}


@pytest.mark.parametrize(
    "data", [pd.DataFrame(NOTHING), pa.table(NOTHING), pd.DataFrame(NOTHING, dtype=float), NOTHING]
)
def test_no_rows_have_all_columns(make_model, data):
    found = abi.infer(make_model(), data)
    names = found.column_names if isinstance(found, pa.Table) else list(found)
    assert names == ["time", "in.a", "in.b", "out.predicted_label", "check_failures"]


def test_no_records_have_no_columns_to_score(make_model):
    with pytest.raises(SignatureMismatchError, match="lacks 2 column"):
        abi.infer(make_model(), [])


# Bad rows


def test_a_bad_row_is_an_error_by_default(make_model, frame, fake_answers):
    fails_on, _ = fake_answers
    with pytest.raises(PredictionError, match=r"cannot score 2\.0"):
        abi.infer(make_model(answer=fails_on(2.0)), frame)


@pytest.mark.parametrize(
    ("answer", "expected", "dtype"),
    [
        (lambda batch: np.arange(10, 10 + batch.num_rows), [10, None, 10], "Int64"),
        (lambda batch: np.ones(batch.num_rows, dtype=bool), [True, None, True], "boolean"),
        (lambda batch: np.ones(batch.num_rows, dtype=np.float32), [1.0, None, 1.0], "float32"),
        (lambda batch: np.array(["x"] * batch.num_rows), ["x", None, "x"], pd.Series(["x"]).dtype),
    ],
)
def test_a_bad_row_costs_its_row_and_no_type(make_model, frame, answer, expected, dtype):
    def picky(batch):
        if 2.0 in batch.column("a").to_pylist():
            raise ValueError("two")
        return answer(batch)

    found = abi.infer(make_model(answer=picky), frame, on_error="null")
    assert found["out.predicted_label"].dtype == dtype
    assert [None if pd.isna(value) else value for value in found["out.predicted_label"]] == expected
    assert found["error"].isna().tolist() == [True, False, True]
    assert "row 1" in found["error"].iloc[1]
    assert list(found)[-1] == "error"


def test_values_that_do_not_fit_fail_alone_in_every_form(make_model):
    pipeline = abi.Pipeline(make_model(), checks={"x": "in.a > 1.5"})
    columns = {"a": [1.0, "x", 2.0, None], "b": [1.0, 1.0, 1.0, 1.0]}
    for data in (columns, pd.DataFrame(columns), pa.table({"a": ["1.0", "x", "2.0", None], "b": [1.0] * 4})):
        found = pipeline.infer(data, on_error="null")
        plain = found.to_pydict() if isinstance(found, pa.Table) else {name: list(found[name]) for name in found}
        assert [None if pd.isna(each) else each for each in plain["out.predicted_label"]] == [4.0, None, 6.0, None]
        assert [pd.isna(each) for each in plain["error"]] == [True, False, True, True]
        assert list(plain["check_failures"]) == [0, 0, 1, 0]
        assert "on_mismatch" not in plain["error"][1]


def test_a_request_without_a_good_row_is_an_error(make_model, frame, fake_answers):
    fails_on, _ = fake_answers
    frame["a"] = 2.0
    with pytest.raises(TooManyRejectedRowsError, match="None of 3 row"):
        abi.infer(make_model(answer=fails_on(2.0)), frame, on_error="null")


def test_a_model_that_always_fails_is_not_asked_row_by_row(make_model):
    def answer(batch):
        raise ValueError("no")

    model = make_model(answer=answer)
    with pytest.raises(TooManyRejectedRowsError, match="All of 8 rows tried one at a time fail"):
        abi.infer(model, pd.DataFrame({"a": np.zeros(5000), "b": np.zeros(5000)}), on_error="null")
    assert len(model.sizes) < 20


def test_many_bad_rows_side_by_side_cost_those_rows_only(make_model):
    def answer(batch):
        if (batch.column("a").to_numpy() < 0).any():
            raise ValueError("negative")
        return batch.column("a").to_numpy()

    a = np.arange(3000.0)
    a[500:1000] = -1
    found = abi.infer(make_model(answer=answer), pd.DataFrame({"a": a, "b": a}), on_error="null")
    assert found["out.predicted_label"].isna().tolist() == (a < 0).tolist()


def test_nan_is_an_answer_like_others(make_model, frame):
    pipeline = abi.Pipeline(make_model(answer=lambda batch: np.full(batch.num_rows, np.nan)))
    assert pipeline.infer(frame)["out.predicted_label"].isna().all()
    assert pipeline.infer(frame, on_error="null")["error"].isna().all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"on_error": "ignore"}, "on_error is 'ignore'"),
        ({"dataset_separator": ""}, "dataset_separator is empty"),
        ({"dataset": ["in.c"]}, "dataset names 'in.c'"),
        ({"checks": {"x": "in.c < 0"}}, "The check 'x': .*'in.c', which is no column"),
        ({"predict_method": "guess"}, "no method 'guess'"),
    ],
)
def test_arguments_that_can_never_work(make_model, frame, options, words):
    with pytest.raises(ConfigurationError, match=words):
        abi.infer(make_model(), frame, **options)


def test_checks_are_counted_over_all_requests(make_model, frame):
    pipeline = abi.Pipeline(make_model(), checks={"low": {"when": "in.a < 2", "max_rate": 0.3}, "high": "in.a > 2"})
    pipeline.infer(frame)
    pipeline.parallel_infer([frame, frame])
    low, high = pipeline.check_counts()
    assert (low.rows, low.is_exceeded, high.rows, high.is_exceeded) == (3, True, 3, False)


def test_a_million_rows_are_scored_in_pieces(make_model):
    model = make_model()
    rows = 1_000_000
    found = abi.infer(model, pa.table({"a": np.arange(rows, dtype=float), "b": np.zeros(rows)}))
    assert found.num_rows == rows
    assert found["out.predicted_label"][rows - 1].as_py() == 2.0 * (rows - 1)
    assert max(model.sizes) <= 131_072


def test_inputs_of_integers_keep_their_form_beside_gaps(make_model):
    seen = []

    def answer(batch):
        seen.append(batch.column("a").to_pylist())
        return np.zeros(batch.num_rows)

    model = make_model(answer=answer, inputs=(ColumnSpec(name="a", type="int64"),), feature_names=("a",), n_features=1)
    abi.infer(model, pd.DataFrame({"a": [1, 2]}))
    abi.infer(model, pd.DataFrame({"a": [1.0, np.nan]}))
    assert seen == [[1, 2], [1.0, None]]


def test_the_error_stays_whatever_columns_are_asked_for(make_model, frame):
    def picky(batch):
        if 2.0 in batch.column("a").to_pylist():
            raise ValueError("two")
        return batch.column("a").to_numpy()

    found = abi.infer(make_model(answer=picky), frame, on_error="null", dataset=["out"])
    assert list(found) == ["out.predicted_label", "error"]
    left_out = abi.infer(make_model(answer=picky), frame, on_error="null", dataset_exclude=["error", "in"])
    assert "error" not in left_out
