"""Sums of chunks: what was put for them is used, believed only as far as its digest goes, and changes no digit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from bench import with_record

from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.ledger import bundles
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.score import score_dataset

PARTS, SIZE, ROWS = 11, 4, 10
RNG = np.random.default_rng(5)
TABLE = pa.table({"a": RNG.normal(size=PARTS * ROWS) * 1e3, "b": RNG.normal(size=PARTS * ROWS)})
BASELINE = make_baseline(lambda: [TABLE], schema=TABLE.schema)


@pytest.fixture
def ask(bench, monkeypatch):
    """``ask(attempt)``: a job of eleven parts whose rows are counted."""
    monkeypatch.setattr(plan, "_PART_ROWS", ROWS)
    monkeypatch.setattr(bundles, "PARTS", SIZE)
    source = bench.write("in.parquet", TABLE)

    def ask(attempt="1"):
        asked = replace(bench.request(source, attempt=attempt), baseline=BASELINE)
        return with_record(asked, baseline_uri="file:///baseline")

    return ask


def fail():
    message = "over"
    raise RuntimeError(message)


def sums(bench):
    return sorted(bench.root.rglob("chunk-*.details"))


def profile_of(bench, record):
    return bench.storage.read_bytes(record.profile_uri)


@pytest.fixture
def expected(bench, ask):
    """The profile of a job for which no sum was ever put."""
    root, bench.root = bench.root, bench.folder / "expected"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_batch_inference.workflows.score_parts.put_sum", lambda *_: None)
        _, record = score_dataset(ask(), storage=bench.storage)
        assert not sums(bench)
    found = profile_of(bench, record)
    bench.root = root
    return found


def test_sums_are_put_used_and_swept_and_change_no_digit(bench, ask, expected, monkeypatch):
    with pytest.raises(RuntimeError, match="over"):
        score_dataset(ask(), storage=bench.storage, fence=fail)
    assert [path.name[:11] for path in sums(bench)] == ["chunk-00000", "chunk-00001", "chunk-00002"]
    read, read_bytes = [], Storage.read_bytes
    monkeypatch.setattr(Storage, "read_bytes", lambda self, uri: read.append(uri) or read_bytes(self, uri))
    _, record = score_dataset(ask("2"), storage=bench.storage)
    assert profile_of(bench, record) == expected
    assert len([uri for uri in read if "chunk-" in uri]) == 3
    assert not [uri for uri in read if "part-" in uri and uri.endswith(".details")]
    assert not list(bench.root.rglob("*.details"))


@pytest.mark.parametrize("damage", ["gone", "cut", "changed", "empty"])
def test_a_sum_that_is_not_what_was_put_is_made_again(bench, ask, expected, damage):
    with pytest.raises(RuntimeError, match="over"):
        score_dataset(ask(), storage=bench.storage, fence=fail)
    path = sums(bench)[1]
    data = path.read_bytes()
    path.write_bytes({"cut": data[:-9], "changed": data[:-1] + bytes([data[-1] ^ 1])}.get(damage, b""))
    if damage == "gone":
        path.unlink()
    _, record = score_dataset(ask("2"), storage=bench.storage)
    assert profile_of(bench, record) == expected


def test_a_sum_of_other_files_is_not_taken(bench, ask, expected):
    with pytest.raises(RuntimeError, match="over"):
        score_dataset(ask(), storage=bench.storage, fence=fail)
    next(bench.root.rglob("part-00005-1*.details")).unlink()
    _, record = score_dataset(ask("2"), storage=bench.storage)
    assert profile_of(bench, record) == expected


def test_a_sum_that_cannot_be_put_is_told_and_changes_nothing(bench, ask, expected, monkeypatch, caplog):
    put = Storage.put

    def refuse(self, uri, data):
        if "chunk-" in uri:
            raise OSError(28, "No space left on device")
        put(self, uri, data)

    monkeypatch.setattr(Storage, "put", refuse)
    _, record = score_dataset(ask(), storage=bench.storage)
    assert profile_of(bench, record) == expected
    assert "The sum of the parts up to 3 was not put" in caplog.text
