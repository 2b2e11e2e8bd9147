"""What dead writers left goes; what a commit names, what is fresh and what somebody may still write stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from airflow_batch_inference.jobs.leftovers import leftovers, remove
from airflow_batch_inference.sinks import lock
from airflow_batch_inference.storage.liveness import this_process
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import task_folder

STORAGE = Storage()
DAY = 24 * 3600.0


@pytest.fixture
def task(bench):
    """The folder of the bench's task."""
    return Path(task_folder(str(bench.root), bench.task).removeprefix("file://"))


@pytest.fixture
def source(bench):
    return bench.write("in.parquet", {"a": [1.0, 2.0], "b": [1.0, 1.0]})


def make(path, *, days=0.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left")
    moment = time.time() - days * DAY
    os.utime(path, (moment, moment))
    return path


def dead_token():
    machine, number, began = this_process().split(".")
    return f"{machine}.{number}.{int(began) + 1}"


def age(folder, *, days):
    for path in folder.rglob("*"):
        moment = time.time() - days * DAY
        os.utime(path, (moment, moment))


def test_a_try_removes_what_dead_processes_left_and_nothing_of_live_ones(bench, source, task):
    dead = make(task / "_work" / "0011223344556677" / f".tmp-{dead_token()}-00.json")
    old = make(task / "data" / "0011223344556677" / ".tmp-12345678.7.7-00.parquet", days=2)
    alive = make(task / "_commits" / f".tmp-{this_process()}-00")
    elsewhere = make(task / "data" / "0011223344556677" / ".tmp-12345678.7.7-01.parquet")
    other_job = make(task / "data" / "0011223344556677" / "part-00000-1.parquet", days=9)
    bench.score(source)
    assert [path.exists() for path in (dead, old, alive, elsewhere, other_job)] == [False, False, True, True, True]


@pytest.mark.parametrize("again", [False, True], ids=["first", "the job was committed before"])
def test_files_of_the_job_that_its_commit_does_not_name_go_after_it(bench, source, task, again):
    _, record = bench.score(source)
    key = record.job_key[:16]
    if not again:
        (commit,) = (task / "_commits").iterdir()
        commit.unlink()
    loser = make(task / "data" / key / "part-00000-9.parquet")
    rejects = make(task / "quarantine" / key / "part-00000-9.jsonl")
    others = make(task / "data" / key / "notes.txt")
    _, second = bench.score(source, attempt="2")
    assert second.parts == record.parts
    assert [path.exists() for path in (loser, rejects, others)] == [False, False, True]
    assert bench.output(second).num_rows == 2


def test_only_what_is_surely_left_is_listed_and_removed(bench, source, task):
    uri, record = bench.score(source)
    key = record.job_key[:16]
    loser = make(task / "data" / key / "part-00000-9.parquet")
    never = make(task / "data" / "0011223344556677" / "part-00000-9.parquet")
    dead = make(task / "data" / key / f".tmp-{dead_token()}-00.parquet")
    fresh = leftovers(str(bench.root), STORAGE, older_than_s=DAY)
    assert [each.uri for each in fresh] == [f"file://{dead}"]
    age(task, days=3)
    found = leftovers(str(bench.root), STORAGE, older_than_s=DAY)
    assert {each.uri: each.why for each in found} == {
        f"file://{dead}": "an unfinished file",
        f"file://{loser}": "no commit names it",
        f"file://{never}": "of a job that was never committed",
    }
    make(task / "_work" / "0011223344556677" / "part-00001.json")  # somebody is at work there
    assert [each.uri for each in leftovers(str(bench.root), STORAGE, older_than_s=DAY)] == [f"file://{dead}"]
    remove(found, STORAGE)
    assert not any(path.exists() for path in (loser, never, dead))
    assert STORAGE.read_record(uri) == record
    assert bench.output(record).num_rows == 2


def test_a_damaged_commit_keeps_all_of_its_task(bench, source, task):
    uri, record = bench.score(source)
    make(task / "data" / record.job_key[:16] / "part-00000-9.parquet")
    STORAGE.put(uri, b"{")
    age(task, days=3)
    assert leftovers(str(bench.root), STORAGE, older_than_s=DAY) == []


def test_a_store_in_memory_is_swept_too(tmp_path):
    root = f"memory:/{tmp_path}/artifacts"
    STORAGE.put(f"{root}/x/.tmp-{dead_token()}-00", b"1")
    STORAGE.put(f"{root}/x/.tmp-{this_process()}-00", b"1")
    found = leftovers(root, STORAGE, older_than_s=DAY)
    assert [each.uri for each in found] == [f"{root}/x/.tmp-{dead_token()}-00".replace("memory:/", "memory:/")]
    remove(found, STORAGE)
    assert len(STORAGE.list_files(root)) == 1


def test_publications_that_died_are_found_beside_their_target(tmp_path):
    target = tmp_path / "public" / "day=1"
    staged = target.with_name(lock.private_name(target))
    make(staged / "a" / "part-0.parquet")
    aside = lock.aside_of(target)
    make(aside / "part-0.parquet")
    mine = make(target.parent / "theirs.parquet", days=99)
    age(target.parent, days=3)
    root = str(tmp_path / "artifacts")
    with lock.locked(target):
        assert leftovers(root, STORAGE, older_than_s=DAY, published=(str(target),)) == []
    found = leftovers(root, STORAGE, older_than_s=DAY, published=(str(target),))
    assert [each.uri for each in found] == [f"file://{staged}/a/part-0.parquet"]
    remove(found, STORAGE)
    assert not staged.exists()
    assert aside.exists()  # it may be the only copy
    assert mine.exists()


def test_nothing_goes_that_a_link_beside_what_was_published_leads_to(tmp_path):
    target = make(tmp_path / "public" / "scores.parquet", days=9)
    theirs = make(tmp_path / "theirs" / "kept.csv", days=9)
    links = [target.with_name(".tmp-folder"), target.with_name(".tmp-file"), target.parent / ".tmp-own" / "link"]
    links[2].parent.mkdir()
    for link, leads_to in zip(links, (theirs.parent, theirs, theirs.parent), strict=True):
        link.symlink_to(leads_to)
        os.utime(link, (1e9, 1e9), follow_symlinks=False)
    found = leftovers(str(tmp_path / "root"), STORAGE, older_than_s=DAY, published=(str(target),))
    assert {each.uri for each in found} == {f"file://{link}" for link in links}
    remove(found, STORAGE)
    assert theirs.exists()
    assert [path.name for path in target.parent.iterdir()] == ["scores.parquet"]
