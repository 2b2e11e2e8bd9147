"""A split in a job: one model a row, the same rows whatever the batches, and one table of answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import ConfigurationError, PredictionError, SignatureMismatchError
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.predictors.explanations import Explain
from airflow_batch_inference.predictors.graphs.source import ModelChain, ModelSource
from airflow_batch_inference.predictors.graphs.split import SplitGraph
from airflow_batch_inference.predictors.shares import parse_split
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.workflows.score import score_dataset
from airflow_batch_inference.workflows.verify import verify

ROWS = 400
HALVES = {"weights": {"a": 0.5, "b": 0.5}}


def up(batch):
    return batch.column("a").to_numpy() + 0.0


def down(batch):
    return -batch.column("a").to_numpy()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", 150)


@pytest.fixture
def source(bench):
    return bench.write(
        "in.parquet",
        {
            "a": np.arange(float(ROWS)),
            "b": np.ones(ROWS),
            "id": np.arange(ROWS),
            "tier": ["gold", "blue"] * (ROWS // 2),
        },
    )


@pytest.fixture
def score(bench, make_model, make_record, source):
    """Score with a model that answers ``up`` and others by name; return the record and the output."""

    def run(split, *others, dataset=None, first=None, **arguments):
        others = others or (make_model(answer=down),)
        names = [chr(ord("a") + place) for place in range(len(others) + 1)]
        chains = tuple(
            ModelChain(
                name=name, sources=(ModelSource(record=make_record(model, name=name, sha256=name * 64), model=model),)
            )
            for name, model in zip(names[1:], others, strict=True)
        )
        request = bench.request(dataset or source, model=first or make_model(answer=up), **arguments)
        main = replace(request.models.main, name="a")
        graph = SplitGraph(main=main, others=chains, split=parse_split(split, names))
        uri, record = score_dataset(replace(request, models=graph), storage=bench.storage)
        run.uri = uri
        return record, bench.output(record)

    return run


def test_each_row_has_the_answer_of_the_model_that_it_names(score, bench):
    record, output = score(HALVES, alignment_check_rows=4)
    frame = output.to_pandas()
    assert (frame["predicted_label"] == frame["a"].where(frame["scored_by"] == "a", -frame["a"])).all()
    assert (record.label_columns, record.added_columns) == (("predicted_label",), ("scored_by",))
    counts = frame["scored_by"].value_counts().to_dict()
    assert {each.name: each.rows for each in record.models} == counts
    assert all(100 < rows < 300 for rows in counts.values())
    assert any("scored by one of a, b" in check for check in verify(score.uri, bench.storage).checks)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows_per_batch=st.integers(1, 150), key=st.sampled_from([None, "id", "tier"]))
def test_any_mini_batch_size_gives_the_same_bytes(score, bench, rows_per_batch, key):
    split = {**HALVES, **({"key": key} if key else {})}
    bench.root = bench.folder / f"whole-{key}"
    expected, _ = score(split)
    bench.root = bench.folder / f"by-{rows_per_batch}-{key}"
    record, _ = score(split, rows_per_batch=rows_per_batch)
    assert [part.sha256 for part in record.parts] == [part.sha256 for part in expected.parts]


def test_rows_of_one_key_meet_one_model_in_whatever_file_and_order(score, bench):
    bench.write("in/1.parquet", {"a": [1.0, 2, 3, 4], "b": np.ones(4), "id": pa.array([7, 8, 9, 7], pa.int32())})
    bench.write("in/2.parquet", {"a": [5.0, 6, 7], "b": np.ones(3), "id": pa.array([9, 7, 8], pa.int32())})
    _, output = score({**HALVES, "key": "id"}, dataset=str(bench.folder / "in"))
    assert all(len(set(group)) == 1 for _, group in output.to_pandas().groupby("id")["scored_by"])
    wide = bench.write("wide.parquet", {"a": np.arange(3.0), "b": np.ones(3), "id": pa.array([9, 8, 7], pa.int64())})
    _, other = score({**HALVES, "key": "id"}, dataset=wide)
    scored_by = [
        dict(zip(each["id"].to_pylist(), each["scored_by"].to_pylist(), strict=True)) for each in (output, other)
    ]
    assert scored_by[0] == scored_by[1]


def test_named_values_of_a_key_meet_their_model(score):
    _, output = score({"key": "tier", "values": {"gold": "b"}, "default": "a"})
    assert output.column("scored_by").to_pylist() == ["b", "a"] * (ROWS // 2)


def test_the_key_may_be_a_column_that_is_dropped_from_inputs_and_output(score):
    _, output = score({**HALVES, "key": "id"}, drop_columns=("id",))
    assert "id" not in output.column_names
    _, kept = score({**HALVES, "key": "id"})
    assert output.column("scored_by").equals(kept.column("scored_by"))


def test_a_model_may_take_columns_that_the_first_does_not(score, make_model):
    other = make_model(answer=lambda t: t.column("id").to_numpy() * 1.0, inputs=(ColumnSpec(name="id", type="int64"),))
    record, output = score(HALVES, other, passthrough_columns=None)
    assert output.column_names == ["predicted_label", "scored_by"]
    assert output.column("predicted_label").to_pylist() == list(map(float, range(ROWS)))
    assert record.feature_columns == ("a", "b", "id")


def test_three_models_of_which_one_gets_hardly_a_row(score, make_model):
    weights = {"a": 0.5, "b": 0.4999, "c": 0.0001}
    third = make_model(answer=lambda t: np.zeros(t.num_rows))
    record, _ = score({"weights": weights}, make_model(answer=down), third)
    assert sum(each.rows for each in record.models) == ROWS
    # It was tried on the first rows, and never called with none.
    assert third.calls
    assert all(batch.num_rows for batch, _, _ in third.calls)


@pytest.mark.parametrize("weights", [{"a": 0, "b": 1}, {"a": 1, "b": 0}])
def test_a_model_that_gets_no_row_at_all_is_no_obstacle(score, weights):
    record, output = score({"weights": weights}, alignment_check_rows=4)
    (only,) = set(output.column("scored_by").to_pylist())
    assert weights[only] == 1
    assert [each.rows for each in record.models] == [ROWS * weights["a"], ROWS * weights["b"]]


def test_a_row_that_its_model_fails_on_is_rejected_and_counted_as_that_model_s(score, make_model):
    def fails(batch):
        if (batch.column("a").to_numpy() % 50 == 0).any():
            raise ValueError("no such leaf")
        return down(batch)

    record, output = score(
        HALVES, make_model(answer=fails), policy=RowPolicy(error_threshold=-1), alignment_check_rows=4
    )
    rejected = [
        row for part in record.quarantine for row in pq.read_table(part.uri.removeprefix("file://")).to_pylist()
    ]
    of_b = next(each for each in record.models if each.name == "b")
    assert of_b.rows_failed == len(rejected) == record.rows_rejected > 0
    assert all(row["a"] % 50 == 0 for row in rejected)
    assert set(output.column("scored_by").to_pylist()) == {"a", "b"}
    assert "no such leaf" in of_b.error
    with pytest.raises(PredictionError, match=r"in\.parquet, row \d+ \(from 0\): ValueError: no such leaf"):
        score(HALVES, make_model(answer=fails))


def test_explanations_are_each_model_s_own(score, make_model):
    def contributions(sign):
        class Explained(type(make_model())):
            def predict(self, batch, *, method="predict", kwargs=None):
                values = sign * batch.column("a").to_numpy()
                return np.column_stack([values, values * 0, values * 0]) if method == "contributions" else values

        return Explained(methods=("predict", "contributions"))

    _, output = score(HALVES, contributions(-1), first=contributions(1), explain=Explain(top_k=1))
    assert output.column_names[-2:] == ["explanation", "scored_by"]
    for row in output.to_pylist():
        assert row["explanation"][0]["contribution"] == row["predicted_label"]


# -- models that do not answer alike --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda t: np.zeros(t.num_rows, dtype=int), "as predicted_label they return a double, b int64"),
        (lambda t: np.array(["x"] * t.num_rows), "a double, b string"),
        (lambda t: np.zeros((t.num_rows, 2)), "as a further one they return a nothing, b double"),
    ],
)
def test_models_that_answer_otherwise_are_refused_before_anything_is_written(bench, score, make_model, answer, match):
    for weights in (HALVES, {"weights": {"a": 1, "b": 0}}):
        with pytest.raises(ConfigurationError, match=match):
            score(weights, make_model(answer=answer))
    assert bench.files() == []


def test_numbers_of_two_widths_share_the_wider_one(score, make_model):
    _, output = score(HALVES, make_model(answer=lambda t: down(t).astype(np.float32)))
    assert output.schema.field("predicted_label").type == pa.float64()


def test_models_of_other_classes_are_refused(score, make_model):
    def classifier(*classes):
        model = make_model(
            answer=lambda t: np.column_stack([np.ones(t.num_rows), np.zeros(t.num_rows)]), methods=("predict_proba",)
        )
        model.classes = classes
        return model

    with pytest.raises(ConfigurationError, match="a no, yes, b yes, no"):
        score(HALVES, classifier("yes", "no"), first=classifier("no", "yes"), predict_method="predict_proba")
    record, _ = score(HALVES, classifier("no", "yes"), first=classifier("no", "yes"), predict_method="predict_proba")
    assert record.rows_out == ROWS


def test_a_missing_column_and_a_missing_key_are_named(bench, score, make_model):
    income = make_model(inputs=(ColumnSpec(name="income", type="double"),))
    with pytest.raises(ConfigurationError, match=r"the dataset, for the model b, lacks 1 column.*'income'"):
        score(HALVES, income)
    with pytest.raises(ConfigurationError, match=r"split names 'ID', which is not a column of .*did you mean 'id'"):
        score({**HALVES, "key": "ID"})
    bench.write("in/1.parquet", {"a": [1.0], "b": [1.0], "id": [1]})
    bench.write("in/2.parquet", {"a": [1.0], "b": [1.0]})
    with pytest.raises(SignatureMismatchError, match=r"2\.parquet lacks the column 'id'"):
        score({**HALVES, "key": "id"}, dataset=str(bench.folder / "in"))


def test_no_rows_make_an_empty_output_with_all_columns(bench, score):
    nothing = pa.table(
        {"a": pa.array([], pa.float64()), "b": pa.array([], pa.float64()), "id": pa.array([], pa.int8())}
    )
    record, output = score({**HALVES, "key": "id"}, dataset=bench.write("none.parquet", nothing), on_empty="succeed")
    assert (record.rows_out, output.column_names[-2:]) == (0, ["predicted_label", "scored_by"])
    (bench.folder / "empty").mkdir()
    record, _ = score({**HALVES, "key": "id"}, dataset=str(bench.folder / "empty"), on_empty="succeed")
    assert record.rows_out == 0
