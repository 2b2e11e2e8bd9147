"""One copy of a model for all processes of a user: made once, hashed at each load, removed by the last."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.models import shared_copy as module
from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.models.shared_copy import shared_copy
from airflow_batch_inference.storage import shared
from airflow_batch_inference.storage.shared import shared_root, sweep_shared_folders
from airflow_batch_inference.storage.store import Storage

STORE = Storage()

USER = """
import sys
from airflow_batch_inference.models import shared_copy as module
from airflow_batch_inference.storage.store import Storage

copy_into = module.copy_into
def copied(*arguments):
    print("copies", flush=True)
    if "slowly" in sys.argv:
        import time; time.sleep(1)
    return copy_into(*arguments)
module.copy_into = copied
if "worker" in sys.argv:
    module.is_worker = lambda: True
with module.shared_copy(sys.argv[1], Storage(), sys.argv[2]) as copy:
    print(copy.path, flush=True)
    sys.stdin.readline()
if "worker" in sys.argv:
    print("loaded", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def temporary_root(tmp_path, monkeypatch):
    root = tmp_path / "tmp"
    root.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(root))
    monkeypatch.setenv("TMPDIR", str(root))
    if not shared.is_on_this_machine(root):
        pytest.skip("the tests' folder lies on a disk whose locks are not trusted")
    return root


@pytest.fixture(params=["file", "folder"])
def model(tmp_path, request):
    """The URI and the digest of a model."""
    path = tmp_path / "model"
    if request.param == "file":
        path.write_bytes(b"tree" * 1000)
    else:
        (path / "sub").mkdir(parents=True)
        (path / "MLmodel").write_text("flavors")
        (path / "sub" / "model.bin").write_bytes(b"tree" * 1000)
    with private_copy(str(path), STORE) as copy:
        return str(path), copy.sha256


@pytest.fixture
def start():
    started = []

    def begin(model, *words):
        process = subprocess.Popen(
            [sys.executable, "-c", USER, *model, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def copies(root):
    return [path for path in root.rglob("*") if path.parent.name.startswith("airflow-batch-inference-shared-")
            and not path.name.startswith(".lock-")]  # fmt: skip


def test_who_comes_while_another_copies_waits_and_loads_the_same_copy(model, start, temporary_root):
    first, second = start(model, "slowly"), None
    assert first.stdout.readline() == "copies\n"
    second = start(model, "slowly")
    path = first.stdout.readline()
    assert second.stdout.readline() == path
    assert Path(path.strip()).name == "model"
    for process in (first, second):
        assert copies(temporary_root)
        process.communicate("\n")
    assert copies(temporary_root) == []


def test_a_worker_keeps_its_copy_for_those_that_come_later_and_the_last_one_removes_it(model, start, temporary_root):
    first = start(model, "worker")
    assert first.stdout.readline() == "copies\n"
    path = first.stdout.readline()
    first.stdin.write("\n")
    first.stdin.flush()
    assert first.stdout.readline() == "loaded\n"
    second = start(model, "worker")
    assert second.stdout.readline() == path
    first.communicate("\n")
    assert len(copies(temporary_root)) == 1
    second.communicate("\n\n")
    assert copies(temporary_root) == []


def test_what_a_killed_process_has_left_goes_with_the_sweep_and_not_before(model, start, temporary_root):
    process = start(model)
    process.stdout.readline()
    path = Path(process.stdout.readline().strip())
    assert sweep_shared_folders() == []
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.exists()
    assert sweep_shared_folders() == [path.parent]
    assert copies(temporary_root) == []


def test_half_a_copy_of_a_killed_process_is_never_loaded(model, start, temporary_root):
    process = start(model, "slowly")
    assert process.stdout.readline() == "copies\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    with shared_copy(*(model[0], STORE), model[1]) as copy:
        assert copy.sha256 == model[1]
    assert len(copies(temporary_root)) == 1
    sweep_shared_folders()
    assert copies(temporary_root) == []


def test_a_copy_that_was_changed_is_not_loaded_and_is_made_again(model, start, temporary_root, caplog):
    process = start(model)
    process.stdout.readline()
    path = Path(process.stdout.readline().strip())
    changed = path if path.is_file() else path / "sub" / "model.bin"
    changed.write_bytes(b"evil" * 1000)
    with shared_copy(model[0], STORE, model[1]) as copy:
        assert copy.path != path
        assert copy.sha256 == model[1]
    assert "was changed since it was copied" in caplog.text
    assert changed.exists()  # somebody is at it
    process.communicate("\n")
    with shared_copy(model[0], STORE, model[1]) as copy:
        assert copy.path == path
        assert path.is_dir() or path.read_bytes() == b"tree" * 1000
    assert copies(temporary_root) == []


def test_a_file_that_was_added_to_a_copy_or_a_link_is_noticed(tmp_path, start):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a").write_text("a")
    with private_copy(str(folder), STORE) as copy:
        digest = copy.sha256
    process = start((str(folder), digest))
    process.stdout.readline()
    path = Path(process.stdout.readline().strip())
    for add in (lambda at: at.write_text("b"), lambda at: at.symlink_to("/etc/passwd")):
        add(path / "b")
        assert module._verified(path, digest) is None
        (path / "b").unlink()
    assert module._verified(path, digest) is not None


def test_a_model_of_another_digest_is_copied_apart_and_its_digest_told(model, temporary_root):
    with shared_copy(model[0], STORE, "0" * 64) as copy:
        assert copy.sha256 == model[1]
        assert "airflow-batch-inference-held-" in str(copy.path)
    assert copies(temporary_root) == []


def test_what_is_missing_is_said_as_ever(tmp_path, temporary_root):
    with pytest.raises(ArtifactNotFoundError), shared_copy(str(tmp_path / "no"), STORE, "0" * 64):
        pass
    (tmp_path / "empty").touch()
    with (
        pytest.raises(ArtifactIntegrityError, match="empty file"),
        shared_copy(str(tmp_path / "empty"), STORE, "0" * 64),
    ):
        pass
    assert copies(temporary_root) == []


def test_a_copy_is_not_to_be_had_where_the_model_may_not_be_reached(model, start):
    process = start(model)
    process.stdout.readline()
    process.stdout.readline()
    elsewhere = Storage(roots=("file:///elsewhere",))
    with pytest.raises(ConfigurationError, match="lies outside"), shared_copy(model[0], elsewhere, model[1]):
        pass


@pytest.mark.parametrize("attack", ["link", "file", "open to others", "another user's", "no sticky bit"])
def test_what_another_user_could_have_put_there_is_never_used(model, temporary_root, tmp_path, monkeypatch, attack):
    root = temporary_root / f"airflow-batch-inference-shared-{os.geteuid()}"
    if attack == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        root.symlink_to(tmp_path / "elsewhere")
    elif attack == "file":
        root.touch()
    elif attack == "open to others":
        root.mkdir()
        root.chmod(0o777)
    elif attack == "another user's":
        root.mkdir(mode=0o700)
        other = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: other)
        (temporary_root / f"airflow-batch-inference-shared-{other}").mkdir(mode=0o700)
    else:
        temporary_root.chmod(0o777)
    assert shared_root() is None
    with shared_copy(model[0], STORE, model[1]) as copy:
        assert "airflow-batch-inference-held-" in str(copy.path)
        assert copy.sha256 == model[1]
    assert sweep_shared_folders() == []


def test_what_is_shared_is_for_this_user_alone(model):
    with shared_copy(model[0], STORE, model[1]) as copy:
        for folder in (copy.path.parent, copy.path.parent.parent):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("trouble", ["no locks", "no room", "held for ever", "a disk of a network"])
def test_where_nothing_can_be_shared_each_has_its_own_copy(model, monkeypatch, trouble):
    if trouble == "no locks":

        def flock(*_):
            raise OSError(95, "not supported")

        monkeypatch.setattr(shared.fcntl, "flock", flock)
    elif trouble == "no room":

        def full(*_):
            raise OSError(28, "no space left")

        monkeypatch.setattr(module, "copy_into", full)
    elif trouble == "a disk of a network":  # whose other machines would not see the locks
        monkeypatch.setattr(shared, "_LOCAL", frozenset())
    else:
        monkeypatch.setattr(shared, "_WAIT_S", 0.2)
        holder = os.open(shared_root() / f".lock-{model[1][0]}", os.O_RDWR | os.O_CREAT)
        fcntl.flock(holder, fcntl.LOCK_EX)
    with shared_copy(model[0], STORE, model[1]) as copy:
        assert "airflow-batch-inference-held-" in str(copy.path)
    if trouble == "held for ever":
        os.close(holder)
