"""Types, policies and the input contract, from the sample set of LoadModelOperator to the rows of PredictOperator."""

from __future__ import annotations

import hashlib
import logging
import pickle

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowException
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators import LoadModelOperator, PredictOperator, RowPolicy
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
TRAINING = pd.DataFrame(
    {
        "code": np.array([270, 271, 300])[np.arange(60) % 3],
        "city": np.array(["Ulm", "Bonn"])[np.arange(60) % 2],
        "age": np.linspace(18, 97, 60),
    }
)
GOOD = {"code": [270, 300], "city": ["Ulm", "Bonn"], "age": [18.0, 97.0]}


@pytest.fixture(scope="module")
def pipeline():
    encode = ColumnTransformer(
        [("text", OneHotEncoder(handle_unknown="ignore"), ["code", "city"]), ("number", StandardScaler(), ["age"])]
    )
    return make_pipeline(encode, LogisticRegression()).fit(TRAINING, np.arange(60) % 3 == 0)


@pytest.fixture
def load(runner, tmp_path, pipeline):
    """A function that stores the model's record, with a sample set where one is wanted."""
    TRAINING.to_parquet(tmp_path / "sample.parquet")
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(pipeline))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def run(**arguments):
        return runner(LoadModelOperator(task_id="load", model_uri=str(path), sha256=digest, **arguments))

    return run


@pytest.fixture
def model(load, tmp_path):
    return load(sample_set=str(tmp_path / "sample.parquet"))


@pytest.fixture
def predict(runner):
    def run(model, dataset, **arguments):
        record = STORE.read_record(
            runner(PredictOperator(task_id="predict", model=model, dataset=dataset, **arguments))
        )
        return record, pd.concat([pd.read_parquet(part.uri.removeprefix("file://")) for part in record.parts])

    return run


def rows(**changes):
    return GOOD | changes


def test_the_models_record_holds_the_contract_of_its_inputs(model):
    record = STORE.read_record(model)
    assert [(each.name, each.minimum, each.maximum) for each in record.contract] == [
        ("code", 270, 300), ("city", None, None), ("age", 18, 97),
    ]  # fmt: skip
    assert record.contract[1].categories == ("Bonn", "Ulm")
    assert {each.null_fraction for each in record.contract} == {0}


def test_a_baseline_that_was_made_before_gives_the_same_contract(load, model):
    record = STORE.read_record(model)
    again = STORE.read_record(load(baseline=record.baseline_uri))
    assert again.contract == record.contract


def test_a_record_of_before_has_no_contract(model):
    record = STORE.read_record(model)
    document = record.to_dict()
    del document["contract"]
    assert type(record).from_dict(document).contract == ()


@pytest.mark.parametrize(
    ("on_mismatch", "dataset", "match"),
    [
        ("fail", rows(age=[18.0, 98.0]), "age is 98.0; the training sample has 18.0 to 97.0"),
        ({"city": "fail"}, rows(city=["Ulm", "Paris"]), "city is 'Paris'; the training sample has only 'Bonn', 'Ulm'"),
        ("{'*': 'fail', 'age': 'cast'}", rows(code=[270, None]), "code is null; the training sample has no null"),
        ('{"agee": "fail"}', GOOD, r"names 'agee', which is not an input of the model \(did you mean 'age'\?\)"),
        ("nul", GOOD, r"on_mismatch is 'nul'; .*did you mean 'null'"),
        ({"age": None}, GOOD, "on_mismatch is None for 'age'; it must be a word, in quotes"),
        ({"age": "quarantine"}, GOOD, "no row may be rejected. Say how many may be, with error_threshold"),
    ],
)
def test_what_does_not_fit_or_cannot_work_ends_the_task_without_a_retry(
    runner, model, predict, on_mismatch, dataset, match
):
    with pytest.raises((AirflowException, ConfigurationError), match=match) as excinfo:
        predict(model, dataset, rows=RowPolicy(on_mismatch=on_mismatch))
    assert type(excinfo.value).__name__ in ("AirflowFailException", "ConfigurationError")
    assert not list(runner.root.rglob("_commits/*"))


def test_the_word_null_from_a_template_is_a_policy_and_not_nothing(runner, model, predict, pipeline):
    runner.params["policy"] = "null"
    record, output = predict(model, rows(code=[270, 999]), rows=RowPolicy(on_mismatch="{{ params.policy }}"))
    assert record.nulled == {"code": 1}
    assert output["code"].tolist() == [270, 999]


def test_one_column_may_be_cast_and_another_quarantined(model, predict):
    dataset = rows(age=[500.0, 20.0], city=["Ulm", "Paris"])
    record, output = predict(model, dataset, rows=RowPolicy(on_mismatch={"city": "quarantine"}, error_threshold=1))
    assert (record.rows_out, record.rows_rejected) == (1, 1)
    assert output["age"].tolist() == [500.0]


def test_by_default_only_types_are_enforced(model, predict):
    record, _ = predict(model, rows(age=[500.0, 20.0], city=["Ulm", "Paris"]))
    assert (record.rows_out, record.nulled) == (2, {})


def test_far_more_nulls_than_in_training_are_told(model, predict, caplog):
    with caplog.at_level(logging.WARNING):
        predict(model, rows(city=["Ulm", None]))
    assert "50.0 % of column 'city' is null; in the training sample it was 0.0 %" in caplog.text


def test_a_null_makes_no_other_code_of_an_integer(load, predict, tmp_path):
    table = pa.table({"code": [270, None], "city": ["Ulm", "Ulm"], "age": [20.0, 20.0]})
    plain = load()
    pq.write_table(table, tmp_path / "with.parquet")
    pq.write_table(table.slice(0, 1), tmp_path / "without.parquet")
    label = "predicted_label"
    outputs = [
        predict(plain, str(tmp_path / name), predict_method="predict_proba", batch_id=name)[1]
        for name in ("with.parquet", "without.parquet")
    ]
    assert outputs[0][f"{label}_1"].tolist()[0] == outputs[1][f"{label}_1"].tolist()[0]
    assert outputs[0][f"{label}_1"].tolist()[1] != outputs[1][f"{label}_1"].tolist()[0]


def test_dictionaries_decimals_and_an_unnamed_index_column_are_scored_like_plain_columns(load, predict, tmp_path):
    table = pa.table({"": [0, 1], **GOOD})
    plain, label = load(), "predicted_label_1"
    pq.write_table(table, tmp_path / "plain.parquet")
    odd = table.set_column(2, "city", table.column("city").dictionary_encode())
    odd = odd.set_column(3, "age", odd.column("age").cast(pa.decimal128(6, 2)))
    pq.write_table(odd, tmp_path / "odd.parquet")
    found = [
        predict(plain, str(tmp_path / name), predict_method="predict_proba", batch_id=name)[1]
        for name in ("plain.parquet", "odd.parquet")
    ]
    assert found[0][label].tolist() == found[1][label].tolist()
    assert found[0][""].tolist() == [0, 1]


def test_a_list_is_refused_before_the_first_row(load, predict, tmp_path):
    pq.write_table(pa.table({**GOOD, "age": [[1.0], [2.0]]}), tmp_path / "in.parquet")
    with pytest.raises(AirflowException, match=r"'age' of .* holds list<.*one value a row and column"):
        predict(load(), str(tmp_path / "in.parquet"))


def test_a_stated_signature_is_kept_and_enforced(load, predict, runner):
    plain = load(signature="{'code': 'int64', 'city': 'string', 'age': 'float64'}")
    assert [(spec.name, spec.type) for spec in STORE.read_record(plain).inputs] == [
        ("code", "int64"), ("city", "string"), ("age", "double"),
    ]  # fmt: skip
    with pytest.raises(AirflowException, match="'city' of the inline dataset holds int64, but the model takes string"):
        predict(plain, rows(city=[1, 2]))
    with pytest.raises(AirflowException, match=r"signature names 'ages'.*did you mean 'age'"):
        load(signature={"ages": "double"})


def test_a_stated_type_wins_over_the_samples(load, tmp_path):
    stated = STORE.read_record(load(sample_set=str(tmp_path / "sample.parquet"), signature={"code": "double"}))
    # What the encoder was fitted on is known of the model itself.
    assert [spec.type for spec in stated.inputs] == ["double", "string", "double"]


# -- integers beside nulls ------------------------------------------------------------------------------------


def as_text(values):
    return pd.DataFrame(values).astype(str).to_numpy()


@pytest.fixture
def coded(tmp_path):
    """Return a model of codes that turns them into text, by name or by position, and the model in memory."""

    def make(*, by_name):
        rng = np.random.default_rng(4)
        data = pd.DataFrame({"code": rng.choice([270, 41, 7], 200), "size": rng.integers(0, 9, 200)})
        target = (data["code"] == 270).astype(int)
        steps = make_pipeline(
            FunctionTransformer(as_text), OneHotEncoder(handle_unknown="ignore"), LogisticRegression(C=100)
        )
        path = tmp_path / "coded.joblib"
        joblib.dump(steps.fit(data if by_name else data.to_numpy(), target), path)
        data.to_parquet(tmp_path / "train.parquet")
        return path, steps

    return make


@pytest.mark.parametrize(
    ("by_name", "how"),
    [
        (True, "integers with a null"),
        (False, "integers with a null"),
        (True, "doubles that pandas made of them"),  # without names nobody knows that they were integers
    ],
)
def test_one_null_changes_nothing_of_the_rows_beside_it(runner, tmp_path, coded, by_name, how):
    path, steps = coded(by_name=by_name)
    model = runner(
        LoadModelOperator(
            task_id="load", model_uri=str(path), sha256=sha256_of(path), sample_set=str(tmp_path / "train.parquet")
        )
    )
    codes = pa.array([270, None, 41, 270, 7] * 60)
    sizes = pa.array([1, 2, 3, 4, 5] * 60)
    if how.startswith("doubles"):
        codes = codes.cast(pa.float64())
    pq.write_table(pa.table({"code": codes, "size": sizes}), tmp_path / "today.parquet")
    scored = runner(
        PredictOperator(
            task_id="predict", model=model, dataset=str(tmp_path / "today.parquet"), predict_method="predict_proba"
        )
    )
    (part,) = STORE.read_record(scored).parts
    out = pq.read_table(part.uri.removeprefix("file://")).column("predicted_label_1").to_numpy()
    whole = pd.DataFrame({"code": [270, 41, 270, 7], "size": [1, 3, 4, 5]})
    expected = steps.predict_proba(whole if by_name else whole.to_numpy())[:, 1]
    np.testing.assert_allclose(out[[0, 2, 3, 4]], expected, rtol=1e-12)


def test_identifiers_beyond_2_to_the_53_keep_their_digits_beside_a_null(runner, tmp_path):
    ids = [2**53 + 1, 2**53 + 3, 2**60 + 7]
    data = pd.DataFrame({"id": np.array(ids * 40, dtype=np.int64)})
    steps = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(C=100))
    steps.fit(data, [1, 0, 0] * 40)
    path = tmp_path / "ids.joblib"
    joblib.dump(steps, path)
    model = runner(LoadModelOperator(task_id="load", model_uri=str(path), sha256=sha256_of(path)))
    pq.write_table(pa.table({"id": pa.array([*ids, None])}), tmp_path / "today.parquet")
    scored = runner(
        PredictOperator(
            task_id="predict", model=model, dataset=str(tmp_path / "today.parquet"), predict_method="predict_proba"
        )
    )
    (part,) = STORE.read_record(scored).parts
    out = pq.read_table(part.uri.removeprefix("file://")).column("predicted_label_1").to_numpy()
    np.testing.assert_allclose(out[:3], steps.predict_proba(data.head(3))[:, 1], rtol=1e-12)
