"""Files appear whole, once, and are noticed if changed; what lies outside of the allowed roots is not reached."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import pickle
import subprocess
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.records import CatalogEntry, TaskKey
from airflow_batch_inference.scripts.plan import list_items
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.access import RememberedFilesystems, default_filesystem
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import is_record_uri, normalize_uri
from airflow_batch_inference.workflows.build_baseline import open_sample_set

STORE = Storage()
ENTRY = CatalogEntry(
    name="n",
    artifact_kind="k",
    uri="file:///x",
    tag="",
    task=TaskKey(dag_id="d", run_id="r", task_id="t"),
    batch_id=None,
    logged_at="2026",
)


def _put(arguments):
    uri, number = arguments
    return STORE.put_new(uri, str(number).encode() * 1000)


def test_of_many_writers_exactly_one_wins(tmp_path):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for attempt in range(20):
            uri = f"{tmp_path}/once-{attempt}"
            won = pool.map(_put, [(uri, number) for number in range(8)], chunksize=1)
            assert sum(won) == 1
            assert STORE.read_bytes(uri) == str(won.index(True)).encode() * 1000
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    uri = f"file://{tmp_path}/x.txt"
    with pytest.raises(RuntimeError), STORE.writing(uri) as path:  # noqa: PT012  # the block is what is tested
        path.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with STORE.writing(uri) as path:
        path.write_text("whole")
        assert not STORE.exists(uri)
    assert STORE.read_bytes(uri) == b"whole"
    STORE.put(uri, b"replaced")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.txt"]


def test_a_record_is_found_by_its_digest_and_a_change_is_noticed(tmp_path):
    uri = STORE.put_record(str(tmp_path), "entry", ENTRY)
    assert uri.endswith(f"entry-{hashlib.sha256(ENTRY.to_json()).hexdigest()}.json")
    assert STORE.put_record(str(tmp_path), "entry", ENTRY) == uri
    assert STORE.read_record(uri) == ENTRY
    assert is_record_uri(uri)
    path = tmp_path / uri.rsplit("/", 1)[1]
    path.write_bytes(path.read_bytes().replace(b'"n"', b'"m"'))
    with pytest.raises(ArtifactIntegrityError, match="was changed after it was written"):
        STORE.read_record(uri)


def test_what_is_not_there_is_said_so(tmp_path):
    for read in (STORE.read_bytes, STORE.stat, lambda uri: STORE.copy_to_local(uri, tmp_path / "copy")):
        with pytest.raises(ArtifactNotFoundError, match="Nothing lies at"):
            read(f"{tmp_path}/absent")


def test_a_replaced_file_of_the_same_size_has_another_version(tmp_path):
    path = tmp_path / "x"
    path.write_text("one")
    before = STORE.stat(str(path))
    path.write_text("two")
    after = STORE.stat(str(path))
    assert (before.size_bytes, after.size_bytes) == (3, 3)
    assert before.version != after.version


def test_a_folder_that_cannot_be_written_to_is_refused_early(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (f"{tmp_path}/file/below", f"{tmp_path}/file"):
        with pytest.raises(ConfigurationError, match=r"Cannot write to .*artifact_root"):
            STORE.require_writable(folder)
    STORE.require_writable(f"{tmp_path}/new/folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_an_unknown_scheme_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="No file system"):
        STORE.exists("nosuch://bucket/key")


# -- allowed roots --------------------------------------------------------------------------------------------


@pytest.fixture
def walled(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"a")
    (tmp_path / "in2").mkdir()
    (tmp_path / "in2" / "b.txt").write_bytes(b"b")
    return Storage(roots=(normalize_uri(str(tmp_path / "in")), "s3://bucket/models"))


def test_what_lies_in_an_allowed_root_is_reached(walled, tmp_path):
    assert walled.read_bytes(str(tmp_path / "in" / "a.txt")) == b"a"
    assert [file.uri for file in walled.list_files(str(tmp_path / "in"))] == [f"file://{tmp_path}/in/a.txt"]


@pytest.mark.parametrize(
    "uri",
    [
        "{0}/in2/b.txt",
        "{0}",
        "file://{0}/in2/b.txt",
        "/etc/hostname",
        "s3://bucket/models2/x",
        "s3://bucket",
        "memory://x",
    ],
)
def test_what_lies_outside_of_the_allowed_roots_is_refused_by_name(walled, tmp_path, uri):
    with pytest.raises(ConfigurationError, match=r"lies outside of the folders.*allowed_roots"):
        walled.read_bytes(uri.format(tmp_path))


def test_a_link_that_leads_out_of_the_allowed_roots_is_refused(walled, tmp_path):
    (tmp_path / "in" / "link.txt").symlink_to(tmp_path / "in2" / "b.txt")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "in2")
    for name in ("link.txt", "folder/b.txt"):
        with pytest.raises(ConfigurationError, match="lies outside"):
            walled.read_bytes(str(tmp_path / "in" / name))


def test_a_folder_that_holds_a_link_out_of_the_allowed_roots_is_not_listed(walled, tmp_path):
    (tmp_path / "in" / "link.txt").symlink_to(tmp_path / "in2" / "b.txt")
    with pytest.raises(ConfigurationError, match="lies outside"):
        walled.list_files(str(tmp_path / "in"))
    with pytest.raises(ConfigurationError, match="lies outside"):
        walled.glob(str(tmp_path / "in" / "*.txt"))


def test_a_root_that_is_itself_reached_by_a_link_holds_what_lies_in_it(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_bytes(b"a")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    storage = Storage(roots=(normalize_uri(str(tmp_path / "link")),))
    assert storage.read_bytes(str(tmp_path / "link" / "a.txt")) == b"a"
    assert storage.read_bytes(str(tmp_path / "real" / "a.txt")) == b"a"


def test_a_storage_for_another_process_keeps_its_roots(walled, tmp_path):
    resolved = walled.resolved(str(tmp_path / "in"))
    with pytest.raises(ConfigurationError, match="lies outside"):
        resolved.read_bytes(str(tmp_path / "in2" / "b.txt"))


# -- what is no file, or cannot be reached --------------------------------------------------------------------


def _pipe(path):
    os.mkfifo(path)


def _socket(path):
    import socket

    listening = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket may have some 100 letters
    try:
        listening.bind(path.name)
    finally:
        os.chdir(here)
        listening.close()


def _device(path):
    path.symlink_to("/dev/null")


def _endless(path):
    path.symlink_to("/dev/zero")


def _link_to_a_pipe(path):
    os.mkfifo(f"{path}.pipe")
    path.symlink_to(f"{path}.pipe")


@pytest.mark.timeout(30)
@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".parquet", ".arrow", ".csv.gz", ".py", ".txt"])
@pytest.mark.parametrize("make", [_pipe, _socket, _device, _endless, _link_to_a_pipe])
def test_a_pipe_a_socket_and_a_device_are_refused_by_kind_and_nothing_waits_for_them(tmp_path, make, suffix):
    path = tmp_path / f"x{suffix}"
    make(path)
    uri = str(path)
    reads = [STORE.stat, STORE.versioned, STORE.read_bytes, lambda uri: STORE.copy_to_local(uri, tmp_path / "copy")]
    reads += [lambda uri: open_dataset(uri, STORE), lambda uri: open_dataset([uri], STORE)]
    reads += [lambda uri: list_items(uri, STORE, recursive=False, on_empty="succeed")]
    reads += [lambda uri: open_sample_set(uri, STORE)]
    reads += [lambda _: open_dataset(str(tmp_path), STORE), lambda _: open_dataset(f"{tmp_path}/x*", STORE)]
    for read in reads:
        with pytest.raises(ConfigurationError, match="no plain file but a pipe, a socket or a device") as caught:
            read(uri)
        assert not caught.value.retryable


def test_a_word_of_the_system_s_is_no_empty_file(tmp_path):
    (tmp_path / "x.csv").symlink_to("/proc/self/environ")
    with pytest.raises(ConfigurationError, match="no file on a disk"):
        open_dataset(str(tmp_path / "x.csv"), STORE)


def _nested(folder, name, levels):
    """Make folders within each other, deeper than a path may be; return what the last one is opened by."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    return here


def test_folders_deeper_than_python_s_calls_are_listed(tmp_path):
    here = _nested(tmp_path, "d", 1200)
    file = os.open("x.csv", os.O_WRONLY | os.O_CREAT, dir_fd=here)
    os.write(file, b"a\n1\n")
    os.close(file)
    os.close(here)
    try:
        assert open_dataset(str(tmp_path), STORE).whole().to_pydict() == {"a": [1]}
        assert open_dataset(f"{tmp_path}/**/*.csv", STORE).whole().to_pydict() == {"a": [1]}
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


@pytest.mark.parametrize(("name", "levels"), [("d" * 200, 30), ("level", 900)])
def test_folders_whose_path_is_longer_than_a_path_may_be_are_refused_in_words(tmp_path, name, levels):
    os.close(_nested(tmp_path, name, levels))
    try:
        for uri in (str(tmp_path), f"{tmp_path}/**/*.csv"):
            with pytest.raises(ConfigurationError, match=r"cannot be reached \(File name too long\)") as caught:
                open_dataset(uri, STORE)
            assert len(str(caught.value)) < 600
    finally:
        subprocess.run(["rm", "-rf", tmp_path / name], check=True)


@pytest.mark.parametrize("path", ["/in/" + "x" * 256 + ".csv", "/in/" + "é" * 130 + ".csv", "/in" + "/d" * 2100])
@pytest.mark.parametrize("call", ["exists", "stat", "versioned", "read_bytes", "is_dir", "list_files", "remove"])
def test_a_name_that_no_file_can_have_is_refused(path, call):
    with pytest.raises(ConfigurationError, match="a path may have 4,095"):
        getattr(STORE, call)(path)


def test_a_name_of_255_bytes_is_a_name(tmp_path):
    path = tmp_path / ("x" * 251 + ".csv")
    path.write_text("a\n1\n")
    assert open_dataset(str(path), STORE).whole().to_pydict() == {"a": [1]}


@pytest.mark.parametrize("kind", ["itself", "each other", "a folder on the way"])
def test_links_that_lead_round_in_a_circle_are_refused_in_words(tmp_path, kind):
    path = tmp_path / "x.csv"
    if kind == "itself":
        path.symlink_to(path)
    elif kind == "each other":
        path.symlink_to(tmp_path / "y")
        (tmp_path / "y").symlink_to(path)
    else:
        (tmp_path / "in").symlink_to(tmp_path / "in")
        path = tmp_path / "in" / "x.csv"
    for uri in (str(path), str(tmp_path), f"{tmp_path}/*"):
        with pytest.raises(ConfigurationError, match="in a circle") as caught:
            open_dataset(uri, STORE)
        assert not caught.value.retryable
    for read in (STORE.stat, STORE.versioned, STORE.read_bytes):
        with pytest.raises(ConfigurationError, match="in a circle"):
            read(str(path))


def test_names_that_are_no_text_are_refused_in_words_that_can_be_printed(tmp_path):
    name = tmp_path / os.fsdecode(b"caf\xe9.csv")
    name.write_bytes(b"a\n1\n")
    (tmp_path / "good.csv").write_text("a\n1\n")
    for uri in (str(name), str(tmp_path), f"{tmp_path}/c*"):
        with pytest.raises(ConfigurationError, match=r"caf\\+udce9\.csv.* no text in UTF-8") as caught:
            open_dataset(uri, STORE)
        str(caught.value).encode()
    assert open_dataset(f"{tmp_path}/g*.csv", STORE).whole().to_pydict() == {"a": [1]}
    (tmp_path / "sub" / os.fsdecode(b"\xff")).mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"/\\udcff has a name"):
        open_dataset([f"{tmp_path}/good.csv", f"{tmp_path}/sub"], STORE)


@pytest.mark.parametrize("protocol", sorted({*fsspec.available_protocols(), "nosuch"} - {"file", "local", "memory"}))
def test_a_scheme_that_cannot_be_used_is_refused_and_not_tried_again(protocol, monkeypatch):
    if protocol in ("http", "https", "s3", "s3a", "github", "git"):
        pytest.skip("it is a store that needs nothing but the network")
    with pytest.raises(ConfigurationError):
        STORE.stat(f"{protocol}://host/x.csv")


@pytest.mark.parametrize(
    "uri",
    ["simplecache://x/y", "dir://x", "reference://x", "generic://file:///etc/hostname", "data://x,y", "zip://a.csv"],
)
def test_what_only_leads_to_other_stores_is_no_store(uri):
    with pytest.raises(ConfigurationError, match="is no store but a way to reach others"):
        STORE.exists(uri)


# -- hard links -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(
    ("file_owner", "folder_owner", "mode", "links", "is_refused"),
    [
        (1001, 1002, 0o600, 2, True),  # somebody's secret in another's folder
        (0, 1002, 0o640, 3, True),  # the worker's own, as airflow.cfg
        (1001, 1001, 0o600, 2, False),  # cp -l, a backup, a store without duplicates
        (1001, 1002, 0o644, 2, False),  # everybody may read it anyway
        (1001, 1002, 0o600, 1, False),  # dropped into a shared folder
    ],
)
def test_a_hard_link_to_what_may_be_another_user_s_secret_is_refused_in_allowed_roots(
    tmp_path, file_owner, folder_owner, mode, links, is_refused
):
    outside, inside = tmp_path / "outside", tmp_path / "in"
    outside.mkdir()
    inside.mkdir()
    path = inside / "x.csv"
    path.write_text("a\n1\n")
    for number in range(1, links):
        os.link(path, outside / f"{number}.csv")
    os.chown(inside, folder_owner, -1)
    os.chown(path, file_owner, -1)
    path.chmod(mode)
    walled = Storage(roots=(normalize_uri(str(inside)),))
    reads = [walled.stat, walled.read_bytes, lambda uri: walled.copy_to_local(uri, tmp_path / "copy")]
    reads += [lambda uri: open_dataset(uri, walled), lambda _: open_dataset(str(inside), walled)]
    reads += [lambda _: open_dataset(f"{inside}/*.csv", walled)]
    for read in reads:
        if is_refused:
            with pytest.raises(ConfigurationError, match=r"x\.csv is a hard link .* Put a copy in its place"):
                read(str(path))
        else:
            read(str(path))
    assert open_dataset(str(path), STORE).count_rows() == 1  # without allowed roots nothing lies outside


def test_no_disk_is_filled_by_a_file_with_holes(tmp_path):
    path = tmp_path / "holes"
    with path.open("wb") as file:
        file.truncate(1 << 43)
    with pytest.raises(OSError, match=rf"no room for a copy of .*holes, which has {1 << 43} bytes") as caught:
        Storage().copy_to_local(str(path), tmp_path / "copy")
    assert caught.value.errno == errno.ENOSPC


def test_a_steady_storage_asks_once_and_reaches_artifacts_and_data_by_their_own_connections(tmp_path):
    asked = []

    def filesystem_in(folder):
        return lambda protocol: asked.append(folder) or DirFileSystem(f"{tmp_path}/{folder}", LocalFileSystem())

    storage = Storage(filesystem_for=filesystem_in("data"), artifacts=Storage(filesystem_for=filesystem_in("own")))
    artifact = "s3://a/dag_id=d/run_id=r/task_id=t/map_index=-1/_commits/0000000001.json"
    for folder, uri in (uris := {"own": artifact, "data": "s3://lake/rows.parquet"}).items():
        path = tmp_path / folder / uri.removeprefix("s3://")
        path.parent.mkdir(parents=True)
        path.write_text(folder)
    for order in (["own", "data"], ["data", "own"], ["data"]):
        asked.clear()
        steady = storage.steady([uris[folder] for folder in order])
        assert sorted(asked) == sorted(order)
        for _ in range(3):
            assert [steady.read_bytes(uri).decode() for uri in uris.values()] == ["own", "data"]
        assert sorted(asked) == ["data", "own"]
    assert pickle.loads(pickle.dumps(RememberedFilesystems(default_filesystem, {"s3": LocalFileSystem()}))).found == {}
