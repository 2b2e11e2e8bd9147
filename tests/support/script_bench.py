"""A bench that runs scoring scripts over small files into a temporary artifact store, and counts their calls."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from airflow_batch_inference.jobs.request import Destination
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.scripts.job import run_script
from airflow_batch_inference.scripts.request import ScriptRequest
from airflow_batch_inference.scripts.settings import ScriptSettings
from airflow_batch_inference.scripts.source import UserScript
from airflow_batch_inference.storage.store import Storage

NOTES = """
import json, os, signal, sys, time
from pathlib import Path

def note(kind, paths=()):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps([kind, os.getpid(), [os.path.basename(path) for path in paths]]) + "\\n")

def once(name):
    '''Say whether this is asked for the first time, in any process.'''
    try:
        Path(os.environ["NOTES"] + "." + name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

def init():
    note("init")
"""

ECHO = """
def run(mini_batch):
    note("run", mini_batch)
    return [os.path.basename(path) for path in mini_batch]
"""
"""A script that returns the files' names."""


class Bench:
    """Writes inputs and scripts, runs jobs, and reads what they left."""

    prelude = NOTES

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.input = folder / "in"
        self.root = folder / "artifacts"
        self.notes_path = folder / "notes.jsonl"
        self.storage = Storage()

    def write_files(self, number, *, text="{i}\n", suffix=".txt"):
        """Write files 000, 001, … that hold their own number."""
        self.input.mkdir(exist_ok=True)
        for i in range(number):
            (self.input / f"{i:03d}{suffix}").write_text(text.format(i=i))
        return str(self.input)

    def script(self, body, *, name="score.py", folder="code", with_notes=True):
        """Write a script; ``note`` and ``once`` and an ``init`` stand before it, unless told otherwise."""
        path = self.folder / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((NOTES if with_notes else "") + textwrap.dedent(body))
        return str(path)

    def request(self, script, *, dataset=None, attempt="1", code=None, model=None, on_empty="fail", recursive=False,
                environment=None, **settings):  # fmt: skip
        return ScriptRequest(
            scorer=UserScript(script=script, code=code, storage=self.storage, model_uri=model),
            dataset=str(self.input) if dataset is None else dataset,
            destination=Destination(
                root=str(self.root),
                task=TaskKey(dag_id="nightly", run_id="run/1", task_id="predict"),
                attempt=attempt, try_id=attempt, batch_id="2013-04-08",
            ),
            settings=ScriptSettings(
                environment_variables={"NOTES": str(self.notes_path), **(environment or {})}, **settings
            ),
            recursive=recursive,
            on_empty=on_empty,
        )  # fmt: skip

    def run(self, script, *, storage=None, stopped=lambda: False, fence=lambda: None, **arguments):
        """Return the commit's URI and record."""
        request = self.request(script, **arguments)
        return run_script(request, storage=storage or self.storage, stopped=stopped, fence=fence)

    def notes(self, kind=None):
        """Return what the scripts have noted: kind, process, file names."""
        if not self.notes_path.exists():
            return []
        found = [json.loads(line) for line in self.notes_path.read_text().splitlines()]
        return [each for each in found if kind in (None, each[0])]

    def calls(self):
        """Return the file names of each call of run()."""
        return [names for _, _, names in self.notes("run")]

    def forget(self):
        """Remove the notes and all artifacts, as if nothing had run."""
        import shutil

        for path in self.folder.glob("notes.jsonl*"):
            path.unlink()
        shutil.rmtree(self.root, ignore_errors=True)

    @staticmethod
    def output(record, name=None):
        """Return the bytes of the table, or of a file that the script wrote."""
        (part,) = [part for part in record.parts if name is None or part.name == name]
        return Path(part.uri.removeprefix("file://")).read_bytes()

    def written(self, record):
        """Return the files that the script wrote: path to bytes."""
        return {part.name: self.output(record, part.name) for part in record.parts}

    @staticmethod
    def mini_batches(record):
        """Return the entries of the job's record of its mini-batches."""
        return [
            json.loads(line) for line in Path(record.mini_batches_uri.removeprefix("file://")).read_text().splitlines()
        ]

    def committed(self):
        """Return the names of the commits."""
        return sorted(path.name for path in self.root.rglob("_commits/*.json"))

    def receipts(self):
        """Return the names of the receipts."""
        return sorted(path.name for path in self.root.rglob("_work/*/part-*.json"))


def names(record, bench):
    """Return what :data:`ECHO` has returned."""
    return bench.output(record).decode().split()[1:]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)
