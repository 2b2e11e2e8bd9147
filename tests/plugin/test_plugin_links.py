"""No link within the artifact root leads a reader from one DAG's results to another's."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path

import pandas as pd
import pytest
from airflow_runs import DAG, RUN
from test_plugin_paths import PLACE, SECRET, artifacts, stored

from airflow_batch_inference.plugin.artifacts import NotShownError
from airflow_batch_inference.plugin.plain_files import LinkedError, PlainFiles
from airflow_batch_inference.plugin.preview import first_rows
from airflow_batch_inference.storage.digests import sha256_of_bytes
from airflow_batch_inference.storage.uris import encode_segment

MINE, THEIRS = f"dag_id={DAG}", "dag_id=payroll"
PLACE_OF_TASK = "run_id=r/task_id=t/map_index=-1"


def only_mine(dag_id):
    return dag_id == DAG


@pytest.fixture
def theirs(root):
    """A record, a report and rows of another DAG."""
    folder = root / THEIRS / PLACE_OF_TASK
    record = stored(folder)
    html = f"<p>{SECRET}</p>".encode()
    report = folder / f"drift-{sha256_of_bytes(html)}.html"
    report.write_bytes(html)
    (folder / "data").mkdir()
    pd.DataFrame({"a": [SECRET]}).to_parquet(folder / "data" / "part.parquet")
    (folder / "_commits").mkdir()
    (folder / "_commits" / "0000000001.json").write_bytes(record.read_bytes())
    return folder


def place_of(root, name):
    mine = root / MINE / PLACE_OF_TASK / name
    mine.parent.mkdir(parents=True)
    return mine


def linked_file(root, theirs, name):
    mine = place_of(root, name)
    mine.symlink_to(theirs / name)
    return mine


def relatively_linked_file(root, theirs, name):
    mine = place_of(root, name)
    mine.symlink_to(os.path.relpath(theirs / name, mine.parent))
    return mine


def hard_linked_file(root, theirs, name):
    mine = place_of(root, name)
    mine.hardlink_to(theirs / name)
    return mine


def linked_task(root, theirs, name):
    mine = root / MINE / PLACE_OF_TASK
    mine.parent.mkdir(parents=True)
    mine.symlink_to(theirs, target_is_directory=True)
    return mine / name


def linked_run(root, theirs, name):
    (root / MINE).mkdir()
    (root / MINE / "run_id=r").symlink_to(theirs.parents[1], target_is_directory=True)
    return root / MINE / PLACE_OF_TASK / name


def linked_dag(root, theirs, name):
    (root / MINE).symlink_to(f"./{THEIRS}", target_is_directory=True)
    return root / MINE / PLACE_OF_TASK / name


def link_of_a_link(root, theirs, name):
    (root / "models").mkdir()
    (root / "models" / "x").symlink_to(theirs, target_is_directory=True)
    mine = root / MINE / PLACE_OF_TASK
    mine.parent.mkdir(parents=True)
    mine.symlink_to(root / "models" / "x", target_is_directory=True)
    return mine / name


def under_models(root, theirs, name):
    (root / "models").mkdir()
    (root / "models" / "x").symlink_to(theirs, target_is_directory=True)
    return root / "models" / "x" / name


def by_way_of_outside(root, theirs, name):
    (root.parent / "outside").symlink_to(root, target_is_directory=True)
    (root / "models").symlink_to(root.parent / "outside", target_is_directory=True)
    return root / "models" / theirs.relative_to(root) / name


def below_another_folder(root, theirs, name):
    """A store within the store, as an operator's own ``artifact_root`` makes it."""
    theirs.parents[2].rename(root / "team")
    (root / THEIRS).mkdir()
    (root / "team").rename(root / THEIRS / "team")
    (root / THEIRS).rename(root / "team")
    (root / "team" / "team").rename(root / "team" / THEIRS)
    return root / "team" / THEIRS / PLACE_OF_TASK / name


def in_capitals(root, theirs, name):
    (root / THEIRS).rename(root / "DAG_ID=payroll")
    return root / "DAG_ID=payroll" / PLACE_OF_TASK / name


def otherwise_encoded(root, theirs, name):
    (root / THEIRS).rename(root / "dag_id=~66lights")  # reads as a DAG that may be seen
    return root / "dag_id=~66lights" / PLACE_OF_TASK / name


WAYS = (
    linked_file, relatively_linked_file, hard_linked_file, linked_task, linked_run, linked_dag, link_of_a_link,
    under_models, by_way_of_outside, below_another_folder, in_capitals, otherwise_encoded,
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_to_another_dags_record(root, theirs, way):
    (name,) = [path.name for path in theirs.glob("model-*.json")]
    path = way(root, theirs, name)
    assert SECRET in path.read_text(), "the way leads nowhere"
    with pytest.raises(NotShownError):
        artifacts(root, only_mine).record(str(path))


@pytest.mark.parametrize("way", [linked_file, hard_linked_file, linked_dag, linked_task])
def test_no_link_is_followed_even_by_a_reader_of_both(root, theirs, way):
    (name,) = [path.name for path in theirs.glob("model-*.json")]
    with pytest.raises(NotShownError, match="links in the artifact root are not followed"):
        artifacts(root).record(str(way(root, theirs, name)))


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_to_another_dags_report_or_rows(root, theirs, way):
    (name,) = [path.name for path in theirs.glob("drift-*.html")]
    path = way(root, theirs, name)
    assert SECRET in path.read_text()
    found = artifacts(root, only_mine)
    with pytest.raises(NotShownError):
        found.report(str(path))
    with pytest.raises(NotShownError):
        found.require(str(path.parent / "data" / "part.parquet"), most_bytes=None)


@pytest.mark.parametrize("way", [linked_file, hard_linked_file, linked_task, linked_dag, under_models])
def test_rows_behind_a_link_are_not_read_whatever_was_asked_before(root, theirs, way, monkeypatch):
    if way in (linked_file, hard_linked_file):
        path = way(root, theirs / "data", "part.parquet")
    else:
        path = way(root, theirs, "data") / "part.parquet"
    assert pd.read_parquet(path)["a"][0] == SECRET
    assert first_rows(f"file://{path}", None, 5, artifacts(root).storage) is None


def test_pages_show_nothing_behind_a_link(runs, viewer, root, theirs):
    (name,) = [path.name for path in theirs.glob("model-*.json")]
    path = linked_dag(root, theirs, name)
    runs.add()
    runs.task("load", {"return_value": f"file://{path}"}, operator="LoadModelOperator")
    commit = path.parent / "_commits" / "0000000001.json"
    runs.task("commit", {"return_value": f"file://{commit}"}, operator="LoadModelOperator")
    for task_id in ("load", "commit"):
        for page in ("task", "report", "run", "dag", "overview"):
            found = viewer.get(f"/batch-inference/{page}", params={**PLACE, "task_id": task_id})
            assert SECRET not in found.text, page
    assert "are not followed" in viewer.get("/batch-inference/task", params={**PLACE, "task_id": "load"}).text


@pytest.mark.parametrize("folder", ["history", "alerts", "notifications"])
def test_what_is_kept_of_a_dag_outside_of_its_folder_is_its_own_too(root, folder):
    path = stored(root / folder / "payroll")
    with pytest.raises(NotShownError, match="another DAG"):
        artifacts(root, only_mine).record(str(path))
    assert artifacts(root, lambda dag_id: dag_id == "payroll").record(str(path)).name == SECRET


def test_a_root_that_is_a_link_or_lies_behind_one_is_read(tmp_path):
    real = tmp_path / "private" / "var" / "store"
    path = stored(real / MINE / PLACE_OF_TASK)
    (tmp_path / "var").symlink_to(tmp_path / "private" / "var", target_is_directory=True)
    (tmp_path / "store").symlink_to(tmp_path / "var" / "store", target_is_directory=True)
    for root in (real, tmp_path / "var" / "store", tmp_path / "store"):
        assert artifacts(root).record(str(root / path.relative_to(real))).name == SECRET


def test_the_name_that_a_killed_writer_left_beside_a_record_hides_nothing(root):
    path = stored(root / MINE / PLACE_OF_TASK)
    (path.parent / ".tmp-0123456789abcdef").hardlink_to(path)
    assert artifacts(root).record(str(path)).name == SECRET
    (root / "elsewhere").mkdir()
    (root / "elsewhere" / ".tmp-0123456789abcdef").hardlink_to(path)
    with pytest.raises(NotShownError, match="not followed"):
        artifacts(root).record(str(path))


def test_a_link_that_is_put_there_while_pages_are_read_shows_nothing(root, theirs):
    (name,) = [path.name for path in theirs.glob("model-*.json")]
    mine = root / MINE / PLACE_OF_TASK
    own = stored(mine, record=None)
    own.write_bytes(b"{}")  # no record: whatever is shown is theirs
    parked, over = mine.with_name("parked"), threading.Event()

    def swap():
        while not over.is_set():
            mine.rename(parked)
            mine.symlink_to(theirs, target_is_directory=True)
            mine.unlink()
            parked.rename(mine)

    thread = threading.Thread(target=swap)
    thread.start()
    shown, refused = [], 0
    try:
        for _ in range(3_000):
            try:
                shown.append(artifacts(root, only_mine).record(str(mine / name)))
            except NotShownError:
                refused += 1
    finally:
        over.set()
        thread.join()
    assert (shown, refused) == ([], 3_000)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_plain_file_is_not_waited_for(root, make):
    path = root / MINE / f"model-{'0' * 64}.json"
    path.parent.mkdir(parents=True)
    make(path)
    with pytest.raises(NotShownError):
        artifacts(root).record(str(path))


def test_plain_files_are_read_below_the_root_only(tmp_path):
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "root" / "a" / "f.txt").write_text("inside")
    (tmp_path / "root-evil").mkdir()
    (tmp_path / "root-evil" / "f.txt").write_text("outside")
    files = pickle.loads(pickle.dumps(PlainFiles(str(tmp_path / "root"))))
    assert files.cat_file(f"{tmp_path}/root/a/f.txt") == b"inside"
    assert files.info(f"{tmp_path}/root/a")["type"] == "directory"
    for path in (
        "root-evil/f.txt",
        "root/../root-evil/f.txt",
        "root/a/../../root-evil/f.txt",
        "root/./a/f.txt",
        "root",
    ):
        with pytest.raises(FileNotFoundError):
            files.cat_file(f"{tmp_path}/{path}")
    with pytest.raises(OSError, match="Read-only"):
        files.open(f"{tmp_path}/root/a/f.txt", "wb")
    (tmp_path / "root" / "l").symlink_to("a")
    with pytest.raises(LinkedError):
        files.info(f"{tmp_path}/root/l/f.txt")
    with pytest.raises(NotADirectoryError):
        files.info(f"{tmp_path}/root/a/f.txt/g")


def test_reading_leaves_no_descriptor_open(root, theirs):
    (name,) = [path.name for path in theirs.glob("model-*.json")]
    good, bad = theirs / name, linked_run(root, theirs, name)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in (good, bad, theirs / "missing-0.json") * 20:
        try:
            artifacts(root).record(str(path))
        except NotShownError:
            continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


LONG = ("a" * 249, "表" * 30, "ü" * 200, "b" * 249)


def test_a_dag_with_a_long_id_is_found_by_its_path_among_those_that_are_known(tmp_path):
    for dag_id in LONG:
        path = stored(tmp_path / f"dag_id={encode_segment(dag_id)}" / PLACE_OF_TASK)
        asked = []

        def dags_beginning(beginning):
            return [each for each in (*LONG, "a" * 250, "a" * 240 + "!") if each.startswith(beginning)]

        def may_read(each, asked=asked):
            asked.append(each)
            return True

        found = artifacts(tmp_path, may_read, dags_beginning)
        assert found.record(str(path)).name == SECRET
        assert asked == [dag_id]
        with pytest.raises(NotShownError, match="another DAG"):
            artifacts(tmp_path, lambda _: False, dags_beginning).record(str(path))
        if "~~" in encode_segment(dag_id):  # nobody knows it any more: whose it is, cannot be told
            with pytest.raises(NotShownError, match="another DAG"):
                artifacts(tmp_path).record(str(path))


@pytest.mark.parametrize("dag_id", ["a" * 249, "a%_" * 80])
def test_a_page_of_a_dag_with_a_long_id_shows_its_results(runs, viewer, root, dag_id):
    path = stored(root / f"dag_id={encode_segment(dag_id)}" / PLACE_OF_TASK)
    runs.add(dag_id=dag_id, run_id=RUN)
    runs.task("load", {"return_value": f"file://{path}"}, dag_id=dag_id, operator="LoadModelOperator")
    found = viewer.get("/batch-inference/task", params={**PLACE, "dag_id": dag_id})
    assert SECRET in found.text
