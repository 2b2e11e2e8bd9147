"""A quote that is never closed makes one value of all rows behind it: refused, where pandas refuses it too."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.csv.options import parse_csv_options
from airflow_batch_inference.records import ReadOptions
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

ROWS = [f"{row},x{row}\n" for row in range(100)]
FORMS = {
    "the last column": "age,note\n" + "".join(ROWS[:40]) + '40,"half\n' + "".join(ROWS[41:]),
    "the first column": "note,age\n" + "".join(ROWS[:40]) + '"half,40\n' + "".join(ROWS[41:]),
    "the only column": "note\n" + "a\n" * 40 + '"half\n' + "a\n" * 59,
    "beside quotes that open nothing": 'age,note\n40,5" pipe\n' * 40 + '40,"half\n',
    "beside values with quotes": 'age,note\n40,"5"" pipe"\n' * 40 + '40,"half\n',
    "the end of a file that was cut off": 'age,note\n40,"',
    "the header": '"age,note\n40,x\n41,y\n',
}


def opened(path, *, tolerant=False, **options):
    reading = ReadOptions(csv=parse_csv_options(options))
    return open_dataset(str(path), Storage(), reading=reading, tolerant=tolerant)


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_a_quote_that_is_never_closed_is_refused_also_where_rows_may_be_rejected(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith("gz") else content.encode())
    with pytest.raises((pd.errors.ParserError, pd.errors.EmptyDataError)):
        pd.read_csv(path)
    for tolerant in (False, True):
        with pytest.raises(DataError, match=r"never closed.*Close it in the file.*\"quote\": \"\""):
            opened(path, tolerant=tolerant)


def test_the_row_with_the_quote_is_named(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(FORMS["the last column"])
    with pytest.raises(DataError, match=r"a quote in row 40 \(from 0\)"):
        opened(path)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ('"age","note"\n' + "".join(ROWS), {}),
        ('"age","note"\n' + "".join(ROWS).rstrip(), {}),
        ('"age","note"\r\n' + "".join(ROWS).replace("\n", "\r\n") + "\r\n\r\n", {}),
        ('"age","note"\r1,x\r2,y\r', {}),
        ('age,note\n1,"a\n"\n2,"b\n"', {}),
        ('age,note\n1,5" pipe\n2,""\n', {}),
        ('age,note\n1,"""a"""\n2,""""\n', {}),
        ('"age"\n1\n2\n', {}),
        ('"age","note"\n', {}),
        ('"age","note"', {}),
        ('age,note\n1,"a\\"b"\n', {"escape": "\\"}),
        ("age,note\n1,'a,b'\n", {"quote": "'"}),
    ],
)
def test_closed_quotes_are_read_as_pandas_reads_them(tmp_path, content, options):
    path = tmp_path / "x.csv"
    path.write_bytes(content.encode())
    words = {"escape": "escapechar", "quote": "quotechar"}
    expected = pd.read_csv(path, **{words[name]: value for name, value in options.items()})
    found = opened(path, **options).whole().to_pandas()
    assert list(found.columns) == list(expected.columns)
    assert found.fillna("").to_numpy().tolist() == expected.fillna("").to_numpy().tolist()


def test_a_quote_is_nothing_special_where_that_is_said(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('age,note\n1,"half\n2,y\n')
    assert opened(path, quote="").whole().column("note").to_pylist() == ['"half', "y"]


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("said", [True, False])
def test_the_line_that_tells_excel_the_separator_is_named(tmp_path, separator, said):
    path = tmp_path / "x.csv"
    rows = f"sep={separator}\r\nage{separator}note\r\n1{separator}x\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + rows.encode())
    with pytest.raises(DataError, match=r"line for Excel.*Take it out where the file is made"):
        opened(path, **({"separator": separator} if said else {}))
