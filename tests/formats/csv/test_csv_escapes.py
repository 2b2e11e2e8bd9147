"""An escape within quotes is one; outside of quotes it would be left out of a value, so the file is refused."""

from __future__ import annotations

import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.csv.escapes import EscapeWatch
from airflow_batch_inference.records import CsvOptions, ReadOptions
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

SPARK = ReadOptions(csv=CsvOptions(escape="\\"))


def whole(path, content):
    path.write_bytes(content)
    return open_dataset(str(path), Storage(), reading=SPARK).whole()


@pytest.mark.parametrize("value", [rb"a\b", rb"back\\", rb"27\"", rb"\N", rb"C:\temp"])
@pytest.mark.parametrize("after", [b"", b'3,"5\\" pipe"\n', b'3,"two\nlines"\n'])
def test_an_escape_outside_of_quotes_is_refused_with_its_line(tmp_path, value, after):
    with pytest.raises(DataError, match=r"about line 3, has '\\\\' outside of quotes.*quoteAll=true"):
        whole(tmp_path / "x.csv", b"a,b\n1,x\n2," + value + b"\n" + after)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b'"5\\" pipe"', '5" pipe'),
        (b'"a\\\\b"', "a\\b"),
        (b'"two\n\\"lines\\", and more"', 'two\n"lines", and more'),
        (b'"x, \\""', 'x, "'),
        (b'"dou""bled, \\" and not"', 'dou"bled, " and not'),
        (b'""', None),
    ],
)
def test_escapes_within_quotes_are_what_spark_meant(tmp_path, written, value):
    found = whole(tmp_path / "x.csv", b"a,b\n1," + written + b"\n2,plain\n")
    assert found.column("b").to_pylist() == [value, "plain"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1_000])
def test_pieces_of_any_size_are_told_alike(size):
    good = b'a,b\n"x\\"y","two\n""lines"" \\\\"\n27" wide,"z"\n' * 3

    def look(content):
        watch = EscapeWatch("x.csv", escape="\\", quote='"', separator=",")
        for place in range(0, len(content), size):
            watch.add(content[place : place + size])

    look(good)
    with pytest.raises(DataError, match="about line 13,"):
        look(good + b"a,b\\c\n")
