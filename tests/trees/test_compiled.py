"""The compiled kernel is kept in a folder that nobody else may write, never beside the code, and loads from there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_batch_inference
from airflow_batch_inference.trees import compiled


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(compiled.tempfile, "gettempdir", lambda: str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return tmp_path


def test_the_folder_is_of_these_versions_and_of_this_user_alone(home):
    folder = compiled.cache_folder()

    assert folder.parent == home / "cache" / "airflow-batch-inference"
    assert folder.name.startswith(f"py3.{sys.version_info.minor}-")
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("spoilt", ["", "airflow-batch-inference"])
def test_a_folder_that_others_may_write_is_passed_over(home, spoilt):
    (home / "cache" / "airflow-batch-inference").mkdir(parents=True)
    (home / "cache" / spoilt).chmod(0o777)

    assert compiled.cache_folder().is_relative_to(home / "home" / ".cache")


def test_folders_above_it_that_are_made_are_of_this_user_alone(home, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "a" / "b" / "cache"))
    folder = compiled.cache_folder()

    above = [each for each in folder.parents if each.is_relative_to(home) and each != home]
    assert [each.stat().st_mode & 0o777 for each in above] == [0o700] * 4


def test_a_linked_cache_of_the_home_is_followed(home, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    (home / "disk").mkdir(mode=0o700)
    (home / "home").mkdir()
    (home / "home" / ".cache").symlink_to(home / "disk")

    assert compiled.cache_folder().is_relative_to(home / "disk")


def test_a_link_is_passed_over(home):
    (home / "elsewhere").mkdir()
    (home / "cache").mkdir()
    (home / "cache" / "airflow-batch-inference").symlink_to(home / "elsewhere")

    assert compiled.cache_folder().is_relative_to(home / "home" / ".cache")


def test_without_a_folder_nothing_is_kept(home):
    for name in ("cache", "home", "tmp"):
        (home / name).unlink() if (home / name).is_file() else None
        path = home / name
        if path.is_dir():
            path.rmdir()
        path.write_text("a file")

    assert compiled.cache_folder() is None


_SCRIPT = """
import numpy as np
from airflow_batch_inference.trees import compiled
from airflow_batch_inference.trees.ensemble import Forest, pack
three = np.array([1, -1, -1])
stump = Forest(left=three, right=np.array([2, -1, -1]), feature=np.zeros(3, int), rule=np.zeros(3, int),
    threshold=np.array([0.5, 0, 0]), value=np.array([0, 1.0, 2.0]), roots=np.array([0]), groups=np.array([0]),
    width=1, outputs=1)
print(compiled.raw_scores(pack(stump), [np.array([0.0, 1.0])]).tolist(), dict(compiled.kernel().score.stats.cache_hits))
"""


def test_a_second_process_takes_the_machine_code_of_the_first(tmp_path):
    package = Path(airflow_batch_inference.__file__).parent
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    before = set(package.rglob("*.nbi"))
    said = [
        subprocess.run(
            [sys.executable, "-c", _SCRIPT], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]

    assert said[0].strip() == "[[1.0], [2.0]] {}"
    assert said[1].startswith("[[1.0], [2.0]] {(")
    assert list(tmp_path.rglob("*.nbi"))
    assert set(package.rglob("*.nbi")) == before


def test_a_compiler_that_is_turned_off_is_named(monkeypatch):
    from numba import config

    monkeypatch.setattr(config, "DISABLE_JIT", 1)
    compiled.kernel.cache_clear()
    with pytest.raises(compiled.NotCompiledError, match="unset NUMBA_DISABLE_JIT"):
        compiled.kernel()
