"""Receipts of neighbouring parts in one file: read in few calls, and never believed against the receipts themselves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from airflow_batch_inference.jobs import plan
from airflow_batch_inference.ledger import bundles
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.score import score_dataset

PARTS, SIZE = 10, 4


class Counting(Storage):
    """Notes what is read."""

    def read_bytes(self, uri):
        READ.append(uri.rpartition("/")[2])
        return super().read_bytes(uri)


READ: list[str] = []


@pytest.fixture
def source(bench, monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", 10)
    monkeypatch.setattr(bundles, "PARTS", SIZE)
    return bench.write("in.parquet", {"a": np.arange(10.0 * PARTS), "b": np.ones(10 * PARTS)})


def fail():
    message = "over"
    raise RuntimeError(message)


@pytest.fixture
def scored(bench, source):
    """A job all of whose parts are scored, and that was not committed."""
    with pytest.raises(RuntimeError, match="over"):
        score_dataset(bench.request(source), storage=bench.storage, fence=fail)
    return source


def files(bench, pattern):
    return sorted(bench.root.rglob(f"_work/*/{pattern}"))


def commit(bench, source, attempt="2"):
    """Commit it in another try, and return the record, and what was read for that."""
    READ.clear()
    _, record = score_dataset(bench.request(source, attempt=attempt), storage=Counting())
    assert bench.output(record).column("a").to_pylist() == list(np.arange(10.0 * PARTS))
    return record, [name for name in READ if name.startswith(("part-", "receipts-"))]


def test_a_retry_reads_bundles_in_place_of_receipts(bench, scored):
    names = [path.name for path in files(bench, "receipts-*")]
    assert names == ["receipts-00000.json", "receipts-00001.json", "receipts-00002.json"]
    assert len(files(bench, "part-*.json")) == PARTS
    record, read = commit(bench, scored)
    assert sorted(read) == names
    assert len(record.parts) == PARTS
    assert all("-1." in part.uri for part in record.parts)


def test_a_job_of_few_parts_has_none(bench, source, monkeypatch):
    monkeypatch.setattr(bundles, "PARTS", PARTS)
    score_dataset(bench.request(source), storage=bench.storage)
    assert files(bench, "receipts-*") == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"x": "y"}', b'{"0": 3}', b'{"0": "{}"}', b"\xff"])
def test_a_damaged_bundle_costs_reading_its_receipts(bench, scored, content):
    files(bench, "receipts-*")[0].write_bytes(content)
    _, read = commit(bench, scored)
    assert sorted(name for name in read if name.startswith("part-")) == [f"part-{at:05d}.json" for at in range(SIZE)]


def test_an_entry_without_its_receipt_counts_for_nothing(bench, scored):
    files(bench, "part-00002.json")[0].unlink()
    record, _ = commit(bench, scored)
    assert ["-2." in part.uri for part in record.parts] == [at == 2 for at in range(PARTS)]


def test_an_entry_of_another_size_than_its_receipt_is_not_believed(bench, scored):
    path = files(bench, "receipts-00000*")[0]
    texts = json.loads(path.read_text())
    texts["1"] = texts["1"].replace('"rows_in":10', '"rows_in":1000')
    assert texts["1"] != json.loads(path.read_text())["1"]
    path.write_text(json.dumps(texts))
    record, read = commit(bench, scored)
    assert "part-00001.json" in read
    assert record.rows_in == 10 * PARTS


def test_a_part_whose_file_is_gone_takes_its_bundle_along(bench, scored):
    next(bench.root.rglob("data/*/part-00005*")).unlink()
    record, read = commit(bench, scored)
    assert ["-2." in part.uri for part in record.parts] == [at == 5 for at in range(PARTS)]
    again = json.loads(files(bench, "receipts-00001*")[0].read_text())
    assert "-2." in again["5"], "it was put again as the last of its receipts came"
    assert len([name for name in read if name.startswith("part-")]) == 0


def test_a_bundle_that_cannot_be_put_is_told_and_nothing_else(bench, source, monkeypatch, caplog):
    put = Storage.put

    def refuse(self, uri, data):
        if "receipts-" in uri:
            raise PermissionError(13, "Permission denied", uri)
        put(self, uri, data)

    monkeypatch.setattr(Storage, "put", refuse)
    _, record = score_dataset(bench.request(source), storage=bench.storage)
    assert len(record.parts) == PARTS
    assert "a retry reads its receipts one by one" in caplog.text
    assert Path(record.parts[0].uri.removeprefix("file://")).exists()
