"""People read the old set or the new one, never a mixture; nobody else's data are replaced."""

from __future__ import annotations

import errno
import io
import json
import threading
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from publishing import publish, put

from airflow_batch_inference.exceptions import ArtifactConflictError, ArtifactIntegrityError, ConfigurationError
from airflow_batch_inference.sinks import conversion, local
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage


@pytest.fixture
def target(tmp_path):
    return tmp_path / "public" / "day=1"


def rows(target):
    files = json.loads((target / "_published.json").read_text())["files"]
    return [row for name in files for row in pq.read_table(target / name).column("a").to_pylist()]


def test_a_folder_is_published_and_replaced_by_the_same_dag(bench, sets, target):
    assert put(bench, sets[0], target) == f"file://{target}"
    assert rows(target) == [1.0] * 100
    put(bench, sets[1], target)
    assert rows(target) == [2.0] * 100
    key = sets[1].job_key[:16]
    names = sorted(path.name for path in target.iterdir())
    assert names == ["_published.json", f"part-00000-{key}.parquet", f"part-00001-{key}.parquet"]
    assert [path.name for path in target.parent.iterdir()] == ["day=1"]


def test_publishing_again_changes_nothing(bench, sets, target):
    put(bench, sets[0], target)
    before = target.stat().st_ino
    put(bench, sets[0], target)
    assert target.stat().st_ino == before
    next(target.glob("part-*")).unlink()
    put(bench, sets[0], target)
    assert rows(target) == [1.0] * 100


def test_a_reader_never_sees_a_mixture_or_a_gap(bench, sets, target):
    put(bench, sets[0], target)
    seen, done = set(), threading.Event()

    def read():
        while not done.is_set():
            seen.add(frozenset(path.name.split("-")[2] for path in target.iterdir() if path.name.startswith("part-")))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(30):
            put(bench, sets[(number + 1) % 2], target)
    finally:
        done.set()
        reader.join()
    assert max(map(len, seen)) == 1  # one job's files; a listing of the folder just swapped away may be empty


def test_an_empty_folder_may_be_filled(bench, sets, target):
    target.mkdir(parents=True)
    put(bench, sets[0], target)
    assert rows(target) == [1.0] * 100


def test_a_folder_with_other_peoples_files_is_not_replaced(bench, sets, target):
    target.mkdir(parents=True)
    (target / "theirs.csv").write_text("a\n1\n")
    with pytest.raises(ArtifactConflictError, match="no manifest says that this package published it"):
        put(bench, sets[0], target)
    assert [path.name for path in target.iterdir()] == ["theirs.csv"]
    assert [path.name for path in target.parent.iterdir()] == ["day=1"]


def test_what_somebody_else_put_into_our_folder_is_not_removed(bench, sets, target):
    put(bench, sets[0], target)
    (target / "daily").mkdir()
    with pytest.raises(ArtifactConflictError, match=r"did not publish \(daily\)"):
        put(bench, sets[1], target)
    assert rows(target) == [1.0] * 100
    assert (target / "daily").is_dir()


@pytest.mark.parametrize("output_format", ["csv", "jsonl"])
def test_text_of_several_parts_stays_text(bench, monkeypatch, tmp_path, output_format):
    monkeypatch.setattr("airflow_batch_inference.jobs.plan._PART_ROWS", 2)
    for file, keys in (("1", ["007", "NA"]), ("2", ["AB", "009"])):
        bench.write(f"in/{file}.parquet", {"key": keys, "a": [1.0, 2.0], "b": [0.0, 0.0]})
    _, record = bench.score(str(bench.folder / "in"))
    put(bench, record, tmp_path / f"all.{output_format}")
    lines = (tmp_path / f"all.{output_format}").read_text().splitlines()
    assert len(lines) == (5 if output_format == "csv" else 4)
    assert [key for line in lines for key in ("007", "NA", "AB", "009") if f'"{key}"' in line] == [
        "007",
        "NA",
        "AB",
        "009",
    ]


def test_a_part_that_was_exchanged_is_noticed_in_a_single_file_too(bench, sets, tmp_path):
    first, second = (Path(part.uri.removeprefix("file://")) for part in sets[0].parts)
    second.write_bytes(first.read_bytes())
    with pytest.raises(ArtifactIntegrityError):
        put(bench, sets[0], tmp_path / "all.parquet")
    assert not (tmp_path / "all.parquet").exists()


def test_another_dags_publication_is_not_replaced(bench, sets, target):
    put(bench, sets[0], target)
    other = replace(sets[1], task=replace(sets[1].task, dag_id="other"))
    with pytest.raises(ArtifactConflictError, match="DAG 'nightly' published it"):
        put(bench, other, target)
    assert rows(target) == [1.0] * 100


def test_a_damaged_part_is_noticed_and_the_old_set_stays(bench, sets, target):
    put(bench, sets[0], target)
    part = Path(sets[1].parts[1].uri.removeprefix("file://"))
    part.write_bytes(part.read_bytes() + b"x")
    with pytest.raises(ArtifactIntegrityError, match="changed after it was committed"):
        put(bench, sets[1], target)
    assert rows(target) == [1.0] * 100
    assert [path.name for path in target.parent.iterdir()] == ["day=1"]


def test_where_folders_cannot_be_exchanged_they_are_moved(bench, sets, target, monkeypatch):
    class NoExchange:
        def renameat2(self, *_):
            return -1

    monkeypatch.setattr(local.ctypes, "CDLL", lambda *_, **__: NoExchange())
    monkeypatch.setattr(local.ctypes, "get_errno", lambda: errno.EINVAL)
    put(bench, sets[0], target)
    put(bench, sets[1], target)
    assert rows(target) == [2.0] * 100
    assert [path.name for path in target.parent.iterdir()] == ["day=1"]


def test_several_parts_become_one_file_where_a_file_is_asked_for(bench, sets, tmp_path):
    target = tmp_path / "all.parquet"
    for record, value in zip(sets, (1.0, 2.0), strict=True):
        put(bench, record, target)
        table = pq.read_table(target)
        assert table.column("a").to_pylist() == [value] * 100
        assert table.column("predicted_label").to_pylist() == [value + 2] * 50 + [value + 4] * 50


@pytest.mark.parametrize("name", ["all.csv", "all.pq", "all.csv.gz"])
def test_a_name_of_another_format_is_refused(bench, sets, tmp_path, name):
    target = str(tmp_path / name)
    how = {"output_format": "parquet"} if name == "all.csv" else {}
    with pytest.raises(ConfigurationError, match=r"end it with \.(parquet|csv), or give a folder"):
        publish(sets[0], target, storage=bench.storage, target_storage=bench.storage, **how)
    assert not (tmp_path / name).exists()


def test_rows_that_were_not_kept_cannot_be_published(bench, tmp_path):
    source = bench.write("x.parquet", {"a": [1.0], "b": [1.0]})
    _, record = bench.score(source, keep=False)
    with pytest.raises(ConfigurationError, match="log_result_set=False"):
        put(bench, record, tmp_path / "public")


@pytest.fixture(params=["file", "folder", "remote file", "remote folder"])
def any_target(request, tmp_path):
    """A place to publish to, of every kind, that holds nothing yet."""
    base = f"memory://{tmp_path}" if request.param.startswith("remote") else f"file://{tmp_path}/public"
    return f"{base}/out.parquet" if request.param.endswith("file") else f"{base}/day=1"


def seen_at(bench, target):
    """Return what readers of a target see."""
    return {
        file.uri: bench.storage.read_bytes(file.uri) for file in bench.storage.list_files(target.rpartition("/")[0])
    }


def test_what_this_dag_published_is_replaced_and_what_another_did_is_not(bench, sets, any_target):
    put(bench, sets[0], any_target)
    put(bench, replace(sets[1], batch_id="the next day"), any_target)
    before = seen_at(bench, any_target)
    other = replace(sets[0], task=replace(sets[0].task, dag_id="other"))
    with pytest.raises(ArtifactConflictError, match="DAG 'nightly' published it"):
        put(bench, other, any_target)
    assert seen_at(bench, any_target) == before


def test_only_the_same_batch_is_replaced_if_others_must_stay(bench, sets, any_target):
    def publish_strictly(record):
        publish(record, any_target, storage=bench.storage, target_storage=bench.storage, if_exists="fail")

    publish_strictly(sets[0])
    publish_strictly(sets[1])  # another job of the same batch: a backfill
    before = seen_at(bench, any_target)
    with pytest.raises(ArtifactConflictError, match=r"holds batch '2013-04-08', this one is 'the next day'"):
        publish_strictly(replace(sets[0], batch_id="the next day"))
    assert seen_at(bench, any_target) == before


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_somebody_elses_file_is_not_replaced(bench, sets, tmp_path, scheme):
    target = f"{scheme}://{tmp_path}/report.parquet"
    bench.storage.put(target, b"precious")
    with pytest.raises(ArtifactConflictError, match="no manifest says that this package published it"):
        put(bench, sets[0], target)
    assert bench.storage.read_bytes(target) == b"precious"


def test_a_try_that_died_before_it_put_the_file_leaves_nothing_in_the_way(bench, sets, tmp_path, monkeypatch):
    target = f"file://{tmp_path}/public/out.parquet"

    def die(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(conversion, "join", die)
        with pytest.raises(OSError, match="No space"):
            put(bench, sets[0], target)
    assert not bench.storage.exists(target)
    put(bench, sets[0], target)
    assert pq.read_table(f"{tmp_path}/public/out.parquet").num_rows == 100
    # Readers of the folder do not take the manifest for data.
    assert open_dataset(f"{tmp_path}/public", bench.storage).count_rows() == 100


def test_a_file_that_was_exchanged_is_not_replaced(bench, sets, tmp_path):
    target = f"file://{tmp_path}/out.parquet"
    put(bench, sets[0], target)
    bench.storage.put(target, b"precious")
    with pytest.raises(ArtifactConflictError, match="has 8 bytes, not"):
        put(bench, sets[1], target)
    assert bench.storage.read_bytes(target) == b"precious"


def test_a_set_that_cannot_be_read_leaves_file_and_manifest_as_they_were(bench, sets, tmp_path):
    target = f"file://{tmp_path}/public/out.parquet"
    put(bench, sets[0], target)
    before = seen_at(bench, target)
    Path(sets[1].parts[1].uri.removeprefix("file://")).write_bytes(b"changed")
    with pytest.raises(ArtifactIntegrityError):
        put(bench, sets[1], target)
    assert seen_at(bench, target) == before


class Dies(Storage):
    """A store that dies at its n-th change."""

    def __init__(self, at):
        super().__init__()
        object.__setattr__(self, "left", [at])

    def _count(self):
        self.left[0] -= 1
        if self.left[0] == 0:
            raise OSError(errno.EIO, "the network")

    def put(self, uri, data):
        self._count()
        super().put(uri, data)

    def remove(self, uri):
        self._count()
        super().remove(uri)

    def writing(self, uri):
        if not uri.endswith(".json"):
            self._count()
        return super().writing(uri)


@pytest.mark.parametrize("at", range(1, 12))
def test_a_remote_folder_can_be_published_after_a_try_died_at_any_step(bench, sets, tmp_path, at):
    target = f"memory://{tmp_path}/day=1"

    def seen():
        files = json.loads(bench.storage.read_bytes(f"{target}/_published.json"))["files"]
        tables = [pq.read_table(io.BytesIO(bench.storage.read_bytes(f"{target}/{name}"))) for name in files]
        return [row for table in tables for row in table.column("a").to_pylist()]

    dying = Dies(at)
    for record in sets:
        try:
            publish(record, target, storage=bench.storage, target_storage=dying)
        except OSError:
            break
    if bench.storage.exists(f"{target}/_published.json"):
        assert seen() in ([], [1.0] * 100, [2.0] * 100)
    for record, expected in ((sets[1], 2.0), (sets[0], 1.0)):
        put(bench, record, target)
        assert seen() == [expected] * 100
        assert len(seen_at(bench, f"{target}/x")) == 3


def test_a_file_put_there_while_parts_are_copied_is_not_lost(bench, sets, target, monkeypatch):
    put(bench, sets[0], target)
    copy = local.write_part

    def copy_and_put(*arguments):
        (target / "precious.txt").write_text("precious")
        return copy(*arguments)

    monkeypatch.setattr(local, "write_part", copy_and_put)
    with pytest.raises(ArtifactConflictError, match=r"precious\.txt"):
        put(bench, sets[1], target)
    assert (target / "precious.txt").read_text() == "precious"
    assert rows(target) == [1.0] * 100


@pytest.mark.parametrize("manifest", [b"[]", b"null", b"no json"])
def test_a_manifest_that_is_none_is_nobody_s(bench, sets, target, manifest):
    target.mkdir(parents=True)
    (target / "_published.json").write_bytes(manifest)
    with pytest.raises(ArtifactConflictError, match="no manifest says"):
        put(bench, sets[0], target)


def test_a_link_to_a_folder_stays_one(bench, sets, target, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    target.parent.mkdir(parents=True)
    target.symlink_to(real)
    for record in sets:
        put(bench, record, target)
    assert target.is_symlink()
    assert rows(real) == [2.0] * 100
