from __future__ import annotations

import multiprocessing
from dataclasses import replace

import pytest

from airflow_batch_inference.exceptions import ArtifactConflictError, ArtifactIntegrityError
from airflow_batch_inference.ledger.commit import commit, committed, latest_commit
from airflow_batch_inference.storage.store import Storage

STORAGE = Storage()


@pytest.fixture
def record(bench):
    return bench.score({"a": [1.0], "b": [2.0]})[1]


@pytest.fixture
def folder(tmp_path):
    return f"file://{tmp_path}/task"


def test_there_is_no_commit_before_the_first(folder):
    assert latest_commit(folder, STORAGE) == (0, None)
    assert committed(folder, "any", STORAGE) is None


def test_commits_are_numbered_and_never_changed(folder, record):
    first, _ = commit(folder, record, STORAGE)
    written = STORAGE.read_bytes(first)
    second, _ = commit(folder, replace(record, job_key="other"), STORAGE)
    assert first == f"{folder}/_commits/0000000001.json"
    assert second == f"{folder}/_commits/0000000002.json"
    assert latest_commit(folder, STORAGE) == (2, second)
    assert STORAGE.read_bytes(first) == written


def test_only_the_last_commit_counts_as_this_very_job(folder, record):
    commit(folder, record, STORAGE)
    assert committed(folder, record.job_key, STORAGE) == (f"{folder}/_commits/0000000001.json", record)
    commit(folder, replace(record, job_key="other"), STORAGE)
    assert committed(folder, record.job_key, STORAGE) is None


def test_other_files_among_the_commits_are_passed_over(folder, record):
    for name in (".tmp-1", "notes.txt", "1.json"):
        STORAGE.put(f"{folder}/_commits/{name}", b"x")
    assert commit(folder, record, STORAGE)[0].endswith("/0000000001.json")


def test_a_damaged_commit_is_an_error_and_not_a_reason_to_score_again(folder, record):
    uri, _ = commit(folder, record, STORAGE)
    STORAGE.put(uri, STORAGE.read_bytes(uri)[:-20])
    with pytest.raises(ArtifactIntegrityError, match=r"0000000001\.json is not a record: not JSON"):
        committed(folder, record.job_key, STORAGE)


class Overtaken(Storage):
    """Somebody else commits ``theirs`` just before each of our first commits."""

    theirs: list

    def put_new(self, uri, data):
        if self.theirs and "/_commits/" in uri:
            super().put_new(uri, self.theirs.pop().to_json())
        return super().put_new(uri, data)


def overtaken_by(*theirs):
    storage = Overtaken()
    object.__setattr__(storage, "theirs", list(theirs))
    return storage


def test_of_two_tries_of_one_job_the_first_commit_counts(folder, record):
    theirs = replace(record, seconds={"plan": 9.0})
    assert commit(folder, record, overtaken_by(theirs)) == (f"{folder}/_commits/0000000001.json", theirs)


def test_a_commit_of_another_job_is_left_alone_and_the_next_number_taken(folder, record):
    theirs = replace(record, job_key="other")
    uri, ours = commit(folder, record, overtaken_by(theirs))
    assert (uri, ours) == (f"{folder}/_commits/0000000002.json", record)


def test_a_folder_with_endless_other_writers_is_given_up(folder, record):
    others = [replace(record, job_key=f"other-{number}") for number in range(20)]
    with pytest.raises(ArtifactConflictError, match="One task instance must have one writer"):
        commit(folder, record, overtaken_by(*others))


def _commit(arguments):
    folder, record = arguments
    return commit(folder, record, STORAGE)[0]


def test_racing_tries_of_one_job_agree_on_one_commit_and_other_jobs_get_their_own(folder, record):
    keys = ["one", "one", "one", "two", "two", "three"]
    with multiprocessing.get_context("fork").Pool(6) as pool:
        uris = pool.map(_commit, [(folder, replace(record, job_key=key)) for key in keys], chunksize=1)
    for uri, key in zip(uris, keys, strict=True):
        assert f'"job_key": "{key}"'.encode() in STORAGE.read_bytes(uri)
