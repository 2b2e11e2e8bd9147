"""The private copy of a model: what gets into it, what does not, and its digest."""

from __future__ import annotations

import os
import subprocess

import fsspec
import pytest

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ArtifactNotFoundError, UntrustedModelError
from airflow_batch_inference.models import local_copy
from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
FILES = {"MLmodel": b"flavors: {}", "data/model.txt": b"tree", "data/größe 1.bin": b"\0", "data.json": b"{}"}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    for name, content in FILES.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def contents(path):
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_a_file_is_copied_under_its_own_name_and_removed_afterwards(tmp_path):
    (tmp_path / "m.txt").write_bytes(b"tree")
    with private_copy(str(tmp_path / "m.txt"), STORE) as copy:
        assert (copy.path.name, copy.size_bytes) == ("m.txt", 4)
        assert copy.path.read_bytes() == b"tree"
        assert copy.path.stat().st_mode & 0o077 == 0 or copy.path.parent.stat().st_mode & 0o077 == 0
        assert copy.sha256 == sha256_of(tmp_path / "m.txt")
    assert not copy.path.exists()


def test_a_folder_is_copied_with_all_that_lies_in_it(folder):
    with private_copy(str(folder), STORE) as copy:
        assert contents(copy.path) == FILES
        assert copy.size_bytes == sum(map(len, FILES.values()))
        assert copy.path.name == "model"


def test_the_digest_of_a_folder_is_what_the_documented_command_prints(folder):
    command = "find . -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
    printed = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True).stdout
    with private_copy(str(folder), STORE) as copy:
        assert copy.sha256 == printed.split()[0]


@pytest.mark.parametrize("change", ["content", "name", "one more", "one less"])
def test_any_change_in_a_folder_changes_its_digest(folder, change):
    with private_copy(str(folder), STORE) as copy:
        before = copy.sha256
    if change == "content":
        (folder / "MLmodel").write_bytes(b"flavors: {} ")
    elif change == "name":
        (folder / "MLmodel").rename(folder / "MLmodel2")
    elif change == "one more":
        (folder / ".hidden").touch()
    else:
        (folder / "data.json").unlink()
    with private_copy(str(folder), STORE) as copy:
        assert copy.sha256 != before


@pytest.mark.parametrize("kind", ["file", "folder", "dangling", "hard link", "fifo"])
def test_a_folder_that_holds_more_than_plain_files_is_refused(folder, tmp_path, kind):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    if kind == "hard link":
        os.link(secret, folder / "x")
    elif kind == "fifo":
        os.mkfifo(folder / "x")
    else:
        targets = {"file": secret, "folder": tmp_path, "dangling": tmp_path / "nothing"}
        (folder / "x").symlink_to(targets[kind])
    with (
        pytest.raises(UntrustedModelError, match=r"holds a .*link.*: x\. .*plain files only"),
        private_copy(str(folder), STORE),
    ):
        pass


def test_a_folder_of_too_many_files_is_no_model(folder, monkeypatch):
    monkeypatch.setattr(local_copy, "MOST_FILES", 3)
    with (
        pytest.raises(UntrustedModelError, match="holds 4 files; a model's folder may hold 3"),
        private_copy(str(folder), STORE),
    ):
        pass


@pytest.mark.parametrize("place", ["empty folder", "empty file", "nothing"])
def test_where_nothing_is_there_is_no_model(tmp_path, place):
    path = tmp_path / "model"
    if place == "empty folder":
        path.mkdir()
    elif place == "empty file":
        path.touch()
    expected = ArtifactNotFoundError if place == "nothing" else ArtifactIntegrityError
    with pytest.raises(expected, match="model"), private_copy(str(path), STORE):
        pass


def test_a_folder_in_a_bucket_has_the_digest_that_it_has_on_the_disk(folder):
    memory = fsspec.filesystem("memory")
    for name, content in FILES.items():
        memory.pipe_file(f"/bucket/model/{name}", content)
    try:
        with private_copy("memory://bucket/model", STORE) as remote, private_copy(str(folder), STORE) as local:
            assert contents(remote.path) == FILES
            assert remote.sha256 == local.sha256
    finally:
        memory.rm("/bucket", recursive=True)


class Listed:
    """A file system whose listing names a file that is no path within the folder."""

    def __init__(self, name):
        self.name = name

    def invalidate_cache(self):
        pass

    def open(self, path, mode):
        raise IsADirectoryError(path)

    def isdir(self, path):
        return True

    def find(self, path, **_):
        return {f"{path}/{self.name}": {"size": 1, "name": f"{path}/{self.name}", "ETag": "x"}}


@pytest.mark.parametrize("name", ["a/../../b", "a//b", "a\\b", "./b", "a\nb"])
def test_a_bucket_whose_keys_lead_out_of_the_folder_is_refused(name):
    storage = Storage(filesystem_for=lambda _: Listed(name))
    with pytest.raises(UntrustedModelError, match="no path within it"), private_copy("s3://bucket/model", storage):
        pass


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_what_never_ends_is_no_model(tmp_path, make):
    make(tmp_path / "m.txt")
    with (
        pytest.raises(UntrustedModelError, match=r"m\.txt is no plain file but a pipe, a socket or a device"),
        private_copy(str(tmp_path / "m.txt"), STORE),
    ):
        pass


def test_a_link_to_a_file_is_the_file(tmp_path):
    (tmp_path / "m-1.txt").write_bytes(b"tree")
    (tmp_path / "latest.txt").symlink_to(tmp_path / "m-1.txt")
    with private_copy(str(tmp_path / "latest.txt"), STORE) as copy:
        assert copy.path.read_bytes() == b"tree"


@pytest.mark.parametrize("way", ["in place", "renamed", "one file of a folder"])
def test_a_model_that_is_rewritten_while_it_is_copied_is_refused(tmp_path, folder, way):
    uri = tmp_path / "m.txt"
    uri.write_bytes(b"old")
    (tmp_path / "new.txt").write_bytes(b"new")
    if way == "one file of a folder":
        uri = folder
    status = uri.stat()

    class Rewriting(Storage):
        def copy_to_local(self, source, target):
            digest = super().copy_to_local(source, target)
            if way == "in place":
                uri.write_bytes(b"new")
            elif way == "renamed" and (tmp_path / "new.txt").exists():
                (tmp_path / "new.txt").replace(uri)
            elif way == "one file of a folder":
                first = folder / next(iter(FILES))
                first.write_bytes(first.read_bytes()[::-1])
            os.utime(uri, ns=(status.st_atime_ns, status.st_mtime_ns))
            return digest

    with (
        pytest.raises(ArtifactIntegrityError, match="was changed while it was copied"),
        private_copy(str(uri), Rewriting()),
    ):
        pass
