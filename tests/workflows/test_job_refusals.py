"""Inputs and models that a scoring job refuses: with the file, the column and the row, and nothing left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from job_rows import ROWS

from airflow_batch_inference.exceptions import (
    DataError,
    EmptyDatasetError,
    PredictionError,
    SignatureMismatchError,
)
from airflow_batch_inference.jobs import plan

TWO_TO_53 = 2**53


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


def test_no_rows_fail_unless_allowed(bench):
    source = bench.write("in.parquet", pa.schema({"a": pa.float64(), "b": pa.float64()}).empty_table())
    refused(bench, EmptyDatasetError, r"in\.parquet has no rows to score", source)
