"""Bad rows are found, named and set aside; everything else is scored, and the rows add up."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import (
    ConfigurationError,
    DataError,
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
from airflow_batch_inference.workflows.score import score_dataset
from airflow_batch_inference.workflows.verify import verify

ANY = RowPolicy(error_threshold=-1)


def fails_on(bad):
    """An answer that raises where a batch holds one of these values of a."""

    def answer(batch):
        values = batch.column("a").to_numpy()
        if not bad.isdisjoint(values.tolist()):
            raise ValueError("no such leaf")
        return values + 2 * batch.column("b").to_numpy()

    return answer


def rejects(record):
    return [row for part in record.quarantine for row in pq.read_table(part.uri.removeprefix("file://")).to_pylist()]


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


# -- lines that are no rows, and text that is no number -----------------------------------------------------------


def write_lines(bench, lines, name="in.csv"):
    path = bench.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(2, 60), per_unit=st.integers(1, 20), per_batch=st.integers(1, 25), data=st.data())
def test_broken_csv_lines_are_rejected_wherever_they_stand(
    bench, tmp_path_factory, monkeypatch, make_model, rows, per_unit, per_batch, data
):
    monkeypatch.setattr("airflow_batch_inference.formats.csv.reader._TEXT_UNIT_ROWS", per_unit)
    monkeypatch.setattr("airflow_batch_inference.jobs.plan._PART_ROWS", 2 * per_unit)
    broken = data.draw(st.sets(st.integers(0, rows - 1), max_size=rows - 1))
    lines = [f"{row}" if row % 2 else f'"{row}",2,"x,\ny"' for row in range(rows)]
    bench = type(bench)(tmp_path_factory.mktemp("broken"))
    source = write_lines(bench, ["a,b", *(lines[row] if row in broken else f"{row},1" for row in range(rows))])
    uri, record = bench.score(source, model=make_model(), policy=ANY, rows_per_batch=per_batch)
    assert (record.rows_in, record.rows_rejected) == (rows, len(broken))
    found = rejects(record)
    assert [row["_row"] for row in found] == sorted(broken)
    assert all(row["_stage"] == "read" and row["a"] is None for row in found)
    assert all(lines[row["_row"]] in row["_error"] for row in found)
    assert bench.output(record).column("a").to_pylist() == [row for row in range(rows) if row not in broken]
    assert verify(uri, bench.storage, inputs=bench.storage).problems == []


def test_a_broken_line_fails_the_job_where_no_row_may_be_rejected(bench):
    source = write_lines(bench, ["a,b", "1,2", "3", "4,5,6"])
    with pytest.raises(
        DataError, match=r"2 line\(s\).*row 1 \(from 0\): expected 2 values, found 1: 3.*error_threshold"
    ):
        bench.score(source)
    assert not bench.visible()


def test_broken_lines_count_towards_the_threshold(bench):
    source = write_lines(bench, ["a,b", "1,2", "3", "4,5,6"])
    with pytest.raises(TooManyRejectedRowsError, match="expected 2 values, found 3: 4,5,6"):
        bench.score(source, policy=RowPolicy(error_threshold=1))
    assert bench.score(source, policy=RowPolicy(error_threshold=2))[1].rows_out == 1


def test_a_file_of_broken_lines_only_cannot_be_scored(bench):
    source = write_lines(bench, ["a,b", "1", "2"])
    with pytest.raises(TooManyRejectedRowsError, match="None of 2 rows that were tried can be scored: expected 2"):
        bench.score(source, policy=ANY)


def test_a_broken_line_is_not_shown_where_columns_are_redacted(bench):
    source = write_lines(bench, ["a,b", "1,2", "3,4,secret"])
    _, record = bench.score(source, policy=RowPolicy(error_threshold=1, redact_columns=("a",)))
    assert [row["_error"] for row in rejects(record)] == ["expected 2 values, found 3"]
    assert "secret" not in record.to_json().decode()


def test_text_that_is_no_number_is_rejected_and_the_column_stays_one_of_numbers(bench, make_model):
    model = make_model()
    model.inputs = tuple(replace(spec, type="double") for spec in model.inputs)
    source = write_lines(bench, ["id,a,b", "7,1,2", "8,many,4", "9,5.5,6"])
    uri, record = bench.score(source, model=model, policy=RowPolicy(error_threshold=1))
    assert bench.output(record).to_pylist() == [
        {"id": 7, "a": 1.0, "b": 2, "predicted_label": 5.0},
        {"id": 9, "a": 5.5, "b": 6, "predicted_label": 17.5},
    ]
    (row,) = rejects(record)
    assert (row["_row"], row["_stage"], row["id"], row["a"]) == (1, "schema", 8, "many")
    assert "'many' cannot become double" in row["_error"]
    assert verify(uri, bench.storage, inputs=bench.storage).problems == []


def test_parts_with_broken_lines_are_resumed(bench, caplog):
    source = write_lines(bench, ["a,b", "1,2", "3", "5,6"])
    request = bench.request(source, policy=ANY)

    def die():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        score_dataset(request, storage=bench.storage, fence=die)
    caplog.set_level("INFO")
    _, record = score_dataset(request, storage=bench.storage)
    assert "Resumed 1 of 1 parts" in caplog.text
    assert (record.rows_out, record.rows_rejected) == (2, 1)


def test_many_broken_lines_cost_no_more_predict_calls(bench, make_model):
    model = make_model()
    source = write_lines(bench, ["a,b", *(f"{row},1" if row % 2 else "x" for row in range(5_000))])
    _, record = bench.score(source, model=model, policy=ANY)
    assert (record.rows_out, record.rows_rejected) == (2_500, 2_500)
    assert len(model.calls) <= 4


def test_a_long_broken_line_is_shown_in_part(bench):
    source = write_lines(bench, ["a,b", "1,2", "x" * 100_000])
    assert len(rejects(bench.score(source, policy=ANY)[1])[0]["_error"]) < 300


def test_a_bad_value_in_one_of_several_csv_files_is_one_bad_row(bench, make_model):
    write_lines(bench, ["a,b,note", "3.50,1,7", "4,1,x"], "in/1.csv")
    write_lines(bench, ["a,b,note", "5,1,8", "many,1,9"], "in/2.csv")
    _, record = bench.score(str(bench.folder / "in"), model=doubles(make_model()), policy=ANY)
    assert bench.output(record).select(["a", "note"]).to_pylist() == [
        {"a": 3.5, "note": "7"},
        {"a": 4.0, "note": "x"},
        {"a": 5.0, "note": "8"},
    ]
    assert [(row["_row"], row["a"], row["note"]) for row in rejects(record)] == [(1, "many", "9")]


def doubles(model):
    model.inputs = tuple(replace(spec, type="double") for spec in model.inputs)
    return model


def test_text_is_read_as_the_csv_reader_reads_it_and_loses_no_digit(bench, make_model):
    source = bench.write("in.parquet", {"a": [" 5", "6 ", "9007199254740993", "1e3", "x"], "b": [0.0] * 5})
    _, record = bench.score(source, model=doubles(make_model()), policy=ANY)
    assert bench.output(record).column("a").to_pylist() == [5.0, 6.0, 1000.0]
    assert [row["a"] for row in rejects(record)] == ["9007199254740993", "x"]


@pytest.mark.parametrize(
    ("kind", "values", "good"),
    [("int64", ["3.0", "+4", "2.5", "x"], [3, 4]), ("bool", ["true", "false", "x"], [True, False])],
)
def test_text_for_other_kinds_of_numbers(bench, make_model, kind, values, good):
    model = make_model(answer=lambda batch: np.ones(batch.num_rows))
    model.inputs = (replace(model.inputs[0], type=kind), replace(model.inputs[1], type="double"))
    source = bench.write("in.parquet", {"a": values, "b": [0.0] * len(values)})
    _, record = bench.score(source, model=model, policy=ANY)
    assert bench.output(record).column("a").to_pylist() == good


def test_redacted_values_are_in_no_error(bench, make_model, caplog):
    source = bench.write("in.parquet", {"a": ["1", "se\ncret"], "b": [0.0, 0.0]})
    policy = RowPolicy(error_threshold=1, redact_columns=("a",))
    _, record = bench.score(source, model=doubles(make_model()), policy=policy)
    assert "cret" not in str(rejects(record))
    with pytest.raises(TooManyRejectedRowsError) as error:
        bench.score(
            bench.write("in2.parquet", {"a": ["1", "secret", "secret"], "b": [0.0] * 3}),
            model=doubles(make_model()),
            policy=policy,
        )
    assert "secret" not in str(error.value)
    assert "secret" not in caplog.text


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
