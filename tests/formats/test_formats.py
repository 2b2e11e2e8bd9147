from __future__ import annotations

import pytest

from airflow_batch_inference.exceptions import ConfigurationError, DataError
from airflow_batch_inference.formats.names import COMPRESSIONS, OUTPUT_SUFFIXES, SUFFIXES, format_of, output_suffix


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("day.parquet", ("parquet", None)),
        ("DAY.PARQUET", ("parquet", None)),
        ("day.pq", ("parquet", None)),
        ("day.snappy.parquet", ("parquet", None)),
        ("day.feather", ("arrow", None)),
        ("day.csv", ("csv", None)),
        ("day.csv.gz", ("csv", "gzip")),
        ("day.csv.zst", ("csv", "zstd")),
        ("day.ndjson.bz2", ("jsonl", "bz2")),
    ],
)
def test_the_name_tells_format_and_compression(name, expected):
    assert format_of(f"s3://bucket/a.csv/{name}") == expected


@pytest.mark.parametrize(
    "name", ["day", "day.xlsx", "day.gz", "parquet", "day.parquet.gz", "day.csv.gz.old", "day.orc"]
)
def test_a_name_that_tells_no_format_is_refused_with_those_there_are(name):
    with pytest.raises(DataError, match=r"is unknown: .*\.parquet.*\.csv") as refusal:
        format_of(f"file:///data/{name}")
    assert f"file:///data/{name}" in str(refusal.value)


@pytest.mark.parametrize("kind", OUTPUT_SUFFIXES)
def test_what_is_written_is_recognised_when_read(kind):
    assert format_of(f"part{output_suffix(kind)}") == (kind, None)


def test_an_unknown_output_format_is_refused_with_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"'orc'.*parquet, csv, arrow, jsonl"):
        output_suffix("orc")


@pytest.mark.parametrize("suffix", [suffix for suffix, kind in SUFFIXES.items() if kind in ("csv", "jsonl")])
@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_every_text_format_can_be_compressed(suffix, ending):
    assert format_of(f"day{suffix}{ending}") == (SUFFIXES[suffix], COMPRESSIONS[ending])
