"""Who may load what: pinned digests, digests in the config, signatures, and folders that are allowed."""

from __future__ import annotations

import os

import joblib
import model_signing.signing
import numpy as np
import pytest
from airflow.sdk.exceptions import AirflowException
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sklearn.tree import DecisionTreeClassifier

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.operators import LoadModelOperator, MlflowModel, PredictOperator, Trust
from airflow_batch_inference.operators.inputs import read_model
from airflow_batch_inference.records import ModelRecord
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.store import Storage

STORE = Storage()


@pytest.fixture
def tree(tmp_path):
    x = np.random.default_rng(1).normal(size=(30, 2))
    path = tmp_path / "models" / "tree.joblib"
    path.parent.mkdir()
    joblib.dump(DecisionTreeClassifier(random_state=1).fit(x, x[:, 0] > 0), path)
    return path


@pytest.fixture
def key(tmp_path):
    """Return a private and a public key on the disk."""
    made = ec.generate_private_key(ec.SECP256R1())
    private, public = tmp_path / "key.pem", tmp_path / "key.pub"
    private.write_bytes(
        made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        made.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def signed(path, private):
    signature = path.with_suffix(".sig")
    model_signing.signing.Config().use_elliptic_key_signer(private_key=private).sign(path, signature)
    return signature


def load(runner, path, **arguments):
    return STORE.read_record(runner(LoadModelOperator(task_id="load", model_uri=str(path), **arguments)))


def test_a_pinned_digest_is_recorded_with_the_task_that_pinned_it(runner, tree):
    record = load(runner, tree, sha256=sha256_of(tree))
    assert (record.trust, record.trusted_by) == ("sha256", "sha256= in nightly, task load")


def test_a_digest_in_the_config_trusts_a_model_for_every_task(runner, tree, monkeypatch):
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__TRUSTED_SHA256", f"{'0' * 64}, {sha256_of(tree)}")
    record = load(runner, tree)
    assert (record.trust, record.trusted_by) == ("config", "[batch_inference] trusted_sha256")


def test_a_wrong_digest_in_the_config_is_named(runner, tree, monkeypatch):
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__TRUSTED_SHA256", "abc")
    with pytest.raises(AirflowException, match=r"64 hexadecimal digits.*'abc'"):
        load(runner, tree)


def test_a_model_that_nobody_vouches_for_is_refused_with_what_it_would_import(runner, tree):
    with pytest.raises(AirflowException, match=r"UntrustedModelError.*import.*DecisionTreeClassifier") as caught:
        load(runner, tree)
    assert sha256_of(tree) in str(caught.value)


def test_a_signature_takes_the_place_of_a_pin_and_the_signer_is_recorded(runner, tree, key):
    private, public = key
    signature = signed(tree, private)
    check = {"signature": str(signature), "public_key": str(public)}
    uri = runner(LoadModelOperator(task_id="load", model_uri=str(tree), trust=Trust(verify_signature=check)))
    record = STORE.read_record(uri)
    assert record.trust == "signature"
    assert record.trusted_by == f"signature by key sha256:{sha256_of(public)[:16]}"
    scored = runner(PredictOperator(task_id="predict", model=uri, dataset={"a": [1.0], "b": [2.0]}))
    assert STORE.read_record(scored).rows_out == 1


def test_a_signature_of_other_bytes_is_refused(runner, tree, key):
    private, public = key
    signature = signed(tree, private)
    tree.write_bytes(tree.read_bytes() + b"\0")
    with pytest.raises(AirflowException, match=r"UntrustedModelError.*does not prove"):
        load(runner, tree, trust=Trust(verify_signature={"signature": str(signature), "public_key": str(public)}))


def test_a_signature_by_another_key_is_refused(runner, tree, key, tmp_path):
    private, _ = key
    signature = signed(tree, private)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    (tmp_path / "other.pub").write_bytes(
        other.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(AirflowException, match=r"UntrustedModelError.*does not prove"):
        load(
            runner,
            tree,
            trust=Trust(verify_signature={"signature": str(signature), "public_key": str(tmp_path / "other.pub")}),
        )


def test_a_key_that_is_none_is_named(runner, tree, key, tmp_path):
    signature = signed(tree, key[0])
    (tmp_path / "text.pub").write_text("hello")
    with pytest.raises(AirflowException, match=r"ConfigurationError.*text\.pub is no public key"):
        load(
            runner,
            tree,
            trust=Trust(verify_signature={"signature": str(signature), "public_key": str(tmp_path / "text.pub")}),
        )


def test_both_uris_of_a_signature_are_needed(runner, tree):
    with pytest.raises(ConfigurationError, match=r"verify_signature has the keys \['signature'\]"):
        load(runner, tree, trust=Trust(verify_signature={"signature": "/x"}))


def test_models_outside_of_the_allowed_roots_are_refused(runner, tree, tmp_path, monkeypatch):
    (tmp_path / "allowed").mkdir()
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ALLOWED_ROOTS", str(tmp_path / "allowed"))
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT", str(runner.root))
    with pytest.raises(AirflowException, match=r"ConfigurationError.*tree\.joblib lies outside of the folders"):
        load(runner, tree, sha256=sha256_of(tree))
    moved = tmp_path / "allowed" / "tree.joblib"
    os.link(tree, moved)
    assert load(runner, moved, sha256=sha256_of(tree)).trust == "sha256"


def test_a_digest_that_is_taken_out_of_the_config_trusts_no_longer(runner, tree, monkeypatch):
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__TRUSTED_SHA256", sha256_of(tree))
    uri = runner(LoadModelOperator(task_id="load", model_uri=str(tree)))
    runner(PredictOperator(task_id="predict", model=uri, dataset={"a": [1.0], "b": [2.0]}))
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__TRUSTED_SHA256", "")
    with pytest.raises(AirflowException, match=r"UntrustedModelError.*is not there any more"):
        runner(PredictOperator(task_id="again", model=uri, dataset={"a": [1.0], "b": [2.0]}))


def test_a_digest_in_the_config_serves_a_task_that_names_the_file_itself(runner, tree, monkeypatch):
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__TRUSTED_SHA256", sha256_of(tree))
    scored = runner(PredictOperator(task_id="predict", model=str(tree), dataset={"a": [1.0], "b": [2.0]}))
    assert STORE.read_record(scored).rows_out == 1


def test_a_record_beside_the_model_vouches_for_nothing(runner, tree, tmp_path):
    record = load(runner, tree, sha256=sha256_of(tree))
    forged = STORE.put_record(f"file://{tmp_path}/data", "model", record)
    with pytest.raises(AirflowException, match=r"UntrustedModelError.*does not lie in the artifact store"):
        runner(PredictOperator(task_id="predict", model=forged, dataset={"a": [1.0], "b": [2.0]}))


def test_models_of_mlflow_need_a_place_among_the_allowed_roots(runner, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT", str(runner.root))
    load_model = LoadModelOperator(
        task_id="load", model_uri=MlflowModel("models:/churn/1", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    )
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ALLOWED_ROOTS", str(tmp_path))
    with pytest.raises(AirflowException, match=r"ConfigurationError.*allowed_roots .*does not name it.*models:/ added"):
        runner(load_model)
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ALLOWED_ROOTS", f"{tmp_path}, models:/churn")
    with pytest.raises(ArtifactNotFoundError, match="MLflow cannot give models:/churn/1"):
        runner(load_model)


# -- golden sets ----------------------------------------------------------------------------------------------


def test_a_golden_set_is_checked_before_a_row_is_scored(runner, tree, monkeypatch):
    rows = {"a": [1.0, -1.0], "b": [0.0, 0.0]}
    model = runner(LoadModelOperator(task_id="load", model_uri=str(tree), sha256=sha256_of(tree), golden_set=rows))
    record = STORE.read_record(model)
    assert STORE.read_record(record.golden_uri).rows == 2
    runner(PredictOperator(task_id="predict", model=model, dataset=rows))
    predict = DecisionTreeClassifier.predict
    monkeypatch.setattr(DecisionTreeClassifier, "predict", lambda self, x: ~predict(self, x))
    with pytest.raises(AirflowException, match=r"GoldenSetError.*2 of 2 rows differ"):
        runner(PredictOperator(task_id="again", model=model, dataset=rows))
    with pytest.raises(AirflowException, match=r"GoldenSetError.*remove .*golden-sets"):
        runner(LoadModelOperator(task_id="load", model_uri=str(tree), sha256=sha256_of(tree), golden_set=rows))


@pytest.mark.parametrize(
    "by", ["sha256= in somebody's dag", "signature by sha256:0", "[batch_inference] trusted_sha256"]
)
def test_that_somebody_vouched_for_a_file_without_code_is_believed_in_the_artifact_store_only(tmp_path, by):
    fields = dict.fromkeys(("conn_id", "inputs", "n_features", "output_names", "classes", "class_names", "tag"))
    fields |= dict.fromkeys(("label_columns", "baseline_uri", "golden_uri"))
    record = ModelRecord(
        **fields, name="m", model_uri="file:///m.txt", sha256="0" * 64, size_bytes=1, flavor="lightgbm",
        format="lightgbm-text", trust="data", trusted_by=by, trusted_types=(), load_options={}, versions={},
    )  # fmt: skip
    storage, root = Storage(), str(tmp_path / "store")
    inside, beside = (storage.put_record(f"{tmp_path}/{place}", "model", record) for place in ("store/m", "other"))
    is_of_config = by.startswith("[")  # and its digest is not there (any more)
    assert read_model("model", inside, root=root, storage=storage).trusted_by == (None if is_of_config else by)
    assert read_model("model", beside, root=root, storage=storage).trusted_by is None
