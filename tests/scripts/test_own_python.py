"""A script in an interpreter of its own: the same answers as in the worker's, from one that has nothing of ours."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_batch_inference.exceptions import ConfigurationError, ScriptError, TooManyFailedItemsError
from airflow_batch_inference.scripts import hosted
from airflow_batch_inference.scripts.advice import Place
from airflow_batch_inference.scripts.hosted_runner import HostedRunner
from airflow_batch_inference.scripts.interpreter import ask
from airflow_batch_inference.scripts.job import run_script
from airflow_batch_inference.scripts.run_result import as_frame, write_rows
from airflow_batch_inference.scripts.runner import ScriptRunner
from airflow_batch_inference.scripts.settings import ScriptSettings
from airflow_batch_inference.scripts.source import OwnPython

HOSTED = Path(hosted.__file__).parent
OLD = Path.home() / ".pyenv/versions/3.8.18/bin/python"
TOO_OLD = [Path.home() / f".pyenv/versions/{version}/bin/python" for version in ("2.7.18", "3.6.15", "3.7.16")]
OTHERS = [OLD, *(Path.home() / f".pyenv/versions/{version}/bin/python" for version in ("3.12.1", "3.13.0"))]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Return the Python of an environment that has no package at all."""
    folder = tmp_path_factory.mktemp("bare") / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    """Return the Python of an environment that sees the packages of the worker's, by a file of its own."""
    folder = tmp_path_factory.mktemp("furnished") / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    import pandas as pd

    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "theirs.pth").write_text(f"{Path(pd.__file__).parents[1]}\n")
    return folder / "bin" / "python"


def run_in(bench, python, script, *, variables=None, **arguments):
    request = bench.request(script, environment=variables, **arguments)
    own = OwnPython(
        python=str(python), requirements=None, environments=bench.folder / "environments",
        variables=request.settings.environment_variables, storage=bench.storage,
    )  # fmt: skip
    return run_script(replace(request, scorer=replace(request.scorer, own_python=own)), storage=bench.storage)


WHO = """
import pathlib

def run(mini_batch):
    note("run", mini_batch)
    missing = []
    for name in ("pandas", "numpy", "pyarrow", "airflow", "airflow_batch_inference", "worker", "settings", "wire"):
        try:
            __import__(name)
        except ImportError:
            missing.append(name)
    return [{"python": sys.prefix, "missing": "+".join(missing), "text": open(path).read().strip(),
             "argv": " ".join(sys.argv[1:]), "first": pathlib.Path(sys.path[0]).name} for path in mini_batch]
"""


def test_a_script_runs_in_its_own_python_which_has_nothing_of_the_worker(bench, bare):
    bench.write_files(12)
    _, record = run_in(bench, bare, bench.script(WHO), program_arguments=("--top", "3"))
    lines = bench.output(record).decode().splitlines()
    assert lines[0] == "python,missing,text,argv,first"
    missing = "pandas+numpy+pyarrow+airflow+airflow_batch_inference+worker+settings+wire"
    assert lines[1:] == [f"{bare.parents[1]},{missing},{i},--top 3,code" for i in range(12)]
    assert record.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert [len(names) for names in bench.calls()] == [10, 2]
    assert len(bench.notes("init")) == 1


@pytest.mark.parametrize("python", OTHERS, ids=lambda path: path.parts[-3])
def test_a_script_runs_in_other_versions_of_python(bench, python):
    if not python.exists():
        pytest.skip(f"{python} is not installed here")
    bench.write_files(3)
    script = bench.script("""
        import datetime, decimal, uuid
        from collections import OrderedDict, namedtuple

        Row = namedtuple("Row", "version number moment price key flag nothing")

        def run(mini_batch):
            moment = datetime.datetime(2024, 5, 1, 12, 30, tzinfo=datetime.timezone.utc)
            return [Row("%d.%d" % sys.version_info[:2], int(open(path).read()) / 3, moment, decimal.Decimal("1.50"),
                        uuid.UUID(int=7), True, None) for path in mini_batch]
    """)
    _, record = run_in(bench, python, script, header=False)
    version = ".".join(python.parts[-3].split(".")[:2])
    assert bench.output(record).decode().splitlines() == [
        f"{version},{i / 3!r},2024-05-01 12:30:00+00:00,1.50,00000000-0000-0000-0000-000000000007,True,"
        for i in range(3)
    ]


ANSWERS = """
import collections
import numpy as np
import pandas as pd

Pair = collections.namedtuple("Pair", "x y")

class Own:
    def __str__(self):
        return "own"

ANSWERS = {
    "floats": lambda: [0.1, 1 / 3, float("nan"), 1e300],
    "numpy scalars": lambda: [np.float32(0.1), np.int8(3), np.bool_(True), np.str_("x")],
    "an array": lambda: np.array([[0.1, 2], [3, 4.5]], dtype="float32"),
    "an array by columns": lambda: np.asfortranarray([[1, 2], [3, 4]]),
    "an array of objects": lambda: np.array(["a", 1, None], dtype=object),
    "an array of dates": lambda: np.array(["2020-01-01", "NaT"], dtype="datetime64[s]"),
    "a series": lambda: pd.Series([1.5, None], name="risk", index=[7, 8]),
    "named tuples": lambda: [Pair(1, "a"), Pair(2, "b")],
    "ordered dicts": lambda: [collections.OrderedDict(a=1, b="x")],
    "objects": lambda: [Own(), "b"],
    "ragged": lambda: [[1, np.float64(2)], [3]],
    "frames": lambda: pd.DataFrame({
        "i": [1, 2, 3], "f": np.array([0.1, 0.2, np.nan], "f4"), "s": ["a", None, 'c"d'], "o": [1, "a", None],
        "c": pd.Categorical(["x", None, "y"]), "t": pd.to_datetime(["2020-01-01", None, "2021-05-05"]),
        "z": pd.to_datetime(["2020-01-01", None, "2021-05-05"]).tz_localize("Europe/Berlin"),
        "I": pd.array([1, None, 3], dtype="Int64"), "b": pd.array([True, None, False], dtype="boolean"),
        "F": pd.array([1.5, None, 3], dtype="Float32"), "S": pd.array(["a", None, "b"], dtype="string"),
        "d": pd.to_timedelta(["1h", None, "2h"]), "p": pd.period_range("2020", periods=3, freq="D"),
        "l": [[1], [2, 3], []], "B": [True, False, True], "u": np.array([1, 2, 2**64 - 1], "u8"),
    }, index=[5, 5, 5]),
    "frames of odd names": lambda: pd.DataFrame([[1, 2]], columns=[("a", 1), 7]),
    "no columns": lambda: pd.DataFrame(index=[1, 2]),
}

def init():
    pass

def run(mini_batch):
    return ANSWERS[mini_batch[0]]()
"""
NAMES = [line.split('"')[1] for line in ANSWERS.splitlines() if line.startswith('    "') and ": lambda" in line]
TYPED = ["floats", "an array", "an array by columns", "an array of dates", "a series", "named tuples", "ordered dicts",
         "ragged", "frames of odd names"]  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory, furnished):
    """Return what runs one script in this Python, and in its own."""
    folder = tmp_path_factory.mktemp("answers")
    path = folder / "score.py"
    path.write_text(ANSWERS)
    names = {"path": str(path), "folder": str(folder), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    here, there = ScriptRunner(**names), HostedRunner(**names, place=Place(str(furnished), "python"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", list(sys.argv))
        patch.setattr(sys, "path", list(sys.path))
        patch.setenv("AZUREML_BI_OUTPUT_PATH", str(folder))
        for runner in (here, there):
            runner.init(ScriptSettings())
        yield here, there
    there.close()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_returned_has_the_same_bytes_as_from_the_workers_python(tmp_path, both, name):
    written = []
    for number, runner in enumerate(both):
        frame = as_frame(runner.run([name], [name]))
        for kind in ("csv", *(["parquet"] if name in TYPED else [])):
            path = tmp_path / f"{number}.{kind}"
            columns = write_rows(frame, path, kind, has_header=True)
            types = [column.type for column in columns if column.name != "p"]  # a period is its text over there
            written.append((kind, path.read_bytes(), [column.name for column in columns], types))
    half = len(written) // 2
    assert written[:half] == written[half:]


def test_what_runs_over_there_is_no_later_than_the_oldest_python():
    for path in HOSTED.glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 8))


def test_what_runs_over_there_imports_the_standard_library_alone():
    for path in HOSTED.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert all(name.partition(".")[0] in sys.stdlib_module_names for name in names), (path, names)


def of(python, bench, script="def run(mini_batch):\n    return mini_batch", **arguments):
    bench.write_files(1)
    return run_in(bench, python, bench.script(script), **arguments)


def test_a_python_that_is_not_there_is_told(bench):
    with pytest.raises(ConfigurationError, match=r"nothing lies there on this worker\. Make the environment"):
        of(bench.folder / "env" / "bin" / "python", bench)
    with pytest.raises(ConfigurationError, match="PATH has no such program"):
        of("python-of-nowhere", bench)
    with pytest.raises(ConfigurationError, match=r"a relative path\. Give the whole one, such as '/"):
        of("env/bin/python", bench)


def test_a_folder_is_no_python_and_the_one_in_it_is_named(bench, bare):
    with pytest.raises(ConfigurationError, match=rf"a folder\. Give '{bare}'\."):
        of(bare.parents[1], bench)


def test_a_file_that_may_not_be_executed_is_no_python(bench):
    path = bench.folder / "python"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="may not execute"):
        of(path, bench)


@pytest.mark.parametrize("program", ["/bin/true", "/bin/cat", "/bin/false", "text"])
def test_another_program_is_no_python(bench, program):
    if program == "text":
        program = bench.folder / "python"
        program.write_text("no program")
        program.chmod(0o755)
    with pytest.raises(ConfigurationError, match="is no Python interpreter that can be used"):
        of(program, bench)


@pytest.mark.parametrize("python", TOO_OLD, ids=lambda path: path.parts[-3])
def test_a_python_that_is_too_old_is_told_its_version(bench, python):
    if not python.exists():
        pytest.skip(f"{python} is not installed here")
    with pytest.raises(ConfigurationError, match=rf"is Python {python.parts[-3]}; scripts run in Python 3\.8 or later"):
        of(python, bench)


def test_a_package_that_is_missing_there_is_told_before_the_first_mini_batch(bench, bare):
    with pytest.raises(
        ScriptError, match=rf"No module named 'numpy'.*Install it there: {bare} -m pip install"
    ) as raised:
        of(bare, bench, "import numpy\ndef run(mini_batch):\n    note('run')")
    assert "import numpy" in str(raised.value)
    assert not bench.notes("run")


def test_what_the_script_raises_there_has_its_lines(bench, bare):
    script = """
        def run(mini_batch):
            import torch
    """
    with pytest.raises(TooManyFailedItemsError, match="ModuleNotFoundError: No module named 'torch'") as raised:
        of(bare, bench, script, max_attempts=2)
    assert "attempt 2" in str(raised.value)
    assert "import torch" in str(raised.value)
    assert "hosted" not in str(raised.value)


def test_what_init_raises_there_has_its_lines(bench, bare):
    with pytest.raises(ScriptError, match=r"init\(\) of .* raised ValueError: no model") as raised:
        of(bare, bench, "def init():\n    raise ValueError('no model')\ndef run(mini_batch):\n    return 1")
    assert "raise ValueError('no model')" in str(raised.value)


@pytest.mark.parametrize(
    ("death", "how"),
    [("os._exit(3)", "exit status 3"), ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
     ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV")],
)  # fmt: skip
def test_a_python_that_dies_is_one_attempt_that_says_how(bench, bare, death, how):
    bench.write_files(2)
    script = bench.script(f"""
        def run(mini_batch):
            note("run", mini_batch)
            if once("death"):
                {death}
            return mini_batch
    """)
    _, record = run_in(bench, bare, script)
    (entry,) = bench.mini_batches(record)
    assert (entry["attempts"], entry["failures"][0]["kind"]) == (2, "death")
    assert how in entry["failures"][0]["error"]
    assert len(bench.notes("init")) == 2


def test_a_call_that_takes_too_long_is_killed_with_all_that_it_started(bench, bare):
    bench.write_files(2)
    script = bench.script("""
        import subprocess

        def run(mini_batch):
            note("run", mini_batch)
            if once("slow"):
                child = subprocess.Popen(["sleep", "3600"])
                note("child", [str(child.pid), str(os.getpid())])
                time.sleep(3600)
            return mini_batch
    """)
    _, record = run_in(bench, bare, script, mini_batch_timeout_s=1)
    (entry,) = bench.mini_batches(record)
    assert (entry["attempts"], entry["failures"][0]["kind"]) == (2, "timeout")
    ((_, _, processes),) = bench.notes("child")
    assert not any(Path(f"/proc/{process}/exe").exists() for process in processes)


def test_variables_the_model_and_written_files_are_as_in_the_workers_python(bench, bare, monkeypatch, capfd):
    monkeypatch.setenv("PYTHONPATH", "/of/the/worker")
    bench.write_files(2)
    model = bench.folder / "heart" / "weights.json"
    model.parent.mkdir()
    model.write_text("[2]")
    script = bench.script("""
        import logging

        def run(mini_batch):
            logging.getLogger("score").info("at work")
            print(os.environ.get("PYTHONPATH"), os.environ["OWN"], os.environ["VIRTUAL_ENV"])
            weight, = json.loads(Path(os.environ["AZUREML_MODEL_DIR"], "heart", "weights.json").read_text())
            for path in mini_batch:
                out = Path(os.environ["AZUREML_BI_OUTPUT_PATH"], os.path.basename(path))
                out.write_text(str(weight * int(Path(path).read_text())))
            return mini_batch
    """)
    _, record = run_in(bench, bare, script, model=str(model.parent), output_action="summary_only",
                       variables={"OWN": "mine"})  # fmt: skip
    assert bench.written(record) == {"000.txt": b"0", "001.txt": b"2"}
    out = capfd.readouterr().out
    assert "INFO score: at work" in out
    assert f"None mine {bare.parents[1]}" in out


def test_a_python_path_of_the_scripts_own_reaches_it_and_not_the_worker(bench, bare):
    theirs = bench.folder / "theirs"
    theirs.mkdir()
    (theirs / "pandas.py").write_text("WHERE = 'theirs'\n")  # it would break the worker
    _, record = of(bare, bench, "import pandas\ndef run(mini_batch):\n    return [pandas.WHERE]",
                   variables={"PYTHONPATH": str(theirs)})  # fmt: skip
    assert bench.output(record) == b"predicted_label\ntheirs\n"


def test_another_environment_is_another_job_and_the_same_one_resumes(bench, bare, tmp_path):
    bench.write_files(1)
    script = bench.script("def run(mini_batch):\n    note('run')\n    return mini_batch")
    first, _ = run_in(bench, bare, script)
    again, _ = run_in(bench, bare, script)
    assert first == again
    assert len(bench.notes("run")) == 1
    copy = tmp_path / "env"
    venv.create(copy, with_pip=False, symlinks=True)
    moved, _ = run_in(bench, copy / "bin" / "python", script)
    assert moved == first  # it is the same Python with the same packages
    (packages,) = copy.glob("lib/python*/site-packages")
    info = packages / "extra-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    changed, _ = run_in(bench, copy / "bin" / "python", script)
    assert changed != first
    assert len(bench.notes("run")) == 2


def test_what_no_script_may_return_is_named_there_too(bench, bare):
    for returned, named in (("None", "returned None"), ("(n for n in [1])", "a generator"),
                            ("Path('x')", "pathlib.PosixPath"), ("range(3)", "a range")):  # fmt: skip
        bench.forget()
        with pytest.raises(TooManyFailedItemsError, match=named):
            of(bare, bench, f"def run(mini_batch):\n    return {returned}", max_attempts=1)


def test_no_process_is_left(bench, bare):
    bench.write_files(4)
    run_in(bench, bare, bench.script(WHO), max_concurrency_per_instance=2, mini_batch_size=1)
    for _, process, _ in bench.notes("init"):
        assert not Path(f"/proc/{process}/exe").exists()


def test_the_probe_says_which_packages_there_are(bare):
    said = json.loads(subprocess.run([bare, HOSTED / "probe.py"], capture_output=True, check=True).stdout)
    assert said["packages"] == []
    assert ask(sys.executable, {}).packages != ask(str(bare), {}).packages
    assert os.access(bare, os.X_OK)


def test_the_probe_says_nothing_where_it_is_only_imported(capfd):
    subprocess.run([sys.executable, "-c", "import airflow_batch_inference.scripts.hosted.probe"], check=True)
    assert capfd.readouterr().out == ""
