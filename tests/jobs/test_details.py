"""Receipts stay small: the profile, and counts that are too many, lie beside them, and add up in the parts' order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from bench import with_record

from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.engines.base import EngineCapabilities
from airflow_batch_inference.exceptions import ArtifactIntegrityError, ArtifactNotFoundError
from airflow_batch_inference.jobs import plan, totals
from airflow_batch_inference.jobs.details import RECEIPT_BYTES, encode_details, read_details, with_details
from airflow_batch_inference.jobs.totals import add_up
from airflow_batch_inference.ledger.receipts import put_receipt
from airflow_batch_inference.records import CheckCount, Part, PartDetails, Receipt, Rejection
from airflow_batch_inference.storage.parallel import in_order
from airflow_batch_inference.workflows.score import score_dataset

KEY = "k" * 64
RNG = np.random.default_rng(3)


def table(rows):
    columns = {f"x{at}": RNG.normal(size=rows) * 10.0**at for at in range(20)}
    return pa.table({**columns, "c": RNG.choice(["a", "b", "ä"], rows)})


REFERENCE = table(2_000)
BASELINE = make_baseline(lambda: [REFERENCE], schema=REFERENCE.schema)


def counted(rows):
    profiler = Profiler(BASELINE.columns)
    profiler.add(table(rows))
    return profiler.profile()


def receipt(folder="file:///store", index=0, **changes):
    name = f"{folder}/dag_id={'d' * 60}/run_id=scheduled__2026-11-30/task_id={'t' * 60}/map_index=-1/data"
    part = Part(uri=f"{name}/{KEY[:16]}/part-{index:05d}-1-abcdef01.parquet", rows=9, size_bytes=10**9, sha256="a" * 64)
    fields = {
        "job_key": KEY, "index": index, "rows_in": 9, "rows_out": 9, "part": part, "quarantine": None,
        "rejections": (), "row_hash_out": "f" * 16, "row_hash_rejected": "0" * 16,
        "seconds": dict.fromkeys(("read", "predict", "write", "profile"), 123.456), "versions_digest": "b" * 64,
        "rows_digest": "c" * 64,
    }  # fmt: skip
    return Receipt(**(fields | changes))


def rejection(row):
    return Rejection(
        uri=f"s3://lake/customers/day=2026-11-30/{'f' * 60}.parquet", row=row, stage="predict", error="é" * 999
    )


LOADED = {
    "quarantine": replace(receipt().part, uri=receipt().part.uri.replace("data", "quarantine")),
    "rejections": tuple(map(rejection, range(5))),
    "nulled": {f"column {at}": 10**6 for at in range(500)},
    "checks": tuple(CheckCount(name=f"check {at}", rows=1, first=("f" * 80,) * 5) for at in range(20)),
}


@pytest.mark.parametrize("changes", [{}, LOADED], ids=["ordinary", "loaded"])
@pytest.mark.parametrize("has_profile", [False, True])
def test_a_receipt_has_2_kb_at_most_and_nothing_is_lost(bench, tmp_path, has_profile, changes):
    given = receipt(str(tmp_path), **changes)
    kept = with_details(given, counted(500) if has_profile else None, f"file://{tmp_path}", "1", bench.storage)
    assert len(kept.to_json()) <= RECEIPT_BYTES
    assert (kept.details is None) == (not has_profile and not changes)
    assert kept.files[:1] == given.files[:1]
    added = add_up([kept], bench.storage, BASELINE.columns)
    assert (added.nulled, added.checks) == (given.nulled, given.checks)
    assert added.profile.rows == (500 if has_profile else 0)
    assert [each.row for each in kept.rejections] == list(range(len(kept.rejections)))
    assert bool(kept.rejections) == bool(given.rejections)
    assert all(each.error.endswith("…") for each in kept.rejections)


def test_a_profile_comes_back_as_it_was_and_always_has_the_same_bytes(bench, tmp_path):
    profile = counted(1_000)
    data = encode_details(PartDetails(profile=profile))
    assert data == encode_details(PartDetails(profile=profile))
    assert len(data) < 0.8 * len(PartDetails(profile=profile).to_json())
    kept = with_details(receipt(), profile, f"file://{tmp_path}", "1", bench.storage)
    assert add_up([kept], bench.storage, BASELINE.columns).profile == profile


def test_the_order_of_arrival_never_changes_the_sum(bench, tmp_path):
    """Sums of floating-point numbers hang on their order: the parts' own is the one that counts."""
    profiles = [counted(int(rows)) for rows in RNG.integers(1, 400, 40)]
    receipts = {}
    for index in RNG.permutation(40).tolist():
        receipts[index] = with_details(
            receipt(index=index), profiles[index], f"file://{tmp_path}", f"{index}", bench.storage
        )
    expected = Profiler(BASELINE.columns)
    for profile in profiles:
        expected.merge(profile)
    found = add_up([receipts[index] for index in range(40)], bench.storage, BASELINE.columns)
    assert found.profile == expected.profile()
    backwards = add_up([receipts[index] for index in reversed(range(40))], bench.storage, BASELINE.columns)
    assert backwards.profile != expected.profile()


def test_details_that_were_changed_or_removed_are_an_error(bench, tmp_path):
    kept = with_details(receipt(), counted(10), f"file://{tmp_path}", "1", bench.storage)
    data = bench.storage.read_bytes(kept.details.uri)
    bench.storage.put(kept.details.uri, data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ArtifactIntegrityError, match=r"\.details was changed after its receipt was written"):
        read_details(kept.details, bench.storage)
    bench.storage.remove(kept.details.uri)
    with pytest.raises(ArtifactNotFoundError):
        add_up([kept], bench.storage, BASELINE.columns)


def test_the_details_of_whoever_came_second_are_removed(bench, tmp_path):
    folder = f"file://{tmp_path}"
    first, second = (with_details(receipt(), counted(rows), folder, f"{rows}", bench.storage) for rows in (10, 20))
    assert put_receipt(first, folder, bench.storage) == first
    assert put_receipt(second, folder, bench.storage) == first
    assert bench.storage.exists(first.details.uri)
    assert not bench.storage.exists(second.details.uri)


def test_few_of_large_details_wait_in_memory(bench, tmp_path, monkeypatch):
    kept = with_details(receipt(), counted(10), f"file://{tmp_path}", "1", bench.storage)
    asked = []

    def watched(work, items, **options):
        asked.append(options["most_in_a_batch"])
        return in_order(work, items, **options)

    monkeypatch.setattr(totals, "in_order", watched)
    for size in (1 << 10, 1 << 18, 1 << 23):
        monkeypatch.setattr(totals, "_BATCH_BYTES", kept.details.size_bytes * (1 << 20) // size)
        assert add_up([kept] * 200, bench.storage, BASELINE.columns).profile.rows == 2_000
    assert asked == [32, 4, 1]


# -- in a job -------------------------------------------------------------------------------------------------


@pytest.fixture
def ask(bench, monkeypatch):
    """``ask()``: a job of ten parts that is counted on a baseline."""
    monkeypatch.setattr(plan, "_PART_ROWS", 10)
    rows = pa.table({"a": RNG.normal(size=100) * 1e9, "b": RNG.normal(size=100)})
    source = bench.write("in.parquet", rows)
    baseline = make_baseline(lambda: [rows], schema=rows.schema)

    def asked(**options):
        request = with_record(bench.request(source, passthrough_columns="all", **options), baseline_uri="file:///base")
        return replace(request, baseline=baseline)

    return asked


class Backwards:
    """An engine that scores the parts in another order."""

    capabilities = EngineCapabilities(is_elsewhere=False)

    def __init__(self, inner):
        self.inner = inner

    def run(self, job_uri, indices, limits):
        return self.inner.run(job_uri, RNG.permutation(indices).tolist(), limits)

    def stop(self):
        self.inner.stop()


def test_unlike_engines_give_the_same_bytes_and_the_same_profile(bench, ask, monkeypatch):
    _, one = score_dataset(ask(), storage=bench.storage)
    profile = bench.storage.read_bytes(one.profile_uri)
    bench.root = bench.root.parent / "again"
    from airflow_batch_inference.engines.local import TaskSession

    original = TaskSession.engine
    monkeypatch.setattr(TaskSession, "engine", lambda self, spec: Backwards(original(self, spec)))
    _, other = score_dataset(ask(), storage=bench.storage)
    assert [part.sha256 for part in other.parts] == [part.sha256 for part in one.parts]
    assert other.profile_uri.rpartition("/")[2] == one.profile_uri.rpartition("/")[2]
    assert bench.storage.read_bytes(other.profile_uri) == profile


@pytest.mark.parametrize("keep", [True, False])
def test_after_the_commit_receipts_stay_and_what_lay_beside_them_goes(bench, ask, keep):
    score_dataset(ask(keep=keep), storage=bench.storage)
    assert not list(bench.root.rglob("*.details"))
    receipts = list(bench.root.rglob("_work/*/part-*.json"))
    assert len(receipts) == 10
    found = [Receipt.from_json(path.read_bytes(), where="") for path in receipts]
    assert all(each.details is not None and len(each.to_json()) <= RECEIPT_BYTES for each in found)


def test_a_part_whose_details_are_gone_is_scored_again(bench, ask, caplog):
    with pytest.raises(RuntimeError, match="over"):
        score_dataset(ask(), storage=bench.storage, fence=lambda: (_ for _ in ()).throw(RuntimeError("over")))
    next(bench.root.rglob("part-00003*.details")).unlink()
    _, record = score_dataset(ask(attempt="2"), storage=bench.storage)
    assert "part-00003.json does not hold any more" in caplog.text
    assert ["-1." in part.uri for part in record.parts] == [True] * 3 + [False] + [True] * 6
    assert bench.storage.read_record(record.profile_uri).profile.rows == 100


def test_who_finds_the_details_gone_as_another_try_has_committed_gives_its_commit(bench, ask, monkeypatch):
    tries = []

    def late(*arguments):
        tries.append(len(tries))
        if len(tries) == 1:
            score_dataset(ask(attempt="2"), storage=bench.storage)
        return add_up(*arguments)

    monkeypatch.setattr("airflow_batch_inference.workflows.commit_job.add_up", late)
    uri, record = score_dataset(ask(), storage=bench.storage)
    assert bench.visible() == ["0000000001.json"]
    assert bench.storage.read_record(uri) == record
