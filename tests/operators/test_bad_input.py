"""What users hand over by mistake: each gives a clear error, nothing visible, and a retry only where it can help."""

from __future__ import annotations

import hashlib
import pickle

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk.exceptions import AirflowException
from grouped import grouped
from sklearn.linear_model import LogisticRegression

from airflow_batch_inference.exceptions import BatchInferenceError, ConfigurationError
from airflow_batch_inference.operators import DriftAnalysisOperator, LoadModelOperator, PredictOperator, Processes
from airflow_batch_inference.storage.store import Storage


def fails(runner, operator, match, *, retried=False):
    """Run, expect the message, and check that nothing became visible."""
    with pytest.raises((AirflowException, BatchInferenceError), match=match) as excinfo:
        runner(operator)
    assert (type(excinfo.value).__name__ != "AirflowFailException") == retried
    assert not list(runner.root.rglob("_commits/*"))
    assert not list(runner.root.rglob("part-*"))
    assert not list(runner.root.rglob(".tmp-*"))


@pytest.fixture
def model(runner, model_file, digest):
    return runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest))


def predict(model, dataset, **arguments):
    return PredictOperator(task_id="predict", model=model, dataset=dataset, **arguments)


def test_a_missing_model_file_may_still_arrive(runner, tmp_path):
    operator = LoadModelOperator(task_id="load", model_uri=str(tmp_path / "absent.txt"))
    fails(runner, operator, r"Nothing lies at .*/absent\.txt", retried=True)


def test_a_wrong_digest_is_named(runner, model_file):
    operator = LoadModelOperator(task_id="load", model_uri=str(model_file), sha256="0" * 64)
    fails(runner, operator, f"(?s){'0' * 64}.*{hashlib.sha256(model_file.read_bytes()).hexdigest()}|ArtifactIntegrity")


def test_a_pickle_is_refused_without_a_digest_and_loads_with_it(runner, tmp_path, rng_frame):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(LogisticRegression().fit(rng_frame, rng_frame["a"] > 0)))
    fails(runner, LoadModelOperator(task_id="load", model_uri=str(path)), "UntrustedModelError")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert runner(LoadModelOperator(task_id="load", model_uri=str(path), sha256=digest))


def test_a_corrupt_model_does_not_take_the_task_down(runner, tmp_path, model_text):
    path = tmp_path / "model.txt"
    path.write_text(model_text[: len(model_text) // 2])
    fails(runner, LoadModelOperator(task_id="load", model_uri=str(path)), "ModelLoadError")


def test_an_unknown_model_format(runner, tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"no model")
    fails(runner, LoadModelOperator(task_id="load", model_uri=str(path)), "FlavorNotFoundError")


def test_an_unknown_data_format(runner, model, tmp_path):
    (tmp_path / "batch.xlsx").write_bytes(b"x")
    fails(runner, predict(model, str(tmp_path / "batch.xlsx")), "format of .*batch.xlsx is unknown")


def test_a_missing_dataset_may_still_arrive(runner, model, tmp_path):
    fails(runner, predict(model, str(tmp_path / "absent")), "does not exist", retried=True)


@pytest.fixture(params=["folder", "parquet", "csv", "no bytes"])
def empty(request, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    if request.param == "parquet":
        pd.DataFrame({"a": pd.Series(dtype=float), "b": pd.Series(dtype=float)}).to_parquet(folder / "x.parquet")
    elif request.param == "csv":
        (folder / "x.csv").write_text("a,b\n")
    elif request.param == "no bytes":
        (folder / "x.csv").write_text("")
    return str(folder)


def test_an_empty_dataset_fails_by_default(runner, model, empty):
    fails(runner, predict(model, empty), r"has no rows to score.*on_empty")


def test_an_empty_dataset_can_be_skipped(runner, model, empty):
    with pytest.raises(AirflowException) as excinfo:
        runner(predict(model, empty, on_empty="skip"))
    assert type(excinfo.value).__name__ == "AirflowSkipException"


@pytest.mark.parametrize("arguments", [{"drop_columns": ["key"]}, {"passthrough_columns": ["key"]}])
def test_an_empty_folder_is_skipped_whatever_columns_are_named(runner, model, tmp_path, arguments):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(AirflowException) as excinfo:
        runner(predict(model, str(tmp_path / "nothing"), on_empty="skip", **arguments))
    assert type(excinfo.value).__name__ == "AirflowSkipException"


@pytest.mark.parametrize("dataset", [{}, []])
def test_an_empty_inline_dataset_is_empty(runner, model, dataset):
    fails(runner, predict(model, dataset), "has no rows to score")
    assert Storage().read_record(runner(predict(model, dataset, on_empty="succeed"))).rows_out == 0


def test_an_empty_output_has_the_columns_of_a_full_one(runner, model, batch, tmp_path):
    (tmp_path / "nothing").mkdir()
    columns = []
    for dataset in (tmp_path / "nothing", batch):
        operator = predict(
            model, str(dataset), on_empty="succeed", predict_method="predict_proba", drop_columns=["key"]
        )
        columns.append(Storage().read_record(runner(operator)).columns)
    assert columns[0] == columns[1]


def test_an_empty_dataset_can_succeed_with_an_empty_output(runner, model, empty):
    record = Storage().read_record(runner(predict(model, empty, on_empty="succeed")))
    rows = pd.read_parquet(record.parts[0].uri.removeprefix("file://"))
    assert rows.columns.tolist() == ["a", "b", "predicted_label"]
    assert len(rows) == 0


def test_a_missing_column_with_a_guess(runner, model, tmp_path):
    pd.DataFrame({"A": [1.0], "b": [2.0]}).to_parquet(tmp_path / "x.parquet")
    fails(runner, predict(model, str(tmp_path / "x.parquet")), r"lacks 1 column.*'a' \(did you mean 'A'\?\)")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_text_where_a_number_belongs_names_file_column_and_row(runner, model, tmp_path, kind):
    frame = pd.DataFrame({"a": ["1", "2", "n/k"], "b": [1.0, 2.0, 3.0]})
    path = tmp_path / f"x.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    fails(runner, predict(model, str(path)), rf"Column 'a' of file://.*x\.{kind} holds text: row 2 .* is 'n/k'")


def test_text_where_a_model_without_a_signature_wants_numbers(runner, tmp_path, rng_frame):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(LogisticRegression().fit(rng_frame, rng_frame["a"] > 0)))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    model = runner(LoadModelOperator(task_id="load", model_uri=str(path), sha256=digest))
    pd.DataFrame({"a": ["1", "x"], "b": ["1", "2"]}).to_parquet(tmp_path / "x.parquet")
    fails(runner, predict(model, str(tmp_path / "x.parquet")), r"Column 'a' .*x\.parquet.*row 1 .* is 'x'")


def test_duplicate_column_names(runner, model, tmp_path):
    (tmp_path / "x.csv").write_text("a,b,b\n1,2,3\n")
    fails(runner, predict(model, str(tmp_path / "x.csv")), "more than one column named 'b'")


@pytest.mark.parametrize("damage", ["cut off", "bits flipped"])
def test_a_corrupt_parquet_file_in_the_middle_of_a_folder(runner, model, batch, damage):
    frame = pd.read_parquet(batch / "1.parquet")
    frame.to_parquet(batch / "15.parquet", write_page_checksum=True)
    good = (batch / "15.parquet").read_bytes()
    middle = len(good) // 3
    bad = good[:-20] if damage == "cut off" else good[:middle] + bytes(64) + good[middle + 64 :]
    (batch / "15.parquet").write_bytes(bad)
    fails(runner, predict(model, str(batch)), r"15\.parquet cannot be read")


def test_an_unwritable_output(runner, model, batch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    runner.root = tmp_path / "file" / "artifacts"
    fails(runner, predict(model, str(batch), artifact_root=str(runner.root)), "Cannot write to .*artifact_root")


def test_no_sample_set_where_drift_was_demanded(runner, model, batch):
    operator = DriftAnalysisOperator(task_id="drift", model=model, dataset=str(batch), perform_drift_analysis=True)
    fails(runner, operator, "nothing to compare with")


def test_a_model_file_that_was_replaced_since(runner, model, model_file, batch):
    model_file.write_text(model_file.read_text() + "\n")
    fails(runner, predict(model, str(batch)), "ArtifactIntegrityError")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_empty": "ignore"}, "on_empty is 'ignore'"),
        ({"log_result_set": "perhaps"}, "log_result_set is 'perhaps'"),
        ({"mini_batch_rows": 0}, "mini_batch_rows is 0"),
        ({"output_format": "csv"}, "The prediction set itself is always Parquet"),
        ({"drop_columns": ["absent"]}, "drop_columns names 'absent'.*a, b, key"),
        ({"passthrough_columns": ["absent"]}, "passthrough_columns names 'absent'"),
        ({"label_columns": ["a"]}, "'a' would stand twice"),
        ({"label_columns": ["x", "y"]}, r"names 2 column\(s\).*returns 1"),
        ({"predict_method": "transform"}, "transform"),
        ({"predict_kwargs": "[1]"}, r"predict_kwargs is \[1\]; it must be a dict"),
        ({"label_columns": "['x'"}, "begins like a list"),
        ({"artifact_root": "s3://user:secret@bucket/x"}, "credentials belong into an Airflow connection"),
        ({"artifact_root": "relative/path"}, "absolute path"),
    ],
)
def test_arguments_that_can_never_work(runner, model, batch, arguments, message):
    with pytest.raises((AirflowFailException, ConfigurationError), match=message) as excinfo:
        runner(predict(model, str(batch), **grouped(arguments, engine=Processes)))
    assert "secret" not in str(excinfo.value)


@pytest.mark.parametrize("threshold", ["nan", -0.5, True, "high"])
def test_thresholds_are_numbers_of_at_least_0(runner, model, batch, threshold):
    with pytest.raises(AirflowException, match="drift_threshold is"):
        DriftAnalysisOperator(task_id="drift", model=model, dataset=str(batch), drift_threshold=threshold)
    runner.params = {"threshold": threshold}
    templated = "{{ params.threshold }}"
    operator = DriftAnalysisOperator(task_id="drift", model=model, dataset=str(batch), drift_threshold=templated)
    with pytest.raises(AirflowException, match="drift_threshold is"):
        runner(operator)


def test_a_record_of_another_kind_is_refused_by_name(runner, model, batch):
    with pytest.raises(AirflowException, match="no prediction set"):
        runner(DriftAnalysisOperator(task_id="drift", dataset=model))
