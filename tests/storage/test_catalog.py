from __future__ import annotations

import pytest

from airflow_batch_inference.exceptions import ArtifactNotFoundError
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.storage.catalog import find_artifacts, latest_artifact, register
from airflow_batch_inference.storage.store import Storage

STORAGE = Storage()


@pytest.fixture
def enter(tmp_path):
    """Register an artifact of DAG d, run r, unless told otherwise."""

    def run(uri, *, name="prediction", tag="", dag_id="d", run_id="r", batch_id=None):
        task = TaskKey(dag_id=dag_id, run_id=run_id, task_id="log")
        return register(
            root=str(tmp_path), name=name, artifact_kind="file", uri=uri, tag=tag, task=task, batch_id=batch_id,
            storage=STORAGE,
        )  # fmt: skip

    return run


@pytest.fixture
def find(tmp_path):
    def run(name="prediction", **wanted):
        return [entry.uri for entry in find_artifacts(root=str(tmp_path), name=name, storage=STORAGE, **wanted)]

    return run


def test_artifacts_are_found_newest_first_over_all_dags(enter, find):
    for number, dag_id in enumerate(["d", "e", "d", "c"]):
        enter(f"file:///{number}", dag_id=dag_id)
    assert find() == ["file:///3", "file:///2", "file:///1", "file:///0"]


def test_artifacts_are_found_by_dag_run_and_tag(enter, find):
    enter("file:///1", tag="prod")
    enter("file:///2", run_id="s")
    enter("file:///3", dag_id="e", tag="prod")
    assert find(dag_id="d") == ["file:///2", "file:///1"]
    assert find(run_id="s") == ["file:///2"]
    assert find(tag="prod") == ["file:///3", "file:///1"]
    assert find(tag="") == ["file:///2"]
    assert find(tag="prod", dag_id="d", run_id="s") == []


def test_entering_the_same_artifact_twice_adds_nothing(enter, find):
    assert enter("file:///1") == enter("file:///1")
    assert find() == ["file:///1"]


@pytest.mark.parametrize("other", [{"tag": "prod"}, {"run_id": "s"}, {"batch_id": "b"}])
def test_the_same_file_with_another_meaning_is_another_entry(enter, find, other):
    enter("file:///1")
    enter("file:///1", **other)
    assert find() == ["file:///1", "file:///1"]


@pytest.mark.parametrize("name", ["a/b", "..", "", "näme with blanks", "a=b", "50%"])
def test_any_text_is_a_name_and_stays_within_the_catalogue(enter, find, tmp_path, name):
    enter("file:///1", name=name)
    enter("file:///2", name="other")
    assert find(name) == ["file:///1"]
    assert [path.name for path in tmp_path.iterdir()] == ["catalog"]


def test_one_name_is_not_found_under_its_beginning(enter, find):
    enter("file:///1", name="prediction-2")
    assert find("prediction") == []


def test_the_newest_is_returned_or_its_absence_said(enter, tmp_path):
    enter("file:///1", tag="prod")
    enter("file:///2")
    assert latest_artifact(root=str(tmp_path), name="prediction", storage=STORAGE).uri == "file:///2"
    assert latest_artifact(root=str(tmp_path), name="prediction", storage=STORAGE, tag="prod").uri == "file:///1"
    with pytest.raises(ArtifactNotFoundError, match=r"No artifact named 'prediction' \(tag 'test', DAG 'd'\)"):
        latest_artifact(root=str(tmp_path), name="prediction", storage=STORAGE, tag="test", dag_id="d")
