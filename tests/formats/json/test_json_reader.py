"""Lines that do not go together are named, or set aside; long ones are read; text is UTF-8."""

from __future__ import annotations

import gzip
import json

import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.json import blocks, schema
from airflow_batch_inference.records import ColumnSpec, ReadOptions
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()


def opened(path, types=None, **more):
    specs = tuple(ColumnSpec(name=name, type=kind) for name, kind in (types or {}).items())
    return open_dataset(str(path), STORE, reading=ReadOptions(types=specs), **more)


def lines(tmp_path, *rows, name="x.jsonl"):
    path = tmp_path / name
    content = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    return path


MIXED = [
    ({"x": "two"}, r"field 'x' holds text \(\"two\"\), and in the other lines a number"),
    ({"x": True}, r"field 'x' holds a boolean \(true\)"),
    ({"x": [1]}, r"field 'x' holds a list"),
    ({"x": {"y": 1}}, r"field 'x' holds an object"),
    ('{"x": \n', r"it is no JSON"),
    ("[1, 2]\n", r"it is a list, and no object"),
    ("5\n", r"it is a number, and no object"),
    ('{"x": 1, "x": 2}\n', r"it has more than one field named 'x'"),
]


@pytest.mark.parametrize(("odd", "said"), MIXED)
@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_a_line_that_does_not_go_with_the_others_is_named_with_file_line_and_field(tmp_path, odd, said, name):
    path = lines(tmp_path, {"x": 1}, "\n", {"x": 2.5}, odd, {"x": None}, name=name)
    with pytest.raises(DataError, match=rf"{name} has 1 line\(s\) .* the first is line 4, row 2 \(from 0\): {said}"):
        opened(path)


@pytest.mark.parametrize(("odd", "said"), MIXED)
@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_it_is_set_aside_where_rows_may_be(tmp_path, odd, said, name):
    path = lines(tmp_path, {"x": 1, "k": "a"}, {"x": 2.5, "k": "b"}, odd, {"x": None, "k": "d"}, name=name)
    (batch,) = opened(path, tolerant=True).mini_batches(10)
    assert batch.table.to_pydict() == {"x": [1.0, 2.5, None, None], "k": ["a", "b", None, "d"]}
    ((row, error),) = batch.broken
    assert row == 2
    assert pytest.raises(AssertionError, match=said).matches(AssertionError(error))


@pytest.mark.parametrize(
    ("types", "broken"), [({"x": "string"}, [0, 1, 2]), ({"x": "double"}, [3]), ({}, [3]), ({"x": "any"}, [3])]
)
def test_what_the_model_takes_decides_before_what_most_lines_hold(tmp_path, types, broken):
    path = lines(tmp_path, {"x": 1}, {"x": 2}, {"x": 3}, {"x": "four"})
    (batch,) = opened(path, types, tolerant=True).mini_batches(10)
    assert [row for row, _ in batch.broken] == broken


def test_kinds_that_change_from_one_block_to_the_next_are_told_apart_too(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    rows = [{"x": row, "t": "2024-01-01"} for row in range(100)] + [{"x": "last", "t": "soon"}]
    path = lines(tmp_path, *rows)
    with pytest.raises(DataError, match=r"line 101, row 100 \(from 0\): field 'x' holds text"):
        opened(path)
    batches = list(opened(path, tolerant=True).mini_batches(1000))
    assert batches[0].table.column("x").to_pylist() == [*range(100), None]
    assert [row for row, _ in batches[0].broken] == [100]


def test_each_part_of_a_cut_file_finds_its_own_broken_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64)
    path = lines(tmp_path, *({"x": "odd" if row % 7 == 3 else row} for row in range(50)))
    dataset = opened(path, tolerant=True)
    (batch,) = dataset.mini_batches(1000)
    assert [row for row, _ in batch.broken] == [row for row in range(50) if row % 7 == 3]
    assert sum(unit.rows for unit in dataset.units[0]) == 50


def test_kinds_that_are_mixed_within_a_list_are_named_with_their_line(tmp_path):
    path = lines(tmp_path, {"x": [1]}, {"x": [2]}, {"x": ["three"]})
    with pytest.raises(DataError, match=r"line 3: .*x.*changed from number to string"):
        opened(path)


def test_bytes_that_are_no_utf_8_cost_their_line(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'{"x": "a"}\n{"x": "caf\xe9"}\n')
    with pytest.raises(DataError, match="line 2, row 1"):
        opened(tmp_path / "x.jsonl")
    (batch,) = opened(tmp_path / "x.jsonl", tolerant=True).mini_batches(10)
    assert batch.table.to_pydict() == {"x": ["a", None]}


def test_the_byte_order_mark_is_no_part_of_the_first_line(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'\xef\xbb\xbf{"x": 1}\n{"x": 2}\n')
    assert opened(tmp_path / "x.jsonl").whole().to_pydict() == {"x": [1, 2]}
    (tmp_path / "y.jsonl").write_bytes('{"x": 1}\n'.encode("utf-16"))
    with pytest.raises(DataError, match=r"y\.jsonl is UTF-16.* Write it as UTF-8"):
        opened(tmp_path / "y.jsonl")


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_a_line_longer_than_the_parser_s_block_is_read(tmp_path, name):
    numbers = [float(value) for value in range(400_000)]
    path = lines(tmp_path, {"v": [1.0]}, {"v": numbers}, {"v": [2.0]}, name=name)
    assert path.stat().st_size > 3_000_000 or name.endswith("gz")
    assert opened(path).whole().column("v").to_pylist() == [[1.0], numbers, [2.0]]


def test_a_line_longer_than_the_limit_is_refused_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "MOST_LINE_BYTES", 5 << 20)
    path = lines(tmp_path, {"v": "x"}, {"v": "y" * (12 << 20)})
    with pytest.raises(DataError, match="a line is longer than 5,242,880 bytes, the limit"):
        opened(path)
