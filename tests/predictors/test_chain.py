"""Models behind one another: what goes where, the same numbers as by hand, and errors that name the step."""

from __future__ import annotations

import time

import lightgbm
import numpy as np
import onnx
import pandas as pd
import pyarrow as pa
import pytest
from onnx import TensorProto, helper
from sklearn.linear_model import LinearRegression

from airflow_batch_inference.exceptions import ConfigurationError, PredictionError, SignatureMismatchError
from airflow_batch_inference.models.describe import ModelRequest, describe_model
from airflow_batch_inference.predictors.call import Call, StepModel
from airflow_batch_inference.predictors.chain import chain_predictor
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.sources.batches import MiniBatch, Origin
from airflow_batch_inference.storage.store import Storage

TABLE = pa.table({"a": [1.0, 2.0, 3.0], "b": [10.0, 20.0, 30.0], "key": ["x", "y", "z"]})


def batch_of(table):
    return MiniBatch(table, (Origin("file:///in.parquet", 7, table.num_rows),))


def doubles(*names):
    return tuple(ColumnSpec(name=name, type="double") for name in names)


TWO = doubles("a", "b")


@pytest.fixture
def step(make_model, make_record):
    """``step(answer, inputs, **record)``: a step of a fake model."""

    def make(answer, inputs=TWO, *, method="predict", n_features=None, takes_lists=True, **record):
        model = make_model(answer=answer, inputs=inputs, n_features=n_features)
        if not takes_lists:
            model.takes_lists = False
        return StepModel(model=model, record=make_record(model, **({"name": "next"} | record)), method=method)

    return make


def add(table):
    return table.column("a").to_numpy() + table.column("b").to_numpy()


def predicted(models, table=TABLE, **call):
    return chain_predictor(models, table.schema, call=Call(**call)).predict(batch_of(table))


# -- what goes where ------------------------------------------------------------------------------------------


def test_an_output_goes_to_the_input_of_its_name_and_dataset_columns_to_the_others(step):
    second = step(lambda t: t.column("risk").to_numpy() * t.column("b").to_numpy(), doubles("b", "risk"))
    (found,) = predicted([step(add, label_columns=("risk",)), second])
    assert found.to_pylist() == [110.0, 440.0, 990.0]


def test_an_output_hides_a_dataset_column_of_its_name(step):
    second = step(lambda t: t.column("a").to_numpy() - t.column("b").to_numpy())
    (found,) = predicted([step(lambda t: np.array([5, 6, 7.0]), label_columns=("a",)), second])
    assert found.to_pylist() == [-5.0, -14.0, -23.0]


def test_outputs_without_a_known_name_go_by_position(step):
    first = step(lambda t: np.column_stack([t.column("b"), t.column("a")]))
    second = step(lambda t: t.column("p").to_numpy() - t.column("q").to_numpy(), doubles("p", "q"))
    (found,) = predicted([first, second])
    assert found.to_pylist() == [9.0, 18.0, 27.0]


def test_a_single_input_named_as_a_dataset_column_gets_the_output_and_not_that_column(step):
    second = step(lambda t: t.column("a").to_numpy() * 2, doubles("a"))
    (found,) = predicted([step(add), second])
    assert found.to_pylist() == [22.0, 44.0, 66.0]


def test_a_model_without_names_gets_all_outputs_in_their_order(step):
    first = step(lambda t: {"u": t.column("a").to_numpy(), "v": t.column("b").to_numpy()})
    second = step(lambda t: t.column(1).to_numpy() - t.column(0).to_numpy(), None, n_features=2)
    (found,) = predicted([first, second])
    assert found.to_pylist() == [9.0, 18.0, 27.0]
    assert second.model.calls[0][0].num_columns == 2


def test_a_wide_output_goes_on_as_a_list_or_as_the_columns_of_its_values(step):
    wide = step(lambda t: np.outer(t.column("a").to_numpy(), np.arange(150.0)))
    takes_a_list = step(lambda t: np.array([sum(each) for each in t.column(0).to_pylist()]), None, n_features=150)
    (found,) = predicted([wide, takes_a_list])
    assert found.to_pylist() == [11175.0, 22350.0, 33525.0]
    takes_columns = step(lambda t: t.column(149).to_numpy(), None, n_features=150, takes_lists=False)
    (found,) = predicted([wide, takes_columns])
    assert found.to_pylist() == [149.0, 298.0, 447.0]
    by_name = step(lambda t: t.column("x3").to_numpy(), doubles(*(f"x{i}" for i in range(150))))
    (found,) = predicted([wide, by_name])
    assert found.to_pylist() == [3.0, 6.0, 9.0]


def test_inner_steps_predict_and_the_last_one_is_called_as_asked(step, make_model, make_record):
    inner = step(add, method="predict_proba")
    inner.model.methods = ("predict", "predict_proba")
    last = step(lambda t: t.column(0).to_numpy(), None, n_features=1)
    last.model.methods = ("predict", "decision_function")
    predicted([inner, last], methods=("decision_function",), kwargs={"depth": 2})
    assert [(method, kwargs) for _, method, kwargs in inner.model.calls] == [("predict_proba", {})]
    assert [(method, kwargs) for _, method, kwargs in last.model.calls] == [("decision_function", {"depth": 2})]


def test_the_names_of_the_classes_are_for_the_output_and_not_for_the_next_step(step):
    first = step(lambda t: np.array([0, 1, 0]), class_names=("no", "yes"), label_columns=("flag",))
    first.model.classes = (0, 1)
    second = step(lambda t: t.column("flag").to_numpy() + 0, (ColumnSpec(name="flag", type="int64"),))
    (found,) = predicted([first, second])
    assert found.to_pylist() == [0, 1, 0]


# -- what does not fit ----------------------------------------------------------------------------------------


def test_a_missing_input_names_step_column_and_what_is_there(step):
    second = step(add, doubles("risk", "income"), name="limits")
    match = r"Step 2 \(limits\): what scores returns \(risk\), beside the dataset's columns, lacks 1 .*'income'.*a, b"
    with pytest.raises(ConfigurationError, match=match):
        predicted([step(add, label_columns=("risk",), name="scores"), second])


def test_neither_a_name_nor_the_number_fits(step):
    second = step(add, doubles("p", "q"), name="limits")
    with pytest.raises(
        ConfigurationError, match=r"takes the columns p, q, but scores returns predicted_label: neither"
    ):
        predicted([step(add, name="scores"), second])
    third = step(add, None, n_features=3, name="limits")
    with pytest.raises(ConfigurationError, match=r"takes 3 columns by position, but scores returns predicted_label"):
        predicted([step(add, name="scores"), third])


def test_names_are_never_mixed_with_positions(step):
    first = step(lambda t: np.column_stack([t.column("a"), t.column("b")]), label_columns=("p", "x"))
    with pytest.raises(ConfigurationError, match=r"lacks 1 column.*'q'"):
        predicted([first, step(add, doubles("p", "q"))])


def test_a_text_output_for_a_number_is_a_matter_of_wiring(step):
    with pytest.raises(ConfigurationError, match=r"Step 2 \(next\): Column 'a' .* holds string"):
        predicted([step(lambda t: np.array(["u", "v", "w"])), step(add, doubles("a"))])


def test_rows_that_fail_in_a_step_name_the_step_and_the_rows(step):
    def fails(table):
        raise ValueError("no such leaf")

    second = step(fails, doubles("a"), name="limits")
    with pytest.raises(
        PredictionError, match=r"Step 2 \(limits\): .*in\.parquet rows 7 to 9: ValueError: no such leaf"
    ):
        predicted([step(add), second])


def test_rows_whose_outputs_have_another_type_are_row_errors_once_others_fitted(step):
    first = step(lambda t: np.array(["odd"] if t.num_rows == 1 else t.column("a")))
    predictor = chain_predictor([first, step(lambda t: t.column("a").to_numpy(), doubles("a"))], TABLE.schema)
    predictor.predict(batch_of(TABLE))
    with pytest.raises(PredictionError, match="Step 2"):
        predictor.predict(batch_of(TABLE.slice(0, 1)))


def test_the_first_step_is_matched_with_the_dataset_at_once(step):
    with pytest.raises(SignatureMismatchError, match="the data lacks 1 column"):
        chain_predictor([step(add), step(add, doubles("a"))], pa.schema([("a", pa.float64())]))


def test_a_method_that_a_step_lacks_is_refused_before_any_row(step):
    with pytest.raises(ConfigurationError, match="predict_proba"):
        chain_predictor([step(add), step(add, doubles("a"))], TABLE.schema, call=Call(methods=("predict_proba",)))


# -- real models, and the contract's numbered cases -----------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An ONNX scaler, a LightGBM model on its outputs, and both as they are called by hand."""
    folder = tmp_path_factory.mktemp("steps")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(500, 3)), columns=["a", "b", "c"])
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3], [2.0, 0.5, -1.0])
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["scaled"])],
        "scale",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("scaled", TensorProto.FLOAT, [None, 3])],
        [weights],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "scale.onnx"
    )
    scaled = frame.to_numpy(np.float32) * np.array([2.0, 0.5, -1.0], np.float32)
    booster = lightgbm.train(
        {"verbose": -1, "num_leaves": 7, "num_threads": 1},
        lightgbm.Dataset(pd.DataFrame(scaled, columns=["p", "q", "r"]), frame["a"] + frame["b"]),
        10,
    )
    booster.save_model(folder / "score.txt")
    return folder, frame, scaled, booster


def loaded(path):
    model, record = describe_model(ModelRequest(model_uri=str(path)), storage=Storage())
    return StepModel(model=model, record=record)


def test_conformance_7_two_steps_give_the_same_numbers_as_calling_the_two_models_by_hand(files):
    folder, frame, scaled, booster = files
    table = pa.Table.from_pandas(frame)
    models = [loaded(folder / "scale.onnx"), loaded(folder / "score.txt")]
    (found,) = chain_predictor(models, table.schema).predict(batch_of(table))
    np.testing.assert_array_equal(found, booster.predict(scaled.astype(np.float64)))


def test_conformance_4_each_step_has_its_time_and_they_sum_to_no_more_than_the_wall_time(files):
    folder, frame, _, _ = files
    table = pa.Table.from_pandas(frame)
    predictor = chain_predictor([loaded(folder / "scale.onnx"), loaded(folder / "score.txt")], table.schema)
    for rows in (500, 1):
        began = time.perf_counter_ns()
        predictor.predict(batch_of(table.slice(0, rows)))
        wall = time.perf_counter_ns() - began
        assert len(predictor.elapsed) == 2
        assert all(step > 0 for step in predictor.elapsed)
        assert sum(predictor.elapsed) <= wall


def test_one_model_is_one_step_with_its_time(files):
    folder, frame, _, _ = files
    table = pa.Table.from_pandas(frame)
    predictor = chain_predictor([loaded(folder / "scale.onnx")], table.schema)
    assert len(predictor.predict(batch_of(table))) == 3
    assert len(predictor.elapsed) == 1


def test_a_scikit_learn_model_feeds_a_booster(tmp_path):
    import hashlib

    import joblib

    from airflow_batch_inference.models.trust import TrustRequest

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 2)), columns=["a", "b"])
    linear = LinearRegression().fit(frame, np.column_stack([frame["a"] * 2, frame["b"] - frame["a"]]))
    joblib.dump(linear, tmp_path / "linear.joblib")
    between = linear.predict(frame)
    names = ["predicted_label_0", "predicted_label_1"]
    booster = lightgbm.train(
        {"verbose": -1, "num_threads": 1},
        lightgbm.Dataset(pd.DataFrame(between, columns=names).assign(b=frame["b"]), frame["a"]),
        5,
    )
    booster.save_model(tmp_path / "score.txt")
    trust = TrustRequest(sha256=hashlib.sha256((tmp_path / "linear.joblib").read_bytes()).hexdigest())
    model, record = describe_model(
        ModelRequest(model_uri=str(tmp_path / "linear.joblib"), trust=trust), storage=Storage()
    )
    table = pa.Table.from_pandas(frame)
    models = [StepModel(model=model, record=record), loaded(tmp_path / "score.txt")]
    (found,) = chain_predictor(models, table.schema).predict(batch_of(table))
    expected = booster.predict(pd.DataFrame(between, columns=names).assign(b=frame["b"]))
    np.testing.assert_array_equal(found, expected)
