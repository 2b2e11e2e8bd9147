"""The first row of a CSV file is names, or it is refused until somebody says what it is."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.csv.options import parse_csv_options
from airflow_batch_inference.records import ReadOptions
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()


def opened(path, known=None, *, tolerant=False, **options):
    reading = ReadOptions(csv=parse_csv_options(options))
    return open_dataset(str(path), STORE, reading=reading, model_names=known, tolerant=tolerant)


def written(tmp_path, content, name="x.csv"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content.encode()) if name.endswith("gz") else content.encode())
    return path


@pytest.mark.parametrize(
    "first",
    [
        "1,2,3",
        "1,1,1",
        "5.1,3.5,1.4",
        "1,,3",
        ",,3",
        "-1,+2,3e5",
        "2024-01-01,5,true",
        "2024-01-01 08:00:00,5,6",
        "08:15:00,1,2",
        '"1","2","3"',
        "NA,1,NaN",
        "ann,5.1,3.5",
        "ann,7,7",
        "x,1e5,2",
    ],
)
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_a_first_row_that_may_be_data_is_refused_where_there_are_no_names(tmp_path, first, name):
    path = written(tmp_path, f"{first}\n4,5,6\n", name)
    with pytest.raises(DataError, match=r"The first row of \S+ looks like data, .*\"names\": .*\"header\": false"):
        opened(path)
    assert opened(path, header=False).whole().num_rows == 2
    assert opened(path, names=["a", "b", "c"]).whole().num_rows == 2


@pytest.mark.parametrize("first", ["1,2,3", "1.5,2.5,3.5"])
def test_a_file_of_one_row_without_a_line_end_is_looked_at_too(tmp_path, first):
    path = written(tmp_path, first)
    with pytest.raises(DataError, match="looks like data"):
        opened(path)
    assert opened(path, header=False).whole().num_rows == 1


@pytest.mark.parametrize(
    "first", ["a,b,c", "id,0,1", "2024,a,b", "x1,x2,x3", "Z,T,e5", "NA,x,y", "q0.5,q0.9,id", ",a,b"]
)
def test_names_are_names(tmp_path, first):
    path = written(tmp_path, f"{first}\n4,5,6\n")
    assert opened(path).whole().num_rows == 1


def test_numbers_are_names_where_the_model_has_them_or_somebody_says_so(tmp_path):
    path = written(tmp_path, "0,1,2\n4,5,6\n")
    assert opened(path, known=["0", "1", "2"]).whole().to_pylist() == [{"0": 4, "1": 5, "2": 6}]
    assert opened(path, header=True).whole().to_pylist() == [{"0": 4, "1": 5, "2": 6}]


@pytest.mark.parametrize("first", ["1,2,3", "ann,2,x"])
def test_a_model_with_names_makes_the_first_row_look_like_data_too(tmp_path, first):
    path = written(tmp_path, f"{first}\n4,5,6\n")
    with pytest.raises(DataError, match="looks like data"):
        opened(path, known=["a", "b", "c"])


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
@pytest.mark.parametrize("rows", [1, 2, 300_000])
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_file_without_a_header_is_what_pandas_reads(tmp_path, name, rows, end):
    path = written(tmp_path, "\n".join(f"{row},{row / 4},x{row}" for row in range(rows)) + end, name)
    dataset = opened(path, names=["a", "b", "c"])
    expected = pd.read_csv(path, header=None, names=["a", "b", "c"])
    assert dataset.whole().to_pandas().equals(expected.astype(dataset.whole().to_pandas().dtypes))
    assert sum(unit.rows for unit in dataset.units[0]) == rows
    assert len(dataset.units[0]) > 1 or rows < 100_000 or name == "x.csv.gz"


def test_every_file_of_a_folder_without_headers_keeps_its_first_row(tmp_path):
    for part in range(3):
        written(tmp_path, f"{part},1.5\n{part},2.5\n", f"in/part-{part}.csv")
    found = opened(tmp_path / "in", header=False).whole()
    assert found.to_pydict() == {"column_0": [0, 0, 1, 1, 2, 2], "column_1": [1.5, 2.5] * 3}


def test_broken_lines_of_a_file_without_a_header_keep_their_numbers(tmp_path):
    path = written(tmp_path, "1,2\n3\n4,5\n\n6,7,8\n")
    (batch,) = opened(path, names=["a", "b"], tolerant=True).mini_batches(10)
    assert [row for row, _ in batch.broken] == [1, 3]
    assert batch.table.column("a").to_pylist() == [1, None, 4, None]


def test_names_may_take_the_place_of_those_of_the_header(tmp_path):
    path = written(tmp_path, 'x,"y\nz"\n1,2\n3\n4,5\n')
    (batch,) = opened(path, names=["a", "b"], header=True, tolerant=True).mini_batches(10)
    assert batch.table.column("a").to_pylist() == [1, None, 4]
    assert batch.broken == ((1, "expected 2 values, found 1: 3"),)


def test_names_take_the_place_in_a_long_file_and_a_header_alone(tmp_path):
    path = written(tmp_path, "x,y\n" + "".join(f"{row},v\n" for row in range(200_000)))
    found = opened(path, names=["a", "b"], header=True)
    assert found.whole().column("a").to_pylist() == list(range(200_000))
    assert len(found.units[0]) > 1
    for content in ("x,y", "x,y\n"):
        assert opened(written(tmp_path, content), names=["a", "b"], header=True).whole().to_pydict() == {
            "a": [],
            "b": [],
        }


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"]])
def test_names_must_be_one_for_each_column(tmp_path, names):
    with pytest.raises(DataError, match=r"has \d names, but the first row of \S+ has 2 values"):
        opened(written(tmp_path, "1,2\n"), names=names)


def test_names_that_the_file_has_itself_are_no_row_of_data(tmp_path):
    with pytest.raises(DataError, match="its first row is the names themselves"):
        opened(written(tmp_path, "a,b\n1,2\n"), names=["a", "b"])


def test_a_file_without_a_row_has_none_without_a_header_too(tmp_path):
    assert opened(written(tmp_path, "\n\n", "x.csv"), header=False).whole().num_rows == 0
    assert opened(written(tmp_path, "", "y.csv.gz"), header=False).whole().num_rows == 0
