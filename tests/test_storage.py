"""Files appear whole, once, and are noticed if changed; what lies outside of the allowed roots is not reached."""

from __future__ import annotations

import hashlib
import multiprocessing

import pytest

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.records import CatalogEntry, TaskKey
from airflow_batch_inference.storage import Storage
from airflow_batch_inference.uris import is_record_uri, normalize_uri

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
