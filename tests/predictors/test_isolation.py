"""Bad rows are found, named and set aside; everything else is scored, and the rows add up."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rejected_rows import rejects

from airflow_batch_inference.exceptions import (
    ConfigurationError,
    PredictionError,
    RowAlignmentError,
    SignatureMismatchError,
    TooManyRejectedRowsError,
)
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.predictors.isolation import Isolator
from airflow_batch_inference.predictors.single import SinglePredictor
from airflow_batch_inference.schema.inputs import plan_inputs
from airflow_batch_inference.sources.batches import MiniBatch, Origin

ANY = RowPolicy(error_threshold=-1)


def fails_on(bad):
    """An answer that raises where a batch holds one of these values of a."""

    def answer(batch):
        values = batch.column("a").to_numpy()
        if not bad.isdisjoint(values.tolist()):
            raise ValueError("no such leaf")
        return values + 2 * batch.column("b").to_numpy()

    return answer


def numbers(rows, **changed):
    return pa.table({"id": [f"n{i}" for i in range(rows)], "a": np.arange(float(rows)), "b": np.ones(rows)} | changed)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(1, 400), data=st.data())
def test_any_bad_rows_are_found_and_all_others_scored(make_model, rows, data):
    bad = data.draw(st.sets(st.integers(0, rows - 1), max_size=rows // 3))
    model = make_model(answer=fails_on(bad))
    table = numbers(rows)
    inputs = plan_inputs(table.schema, inputs=model.inputs, n_features=2, where="the test")
    predictor = SinglePredictor(model=model, inputs=inputs, methods=("predict",), kwargs={})
    batch = MiniBatch(table, (Origin("file:///1", 10, rows // 2), Origin("file:///2", 0, rows - rows // 2)))
    isolator = Isolator(predictor=predictor, allowed=len(bad))
    scored = isolator.score(batch, 0)
    good = [row for row in range(rows) if row not in bad]
    assert [row.row for row in scored.rejected] == sorted(bad)
    assert scored.rows.table.column("a").to_pylist() == good
    if good:
        assert scored.predicted[0].to_pylist() == [row + 2.0 for row in good]
    places = [(o.uri, o.first_row + i) for o in scored.rows.origins for i in range(o.rows)]
    assert places == [batch.locate(row) for row in good]
    k = len(bad)
    if k:
        # One call for the batch, and for each bad row two a halving: those shared by several are counted once.
        assert len(model.calls) <= 1 + 2 * k * (math.ceil(math.log2(max(rows, 2))) + 1)


def test_one_bad_row_in_8192_takes_twice_its_logarithm(make_model):
    model = make_model(answer=fails_on({5000}))
    table = numbers(8192)
    inputs = plan_inputs(table.schema, inputs=model.inputs, n_features=2, where="the test")
    isolator = Isolator(
        predictor=SinglePredictor(model=model, inputs=inputs, methods=("predict",), kwargs={}), allowed=1
    )
    isolator.score(MiniBatch(table, (Origin("file:///1", 0, 8192),)), 0)
    assert len(model.calls) == 1 + 2 * 13


@pytest.mark.parametrize("bad", [0, 1, 5, 20, 100])
def test_poison_rows_among_8192(bench, make_model, bad):
    chosen = set(np.random.default_rng(bad).choice(8192, bad, replace=False).tolist())
    _, record = bench.score(
        bench.write("in.parquet", numbers(8192)), model=make_model(answer=fails_on(chosen)), policy=ANY
    )
    assert (record.rows_in, record.rows_out, record.rows_rejected) == (8192, 8192 - bad, bad)
    assert sorted(row["_row"] for row in rejects(record)) == sorted(chosen)
    assert bench.output(record).column("a").to_pylist() == [row for row in range(8192) if row not in chosen]


def test_a_reject_names_file_row_stage_and_error_beside_its_columns(bench, make_model):
    bench.write("in/1.parquet", numbers(3))
    bench.write("in/2.parquet", numbers(3, a=[7.0, 8.0, 9.0]))
    _, record = bench.score(str(bench.folder / "in"), model=make_model(answer=fails_on({8.0})), policy=ANY)
    (row,) = rejects(record)
    assert row["_file"] == f"file://{bench.folder}/in/2.parquet"
    assert (row["_row"], row["_stage"], row["id"], row["a"]) == (1, "predict", "n1", 8.0)
    assert "ValueError: no such leaf" in row["_error"]
    assert record.certificate.rows_rejected == 1


def test_a_value_that_no_cast_keeps_is_rejected_in_the_stage_schema(bench, make_model):
    model = make_model()
    model.inputs = (replace(model.inputs[0], type="double"), model.inputs[1])
    source = bench.write("in.parquet", pa.table({"a": pa.array([1, 2**53 + 1, 3], pa.int64()), "b": [0.0, 0.0, 0.0]}))
    with pytest.raises(SignatureMismatchError, match=r"row 1 \(from 0\): the value '9007199254740993'"):
        bench.score(source, model=model)
    _, record = bench.score(source, model=model, policy=ANY)
    assert [(row["_row"], row["_stage"]) for row in rejects(record)] == [(1, "schema")]


@pytest.mark.parametrize(("allow", "expected"), [(False, (2, 1)), (True, (3, 0))])
def test_a_prediction_that_is_nan_is_rejected_unless_it_is_allowed(bench, allow, expected):
    source = bench.write("in.parquet", {"a": [1.0, math.nan, 3.0], "b": [0.0, 0.0, 0.0]})
    _, record = bench.score(source, policy=RowPolicy(error_threshold=-1, allow_nan=allow))
    assert (record.rows_out, record.rows_rejected) == expected
    assert [row["_stage"] for row in rejects(record)] == ["check"] * expected[1]


def test_without_a_threshold_the_first_bad_row_fails_the_run_and_is_named(bench, make_model):
    source = bench.write("in.parquet", numbers(100))
    with pytest.raises(PredictionError, match=r"in\.parquet, row 41 \(from 0\).*no such leaf.*error_threshold"):
        bench.score(source, model=make_model(answer=fails_on({41, 77})))
    assert bench.visible() == []


@pytest.mark.parametrize(
    ("policy", "most"),
    [
        (RowPolicy(), 0),
        (RowPolicy(error_threshold=3), 3),
        (RowPolicy(max_rejected_fraction=0.02), 2),
        (RowPolicy(error_threshold=5, max_rejected_fraction=0.02), 2),
        (RowPolicy(error_threshold=-1, max_rejected_fraction=0.02), 2),
        (RowPolicy(error_threshold=-1), None),
    ],
)
def test_limits_of_rejected_rows(policy, most):
    assert policy.most(100) == most


@pytest.mark.parametrize("policy", [RowPolicy(error_threshold=2), RowPolicy(max_rejected_fraction=0.02)])
def test_one_reject_too_many_fails_the_run_over_all_parts(bench, make_model, monkeypatch, policy):
    monkeypatch.setattr("airflow_batch_inference.jobs.plan._PART_ROWS", 25)
    source = bench.write("in.parquet", numbers(100))
    _, record = bench.score(source, model=make_model(answer=fails_on({1, 99})), policy=policy)
    assert record.rows_rejected == 2
    with pytest.raises(TooManyRejectedRowsError, match="no such leaf"):
        bench.score(source, model=make_model(answer=fails_on({1, 50, 99}), versions={"v": "2"}), policy=policy)


def test_a_model_that_fails_on_every_row_is_noticed_after_a_few_calls(bench, make_model):
    model = make_model(answer=fails_on(set(range(100_000))))
    source = bench.write("in.parquet", numbers(10_000))
    with pytest.raises(
        TooManyRejectedRowsError, match=r"None of 128 rows that were tried can be scored: .*no such leaf"
    ):
        bench.score(source, model=model, policy=ANY, rows_per_batch=5_000)
    assert len(model.calls) < 200


def test_a_model_that_fails_on_every_later_row_is_noticed_after_a_few_calls(bench, make_model):
    model = make_model(answer=fails_on(set(range(5_000, 10_000))))
    source = bench.write("in.parquet", numbers(10_000))
    with pytest.raises(TooManyRejectedRowsError, match="the model and the data do not fit"):
        bench.score(source, model=model, policy=ANY, rows_per_batch=5_000)
    assert len(model.calls) < 20


def test_all_rows_may_be_rejected_where_any_number_may(bench, make_model):
    source = bench.write("in.parquet", numbers(70))
    model = make_model(answer=fails_on(set(range(65, 70))))
    _, record = bench.score(source, model=model, policy=ANY, rows_per_batch=65)
    assert (record.rows_out, record.rows_rejected) == (65, 5)


@pytest.mark.parametrize("answer", [lambda batch: np.zeros(batch.num_rows + 1), lambda batch: np.zeros((1, 1, 1))])
def test_a_wrong_number_of_rows_is_never_a_matter_of_single_rows(bench, make_model, answer):
    with pytest.raises(RowAlignmentError, match="returned an array of shape"):
        bench.score(bench.write("in.parquet", numbers(5)), model=make_model(answer=answer), policy=ANY)


def test_errors_of_the_network_reject_no_row(bench, make_model):
    def unreachable(batch):
        raise ConnectionResetError("feature store")

    with pytest.raises(ConnectionResetError):
        bench.score(bench.write("in.parquet", numbers(5)), model=make_model(answer=unreachable), policy=ANY)


def test_a_batch_that_needs_too_much_memory_is_halved(bench, make_model):
    def greedy(batch):
        if batch.num_rows > 10:
            raise MemoryError
        return np.zeros(batch.num_rows)

    _, record = bench.score(bench.write("in.parquet", numbers(100)), model=make_model(answer=greedy))
    assert (record.rows_out, record.rows_rejected) == (100, 0)


def test_redacted_columns_are_digests_in_values_and_errors(bench, make_model):
    def tells(batch):
        for value in batch.column("a").to_pylist():
            if value == 1.5:
                raise ValueError(f"cannot score {value}")
        return np.zeros(batch.num_rows)

    source = bench.write("in.parquet", pa.table({"id": ["secret-1", "secret-2"], "a": [0.0, 1.5], "b": [0.0, 0.0]}))
    policy = replace(ANY, redact_columns=("id", "a"))
    _, record = bench.score(source, model=make_model(answer=tells), policy=policy)
    (row,) = rejects(record)
    assert row["id"] == hashlib.sha256(b"secret-2").hexdigest()
    assert row["a"] == hashlib.sha256(b"1.5").hexdigest()
    for path in bench.root.rglob("*quarantine*/**/*"):
        assert not path.is_file() or b"secret-2" not in path.read_bytes()
    assert "cannot score 1.5" not in row["_error"]
    receipts = "".join(path.read_text() for path in bench.root.rglob("_work/*/*.json"))
    assert "cannot score 1.5" not in receipts


def test_a_column_named_as_the_quarantines_own_is_refused_only_where_rows_may_be_rejected(bench):
    source = bench.write("in.parquet", {"_row": [1], "a": [1.0], "b": [1.0]})
    assert bench.score(source)[1].rows_out == 1
    with pytest.raises(ConfigurationError, match="'_row'"):
        bench.score(source, policy=ANY)


# -- row alignment --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        lambda batch: np.sort(batch.column("a").to_numpy())[::-1],
        lambda batch: batch.column("a").to_numpy() - batch.column("a").to_numpy().mean(),
        lambda batch: np.roll(batch.column("a").to_numpy(), 1),
        lambda batch: np.roll(np.array([f"class {v}" for v in batch.column("a").to_pylist()]), 1),
    ],
    ids=["sorted", "centred", "shifted", "shifted text"],
)
def test_predictions_that_depend_on_other_rows_are_noticed(bench, make_model, answer):
    rng = np.random.default_rng(1)
    source = bench.write("in.parquet", {"a": rng.normal(size=200), "b": rng.normal(size=200)})
    with pytest.raises(RowAlignmentError, match="depends on the rows around it, or belongs to another row"):
        bench.score(source, model=make_model(answer=answer), alignment_check_rows=4)


def test_a_model_in_step_passes_and_rounding_is_no_fault(bench, make_model):
    def rounds(batch):
        return batch.column("a").to_numpy() * (1 + 1e-12 * batch.num_rows)

    rng = np.random.default_rng(1)
    source = bench.write("in.parquet", {"a": rng.normal(size=200), "b": rng.normal(size=200)})
    assert bench.score(source, model=make_model(answer=rounds), alignment_check_rows=8)[1].rows_out == 200


@pytest.mark.slow
def test_one_bad_row_in_a_million(bench, make_model):
    rows, bad = 1_000_000, 765_432
    source = bench.write("in.parquet", {"a": np.arange(float(rows)), "b": np.zeros(rows)})
    _, record = bench.score(
        source, model=make_model(answer=fails_on({float(bad)})), policy=RowPolicy(error_threshold=1)
    )
    assert (record.rows_in, record.rows_out, record.rows_rejected) == (rows, rows - 1, 1)
    (reject,) = rejects(record)
    assert (reject["_file"], reject["_row"]) == (f"file://{source}", bad)
    expected = np.delete(np.arange(float(rows)), bad)
    np.testing.assert_array_equal(bench.output(record).column("predicted_label").to_numpy(), expected)


# -- how rows are counted ----------------------------------------------------------------------------------------------


def test_rows_that_are_tried_first_count_once(bench, make_model):
    source = bench.write("in.parquet", numbers(1_064))
    model = make_model(answer=fails_on(set(range(64))))
    assert bench.score(source, model=model, policy=RowPolicy(error_threshold=64))[1].rows_rejected == 64


@pytest.mark.parametrize(
    ("policy", "rows", "most"),
    [
        (RowPolicy(max_rejected_fraction=0.0), None, 0),
        (RowPolicy(max_rejected_fraction=0.29), 100, 29),
        (RowPolicy(max_rejected_fraction=0.001), 999, 0),
    ],
)
def test_fractions_of_rows(policy, rows, most):
    assert policy.most(rows) == most
    assert policy.is_tolerant == (policy.max_rejected_fraction != 0)
