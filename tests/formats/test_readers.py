"""Every format gives the same rows; types hold for the whole file; damage names the file."""

from __future__ import annotations

import gzip
import json

import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.csv import reader
from airflow_batch_inference.formats.readers import inspect_file, read_tables
from airflow_batch_inference.formats.writers import PartWriter
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
ROWS = {"i": [1, None, 3], "f": [0.1, 1e300, None], "s": ['ä,\n"x"', "", None], "b": [True, False, None]}
TABLE = pa.table(ROWS)


def whole(path, **arguments):
    return open_dataset(str(path), STORE, **arguments).whole()


@pytest.mark.parametrize("name", ["x.parquet", "x.pq", "x.arrow", "x.feather", "x.ipc"])
def test_columnar_formats_keep_types_and_nulls(tmp_path, name):
    path = tmp_path / name
    if name.endswith(("parquet", "pq")):
        pq.write_table(TABLE, path)
    elif name.endswith("feather"):
        feather.write_feather(TABLE, path)
    else:
        with PartWriter(path, "arrow", TABLE.schema, {}) as writer:
            writer.write(TABLE)
    assert whole(path).equals(TABLE)


@pytest.mark.parametrize("output_format", ["parquet", "arrow", "jsonl"])
def test_what_is_written_is_read_back(tmp_path, output_format):
    path = tmp_path / f"x.{output_format}"
    with PartWriter(path, output_format, TABLE.schema, {"key": "value"}) as writer:
        writer.write(TABLE)
    assert whole(path).to_pydict() == ROWS


def test_what_is_written_as_csv_is_read_back_but_for_empty_text(tmp_path):
    with PartWriter(tmp_path / "x.csv", "csv", TABLE.schema, {}) as writer:
        writer.write(TABLE)
    read = whole(tmp_path / "x.csv").to_pydict()
    assert {name: read[name] for name in "ifb"} == {name: ROWS[name] for name in "ifb"}
    assert read["s"][0] == ROWS["s"][0]


@pytest.mark.parametrize("codec", ["gz", "bz2", "zst", "lz4"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_compressed_text_is_read(tmp_path, codec, kind):
    text = b"a,b\n1,x\n" if kind == "csv" else b'{"a": 1, "b": "x"}\n'
    path = tmp_path / f"x.{kind}.{codec}"
    name = {"gz": "gzip", "zst": "zstd"}.get(codec, codec)
    with pa.CompressedOutputStream(str(path), name) as stream:
        stream.write(text)
    assert whole(path).to_pylist() == [{"a": 1, "b": "x"}]


@pytest.mark.parametrize(
    ("last", "kind"), [("1.5", "double"), ("n/k", "string"), ("", "int64"), ("99999999999999999999", "string")]
)
def test_a_csv_column_has_the_type_that_all_its_values_have(tmp_path, last, kind):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "1,2\n" * 700_000 + f"{last},3\n")
    assert str(inspect_file(f"file://{path}", STORE).schema.field("a").type) == kind
    assert whole(path).num_rows == 700_001


def test_a_csv_column_that_is_empty_at_first_gets_its_type_later(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + ",2\n" * 1_500_000 + "7,3\n")
    assert str(inspect_file(f"file://{path}", STORE).schema.field("a").type) == "int64"


@pytest.mark.parametrize(
    "values", [["12345678901234567891", "12345678901234567892"], ["1"] * 600_000 + ["18446744073709551615"]]
)
def test_an_identifier_that_no_number_holds_stays_the_text_that_it_is(tmp_path, values):
    path = tmp_path / "x.csv"
    path.write_text("id,b\n" + "".join(f"{value},2\n" for value in values))
    assert whole(path).column("id").to_pylist() == values


def test_large_numbers_that_lose_no_digit_stay_numbers(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("id,b\n1e300,9007199254740993\n1e10,1\n")
    table = whole(path)
    assert (str(table.schema.field("id").type), str(table.schema.field("b").type)) == ("double", "int64")


def test_json_integers_that_no_number_holds_are_refused(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"id": 12345678901234567891}\n')
    with pytest.raises(DataError, match="field 'id' holds the integer 12345678901234567891"):
        whole(tmp_path / "x.jsonl")


@pytest.mark.parametrize(
    "row", ['{"v": [0.5, %s]}', '{"v": {"w": %s}}\n{"v": {"w": 0.5}}', '{"v": [[{"w": %s}]]}', '{"v": %s}']
)
@pytest.mark.parametrize("number", ["9223372036854775809", "-" + "9" * 400])
@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_json_integers_are_rounded_at_no_level(tmp_path, row, number, suffix):
    lines = (row % number).split("\n")
    path = tmp_path / f"x.{suffix}"
    path.write_text("\n".join(lines) if suffix == "jsonl" else f"[{','.join(lines)}]")
    with pytest.raises(DataError, match=f"field 'v' holds the integer {number[:19]}"):
        whole(path)


def test_nested_numbers_that_lose_no_digit_are_read(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"v": [1e300, 9007199254740994, 0.5]}\n{"v": null}\n{"v": []}\n')
    assert whole(tmp_path / "x.jsonl").column("v").to_pylist() == [[1e300, 2.0**53 + 2, 0.5], None, []]


@pytest.mark.parametrize("number", ["9" * 330, "-" + "9" * 4400, "0" * 4400 + "1"])
def test_hundreds_of_digits_in_csv_are_text(tmp_path, number):
    (tmp_path / "x.csv").write_text(f"id,b\n{number},2\n3,4\n")
    assert whole(tmp_path / "x.csv").column("id").to_pylist() == [number, "3"]


def test_text_with_a_comma_may_come_after_a_block_of_nothing(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + ",2\n" * 1_500_000 + '"Smith, J",3\n')
    assert whole(path).column("a")[-1].as_py() == "Smith, J"


def test_files_without_a_byte_of_text_hold_no_rows(tmp_path):
    (tmp_path / "1.csv.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "2.csv.gz").write_bytes(gzip.compress(b"a\n1\n"))
    assert whole(tmp_path).to_pylist() == [{"a": 1}]


def test_a_null_in_a_file_of_one_column_is_a_row(tmp_path):
    table = pa.table({"k": ["a", None, "b"]})
    with PartWriter(tmp_path / "x.csv", "csv", table.schema, {}) as writer:
        writer.write(table)
    assert whole(tmp_path / "x.csv").to_pydict() == table.to_pydict()


def test_percent_encoded_folders_and_those_with_an_underscore_are_data(tmp_path):
    for key, value in (("city=New%20York", 1), ("_v=1", 2)):
        (tmp_path / key).mkdir()
        pd.DataFrame({"x": [value]}).to_parquet(tmp_path / key / "f.parquet")
    assert whole(tmp_path).to_pylist() == [{"x": 2, "_v": "1", "city": None}, {"x": 1, "_v": None, "city": "New York"}]


def test_quoted_newlines_are_part_of_a_value(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('a,b\n1,"two\nlines"\n2,"x"\n')
    assert whole(path).to_pylist() == [{"a": 1, "b": "two\nlines"}, {"a": 2, "b": "x"}]


def test_json_fields_may_be_missing_or_appear_later(tmp_path):
    path = tmp_path / "x.jsonl.gz"
    rows = [{"a": 1}] * 200_000 + [{"a": 1.5, "b": "x"}]
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), compresslevel=1))
    table = whole(path)
    assert table.num_rows == 200_001
    assert table.slice(200_000).to_pylist() == [{"a": 1.5, "b": "x"}]


def test_categories_become_text(tmp_path):
    pd.DataFrame({"a": pd.Categorical(["x", None, "y"])}).to_parquet(tmp_path / "x.parquet")
    table = whole(tmp_path / "x.parquet")
    assert table.schema.field("a").type in (pa.string(), pa.large_string())
    assert table.column("a").to_pylist() == ["x", None, "y"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.parquet", b""),
        ("x.parquet", b"PAR1 and then nothing"),
        ("x.arrow", b"ARROW1"),
        ("x.csv", b"a,b\n1,2\n3\n"),
        ("x.csv", b"a,b\n\xff\xfe,2\n"),
        ("x.csv.gz", b"no gzip"),
        ("x.jsonl", b'{"a": 1}\n{"a": \n'),
        ("x.jsonl", b"[1, 2]\n"),
        ("x.jsonl", b'{"a": 1}\n{"a": "text"}\n'),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} (cannot be read|has 1 line|is not valid UTF-8)"):
        whole(tmp_path / name)


def test_a_column_name_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b,a\n1,2,3\n")
    with pytest.raises(DataError, match="more than one column named 'a'"):
        whole(tmp_path / "x.csv")


def test_files_that_do_not_go_together_are_named(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "1.parquet")
    pd.DataFrame({"a": ["x"]}).to_parquet(tmp_path / "2.parquet")
    with pytest.raises(DataError, match=r"Column 'a' holds .*string in .*2\.parquet, but int64 in .*1\.parquet"):
        whole(tmp_path)
    (tmp_path / "3.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match="mixes formats"):
        whole(tmp_path)


def test_numbers_of_two_widths_go_together_and_absent_columns_are_null(tmp_path):
    pd.DataFrame({"a": pd.array([1], "int32"), "b": ["x"]}).to_parquet(tmp_path / "1.parquet")
    pd.DataFrame({"a": [0.5]}).to_parquet(tmp_path / "2.parquet")
    dataset = open_dataset(str(tmp_path), STORE)
    assert dataset.whole().to_pylist() == [{"a": 1.0, "b": "x"}, {"a": 0.5, "b": None}]
    assert dataset.absent == {"b": f"file://{tmp_path}/2.parquet"}


def test_folders_of_keys_and_values_become_columns(tmp_path):
    for key in ("year=2026/part=a", "year=2025/part=__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / key).mkdir(parents=True)
        pd.DataFrame({"x": [1]}).to_parquet(tmp_path / key / "f.parquet")
    assert open_dataset(str(tmp_path), STORE).whole().to_pylist() == [
        {"x": 1, "year": "2025", "part": None},
        {"x": 1, "year": "2026", "part": "a"},
    ]


@pytest.mark.parametrize("rows", [1, 7, 100, 1000])
def test_mini_batches_cross_files_and_tell_where_each_row_is_from(tmp_path, rows):
    for name, start in (("1", 0), ("2", 70), ("3", 90)):
        stop = {"1": 70, "2": 90, "3": 205}[name]
        pd.DataFrame({"x": range(start, stop)}).to_parquet(tmp_path / f"{name}.parquet")
    batches = list(open_dataset(str(tmp_path), STORE).mini_batches(rows))
    assert [row for batch in batches for row in batch.table.column("x").to_pylist()] == list(range(205))
    assert {batch.table.num_rows for batch in batches[:-1]} <= {rows}
    for batch in batches:
        for position, value in enumerate(batch.table.column("x").to_pylist()):
            uri, row = batch.locate(position)
            assert value == row + {"1": 0, "2": 70, "3": 90}[uri[-9]]


def test_rows_are_counted_by_one_column(tmp_path):
    for name in ("1", "2"):
        pd.DataFrame({"a": [1, 2], "b": ["x", name]}).to_parquet(tmp_path / f"{name}.parquet")
    assert open_dataset(str(tmp_path), STORE).count_rows() == 4


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_a_column_with_the_name_of_our_mark_is_refused(tmp_path, name):
    table = pa.table({"a": [1], "__broken_line__": [2]})
    pq.write_table(table, tmp_path / "x.parquet")
    (tmp_path / "x.csv").write_text("a,__broken_line__\n1,2\n")
    with pytest.raises(DataError, match="which this package uses itself: rename it"):
        whole(tmp_path / name)


@pytest.mark.parametrize("content", ["a,b", "a,b\n", "\n\na,b", "a,b\r\n"])
def test_a_header_alone_has_columns_and_no_rows(tmp_path, content):
    (tmp_path / "x.csv").write_text(content)
    assert whole(tmp_path / "x.csv").schema.names == ["a", "b"]
    assert whole(tmp_path / "x.csv").num_rows == 0


def test_blocks_of_blank_lines_at_the_end_are_no_change(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "BLOCK_BYTES", 1_000)
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 249 + b"\n" * 3_000))
    assert whole(tmp_path / "x.csv.gz").num_rows == 249


def test_lines_without_a_value_for_each_column_are_named_by_number(tmp_path):
    (tmp_path / "x.csv").write_text('a,b\n1,"two\nlines"\n\n3\n4,5\n6,7,8\n')
    (batch,) = open_dataset(str(tmp_path / "x.csv"), STORE, tolerant=True).mini_batches(10)
    assert batch.broken == ((1, "expected 2 values, found 1: 3"), (3, "expected 2 values, found 3: 6,7,8"))
    assert batch.table.column("a").to_pylist() == [1, None, 4, None]
    assert batch.slice(1, 2).broken == ((0, "expected 2 values, found 1: 3"),)
    assert open_dataset(str(tmp_path / "x.csv"), STORE, tolerant=True).whole().column("a").to_pylist() == [1, 4]


def test_batches_of_parquet_begin_where_large_row_groups_do_and_reach_over_small_ones(tmp_path):
    rows = 40_000
    with pq.ParquetWriter(tmp_path / "x.parquet", pa.schema([("n", pa.int64())])) as writer:
        for size in (rows, rows, 10, 20):
            writer.write_table(pa.table({"n": range(size)}))
    storage, uri = Storage(), f"file://{tmp_path}/x.parquet"
    tables = list(read_tables(uri, storage, inspect_file(uri, storage)))
    assert [table.num_rows for table in tables] == [32_768, 7_232, 32_768, 7_232, 30]
