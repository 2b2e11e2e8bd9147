"""Text is read with the types that somebody wants; where nobody does, dates, times and codes stay the text they are."""

from __future__ import annotations

import datetime as dt
import json

import pandas as pd
import pyarrow as pa
import pytest

from airflow_batch_inference.records import ColumnSpec, ReadOptions
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
TEXTS = ["000123", "08:15:00", "1e5", "true", "2024-01-01", "2024-01-01T08:00:00Z", "0x1F", "+49", "5.10", "1", "-0"]


def opened(path, types=None, **more):
    specs = tuple(ColumnSpec(name=name, type=kind) for name, kind in (types or {}).items())
    return open_dataset(str(path), STORE, reading=ReadOptions(types=specs), **more)


def csv_of(tmp_path, values, name="x.csv"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("v,w\n" + "".join(f"{value},1\n" for value in values))
    return path


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_a_model_takes_is_read_digit_for_digit(tmp_path, text):
    path = csv_of(tmp_path, [text, text])
    assert opened(path, {"v": "string"}).whole().column("v").to_pylist() == [text, text]
    assert pd.read_csv(path, dtype={"v": str})["v"].tolist() == [text, text]
    (tmp_path / "x.jsonl").write_text(json.dumps({"v": text}) + "\n")
    assert opened(tmp_path / "x.jsonl", {"v": "string"}).whole().to_pylist() == [{"v": text}]
    assert opened(tmp_path / "x.jsonl").whole().to_pylist() == [{"v": text}]


@pytest.mark.parametrize(
    "values", [["2024-01-01", "2024-01-02"], ["08:15:00"], ["2024-01-01 10:00:00"], ["2024-01-01T08:00:00Z"]]
)
@pytest.mark.parametrize("before", [0, 1_500_000])
def test_times_that_nobody_asked_for_stay_text_as_pandas_leaves_them(tmp_path, values, before):
    path = csv_of(tmp_path, [""] * before + values)
    assert opened(path).whole().column("v").to_pylist()[before:] == values
    assert pd.read_csv(path, low_memory=False)["v"].tolist()[before:] == values


def test_times_within_lists_and_objects_stay_text(tmp_path):
    row = {"l": ["2024-01-01", "2024-01-02"], "o": {"t": "2024-01-01", "d": [{"x": "2024-01-01"}]}}
    (tmp_path / "x.jsonl").write_text(json.dumps(row) + "\n")
    assert opened(tmp_path / "x.jsonl").whole().to_pylist() == [row]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("timestamp[us]", "2024-01-01 08:00:00", pd.Timestamp("2024-01-01 08:00:00")),
        ("timestamp[us]", "2024-01-01", pd.Timestamp("2024-01-01")),
        ("date32[day]", "2024-01-01", dt.date(2024, 1, 1)),
        ("time64[us]", "08:15:00", dt.time(8, 15)),
        ("timestamp[ms, tz=UTC]", "2024-01-01T08:00:00Z", pd.Timestamp("2024-01-01 08:00:00", tz="UTC")),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_time_that_a_model_takes_is_one(tmp_path, kind, text, expected, suffix):
    path = csv_of(tmp_path, [text]) if suffix == "csv" else tmp_path / "x.jsonl"
    if suffix == "jsonl":
        path.write_text(json.dumps({"v": text, "w": 1}) + "\n")
    found = opened(path, {"v": kind, "absent": kind}).whole()
    assert found.column_names == ["v", "w"]
    assert found.column("v").to_pylist() == [expected]
    again = opened(path, {field.name: str(field.type) for field in found.schema}).whole()
    assert again.equals(found)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("kind", ["date32[day]", "timestamp[us, tz=UTC]", "time64[us]"])
@pytest.mark.parametrize(
    "values", [["2024-01-01T00:00:00Z", "soon"], ["2024-01-01T10:00:00"], ["08:15:00", "2024-01-01"]]
)
def test_a_time_that_one_value_is_none_of_is_text(tmp_path, suffix, kind, values):
    path = csv_of(tmp_path, values) if suffix == "csv" else tmp_path / "x.jsonl"
    if suffix == "jsonl":
        path.write_text("".join(json.dumps({"v": value}) + "\n" for value in values))
    assert opened(path, {"v": kind}).whole().column("v").to_pylist() == values


CODES = [
    (["007", "12"], True),
    (["12"] * 400_000 + ["007"], True),
    (["00", "1"], True),
    (["-01", "2"], True),
    (["0x1F", "2"], True),
    (["+4930123", "112"], True),
    (["1234567", "12E4567"], True),
    (["0", "10"], False),
    (["0.5", "00012.50"], False),
    (["1e300", "1e10"], False),
    (["1e+05", "2"], False),
    (["1e-05", "2"], False),
    (["+5", "-3"], False),
    (["+1.5", "2"], False),
    (["-0", "0"], False),
    (["100", "2020"], False),
]


@pytest.mark.parametrize(("values", "is_code"), CODES)
def test_a_column_of_whole_numbers_of_which_a_number_would_change_one_is_text(tmp_path, values, is_code):
    found = opened(csv_of(tmp_path, values)).whole().column("v")
    if is_code:
        assert found.to_pylist() == values
    else:
        assert found.to_pylist() == pd.read_csv(tmp_path / "x.csv")["v"].tolist()


@pytest.mark.parametrize("kind", ["int64", "double", "int8", "bool"])
def test_codes_are_numbers_where_the_model_takes_numbers(tmp_path, kind):
    path = csv_of(tmp_path, ["007", "12"])
    assert opened(path, {"v": kind}).whole().column("v").to_pylist() == [7, 12]


def test_quoted_codes_and_codes_behind_blanks_are_text_too(tmp_path):
    (tmp_path / "x.csv").write_text('v,w\n"007", 012\n"8",9\n')
    assert opened(tmp_path / "x.csv").whole().to_pydict() == {"v": ["007", "8"], "w": [" 012", "9"]}


def test_codes_in_one_file_of_a_folder_are_text_in_all(tmp_path):
    csv_of(tmp_path, ["12", "13"], "in/1.csv")
    csv_of(tmp_path, ["007", "14"], "in/2.csv")
    csv_of(tmp_path, ["", ""], "in/3.csv")
    found = opened(tmp_path / "in").whole()
    assert found.column("v").to_pylist() == ["12", "13", "007", "14", None, None]
    assert found.column("w").to_pylist() == [1] * 6


@pytest.mark.parametrize("sliced", [1, 2, 3, 5, 7])
def test_a_code_is_found_wherever_a_block_ends(tmp_path, monkeypatch, sliced):
    monkeypatch.setattr("airflow_batch_inference.formats.csv.reader.BLOCK_BYTES", 16 + sliced)
    path = csv_of(tmp_path, ["1", "22", "333", "007", "5"])
    assert opened(path).whole().column("v").to_pylist() == ["1", "22", "333", "007", "5"]


def test_a_model_may_write_blanks_as_underscores(tmp_path):
    (tmp_path / "x.csv").write_text("my code\n12\n")
    assert opened(tmp_path / "x.csv", {"my_code": "string"}).whole().to_pylist() == [{"my code": "12"}]


def test_columnar_files_keep_their_types_whatever_is_wanted(tmp_path):
    pd.DataFrame({"v": [7]}).to_parquet(tmp_path / "x.parquet")
    dataset = opened(tmp_path / "x.parquet", {"v": "string"})
    assert dataset.whole().schema == pa.schema([("v", pa.int64())])
    assert dataset.options is None


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("int64", ["01", "12"], [1, 12]),
        ("int32", ["00", "23"], [0, 23]),
        ("double", ["0.5", "-1"], [-1.0, 0.5]),
        ("bool", ["false", "True"], [True, False]),
        ("string", ["01", "02"], ["01", "02"]),
        ("date32[day]", ["2024-01-01"], [dt.date(2024, 1, 1)]),
        ("time32[s]", ["08:15:00"], [dt.time(8, 15)]),
        ("int64", ["01", "unknown"], ["01", "unknown"]),
        ("bool", ["yes"], ["yes"]),
        ("any", ["7"], ["7"]),
        ("int64", ["__HIVE_DEFAULT_PARTITION__", "3"], [3, None]),
    ],
)
def test_folders_have_the_type_that_a_model_takes_if_all_can_be_it(tmp_path, kind, values, expected):
    for value in values:
        (tmp_path / "in" / f"k={value}").mkdir(parents=True)
        pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "in" / f"k={value}" / "f.parquet")
    dataset = opened(tmp_path / "in", {"k": kind})
    assert dataset.whole().column("k").to_pylist() == expected
    again = open_dataset(str(tmp_path / "in"), STORE, reading=dataset.options)
    assert again.whole().equals(dataset.whole())
