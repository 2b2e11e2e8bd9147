"""A prediction set's URI as data, wherever a dataset is taken; and every other record refused there by its name."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from airflow.exceptions import AirflowException
from sklearn.base import BaseEstimator

from airflow_batch_inference.decorators.score import score_task
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    EarlierEvaluation,
    EvaluateModelOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
    PreflightOperator,
    Problem,
    Processes,
    RowPolicy,
    ScoringScriptOperator,
    ScriptSettings,
    WallarooLayout,
)
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import normalize_uri


def written(uri):
    """What a prediction set's files hold, read by pandas."""
    record = Storage().read_record(uri)
    return pd.concat([pd.read_parquet(part.uri) for part in record.parts], ignore_index=True)


@pytest.fixture
def load(runner, model_file, digest, sample_set):
    return runner(
        LoadModelOperator(
            task_id="load", model_uri=str(model_file), sha256=digest, sample_set=str(sample_set), label_columns="score"
        )
    )


@pytest.fixture
def model(runner, model_file, digest):
    """A record, whose digest is pinned: no trial in a child process."""
    return runner(LoadModelOperator(task_id="model", model_uri=str(model_file), sha256=digest))


@pytest.fixture
def predicted(runner, model, batch):
    return runner(PredictOperator(task_id="predict", model=model, dataset=str(batch)))


def test_the_rows_of_a_prediction_set_are_the_dataset_of_another_task(runner, model, predicted):
    again = runner(PredictOperator(task_id="again", model=model, dataset=predicted, label_columns="second"))
    before, after = written(predicted), written(again)
    assert list(after.columns) == ["a", "b", "key", "predicted_label", "second"]
    pd.testing.assert_frame_equal(after.drop(columns="second"), before)
    np.testing.assert_array_equal(after["second"], before["predicted_label"])
    record, source = Storage().read_record(again), Storage().read_record(predicted)
    assert [file.uri for file in record.dataset] == [part.uri for part in source.parts]
    assert record.dataset_uris == (predicted,)


def test_two_sets_and_a_file_are_read_in_the_order_in_which_they_are_named(runner, model, predicted, tmp_path):
    plain = tmp_path / "more.parquet"
    written(predicted).head(3).to_parquet(plain)
    again = runner(
        PredictOperator(task_id="again", model=model, dataset=[str(plain), predicted], label_columns="second")
    )
    expected = pd.concat([written(predicted).head(3), written(predicted)], ignore_index=True)
    pd.testing.assert_frame_equal(written(again).drop(columns="second"), expected)


def test_columns_come_back_as_they_were_written(runner, model, tmp_path):
    frame = pd.DataFrame({"a": [0.5, 1.0], "b": [1.0, 2.0], "code": ["007", "1e5"], "flag": ["true", "false"]})
    frame = frame.assign(word=["NA", None], other=["", "null"], blank=[" x", "\n"])
    frame.to_parquet(tmp_path / "in.parquet")
    first = runner(PredictOperator(task_id="first", model=model, dataset=str(tmp_path / "in.parquet")))
    second = runner(PredictOperator(task_id="second", model=model, dataset=first, label_columns="second"))
    pd.testing.assert_frame_equal(written(second)[list(frame.columns)], frame)


def test_the_commit_that_the_uri_names_is_read_and_not_a_later_one(runner, model, batch):
    make = lambda **more: runner(  # noqa: E731
        PredictOperator(task_id="predict", model=model, dataset=str(batch), **more)
    )
    first, second = make(), make(drop_columns="key")
    assert first.rpartition("/")[0] == second.rpartition("/")[0]
    assert "key" in open_dataset(first, Storage()).schema.names
    assert "key" not in open_dataset(second, Storage()).schema.names


def test_moved_data_are_seen_against_an_earlier_prediction_set(runner, model, predicted, rng_frame, tmp_path):
    (rng_frame * 100).to_parquet(tmp_path / "moved.parquet")
    moved = runner(PredictOperator(task_id="moved", model=model, dataset=str(tmp_path / "moved.parquet")))
    for name, dataset in (("of_set", moved), ("of_file", str(tmp_path / "moved.parquet"))):
        runner(DriftAnalysisOperator(task_id=name, dataset=dataset, sample_set=predicted, perform_drift_analysis=True))
        assert runner.xcoms[name]["drift_status"] == "DRIFT_DETECTED"
    runner(DriftAnalysisOperator(task_id="same", dataset=predicted, sample_set=predicted))
    assert runner.xcoms["same"]["drift_status"] == "NO_DRIFT"


def test_wallaroos_columns_are_compared_with_each_other(runner, model, batch, rng_frame, tmp_path):
    runner.logical_date = datetime(2026, 1, 1, tzinfo=UTC)
    (rng_frame * 100).to_parquet(tmp_path / "moved.parquet")
    sets = {
        name: runner(PredictOperator(task_id=name, model=model, dataset=place, layout=WallarooLayout()))
        for name, place in (("last", str(batch)), ("now", str(tmp_path / "moved.parquet")))
    }
    runner(DriftAnalysisOperator(task_id="moved", dataset=sets["now"], sample_set=sets["last"]))
    runner(DriftAnalysisOperator(task_id="same", dataset=sets["last"], sample_set=sets["last"]))
    runner(DriftAnalysisOperator(task_id="plain", dataset=str(tmp_path / "moved.parquet"), sample_set=sets["last"]))
    assert [runner.xcoms[name]["drift_status"] for name in ("moved", "same", "plain")] == [
        "DRIFT_DETECTED",
        "NO_DRIFT",
        "DRIFT_DETECTED",
    ]


def test_a_prediction_set_is_a_models_sample_set_and_golden_set(runner, model_file, digest, predicted):
    loaded = runner(
        LoadModelOperator(
            task_id="load", model_uri=str(model_file), sha256=digest, sample_set=predicted, golden_set=predicted
        )
    )
    record = Storage().read_record(loaded)
    baseline = Storage().read_record(record.baseline_uri)
    assert baseline.rows == 400
    assert baseline.predictions == ("predicted_label",)
    assert not baseline.scored
    assert Storage().read_record(record.golden_uri).rows == 400


def test_a_prediction_set_is_evaluated_where_it_has_labels(runner, model, rng_frame, tmp_path):
    labelled = rng_frame.assign(truth=(rng_frame["a"] + rng_frame["b"] > 0).astype(int))
    labelled.to_parquet(tmp_path / "labelled.parquet")
    made = runner(PredictOperator(task_id="predict", model=model, dataset=str(tmp_path / "labelled.parquet")))
    for name, dataset in (("by_set", made), ("by_file", str(tmp_path / "labelled.parquet"))):
        runner(
            EvaluateModelOperator(
                task_id=name,
                model=model,
                dataset=dataset,
                label_columns="truth",
                problem=Problem(kind="classification"),
            )
        )
    assert runner.xcoms["by_set"]["roc_auc"] == runner.xcoms["by_file"]["roc_auc"]
    assert runner.xcoms["by_set"]["rows"] == 400


def test_a_script_gets_the_files_of_a_prediction_set(runner, predicted, tmp_path):
    script = tmp_path / "score.py"
    script.write_text(
        "import pandas as pd\n"
        "def init(): pass\n"
        "def run(mini_batch):\n"
        "    return pd.concat([pd.read_parquet(path)[['key']] for path in mini_batch])\n"
    )
    made = runner(
        ScoringScriptOperator(
            task_id="script",
            dataset=predicted,
            scoring_script=str(script),
            settings=ScriptSettings(output_file_name="keys.parquet"),
        )
    )
    assert written(made)["key"].tolist() == written(predicted)["key"].tolist()


def test_preflight_counts_the_rows_of_a_prediction_set(runner, model, predicted):
    runner(PreflightOperator(task_id="preflight", model=model, dataset=predicted, label_columns="second"))
    assert runner.xcoms["preflight"]["rows"] == 400


def test_bytes_that_were_changed_after_the_commit_are_refused(runner, model, predicted):
    part = Path(Storage().read_record(predicted).parts[0].uri.removeprefix("file://"))
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(bytes(data))
    with pytest.raises(AirflowException, match="changed after it was committed"):
        runner(PredictOperator(task_id="again", model=model, dataset=predicted, label_columns="second"))


def test_a_set_whose_rows_were_not_kept_is_refused_where_rows_are_needed(runner, model, batch):
    counted = runner(PredictOperator(task_id="predict", model=model, dataset=str(batch), log_result_set=False))
    with pytest.raises(AirflowException, match="log_result_set=True"):
        runner(PredictOperator(task_id="again", model=model, dataset=counted))


def records_of(runner, load, predicted, model_file, batch):
    """A record of each kind that somebody might give, by its words."""
    drift = runner(DriftAnalysisOperator(task_id="drift", dataset=str(batch), sample_set=str(batch)))
    logged = runner(LogArtifactsOperator(task_id="log", artifacts=[predicted]))
    model, found = Storage().read_record(load), Storage().read_record(drift)
    return {
        "a model record": load,
        "a baseline": model.baseline_uri,
        "a drift result": drift,
        "a record of statistics": found.statistics_uri,
        "the list of what a run logged": logged,
    }


def test_every_other_record_is_refused_by_its_name(runner, model, load, predicted, model_file, batch, digest):
    for words, uri in records_of(runner, load, predicted, model_file, batch).items():
        for make in (
            lambda uri: PredictOperator(task_id="x", model=model, dataset=uri),
            lambda uri: PredictOperator(task_id="x", model=model, dataset=[uri, str(batch)]),
            lambda uri: DriftAnalysisOperator(task_id="x", dataset=uri, sample_set=str(batch)),
            lambda uri: DriftAnalysisOperator(task_id="x", dataset=str(batch), sample_set=uri),
            lambda uri: LoadModelOperator(task_id="x", model_uri=str(model_file), sha256=digest, sample_set=uri),
            lambda uri: LoadModelOperator(task_id="x", model_uri=str(model_file), sha256=digest, golden_set=uri),
            lambda uri: EvaluateModelOperator(task_id="x", model=model, dataset=uri, label_columns="y"),
        ):
            with pytest.raises(AirflowException, match=words) as error:
                runner(make(uri))
            assert uri in str(error.value)


def test_a_record_is_told_by_what_it_says_and_not_by_its_name(runner, model, load, predicted, tmp_path):
    copied = tmp_path / "model.json"
    shutil.copy(load.removeprefix("file://"), copied)
    with pytest.raises(AirflowException, match="a model record"):
        runner(PredictOperator(task_id="x", model=model, dataset=str(copied)))
    commit = tmp_path / "last.json"
    commit.write_text(json.dumps(json.loads(Path(predicted.removeprefix("file://")).read_text())))
    assert open_dataset(str(commit), Storage()).count_rows() == 400


def test_a_folder_that_holds_a_record_is_refused_by_the_records_name(runner, model, load):
    folder = load.rpartition("/")[0]
    with pytest.raises(AirflowException, match=r"holds .*model.* of this package"):
        runner(PredictOperator(task_id="x", model=model, dataset=folder))
    with pytest.raises(AirflowException, match="is a model record of this package"):
        runner(PredictOperator(task_id="x", model=model, dataset=f"{folder}/model-*.json"))


def test_a_manifest_of_what_was_published_is_refused(runner, model, predicted, tmp_path):
    runner(LogArtifactsOperator(task_id="log", artifacts=[predicted], publish_to=str(tmp_path / "out")))
    with pytest.raises(AirflowException, match="the manifest of a prediction set"):
        runner(PredictOperator(task_id="x", model=model, dataset=str(tmp_path / "out" / "_published.json")))


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "drift", "a": 1.0, "b": 2.0}\n',
        '{"kind": "model", "schema_version": 1, "a": 1.0, "b": 2.0}\n{"kind": "alias", "a": 1.0, "b": 2.0}\n',
        '{"a": 1.0, "b": 2.0, "kind": "prediction-set", "schema_version": 1}',
    ],
)
def test_json_of_somebody_elses_stays_data(runner, model, tmp_path, text):
    digest = hashlib.sha256(text.encode()).hexdigest()
    for name in ("rows.json", f"rows-{digest}.json"):
        (tmp_path / name).write_text(text)
        made = runner(PredictOperator(task_id="predict", model=model, dataset=str(tmp_path / name)))
        assert written(made)["a"].tolist() == [1.0] * text.count('"a"')


@pytest.mark.parametrize("argument", ["drift", "model", "baseline", "compare", "artifacts"])
def test_a_record_of_another_kind_is_named_with_the_kind_that_is_wanted(
    runner, model, predicted, model_file, argument, batch
):
    from airflow_batch_inference.operators import DriftGateOperator

    make = {
        "drift": lambda: DriftGateOperator(task_id="x", drift=predicted),
        "model": lambda: PredictOperator(task_id="x", model=predicted, dataset=str(batch)),
        "baseline": lambda: LoadModelOperator(task_id="x", model_uri=str(model_file), baseline=predicted),
        "compare": lambda: EvaluateModelOperator(
            task_id="x", model=model, dataset=str(batch), label_columns="y", compare=EarlierEvaluation(predicted)
        ),
        "artifacts": lambda: LoadModelOperator(task_id="x", model_uri=predicted),
    }[argument]
    with pytest.raises(AirflowException, match=r"\(a prediction set\), which is no"):
        runner(make())


def test_the_way_to_the_artifact_store_is_taken_for_a_prediction_set(runner, model, batch, monkeypatch, predicted):
    """The dataset's connection may lead elsewhere, or nowhere: a prediction set lies in the artifact store."""
    import fsspec

    from airflow_batch_inference.operators import stores

    def filesystem(protocol, *, conn_id):
        if conn_id == "data" and protocol == "file":
            message = "The data's connection was asked for what lies in the artifact store"
            raise ConnectionError(message)
        return fsspec.filesystem(protocol)

    monkeypatch.setattr(stores, "_filesystem", filesystem)
    again = runner(
        PredictOperator(
            task_id="again", model=model, dataset=predicted, label_columns="second",
            engine=Processes(max_workers=2, isolate=True),
        )
    )  # fmt: skip
    assert len(written(again)) == 400
    assert normalize_uri(str(batch))


def test_a_function_and_a_request_from_python_take_it_too(runner, predicted):
    import airflow_batch_inference as abi

    def doubled(batch: pd.DataFrame):
        return batch["predicted_label"] * 2

    expected = (written(predicted)["predicted_label"] * 2).tolist()
    made = runner(score_task(dataset=predicted, label_columns="twice")(doubled)().operator)
    assert written(made)["twice"].tolist() == expected

    class Doubled(BaseEstimator):
        def predict(self, table):
            return np.asarray(table)[:, 0] * 2

    model = Doubled()
    model.feature_names_in_, model.n_features_in_ = np.array(["predicted_label"], dtype=object), 1
    found = abi.infer_from_file(model, predicted)
    assert found.column(found.column_names.index("out.predicted_label")).to_pylist() == expected


def test_several_sets_of_one_model_are_judged_together_by_its_baseline(runner, load, batch, rng_frame, tmp_path):
    (rng_frame * 100).to_parquet(tmp_path / "moved.parquet")
    sets = [
        runner(PredictOperator(task_id=f"predict_{place}", model=load, dataset=dataset))
        for place, dataset in enumerate((str(batch), str(tmp_path / "moved.parquet")))
    ]

    class Lazy(Sequence):
        """As Airflow hands on what a mapped task has returned."""

        def __len__(self):
            return len(sets)

        def __getitem__(self, place):
            return sets[place]

    for name, given in (("list", sets), ("mapped", Lazy())):
        drift = runner(DriftAnalysisOperator(task_id=name, dataset=given, perform_drift_analysis=True))
        result = Storage().read_record(drift)
        assert (str(result.status), result.current_rows) == ("DRIFT_DETECTED", 800)
        assert {column.name for column in result.columns if column.status == "DRIFT_DETECTED"} >= {"a", "b"}


def test_the_lineage_names_the_files_of_the_set_and_not_its_record(runner, model, predicted):
    pytest.importorskip("airflow.providers.openlineage")
    operator = PredictOperator(task_id="again", model=model, dataset=predicted, label_columns="second")
    runner(operator)
    names = [each.name for each in operator.get_openlineage_facets_on_complete(None).inputs]
    assert not any("_commits" in name for name in names)
    assert any("task_id=predict" in name for name in names)


def test_an_empty_set_is_an_empty_dataset(runner, model, batch, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    pd.read_parquet(batch / "1.parquet").head(0).to_parquet(folder / "1.parquet")
    empty = runner(PredictOperator(task_id="empty", model=model, dataset=str(folder), on_empty="succeed"))
    with pytest.raises(AirflowException, match="EmptyDatasetError"):
        runner(PredictOperator(task_id="x", model=model, dataset=empty, label_columns="second"))
    again = runner(PredictOperator(task_id="x", model=model, dataset=empty, label_columns="second", on_empty="succeed"))
    assert Storage().read_record(again).rows_out == 0
    with pytest.raises(AirflowException, match="has no rows"):
        runner(DriftAnalysisOperator(task_id="x", dataset=str(batch), sample_set=empty))


def test_too_many_rejects_in_worker_processes_name_their_file_too(runner, model, tmp_path):
    frame = pd.DataFrame({"a": ["1.0", "x"] * 20, "b": 2.0})
    frame.to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(AirflowException, match=r"lie in file://.*/quarantine/.*\.parquet"):
        runner(
            PredictOperator(
                task_id="x",
                model=model,
                dataset=str(tmp_path / "in.csv"),
                rows=RowPolicy(error_threshold=2),
                engine=Processes(isolate=True),
            )
        )
