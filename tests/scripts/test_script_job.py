"""What the engine promises for scripts, too: resume, one commit, a stop, nothing half visible."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from script_bench import ECHO, names

from airflow_batch_inference.exceptions import (
    ArtifactConflictError,
    ArtifactIntegrityError,
    TooManyFailedItemsError,
)

SLOW = ECHO.replace("    return", "    time.sleep(0.15)\n    return")


def test_a_job_that_is_killed_goes_on_with_the_mini_batches_that_are_missing(bench):
    bench.write_files(12)
    script = bench.script(SLOW)
    program = bench.folder / "job.py"
    program.write_text(f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1] / "support")!r})
from script_bench import *
bench = Bench(Path({str(bench.folder)!r}))
bench.run({script!r}, mini_batch_size=1, attempt="killed")
""")
    job = subprocess.Popen([sys.executable, str(program)])
    until = time.monotonic() + 60
    while len(bench.receipts()) < 4 and time.monotonic() < until:
        time.sleep(0.01)
    job.kill()
    job.wait()
    time.sleep(0.3)
    done = len(bench.receipts())
    begun = len(bench.calls())
    assert 4 <= done < 12
    assert begun - done <= 1, "the worker has died with its parent"
    _, record = bench.run(script, mini_batch_size=1, attempt="second")
    assert len(bench.calls()) - begun == 12 - done
    assert names(record, bench) == [f"{i:03d}.txt" for i in range(12)]
    assert sum(entry["resumed"] for entry in bench.mini_batches(record)) == done


def test_the_same_job_again_returns_its_commit_and_runs_nothing(bench):
    bench.write_files(3)
    script = bench.script(ECHO)
    first = bench.run(script)
    assert bench.run(script, attempt="2") == first
    assert len(bench.notes()) == 2


def test_two_writers_of_one_job_commit_one_set(bench):
    bench.write_files(8)
    script = bench.script(SLOW)
    found = {}

    def write(attempt):
        found[attempt] = bench.run(script, mini_batch_size=1, attempt=attempt)

    writers = [threading.Thread(target=write, args=(attempt,)) for attempt in ("1", "2")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert found["1"] == found["2"]
    assert bench.committed() == ["0000000001.json"]
    assert names(found["1"][1], bench) == [f"{i:03d}.txt" for i in range(8)]
    assert len(list(bench.root.rglob("predictions-*"))) == 1
    assert len(list(bench.root.rglob("mini-batch-*.csv"))) == 8, "what came second was removed"


def test_a_stop_after_the_last_mini_batch_commits_nothing_either(bench):
    bench.write_files(1)
    with pytest.raises(InterruptedError):
        bench.run(bench.script(ECHO), stopped=lambda: bool(bench.receipts()))
    assert bench.committed() == []


def test_a_zombie_that_its_retry_has_replaced_commits_nothing(bench):
    bench.write_files(1)

    def fence():
        raise RuntimeError("a later try is live")

    with pytest.raises(RuntimeError, match="a later try"):
        bench.run(bench.script(ECHO), fence=fence)
    assert bench.committed() == []


def test_an_earlier_try_of_another_job_does_not_replace_a_later_one(bench):
    bench.write_files(1)
    script = bench.script(ECHO)
    bench.run(script, attempt="2")
    with pytest.raises(ArtifactConflictError, match="came too late"):
        bench.run(script, attempt="1", mini_batch_size=5)


FAILING = """
def run(mini_batch):
    note("run", mini_batch)
    if not Path(os.environ["NOTES"] + ".mended").exists() and mini_batch[0].endswith("001.txt"):
        raise ValueError("the service is away")
    return [os.path.basename(path) for path in mini_batch]
"""


def test_a_retry_of_a_failed_job_runs_what_failed_and_nothing_else(bench):
    bench.write_files(4)
    script = bench.script(FAILING)
    with pytest.raises(TooManyFailedItemsError):
        bench.run(script, mini_batch_size=1, max_attempts=2, error_threshold=0)
    done = len(bench.receipts())
    before = len(bench.calls())
    Path(f"{bench.notes_path}.mended").touch()
    _, record = bench.run(script, mini_batch_size=1, max_attempts=2, error_threshold=0, attempt="2")
    assert len(bench.calls()) - before == 4 - done
    assert names(record, bench) == [f"{i:03d}.txt" for i in range(4)]
    assert record.items.files_failed == 0


def test_other_limits_resume_what_succeeded_and_try_again_what_failed(bench):
    bench.write_files(4)
    script = bench.script(FAILING)
    _, lenient = bench.run(script, mini_batch_size=1, max_attempts=1)
    assert lenient.items.files_failed == 1
    before = len(bench.calls())
    Path(f"{bench.notes_path}.mended").touch()
    uri, strict = bench.run(script, mini_batch_size=1, max_attempts=1, error_threshold=0, attempt="2")
    assert len(bench.calls()) - before == 1
    assert uri.endswith("0000000002.json")
    assert strict.items.files_failed == 0
    assert names(lenient, bench) == ["000.txt", "002.txt", "003.txt"], "the first set is as it was"


def interrupted(bench, script, **arguments):
    """Run a job up to its commit."""

    def fence():
        raise RuntimeError("stopped before the commit")

    with pytest.raises(RuntimeError, match="stopped before"):
        bench.run(script, fence=fence, **arguments)


def test_a_piece_that_was_changed_is_noticed_before_the_commit(bench):
    bench.write_files(2)
    script = bench.script(ECHO)
    interrupted(bench, script)
    (piece,) = bench.root.rglob("mini-batch-*.csv")
    piece.write_bytes(piece.read_bytes().upper())
    with pytest.raises(ArtifactIntegrityError, match="was changed after it was written"):
        bench.run(script, attempt="2")
    assert bench.committed() == []


def test_a_mini_batch_whose_files_are_gone_is_run_again(bench):
    bench.write_files(4)
    script = bench.script(ECHO)
    interrupted(bench, script, mini_batch_size=2)
    min(bench.root.rglob("mini-batch-*.csv")).unlink()
    _, record = bench.run(script, mini_batch_size=2, attempt="2")
    assert sorted(bench.calls()) == [["000.txt", "001.txt"], ["000.txt", "001.txt"], ["002.txt", "003.txt"]]
    assert names(record, bench) == [f"{i:03d}.txt" for i in range(4)]
