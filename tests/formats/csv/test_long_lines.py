"""CSV: the parser's block grows with the longest line, in the file that has it, and no further than a limit."""

from __future__ import annotations

import base64
import gzip

import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.csv import parser
from airflow_batch_inference.formats.csv.options import parse_csv_options
from airflow_batch_inference.formats.csv.reader import BLOCK_BYTES
from airflow_batch_inference.formats.readers import inspect_file
from airflow_batch_inference.records import ReadOptions
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
IMAGE = base64.b64encode(bytes(range(256)) * 18_000).decode()  # 6 MB


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("options", [{}, {"header": False}])
def test_a_field_longer_than_the_block_is_read(tmp_path, name, first, options):
    rows = [f"1,{IMAGE},x", "2,abc,y"] if first else ["2,abc,y", f"1,{IMAGE},x", "3,d,z"]
    content = "\n".join([*([] if options else ["k,image,w"]), *rows, ""]).encode()
    (tmp_path / name).write_bytes(gzip.compress(content, 1) if name.endswith("gz") else content)
    reading = ReadOptions(csv=parse_csv_options(options))
    found = open_dataset(str(tmp_path / name), STORE, reading=reading).whole()
    assert [",".join(map(str, row.values())) for row in found.to_pylist()] == rows


def test_a_field_of_50_mb_is_read(tmp_path):
    value = "x" * 50_000_000
    (tmp_path / "x.csv").write_text(f'k,v\n1,"{value}"\n2,y\n')
    found = open_dataset(str(tmp_path / "x.csv"), STORE).whole()
    assert found.column("v").to_pylist() == [value, "y"]


def test_the_block_of_an_ordinary_file_does_not_grow(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n" + "1,2\n" * 10_000)
    form = inspect_file(f"file://{tmp_path}/x.csv", STORE).csv
    assert form.block_bytes == BLOCK_BYTES


def test_a_line_longer_than_the_limit_is_refused_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(parser, "MOST_BLOCK_BYTES", 5 << 20)
    (tmp_path / "x.csv").write_text(f"k,v\n1,{'y' * (12 << 20)}\n2,z\n")
    with pytest.raises(DataError, match="a line is longer than 5,242,880 bytes, the limit"):
        open_dataset(str(tmp_path / "x.csv"), STORE)
