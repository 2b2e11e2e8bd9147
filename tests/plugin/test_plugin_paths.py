"""Nothing outside of the artifact root is shown, whatever a task has pushed or a reader asks for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from urllib.parse import quote

import fsspec
import pytest
from airflow_runs import DAG, RUN

from airflow_batch_inference.plugin.artifacts import Artifacts, NotShownError
from airflow_batch_inference.records import ModelRecord
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import normalize_uri

SECRET = "not-to-be-seen"
PLACE = {"dag_id": DAG, "run_id": RUN, "task_id": "load"}
PAGES = ("task", "report")


def model(name=SECRET):
    return ModelRecord(
        name=name,
        model_uri="file:///m.txt",
        conn_id=None,
        sha256="0" * 64,
        size_bytes=1,
        flavor="lightgbm",
        format="text",
        trust="data",
        trusted_by=None,
        trusted_types=(),
        load_options={},
        inputs=None,
        n_features=2,
        output_names=None,
        classes=None,
        class_names=None,
        label_columns=None,
        versions={},
        baseline_uri=None,
        golden_uri=None,
        tag=None,
    )


def stored(folder, record=None):
    """Store a record under the name of its digest, and return the path."""
    data = (record or model()).to_json()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"model-{hashlib.sha256(data).hexdigest()}.json"
    path.write_bytes(data)
    return path


@pytest.fixture
def secret(tmp_path):
    """A record outside of the root, that would be shown if it were read."""
    return stored(tmp_path / "outside")


def ways(root, secret):
    """Return what a task may have pushed to have the secret shown."""
    name, inside = secret.name, f"{root}/models"
    (root / "models").mkdir()
    (root / "linked").symlink_to(secret.parent, target_is_directory=True)
    (root / "models" / name).symlink_to(secret)
    (root / "models" / "up").symlink_to("../../outside", target_is_directory=True)
    beside = stored(root.parent / f"{root.name}-evil")
    fsspec.filesystem("memory").pipe_file(f"{inside}/{name}", secret.read_bytes())
    commits = root.parent / "outside" / "_commits"
    commits.mkdir()
    (commits / "0000000001.json").write_bytes(secret.read_bytes())
    (root / "airflow.cfg").write_bytes(secret.read_bytes())
    up = "/".join([".."] * 12)
    return [
        str(secret),
        f"file://{secret}",
        f"FILE://{secret}",
        f"local://{secret}",
        f"file:{secret}",
        f"file://localhost{secret}",
        f"//{secret}",
        f"{root}/../outside/{name}",
        f"{root}/models/../../outside/{name}",
        f"{root}/{up}{secret}",
        f"file://{root}/..//outside/./{name}",
        f"{root}/%2e%2e/outside/{name}",
        f"{root}/%2E%2E%2Foutside%2F{name}",
        f"{root}/%252e%252e/outside/{name}",
        f"{root}/..%2foutside/{name}",
        f"{root}/..\\outside\\{name}",
        f"{root}/\0/../../outside/{name}",
        f"{root}/linked/{name}",
        f"{root}/models/{name}",
        f"{root}/models/up/{name}",
        f"file://{root}/linked/../linked/{name}",
        str(beside),
        f"{root}-evil/{beside.name}",
        str(commits / "0000000001.json"),
        f"{root}/linked/_commits/0000000001.json",
        f"{root}/airflow.cfg",
        f"memory://{inside}/{name}",
        f"http://127.0.0.1:1{secret}",
        f"https://example.org/{root}/{name}",
        f"s3://bucket/{name}",
        f"simplecache::file://{secret}",
        f"zip://{name}::file://{secret}",
        f"{secret}?versionId=1",
        f"{secret}#{root}/{name}",
        f"~/../{secret}",
        f"outside/{name}",
        f"{root}",
        f"{root}/",
        "",
        [str(secret)],
        {"uri": str(secret)},
        7,
        True,
    ]


def test_no_value_of_an_xcom_leads_out_of_the_root(runs, viewer, root, secret):
    runs.add()
    tried = ways(root, secret)
    assert len(tried) >= 30
    for number, value in enumerate(tried):
        for key in ("return_value", "record_uri"):
            task_id = f"{key}{number}"
            runs.task(task_id, {key: value}, operator="LoadModelOperator", state="success")
            for page in PAGES:
                found = viewer.get(f"/batch-inference/{page}", params={**PLACE, "task_id": task_id})
                assert found.status_code in (200, 404)
                assert SECRET not in found.text, (value, page)


def test_the_same_record_below_the_root_is_shown(runs, viewer, root):
    path = stored(root / "models" / "x")
    runs.add()
    runs.task("load", {"return_value": f"file://{path}"}, operator="LoadModelOperator")
    assert SECRET in viewer.get("/batch-inference/task", params=PLACE).text


def test_a_uri_in_the_request_is_never_read(runs, viewer, root):
    path = stored(root / "models" / "x")
    runs.add()
    runs.task("load", {}, operator="LoadModelOperator")
    for name in ("uri", "path", "file", "record_uri", "return_value", "report_uri"):
        for page in ("task", "report", "run", "dag"):
            found = viewer.get(f"/batch-inference/{page}", params={**PLACE, name: str(path)})
            assert SECRET not in found.text


@pytest.mark.parametrize("path", ["..", "%2e%2e", "..%2f", "%252e%252e", "....//", "\\..\\"])
def test_a_path_in_the_address_reads_nothing(viewer, root, path):
    (root.parent / "secret.txt").write_text(SECRET)
    for page in ("", "task/", "report/"):
        found = viewer.get(f"/batch-inference/{page}{path}/secret.txt")
        assert found.status_code == 404
        assert SECRET not in found.text


def test_a_record_that_names_files_outside_of_the_root_shows_nothing_of_them(results, root, runs, viewer):
    """The record itself is sound, and lies below the root: whoever may write there could have made it."""
    storage = Storage()
    outside = storage.read_record(results.xcoms["predict"]["return_value"])
    drift = storage.read_record(results.xcoms["drift"]["return_value"])
    uris = {
        "predict": storage.put_record(str(root / "a"), "model", replace(outside, challengers_uri=None)),
        "challenged": storage.put_record(str(root / "b"), "model", outside),
        "drift": storage.put_record(str(root / "c"), "drift_results", drift),
    }
    runs.add()
    for task_id, uri in uris.items():
        runs.task(task_id, {"return_value": uri}, operator="PredictOperator")
    shown = viewer.get("/batch-inference/task", params={**PLACE, "task_id": "predict"}).text
    assert "299 rows scored" in shown
    assert "First rows" not in shown
    assert "cannot become" not in shown  # the quarantine's reason
    assert (
        "outside of the artifact root"
        in viewer.get("/batch-inference/task", params={**PLACE, "task_id": "challenged"}).text
    )
    for task_id in uris:
        assert viewer.get("/batch-inference/report", params={**PLACE, "task_id": task_id}).status_code == 404


def test_a_report_that_was_changed_is_not_served(results, runs, viewer, monkeypatch, tmp_path):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(results.folder, folder)
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT", str(folder))
    storage = Storage()
    drift = storage.read_record(results.xcoms["drift"]["return_value"])
    moved = replace(drift, report_uri=drift.report_uri.replace(str(results.folder), str(folder)))
    runs.add()
    runs.task("drift", {"return_value": storage.put_record(str(folder), "drift_results", moved)})
    params = {**PLACE, "task_id": "drift"}
    assert viewer.get("/batch-inference/report", params=params).status_code == 200
    from pathlib import Path

    Path(moved.report_uri.removeprefix("file://")).write_text("<script>alert(1)</script>")
    found = viewer.get("/batch-inference/report", params=params)
    assert found.status_code == 404
    assert "<script>" not in found.text
    assert "changed after it was written" in found.text


def artifacts(root, may_read=lambda dag_id: True, dags_beginning=lambda beginning: ()):
    uri = normalize_uri(str(root))
    return Artifacts(root=uri, storage=Storage(roots=(uri,)), may_read=may_read, dags_beginning=dags_beginning)


def test_another_dags_results_need_the_right_to_see_that_dag(tmp_path):
    path = stored(tmp_path / f"dag_id={quote('pay roll', safe='').replace('%', '~')}" / "run_id=x")
    asked = []

    def may_read(dag_id):
        asked.append(dag_id)
        return False

    with pytest.raises(NotShownError, match="another DAG"):
        artifacts(tmp_path, may_read).record(str(path))
    assert asked == ["pay roll"]
    assert artifacts(tmp_path).record(str(path)).name == SECRET


def test_a_file_that_is_too_large_for_a_page_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("airflow_batch_inference.plugin.artifacts.MOST_BYTES", 10)
    path = stored(tmp_path / "models")
    with pytest.raises(NotShownError, match="more than the 10 that are shown"):
        artifacts(tmp_path).require(str(path), most_bytes=10)


def with_lists(folder, *uris):
    """Store the commit of many files, whose lists lie under some URIs."""
    lists = [{"field": "parts", "uri": uri, "sha256": "0" * 64, "size_bytes": 9, "items": 1} for uri in uris]
    path = folder / "_commits" / "0000000001.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"kind": "prediction-set", "lists": lists}, indent=1, sort_keys=True))
    return str(path)


def test_the_lists_of_a_commit_of_many_files_are_looked_at_as_it_is(tmp_path, monkeypatch):
    for name in ("dag_id=mine/a", "dag_id=mine/b", "dag_id=payroll/a"):
        path = tmp_path / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text("[123456]")
    mine, more, theirs = (f"file://{tmp_path}/dag_id={name}.json" for name in ("mine/a", "mine/b", "payroll/a"))
    shown = artifacts(tmp_path, lambda dag_id: dag_id == "mine")
    with pytest.raises(NotShownError, match="another DAG"):
        shown.record(with_lists(tmp_path / "1", mine, theirs))
    with pytest.raises(NotShownError, match="outside of the artifact root"):
        shown.record(with_lists(tmp_path / "2", "file:///etc/passwd"))
    with pytest.raises(NotShownError, match="damaged"):  # they were looked at, and read
        shown.record(commit := with_lists(tmp_path / "3", mine, more))
    monkeypatch.setattr("airflow_batch_inference.plugin.artifacts.MOST_BYTES", 15)
    with pytest.raises(NotShownError, match="It has 8 bytes, more than the 7 that are shown here"):
        shown.record(commit)


def test_a_missing_or_damaged_record_says_so_and_names_no_place_on_the_disk(tmp_path):
    path = stored(tmp_path / "models")
    path.write_text("{}")
    with pytest.raises(NotShownError, match="damaged") as damaged:
        artifacts(tmp_path).record(str(path))
    path.unlink()
    with pytest.raises(NotShownError, match="not there any more") as missing:
        artifacts(tmp_path).record(str(path))
    assert str(tmp_path) not in f"{damaged.value}{missing.value}"
