"""A retry scores what is missing; a changed job starts anew and says what changed; tries never mix."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from airflow_batch_inference.exceptions import ArtifactConflictError, ArtifactIntegrityError, InputChangedError
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.ledger import retries
from airflow_batch_inference.ledger.accounting import row_hash, rows_hash
from airflow_batch_inference.ledger.commit import commit
from airflow_batch_inference.records import Receipt, fingerprint
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.score import score_dataset

ROWS = 100


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", 10)
    monkeypatch.setattr(retries, "FIRST_DELAY_S", 0.001)


@pytest.fixture
def source(bench):
    return bench.write("in.parquet", {"a": np.arange(float(ROWS)), "b": np.ones(ROWS)})


def crashes_at(value):
    """An answer that stands for a crash of the process: no part of it and nothing after it is scored."""

    def answer(batch):
        if (batch.column("a").to_numpy() == value).any():
            raise KeyboardInterrupt
        return batch.column("a").to_numpy() + 2 * batch.column("b").to_numpy()

    return answer


def crash(bench, source, at, **arguments):
    with pytest.raises(KeyboardInterrupt):
        bench.score(source, model=type(bench.model)(answer=crashes_at(at)), **arguments)


def digests(record):
    return [part.sha256 for part in record.parts]


def test_a_retry_scores_only_what_is_missing_and_says_so(bench, source, caplog, tmp_path):
    _, whole = bench.score(source)
    bench.root = tmp_path / "again"
    crash(bench, source, at=75.0)
    bench.model.calls.clear()
    with caplog.at_level(logging.INFO):
        _, record = bench.score(source, attempt="2")
    assert "Resumed 7 of 10 parts" in caplog.text
    assert digests(record) == digests(whole)
    # The first rows are predicted once more, to learn the output's types.
    assert sum(batch.num_rows for batch, _, _ in bench.model.calls) == 64 + 30
    assert ["-1." in part.uri for part in record.parts] == [True] * 7 + [False] * 3


def test_a_changed_input_is_noticed_and_nothing_of_the_old_one_used(bench, source, caplog):
    crash(bench, source, at=75.0)
    bench.write("in.parquet", {"a": np.arange(float(ROWS)) * 2, "b": np.ones(ROWS)})
    with caplog.at_level(logging.INFO):
        _, record = bench.score(source, attempt="2")
    assert "Nothing can be resumed" in caplog.text
    assert f"dataset file://{source}: " in caplog.text
    assert "Resumed" not in caplog.text
    assert bench.output(record).column("predicted_label").to_pylist() == [2.0 * row + 2 for row in range(ROWS)]


@pytest.mark.parametrize("torn", [b"", b'{"data', b"[1]"])
def test_what_an_earlier_job_noted_is_for_the_log_alone(bench, source, caplog, torn):
    crash(bench, source, at=75.0)
    (note,) = Path(bench.root).rglob("job.json")
    note.write_bytes(torn)
    changed = bench.write("in.parquet", {"a": np.arange(float(ROWS)) + 1, "b": np.ones(ROWS)})
    _, record = bench.score(changed, attempt="2")
    assert record.rows_out == ROWS
    assert "Nothing can be resumed of an earlier try, which was another job: unknown" in caplog.text


@pytest.mark.parametrize("damage", ["gone", "shorter", "receipt"])
def test_a_receipt_that_no_longer_holds_is_scored_again(bench, source, damage, caplog):
    crash(bench, source, at=75.0)
    part = next(bench.root.rglob("part-00003*.parquet"))
    receipt = next(bench.root.rglob("_work/*/part-00003.json"))
    if damage == "gone":
        part.unlink()
    elif damage == "shorter":
        part.write_bytes(part.read_bytes()[:-1])
    else:
        receipt.write_text("{")
    _, record = bench.score(source, attempt="2")
    assert "part-00003.json does not hold any more" in caplog.text
    assert bench.output(record).column("a").to_pylist() == list(range(ROWS))


def test_a_file_that_changes_while_it_is_scored_is_noticed(bench, source, make_model):
    def rewrites(batch):
        if batch.column("a")[0].as_py() == 40.0:
            bench.write("in.parquet", {"a": np.zeros(ROWS), "b": np.ones(ROWS)})
        return np.zeros(batch.num_rows)

    with pytest.raises(InputChangedError, match=r"in\.parquet was changed while it was being read"):
        bench.score(source, model=make_model(answer=rewrites), rows_per_batch=10)
    assert bench.visible() == []


class Flaky(Storage):
    """Fails every n-th operation of the artifact store with an error that passes by itself."""

    every = 3
    count = 0

    def _maybe(self):
        type(self).count += 1
        if type(self).count % self.every == 0:
            raise ConnectionResetError("the network")

    def put_new(self, uri, data):
        if "/_work/" in uri and uri.endswith("0.json"):
            self._maybe()
        return super().put_new(uri, data)


def test_errors_that_pass_by_themselves_are_tried_again(bench, source):
    _, record = bench.score(source, storage=Flaky())
    assert Flaky.count > 0
    assert bench.output(record).column("a").to_pylist() == list(range(ROWS))
    assert bench.unaccounted() == []


def test_two_tries_of_one_job_at_once_give_one_commit_and_the_same_rows(bench, source):
    results, barrier = [], threading.Barrier(3)

    def run(attempt):
        request = bench.request(source, model=type(bench.model)(), attempt=attempt)
        barrier.wait()
        results.append(score_dataset(request, storage=bench.storage))

    threads = [threading.Thread(target=run, args=(str(number),)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({uri for uri, _ in results}) == 1
    assert len({record.to_json() for _, record in results}) == 1
    assert bench.output(results[0][1]).column("a").to_pylist() == list(range(ROWS))
    assert bench.unaccounted() == []


def test_a_zombie_cannot_commit_over_a_later_try(bench, source):
    _, zombie = bench.score(source, attempt="1")
    folder = bench.request(source).destination.folder
    bench.write("in.parquet", {"a": np.zeros(ROWS), "b": np.ones(ROWS)})
    uri, _ = bench.score(source, attempt="2")
    with pytest.raises(ArtifactConflictError, match="A later try of this task has committed"):
        commit(folder, zombie, bench.storage)
    assert Path(uri.removeprefix("file://")).name == "0000000002.json"
    assert len(bench.visible()) == 2


def test_the_fence_is_asked_right_before_the_commit(bench, source):
    def refused():
        raise RuntimeError("this try is over")

    with pytest.raises(RuntimeError, match="this try is over"):
        score_dataset(bench.request(source), storage=bench.storage, fence=refused)
    assert bench.visible() == []


# -- accounting -----------------------------------------------------------------------------------------------


def test_row_hashes_do_not_depend_on_order_and_tell_any_two_sets_apart():
    whole = row_hash("file:///a", 0, 1000)
    assert whole == sum(rows_hash("file:///a", [row]) for row in reversed(range(1000))) % 2**64
    assert whole != row_hash("file:///b", 0, 1000)
    assert whole != (whole - rows_hash("file:///a", [7]) + rows_hash("file:///a", [8])) % 2**64  # lost and doubled
    assert len({rows_hash("file:///a", [row]) for row in range(10_000)}) == 10_000


def test_a_lost_and_a_doubled_row_do_not_make_up_for_each_other(bench, source):
    _, record = bench.score(source)
    certificate = record.certificate
    first, second = (rows_hash(f"file://{source}", [row]) for row in (1, 2))
    swapped = int(certificate.row_hash_out, 16) + first - second
    with pytest.raises(ValueError, match="are not the rows that went in"):
        replace(certificate, row_hash_out=f"{swapped % 2**64:016x}")


# -- versions of the input ------------------------------------------------------------------------------------


def receipts(bench):
    return [Receipt.from_json(path.read_bytes(), where="") for path in sorted(bench.root.rglob("_work/*/part-*.json"))]


def test_each_receipt_says_which_files_it_was_made_from_and_has_a_digest_of_the_rows(bench, source):
    table = {"a": np.arange(float(ROWS)), "b": np.ones(ROWS)}
    _, record = bench.score(source)
    known = receipts(bench)
    assert record.dataset == (Storage().versioned(source),)
    (file,) = record.dataset
    made_from = fingerprint([[file.uri, file.size_bytes, file.version]])
    assert {receipt.versions_digest for receipt in known} == {made_from}
    assert len({receipt.rows_digest for receipt in known}) == len(known) == 10
    table["b"][55] = 7
    bench.write("in.parquet", table)
    bench.root = bench.root.parent / "again"
    bench.score(source)
    pairs = zip(known, receipts(bench), strict=True)
    changed = [receipt.index for receipt, now in pairs if receipt.rows_digest != now.rows_digest]
    assert changed == [5]


@pytest.mark.parametrize("way", ["in place", "renamed"])
@pytest.mark.parametrize("moment", ["between two tries", "after the commit"])
def test_rows_of_a_file_whose_size_and_time_were_put_back_are_never_old_ones(bench, source, way, moment):
    path = Path(source)
    status = path.stat()
    if moment == "between two tries":
        crash(bench, source, at=75.0)
    else:
        _, before = bench.score(source)
    other = Path(bench.write("other.parquet", {"a": np.arange(float(ROWS)), "b": np.full(ROWS, 5.0)}))
    assert other.stat().st_size == status.st_size
    if way == "in place":
        path.write_bytes(other.read_bytes())
    else:
        other.replace(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    uri, record = bench.score(source, attempt="2")
    assert bench.output(record).column("predicted_label").to_pylist() == [row + 10.0 for row in range(ROWS)]
    assert uri.endswith("0000000001.json" if moment == "between two tries" else "0000000002.json")
    if moment == "after the commit":
        assert record.job_key != before.job_key


def test_a_file_that_was_only_touched_is_scored_anew_and_gives_the_same(bench, source, caplog):
    _, whole = bench.score(source)
    bench.root = bench.root.parent / "again"
    crash(bench, source, at=75.0)
    Path(source).chmod(0o600)
    os.link(source, f"{source}.backup")
    with caplog.at_level(logging.INFO):
        _, record = bench.score(source, attempt="2")
    assert "Nothing can be resumed" in caplog.text
    assert bench.output(record).equals(bench.output(whole))


def test_two_tries_that_read_other_rows_of_one_version_do_not_agree(bench, source, monkeypatch, make_model):
    """A file system that tells nothing: neither try can know, but both have kept what they have read."""
    monkeypatch.setattr("airflow_batch_inference.storage.tree.local_version", lambda _: "1-1-1")
    reached = threading.Event()
    scored = threading.Event()

    def waits(batch):
        if (batch.column("a").to_numpy() == 50.0).any() and batch.num_rows < 20:
            reached.set()
            assert scored.wait(30)
        return batch.column("a").to_numpy()

    failed = []

    def zombie():
        try:
            bench.score(source, model=make_model(answer=waits), alignment_check_rows=0)
        except ArtifactIntegrityError as error:
            failed.append(str(error))

    thread = threading.Thread(target=zombie)
    thread.start()
    assert reached.wait(30)
    bench.write("in.parquet", {"a": np.arange(float(ROWS)), "b": np.full(ROWS, 5.0)})
    crash(bench, source, at=75.0, attempt="2")
    scored.set()
    thread.join()
    assert failed
    assert "Two tries of this job have read different rows for part 5" in failed[0]
    assert bench.visible() == []


def test_a_receipt_of_another_version_is_not_mixed_in(bench, source, caplog):
    crash(bench, source, at=75.0)
    (path,) = bench.root.rglob("_work/*/part-00003.json")
    receipt = Receipt.from_json(path.read_bytes(), where="")
    path.write_bytes(replace(receipt, versions_digest="0" * 64).to_json())
    _, record = bench.score(source, attempt="2")
    assert "part-00003.json is of other versions of its files" in caplog.text
    assert ["-1." in part.uri for part in record.parts] == [True] * 3 + [False] + [True] * 3 + [False] * 3
