"""``sweep`` lists what dead processes have left, and removes it where it is asked to."""

from __future__ import annotations

import json
import os
import time

import pytest


@pytest.fixture
def left(tmp_path):
    """A private file that nobody has written to for four days."""
    path = tmp_path / "store" / "dag_id=d" / ".tmp-12345678.1.1-0011.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"12345")
    moment = time.time() - 4 * 24 * 3600
    os.utime(path, (moment, moment))
    return path


def test_it_is_listed_and_stays(run, left):
    ended = run("sweep", "--artifact-root", "store")
    assert ended.status == 0
    assert ended.out.startswith(f"left     {left}  (5 bytes, 96.0 h old: an unfinished file)\n")
    assert ended.out.endswith("1 file(s), 5 bytes; --remove removes them\n")
    assert left.exists()


def test_it_is_removed_if_asked(run, left, either_entrance, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # not this machine's own
    ended = run("sweep", "--artifact-root", "store", "--remove", "--json", entrance=either_entrance)
    assert json.loads(ended.out) == {
        "removed": True,
        "files": [{"uri": f"file://{left}", "size_bytes": 5, "why": "an unfinished file"}],
    }
    assert not left.exists()
    assert run("sweep", "--artifact-root", "store").out == "0 file(s), 0 bytes; --remove removes them\n"


def test_the_age_is_said_in_hours(run, left):
    assert run("sweep", "--artifact-root", "store", "--older-than", "97").out.startswith("0 file(s)")
    assert "--older-than is '0'; it must be a number from 1" in str(run("sweep", "--older-than", "0").status)


def test_what_was_scored_and_published_stays(run, pinned, batch, tmp_path):
    arguments = [pinned[0], batch, *pinned[1:], "--output", "scores.parquet", "--artifact-root", "store", "--json"]
    uri = json.loads(run("score", *arguments).out)["prediction_set"]
    moment = time.time() - 99 * 24 * 3600
    for path in tmp_path.rglob("*"):
        os.utime(path, (moment, moment))
    ended = run("sweep", "scores.parquet", "--artifact-root", "store", "--remove")
    assert ended.out == "0 file(s), 0 bytes removed\n"
    assert run("verify", uri).status == 0
