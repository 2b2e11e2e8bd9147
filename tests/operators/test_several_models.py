"""Steps, challengers and splits as a DAG gives them, and the tasks that come after."""

from __future__ import annotations

import hashlib
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import (
    Challengers,
    DriftAnalysisOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
    Processes,
    RowPolicy,
    Split,
)
from airflow_batch_inference.records import DriftStatus
from airflow_batch_inference.storage.store import Storage

STORE = Storage()


def rows_of(uri):
    record = STORE.read_record(uri)
    return pd.concat([pd.read_parquet(part.uri.removeprefix("file://")) for part in record.parts], ignore_index=True)


@pytest.fixture(scope="session")
def other_text(rng_frame):
    target = (rng_frame["a"] - rng_frame["b"] / 2 > 0).astype(int)
    parameters = {"objective": "binary", "num_leaves": 4, "num_threads": 1, "verbose": -1, "seed": 1}
    return lightgbm.train(parameters, lightgbm.Dataset(rng_frame, target), num_boost_round=5).model_to_string()


@pytest.fixture
def models(runner, model_file, digest, sample_set, tmp_path, other_text, rng_frame):
    """Records of two models, and of one that takes what the first returns."""

    def load(task, path, **arguments):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return runner(LoadModelOperator(task_id=task, model_uri=str(path), sha256=sha256, **arguments))

    other = tmp_path / "other.txt"
    other.write_text(other_text)
    then = tmp_path / "then.txt"
    frame = pd.DataFrame({"score": np.linspace(0, 1, 400), "b": rng_frame["b"]})
    lightgbm.train({"verbose": -1}, lightgbm.Dataset(frame, frame["score"] * 100), 5).save_model(then)
    return {
        "first": load(
            "load", model_file, sample_set=str(sample_set), label_columns="score", name="churn", alias="live"
        ),
        "other": load("load_other", other, label_columns="score"),
        "then": load("load_then", then),
    }


def predict(runner, batch, task="predict", **arguments):
    return runner(PredictOperator(task_id=task, dataset=str(batch), **arguments))


# -- what a DAG may give --------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_text", [False, True])
def test_a_list_of_models_is_steps(runner, batch, models, as_text):
    steps = [models["first"], models["then"]]
    uri = predict(runner, batch, model=str(steps) if as_text else steps)
    record = STORE.read_record(uri)
    assert [(each.role, each.name, each.step) for each in record.models] == [("step", "churn", 1), ("step", "then", 2)]
    assert runner.xcoms["predict"]["model_sha256"] == STORE.read_record(models["then"]).sha256
    rows = rows_of(uri)
    assert rows["predicted_label"].between(0, 100).all()
    assert list(rows.columns) == ["a", "b", "key", "predicted_label"]


def test_a_step_may_say_how_it_is_called(runner, batch, models):
    def score(method):
        step = {"model": models["first"], "predict_method": method}
        return rows_of(predict(runner, batch, task=method, model=[step, models["then"]]))["predicted_label"]

    assert not score("raw_score").equals(score("predict"))
    with pytest.raises(AirflowFailException, match="The model has no method 'decide'"):
        score("decide")


@pytest.mark.parametrize("as_text", [False, True])
def test_challengers_get_columns_a_record_a_page_and_xcoms(runner, batch, models, as_text):
    challengers = {"b": models["other"], "chain": [models["first"], models["then"]], "gone": "/nowhere/m.txt"}
    given = str(challengers) if as_text else challengers
    uri = predict(
        runner, batch, model="models/churn@live", compare=Challengers(given, disagreements='{"threshold": 0.5}')
    )
    rows, xcoms = rows_of(uri), runner.xcoms["predict"]
    assert list(rows.columns[-4:]) == ["score", "b.score", "chain.predicted_label", "gone.score"]
    record = STORE.read_record(xcoms["challengers_uri"])
    disagreements = ((rows["score"] >= 0.5) != (rows["b.score"] >= 0.5)).mean()
    by_name = {each.name: each for each in record.challengers}
    assert by_name["b"].outputs[0].disagreement_fraction == pytest.approx(disagreements)
    assert xcoms["disagreement_fraction"] == max(
        each.outputs[0].disagreement_fraction for each in record.challengers if each.outputs
    )
    assert by_name["gone"].error.startswith("ArtifactNotFoundError: ")
    page = Path(record.report_uri.removeprefix("file://")).read_text()
    assert "b: " in page
    assert STORE.read_record(uri).challengers_uri == xcoms["challengers_uri"]


def test_a_set_without_challengers_pushes_nothing_of_them(runner, batch, models):
    predict(runner, batch, model=models["first"])
    assert set(runner.xcoms["predict"]) == {"rows", "rows_rejected", "batch_id", "model_sha256"}


def test_steps_take_a_folder_without_files(runner, tmp_path, models):
    (tmp_path / "nothing").mkdir()
    steps = [models["first"], models["then"]]
    uri = predict(runner, tmp_path / "nothing", model=steps, on_empty="succeed")
    assert [column.name for column in STORE.read_record(uri).columns] == ["a", "b", "predicted_label"]


def test_rows_that_a_check_sets_aside_were_scored_by_the_models_of_a_split(runner, batch, models):
    named, split = {"a": models["first"], "b": models["other"]}, {"weights": {"a": 1, "b": 1}, "key": "key"}
    checks = {"low": {"when": "in.a < 0", "action": "quarantine"}}
    record = STORE.read_record(predict(runner, batch, model=named, checks=checks, compare=Split(**split)))
    assert record.rows_set_aside > 0
    assert sum(each.rows for each in record.models) == 400
    assert [each.rows_failed for each in record.models] == [0, 0]


@pytest.mark.parametrize("as_text", [False, True])
def test_a_dict_of_models_and_a_split(runner, batch, models, as_text):
    named, split = {"a": models["first"], "b": models["other"]}, {"weights": {"a": 3, "b": 1}}
    uri = predict(
        runner,
        batch,
        model=str(named) if as_text else named,
        compare=Split(weights=str(split["weights"]) if as_text else split["weights"], key="key"),
    )
    rows = rows_of(uri)
    assert 0.1 < (rows["scored_by"] == "b").mean() < 0.4
    assert {each.name: each.rows for each in STORE.read_record(uri).models} == rows[
        "scored_by"
    ].value_counts().to_dict()
    assert runner.xcoms["predict"]["model_sha256"] == STORE.read_record(models["first"]).sha256


def test_a_model_of_a_split_may_be_steps(runner, batch, models):
    named = {"a": [models["first"], models["then"]], "b": models["other"]}
    uri = predict(
        runner,
        batch,
        model=named,
        label_columns="points",
        compare=Split(weights={"a": 1, "b": 1}),
        rows=RowPolicy(alignment_check_rows=2),
    )
    rows, record = rows_of(uri), STORE.read_record(uri)
    assert [(each.role, each.name, each.step) for each in record.models] == [
        ("variant", "a", 1),
        ("variant", "a", 2),
        ("variant", "b", 1),
    ]
    steps = rows_of(predict(runner, batch, task="steps", model=named["a"], label_columns="points"))
    other = rows_of(predict(runner, batch, task="other", model=named["b"], label_columns="points"))
    expected = steps["points"].where(rows["scored_by"] == "a", other["points"])
    np.testing.assert_array_equal(rows["points"], expected)


def test_a_template_may_make_any_of_them(runner, batch, models):
    runner.params = {"first": models["first"], "other": models["other"], "share": 0.5}
    uri = predict(
        runner,
        batch,
        model={"a": "{{ params.first }}", "b": "{{ params.other }}"},
        compare=Split(weights={"a": 0.5, "b": "{{ params.share }}"}),
    )
    assert set(rows_of(uri)["scored_by"]) == {"a", "b"}


def test_each_model_may_be_an_alias_and_as_of_is_for_those_that_are(runner, batch, models):
    arguments = {"model": models["other"], "compare": Challengers({"live": "models/churn@live"})}
    rows = rows_of(predict(runner, batch, as_of="2999-01-01", **arguments))
    assert rows["live.score"].notna().all()
    uri = predict(runner, batch, task="before", as_of="2001-01-01", **arguments)
    (challenger,) = STORE.read_record(STORE.read_record(uri).challengers_uri).challengers
    assert "meant nothing yet" in challenger.error


def test_challengers_in_a_worker_process_do_the_same(runner, batch, models):
    arguments = {"model": models["first"], "compare": Challengers({"b": models["other"]})}
    alone = rows_of(predict(runner, batch, **arguments))
    isolated = rows_of(predict(runner, batch, task="isolated", **arguments, engine=Processes(isolate=True)))
    pd.testing.assert_frame_equal(alone, isolated)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"model": {"a": "/m.txt", "b": "/n.txt"}}, "there is no Split to say which"),
        ({"model": {}}, "model names several models .none., but there is no Split"),
        ({"model": {"a": "/m.txt"}, "compare": Split(weights={"a": 1})}, "Split needs several models by name"),
        ({"model": "/m.txt", "compare": Split(weights={"a": 1})}, "Split needs several models by name"),
        ({"model": "/m.txt", "compare": {"c": "/m"}}, r"it must be Challengers\(…\) or Split\(…\)"),
        ({"model": []}, "model is an empty list"),
        ({"model": ["/m.txt", 3]}, r"model is \['/m.txt', 3\]; it must be a model's URI"),
        ({"model": [{"model": "/m.txt", "method": "predict"}]}, "it must be a model's URI"),
        ({"model": "/m.txt", "compare": Challengers({"b.c": "/m"})}, "challengers names a model 'b.c'"),
        ({"model": "/m.txt", "compare": Challengers({"b": None})}, "challengers 'b' is None"),
        ({"model": "/m.txt", "compare": Challengers("{{ 'b' }}")}, "challengers is 'b'; it must be a dict"),
        (
            {"model": "/m.txt", "compare": Challengers({"b": "/m"}, disagreements="{{ {'treshold': 1} }}")},
            "disagreements has 'treshold'",
        ),
        ({"model": "/m.txt", "compare": Challengers({"b": "/m"}), "as_of": "2026-01-01"}, "is no alias"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(runner, batch, arguments, match):
    with pytest.raises((AirflowFailException, ConfigurationError), match=match):
        predict(runner, batch, **arguments)


def test_a_model_of_a_split_that_is_nowhere_fails_the_task(runner, batch, models):
    with pytest.raises(Exception, match="Nothing lies at /nowhere"):
        predict(
            runner, batch, model={"a": models["first"], "b": "/nowhere/m.txt"}, compare=Split(weights={"a": 1, "b": 1})
        )


# -- the tasks that come after --------------------------------------------------------------------------------


def drift(runner, uri, task="drift"):
    return STORE.read_record(runner(DriftAnalysisOperator(task_id=task, dataset=uri)))


def test_drift_goes_by_the_champion_and_challengers_do_not_count(runner, batch, models):
    uri = predict(runner, batch, model=models["first"], compare=Challengers({"b": models["other"]}))
    found = drift(runner, uri)
    assert found.status == DriftStatus.NO_DRIFT
    assert {column.name for column in found.columns} == {"a", "b", "score"}
    assert {column.role for column in found.columns} == {"input", "prediction"}


def test_drift_of_steps_goes_by_the_inputs_of_the_first(runner, batch, models):
    uri = predict(runner, batch, model=[models["first"], models["then"]])
    found = drift(runner, uri)
    compared = {column.name for column in found.columns if column.effect is not None}
    assert (found.status, compared, found.model_name) == (DriftStatus.NO_DRIFT, {"a", "b"}, "then")


def test_predictions_of_a_split_are_not_compared_with_those_of_one_model(
    runner, batch, models, tmp_path, rng_frame, model_file, digest
):
    sample = tmp_path / "plain.parquet"
    rng_frame.to_parquet(sample)  # without predictions: the model makes them
    first = runner(LoadModelOperator(task_id="again", model_uri=str(model_file), sha256=digest, sample_set=str(sample)))
    arguments = {"model": {"a": first, "b": models["other"]}, "label_columns": "predicted_label"}
    uri = predict(runner, batch, **arguments, compare=Split(weights={"a": 1, "b": 1}))
    assert any("several models made them (a, b)" in reason for reason in drift(runner, uri).reasons)


def test_what_challengers_did_is_logged_with_the_set(runner, batch, models, tmp_path):
    uri = predict(runner, batch, model=models["first"], compare=Challengers({"b": models["other"]}))
    logged = runner(LogArtifactsOperator(task_id="log", artifacts=[uri], publish_to=str(tmp_path / "out")))
    entries = STORE.read_record(logged).entries
    assert entries["prediction_challengers"] == runner.xcoms["predict"]["challengers_uri"]
    assert entries["prediction_challengers_report"].endswith(".html")
    assert "b.score" in pd.read_parquet(tmp_path / "out").columns


def test_a_split_is_published_like_any_other_set(runner, batch, models, tmp_path):
    uri = predict(
        runner, batch, model={"a": models["first"], "b": models["other"]}, compare=Split(weights={"a": 1, "b": 1})
    )
    runner(LogArtifactsOperator(task_id="log", artifacts=[uri], publish_to=str(tmp_path / "out")))
    assert set(pd.read_parquet(tmp_path / "out")["scored_by"]) == {"a", "b"}
