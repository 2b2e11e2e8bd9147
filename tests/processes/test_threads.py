from __future__ import annotations

import hashlib
import json

import joblib
import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest
import xgboost as xgb
from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from airflow_batch_inference.flavors.sklearn.thread_counts import hold_threads
from airflow_batch_inference.models.loading import load_model
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.processes.threads import native_threads
from airflow_batch_inference.storage.store import Storage


@pytest.mark.parametrize(("given", "expected"), [("3", 3), ("0", None), ("", None), ("many", None), ("2,4", None)])
def test_the_threads_are_those_that_the_worker_was_given(monkeypatch, given, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3, 4})
    assert native_threads() == (5 if expected is None else expected)


def test_threads_that_were_saved_with_a_model_are_held_to_the_share_of_the_worker(monkeypatch, tmp_path):
    x = np.random.default_rng(3).normal(size=(80, 3))
    y = (x[:, 0] > 0).astype(int)
    members = [
        ("forest", make_pipeline(StandardScaler(), RandomForestClassifier(3, n_jobs=-1))),
        ("near", KNeighborsClassifier(n_jobs=16)),
        ("lgb", lgb.LGBMClassifier(n_estimators=2, verbose=-1, num_threads=9)),
        ("xgb", xgb.XGBClassifier(n_estimators=2, n_jobs=7)),
        ("alone", LogisticRegression()),
    ]
    voting = VotingClassifier(members, n_jobs=4, voting="soft").fit(x, y)
    expected = voting.predict_proba(x)
    path = tmp_path / "m.joblib"
    joblib.dump(voting, path)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    model = load_model(str(path), storage=Storage(), trust=TrustRequest(sha256=digest)).model
    forest, near, boosted, extreme, alone = model.estimator.estimators_
    assert (model.estimator.n_jobs, forest[-1].n_jobs, near.n_jobs, alone.n_jobs) == (2, 2, 2, None)
    assert (boosted.n_jobs, boosted.get_params()["num_threads"], extreme.n_jobs) == (2, 2, 2)
    assert json.loads(extreme.get_booster().save_config())["learner"]["generic_param"]["nthread"] == "2"
    found = model.predict(pa.table({f"x{i}": x[:, i] for i in range(3)}), method="predict_proba")
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans, BisectingKMeans])
def test_threads_of_the_machine_that_k_means_was_fitted_on_are_held_to_the_share(monkeypatch, kind):
    x = np.random.default_rng(3).normal(size=(400, 3))
    model = make_pipeline(StandardScaler(), kind(3, n_init=1, random_state=1)).fit(x)
    expected = model.predict(x)
    model[-1]._n_threads = 40
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    hold_threads(model)
    assert model[-1]._n_threads == 2
    np.testing.assert_array_equal(model.predict(x), expected)


def test_what_is_no_number_of_threads_stays_as_it_is():
    vectorizer = DictVectorizer().fit([{"n_jobs": 1.0, "nthread": 2.0, "thread_count": 3.0}])
    before = dict(vectorizer.vocabulary_)
    search = GridSearchCV(RandomForestClassifier(), {"n_jobs": [1, 1000]}, n_jobs=None)
    hold_threads([vectorizer, search])
    assert vectorizer.vocabulary_ == before
    assert (search.param_grid, search.n_jobs) == ({"n_jobs": [1, 1000]}, None)
