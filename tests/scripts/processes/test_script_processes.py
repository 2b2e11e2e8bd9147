"""A script's worker processes: what it sees there, what ends them, and that nothing they started is left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from airflow_batch_inference.exceptions import (
    ScriptError,
    WorkerError,
)


def test_a_stop_ends_the_workers_and_commits_nothing(bench):
    bench.write_files(4)
    script = bench.script("""
        def run(mini_batch):
            note("run", mini_batch)
            time.sleep(3600)
    """)
    with pytest.raises(InterruptedError):
        bench.run(script, stopped=lambda: bool(bench.calls()), mini_batch_timeout_s=900)
    assert bench.committed() == []
    ((_, process, _),) = bench.notes("run")
    assert not is_running(process)


def is_running(process):
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("body", "says"),
    [("def run(mini_batch):\n    return []", r"defines no function init\(\).*It defines: run"),
     ("def init():\n    pass\nrun = 3", r"defines no function run\(\)"),
     ("import no_such_module_at_all", r"(?s)could not be loaded: ModuleNotFoundError.*import no_such_module_at_all"),
     ("def init(:", "could not be loaded: .*SyntaxError|SyntaxError"),
     ("def init():\n    open('/no/such/model')\ndef run(b):\n    pass",
      r"(?s)init\(\) of .*score\.py raised FileNotFoundError.*\(score\.py:2\).*open\('/no/such/model'\)")],
)  # fmt: skip
def test_a_script_that_cannot_be_run_says_why_at_once(bench, body, says):
    bench.write_files(1)
    with pytest.raises(ScriptError, match=says):
        bench.run(bench.script(body, with_notes=False))


def test_a_script_that_keeps_dying_in_init_ends_after_a_few_tries(bench):
    bench.write_files(1)
    script = bench.script("""
        def init():
            note("init")
            os.kill(os.getpid(), signal.SIGSEGV)

        def run(mini_batch):
            return mini_batch
    """)
    with pytest.raises(WorkerError, match=r"3 worker processes in a row ended \(SIGSEGV\)"):
        bench.run(script)
    assert len(bench.notes("init")) == 3


def test_no_progress_for_too_long_fails_the_job(bench):
    bench.write_files(1)
    script = bench.script("""
        def run(mini_batch):
            time.sleep(3600)
    """)
    with pytest.raises(WorkerError, match=r"progress_timeout_s\)\. Being run: mini-batch 0"):
        bench.run(script, progress_timeout_s=2.5, mini_batch_timeout_s=900)


def test_processes_that_a_script_has_started_are_killed_with_it(bench):
    bench.write_files(1)
    script = bench.script("""
        def run(mini_batch):
            note("run", mini_batch)
            if once("slow"):
                child = os.fork()
                if child == 0:
                    time.sleep(3600)
                Path(os.environ["NOTES"] + ".child").write_text(str(child))
                time.sleep(3600)
            return [1]
    """)
    bench.run(script, mini_batch_timeout_s=0.5)
    child = int(Path(f"{bench.notes_path}.child").read_text())
    until = time.monotonic() + 5
    while is_running(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_running(child)


def test_the_script_has_its_own_name_path_and_arguments(bench):
    bench.write_files(1)
    script = bench.script("""
        import argparse

        def init():
            argparse.ArgumentParser().parse_args()

        class Point:
            pass

        def run(mini_batch):
            import pickle
            module = pickle.loads(pickle.dumps(Point())).__class__.__module__
            return [f"{__name__} {sys.path[0]} {Path.cwd()} {module}"]
    """)
    _, record = bench.run(script)
    assert bench.output(record).decode().splitlines()[1] == f"score {Path(script).parent} {Path.cwd()} score"
