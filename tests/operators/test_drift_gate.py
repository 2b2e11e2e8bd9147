"""The gate by itself: branches, the cooldown's argument, and what it tells by asset events."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowException, DownstreamTasksSkipped
from airflow.sdk import DAG, Asset, AssetAlias, TaskGroup
from airflow.sdk.bases.operator import BaseOperator, ExecutorSafeguard

from airflow_batch_inference.operators import DriftGateOperator
from airflow_batch_inference.operators.announcements import announce_drift
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
STATUSES = ["NO_DRIFT", "POSSIBLE_DRIFT", "DRIFT_DETECTED", "INSUFFICIENT", "NOT_ANALYSED"]
BRANCHES = {"DRIFT_DETECTED": "approve", "NO_DRIFT": "publish"}


class Pager:
    def __init__(self):
        self.calls = []

    def __call__(self, context):
        self.calls.append(context["drift"]["status"])


@pytest.fixture
def pager():
    return Pager()


@pytest.fixture
def drift(drift_result, tmp_path):
    """Return what stores a drift result with some verdict and returns its URI."""

    def store(status="DRIFT_DETECTED", **changes):
        return STORE.put_record(str(tmp_path / "results"), "drift_results", drift_result(status, **changes))

    return store


class Run:
    """A gate before two tasks and a group of two, run as the task runner runs it, and what it has left."""

    def __init__(self, tmp_path, *, map_index=-1, branches=None, xcom=True, **arguments):
        with DAG("branching", schedule=None):
            self.gate = DriftGateOperator(
                task_id="gate",
                artifact_root=str(tmp_path / "artifacts"),
                branches=branches,
                do_xcom_push=xcom,
                **arguments,
            )
            approve, publish = BaseOperator(task_id="approve"), BaseOperator(task_id="publish")
            with TaskGroup("group") as group:
                BaseOperator(task_id="one")
                BaseOperator(task_id="two")
            self.gate >> [approve, publish, group]
            approve >> publish
            publish >> BaseOperator(task_id="end")
        self.xcoms = {}
        self.extras = {}
        self.added = []
        ti = SimpleNamespace(
            dag_id="branching",
            run_id="run",
            task_id="gate",
            map_index=map_index,
            task=self.gate,
            xcom_push=lambda key, value: self.xcoms.update({key: value}),
        )
        self.context = {"ti": ti, "outlet_events": self, "run_id": "run"}

    def __getitem__(self, outlet):
        extra = self.extras.setdefault(outlet.name, {})
        return SimpleNamespace(extra=extra, add=lambda asset, extra: self.added.append((outlet.name, asset, extra)))

    def __call__(self):
        """Run the gate and return the ids of the tasks that it skips, by what it raises, if anything."""
        try:
            self.gate.execute(self.context, DriftGateOperator__sentinel=ExecutorSafeguard.sentinel_value)
        except DownstreamTasksSkipped as skipped:
            return {task_id for task_id, _ in skipped.tasks}
        return set()


@pytest.mark.parametrize(
    ("status", "skipped"),
    [("DRIFT_DETECTED", {"group.one", "group.two"}), ("NO_DRIFT", {"approve", "group.one", "group.two"})],
)
def test_a_verdict_that_is_named_follows_its_branch_and_skips_the_other_tasks(drift, tmp_path, status, skipped):
    uri = drift(status)
    run = Run(tmp_path, drift=uri, branches=BRANCHES)
    # `publish` comes after `approve`, too: it is not skipped where `approve` is followed.
    assert run() == skipped
    assert run.xcoms.pop("skipmixin_key")["followed"]
    assert run.xcoms == {
        "drift_status": status,
        "drift_metric": 0.9,
        "reasons": "It has drifted.",
        "report_uri": "file:///report.html",
        "return_value": uri,
    }


@pytest.mark.parametrize(
    ("branch", "skipped"),
    [
        (["publish", "group"], {"approve"}),
        ("group.one", {"approve", "publish", "group.two"}),
        ("['publish', 'group.two']", {"approve", "group.one"}),
        (("approve", "group"), set()),
        ([], {"approve", "publish", "group.one", "group.two"}),
    ],
)
def test_a_branch_is_a_task_a_group_or_a_list_of_them_also_from_text(drift, tmp_path, branch, skipped):
    assert Run(tmp_path, drift=drift(), branches={"DRIFT_DETECTED": branch})() == skipped


def test_branches_as_a_whole_may_come_from_text(drift, tmp_path):
    run = Run(tmp_path, drift=drift(), branches='{"DRIFT_DETECTED": "publish"}')
    assert run() == {"approve", "group.one", "group.two"}


def test_a_verdict_that_is_not_named_follows_its_own_word_and_skips_nothing(drift, tmp_path, pager):
    run = Run(tmp_path, drift=drift("POSSIBLE_DRIFT"), branches=BRANCHES, notifiers=[pager])
    assert run() == set()
    assert pager.calls == ["POSSIBLE_DRIFT"]
    assert run.xcoms == {"drift_status": "POSSIBLE_DRIFT"}
    with pytest.raises(AirflowException, match="DriftDetectedError"):
        Run(tmp_path, drift=drift("INSUFFICIENT"), branches=BRANCHES, on_insufficient="fail")()


@pytest.mark.parametrize("status", STATUSES)
def test_somebody_is_told_of_every_branch_but_that_of_no_drift(drift, tmp_path, pager, status):
    branches = dict.fromkeys(STATUSES, "publish")
    assert Run(tmp_path, drift=drift(status), branches=branches, notifiers=[pager])()
    assert pager.calls == ([] if status == "NO_DRIFT" else [status])


def test_the_return_value_is_not_pushed_where_the_task_pushes_none(drift, tmp_path):
    run = Run(tmp_path, drift=drift(), branches=BRANCHES, xcom=False)
    run()
    assert "return_value" not in run.xcoms


def test_no_drift_has_an_outcome_of_its_own(drift, tmp_path, pager):
    uri = drift("NO_DRIFT")
    assert Run(tmp_path, drift=uri, notifiers=[pager])() == set()
    assert Run(tmp_path, drift=uri, on_no_drift="branch", branches=BRANCHES, notifiers=[pager])()
    with pytest.raises(AirflowException, match="NO_DRIFT") as excinfo:
        Run(tmp_path, drift=uri, on_no_drift="skip", notifiers=[pager])()
    assert type(excinfo.value).__name__ == "AirflowSkipException"
    assert pager.calls == []
    Run(tmp_path, drift=uri, on_no_drift="alert", notifiers=[pager])()
    assert pager.calls == ["NO_DRIFT"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"branches": {"DRIFT": "publish"}}, "'DRIFT', which is no verdict; there are NO_DRIFT, POSSIBLE_DRIFT"),
        ({"branches": {"NO_DRIFT": "publsh"}}, "'publsh' for NO_DRIFT.*comes 'approve', 'group.one', .*'publish'"),
        ({"branches": {"NO_DRIFT": ["publish", "end"]}}, "'end' for NO_DRIFT, but that is no task right after 'gate'"),
        ({"branches": {"NO_DRIFT": 3}}, "has 3 for NO_DRIFT; it must be a task id or a list"),
        ({"branches": {"NO_DRIFT": None}}, "has None for NO_DRIFT"),
        ({"branches": {"NO_DRIFT": ""}}, "has '' for NO_DRIFT"),
        ({"branches": ["publish"]}, "branches is .* it must be a dict"),
        ({"on_drift": "branch"}, "on_drift is 'branch', but branches names no task to follow for DRIFT_DETECTED"),
        ({"on_insufficient": "branch", "branches": {"INSUFFICIENT": "publish"}}, "to follow for NOT_ANALYSED"),
        ({"on_no_drift": "fail"}, "on_no_drift is 'fail'; it must be one of 'alert', 'branch', 'pass', 'skip'"),
        ({"on_drift": "stop"}, "on_drift is 'stop'; it must be one of"),
        ({"branches": BRANCHES, "map_index": 2}, "mapped task 'gate' .map index 2."),
        ({"alert_cooldown_s": "soon"}, "alert_cooldown_s is 'soon'; it must be a number from 0 to"),
        ({"alert_cooldown_s": -1}, "alert_cooldown_s is -1"),
        ({"alert_cooldown_s": 1e300}, "alert_cooldown_s is 1e"),
        ({"alert_cooldown_s": None}, "alert_cooldown_s is None"),
    ],
)
@pytest.mark.parametrize("status", ["NO_DRIFT", "POSSIBLE_DRIFT"])
def test_a_mistake_in_the_arguments_shows_whatever_the_verdict_is(drift, tmp_path, pager, arguments, message, status):
    with pytest.raises(AirflowException, match=message) as excinfo:
        Run(tmp_path, drift=drift(status), notifiers=[pager], **arguments)()
    assert type(excinfo.value).__name__ == "AirflowFailException"
    assert pager.calls == []


def test_a_mapped_gate_without_branches_works(drift, tmp_path):
    assert Run(tmp_path, drift=drift("NO_DRIFT"), map_index=2)() == set()


@pytest.mark.parametrize("cooldown", [3600, "3600", 0.5e4])
def test_the_gates_cooldown_spans_its_runs_and_its_map_indices_do_not_share_it(drift, tmp_path, pager, cooldown):
    for map_index in (-1, -1, 0, 0, 1):
        arguments = {"on_drift": "alert", "notifiers": [pager], "alert_cooldown_s": cooldown}
        Run(tmp_path, drift=drift(), map_index=map_index, **arguments)()
    assert len(pager.calls) == 3
    files = sorted(path.relative_to(tmp_path / "artifacts").as_posix() for path in tmp_path.rglob("alerts/**/*.json"))
    assert files == ["alerts/branching/gate.json", "alerts/branching/gate/0.json", "alerts/branching/gate/1.json"]


def test_by_default_the_gate_alerts_every_time_and_keeps_no_state(drift, tmp_path, pager):
    for _ in range(3):
        Run(tmp_path, drift=drift(), on_drift="alert", notifiers=[pager])()
    assert len(pager.calls) == 3
    assert not (tmp_path / "artifacts" / "alerts").exists()


def test_an_alert_that_is_held_back_changes_nothing_else(drift, tmp_path, pager):
    for _ in range(2):
        with pytest.raises(AirflowException, match="DriftDetectedError"):
            Run(tmp_path, drift=drift(), notifiers=[pager], alert_cooldown_s=60)()
        assert Run(tmp_path, drift=drift(), branches=BRANCHES, notifiers=[pager], alert_cooldown_s=60)()
    assert len(pager.calls) == 1


VERDICT = {
    "drift_metric": 0.9,
    "reasons": "It has drifted.",
    "report_uri": "file:///report.html",
    "batch_id": "batch-1",
    "model_sha256": "0" * 64,
    "drifted_columns": ["a", "b"],
}


@pytest.mark.parametrize("status", STATUSES)
def test_every_asset_hears_the_verdict_and_an_alias_only_of_drift(drift, tmp_path, status):
    uri = drift(status, drifted=("b", "a"))
    outlets = [Asset("verdicts"), AssetAlias("drifted")]
    run = Run(tmp_path, drift=uri, on_drift="alert", outlets=outlets)
    run()
    extra = {**VERDICT, "drift_status": status, "drift_uri": uri}
    assert run.extras["verdicts"] == extra
    assert run.added == ([("drifted", Asset("drifted"), extra)] if status == "DRIFT_DETECTED" else [])


def test_other_kinds_of_outlets_are_left_alone_and_other_extras_are_kept(drift_result, tmp_path):
    run = Run(tmp_path, drift="unused")
    run.extras["verdicts"] = {"mine": 1}
    announce_drift(drift_result(), "uri", ["a file", Asset("verdicts")], run.context)
    assert run.extras["verdicts"]["mine"] == 1
    assert run.extras["verdicts"]["drift_uri"] == "uri"


def test_what_is_no_drift_result_is_refused(tmp_path, runner, batch):
    other = STORE.put_record(str(tmp_path), "statistics", _statistics(runner, batch))
    with pytest.raises(AirflowException, match="which is no drift result"):
        Run(tmp_path, drift=other)()


def _statistics(runner, batch):
    from airflow_batch_inference.operators import DriftAnalysisOperator

    drift = runner(DriftAnalysisOperator(task_id="other", dataset=str(batch), sample_set=str(batch)))
    return STORE.read_record(STORE.read_record(drift).statistics_uri)
