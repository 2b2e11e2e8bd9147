"""Mistakes of arguments: told as what they are, at once, with what to write."""

from __future__ import annotations

import joblib
import lightgbm
import numpy as np
import pyarrow.parquet as pq
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import BaseNotifier
from grouped import grouped
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    EvaluateModelOperator,
    LoadModelOperator,
    PredictOperator,
    Processes,
    RowPolicy,
    SampleScoring,
)
from airflow_batch_inference.operators.announcements import notify
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.store import Storage


@pytest.fixture
def loaded(runner, tmp_path, rng_frame):
    """``loaded(estimator)``: the record of a fitted estimator."""

    def loaded(estimator, **arguments):
        path = tmp_path / "model.joblib"
        joblib.dump(estimator.fit(rng_frame, (rng_frame["a"] > 0).astype(int)), path)
        return runner(LoadModelOperator(task_id="load", model_uri=str(path), sha256=sha256_of(path), **arguments))

    return loaded


ESTIMATORS = {
    "linear": LogisticRegression,
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "process": lambda: GaussianProcessRegressor(alpha=1.0),
}


@pytest.mark.parametrize("tolerant", [{}, {"error_threshold": -1}, {"max_rejected_fraction": 1.0}])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_keyword_that_the_model_does_not_take_is_no_bad_row(runner, loaded, batch, kind, tolerant):
    operator = PredictOperator(
        task_id="predict",
        model=loaded(ESTIMATORS[kind]()),
        dataset=str(batch),
        predict_kwargs={"return_sd": True},
        **grouped(tolerant, rows=RowPolicy),
    )
    with pytest.raises(
        AirflowFailException, match=r"ConfigurationError: predict_kwargs has 'return_sd', which the mod"
    ):
        runner(operator)


@pytest.mark.parametrize("kind", ["booster", "wrapper", "pipeline"])
def test_a_keyword_that_lightgbm_would_ignore_is_refused(runner, loaded, model_file, digest, batch, rng_frame, kind):
    """LightGBM takes any keyword: a misspelled one would score with all trees."""
    wrapper = lightgbm.LGBMRegressor(n_estimators=5, num_leaves=4, verbose=-1)
    if kind == "booster":
        model = runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest))
    else:
        model = loaded(wrapper if kind == "wrapper" else make_pipeline(StandardScaler(), wrapper))
    with pytest.raises(AirflowFailException, match=r"'num_itertaion' \(did you mean 'num_iteration'\?\)"):
        runner(PredictOperator(task_id="x", model=model, dataset=str(batch), predict_kwargs={"num_itertaion": 1}))
    uri = runner(PredictOperator(task_id="x", model=model, dataset=str(batch), predict_kwargs={"num_iteration": 1}))
    found = pq.read_table(Storage().read_record(uri).parts[0].uri.removeprefix("file://")).to_pandas()
    if kind == "booster":
        expected = lightgbm.Booster(model_file=str(model_file)).predict(rng_frame, num_iteration=1)
        np.testing.assert_array_equal(found["predicted_label"], expected)
    else:
        assert found["predicted_label"].nunique() <= 4


def test_a_keyword_is_refused_when_the_model_is_loaded_and_evaluated_too(runner, loaded, batch, sample_set):
    with pytest.raises(AirflowFailException, match="predict_kwargs has 'chekc'"):
        loaded(LogisticRegression(), sample_set=str(sample_set), scoring=SampleScoring(predict_kwargs={"chekc": 1}))
    with pytest.raises(AirflowFailException, match="predict_kwargs has 'chekc'"):
        runner(
            EvaluateModelOperator(
                task_id="evaluate",
                model=loaded(LogisticRegression()),
                dataset=[{"a": 1.0, "b": 2.0, "y": 1}, {"a": 0.0, "b": 1.0, "y": 0}],
                label_columns="y",
                predict_kwargs={"chekc": 1},
            )
        )


@pytest.mark.parametrize("argument", ["sample_set", "golden_set"])
def test_rows_as_lists_without_names_name_no_argument_that_is_not_there(runner, loaded, argument):
    with pytest.raises(AirflowFailException) as error:
        loaded(LogisticRegression(), **{argument: [[0.1, 0.2, 1], [0.3, 0.4, 0]]})
    assert "have 3 values, but the model names 2 columns" in str(error.value)
    assert "as dicts, or as a dict of columns" in str(error.value)
    assert "feature_columns" not in str(error.value)
    assert "drop_columns" not in str(error.value)


def test_rows_as_lists_of_a_drift_analysis_name_no_such_argument_either(runner, loaded, batch):
    with pytest.raises(AirflowFailException, match="as dicts") as error:
        runner(
            DriftAnalysisOperator(
                task_id="drift",
                dataset=str(batch),
                model=loaded(LogisticRegression()),
                sample_set=[[0.1, 0.2, 1], [0.3, 0.4, 0]],
            )
        )
    assert "feature_columns" not in str(error.value)


def test_a_scored_list_of_lists_is_told_its_arguments(runner, loaded):
    with pytest.raises(AirflowFailException, match="Give feature_columns of that length, or drop the surplus"):
        runner(PredictOperator(task_id="x", model=loaded(LogisticRegression()), dataset=[[1.0, 2.0, 3.0]]))


# -- too many rejects -------------------------------------------------------------------------------------------------


def quarantine_in(error):
    """The rows of the quarantine that an error names."""
    uri = next(word for word in str(error).split() if word.startswith("file://") and "/quarantine/" in word)
    return pq.read_table(uri.rstrip(".").removeprefix("file://")).to_pandas()


@pytest.mark.parametrize("mini_batch_rows", [16, 400])
@pytest.mark.parametrize("limit", [{"error_threshold": 3}, {"max_rejected_fraction": 0.01}])
def test_too_many_rejects_name_the_file_that_holds_them(runner, loaded, tmp_path, rng_frame, limit, mini_batch_rows):
    broken = rng_frame.copy()
    broken.loc[broken.index % 40 == 7, "a"] = np.nan  # ten rows
    broken.to_parquet(tmp_path / "broken.parquet")
    with pytest.raises(AirflowFailException, match="TooManyRejectedRowsError") as error:
        runner(
            PredictOperator(
                task_id="predict",
                model=loaded(LogisticRegression()),
                dataset=str(tmp_path / "broken.parquet"),
                **grouped(limit, rows=RowPolicy),
                engine=Processes(mini_batch_rows=mini_batch_rows),
            )
        )
    found = quarantine_in(error.value)
    most = limit.get("error_threshold", 4)
    assert found["_row"].tolist() == [7 + 40 * place for place in range(most + 1)]
    assert found["b"].tolist() == broken["b"][found["_row"]].tolist()
    assert found["_error"].str.contains("NaN").all()


def test_secret_columns_are_secret_there_too(runner, loaded, tmp_path, rng_frame):
    broken = rng_frame.assign(name="geheim")
    broken.loc[broken.index % 40 == 7, "a"] = np.nan
    broken.to_parquet(tmp_path / "broken.parquet")
    with pytest.raises(AirflowFailException) as error:
        runner(
            PredictOperator(
                task_id="predict",
                model=loaded(LogisticRegression()),
                dataset=str(tmp_path / "broken.parquet"),
                rows=RowPolicy(error_threshold=3, redact_columns="name"),
            )
        )
    assert len(quarantine_in(error.value)) == 4
    assert not quarantine_in(error.value)["name"].str.contains("geheim").any()


# -- aliases ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("models/churn@champoin", r"did you mean 'champion'\?.*Its aliases: champion, shadow"),
        ("models/churn@Champion", r"did you mean 'champion'\?"),
        ("models/chrun@champion", r"No model 'chrun'.*did you mean 'churn'\?"),
    ],
)
def test_a_near_miss_of_an_alias_ends_at_once_with_what_was_meant(runner, model_file, digest, batch, given, said):
    for alias in ("champion", "shadow"):
        runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest, name="churn", alias=alias))
    for operator in (
        PredictOperator(task_id="x", model=given, dataset=str(batch)),
        LoadModelOperator(task_id="x", model_uri=given),
        DriftAnalysisOperator(task_id="x", model=given, dataset=str(batch)),
        EvaluateModelOperator(task_id="x", model=given, dataset=str(batch), label_columns="y"),
    ):
        with pytest.raises(AirflowFailException, match=said):
            runner(operator)
    with pytest.raises(ArtifactNotFoundError):  # it may still be set, so Airflow retries
        runner(PredictOperator(task_id="x", model="models/other@live", dataset=str(batch)))


@pytest.mark.parametrize(
    "uri", ["postgresql://u:geheim@h/db", "store://models/p/m", "mlflow-artifacts:/1/m", "models:/churn/3"]
)
@pytest.mark.parametrize("argument", ["model", "dataset"])
def test_uris_of_other_products_are_told_what_to_give(runner, loaded, batch, uri, argument):
    arguments = {"model": loaded(LogisticRegression()), "dataset": str(batch)} | {argument: uri}
    with pytest.raises((AirflowFailException, ConfigurationError)) as error:  # a password is refused at parse time
        runner(PredictOperator(task_id="x", **arguments))
    assert "geheim" not in str(error.value)
    assert "geheim" in uri or "is not allowed: it " in str(error.value)


# -- notifiers --------------------------------------------------------------------------------------------------------


class Told(BaseNotifier):
    """A notifier of somebody else's, that renders its template in place as Airflow's do."""

    template_fields = ("text",)
    said: list[str] = []  # noqa: RUF012  # of all copies

    def __init__(self, text):
        super().__init__()
        self.text = text

    def notify(self, context):
        self.said.append(self.text)


def test_one_notifier_of_several_tasks_renders_anew_for_each():
    Told.said.clear()
    notifier = Told("{{ drift.status }} of {{ batch }}")
    for batch in ("monday", "tuesday"):
        assert notify(notifier, {"drift": {"status": "DRIFT_DETECTED"}, "batch": batch})
    assert Told.said == ["DRIFT_DETECTED of monday", "DRIFT_DETECTED of tuesday"]


def test_a_trial_says_that_it_is_at_work_and_how_long_it_took(runner, model_file, caplog, monkeypatch):
    from airflow_batch_inference.processes import limited_child

    monkeypatch.setattr(limited_child, "_TOLD_EVERY_S", 0.05)
    runner(LoadModelOperator(task_id="load", model_uri=str(model_file)))
    assert "Trying" in caplog.text
    assert "sha256=" in caplog.text
    assert "still at work after" in caplog.text
    assert "The trial of" in caplog.text
