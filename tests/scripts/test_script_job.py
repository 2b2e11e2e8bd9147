"""What the engine promises for scripts, too: resume, one commit, a stop, changes seen, nothing half visible."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from airflow_batch_inference.exceptions import (
    ArtifactConflictError,
    ArtifactIntegrityError,
    DataError,
    EmptyDatasetError,
    ScriptError,
    TooManyFailedItemsError,
    WorkerError,
)
from airflow_batch_inference.scripts.job import run_script
from airflow_batch_inference.storage.store import Storage

ECHO = """
def run(mini_batch):
    note("run", mini_batch)
    return [os.path.basename(path) for path in mini_batch]
"""
SLOW = ECHO.replace("    return", "    time.sleep(0.15)\n    return")


def names(record, bench):
    return bench.output(record).decode().split()[1:]


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


@pytest.mark.parametrize("change", ["script", "helper", "model", "input", "variable", "output"])
def test_what_determines_the_output_makes_another_job(bench, change):
    bench.write_files(2)
    bench.script("X = 1\n", name="helper.py", with_notes=False)
    script = bench.script("import helper\n" + ECHO)
    model = bench.folder / "model.bin"
    model.write_bytes(b"one")
    arguments = {"code": str(bench.folder / "code"), "model": str(model)}
    first, _ = bench.run(script, **arguments)
    if change == "script":
        bench.script("import helper\n" + ECHO + "\n# changed\n")
    elif change == "helper":
        bench.script("X = 2\n", name="helper.py", with_notes=False)
    elif change == "model":
        model.write_bytes(b"two")
    elif change == "input":
        (bench.input / "001.txt").write_text("changed")
    else:
        arguments |= {"environment": {"X": "2"}} if change == "variable" else {"header": False}
    second, _ = bench.run(script, attempt="2", **arguments)
    assert first != second
    assert len(bench.calls()) == 2


def test_compiled_files_beside_the_code_make_no_other_job(bench):
    bench.write_files(2)
    script = bench.script(ECHO)
    first, _ = bench.run(script, code=str(bench.folder / "code"))
    cache = bench.folder / "code" / "__pycache__" / "score.cpython-311.pyc"
    cache.parent.mkdir(exist_ok=True)
    cache.write_bytes(b"anything")
    assert bench.run(script, code=str(bench.folder / "code"), attempt="2")[0] == first


def test_secret_variables_are_in_no_file_of_the_job(bench):
    bench.write_files(1)
    bench.run(bench.script(ECHO), environment={"TOKEN": "hunter2-canary"})
    assert not [path for path in bench.root.rglob("*") if path.is_file() and b"hunter2-canary" in path.read_bytes()]


def test_a_file_that_changes_while_it_is_scored_fails_the_job(bench):
    bench.write_files(2)
    script = bench.script("""
        def run(mini_batch):
            Path(mini_batch[1]).write_text("changed meanwhile")
            return mini_batch
    """)
    with pytest.raises(DataError, match=r"001\.txt was changed while it was being scored"):
        bench.run(script)
    assert bench.committed() == bench.receipts() == []


def test_code_that_changes_before_a_worker_is_replaced_fails_the_job(bench):
    bench.write_files(1)
    script = bench.script("""
        def run(mini_batch):
            Path(__file__).with_name("helper.py").write_text("X = 2")
            os._exit(1)
    """)
    with pytest.raises(ArtifactIntegrityError, match="was changed since the job began"):
        bench.run(script, code=str(bench.folder / "code"))


@pytest.mark.parametrize(
    "change",
    [
        "status = os.stat(path); path.write_text('X = 2'); os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))",
        "path.with_name('new').write_text('X = 2'); path.with_name('new').replace(path)",
        "path.unlink(); path = path.parent / 'helper' / '__init__.py'; path.parent.mkdir(); path.write_text('X = 2')",
    ],
)
def test_code_that_changes_before_a_script_imports_it_fails_the_job(bench, change):
    bench.write_files(1)
    script = bench.script(f"""
        def run(mini_batch):
            path = Path(__file__).with_name("helper.py")
            {change}
            import helper
            return [helper.X] * len(mini_batch)
    """)
    (bench.folder / "code" / "helper.py").write_text("X = 1")
    with pytest.raises(ArtifactIntegrityError, match=r"helper\.py was changed since the job began.*in code"):
        bench.run(script, code=str(bench.folder / "code"))
    assert bench.committed() == bench.receipts() == []


def test_large_files_among_the_code_are_not_read_into_memory(bench, monkeypatch):
    bench.write_files(1)
    script = bench.script(ECHO)
    with (bench.folder / "code" / "vectors.bin").open("wb") as file:
        file.truncate(1 << 20)
    asked = []
    monkeypatch.setattr(
        Storage, "read_bytes", lambda self, uri, read=Storage.read_bytes: asked.append(uri) or read(self, uri)
    )
    bench.run(script, code=str(bench.folder / "code"))
    assert asked
    assert not [uri for uri in asked if uri.endswith("vectors.bin")]


def test_no_files_are_an_error_or_an_empty_set_as_asked(bench):
    bench.input.mkdir()
    script = bench.script(ECHO)
    with pytest.raises(EmptyDatasetError, match="recursive=True"):
        bench.run(script)
    for attempt, (name, size) in enumerate((("out.csv", 0), ("out.parquet", None), ("out.arrow", None))):
        _, record = bench.run(script, on_empty="succeed", output_file_name=name, attempt=str(attempt))
        assert (record.rows_out, record.items.files_in, record.items.mini_batches) == (0, 0, 0)
        assert size in (None, len(bench.output(record)))
    assert bench.notes() == []


def test_a_file_of_no_bytes_is_an_item_as_any_other(bench):
    bench.write_files(2)
    (bench.input / "000.txt").write_bytes(b"")
    _, record = bench.run(bench.script(ECHO))
    assert names(record, bench) == ["000.txt", "001.txt"]


def test_other_columns_in_one_mini_batch_fail_the_job_and_both_are_named(bench):
    bench.write_files(2)
    script = bench.script("""
        import pandas as pd

        def run(mini_batch):
            return pd.DataFrame({"a" if mini_batch[0].endswith("000.txt") else "b": [1]})
    """)
    with pytest.raises(ScriptError, match=r"(?s)the columns [ab] for mini-batch \d .* but [ab] for mini-batch \d "):
        bench.run(script, mini_batch_size=1)
    _, record = bench.run(script, mini_batch_size=1, header=False)
    assert bench.output(record) == b"1\n1\n"


def test_types_of_mini_batches_are_united_and_what_cannot_be_is_an_error(bench):
    import pyarrow.parquet as pq

    bench.write_files(2)
    body = """
        def run(mini_batch):
            return [{0} if mini_batch[0].endswith("000.txt") else {1}]
    """
    united = bench.script(body.format("1", "2.5"))
    _, record = bench.run(united, mini_batch_size=1, output_file_name="out.parquet")
    table = pq.read_table(record.parts[0].uri.removeprefix("file://"))
    assert (str(table.schema.field(0).type), table.column(0).to_pylist()) == ("double", [1.0, 2.5])
    other = bench.script(body.format("1", "'text'"))
    with pytest.raises(ScriptError, match="has other types than before"):
        bench.run(other, mini_batch_size=1, output_file_name="out.parquet", attempt="2")


@pytest.mark.parametrize("suffix", [".jsonl", ".arrow", ".txt"])
def test_the_file_names_suffix_is_the_format(bench, suffix):
    bench.write_files(2)
    _, record = bench.run(bench.script(ECHO), output_file_name=f"out{suffix}")
    expected = {".jsonl": "jsonl", ".arrow": "arrow", ".txt": "csv"}[suffix]
    assert (record.output_format, record.parts[0].name) == (expected, f"out{suffix}")
    if suffix == ".jsonl":
        lines = bench.output(record).splitlines()
        assert [json.loads(line) for line in lines] == [{"predicted_label": f"00{i}.txt"} for i in range(2)]


def test_files_beside_the_table_are_output_too(bench):
    bench.write_files(2)
    script = bench.script("""
        def run(mini_batch):
            Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "log.txt").write_text("seen")
            return [1, 2]
    """)
    _, record = bench.run(script)
    assert bench.written(record) == {"predictions.csv": b"predicted_label\n1\n2\n", "log.txt": b"seen"}
    clash = bench.script("""
        def run(mini_batch):
            Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "predictions.csv").write_text("mine")
            return [1, 2]
    """)
    with pytest.raises(ScriptError, match="output_file_name"):
        bench.run(clash, attempt="2")


def test_what_a_failed_attempt_wrote_is_not_output(bench):
    bench.write_files(1)
    script = bench.script("""
        def run(mini_batch):
            out = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
            assert not list(out.iterdir())
            if once("raise"):
                (out / "half.bin").write_text("half")
                raise ValueError("no")
            if once("die"):
                (out / "quarter.bin").write_text("quarter")
                os._exit(1)
            (out / "whole.bin").write_text("whole")
            return mini_batch
    """)
    _, record = bench.run(script, output_action="summary_only")
    assert bench.written(record) == {"whole.bin": b"whole"}


def test_what_init_writes_is_no_output_and_is_warned_of(bench, capfd):
    bench.write_files(1)
    script = bench.script("""
        def init():
            Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "cache.bin").write_text("cache")

        def run(mini_batch):
            assert Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "cache.bin").exists()
            return mini_batch
    """)
    _, record = bench.run(script, output_action="summary_only")
    assert record.parts == ()
    assert "init() wrote 1 file(s)" in capfd.readouterr().out


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


def test_a_model_record_that_names_other_bytes_is_refused(bench):
    from dataclasses import replace

    bench.write_files(1)
    model = bench.folder / "model.bin"
    model.write_bytes(b"one")
    request = bench.request(bench.script(ECHO), model=str(model))
    request = replace(request, scorer=replace(request.scorer, model_sha256="0" * 64))
    with pytest.raises(ArtifactIntegrityError, match="was replaced since its record was made"):
        run_script(request, storage=Storage())


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


def test_names_of_files_may_hold_anything_that_a_path_may(bench):
    bench.input.mkdir()
    odd = ["a b.txt", "a%20b.txt", "a#b.txt", "a?b=c.txt", "a*b[1].txt", "\u00e9\u4e2d.txt", "a;b.txt"]
    for name in odd:
        (bench.input / name).write_text("1")
    script = bench.script("""
        def run(mini_batch):
            for path in mini_batch:
                Path(os.environ["AZUREML_BI_OUTPUT_PATH"], os.path.basename(path)).write_text(Path(path).read_text())
            return mini_batch
    """)
    _, record = bench.run(script, output_action="summary_only", mini_batch_size=2)
    assert sorted(bench.written(record)) == sorted(odd)
