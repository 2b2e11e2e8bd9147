"""Models fitted on text get the text of CSV files and JSON lines as it stands there, on every way to a prediction."""

from __future__ import annotations

import hashlib
import json

import joblib
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from airflow_batch_inference.exceptions import SignatureMismatchError
from airflow_batch_inference.formats.csv.options import parse_csv_options
from airflow_batch_inference.jobs.request import Destination, RowPolicy, ScoringOptions, ScoringRequest
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.operators.drift_data import DriftData
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.build_baseline import ReferenceOptions
from airflow_batch_inference.workflows.register_model import GoldenRequest, register_model
from airflow_batch_inference.workflows.score import score_dataset
from airflow_batch_inference.workflows.verify import verify

STORE = Storage()
FRAME = pd.DataFrame(
    {
        "slot": ["08:15:00", "09:30:00", "10:45:00"] * 20,
        "account": ["000123", "123456", "654321"] * 20,
        "day": ["2024-01-01", "2024-01-02", "2024-01-03"] * 20,
        "flag": ["true", "false", "true"] * 20,
        "code": ["1e5", "12", "7"] * 20,
        "amount": np.arange(60) / 4,
    }
)
TEXTS = [name for name in FRAME if name != "amount"]
TARGET = np.arange(60) % 7 * 1.0


def unknown_as_is():
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def columns(encoder):
    return ColumnTransformer([("text", encoder, TEXTS), ("rest", "passthrough", ["amount"])])


MODELS = {
    "ordinal": lambda: make_pipeline(columns(unknown_as_is()), LinearRegression()),
    "one hot": lambda: make_pipeline(columns(OneHotEncoder(handle_unknown="ignore")), LinearRegression()),
    "strict": lambda: make_pipeline(columns(OneHotEncoder()), LinearRegression()),
    "imputed": lambda: make_pipeline(
        columns(make_pipeline(SimpleImputer(strategy="most_frequent"), unknown_as_is())), LinearRegression()
    ),
    "search": lambda: GridSearchCV(
        make_pipeline(columns(unknown_as_is()), LinearRegression()), {"linearregression__fit_intercept": [True]}, cv=2
    ),
}


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.root = str(folder / "store")

    def registered(self, estimator, **more):
        path = self.folder / "model.joblib"
        joblib.dump(estimator, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        signature = more.pop("signature", {})
        request = ModelRequest(model_uri=str(path), trust=TrustRequest(sha256=digest), signature=signature)
        return register_model(request, root=self.root, storage=STORE, model_storage=STORE, **more)[1]

    def written(self, frame, name):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".csv"):
            frame.to_csv(path, index=False)
        elif name.endswith(".parquet"):
            frame.to_parquet(path)
        else:
            frame.to_json(path, orient="records", lines=True)
        return path

    def scored(self, record, dataset, policy=None, **options):
        baseline = STORE.read_record(record.baseline_uri) if record.baseline_uri else None
        request = ScoringRequest(
            models=single_model(record, storage=STORE),
            dataset=str(dataset),
            options=ScoringOptions(**options),
            destination=Destination(
                root=self.root,
                task=TaskKey(dag_id="d", run_id="r", task_id="t"),
                attempt="1",
                try_id="1",
                batch_id="b",
            ),
            policy=policy or RowPolicy(),
            baseline=baseline,
        )
        return score_dataset(request, storage=STORE)

    def rows(self, commit):
        return pd.concat([pq.read_table(part.uri.removeprefix("file://")).to_pandas() for part in commit.parts])


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("kind", MODELS)
def test_predictions_are_the_estimator_s_own_and_the_output_keeps_every_digit(bench, kind, suffix):
    estimator = MODELS[kind]().fit(FRAME, TARGET)
    record = bench.registered(estimator)
    # A day on which no value tells what it is: no leading zero, all dates.
    for rows in (FRAME, FRAME[FRAME["account"] == "123456"]):
        path = bench.written(rows, f"day.{suffix}")
        _, commit = bench.scored(record, path)
        found = bench.rows(commit)
        np.testing.assert_array_equal(found["predicted_label"], estimator.predict(rows))
        assert found[TEXTS].to_dict("list") == rows[TEXTS].to_dict("list")


@pytest.mark.parametrize("stated", ["signature", "sample"])
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_signature_and_a_sample_set_are_a_remedy(bench, stated, suffix):
    estimator = make_pipeline(columns(unknown_as_is()), LinearRegression()).fit(FRAME, TARGET)
    if stated == "signature":
        more = {"signature": dict.fromkeys(TEXTS, "string")}
    else:
        more = {"sample_set": str(bench.written(FRAME, f"sample.{suffix}"))}
    record = bench.registered(estimator, **more)
    assert {spec.name: spec.type for spec in record.inputs if spec.name in TEXTS} == dict.fromkeys(TEXTS, "string")
    _, commit = bench.scored(record, bench.written(FRAME, f"day.{suffix}"))
    np.testing.assert_array_equal(bench.rows(commit)["predicted_label"], estimator.predict(FRAME))


def test_an_encoder_of_whole_numbers_takes_leading_zeros_as_pandas_does(bench):
    frame = pd.DataFrame({"zip": [1234, 5678, 90210] * 10, "x": np.arange(30.0)})
    estimator = make_pipeline(
        ColumnTransformer([("zip", unknown_as_is(), ["zip"])], remainder="passthrough"), LinearRegression()
    ).fit(frame, np.arange(30.0) % 4)
    path = bench.folder / "day.csv"
    path.write_text("zip,x\n01234,1.5\n5678,2.5\n")
    _, commit = bench.scored(bench.registered(estimator), path)
    np.testing.assert_array_equal(bench.rows(commit)["predicted_label"], estimator.predict(pd.read_csv(path)))


@pytest.mark.parametrize("folder", ["month=01", "month=12", "month=1"])
def test_folders_are_what_the_model_takes_whichever_are_there(bench, folder):
    frame = pd.DataFrame({"month": np.arange(1, 13), "x": np.arange(12.0)})
    encoder = ColumnTransformer([("m", unknown_as_is(), ["month"])], remainder="passthrough")
    estimator = make_pipeline(encoder, LinearRegression()).fit(frame, np.arange(12.0) % 5)
    bench.written(pd.DataFrame({"x": [1.0, 2.0]}), f"in/{folder}/a.parquet")
    uri, commit = bench.scored(bench.registered(estimator), bench.folder / "in")
    month = int(folder.split("=")[1])
    expected = estimator.predict(pd.DataFrame({"month": [month, month], "x": [1.0, 2.0]}))
    np.testing.assert_array_equal(bench.rows(commit)["predicted_label"], expected)
    assert bench.rows(commit)["month"].tolist() == [month, month]
    assert not verify(uri, STORE, inputs=STORE).problems


def test_a_folder_that_is_none_of_the_model_s_numbers_is_refused_and_named(bench):
    record = bench.registered(
        make_pipeline(ColumnTransformer([("m", unknown_as_is(), ["month"])]), LinearRegression()).fit(
            pd.DataFrame({"month": [1, 2]}), [0.0, 1.0]
        )
    )
    for folder in ("month=01", "month=unknown"):
        bench.written(pd.DataFrame({"x": [1.0]}), f"in/{folder}/a.parquet")
    with pytest.raises(SignatureMismatchError, match=r"month=unknown/a\.parquet holds text.*'unknown'.* takes int64"):
        bench.scored(record, bench.folder / "in")


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_what_was_scored_is_verified_against_the_text_that_it_was(bench, suffix):
    record = bench.registered(MODELS["ordinal"]().fit(FRAME, TARGET))
    frame = FRAME.assign(key=[f"{row:04d}" for row in range(60)], when="2024-05-01")
    uri, commit = bench.scored(record, bench.written(frame, f"day.{suffix}"))
    found = verify(uri, STORE, inputs=STORE)
    assert not found.problems
    assert "60 output rows have the columns of their input rows, in input order" in found.checks[-1]
    assert bench.rows(commit)["key"].tolist() == frame["key"].tolist()
    assert STORE.read_record(uri).reading == commit.reading


def test_options_are_kept_with_the_prediction_set_so_that_it_is_verified_with_them(bench):
    frame = pd.DataFrame({"a": [1.5, 2.5, 1234.5], "b": [1, 2, 3]})
    estimator = LinearRegression().fit(frame, [0.0, 1.0, 2.0])
    path = bench.folder / "day.csv"
    path.write_text("1,5;1\n2,5;2\n1.234,5;3\n")
    options = {"separator": ";", "decimal": ",", "thousands": ".", "names": ["a", "b"]}
    uri, commit = bench.scored(bench.registered(estimator), path, csv=parse_csv_options(options))
    np.testing.assert_array_equal(bench.rows(commit)["predicted_label"], estimator.predict(frame))
    assert not verify(uri, STORE, inputs=STORE).problems
    _, other = bench.scored(bench.registered(estimator), path, csv=parse_csv_options({**options, "null_words": ["x"]}))
    assert other.job_key != commit.job_key


def test_a_decimal_comma_is_told_with_the_option_that_reads_it(bench):
    path = bench.folder / "day.csv"
    path.write_text("a;b\n1,5;1\n")
    estimator = LinearRegression().fit(pd.DataFrame({"a": [1.5, 2], "b": [1, 2]}), [0.0, 1.0])
    record = bench.registered(estimator, signature={"a": "double", "b": "double"})
    with pytest.raises(SignatureMismatchError) as excinfo:
        bench.scored(record, path, csv=parse_csv_options({"separator": ";"}))
    assert 'csv_options={"separator": ";", "decimal": ","}' in str(excinfo.value)


def test_a_golden_set_of_text_is_read_as_the_model_takes_it(bench):
    golden = bench.written(FRAME[FRAME["account"] == "123456"], "golden.csv")
    record = bench.registered(MODELS["strict"]().fit(FRAME, TARGET), golden=GoldenRequest(dataset=str(golden)))
    assert STORE.read_record(record.golden_uri).rows == 20


@pytest.mark.parametrize("reference", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("current", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("way", ["dataset", "prediction set", "inputs of one"])
def test_the_same_table_in_another_format_is_no_drift(bench, reference, current, way):
    from airflow_batch_inference.drift.monitor import monitor
    from airflow_batch_inference.drift.rules.effect import EffectRule

    days = [pd.Timestamp("2024-01-01") + pd.Timedelta(days=row % 3) for row in range(60)]
    frame = FRAME.assign(when=days) if reference == "parquet" else FRAME
    record = bench.registered(
        MODELS["ordinal"]().fit(FRAME, TARGET), sample_set=str(bench.written(frame, f"sample.{reference}"))
    )
    as_text = frame.assign(when=[f"{day:%Y-%m-%d}" for day in days]) if reference == "parquet" else frame
    path = bench.written(frame if current == "parquet" else as_text, f"day.{current}")
    dataset = str(path)
    if way != "dataset":
        dataset = bench.scored(record, path, keep=way == "prediction set")[0]
    data = DriftData(
        dataset=dataset,
        predictions=STORE.read_record(dataset) if way != "dataset" else None,
        model=record,
        sample_set=None,
        storage=STORE,
        data_storage=STORE,
    )
    baseline, uri = data.reference()
    result = monitor(data.current(baseline, uri), baseline, rule=EffectRule()).result
    assert result.status == "NO_DRIFT", result.reasons
    assert {column.name for column in result.columns} >= set(frame.columns)


def test_a_sample_set_of_text_is_read_as_the_prediction_set_is(bench):
    frame = FRAME.assign(when=pd.to_datetime(FRAME["day"]))
    record = bench.registered(MODELS["ordinal"]().fit(FRAME, TARGET))
    dataset, commit = bench.scored(record, bench.written(frame, "day.parquet"))
    sample = bench.written(frame.assign(when=FRAME["day"]), "sample.csv")
    data = DriftData(
        dataset=dataset, predictions=commit, model=record, sample_set=str(sample), storage=STORE, data_storage=STORE
    )
    baseline, _ = data.reference()
    kinds = {column.profile.name: column.kind for column in baseline.columns}
    assert kinds["when"] == "numeric"
    assert kinds["account"] == "categorical"


def test_labels_are_read_as_the_model_s_classes(bench):
    from airflow_batch_inference.evaluation.labelled import LabelledData, scoring_request
    from airflow_batch_inference.evaluation.spec import EvaluationSpec
    from airflow_batch_inference.models.loading import load_model

    frame = pd.DataFrame({"x": np.arange(40.0)})
    estimator = LogisticRegression().fit(frame, np.where(np.arange(40) < 20, "01", "1"))
    record = bench.registered(VotingClassifier([("a", estimator)]).fit(frame, np.where(np.arange(40) < 20, "01", "1")))
    model = load_model(record.model_uri, storage=STORE, trust=TrustRequest(sha256=record.sha256)).model
    path = bench.folder / "labelled.csv"
    path.write_text("x,y\n" + "".join(f"{row},1\n" for row in range(20, 40)))
    request = scoring_request(
        EvaluationSpec(label_columns=("y",)),
        LabelledData(dataset=str(path), predict_kwargs={}),
        model=model,
        record=record,
        record_uri=None,
        destination=Destination(
            root=bench.root, task=TaskKey(dag_id="d", run_id="r", task_id="t"), attempt="1", try_id="1", batch_id="b"
        ),
        policy=RowPolicy(),
        model_storage=STORE,
    )
    _, commit = score_dataset(request, storage=STORE)
    assert bench.rows(commit)["y"].tolist() == ["1"] * 20


def test_json_lines_of_mixed_kinds_cost_their_rows_where_rows_may_be_rejected(bench):
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 0.0, 2.0]})
    estimator = LinearRegression().fit(frame, [0.0, 1.0, 2.0])
    path = bench.folder / "day.jsonl"
    path.write_text('{"a": 1, "b": 1}\n{"a": "two", "b": 0}\n{"a": 3, "b": 2}\n')
    record = bench.registered(estimator)
    uri, commit = bench.scored(record, path, policy=RowPolicy(error_threshold=1))
    expected = estimator.predict(frame.iloc[[0, 2]])
    np.testing.assert_allclose(bench.rows(commit)["predicted_label"], expected, atol=1e-12)
    (rejected,) = pq.read_table(commit.quarantine[0].uri.removeprefix("file://")).to_pylist()
    assert (rejected["_row"], rejected["_stage"]) == (1, "read")
    assert "field 'a' holds text (\"two\")" in rejected["_error"]
    assert not verify(uri, STORE, inputs=STORE).problems


def test_sample_sets_have_options_of_their_own(bench):
    path = bench.folder / "sample.csv"
    path.write_text("a;b\n1,5;1\n2,5;2\n")
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": [1, 2]})
    estimator = LinearRegression().fit(frame, [0.0, 1.0])
    options = ReferenceOptions(csv=parse_csv_options({"separator": ";", "decimal": ","}))
    record = bench.registered(estimator, sample_set=str(path), options=options)
    assert json.loads(json.dumps({spec.name: spec.type for spec in record.inputs})) == {"a": "double", "b": "int64"}
