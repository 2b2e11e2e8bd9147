"""Runs beside one another: what they come to, how they are drawn, and that many cost no more than a few."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from airflow.utils.session import create_session
from airflow_runs import DAG, RUN, START
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.plugin import dag_page, lines, overview_page, run_page
from airflow_batch_inference.plugin import runs as plugin_runs
from airflow_batch_inference.plugin.artifacts import Artifacts
from airflow_batch_inference.plugin.history import outcome
from airflow_batch_inference.plugin.runs import Run, Task
from airflow_batch_inference.storage.store import Storage

SHA_A, SHA_B = "a" * 64, "b" * 64


class CountingFiles(LocalFileSystem):
    """Counts what is asked of a store."""

    cachable = False

    def __init__(self):
        super().__init__()
        self.asked = []

    def cat_file(self, path, *args, **kwargs):
        self.asked.append(("read", path))
        return super().cat_file(path, *args, **kwargs)

    def open(self, path, *args, **kwargs):
        self.asked.append(("open", path))
        return super().open(path, *args, **kwargs)

    def find(self, path, *args, **kwargs):
        self.asked.append(("list", path))
        return super().find(path, *args, **kwargs)

    def ls(self, path, *args, **kwargs):
        self.asked.append(("list", path))
        return super().ls(path, *args, **kwargs)

    def info(self, path, **kwargs):
        self.asked.append(("stat", path))
        return super().info(path, **kwargs)


@pytest.fixture
def files(monkeypatch):
    found = CountingFiles()
    monkeypatch.setattr(
        "airflow_batch_inference.plugin.app.artifact_storage", lambda: Storage(filesystem_for=lambda protocol: found)
    )
    return found


@pytest.fixture
def statements():
    """Count what the database is asked."""
    from airflow import settings
    from sqlalchemy import event

    seen = []

    def note(connection, cursor, statement, *rest):
        seen.append(statement)

    event.listen(settings.engine, "before_cursor_execute", note)
    yield seen
    event.remove(settings.engine, "before_cursor_execute", note)


def history(runs, number, root):
    for day in range(number):
        run_id = f"run-{day:04d}"
        runs.add(run_id=run_id, at=START + timedelta(days=day))
        sha = SHA_A if day < number // 2 else SHA_B
        uri = f"file://{root}/models/churn/model-{sha}.json"
        runs.task("load", {"model_sha256": sha, "flavor": "lightgbm", "return_value": uri}, run_id=run_id)
        values = {"rows": 1_000 + day, "rows_rejected": day % 3, "batch_id": "b", "model_sha256": sha}
        runs.task("predict", values, run_id=run_id)
        runs.task("drift", {"drift_status": "NO_DRIFT", "drift_metric": 0.1 * day}, run_id=run_id)


def test_no_page_over_runs_reads_the_store_and_none_asks_the_database_more_for_more_runs(
    runs, viewer, root, files, statements
):
    asked = {}
    for number in (3, 30):
        history(runs, number, root) if number == 3 else [
            runs.add(run_id=f"more-{day}", at=START - timedelta(days=day + 1)) for day in range(number)
        ]
        for page in ("dag", "overview", "run"):
            statements.clear()
            found = viewer.get(f"/batch-inference/{page}", params={"dag_id": DAG, "run_id": "run-0001"})
            assert found.status_code == 200
            asked.setdefault(page, []).append(len(statements))
    assert files.asked == []
    # The first request of a process asks some things that are kept.
    assert all(many <= min(few, 12) for few, many in asked.values()), asked


def test_a_task_is_shown_after_few_reads_whatever_the_store_holds(deployed, viewer, files):
    for task_id, most in (("load", 1), ("predict", 5), ("drift", 1), ("evaluate", 1), ("log", 1)):
        files.asked.clear()
        found = viewer.get("/batch-inference/task", params={"dag_id": DAG, "run_id": RUN, "task_id": task_id})
        assert found.status_code == 200
        reads = {path for kind, path in files.asked if kind in ("read", "open")}
        assert len(reads) <= most, reads
        assert not [path for kind, path in files.asked if kind == "list"]


def test_a_dag_shows_its_runs_with_marks_where_the_model_changed(runs, viewer, root):
    history(runs, 12, root)
    page = viewer.get("/batch-inference/dag", params={"dag_id": DAG}).text
    assert page.count('class="x"') == 4  # one mark on each line
    assert page.count("<svg") == 4
    assert "run-0011" in page
    assert page.index("run-0011") < page.index("run-0000")  # the newest first
    assert "1,011" in page
    assert "100 <" not in page


def test_only_the_last_hundred_runs_are_shown_and_a_page_stays_light(runs, viewer, root):
    long = "r" * 220
    for day in range(104):
        run_id = f"{long}~{day:03d}"
        runs.add(run_id=run_id, at=START + timedelta(days=day))
        runs.task("predict", {"rows": 5, "rows_rejected": 1, "batch_id": "b", "model_sha256": SHA_A}, run_id=run_id)
    found = viewer.get("/batch-inference/dag", params={"dag_id": DAG})
    assert len(found.content) < 100_000
    assert "The last 100 runs" in found.text
    assert "r~103" in found.text
    assert "r~003" not in found.text
    assert re.search(r"… \d+ more rows", found.text)


def test_a_dag_or_a_deployment_without_any_of_our_tasks_says_so(runs, viewer, root):
    runs.add()
    runs.task("other", {"return_value": "x", "rows": 5})
    assert "No runs of this provider" in viewer.get("/batch-inference/dag", params={"dag_id": DAG}).text
    assert "It has no runs" in viewer.get("/batch-inference/dag", params={"dag_id": "none"}).text
    assert "Nothing of this provider" in viewer.get("/batch-inference/run", params={"dag_id": DAG, "run_id": RUN}).text
    assert viewer.get("/batch-inference/run", params={"dag_id": DAG, "run_id": "no"}).status_code == 404
    assert "No pipelines yet" in overview_page.render([], store(root))


def store(root, **kwargs):
    return Artifacts(root=f"file://{root}", storage=Storage(roots=(f"file://{root}",)), may_read=lambda dag_id: True)


def test_the_overview_has_each_pipeline_and_model_with_its_last_status(runs, viewer, root):
    history(runs, 3, root)
    runs.add(run_id="later", at=START + timedelta(days=9), state="failed")
    page = viewer.get("/batch-inference/overview").text
    assert "churn" in page  # the model's name
    assert SHA_B[:12] in page
    assert "1,002" in page
    assert "failed" in page  # the last run, which told nothing
    assert "numbers of <time>2026-01-03</time>" in page


def mapped_history(runs, number):
    for day in range(number):
        run_id = f"run-{day:04d}"
        runs.add(run_id=run_id, at=START + timedelta(days=day))
        for index in range(2):
            runs.task("predict", {"rows": 1_000, "batch_id": "b"}, run_id=run_id, map_index=index)


@pytest.mark.parametrize(("limit", "whole"), [(16, 4), (15, 3), (12, 3), (11, 2), (3, 0)])
def test_a_run_whose_values_are_not_all_read_is_left_out_and_never_summed_up_in_part(
    runs, viewer, root, database, monkeypatch, limit, whole
):
    monkeypatch.setattr(plugin_runs, "_MOST_VALUES", limit)
    mapped_history(runs, 4)
    with create_session() as session:
        found = plugin_runs.last_runs(DAG, 100, session)
    assert [run.is_whole for run in found] == [False] * (4 - whole) + [True] * whole
    assert [outcome(run).rows for run in found] == [None] * (4 - whole) + [2_000] * whole
    page = viewer.get("/batch-inference/dag", params={"dag_id": DAG}).text
    assert ("left out" in page) == (whole < 4)
    assert whole == 4 or f"{4 - whole} run" in page


def test_a_pipeline_whose_values_are_not_all_read_is_left_out_of_the_overview(runs, viewer, root, monkeypatch):
    for dag_id, instances in (("a", 1), ("b", 3)):
        runs.add(dag_id=dag_id)
        for index in range(instances):
            values = {"rows": 1_000, "batch_id": "b", "model_sha256": SHA_A}
            runs.task("predict", values, dag_id=dag_id, map_index=index)
    monkeypatch.setattr(plugin_runs, "_MOST_VALUES", 11)
    page = viewer.get("/batch-inference/overview").text
    assert "left out" in page  # which may be other tests' pipelines, too
    assert "2,000" not in page
    assert "3,000" not in page


def test_a_run_with_more_tasks_than_are_read_says_so(runs, viewer, root, monkeypatch):
    mapped_history(runs, 1)
    said = "more tasks than are counted"
    for limit, is_said in ((4, False), (3, True)):
        monkeypatch.setattr(plugin_runs, "_MOST_VALUES", limit)
        page = viewer.get("/batch-inference/run", params={"dag_id": DAG, "run_id": "run-0000"}).text
        assert "1,000" in page
        assert (said in page) is is_said


def test_the_last_run_is_the_one_of_the_latest_date_wherever_it_is_shown(runs, viewer, root):
    for day, rows in ((9, 1_009), (2, 1_002)):  # the later one was made first: the other was caught up with
        run_id = f"run-{day:04d}"
        runs.add(run_id=run_id, at=START + timedelta(days=day))
        runs.task("predict", {"rows": rows, "batch_id": "b", "model_sha256": SHA_A}, run_id=run_id)
    overview = viewer.get("/batch-inference/overview").text
    assert "1,009" in overview
    assert "1,002" not in overview
    assert "2026-01-10" in overview
    assert "1,009 rows in the last run" in viewer.get("/batch-inference/dag", params={"dag_id": DAG}).text


def task(task_id, values, seconds=10, **kwargs):
    ended = START + timedelta(seconds=seconds)
    return Task(
        dag_id=DAG,
        run_id=RUN,
        task_id=task_id,
        map_index=-1,
        started_at=START,
        ended_at=ended,
        values=values,
        **kwargs,
    )


def run(*tasks, run_id=RUN):
    return Run(dag_id=DAG, run_id=run_id, state="success", at=START, tasks=tasks)


def test_a_run_comes_to_the_sum_of_its_scoring_tasks_and_to_the_worst_verdict():
    found = outcome(
        run(
            task("load", {"model_sha256": "c" * 64}),
            task("a", {"rows": 100, "rows_rejected": 1, "batch_id": "x", "model_sha256": SHA_A}, seconds=10),
            task("b", {"rows": 300, "rows_rejected": 2, "batch_id": "y", "model_sha256": SHA_B}, seconds=30),
            task("drift", {"drift_status": "NO_DRIFT", "drift_metric": 0.5}),
            task("worse", {"drift_status": "POSSIBLE_DRIFT", "drift_metric": 0.2}),
            task("log", {"rows": 400, "model_sha256": SHA_A, "drift_status": "NO_DRIFT", "drift_metric": 0.5}),
        )
    )
    assert (found.rows, found.rows_rejected, found.rows_per_second) == (400, 3, 10.0)
    assert (found.drift_status, found.drift_metric) == ("POSSIBLE_DRIFT", 0.5)
    assert found.models == (SHA_A, SHA_B)


def test_what_a_run_did_not_tell_is_unknown_and_what_is_no_number_is_none():
    found = outcome(run(task("a", {"rows": "many", "batch_id": "x", "rows_rejected": True, "drift_metric": "nan"})))
    assert (found.rows, found.rows_rejected, found.drift_metric, found.passed) == (None, None, None, None)
    assert found.models == ()


def test_a_change_of_the_model_is_seen_across_runs_that_scored_nothing():
    def scored(*digests):
        return outcome(run(*(task(sha, {"rows": 1, "batch_id": "x", "model_sha256": sha}) for sha in digests)))

    assert dag_page.changes([scored(SHA_A), scored(), scored(SHA_A), scored(), scored(SHA_B), scored(SHA_B)]) == [4]
    assert dag_page.changes([scored(), scored(SHA_A, SHA_B), scored(SHA_B, SHA_A)]) == []


def test_the_instances_of_a_large_mapped_task_are_cut():
    tasks = [task("t", {}, state="success") for _ in range(201)]
    assert "more instances" in run_page.render_mapped(tasks)
    assert "more instances" not in run_page.render_mapped(tasks[:200])


values = st.lists(st.none() | st.floats(-1e12, 1e12), max_size=100)


@given(values)
def test_a_line_stays_in_its_frame_and_draws_each_known_value_once(given_values):
    drawn = lines.line(given_values, "x", changes=[0], dots=["good"] * len(given_values))
    path = re.search(r'class="l" d="([^"]*)"', drawn).group(1)
    points = re.findall(r"[ML]([-\d.e]+) ([-\d.e]+)", path)
    assert len(points) == sum(value is not None for value in given_values)
    assert all(0 <= float(x) <= lines.WIDTH and 0 <= float(y) <= lines.HEIGHT for x, y in points)
    assert drawn.count('class="d good"') == len(points)
    assert len(drawn) < 14_000


@given(st.lists(st.none() | st.integers(0, 10**12), max_size=100))
def test_bars_stay_in_their_frame_and_a_missing_value_has_none(given_values):
    drawn = re.search(r'class="b" d="([^"]*)"', lines.bars(given_values, "x")).group(1)
    assert drawn.count("z") == sum(bool(value) for value in given_values)
    assert all(0 <= float(x) <= lines.WIDTH for x in re.findall(r"M([-\d.e]+) ", drawn))


def test_a_gap_is_no_zero():
    drawn = lines.line([1.0, None, 2.0, 3.0], "x")
    assert re.search(r'class="l" d="M[^M]*M[^"]*L', drawn)
    assert drawn.count('<circle class="l"') == 1  # the one value that has no neighbour


def test_values_that_airflow_keeps_as_json_text_and_those_of_a_backend_elsewhere_are_read(
    runs, viewer, root, tmp_path, monkeypatch
):
    """Airflow's object-storage backend keeps a path in the place of a value."""
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps("NO_DRIFT"))

    class Backend:
        @staticmethod
        def deserialize_value(row):
            return json.loads(kept.read_text())

    monkeypatch.setattr("airflow.sdk.execution_time.xcom.XCom", Backend)
    runs.add()
    runs.task("drift", {"drift_status": f"file://{kept}", "drift_metric": json.dumps(0.25)})
    page = viewer.get("/batch-inference/dag", params={"dag_id": DAG}).text
    assert "no drift" in page
    assert "0.25" in page
