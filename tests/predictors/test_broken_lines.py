"""Lines that are no rows, and text that is no number, are rejected like other bad rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rejected_rows import rejects

from airflow_batch_inference.exceptions import (
    DataError,
    TooManyRejectedRowsError,
)
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.workflows.score import score_dataset
from airflow_batch_inference.workflows.verify import verify

ANY = RowPolicy(error_threshold=-1)


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
