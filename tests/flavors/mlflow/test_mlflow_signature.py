"""What the signature in MLmodel adds to a model that does not say it itself."""

from __future__ import annotations

import json
import logging

import pandas as pd
import pytest
import xgboost as xgb
from cases import numbers, table
from mlflow_folders import booster_bytes, columns, folder_of, load, sklearn_folder

from airflow_batch_inference.exceptions import (
    ModelLoadError,
    SignatureMismatchError,
)
from airflow_batch_inference.flavors.mlflow.signature import read_signature
from airflow_batch_inference.schema.inputs import plan_inputs


@pytest.mark.parametrize("kind", ["json", "ubj"])
def test_the_models_own_names_come_first_and_the_signature_adds_what_it_does_not_say(tmp_path, kind):
    unnamed = pd.DataFrame(numbers().to_numpy())
    content = bytes(xgb.train({}, xgb.DMatrix(unnamed.to_numpy(), unnamed[0]), 2).save_raw(kind))
    files = {f"model.{kind}": content}
    flavors = {"xgboost": {"data": f"model.{kind}"}}
    signature = columns(*((name, "double") for name in "abcd"))
    model = load(folder_of(tmp_path / "m", flavors, files, signature=signature)).model
    assert (model.feature_names, model.n_features) == (("a", "b", "c", "d"), 4)
    assert {spec.type for spec in model.inputs} == {"double"}
    batch = table(numbers()).select(["d", "c", "b", "a"])
    plan = plan_inputs(batch.schema, inputs=model.inputs, n_features=4, where="here")
    assert plan.columns == ("a", "b", "c", "d")
    with pytest.raises(SignatureMismatchError):
        plan_inputs(batch.drop(["a"]).schema, inputs=model.inputs, n_features=4, where="here")
    short = columns(("a", "double"), ("b", "double"))
    assert load(folder_of(tmp_path / "n", flavors, files, signature=short)).model.feature_names is None
    own = {f"model.{kind}": booster_bytes(kind=kind)}
    other = columns(*((name, "double") for name in "wxyz"))
    assert load(folder_of(tmp_path / "o", flavors, own, signature=other)).model.feature_names == ("a", "b", "c", "d")


def test_output_names_are_the_signatures_where_they_mean_what_is_predicted(tmp_path):
    flavors, files = {"xgboost": {"data": "model.json"}}, {"model.json": booster_bytes()}

    def named(position, *outputs):
        signature = columns(*((name, "double") for name in "abcd"))
        signature["outputs"] = columns(*outputs)["inputs"]
        return load(folder_of(tmp_path / str(position), flavors, files, signature=signature)).model.output_names

    assert named(1, ("price", "double")) == ("price",)
    assert named(2, ("label", "long")) is None, "a booster gives a probability, no label"
    assert named(3, ("a", "double")) is None, "an input has this name"


def test_every_kind_of_signature_is_read():
    kinds = ["boolean", "integer", "long", "float", "double", "string", "binary", "datetime"]
    found = read_signature({"signature": columns(*((kind, kind) for kind in kinds))})
    expected = ["bool", "int32", "int64", "float", "double", "string", "any", "any"]
    assert [spec.type for spec in found.columns] == expected
    nested = [{"name": "a", "type": "array", "items": {"type": "double"}, "required": False}]
    assert read_signature({"signature": {"inputs": json.dumps(nested)}}).columns[0].type == "any"
    unnamed = [{"type": "double", "required": True}]
    assert read_signature({"signature": {"inputs": json.dumps(unnamed)}}).columns is None
    assert read_signature({}).columns is None
    tensors = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 28, -1]}, "name": "image"}]
    (tensor,) = read_signature({"signature": {"inputs": json.dumps(tensors)}}).tensors
    assert (tensor.name, tensor.dtype, tensor.shape) == ("image", "float32", (28, None))
    text = [{"type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}}]
    assert read_signature({"signature": {"inputs": json.dumps(text)}}).tensors[0].dtype == "str"


@pytest.mark.parametrize(
    "signature",
    [
        "x",
        {"inputs": 3},
        *(
            {"inputs": text}
            for text in (
                "[",
                "{}",
                "[3]",
                '[{"name": "a"}]',
                '[{"type": "tensor"}]',
                '[{"type": "tensor", "tensor-spec": {"dtype": "?x", "shape": [1]}}]',
            )
        ),
    ],
    ids=range(8),
)
def test_a_damaged_signature_is_refused(tmp_path, signature):
    folder = folder_of(
        tmp_path / "m", {"xgboost": {"data": "model.json"}}, {"model.json": booster_bytes()}, signature=signature
    )
    with pytest.raises(ModelLoadError, match="signature in MLmodel cannot be read"):
        load(folder)


def test_params_of_the_signature_are_told(tmp_path, caplog):
    params = json.dumps([{"name": "output_margin", "type": "boolean", "default": True, "shape": None}])
    path, _, _ = sklearn_folder(tmp_path / "m", signature={"inputs": None, "outputs": None, "params": params})
    with caplog.at_level(logging.WARNING):
        load(path, pinned=True)
    assert "has params (output_margin), which only python_function gives" in caplog.text
