"""A JSON list of objects as a dataset: the rows that pandas reads of it, whatever the list looks like."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.json import array
from airflow_batch_inference.formats.units import RowRange
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

FRAME = pd.DataFrame(
    {
        "tensor": [[float(place), 0.5] for place in range(300)],
        "id": range(9_007_199_254_740_000, 9_007_199_254_740_300),
        "text": [f'ä"\\{{[,]}} {place}\n' for place in range(300)],
        "gap": [None if place % 7 else place / 3 for place in range(300)],
    }
)


def write(path, text, **options):
    path.write_text(text, **({"encoding": "utf-8"} | options))
    return str(path)


def rows(path):
    return open_dataset(path, Storage()).whole().to_pylist()


EXPECTED = json.loads(FRAME.to_json(orient="records", double_precision=15))
FORMS = {
    "as pandas writes it": lambda: FRAME.to_json(orient="records", double_precision=15),
    "indented": lambda: FRAME.to_json(orient="records", double_precision=15, indent=2),
    "a row a line": lambda: "[" + ",\n".join(json.dumps(row) for row in EXPECTED) + "\n]\n",
    "with blanks and a mark": lambda: "\ufeff\n\t [ " + " , ".join(json.dumps(row) for row in EXPECTED) + "\r\n ] \n",
}


@pytest.mark.parametrize("block", [7, 4096, 4 << 20])
@pytest.mark.parametrize("form", FORMS)
def test_the_rows_are_those_of_the_list_wherever_it_is_cut(tmp_path, monkeypatch, form, block):
    monkeypatch.setattr(array, "BLOCK_BYTES", block)
    path = write(tmp_path / "cc_data.df.json", FORMS[form]())
    assert rows(path) == EXPECTED


def test_it_may_be_compressed(tmp_path):
    path = tmp_path / "data.df.json.gz"
    path.write_bytes(gzip.compress(FRAME.to_json(orient="records", double_precision=15).encode()))
    assert rows(str(path)) == EXPECTED


def test_mini_batches_and_parts_keep_the_numbers_of_rows(tmp_path):
    path = write(tmp_path / "data.json", FRAME.to_json(orient="records", double_precision=15))
    dataset = open_dataset(path, Storage())
    assert [unit.rows for unit in dataset.units[0]] == [300]
    batches = list(dataset.mini_batches(70))
    assert [row for batch in batches for row in batch.table.to_pylist()] == EXPECTED
    assert batches[1].locate(5)[1] == 75
    (unit,) = dataset.units[0]
    for first, number in ((0, 300), (100, 200)):
        wanted = RowRange(0, unit.start, unit.stop, first, first, number)
        found = [row for batch in dataset.mini_batches(70, ranges=[wanted]) for row in batch.table.to_pylist()]
        assert found == EXPECTED[first : first + number]


def test_nan_as_python_writes_it_is_null_and_text_that_looks_like_it_is_text(tmp_path):
    records = [{"a": float("nan"), "b": "NaN"}, {"a": 1.5, "b": "[Infinity]"}]
    path = write(tmp_path / "data.json", json.dumps(records))
    assert rows(path) == [{"a": None, "b": "NaN"}, {"a": 1.5, "b": "[Infinity]"}]


def test_a_row_that_is_longer_than_a_block_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(array, "BLOCK_BYTES", 1000)
    values = np.arange(5000.0).tolist()
    path = write(tmp_path / "data.json", json.dumps([{"t": values}, {"t": [1.0]}]))
    assert rows(path) == [{"t": values}, {"t": [1.0]}]


def test_a_list_and_json_lines_go_together_and_an_empty_list_has_no_rows(tmp_path):
    records = [{"a": 1}, {"a": 2}]
    write(tmp_path / "1.json", json.dumps(records))
    write(tmp_path / "2.json", '{"a": 3}\n')
    write(tmp_path / "3.json", " []\n")
    assert rows(str(tmp_path)) == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert open_dataset(str(tmp_path / "3.json"), Storage()).count_rows() == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", r"Row 0 \(from 0\) of the list in .*data.json cannot be read: it is a number"),
        ('[{"a": 1}, [2]]', "Row 1 .* it is a list, where an object"),
        ('[{"a": 1}, "x"]', "Row 1 .* it is text"),
        ('[{"a": 1}, {"a": 2]', r"Row 1 .* it is no JSON \(Expecting ',' delimiter"),
        ('[{"a": 1}, {"a": ', "Row 1 .* it is no JSON"),
        ('[{"a": 1},', "Row 1 .* it is missing: the file ends before it"),
        ('[{"a": 1}', "Row 0 .* a comma or the list's end is missing"),
        ('[{"a": 1} {"a": 2}]', "Row 0 .* a comma or the list's end is missing"),
        ('[{"a": 1}] [{"a": 2}]', "holds more behind its list of 1 rows"),
        ('[{"a": 1}, {"a": Infinity}]', "Row 1 .* it holds Infinity"),
        ("[", "Row 0 .* the file ends"),
    ],
)
def test_what_is_no_list_of_objects_is_refused_with_its_row(tmp_path, text, words):
    path = write(tmp_path / "data.json", text)
    with pytest.raises(DataError, match=words):
        rows(path)


def test_a_row_without_an_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(array, "BLOCK_BYTES", 100)
    monkeypatch.setattr(array, "MOST_ROW_CHARACTERS", 1000)
    path = write(tmp_path / "data.json", '[{"a": 1}, {"a": "' + "x" * 5000)
    with pytest.raises(DataError, match=r"Row 1 .* longer than 1,000 characters"):
        rows(path)


@pytest.mark.parametrize("orient", ["split", "columns", "index", "table"])
@pytest.mark.parametrize("indent", [0, 2])
def test_other_orients_of_pandas_are_refused_by_name(tmp_path, orient, indent):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    path = write(tmp_path / "frame.json", frame.to_json(orient=orient, indent=indent))
    with pytest.raises(DataError, match=f"orient='{orient}', all in one object. Write it with orient='records'"):
        rows(path)


def test_values_alone_are_refused(tmp_path):
    path = write(tmp_path / "frame.json", pd.DataFrame({"a": [1.0]}).to_json(orient="values"))
    with pytest.raises(DataError, match=r"Row 0 .* it is a list"):
        rows(path)


def test_one_object_on_several_lines_is_refused(tmp_path):
    path = write(tmp_path / "one.json", json.dumps({"a": 1, "b": {"c": 2}}, indent=2))
    with pytest.raises(DataError, match="one JSON object on several lines"):
        rows(path)


def test_one_line_is_one_row_also_where_it_holds_lists_or_objects(tmp_path):
    for record in ({"tensor": [1.0, 2.0]}, {"place": {"zip": 1}, "age": 3}, {"columns": 1, "data": 2}):
        assert rows(write(tmp_path / "one.json", json.dumps(record))) == [record]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_list_in_utf_16_is_refused_by_its_name(tmp_path, encoding):
    (tmp_path / "x.json").write_bytes('[{"a": 1}]'.encode(encoding))
    with pytest.raises(DataError, match="UTF-16"):
        open_dataset(str(tmp_path / "x.json"), Storage())


def test_a_row_with_nan_keeps_all_else_as_it_is(tmp_path):
    (tmp_path / "x.json").write_text('[{"a": NaN, "b": "NaN \\" NaN", "c": [NaN, 1.10], "d": 9007199254740993}]')
    found = open_dataset(str(tmp_path / "x.json"), Storage()).whole().to_pylist()
    assert found == [{"a": None, "b": 'NaN " NaN', "c": [None, 1.1], "d": 9007199254740993}]


def test_a_name_that_stands_twice_in_a_row_with_nan_is_refused(tmp_path):
    (tmp_path / "x.json").write_text('[{"a": 1, "a": 2, "b": NaN}]')
    with pytest.raises(DataError, match=r"row 0 \(from 0\).*twice"):
        open_dataset(str(tmp_path / "x.json"), Storage())


@pytest.mark.parametrize(("name", "text"), [("x.json", "[{}, {}]"), ("x.jsonl", "{}\n{}\n")])
def test_rows_without_any_column_are_not_passed_over(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    (tmp_path / "y.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(DataError, match=r"2 row\(s\) and no column"):
        open_dataset(str(tmp_path), Storage())
