from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import (
    ConfigurationError,
    DataError,
    PredictionError,
    SignatureMismatchError,
)
from airflow_batch_inference.predictors.output_table import assemble, default_names, label_names, require_new_names
from airflow_batch_inference.predictors.single import SinglePredictor
from airflow_batch_inference.schema.inputs import plan_inputs
from airflow_batch_inference.sources.batches import MiniBatch, Origin

TABLE = pa.table({"b": [10.0, 20.0, 30.0], "id": ["x", "y", "z"], "a": [1.0, 2.0, 3.0]})


def batch_of(table=TABLE):
    """A mini-batch whose first row is row 5 of one file, and the others the first rows of the next."""
    return MiniBatch(table, (Origin("file:///1.csv", 5, 1), Origin("file:///2.csv", 0, table.num_rows - 1)))


@pytest.fixture
def predict(make_model):
    """A function that predicts a mini-batch with a fake model that gives this answer."""

    def run(answer, table=TABLE):
        model = make_model(answer=answer)
        inputs = plan_inputs(table.schema, inputs=model.inputs, n_features=2, where="the test")
        return SinglePredictor(model=model, inputs=inputs, methods=("predict",), kwargs={}).predict(batch_of(table))

    return run


def raising(error):
    def answer(batch):
        raise error

    return answer


def test_one_array_a_label_comes_back(predict):
    assert [column.to_pylist() for column in predict(lambda batch: np.arange(3))] == [[0, 1, 2]]
    two = predict(lambda batch: np.array([[1, 2], [3, 4], [5, 6]]))
    assert [column.to_pylist() for column in two] == [[1, 3, 5], [2, 4, 6]]


@pytest.mark.parametrize("answer", [[1, 2, 3], (1.5, 2.5, 3.5), ["x", None, "y"]])
def test_a_plain_sequence_is_as_good_as_an_array(predict, answer):
    assert predict(lambda batch: answer)[0].to_pylist() == list(answer)


def test_values_that_no_column_can_hold_are_refused(predict):
    with pytest.raises(PredictionError, match="that no column can hold"):
        predict(lambda batch: np.array([object()] * 3))


def test_a_failure_names_files_and_rows_and_keeps_its_cause(predict):
    cause = RuntimeError("no such leaf")
    with pytest.raises(PredictionError) as failure:
        predict(raising(cause))
    assert "file:///1.csv rows 5 to 5, file:///2.csv rows 0 to 1" in str(failure.value)
    assert "RuntimeError: no such leaf" in str(failure.value)
    assert failure.value.__cause__ is cause


def test_text_that_a_framework_could_not_convert_is_found_again(make_model):
    table = TABLE.set_column(2, "a", pa.array(["1", "2", "n/a"]))
    model = make_model(answer=lambda batch: batch.column("a").to_pandas().map(float).to_numpy(), inputs=None)
    inputs = plan_inputs(table.schema, inputs=None, n_features=3, where="the test")
    with pytest.raises(PredictionError, match=r"Column 'a' of file:///2\.csv holds text: row 1 \(from 0\) is 'n/a'"):
        SinglePredictor(model=model, inputs=inputs, methods=("predict",), kwargs={}).predict(batch_of(table))


@pytest.mark.parametrize("error", [ConfigurationError("no such method"), DataError("bad"), MemoryError()])
def test_errors_that_say_it_themselves_go_through_as_they_are(predict, error):
    with pytest.raises(type(error)) as raised:
        predict(raising(error))
    assert raised.value is error


def test_a_lossy_value_is_found_in_its_file(predict):
    table = TABLE.set_column(2, "a", pa.array([1, 2, 2**53 + 1]))
    with pytest.raises(SignatureMismatchError, match=r"Column 'a' of file:///2\.csv, row 1 .* '9007199254740993'"):
        predict(lambda batch: np.zeros(3), table)


@pytest.mark.parametrize(
    ("given", "known", "number", "expected"),
    [
        (None, None, 1, ("predicted_label",)),
        (None, None, 2, ("predicted_label_0", "predicted_label_1")),
        (None, ("score",), 1, ("score",)),
        (None, ("score",), 2, ("predicted_label_0", "predicted_label_1")),
        (("p", "q"), ("score",), 2, ("p", "q")),
    ],
)
def test_labels_are_the_user_s_or_the_model_s_or_numbered(given, known, number, expected):
    assert label_names(given, known, default_names(number)) == expected


def test_a_wrong_number_of_labels_is_refused():
    with pytest.raises(ConfigurationError, match=r"names 2 column\(s\) \(p, q\), but the model returns 1"):
        label_names(["p", "q"], None, default_names(1))


@pytest.mark.parametrize(("labels", "taken"), [(("p", "p"), "'p'"), (("id", "p"), "'id'"), (("a", "b"), "'a', 'b'")])
def test_a_label_must_stand_once_in_the_output(labels, taken):
    with pytest.raises(ConfigurationError, match=f"{taken} would stand twice"):
        require_new_names(labels, ("id", "a", "b"))


def test_the_output_has_the_wanted_columns_and_the_type_of_the_first_rows():
    schema = pa.schema({"id": pa.string(), "p": pa.float64()})
    table = assemble(batch_of(), ["id"], [pa.array([1, 2, 3])], schema)
    assert table.schema == schema
    assert table.to_pydict() == {"id": ["x", "y", "z"], "p": [1.0, 2.0, 3.0]}


@pytest.mark.parametrize("predicted", [[pa.array([0.5, 1.0, 2.0])], [pa.array(["x", "y", "z"])], [], [pa.nulls(3)] * 2])
def test_predictions_unlike_those_of_the_first_rows_are_refused(predicted):
    schema = pa.schema({"id": pa.string(), "p": pa.int64()})
    with pytest.raises(PredictionError, match="differ from those of the first rows"):
        assemble(batch_of(), ["id"], predicted, schema)


def test_a_type_that_no_cast_knows_is_reported_the_same_way():
    schema = pa.schema({"id": pa.string(), "p": pa.null()})
    with pytest.raises(PredictionError, match="differ from those of the first rows"):
        assemble(batch_of(), ["id"], [pa.array(["x", "y", "z"])], schema)
