from __future__ import annotations

import io
import json
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from bench import with_record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from publishing import publish

from airflow_batch_inference.exceptions import (
    ArtifactConflictError,
    ConfigurationError,
    DataError,
    EmptyDatasetError,
    PredictionError,
    SignatureMismatchError,
)
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.records import PredictionSetRecord
from airflow_batch_inference.sinks.base import Target
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.preflight import preflight
from airflow_batch_inference.workflows.score import score_dataset

TWO_TO_53 = 2**53
ROWS = {"a": [1.0, 2.0, 3.0], "b": [10.0, 20.0, 30.0]}


def path_of(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


@pytest.fixture
def one_part_a_file(monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", 3)


# -- what is written ------------------------------------------------------------------------------------------


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


# -- columns --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drop", [("id",), (0,), ("id", 0)])
def test_drop_columns_takes_names_and_positions(bench, drop):
    _, record = bench.score(bench.write("in.parquet", {"id": [1, 2, 3], **ROWS}), drop_columns=drop)
    assert bench.output(record).column_names == ["a", "b", "predicted_label"]


@pytest.mark.parametrize("drop", ["Id", 3, -1])
def test_dropping_a_column_that_is_not_there_is_refused(bench, drop):
    with pytest.raises(ConfigurationError, match=rf"drop_columns names {drop!r}, .* Its columns: id, a, b"):
        bench.score(bench.write("in.parquet", {"id": [1, 2, 3], **ROWS}), drop_columns=(drop,))


def test_dropping_a_feature_is_reported_as_a_missing_column(bench):
    with pytest.raises(SignatureMismatchError, match="'a'"):
        bench.score(bench.write("in.parquet", ROWS), drop_columns=("a",))


def test_passthrough_columns_choose_what_stands_beside_the_predictions(bench):
    source = bench.write("in.parquet", {"id": [1, 2, 3], **ROWS})
    _, chosen = bench.score(source, passthrough_columns=("id",))
    assert bench.output(chosen).column_names == ["id", "predicted_label"]
    _, none = bench.score(source, passthrough_columns=None)
    assert bench.output(none).column_names == ["predicted_label"]


def test_an_index_of_pandas_is_neither_a_feature_by_position_nor_in_the_output(bench, make_model):
    path = bench.folder / "in.parquet"
    pd.DataFrame(ROWS, index=pd.Index(["x", "y", "z"], name="key")).to_parquet(path)
    bench.model = make_model(inputs=None)
    _, record = bench.score(str(path))
    assert bench.output(record).to_pydict() == {**ROWS, "predicted_label": [21.0, 42.0, 63.0]}


def test_an_index_of_pandas_that_is_named_is_passed_through(bench):
    path = bench.folder / "in.parquet"
    pd.DataFrame(ROWS, index=pd.Index(["x", "y", "z"], name="key")).to_parquet(path)
    _, record = bench.score(str(path), passthrough_columns=("key",))
    assert bench.output(record).to_pydict() == {"key": ["x", "y", "z"], "predicted_label": [21.0, 42.0, 63.0]}


def test_an_index_of_pandas_that_the_model_names_is_its_input(bench):
    path = bench.folder / "in.parquet"
    pd.DataFrame({"a": ROWS["a"]}, index=pd.Index(ROWS["b"], name="b")).to_parquet(path)
    _, record = bench.score(str(path))
    assert bench.output(record).column("predicted_label").to_pylist() == [21.0, 42.0, 63.0]


ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


def odd_columns():
    """Columns that CSV and JSON have no types for, as a database or pandas writes them."""
    frame = pd.DataFrame({"month": pd.period_range("2024-05", periods=3, freq="M")})
    ids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([ID.bytes] * 3, pa.binary(16)))
    image, waited = pa.array([b"\xff\x00", None, b"x"]), pa.array([5, None, 0], pa.duration("s"))
    table = pa.Table.from_pandas(frame).append_column("id", ids)
    return table.append_column("image", image).append_column("waited", waited)


@pytest.mark.parametrize("output_format", ["csv", "jsonl"])
def test_columns_without_a_type_in_text_are_written_as_text_of_one_form(bench, output_format):
    table = odd_columns().append_column("a", pa.array(ROWS["a"])).append_column("b", pa.array(ROWS["b"]))
    _, record = bench.score(bench.write("in.parquet", table))
    path = bench.folder / f"out.{output_format}"
    publish(record, str(path), storage=bench.storage, target_storage=bench.storage)
    csv = output_format == "csv"
    frame = pd.read_csv(path, dtype=str) if csv else pd.read_json(path, lines=True, dtype=False)
    found = {name: [None if pd.isna(value) else value for value in frame[name]] for name in frame}
    assert found["id"] == [str(ID)] * 3
    assert found["month"] == ["2024-05", "2024-06", "2024-07"]
    assert found["image"] == ["/wA=", None, "eA=="]
    assert found["waited"] == ["0 days 00:00:05", None, "0 days 00:00:00"]
    types = {spec.name: spec.type for spec in record.columns}
    assert [types[name] for name in ("image", "waited")] == ["binary", "duration[s]"]


def test_a_column_that_parquet_cannot_hold_is_refused_before_anything_is_written(bench):
    column = pa.array([pa.MonthDayNano([1, 2, 3])] * 3)
    path = bench.folder / "in.arrow"
    table = pa.table({**ROWS, "every": column})
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)
    words = r"A prediction set \(Parquet\) cannot hold the column 'every', of month_day_nano_interval\. Write it as"
    with pytest.raises(ConfigurationError, match=words):
        bench.score(str(path))
    assert bench.files() == []
    found = preflight(lambda: bench.request(str(path)), dataset=str(path), storage=bench.storage)
    assert any("cannot hold the column 'every'" in each.text for each in found.findings if each.level == "problem")
    _, record = bench.score(str(path), passthrough_columns=("a",))
    assert record.rows_out == 3


@pytest.mark.parametrize("where", ["out.csv", "out"])
def test_a_column_that_the_target_cannot_hold_is_refused_before_anything_is_written(bench, where):
    source = bench.write("in.parquet", {**ROWS, "tags": [["x"], [], None]})
    target = Target(name=str(bench.folder / where), storage=bench.storage, output_format="csv")
    with pytest.raises(
        ConfigurationError, match=r"CSV cannot hold the column 'tags', a list\. Choose another output_f"
    ):
        score_dataset(bench.request(source), storage=bench.storage, targets=[target])
    assert bench.files() == []
    found = preflight(lambda: bench.request(source), dataset=source, storage=bench.storage, targets=[target])
    assert [each.text for each in found.findings if "'tags', a list" in each.text]
    _, record = score_dataset(
        bench.request(source, passthrough_columns=("a",)), storage=bench.storage, targets=[target]
    )
    assert record.rows_out == 3
    assert not (bench.folder / where).exists()


def test_targets_that_would_not_be_published_to_cost_no_scoring(bench):
    source, theirs = bench.write("in.parquet", ROWS), bench.folder / "theirs.parquet"
    theirs.write_text("somebody's")
    free = Target(name=str(bench.folder / "free"), storage=bench.storage)
    taken = Target(name=str(theirs), storage=bench.storage)
    with pytest.raises(ArtifactConflictError, match="no manifest says that this package published it"):
        score_dataset(bench.request(source), storage=bench.storage, targets=[free, taken])
    with pytest.raises(ConfigurationError, match="log_result_set=False"):
        score_dataset(bench.request(source, keep=False), storage=bench.storage, targets=[free])
    assert bench.files() == []


def test_predictions_of_another_version_in_the_partition_cost_no_scoring(bench):
    source, day = bench.write("in.parquet", ROWS), bench.folder / "day=1"
    _, record = bench.score(source)
    publish(record, str(day / "a.parquet"), storage=bench.storage, target_storage=bench.storage)
    beside = Target(name=str(day / "b.parquet"), storage=bench.storage)
    score_dataset(bench.request(source), storage=bench.storage, targets=[beside])
    newer = with_record(bench.request(source), sha256="7" * 64)
    with pytest.raises(ArtifactConflictError, match="predictions of another version of the model"):
        score_dataset(newer, storage=bench.storage, targets=[beside])
    score_dataset(newer, storage=bench.storage, targets=[replace(beside, allow_mixed_versions=True)])


def test_an_earlier_states_set_of_text_is_refused_by_name(bench):
    uri, record = bench.score(bench.write("in.parquet", ROWS))
    old = replace(record, output_format="csv")
    with pytest.raises(ConfigurationError, match="written as csv by an earlier state of this package"):
        publish(old, str(bench.folder / "x.csv"), storage=bench.storage, target_storage=bench.storage)
    path_of(uri).write_bytes(old.to_json())
    with pytest.raises(ConfigurationError, match="written as csv by an earlier state of this package"):
        open_dataset(uri, bench.storage)


def test_a_rejected_row_keeps_a_column_that_parquet_has_no_type_for(bench, make_model):
    column = pa.array([pa.MonthDayNano([1, 2, 3])] * 3)
    path = bench.folder / "in.arrow"
    table = pa.table({"a": ["1", "none", "3"], "b": ROWS["b"], "every": column})

    def refusing(batch):
        if "none" in batch.column("a").to_pylist():
            raise ValueError("no number")
        return np.zeros(batch.num_rows)

    bench.model = make_model(inputs=None, n_features=None, answer=refusing)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)
    _, record = bench.score(str(path), passthrough_columns=("a",), policy=RowPolicy(error_threshold=1))
    (rejected,) = pq.read_table(path_of(record.quarantine[0].uri)).to_pylist()
    assert (rejected["a"], rejected["every"]) == ("none", str(column[0].as_py()))


def test_an_unknown_passthrough_column_is_refused(bench):
    with pytest.raises(ConfigurationError, match=r"passthrough_columns names 'idd'.*a, b"):
        bench.score(bench.write("in.parquet", ROWS), passthrough_columns=("idd",))


def test_a_label_that_the_input_has_already_is_refused(bench):
    source = bench.write("in.parquet", {**ROWS, "label": [0, 0, 0]})
    with pytest.raises(ConfigurationError, match="'label' would stand twice"):
        bench.score(source, label_columns=("label",))
    _, record = bench.score(source, label_columns=("label",), drop_columns=("label",))
    assert bench.output(record).column_names == ["a", "b", "label"]


def test_several_prediction_columns_are_numbered_or_named(bench, make_model):
    model = make_model(answer=lambda batch: np.column_stack([batch.column("a"), batch.column("b")]))
    source = bench.write("in.parquet", ROWS)
    _, numbered = bench.score(source, model=model)
    assert numbered.label_columns == ("predicted_label_0", "predicted_label_1")
    _, named = bench.score(source, model=model, label_columns=("p0", "p1"))
    output = bench.output(named)
    assert (output.column("p0").to_pylist(), output.column("p1").to_pylist()) == (ROWS["a"], ROWS["b"])
    with pytest.raises(ConfigurationError, match=r"names 1 column.*the model returns 2"):
        bench.score(source, model=model, label_columns=("p",))


def test_text_predictions_stay_text(bench, make_model):
    model = make_model(answer=lambda batch: np.where(batch.column("a").to_numpy() > 1, "late", "on time"))
    _, record = bench.score(bench.write("in.parquet", ROWS), model=model)
    assert bench.output(record).column("predicted_label").to_pylist() == ["on time", "late", "late"]


def test_the_method_and_its_arguments_reach_the_model(bench):
    bench.model = replace(bench.model, methods=("predict", "decision_function"))
    bench.score(bench.write("in.parquet", ROWS), predict_method="decision_function", predict_kwargs={"depth": 3})
    assert {(method, kwargs["depth"]) for _, method, kwargs in bench.model.calls} == {("decision_function", 3)}


# -- inline ---------------------------------------------------------------------------------------------------


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


# -- bad input ------------------------------------------------------------------------------------------------


def refused(bench, error, match, dataset, **arguments):
    """Score, expect the error, and check that nothing is committed, and no file is left without its receipt."""
    with pytest.raises(error, match=match):
        bench.score(dataset, **arguments)
    assert bench.visible() == []
    assert bench.unaccounted() == []


def test_a_missing_column_is_named_with_the_likely_one(bench):
    source = bench.write("in.parquet", {"A ": ROWS["a"], "b": ROWS["b"]})
    refused(bench, SignatureMismatchError, r"did you mean 'A '", source)


def test_text_where_a_number_belongs_names_file_column_and_first_row(bench):
    bench.write("in/1.parquet", {"a": ["1", "2"], "b": [0.0, 0.0]})
    bench.write("in/2.parquet", {"a": ["3", "n/a"], "b": [0.0, 0.0]})
    match = r"Column 'a' of \S+/in/2\.parquet holds text: row 1 \(from 0\) is 'n/a'"
    refused(bench, SignatureMismatchError, match, str(bench.folder / "in"))


def test_an_integer_that_no_double_holds_is_refused_with_its_row(bench):
    source = bench.write("in.parquet", {"a": [1, TWO_TO_53, TWO_TO_53 + 1], "b": [0, 0, 0]})
    match = rf"Column 'a' of \S+/in\.parquet, row 2 .*'{TWO_TO_53 + 1}'"
    refused(bench, SignatureMismatchError, match, source)


@pytest.mark.parametrize("rows_per_batch", [1, 2, 7])
def test_the_row_of_a_bad_value_is_counted_in_its_file(bench, rows_per_batch):
    bench.write("in/1.parquet", {"a": [1, 2, 3], "b": [0, 0, 0]})
    bench.write("in/2.parquet", {"a": [4, TWO_TO_53 + 1, 6], "b": [0, 0, 0]})
    match = r"Column 'a' of \S+/in/2\.parquet, row 1 "
    refused(bench, SignatureMismatchError, match, str(bench.folder / "in"), rows_per_batch=rows_per_batch)


def test_a_feature_that_one_file_lacks_names_that_file(bench):
    bench.write("in/1.parquet", ROWS)
    bench.write("in/2.parquet", {"a": ROWS["a"]})
    refused(bench, SignatureMismatchError, r"in/2\.parquet lacks the column 'b'", str(bench.folder / "in"))


def test_another_column_that_one_file_lacks_is_null_there(bench):
    bench.write("in/1.parquet", {**ROWS, "id": ["x", "y", "z"]})
    bench.write("in/2.parquet", ROWS)
    _, record = bench.score(str(bench.folder / "in"))
    assert bench.output(record).column("id").to_pylist() == ["x", "y", "z", None, None, None]


def test_a_file_damaged_in_the_middle_leaves_neither_commit_nor_part(bench, monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", 5000)
    for day in (1, 2, 3):
        bench.write(f"in/{day}.parquet", {"a": np.random.default_rng(day).normal(size=5000), "b": np.zeros(5000)})
    damaged = bench.folder / "in" / "2.parquet"
    # Without page checksums some damage is just other numbers, which nobody can notice.
    pq.write_table(pq.read_table(damaged), damaged, write_page_checksum=True)
    content = bytearray(damaged.read_bytes())
    content[20_000:20_050] = bytes(50)
    damaged.write_bytes(content)
    refused(bench, DataError, r"in/2\.parquet cannot be read", str(bench.folder / "in"), rows_per_batch=1000)
    assert len(bench.model.calls) == 1 + 5


def test_a_truncated_file_is_noticed_before_anything_is_scored(bench):
    bench.write("in/1.parquet", ROWS)
    path = Path(bench.write("in/2.parquet", ROWS))
    path.write_bytes(path.read_bytes()[:-10])
    refused(bench, DataError, r"in/2\.parquet cannot be read", str(bench.folder / "in"))
    assert bench.model.calls == []


# -- a bad model ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        lambda batch: np.zeros(batch.num_rows - 1),
        lambda batch: np.zeros(batch.num_rows + 1),
        lambda batch: np.float64(1.0),
    ],
    ids=["one too few", "one too many", "a scalar"],
)
def test_predictions_that_are_not_one_a_row_are_refused(bench, make_model, answer):
    refused(bench, PredictionError, r"returned an array of shape", bench.write("in.parquet", ROWS),
            model=make_model(answer=answer))  # fmt: skip


def test_a_model_that_fails_late_leaves_neither_commit_nor_part(bench, make_model, one_part_a_file):
    def fails_above_two(batch):
        if batch.column("a").to_numpy().max() > 2:
            raise RuntimeError("no such leaf")
        return np.zeros(batch.num_rows)

    bench.write("in/1.parquet", {"a": [1.0], "b": [0.0]})
    bench.write("in/2.parquet", ROWS)
    match = r"predict failed on .*/in/2\.parquet, row 2 \(from 0\): RuntimeError: no such leaf"
    refused(bench, PredictionError, match, str(bench.folder / "in"), model=make_model(answer=fails_above_two),
            rows_per_batch=1)  # fmt: skip


def test_predictions_that_change_their_type_are_refused(bench, make_model):
    def becomes_text(batch):
        return np.array(["late"]) if batch.column("a")[0].as_py() == 3 else np.zeros(1)

    refused(bench, PredictionError, "differ from those of the first rows", bench.write("in.parquet", ROWS),
            model=make_model(answer=becomes_text), rows_per_batch=1)  # fmt: skip


def test_running_out_of_memory_is_not_blamed_on_the_data(bench, make_model):
    def greedy(batch):
        raise MemoryError

    refused(bench, MemoryError, None, bench.write("in.parquet", ROWS), model=make_model(answer=greedy))


# -- an empty dataset -----------------------------------------------------------------------------------------


def test_no_rows_fail_unless_allowed(bench):
    source = bench.write("in.parquet", pa.schema({"a": pa.float64(), "b": pa.float64()}).empty_table())
    refused(bench, EmptyDatasetError, r"in\.parquet has no rows to score", source)


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


# -- again, stopped, in conflict ------------------------------------------------------------------------------


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
