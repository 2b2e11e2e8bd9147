"""Environments of requirements: built once, whole or not at all, and told apart by what they are made of."""

from __future__ import annotations

import fcntl
import json
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError, ScriptError, WorkerError
from airflow_batch_inference.scripts import environment
from airflow_batch_inference.scripts.environment import Requirements, environment_of
from airflow_batch_inference.scripts.interpreter import ask
from airflow_batch_inference.scripts.job import run_script
from airflow_batch_inference.scripts.source import OwnPython


def write_wheel(folder, version="1.0", name="answers", body="ANSWER = 42\n"):
    """Write a wheel of one module."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": body,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for each, text in files.items():
            wheel.writestr(each, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{each},,\n" for each in files) + f"{info}/RECORD,,\n")
    return path


@pytest.fixture(scope="module")
def base():
    return ask(sys.executable, {})


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Return a folder of wheels which is all that pip can reach."""
    folder = tmp_path_factory.mktemp("wheels")
    write_wheel(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory, wheels):
    """Return a folder of environments that tests share."""
    return tmp_path_factory.mktemp("environments")


def required(path, text):
    path.write_text(text)
    return Requirements(lines=tuple(text.splitlines()), name=str(path), path=path)


def run_with(bench, script, requirements, environments=None):
    request = bench.request(script)
    own = OwnPython(
        python=None, requirements=requirements, environments=environments or bench.folder / "environments",
        variables=request.settings.environment_variables, storage=bench.storage,
    )  # fmt: skip
    return run_script(replace(request, scorer=replace(request.scorer, own_python=own)), storage=bench.storage)


SCRIPT = """
import answers

def run(mini_batch):
    note("run", mini_batch)
    return [f"{answers.ANSWER} {sys.prefix}" for _ in mini_batch]
"""
REQUIRED = ("# what it needs", "answers==1.0  # the answer")


@pytest.mark.slow
def test_a_script_gets_an_environment_of_its_requirements_which_is_built_once(bench, kept, caplog):
    bench.write_files(1)
    listed = bench.folder / "code" / "requirements.txt"
    script = bench.script(SCRIPT)
    listed.write_text("\n".join(REQUIRED))
    (listed.parent / "json.py").write_text("raise RuntimeError('a module of the script, not for pip')\n")
    with caplog.at_level("INFO"):
        _, record = run_with(bench, script, str(listed), kept)
        answer, prefix = bench.output(record).decode().splitlines()[1].split()
        assert answer == "42"
        assert Path(prefix).parent == kept
        assert caplog.text.count("Building an environment") == 1
        bench.forget()
        run_with(bench, script, str(listed), kept)
        assert caplog.text.count("Building an environment") == 1
    about = json.loads((Path(prefix) / "complete.json").read_text())
    assert about["requirements"] == list(REQUIRED)
    # A list of the same lines is the same environment; what it lacks is told.
    missing = bench.script("import answers, numpy\ndef run(mini_batch):\n    return []", folder="other")
    with pytest.raises(ScriptError, match=r"No module named 'numpy'.*Add the package of 'numpy' to requirements"):
        run_with(bench, missing, REQUIRED, kept)
    assert caplog.text.count("Building an environment") == 1


@pytest.mark.slow
def test_what_pip_says_is_told_and_nothing_is_left(tmp_path, wheels, base):
    listed = required(tmp_path / "requirements.txt", "answers==7.0\n")
    with pytest.raises(WorkerError, match=r"requirements\.txt cannot be installed for Python") as raised:
        environment_of(listed, base, tmp_path / "environments")
    assert "answers==7.0" in str(raised.value)
    assert "from versions: 1.0" in str(raised.value)
    assert [path.suffix for path in (tmp_path / "environments").iterdir()] == [".lock"]
    assert WorkerError.retryable


def test_an_environment_that_was_half_built_is_built_anew(tmp_path, monkeypatch, base):
    monkeypatch.setattr(environment, "_make", lambda place, *_: (place / "bin").mkdir(parents=True))
    monkeypatch.setattr(environment, "_install", lambda place, *_: (place / "bin" / "python").touch())
    listed = required(tmp_path / "requirements.txt", "answers\n")
    python = Path(environment_of(listed, base, tmp_path / "environments"))
    place = python.parents[1]
    (place / "complete.json").unlink()
    (place / "rubbish").write_text("of a process that died")
    assert environment_of(listed, base, tmp_path / "environments") == str(python)
    assert python.exists()
    assert not (place / "rubbish").exists()


def test_others_that_were_half_built_are_swept_but_for_those_that_are_being_built(tmp_path):
    folder = tmp_path / "environments"
    for key in ("a", "b", "c", "d"):
        (folder / (key * 24) / "bin").mkdir(parents=True)
        (folder / f"{key * 24}.lock").touch()
    (folder / ("d" * 24 + ".lock")).unlink()  # nobody of ours has made it
    (folder / "mine").mkdir()
    (folder / "mine.lock").touch()
    (folder / ("b" * 24) / "bin" / "python").touch()
    (folder / ("b" * 24) / "complete.json").touch()
    with (folder / f"{'c' * 24}.lock").open() as building:
        fcntl.flock(building, fcntl.LOCK_EX)
        assert environment.sweep_environments(folder) == [folder / ("a" * 24)]
    assert {each.name[0] for each in folder.iterdir() if each.is_dir()} == {"b", "c", "d", "m"}
    assert environment.sweep_environments(folder) == [folder / ("c" * 24)]


def test_two_that_ask_at_once_get_one_that_is_built_once(tmp_path, monkeypatch, base):
    built, left = [], threading.Event()

    def build(place, requirements, base, check):
        built.append(place)
        left.wait(1)
        (place / "bin").mkdir(parents=True)
        (place / "bin" / "python").write_text("")

    monkeypatch.setattr(environment, "_build", build)
    listed = required(tmp_path / "requirements.txt", "answers\n")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(environment_of(listed, base, tmp_path / "environments")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert len(set(found)) == 1


def test_a_task_that_is_stopped_builds_no_more(tmp_path, monkeypatch, base):
    asked = []

    def check():
        asked.append(1)
        raise InterruptedError

    listed = required(tmp_path / "requirements.txt", "answers\n")
    with pytest.raises(InterruptedError):
        environment_of(listed, base, tmp_path / "environments", check)
    assert asked
    assert [path.suffix for path in (tmp_path / "environments").iterdir()] == [".lock"]


def test_the_digest_is_of_all_that_is_named(tmp_path):
    (tmp_path / "more.txt").write_text("more\n")
    wheel = write_wheel(tmp_path / "wheels")
    text = "answers\n-r more.txt\n./wheels/answers-1.0-py3-none-any.whl\n"
    listed = required(tmp_path / "requirements.txt", text)
    first = listed.digest()
    assert listed.digest() == first
    (tmp_path / "more.txt").write_text("more==2\n")
    second = listed.digest()
    assert second != first
    write_wheel(wheel.parent, body="ANSWER = 43\n")
    assert listed.digest() not in (first, second)


@pytest.mark.parametrize("line", ["-e .", "--editable ./own", "./own"])
def test_a_folder_among_the_requirements_is_refused_as_it_may_change(tmp_path, line):
    (tmp_path / "own").mkdir()
    with pytest.raises(ConfigurationError, match=r"a folder, which may change under a job\. Build a wheel"):
        required(tmp_path / "requirements.txt", line).digest()


def test_a_requirements_file_that_names_one_which_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"has the line '-r more\.txt', and no such file lies beside it"):
        required(tmp_path / "requirements.txt", "-r more.txt\n").digest()


def test_another_python_or_other_requirements_are_another_environment(tmp_path, monkeypatch, base):
    def build(place, *_):
        (place / "bin").mkdir(parents=True)
        (place / "bin" / "python").write_text("")

    monkeypatch.setattr(environment, "_build", build)
    listed = required(tmp_path / "requirements.txt", "answers\n")
    others = required(tmp_path / "others.txt", "answers==1\n")
    newer = replace(base, build=f"{base.build} of tomorrow")
    folder = tmp_path / "environments"
    assert len({environment_of(listed, base, folder), environment_of(others, base, folder),
                environment_of(listed, newer, folder)}) == 3  # fmt: skip


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path, base):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ConfigurationError, match=r"Set environments in the \[batch_inference\] section"):
        environment_of(required(tmp_path / "requirements.txt", "x\n"), base, blocked / "environments")


def test_a_requirements_file_that_is_not_there_is_told(bench):
    bench.write_files(1)
    with pytest.raises(ArtifactNotFoundError, match=r"requirements\.txt"):
        run_with(bench, bench.script(SCRIPT), str(bench.folder / "requirements.txt"))
