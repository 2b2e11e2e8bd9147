"""Files of one format become one dataset, with one schema, and keep to it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import ConfigurationError, DataError
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORAGE = Storage()
TABLE = pa.table({"a": [1, 2, 3], "city": ["Ulm", "Köln", None]})


@pytest.mark.parametrize(
    "name", ["x.parquet", "x.csv", "x.csv.gz", "x.csv.zst", "x.arrow", "x.feather", "x.jsonl", "x.jsonl.gz"]
)
def test_every_format_gives_the_same_rows_and_reads_single_columns(write, name):
    dataset = open_dataset(write(name, TABLE), STORAGE)
    assert dataset.whole().to_pydict() == TABLE.to_pydict()
    assert dataset.select(["city"]).whole().to_pydict() == {"city": ["Ulm", "Köln", None]}
    assert dataset.select(["city", "a"]).whole().column_names == ["city", "a"]
    assert dataset.count_rows() == 3


@pytest.mark.parametrize("dataset", [None, 5, object(), Storage])
def test_what_is_no_dataset_is_refused(dataset):
    with pytest.raises(ConfigurationError, match=f"dataset is a {type(dataset).__name__}"):
        open_dataset(dataset, STORAGE)


def test_an_integer_that_the_common_type_cannot_hold_is_refused_with_its_file(write, tmp_path):
    write("in/1.parquet", {"id": [0.5]})
    write("in/2.parquet", {"id": [2**53 + 1]})
    with pytest.raises(DataError, match=rf"Column 'id' of \S+/in/2\.parquet cannot become double.*{2**53 + 1}"):
        open_dataset(str(tmp_path / "in"), STORAGE).whole()


def test_a_folder_s_value_that_does_not_fit_the_files_own_column_is_refused_with_its_file(write, tmp_path):
    write("in/day=1/1.parquet", {"a": [1], "day": [1]})
    write("in/day=x/2.parquet", {"a": [1]})
    with pytest.raises(DataError, match=r"Column 'day' of \S+/day=x/2\.parquet cannot become int64"):
        open_dataset(str(tmp_path / "in"), STORAGE).whole()


def test_a_file_s_own_column_wins_over_its_folder(write, tmp_path):
    write("in/day=1/1.parquet", {"day": [7]})
    assert open_dataset(str(tmp_path / "in"), STORAGE).whole().to_pydict() == {"day": [7]}


@pytest.mark.parametrize("values", [("01", "02"), ("1", "x"), ("1", "-1"), ("1", "2"), ("2026",), ("0.5",), ("true",)])
def test_folder_values_are_text_where_nobody_knows_their_type(write, tmp_path, values):
    for value in values:
        write(f"in/k={value}/1.parquet", {"a": [1]})
    found = open_dataset(str(tmp_path / "in"), STORAGE).whole()
    assert found.column("k").to_pylist() == sorted(values)


def test_only_folder_columns_still_tell_how_many_rows_there_are(write, tmp_path):
    write("in/day=3/1.parquet", TABLE)
    assert open_dataset(str(tmp_path / "in"), STORAGE).select(["day"]).whole().to_pydict() == {"day": ["3", "3", "3"]}


def test_empty_text_files_among_others_are_passed_over(write, tmp_path):
    write("in/1.csv", TABLE)
    (tmp_path / "in" / "0.csv").touch()
    dataset = open_dataset(str(tmp_path / "in"), STORAGE)
    assert [file.uri for file in dataset.snapshot] == [f"file://{tmp_path}/in/1.csv"]


def test_a_dataset_that_changed_has_another_snapshot(write):
    before = open_dataset(write("x.parquet", {"a": [1]}), STORAGE).snapshot
    assert open_dataset(write("x.parquet", {"a": [2]}), STORAGE).snapshot != before
    assert open_dataset({"a": [1]}, STORAGE).snapshot == open_dataset([{"a": 1}], STORAGE).snapshot
    assert open_dataset({"a": [1]}, STORAGE).snapshot != open_dataset({"a": [2]}, STORAGE).snapshot


def test_a_mini_batch_describes_at_most_three_files(write, tmp_path):
    for number in range(5):
        write(f"in/{number}.parquet", {"a": [1, 2]})
    (batch,) = open_dataset(str(tmp_path / "in"), STORAGE).mini_batches(100)
    described = batch.describe()
    assert "0.parquet rows 0 to 1" in described
    assert described.endswith("and 2 more files")
    with pytest.raises(IndexError):
        batch.locate(10)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", " 2.5 ", "-.5", "1e-3", "nan", None, "n/a", "x"], (6, "n/a")),
        (["1", "1.2.3"], (1, "1.2.3")),
        (["1", ""], (1, "")),
        (["1", "2"], None),
    ],
)
def test_the_first_text_that_is_no_number_is_found(write, texts, expected):
    path = write("x.parquet", {"a": texts})
    found = open_dataset(path, STORAGE).first_unreadable_number("a")
    assert found == (expected and (f"file://{path}", *expected))
