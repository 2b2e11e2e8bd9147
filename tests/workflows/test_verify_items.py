"""A prediction set of files is checked again offline, and every kind of damage is found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_batch_inference.cli import main
from airflow_batch_inference.exceptions import ArtifactIntegrityError
from airflow_batch_inference.jobs.request import Destination
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.scripts.job import run_script
from airflow_batch_inference.scripts.request import ScriptRequest
from airflow_batch_inference.scripts.settings import ScriptSettings
from airflow_batch_inference.scripts.source import UserScript
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

SCRIPT = """
import os
def init(): pass
def run(mini_batch):
    if mini_batch[0].endswith("0.txt"):
        raise ValueError("no")
    return ["two\\nlines" for _ in mini_batch]
"""


@pytest.fixture(params=["out.csv", "out.parquet", "out.arrow", "out.jsonl"])
def committed(request, tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(5):
        (tmp_path / "in" / f"{i}.txt").write_text(str(i))
    (tmp_path / "score.py").write_text(SCRIPT)
    task = TaskKey(dag_id="nightly", run_id="1", task_id="predict")
    job = ScriptRequest(
        scorer=UserScript(script=str(tmp_path / "score.py"), code=None, storage=Storage()),
        dataset=str(tmp_path / "in"),
        destination=Destination(root=str(tmp_path / "art"), task=task, attempt="1", try_id="1", batch_id="b"),
        settings=ScriptSettings(mini_batch_size=2, max_attempts=1, output_file_name=request.param),
    )
    return run_script(job, storage=Storage())


def test_a_set_that_holds_is_said_to_hold_and_why(committed, capsys):
    found = verify(committed[0], Storage(), inputs=Storage())
    assert found.problems == []
    assert found.checks == [
        "1 part(s) and 0 of rejects have their digests and rows",
        "5 files in 3 mini-batch(es), each once: 3 succeeded, 2 failed; 3 elements returned",
        "the 5 input files are as they were; a script read them",
    ]
    main(["verify", committed[0], "--inputs"])
    assert "PROBLEM" not in capsys.readouterr().out


def path_of(uri):
    return Path(uri.removeprefix("file://"))


def test_damage_is_found(committed, tmp_path):
    uri, record = committed
    told = path_of(record.mini_batches_uri)
    entries = [json.loads(line) for line in told.read_text().splitlines()]
    text = told.read_bytes()
    told.write_text("")
    assert "was changed" in verify(uri, Storage()).problems[0]
    told.write_bytes(text)
    (tmp_path / "in" / "3.txt").write_text("other")
    assert (
        "3.txt was changed, or touched (as chmod does), since it was scored"
        in verify(uri, Storage(), inputs=Storage()).problems[0]
    )
    entries[1]["files"].pop()
    other = Storage().put_content(str(tmp_path), "mini_batches", ".jsonl", b"".join(
        json.dumps(entry).encode() + b"\n" for entry in entries))  # fmt: skip
    path_of(uri).write_bytes(replace(record, mini_batches_uri=other).to_json())
    assert "each once and in order" in verify(uri, Storage()).problems[0]
    path_of(record.parts[0].uri).write_bytes(b"damaged")
    assert "was changed: its SHA-256" in verify(uri, Storage()).problems[0]


def test_numbers_that_do_not_add_up_are_no_record(committed):
    uri, record = committed
    document = record.to_dict()
    document["items"]["files_succeeded"] += 1
    path_of(uri).write_text(json.dumps(document))
    with pytest.raises(ArtifactIntegrityError, match="5 files went in, 4 succeeded and 2 failed"):
        verify(uri, Storage())
    document = record.to_dict() | {"rows_out": 7}
    path_of(uri).write_text(json.dumps(document))
    with pytest.raises(ArtifactIntegrityError, match="do not add up"):
        verify(uri, Storage())
