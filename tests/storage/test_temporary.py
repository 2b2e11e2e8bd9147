"""Temporary folders of killed processes are swept; those of living ones, wherever they live, never."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.storage.shared import is_on_this_machine
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.temporary import HeldFolder, private_folder, sweep_temporary_folders
from airflow_batch_inference.storage.web import WebFile, WebFiles

OWNER = """
import sys, time
from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.storage.store import Storage

with private_copy(sys.argv[1], Storage()) as copy:
    print(copy.path, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary_root(tmp_path, monkeypatch):
    root = tmp_path / "tmp"
    root.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(root))
    monkeypatch.setenv("TMPDIR", str(root))
    if not is_on_this_machine(root):
        pytest.skip("the tests' folder lies on a disk whose locks are not trusted")
    return root


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.txt"
    path.write_text("tree")
    return path


@pytest.fixture
def owner(model):
    """Start processes that hold a private copy, in another pid namespace or here."""
    started = []

    def start(*before):
        process = subprocess.Popen(
            [*before, sys.executable, "-c", OWNER, str(model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process, Path(process.stdout.readline().strip())

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_holds_is_not(owner, temporary_root):
    dead, of_dead = owner()
    living, of_living = owner()
    assert sweep_temporary_folders() == []
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    assert of_dead.exists(), "the kill left nothing"
    assert sweep_temporary_folders() == [of_dead.parent]
    assert not of_dead.parent.exists()
    assert of_living.read_text() == "tree"
    living.communicate("")
    assert list(temporary_root.iterdir()) == []


def test_a_living_owner_in_another_pid_namespace_keeps_its_folder(owner):
    unshare = shutil.which("unshare")
    alone = (unshare, "--pid", "--fork", "--mount-proc", "--kill-child")
    if unshare is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces here")
    process, path = owner(*alone)
    assert sweep_temporary_folders() == []
    assert path.read_text() == "tree"
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while not sweep_temporary_folders():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not path.exists()


def test_a_stopped_owner_keeps_its_folder(owner):
    process, path = owner()
    process.send_signal(signal.SIGSTOP)
    assert sweep_temporary_folders() == []
    assert path.exists()
    process.send_signal(signal.SIGCONT)


def test_this_process_own_folders_are_never_swept_by_itself(model):
    with private_folder() as folder, private_copy(str(model), Storage()) as copy:
        assert sweep_temporary_folders() == []
        assert folder.exists()
        assert copy.path.exists()
    assert not folder.exists()


def test_only_folders_of_this_kind_are_swept(temporary_root, tmp_path):
    for name in ("airflow-batch-inference-x", "airflow-batch-inference-tests-x", "other", "held"):
        (temporary_root / name).mkdir()
    elsewhere = tmp_path / "precious"
    elsewhere.mkdir()
    (elsewhere / "f").write_text("x")
    (temporary_root / "airflow-batch-inference-held-link").symlink_to(elsewhere, target_is_directory=True)
    (temporary_root / "airflow-batch-inference-held-file").write_text("x")
    inner = temporary_root / "airflow-batch-inference-held-dead"
    inner.mkdir()
    (inner / "out").symlink_to(elsewhere, target_is_directory=True)
    assert sweep_temporary_folders() == [inner]
    assert (elsewhere / "f").read_text() == "x"
    assert len(list(temporary_root.iterdir())) == 6


def test_a_folder_of_another_user_is_left_alone(temporary_root):
    theirs = temporary_root / "airflow-batch-inference-held-theirs"
    theirs.mkdir()
    try:
        os.chown(theirs, 12345, -1)
    except PermissionError:
        pytest.skip("only root can give folders away")
    assert sweep_temporary_folders() == []
    assert theirs.exists()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.s3fs", ""])
def test_a_disk_whose_locks_others_may_not_see_is_left_alone(temporary_root, monkeypatch, kind):
    (temporary_root / "airflow-batch-inference-held-dead").mkdir()
    device = temporary_root.stat().st_dev
    line = f"36 35 {os.major(device)}:{os.minor(device)} / /mnt rw shared:1 - {kind} x rw\n" if kind else ""
    read_text = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda self, **more: line if self.name == "mountinfo" else read_text(self, **more)
    )
    assert sweep_temporary_folders() == []


def test_a_missing_temporary_folder_is_no_error(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    assert sweep_temporary_folders() == []


def test_folders_that_are_made_while_others_sweep_stay(temporary_root):
    """Made and swept at once, in several processes: whoever has a folder keeps it."""
    sweeper = (
        "import sys, time\n"
        "from airflow_batch_inference.storage.temporary import sweep_temporary_folders\n"
        "print('ready', flush=True)\n"
        "end = time.monotonic() + 30\n"
        "while time.monotonic() < end:\n"
        "    sweep_temporary_folders()\n"
    )
    sweepers = [subprocess.Popen([sys.executable, "-c", sweeper], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for each in sweepers:
            each.stdout.readline()
        for _ in range(1_500):
            with private_folder() as folder:
                (folder / "f").write_text("x")
                assert (folder / "f").read_text() == "x"
    finally:
        for each in sweepers:
            each.kill()
            each.wait()
    assert list(temporary_root.iterdir()) == []


def test_a_forked_child_neither_removes_the_folder_nor_keeps_it_alive_for_good():
    held = HeldFolder()
    child = os.fork()
    if child == 0:
        try:
            held.remove()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert held.path.exists()
    held.remove()
    held.remove()
    assert not held.path.exists()


def test_a_folder_goes_with_the_object_and_leaves_no_descriptor():
    gc.collect()  # what other tests have left open closes now
    before = len(list(Path("/proc/self/fd").iterdir()))
    held = HeldFolder()
    path = held.path
    assert path.stat().st_mode & 0o077 == 0
    del held
    gc.collect()
    assert not path.exists()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_copies_of_a_web_servers_files_go_with_their_owner_and_not_with_another_process(monkeypatch):
    monkeypatch.setattr(WebFiles, "_read", lambda self, url, copy: WebFile(copy.write(b"rows"), "v1"))
    files = WebFiles(keeps=True)
    assert files.cat_file("https://h/x.csv") == b"rows"
    other = pickle.loads(pickle.dumps(files))
    assert other.cat_file("https://h/x.csv") == b"rows"
    assert sweep_temporary_folders() == []
    del other
    gc.collect()
    assert files.cat_file("https://h/x.csv") == b"rows"
    path = Path(files._file("https://h/x.csv").path)
    del files
    gc.collect()
    assert not path.exists()


def test_the_lock_is_not_handed_to_programs_that_the_owner_starts():
    held = HeldFolder()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    names = [str(each.readlink()) for each in Path(f"/proc/{child.pid}/fd").iterdir()]
    child.communicate(b"\n")
    assert str(held.path) not in names
    held.remove()


def test_a_task_sweeps_before_it_does_anything(temporary_root):
    from airflow.sdk.bases.operator import ExecutorSafeguard

    from airflow_batch_inference.operators.base import BatchInferenceOperator

    left = temporary_root / "airflow-batch-inference-held-dead"
    left.mkdir()

    class Seeing(BatchInferenceOperator):
        def perform(self, context):
            return str(left.exists())

    assert Seeing(task_id="t").perform({}) == "True"
    sentinel = {"Seeing__sentinel": ExecutorSafeguard.sentinel_value}
    assert Seeing(task_id="t").execute({}, **sentinel) == "False"
