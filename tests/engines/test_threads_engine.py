"""Threads of the task's own process: the same bytes, an end within a mini-batch, and a note of what they may die of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xgboost as xgb
from poisoned import make_model, score_by
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import DistanceMetric
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.engines import threads
from airflow_batch_inference.engines.local import Crew, Resources, choose_crew
from airflow_batch_inference.exceptions import PredictionError, TooManyRejectedRowsError
from airflow_batch_inference.flavors.sklearn.gil import releases_gil
from airflow_batch_inference.flavors.sklearn.model import describe
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.part import PartScorer
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.ledger.under_way import note_uri, noted
from airflow_batch_inference.predictors.graphs.chain import ChainGraph, single_model
from airflow_batch_inference.predictors.graphs.source import ModelChain
from airflow_batch_inference.processes.threads import cores_shared_by, native_threads, usable_cores

ROWS = 4_000
SCRIPT = """
import sys
from pathlib import Path
folder, model, source, means, threshold = sys.argv[1:]
sys.path.insert(0, str(Path(model).parent))
from poisoned import score_by
from airflow_batch_inference.jobs.request import RowPolicy
policy = RowPolicy(error_threshold=int(threshold))
record = score_by(Path(folder), Path(model), source, means=means, max_workers=2, rows_per_batch=64, policy=policy)
print(record.rows_out, record.rows_rejected)
"""


@pytest.fixture(autouse=True)
def own_parts(monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", plan._PART_ROWS)


@pytest.fixture
def poisoned(tmp_path_factory):
    path = make_model(tmp_path_factory.mktemp("model"))
    yield path
    sys.path.remove(str(path.parent))


@pytest.fixture
def source(bench):
    def make(**poison):
        a = np.arange(float(ROWS))
        for row, value in poison.items():
            a[int(row.removeprefix("row_"))] = value
        return bench.write("in.parquet", {"a": a, "b": np.ones(ROWS)})

    return make


def run_task(folder, model, source, *, means="threads", threshold=0):
    """Score in a process of its own, as a task does."""
    arguments = [sys.executable, "-c", SCRIPT, str(folder), str(model), source, means, str(threshold)]
    support = str(Path(__file__).parents[1] / "support")

    paths = {"PYTHONPATH": f"{support}:{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.run(arguments, env=os.environ | paths, capture_output=True, text=True, check=False)


def note(bench):
    """Return the path of the note of a task that scores in its own process."""
    return Path(note_uri(bench.request("x").destination.folder).removeprefix("file://"))


@pytest.mark.parametrize("is_profiled", [False, True])
def test_threads_and_processes_write_the_same_bytes(bench, tmp_path, source, is_profiled):
    x = np.random.default_rng(1).normal(size=(300, 2))
    booster = lgb.train({"verbose": -1}, lgb.Dataset(x, x[:, 0], feature_name=["a", "b"]), 5)
    booster.save_model(tmp_path / "m.txt")
    given = source(row_7=np.nan)

    table = pq.read_table(given)
    changes = {"baseline": make_baseline(lambda: [table], schema=table.schema)} if is_profiled else {}
    found = [
        score_by(
            tmp_path / means, tmp_path / "m.txt", given, means=means, max_workers=workers, part_rows=100, **changes
        )
        for means, workers in (("threads", 1), ("threads", 3), ("processes", 2))
    ]
    assert len({tuple(part.sha256 for part in record.parts) for record in found}) == 1
    assert len(found[0].parts) == ROWS / 100
    assert len({json.dumps(record.certificate, default=str) for record in found}) == 1


def test_models_that_threads_may_not_share_are_called_by_one_at_a_time(bench, tmp_path, source):
    x = np.random.default_rng(1).normal(size=(400, 2)) * 1000
    nearest = KNeighborsRegressor(metric="mahalanobis", metric_params={"V": np.array([[2.0, 1.0], [1.0, 3.0]])})
    joblib.dump(nearest.fit(pd.DataFrame(x, columns=["a", "b"]), x[:, 0]), tmp_path / "m.joblib")
    given = source()
    found = [
        score_by(tmp_path / str(workers), tmp_path / "m.joblib", given, means="threads", max_workers=workers)
        for workers in (1, 2)
    ]
    assert len({tuple(part.sha256 for part in record.parts) for record in found}) == 1


def test_filters_of_warnings_are_afterwards_what_they_were(bench, poisoned, source, monkeypatch):
    score = PartScorer._score

    def disturbed(*given):
        warnings.simplefilter("error", ImportWarning)  # as is left where two threads hold catch_warnings at once
        return score(*given)

    monkeypatch.setattr(PartScorer, "_score", disturbed)
    before = list(warnings.filters)
    score_by(bench.folder, poisoned, source(), means="threads", max_workers=2)
    assert warnings.filters == before


def test_a_stop_ends_threads_within_a_mini_batch(bench, tmp_path, source, monkeypatch):
    model = make_model(tmp_path, pause_s=0.05)
    asked = time.monotonic()
    with pytest.raises(InterruptedError):
        score_by(bench.folder, model, source(), means="threads", max_workers=2, rows_per_batch=10,
                 stopped=lambda: time.monotonic() - asked > 1.5)  # fmt: skip
    assert time.monotonic() - asked < 3
    assert bench.visible() == []
    assert not [each for each in threading.enumerate() if each.name.startswith("score-")]
    assert not note(bench).exists()
    sys.path.remove(str(tmp_path))


def test_a_call_that_never_returns_keeps_nobody(bench, poisoned, source, monkeypatch, caplog):
    monkeypatch.setattr(threads, "_GRACE_S", 0.3)
    asked = time.monotonic()
    with pytest.raises(InterruptedError):
        score_by(bench.folder, poisoned, source(row_3000=-2), means="threads", max_workers=2, rows_per_batch=64,
                 stopped=lambda: time.monotonic() - asked > 1.5)  # fmt: skip
    assert time.monotonic() - asked < 5
    assert "of 2 scoring threads are still at work" in caplog.text
    assert bench.visible() == []


def test_an_error_of_one_thread_ends_the_others(bench, poisoned, source):
    with pytest.raises(PredictionError, match="row 3999"):
        score_by(bench.folder, poisoned, source(row_3999=-3), means="threads", max_workers=2, rows_per_batch=1)
    assert bench.visible() == []
    assert not note(bench).exists()


def test_rows_are_set_aside_up_to_the_threshold_whoever_scores_them(bench, poisoned, source):
    poison = {f"row_{row}": -3 for row in (5, 1234, 2000, 3999)}
    policy = RowPolicy(error_threshold=4)
    record = score_by(bench.folder, poisoned, source(**poison), means="threads", max_workers=3, policy=policy)
    assert (record.rows_out, record.rows_rejected) == (ROWS - 4, 4)


@pytest.mark.parametrize("means", ["threads", "processes"])
def test_a_retry_takes_no_more_rejects_than_the_job_allows(bench, poisoned, source, means):
    given = source(**{f"row_{row}": -3 for row in (5, 6, 3998, 3999)})
    for _ in range(2):  # the second time, both parts have been scored
        with pytest.raises(TooManyRejectedRowsError, match="4 rows were rejected, and 3 may be"):
            score_by(bench.folder, poisoned, given, means=means, max_workers=2, part_rows=ROWS // 2,
                     policy=RowPolicy(error_threshold=3))  # fmt: skip
    assert bench.visible() == []


def test_a_crash_is_noted_and_the_next_try_names_the_row_by_worker_processes(bench, tmp_path, poisoned, source):
    given = source(row_1234=-1)
    first = run_task(tmp_path, poisoned, given)
    assert first.returncode == -signal.SIGSEGV
    assert json.loads(note(bench).read_text())["attempt"] == "1"
    second = run_task(tmp_path, poisoned, given)
    assert second.returncode == 1
    assert "An earlier try of this task has ended while it scored in the task's own process" in second.stderr
    assert "row 1234 (from 0): SIGSEGV" in second.stderr
    assert note(bench).exists(), "who tries once more must not crash again"
    third = run_task(tmp_path, poisoned, given, threshold=1)
    assert third.stdout.split() == [str(ROWS - 1), "1"]
    assert not note(bench).exists(), "a success takes it away"


def test_a_first_row_that_crashes_the_model_is_named_by_the_next_try(bench, tmp_path, poisoned, source):
    given = source(row_0=-1)
    assert run_task(tmp_path, poisoned, given).returncode == -signal.SIGSEGV
    assert note(bench).exists()
    again = run_task(tmp_path, poisoned, given)
    assert "row 0 (from 0): SIGSEGV" in again.stderr


def test_a_note_that_cannot_be_taken_away_is_told_and_changes_nothing(bench, poisoned, source, monkeypatch, caplog):
    from airflow_batch_inference.storage.store import Storage

    remove = Storage.remove

    def refuse(self, uri):
        if uri == note_uri(bench.request("x").destination.folder):
            raise PermissionError(13, "Permission denied")
        remove(self, uri)

    monkeypatch.setattr(Storage, "remove", refuse)
    record = score_by(bench.folder, poisoned, source(), means="threads")
    assert record.rows_out == ROWS
    assert "was not removed (PermissionError" in caplog.text


def of(bench, *, releases=True, in_memory=False, pinned=True, function=None):
    """Return a request whose model is what the words say."""
    request = bench.request("x")
    source = request.models.first
    record = replace(source.record, releases_gil=releases, trusted_by="sha256= in the test" if pinned else None)
    source = replace(source, record=record, function=function, storage=None if in_memory else bench.storage)
    return replace(request, models=ChainGraph(main=ModelChain(sources=(source,))))


CORES = usable_cores()


@pytest.mark.parametrize(
    ("model", "resources", "parts", "crew"),
    [
        ({}, {}, 1, Crew(threads=1)),
        ({}, {}, 100, Crew(threads=CORES)),
        ({}, {"max_workers": 3}, 100, Crew(threads=3)),
        ({}, {"max_workers": 3}, 2, Crew(threads=2)),
        ({}, {"max_memory": 300 << 20}, 100, Crew(threads=1)),
        ({}, {"isolate": True}, 1, Crew(processes=1)),
        ({}, {"timeout_s": 3.0, "max_workers": 2}, 100, Crew(processes=2)),
        ({}, {"means": "processes", "max_workers": 2}, 100, Crew(processes=2)),
        ({}, {"means": "processes"}, 1, Crew(threads=1)),
        ({"pinned": False}, {}, 1, Crew(processes=1)),
        ({"pinned": False}, {"means": "threads"}, 1, Crew(processes=1)),
        ({"releases": False}, {}, 1, Crew(threads=1)),
        ({"releases": False}, {}, 7, Crew(threads=1)),
        ({"releases": False}, {"max_workers": 2}, 100, Crew(processes=2)),
        ({"releases": False}, {"means": "threads", "max_workers": 2}, 100, Crew(threads=2)),
        ({"in_memory": True}, {}, 1, Crew()),
        ({"function": object()}, {}, 1, Crew()),
        ({"function": object()}, {"means": "threads"}, 1, Crew()),
        ({"function": object()}, {"max_workers": 2}, 9, Crew(processes=2)),
    ],
)
def test_who_scores_is_chosen_by_the_model_and_by_what_is_asked_for(bench, model, resources, parts, crew):
    assert choose_crew(of(bench, **model), parts, Resources(**resources)) == crew


def test_what_is_loaded_for_several_threads_gets_a_share_of_the_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert native_threads() == 8
    with cores_shared_by(4):
        assert native_threads() == 2
        with cores_shared_by(100):
            assert native_threads() == 1
    assert native_threads() == 8


def test_cores_are_used_once(bench, tmp_path, source, monkeypatch):
    """Each thread's own OpenMP library is held to its share, and BLAS to one thread."""
    from threadpoolctl import threadpool_info

    seen = []
    make_model(tmp_path)
    import poisoned_by_rows

    def predict(self, frame):
        seen.extend((each["user_api"], each["num_threads"]) for each in threadpool_info())
        return np.asarray(frame)[:, 0]

    monkeypatch.setattr(poisoned_by_rows.Poisoned, "predict", predict)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    score_by(bench.folder, tmp_path / "m.joblib", source(), means="threads", max_workers=2)
    during = seen[-8 * 2 :]  # the first rows are tried by the task's own thread
    assert {number for _, number in during} == {1}
    sys.path.remove(str(tmp_path))


def test_a_models_record_says_whether_threads_can_share_it(bench, tmp_path):
    estimator = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    assert describe(estimator).releases_gil is True
    assert releases_gil(estimator)


class OwnEstimator:
    """Somebody's own, without scikit-learn's interface for parameters."""

    def predict(self, rows):
        return rows

    def transform(self, rows):
        return rows


@pytest.mark.parametrize(
    "estimator",
    [
        OwnEstimator(),
        Pipeline([("own", OwnEstimator()), ("last", LogisticRegression())]),
        VotingClassifier(
            [("one", LogisticRegression()), ("two", make_pipeline(FunctionTransformer(abs), GaussianNB()))]
        ),
        GradientBoostingClassifier(),
        xgb.XGBRegressor(booster="gblinear"),
        make_pipeline(OneHotEncoder(), LogisticRegression()),
        KNeighborsClassifier(metric="mahalanobis"),
        BaggingClassifier(KNeighborsClassifier(metric=DistanceMetric.get_metric("euclidean"))),
        KNeighborsClassifier(weights=np.exp),
        SVC(kernel=np.dot),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_what_is_not_known_to_let_other_threads_go_on_counts_as_holding_the_lock(estimator):
    assert not releases_gil(estimator)


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), RandomForestClassifier()),
        VotingClassifier([("one", LogisticRegression()), ("two", KNeighborsClassifier())]),
        xgb.XGBRegressor(booster="dart"),
        lgb.LGBMClassifier(metric=["auc"]),
        RandomForestClassifier(2).fit([[0.0], [1.0]], [0, 1]),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_what_was_measured_to_let_them_go_on_is_known(estimator):
    assert releases_gil(estimator)


def test_a_record_says_nothing_of_a_model_that_has_no_file(bench):
    assert single_model(bench.request("x").record, storage=bench.storage).first.may_share_process is False


def test_a_try_that_ends_late_leaves_the_note_of_another_one(bench):
    folder, storage = bench.request("x").destination.folder, bench.storage

    def late():
        with noted(folder, "1", storage):
            storage.remove(note_uri(folder))  # a second try has succeeded
            storage.put_new(note_uri(folder), b"of a third one")
            message = "late"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="late"):
        late()
    assert storage.read_bytes(note_uri(folder)) == b"of a third one"
