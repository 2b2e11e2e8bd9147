"""A file that may hold other bytes has another version; one that has not been touched has the same one everywhere."""

from __future__ import annotations

import io
import itertools
import os
import shutil
import subprocess
import sys
import time

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from s3_server import s3_bucket

from airflow_batch_inference.exceptions import InputChangedError
from airflow_batch_inference.sources.listing import list_dataset
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.versions import asked_version, is_touched_only, told_version, wait_until_told_apart

STORE = Storage()


def _in_place(path, other):
    with path.open("r+b") as file:
        file.write(other.read_bytes())


def _renamed(path, other):
    other.replace(path)


def _moved_twice(path, other):
    path.rename(f"{path}.old")
    other.rename(path)


def _copied(path, other):
    shutil.copy2(other, path)


def _linked(path, other):
    path.unlink()
    os.link(other, path)


def _by_soft_link(path, other):
    path.unlink()
    path.symlink_to(other)


def _by_cp(path, other):
    subprocess.run(["cp", "-p", other, path], check=True)


@pytest.mark.parametrize("rewrite", [_in_place, _renamed, _moved_twice, _copied, _linked, _by_soft_link, _by_cp])
def test_a_local_file_has_another_version_although_its_size_and_time_are_put_back(tmp_path, rewrite):
    path, other = tmp_path / "x.csv", tmp_path / "y.csv"
    path.write_text("a\n1\n")
    other.write_text("a\n2\n")
    then = time.time_ns() - 10**12
    for each in (path, other):
        os.utime(each, ns=(then, then))
    (before,) = list_dataset(str(path), STORE)
    rewrite(path, other)
    os.utime(path, ns=(then, then))
    after = STORE.versioned(str(path))
    assert path.read_text() == "a\n2\n"
    assert path.stat().st_mtime_ns == then
    assert before.file.size_bytes == after.size_bytes
    assert before.file.version != after.version


def test_a_local_file_that_nobody_touches_keeps_its_version_in_each_process(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n")
    here = STORE.versioned(str(path)).version
    code = (
        f"from airflow_batch_inference.storage.store import Storage as S; print(S().versioned({str(path)!r}).version)"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    path.read_text()
    assert there == here == STORE.versioned(str(path)).version


def test_a_file_that_is_changed_twice_within_a_tick_of_the_clock_is_seen_when_it_is_listed_in_between(tmp_path):
    path = tmp_path / "x.csv"
    for number in range(20):
        path.write_text(f"a\n{number:03d}\n")
        os.utime(path, ns=(5, 5))
        (listed,) = list_dataset(str(path), STORE)
        _in_place(path, _written(tmp_path / "y", f"a\n{number + 1:03d}\n"))
        os.utime(path, ns=(5, 5))
        assert STORE.versioned(str(path)) != listed.file


def _written(path, text):
    path.write_text(text)
    return path


def test_old_files_are_not_waited_for():
    old = time.time_ns() - 10**10
    assert not wait_until_told_apart([f"{old + 1}-{old + 1}-7"])
    assert wait_until_told_apart([f"1-{time.time_ns()}-7"])
    assert not wait_until_told_apart([])
    assert not wait_until_told_apart(["", "sha256:9f", "e1-2"])


def test_a_time_before_1970_is_a_time(tmp_path):
    path = _written(tmp_path / "x.csv", "a\n1\n")
    os.utime(path, ns=(-5, -5))
    assert wait_until_told_apart([STORE.versioned(str(path)).version])
    (before,) = list_dataset(str(path), STORE)
    path.chmod(0o600)
    assert is_touched_only(before.file.version, STORE.versioned(str(path)).version)


def test_what_chmod_and_a_new_name_change_is_told_from_what_is_written(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a\n1\n")
    before = STORE.versioned(str(path)).version
    time.sleep(0.02)
    path.chmod(0o600)
    touched = STORE.versioned(str(path)).version
    assert touched != before
    assert is_touched_only(before, touched)
    path.write_text("a\n2\n")
    assert not is_touched_only(before, STORE.versioned(str(path)).version)
    assert not is_touched_only("sha256:00", "sha256:01")


@pytest.mark.parametrize(
    ("info", "version"),
    [
        ({"ETag": '"9f-2"', "LastModified": "x"}, "9f-2"),
        ({"etag": "0x8D", "last_modified": "x"}, "0x8D"),
        ({"generation": "17", "etag": "CJ", "md5Hash": "q=="}, "17"),
        ({"md5Hash": "q=="}, "q=="),
        ({"checksum": "c1", "mtime": 3}, "c1"),
        ({"ETag": 'W/"1"'}, ""),
        ({"mtime": 3, "size": 4}, ""),
        ({"modificationTime": 3}, ""),
        ({"LastModified": "x"}, ""),
        ({"last_write_time": "x", "ETag": ""}, ""),
        ({"etag": None}, ""),
    ],
)
def test_only_what_is_sure_to_change_with_the_bytes_is_a_version(info, version):
    assert told_version({"name": "x", "type": "file", **info}) == version


def test_webhdfs_is_asked_for_its_checksum():
    class WebHdfs:
        protocol = ("webhdfs", "webHDFS")

        def ukey(self, path):
            return {"algorithm": "MD5-of-1MD5-of-512CRC32C", "bytes": path}

    assert "MD5-of-1MD5" in asked_version(WebHdfs(), "/x")
    assert asked_version(MemoryFileSystem(), "/x") == ""


# -- stores without versions ----------------------------------------------------------------------------------


class Timeless(MemoryFileSystem):
    """A store that says of a file how large it is, and when it was changed: always the same."""

    protocol = "timeless"
    store = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    cachable = False
    opened = 0

    def info(self, path, **kwargs):
        found = super().info(path, **kwargs)
        return {**{name: found[name] for name in ("name", "size", "type")}, "mtime": 17, "modify": "2026"}

    def _open(self, path, mode="rb", **kwargs):
        type(self).opened += mode == "rb"
        return super()._open(path, mode, **kwargs)


@pytest.fixture
def timeless():
    fs = Timeless()
    Timeless.opened = 0
    yield Storage(filesystem_for=lambda protocol: fs if protocol == "timeless" else fsspec.filesystem(protocol))
    fs.store.clear()


def test_a_store_without_versions_is_read_once_and_all_rows_are_of_what_was_read_then(timeless, caplog):
    fs = timeless.filesystem_for("timeless")
    fs.pipe_file("/in/x.csv", b"a,b\n1,2\n3,4\n")
    dataset = open_dataset("timeless://in/x.csv", timeless)
    assert Timeless.opened == 1
    assert "tells no versions" in caplog.text
    fs.pipe_file("/in/x.csv", b"a,b\n9,9\n9,9\n")
    assert dataset.whole().to_pydict() == {"a": [1, 3], "b": [2, 4]}
    assert Timeless.opened == 1
    again = open_dataset("timeless://in/x.csv", timeless)
    assert again.identity != dataset.identity
    assert again.whole().to_pydict() == {"a": [9, 9], "b": [9, 9]}
    fs.pipe_file("/in/x.csv", b"a,b\n1,2\n3,4\n")
    assert open_dataset("timeless://in/x.csv", timeless).identity == dataset.identity


def test_another_process_gets_the_copies_and_not_the_store(timeless):
    import pickle

    timeless.filesystem_for("timeless").pipe_file("/in/x.csv", b"a,b\n1,2\n")
    dataset = open_dataset("timeless://in/*.csv", timeless)
    there = pickle.loads(pickle.dumps(dataset.source.storage.resolved("timeless://in/x.csv")))
    assert there.read_bytes("timeless://in/x.csv") == b"a,b\n1,2\n"
    assert there.versioned("timeless://in/x.csv") == dataset.source.files[0].file
    assert Timeless.opened == 1
    with pytest.raises(ValueError, match="is not used by this job"):
        there.filesystem_for("timeless")


def test_a_file_on_s3_is_read_where_it_is(tmp_path):
    fs = MemoryFileSystem(global_store=False, skip_instance_cache=True)
    told = fs.info
    fs.info = lambda path, **more: {**told(path, **more), "ETag": '"e1"'}
    fs.pipe_file("/in/x.csv", b"a\n1\n")
    storage = Storage(filesystem_for=lambda _: fs).keeping()
    assert storage.versioned("s3://in/x.csv").version == "e1"
    assert storage.copies.path_of("s3://in/x.csv") is None


# -- whoever reads all rows -----------------------------------------------------------------------------------


def test_a_file_that_is_replaced_while_its_rows_are_read_is_noticed_at_their_end(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a\n" + "1\n" * 5000)
    then = path.stat().st_mtime_ns
    dataset = open_dataset(str(path), STORE)
    batches = dataset.mini_batches(1000)
    assert next(batches).table.num_rows == 1000
    _renamed(path, _written(tmp_path / "y", "a\n" + "2\n" * 5000))
    os.utime(path, ns=(then, then))
    with pytest.raises(InputChangedError, match=r"x\.csv was changed while it was being read"):
        for _ in batches:
            pass


def test_half_of_a_file_that_is_being_written_is_no_damaged_file(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [1.0, 2.0]}), path)
    found = STORE.settled([STORE.stat(str(path))])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    monkeypatch.setattr(Storage, "settled", lambda _, __: found)
    with pytest.raises(InputChangedError, match="when its writer is done"):
        open_dataset(str(path), STORE)
    assert InputChangedError.retryable


@pytest.fixture
def rewritten(monkeypatch):
    """A file of S3 that somebody rewrites once it is open, and before its first byte is read."""
    import s3fs

    with s3_bucket("versions", monkeypatch) as bucket:
        fs, path = fsspec.filesystem("s3"), f"{bucket}/in.parquet"
        fs.pipe_file(path, _parquet([1.0, 2.0]))
        fetch, numbers = s3fs.core.S3File._fetch_range, itertools.count()

        def rewrites(file, start, end):
            fs.pipe_file(path, _parquet([3.0, 4.0, float(next(numbers))]))
            return fetch(file, start, end)

        yield f"s3://{path}", lambda: monkeypatch.setattr(s3fs.core.S3File, "_fetch_range", rewrites)


def _parquet(values):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": values}), buffer)
    return buffer.getvalue()


def test_a_file_that_a_store_refuses_to_read_on_was_changed(rewritten):
    uri, rewrite = rewritten
    rewrite()
    with pytest.raises(InputChangedError, match=r"in\.parquet was changed while it was being read"):
        open_dataset(uri, STORE)


def test_rows_that_a_store_refuses_to_read_on_were_changed(rewritten):
    uri, rewrite = rewritten
    dataset = open_dataset(uri, STORE)
    rewrite()
    with pytest.raises(InputChangedError, match="when its writer is done"):
        dataset.whole()


def test_a_copy_that_a_store_refuses_to_read_on_was_changed(rewritten, tmp_path):
    uri, rewrite = rewritten
    rewrite()
    with pytest.raises(InputChangedError, match=r"in\.parquet was changed"):
        STORE.copy_to_local(uri, tmp_path / "copy")
    with pytest.raises(InputChangedError, match=r"in\.parquet was changed"):
        STORE.sha256_at(uri)


def test_a_file_that_is_gone_when_its_rows_are_read_was_removed(tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(_parquet([1.0, 2.0]))
    dataset = open_dataset(str(path), STORE)
    path.unlink()
    with pytest.raises(InputChangedError, match=r"x\.parquet was removed while it was being read"):
        dataset.whole()
