"""A scoring job: what is written, what makes another job, and that a stop leaves nothing visible."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from job_rows import ROWS, path_of
from publishing import publish

from airflow_batch_inference.records import PredictionSetRecord
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.score import score_dataset


def test_every_row_is_written_with_its_prediction_beside_it(bench):
    uri, record = bench.score(bench.write("in.parquet", {"id": ["x", "y", "z"], **ROWS}))
    assert bench.output(record).to_pydict() == {
        "id": ["x", "y", "z"],
        **ROWS,
        "predicted_label": [21.0, 42.0, 63.0],
    }
    assert (record.rows_in, record.rows_out, record.parts[0].rows) == (3, 3, 3)
    assert record.feature_columns == ("a", "b")
    assert record.label_columns == ("predicted_label",)
    assert PredictionSetRecord.from_json(path_of(uri).read_bytes(), where=uri) == record


def test_columns_are_matched_by_name_whatever_their_order_in_the_file(bench):
    _, record = bench.score(bench.write("in.parquet", {"b": ROWS["b"], "extra": [0, 0, 0], "a": ROWS["a"]}))
    assert bench.output(record).column("predicted_label").to_pylist() == [21.0, 42.0, 63.0]
    assert record.feature_columns == ("a", "b")
    assert bench.model.calls[0][0].column_names == ["a", "b"]


def test_the_output_is_in_input_order_over_all_files(bench):
    for day in ("2", "1", "3"):
        bench.write(f"in/{day}.parquet", {"a": [float(day)] * 2, "b": [0.0, 0.5]})
    _, record = bench.score(str(bench.folder / "in"), rows_per_batch=3)
    assert bench.output(record).column("predicted_label").to_pylist() == [1.0, 2.0, 2.0, 3.0, 3.0, 4.0]


def test_a_list_of_files_keeps_the_order_in_which_it_was_given(bench):
    files = [bench.write(f"in/{day}.parquet", {"a": [float(day)], "b": [0.0]}) for day in (2, 1, 3)]
    _, record = bench.score(files)
    assert bench.output(record).column("a").to_pylist() == [2.0, 1.0, 3.0]


def test_large_inputs_become_several_parts(bench, one_part_a_file):
    for day in (1, 2):
        bench.write(f"in/{day}.parquet", ROWS)
    _, record = bench.score(str(bench.folder / "in"))
    assert [part.rows for part in record.parts] == [3, 3]
    assert [path_of(part.uri).stat().st_size for part in record.parts] == [part.size_bytes for part in record.parts]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows_per_batch=st.integers(1, 300))
def test_any_mini_batch_size_gives_byte_identical_parts(bench, rows_per_batch):
    source = bench.folder / "in.parquet"
    if not source.exists():
        texts = ["Ulm", None, "Köln"]
        table = {"a": np.arange(200.0), "b": np.arange(200.0) % 7, "city": [texts[i % 3] for i in range(200)]}
        bench.write("in.parquet", table)
    whole = bench.folder / "whole"
    bench.root = whole
    _, expected = bench.score(str(source), rows_per_batch=200)
    bench.root = bench.folder / f"by-{rows_per_batch}"
    _, record = bench.score(str(source), rows_per_batch=rows_per_batch)
    assert [part.sha256 for part in record.parts] == [part.sha256 for part in expected.parts]


@pytest.mark.parametrize(
    ("output_format", "read"),
    [
        ("parquet", pq.read_table),
        ("csv", pa_csv.read_csv),
        ("arrow", lambda path: pa.ipc.open_file(path).read_all()),
        ("jsonl", lambda path: pa.Table.from_pylist([json.loads(line) for line in path.read_text().splitlines()])),
    ],
)
def test_each_output_format_holds_the_same_rows(bench, output_format, read):
    _, record = bench.score(bench.write("in.parquet", ROWS))
    assert [part.uri.rpartition(".")[2] for part in record.parts] == [record.output_format] == ["parquet"]
    target = bench.folder / f"out.{output_format}"
    publish(record, str(target), storage=bench.storage, target_storage=bench.storage)
    assert read(target).to_pydict() == {**ROWS, "predicted_label": [21.0, 42.0, 63.0]}


def test_the_footer_says_which_model_and_job_made_the_part(bench):
    _, record = bench.score(bench.write("in.parquet", ROWS))
    footer = pq.read_schema(path_of(record.parts[0].uri)).metadata
    assert footer[b"batch_inference.job_key"].decode() == record.job_key
    assert footer[b"batch_inference.model_sha256"].decode() == record.model_sha256


def test_log_result_set_false_scores_all_rows_and_keeps_no_part(bench):
    uri, record = bench.score(bench.write("in.parquet", ROWS), keep=False)
    assert (record.kept, record.parts, record.rows_out) == (False, (), 3)
    assert bench.visible() == [path_of(uri).name]
    assert not list(bench.root.rglob("*.parquet"))


def test_the_method_and_its_arguments_reach_the_model(bench):
    bench.model = replace(bench.model, methods=("predict", "decision_function"))
    bench.score(bench.write("in.parquet", ROWS), predict_method="decision_function", predict_kwargs={"depth": 3})
    assert {(method, kwargs["depth"]) for _, method, kwargs in bench.model.calls} == {("decision_function", 3)}


@pytest.mark.parametrize(
    "dataset",
    [
        [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]],
        [{"b": 10, "a": 1}, {"b": 20, "a": 2}, {"b": 30, "a": 3}],
        {"b": [10, 20, 30], "a": [1, 2, 3]},
    ],
    ids=["list of lists", "list of dicts", "dict of columns"],
)
def test_inline_records_are_scored_like_files(bench, dataset):
    _, record = bench.score(dataset)
    assert bench.output(record).column("predicted_label").to_pylist() == [21.0, 42.0, 63.0]
    assert record.dataset[0].uri.startswith("inline:")


def test_inline_lists_lose_columns_by_position(bench):
    _, record = bench.score([["id-1", 1.0, 10.0], ["id-2", 2.0, 20.0]], drop_columns=(0,))
    assert bench.output(record).to_pydict() == {"a": [1.0, 2.0], "b": [10.0, 20.0], "predicted_label": [21.0, 42.0]}


@pytest.mark.parametrize("output_format", ["parquet", "csv", "arrow"])
def test_an_allowed_empty_dataset_gives_readable_files_with_the_columns(bench, output_format):
    schema = pa.schema({"id": pa.string(), "a": pa.float64(), "b": pa.float64()})
    source = bench.write("in.parquet", schema.empty_table())
    _, record = bench.score(source, on_empty="succeed")
    target = bench.folder / f"out.{output_format}"
    publish(record, str(target), storage=bench.storage, target_storage=bench.storage)
    content = target.read_bytes()
    readers = {
        "parquet": pq.read_table,
        "csv": pa_csv.read_csv,
        "arrow": lambda file: pa.ipc.open_file(file).read_all(),
    }
    table = readers[output_format](io.BytesIO(content))
    assert (table.num_rows, table.column_names) == (0, ["id", "a", "b", "predicted_label"])


def test_an_empty_folder_gives_the_columns_of_the_model(bench):
    (bench.folder / "in").mkdir()
    _, record = bench.score(str(bench.folder / "in"), on_empty="succeed")
    assert bench.output(record).schema.names == ["a", "b", "predicted_label"]
    assert record.rows_out == 0


def test_the_same_job_again_returns_the_same_commit_without_scoring(bench):
    source = bench.write("in.parquet", ROWS)
    uri, record = bench.score(source)
    rows_before = sum(batch.num_rows for batch, _, _ in bench.model.calls)
    again, same = bench.score(source, attempt="2")
    assert (again, same) == (uri, record)
    # Only the first rows are predicted once more, to learn the output's types.
    assert sum(batch.num_rows for batch, _, _ in bench.model.calls) - rows_before <= 3
    assert len(bench.visible()) == 1
    assert len(list(bench.root.rglob("*.parquet"))) == 1


def test_the_mini_batch_size_is_no_part_of_the_job(bench):
    source = bench.write("in.parquet", ROWS)
    assert bench.score(source, rows_per_batch=1)[0] == bench.score(source, rows_per_batch=2)[0]


@pytest.mark.parametrize("changed", [{"name": "other"}, {"label_columns": ("p",)}, {"predict_kwargs": {"k": 1}}])
def test_another_option_makes_another_commit(bench, changed):
    source = bench.write("in.parquet", ROWS)
    first, _ = bench.score(source)
    second, _ = bench.score(source, **changed)
    assert (first[-7:], second[-7:]) == ("01.json", "02.json")


def test_a_changed_input_makes_a_second_commit_and_leaves_the_first(bench):
    first, old = bench.score(bench.write("in.parquet", ROWS))
    second, new = bench.score(bench.write("in.parquet", {**ROWS, "a": [7.0, 8.0, 9.0]}))
    assert (first.rsplit("/", 1)[1], second.rsplit("/", 1)[1]) == ("0000000001.json", "0000000002.json")
    assert bench.output(old).column("a").to_pylist() == ROWS["a"]
    assert bench.output(new).column("a").to_pylist() == [7.0, 8.0, 9.0]


@pytest.mark.parametrize("asked_before", range(6))
def test_a_stopped_job_leaves_nothing_visible(bench, asked_before, one_part_a_file):
    for day in (1, 2):
        bench.write(f"in/{day}.parquet", ROWS)
    answers = iter([*[False] * asked_before, True])
    with pytest.raises(InterruptedError, match="stopped before its prediction set was committed"):
        bench.score(str(bench.folder / "in"), stopped=lambda: next(answers), rows_per_batch=2)
    assert bench.visible() == []
    assert bench.unaccounted() == []


class CutOff(Storage):
    """Loses the connection right after a commit was written, before it can say so."""

    def put_new(self, uri, data):
        done = super().put_new(uri, data)
        if "/_commits/" in uri:
            raise TimeoutError("the answer did not arrive")
        return done


def test_a_commit_whose_answer_was_lost_is_found_again(bench):
    source = bench.write("in.parquet", ROWS)
    uri, record = bench.score(source, storage=CutOff())
    assert bench.output(record).num_rows == 3
    assert bench.score(source, attempt="2") == (uri, record)
    assert bench.visible() == [path_of(uri).name]


def test_another_batch_id_is_another_job(bench):
    source = bench.write("in.parquet", ROWS)
    request = bench.request(source)
    first, _ = score_dataset(request, storage=bench.storage)
    moved = replace(request, destination=replace(request.destination, batch_id="2013-04-09"))
    assert score_dataset(moved, storage=bench.storage)[0] != first
