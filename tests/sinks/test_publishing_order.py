"""Which of two publications wins, and how one waits for, or takes over from, another."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from publishing import publish

from airflow_batch_inference.exceptions import ArtifactBusyError, ArtifactConflictError
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.sinks import lock, remote
from airflow_batch_inference.sinks.manifest import Publisher
from airflow_batch_inference.storage.liveness import this_process
from airflow_batch_inference.storage.store import Storage

PLACES = ("file", "folder", "remote file", "remote folder")


@pytest.fixture(params=PLACES)
def target(request, tmp_path):
    base = f"memory:/{tmp_path}" if request.param.startswith("remote") else f"file://{tmp_path}/public"
    return f"{base}/out.parquet" if request.param.endswith("file") else f"{base}/day=1"


@pytest.fixture
def scored(bench, monkeypatch):
    """``scored(run, value)``: a prediction set of two parts, of a run of one DAG."""
    monkeypatch.setattr("airflow_batch_inference.jobs.plan._PART_ROWS", 50)

    def scored(run, value, **arguments):
        bench.task = replace(bench.task, run_id=run)
        source = bench.write(f"in{value}/1.parquet", {"a": [value] * 100, "b": [1.0] * 100})
        return bench.score(source, **arguments)[1]

    return scored


def by(run, try_id="1", began="", fence=lambda: None):
    return Publisher(TaskKey(dag_id="nightly", run_id=run, task_id="log"), try_id, began, fence)


def put(bench, record, target, publisher=None, **arguments):
    publish(record, target, storage=bench.storage, target_storage=bench.storage, publisher=publisher, **arguments)


def place_of(target):
    folder, _, name = target.rpartition("/")
    return f"{folder}/_{name}_published.json" if name.endswith(".parquet") else f"{target}/_published.json"


def manifest_of(bench, target):
    return json.loads(bench.storage.read_bytes(place_of(target)))


def files_of(bench, target):
    folder = target.rpartition("/")[0] if target.endswith(".parquet") else target
    return {name: bench.storage.read_bytes(f"{folder}/{name}") for name in manifest_of(bench, target)["files"]}


def test_a_manifest_names_each_file_with_its_size_and_digest(bench, scored, target):
    put(bench, scored("1", 1.0), target, by("1"))
    found = manifest_of(bench, target)
    assert found["state"] == "complete"
    assert found["commit_number"] == 1
    assert found["contents"] == {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for name, data in files_of(bench, target).items()
    }


@pytest.mark.parametrize("damage", ["another byte", "a byte more", "gone"])
def test_a_retry_mends_what_is_not_as_the_manifest_says(bench, scored, target, damage):
    record = scored("1", 1.0)
    put(bench, record, target)
    before = files_of(bench, target)
    name = next(iter(before))
    uri = f"{target.rpartition('/')[0] if target.endswith('.parquet') else target}/{name}"
    if damage == "gone":
        bench.storage.remove(uri)
    else:
        data = before[name]
        bench.storage.put(uri, data[:-1] + b"?" if damage == "another byte" else data + b"?")
    if target.endswith(".parquet") and damage != "gone":  # whose file it is now, nobody can tell
        with pytest.raises(ArtifactConflictError, match="is not the file that this package published there"):
            put(bench, record, target)
        return
    put(bench, record, target)
    assert files_of(bench, target) == before


def test_an_older_commit_of_the_same_task_is_refused(bench, scored, target):
    older, newer = scored("1", 1.0), scored("1", 2.0)
    put(bench, newer, target)
    before = files_of(bench, target)
    with pytest.raises(ArtifactConflictError, match=r"newer commit of the same task \(number 2\) than this one"):
        put(bench, older, target)
    assert files_of(bench, target) == before
    put(bench, scored("1", 3.0), target)
    assert files_of(bench, target) != before


def test_an_older_try_of_the_same_task_is_refused(bench, scored, target):
    first, second = scored("1", 1.0), scored("2", 2.0)
    put(bench, second, target, by("2", try_id="b"))
    with pytest.raises(ArtifactConflictError, match=r"A later try of this task \(b\) has published"):
        put(bench, first, target, by("2", try_id="a"))
    put(bench, first, target, by("2", try_id="c"))
    assert manifest_of(bench, target)["published_by"]["try_id"] == "c"


def test_what_a_later_run_has_published_stays_and_a_run_that_was_cleared_replaces_it(bench, scored, target, caplog):
    first, second = scored("1", 1.0), scored("2", 2.0)
    put(bench, second, target, by("2", began="2026-01-02T00:00:00+00:00"))
    before = files_of(bench, target)
    with caplog.at_level(logging.WARNING):
        put(bench, first, target, by("1", began="2026-01-01T00:00:00+00:00"))
    assert files_of(bench, target) == before
    assert "a later run of this DAG has published: it stays" in caplog.text
    put(bench, first, target, by("1", try_id="2", began="2026-01-03T00:00:00+00:00"))
    assert manifest_of(bench, target)["task"]["run_id"] == "1"


def test_within_one_run_the_last_one_wins(bench, scored, target):
    task = TaskKey(dag_id="nightly", run_id="1", task_id="log_again")
    first, corrected = scored("1", 1.0), scored("1", 2.0)
    put(bench, first, target, by("1", try_id="z", began="1"))
    put(bench, corrected, target, Publisher(task, "a", "1"))
    assert manifest_of(bench, target)["job_key"] == corrected.job_key


def test_a_try_that_is_over_replaces_nothing(bench, scored, target):
    put(bench, scored("1", 1.0), target)
    before = files_of(bench, target)

    def over():
        raise PermissionError("this try is over")

    with pytest.raises(PermissionError):
        put(bench, scored("2", 2.0), target, by("2", fence=over))
    assert files_of(bench, target) == before
    put(bench, scored("3", 3.0), target)
    assert files_of(bench, target) != before
    listed = [file.uri for file in bench.storage.list_files(target.rpartition("/")[0])]
    assert [uri for uri in listed if "/.tmp-" in uri or "next.json" in uri] == []


def test_a_live_writer_is_waited_for_and_then_a_retry_is_asked_for(bench, scored, target, monkeypatch):
    first, second = scored("1", 1.0), scored("2", 2.0)
    monkeypatch.setattr(lock, "PATIENCE_S", 0.2)
    entered, go_on = threading.Event(), threading.Event()
    asked = []

    def hold():
        asked.append(1)
        # A store's writer is asked before its claim, and before it completes; a local one holds a lock all along.
        if len(asked) == (2 if target.startswith("memory") else 1):
            entered.set()
            go_on.wait(20)

    writer = threading.Thread(target=put, args=(bench, first, target, by("1", fence=hold)))
    writer.start()
    assert entered.wait(20)
    with pytest.raises(ArtifactBusyError) as told:
        put(bench, second, target, by("2"))
    assert told.value.retryable
    go_on.set()
    writer.join()
    assert manifest_of(bench, target)["job_key"] == first.job_key
    put(bench, second, target, by("2"))
    assert manifest_of(bench, target)["job_key"] == second.job_key


def unfinished(bench, record, target, **changed):
    """Leave a manifest as a writer of another machine would that has died, or is at work."""

    class Died(BaseException):
        pass

    calls = iter(range(10))

    def die():
        if next(calls):
            raise Died

    with pytest.raises(Died):
        put(bench, record, target, by("1", fence=die))
    document = manifest_of(bench, target)
    assert document["state"] == "writing"
    bench.storage.put(place_of(target), json.dumps(document | {"writer": "00000000.1.1"} | changed).encode())


@pytest.mark.parametrize("shape", ["out.parquet", "day=1"])
def test_a_writer_on_another_machine_is_dead_once_its_lease_is_over(bench, scored, tmp_path, shape, monkeypatch):
    target = f"memory:/{tmp_path}/{shape}"
    monkeypatch.setattr(lock, "PATIENCE_S", 0.1)
    first, second = scored("1", 1.0), scored("2", 2.0)
    unfinished(bench, first, target)
    with pytest.raises(ArtifactBusyError, match="is being published by another writer"):
        put(bench, second, target, by("2"))
    unfinished_since = time.time() - remote.LEASE_S - 1
    document = manifest_of(bench, target) | {"since": unfinished_since}
    bench.storage.put(place_of(target), json.dumps(document).encode())
    put(bench, second, target, by("2"))
    assert manifest_of(bench, target)["job_key"] == second.job_key


@pytest.mark.parametrize("shape", ["out.parquet", "day=1"])
def test_a_later_try_takes_over_at_once_from_an_earlier_one_on_another_machine(bench, scored, tmp_path, shape):
    target = f"memory:/{tmp_path}/{shape}"
    record = scored("1", 1.0)
    unfinished(bench, record, target)
    put(bench, record, target, by("1", try_id="2"))
    assert manifest_of(bench, target)["state"] == "complete"
    assert manifest_of(bench, target)["published_by"]["try_id"] == "2"


@pytest.mark.parametrize("shape", ["out.parquet", "day=1"])
def test_who_has_lost_its_claim_puts_nothing_more(bench, scored, tmp_path, shape, monkeypatch):
    """A later try takes over between the claim of the first one and its file."""
    target = f"memory:/{tmp_path}/{shape}"
    older, newer = scored("1", 1.0), scored("1", 2.0)
    monkeypatch.setattr(remote, "_OWN_PATIENCE_S", 0.05)
    monkeypatch.setattr(remote, "_CHECK_S", 0.0)
    writing = Storage.writing

    class Slow(Storage):
        """The successor publishes while the first file of this one is on its way."""

        def writing(self, uri):
            if not done:
                done.append(uri)
                put(bench, newer, target, by("1", try_id="2"))
            return writing(self, uri)

    done = []
    with pytest.raises(ArtifactBusyError, match="Another writer has taken over"):
        publish(older, target, storage=bench.storage, target_storage=Slow(), publisher=by("1", try_id="1"))
    assert manifest_of(bench, target)["job_key"] == newer.job_key
    contents = manifest_of(bench, target)["contents"]
    assert {name: hashlib.sha256(data).hexdigest() for name, data in files_of(bench, target).items()} == {
        name: each["sha256"] for name, each in contents.items()
    }


def test_a_file_that_came_after_that_of_the_successor_is_given_back(bench, scored, tmp_path, monkeypatch):
    target = f"memory:/{tmp_path}/out.parquet"
    older, newer = scored("1", 1.0), scored("1", 2.0)
    monkeypatch.setattr(remote, "_OWN_PATIENCE_S", 0.05)
    require = remote.Claim.require

    def overtaken(claim, *, now=True):
        require(claim, now=now)
        monkeypatch.setattr(remote.Claim, "require", require)
        put(bench, newer, target, by("1", try_id="2"))  # right between the check and the file

    monkeypatch.setattr(remote.Claim, "require", overtaken)
    with pytest.raises(ArtifactBusyError):
        put(bench, older, target, by("1", try_id="1"))
    (content,) = manifest_of(bench, target)["contents"].values()
    assert manifest_of(bench, target)["job_key"] == newer.job_key
    assert manifest_of(bench, target)["state"] == "complete"
    assert hashlib.sha256(bench.storage.read_bytes(target)).hexdigest() == content["sha256"]


def test_a_torn_manifest_is_found_in_its_spare_copy(bench, scored, tmp_path):
    target = f"memory:/{tmp_path}/day=1"
    first, second = scored("1", 1.0), scored("2", 2.0)
    put(bench, first, target)
    whole = bench.storage.read_bytes(place_of(target))
    bench.storage.put(place_of(target).replace("_published.json", "_published.next.json"), whole)
    bench.storage.put(place_of(target), whole[: len(whole) // 2])
    other = replace(second, task=replace(second.task, dag_id="other"))
    with pytest.raises(ArtifactConflictError, match="DAG 'nightly' published it"):
        put(bench, other, target)
    put(bench, first, target)
    assert bench.storage.read_bytes(place_of(target)) == whole
    put(bench, second, target)
    assert manifest_of(bench, target)["job_key"] == second.job_key
    assert len(bench.storage.list_files(target)) == 3


def test_a_lock_that_a_dead_process_held_is_free_and_its_file_goes(bench, scored, tmp_path):
    target = f"file://{tmp_path}/public/day=1"
    record = scored("1", 1.0)

    def hold(pipe):
        with lock.locked(tmp_path / "public" / "day=1"):
            (tmp_path / "public" / lock.private_name(tmp_path / "public" / "day=1")).mkdir()
            pipe.send(1)
            time.sleep(60)

    (tmp_path / "public").mkdir()
    here, there = multiprocessing.Pipe()
    holder = multiprocessing.get_context("fork").Process(target=hold, args=(there,))
    holder.start()
    here.recv()
    holder.kill()
    holder.join()
    assert len(list((tmp_path / "public").glob(".tmp-p*"))) == 2
    put(bench, record, target)
    assert [path.name for path in (tmp_path / "public").iterdir()] == ["day=1"]


def test_without_locks_it_is_published_with_a_warning(bench, scored, tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(lock.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    for number, value in enumerate((1.0, 2.0)):
        put(bench, scored(str(number), value), f"file://{tmp_path}/public/day=1")
    assert "a file system without locks" in caplog.text
    assert [path.name for path in (tmp_path / "public").iterdir()] == ["day=1"]


def test_a_folder_that_was_moved_aside_by_a_process_that_died_is_put_back(bench, scored, tmp_path):
    target = tmp_path / "public" / "day=1"
    put(bench, scored("1", 1.0), f"file://{target}")
    target.rename(lock.aside_of(target))
    missing = scored("2", 2.0)
    Path(missing.parts[0].uri.removeprefix("file://")).unlink()
    with pytest.raises(Exception, match="Nothing lies at"):
        put(bench, missing, f"file://{target}")
    assert len(files_of(bench, f"file://{target}")) == 2
    assert [path.name for path in target.parent.iterdir()] == ["day=1"]


def test_a_token_of_this_process_that_publishes_nothing_is_dead(bench, scored, tmp_path):
    target = f"memory:/{tmp_path}/day=1"
    unfinished(bench, scored("1", 1.0), target, writer=this_process())
    record = scored("2", 2.0)
    began = time.monotonic()
    put(bench, record, target, by("2"))
    assert time.monotonic() - began < lock.PATIENCE_S / 2
    assert os.getpid() == int(this_process().split(".")[1])
    assert manifest_of(bench, target)["job_key"] == record.job_key


EDITS = (
    {"number": "two"},
    {"since": 1e308},
    {"published_by": "me"},
    {"published_by": {"task": {"dag": "d"}}},
    {"contents": {"out.parquet": {"sha256": "0", "size_bytes": "many"}}},
    {"superseded": [{}]},
    {"next": {"contents": [1]}},
)


def test_a_manifest_that_somebody_has_made_one_of_another_form_says_nothing(bench, scored, target):
    first, second = scored("1", 1.0), scored("2", 2.0)
    put(bench, first, target, by("1"))
    good = manifest_of(bench, target)
    for edit in EDITS:
        bench.storage.put(place_of(target), json.dumps(good | edit).encode())
        with pytest.raises(ArtifactConflictError, match="no manifest says that this package published it"):
            put(bench, second, target, by("2"))
    bench.storage.put(place_of(target), json.dumps(good).encode())
    put(bench, second, target, by("2"))
    assert manifest_of(bench, target)["job_key"] == second.job_key


def test_a_writer_whose_clock_was_far_ahead_holds_no_target_until_then(bench, scored, tmp_path, monkeypatch):
    target = f"memory:/{tmp_path}/day=1"
    monkeypatch.setattr(lock, "PATIENCE_S", 0.1)
    first, second = scored("1", 1.0), scored("2", 2.0)
    unfinished(bench, first, target, since=time.time() + 365 * 86_400)
    put(bench, second, target, by("2"))
    assert manifest_of(bench, target)["job_key"] == second.job_key


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_pipe_or_a_folder_in_the_place_of_a_published_file_is_never_read(bench, scored, tmp_path, make):
    record, file, folder = scored("1", 1.0), tmp_path / "out.parquet", tmp_path / "day=1"
    for target in (file, folder):
        put(bench, record, f"file://{target}", by("1"))
    for path in (file, next(folder.glob("part-*"))):
        path.unlink()
        make(path)
    with pytest.raises(ArtifactConflictError, match="is not the file that this package published there"):
        put(bench, record, f"file://{file}", by("1"))
    put(bench, record, f"file://{folder}", by("1"))
    assert all(path.is_file() for path in folder.glob("part-*"))
