from __future__ import annotations

import contextlib
import logging
import os

import numpy as np
import pyarrow as pa
import pytest
import torch
from cases import NAMES, batch_of, rows
from cases_torch import torch_network
from torch_networks import Net, Odd, Pair, TwoInputs

from airflow_batch_inference.exceptions import (
    ConfigurationError,
    FlavorNotFoundError,
    ModelLoadError,
    PredictionError,
    UntrustedModelError,
)
from airflow_batch_inference.flavors.registry import recognise
from airflow_batch_inference.flavors.torch.flavor import EXPORTED, PICKLED, STATE_DICT, TORCHSCRIPT, TorchFlavor
from airflow_batch_inference.models.loading import load_model
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.storage.store import Storage

VALUES = rows()
BATCH = batch_of(VALUES)
TWO = [{"name": "vector", "shape": [3]}, {"name": "town", "dtype": "int64", "shape": []}]


def load(path, model_format=PICKLED, **options):
    return TorchFlavor().load(path, model_format=model_format, trusted=(), options=options)


def saved(module, tmp_path, **options):
    torch.save(module, tmp_path / "net.pt")
    return load(tmp_path / "net.pt", **options)


class Payload:
    """Unpickling it makes a folder: the trace of code that ran."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_that_can_run_code_is_not_touched_without_a_pin(tmp_path, is_zip):
    path, trace = tmp_path / "net.pt", tmp_path / "trace"
    torch.save(Payload(trace), path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(UntrustedModelError, match=r"is torch-pickle, .*import .*posix\.mkdir.* as safetensors") as said:
        load_model(str(path), storage=Storage())
    assert not trace.exists()
    pin = str(said.value).split('sha256="')[1][:64]
    with pytest.raises(ModelLoadError, match=r"which is no torch\.nn\.Module"):
        load_model(str(path), storage=Storage(), trust=TrustRequest(sha256=pin))
    assert trace.exists(), "the payload proves nothing if it cannot run"


def test_a_pickle_inside_of_an_exported_program_is_why_that_needs_a_pin(tmp_path, monkeypatch):
    monkeypatch.setattr(logging.getLogger("torch._export.serde.serialize"), "disabled", True)  # it logs the payload
    path, trace = tmp_path / "net.pt2", tmp_path / "trace"
    program = torch.export.export(
        torch_network(), (torch.zeros(3, 4),), dynamic_shapes={"x": {0: torch.export.Dim("rows")}}
    )
    program._example_inputs = ((Payload(trace),), {})
    torch.export.save(program, path)
    assert recognise(path)[1] is EXPORTED
    with pytest.raises(UntrustedModelError, match="is torch-export, which can run any code"):
        load_model(str(path), storage=Storage())
    assert not trace.exists()
    with contextlib.suppress(Exception):  # what it returned is of no use, but by then it has run
        torch.export.load(path)
    assert trace.exists(), "the payload proves nothing if it cannot run"


def test_an_archive_without_an_exported_program_is_refused(tmp_path):
    path = tmp_path / "net.pt2"
    torch.export.pt2_archive._package.package_pt2(path, extra_files={"note": "compiled elsewhere"})
    with pytest.raises(ModelLoadError, match="holds no exported program named 'model'"):
        load(path, EXPORTED)


def test_a_files_name_must_fit_its_content(tmp_path):
    torch.save(torch_network().state_dict(), tmp_path / "net.pt2")
    with pytest.raises(FlavorNotFoundError, match="says torch-export, but its content does not"):
        recognise(tmp_path / "net.pt2")
    torch.save(torch_network().state_dict(), tmp_path / "net.PTH")
    assert recognise(tmp_path / "net.PTH")[1] is STATE_DICT


def test_several_inputs_and_outputs_go_by_name(tmp_path):
    torch.manual_seed(5)
    module = TwoInputs()
    model = saved(module, tmp_path, inputs=TWO)
    assert model.feature_names == ("vector", "town")
    assert [(spec.name, spec.type) for spec in model.inputs] == [("vector", "any"), ("town", "int64")]
    batch = pa.table({"vector": VALUES[:5, :3].tolist(), "town": [0, 1, 2, 3, 4]})
    found = model.predict(batch)
    expected = module(torch.from_numpy(VALUES[:5, :3].copy()), torch.arange(5))
    assert model.output_names == tuple(found) == ("sum", "both")
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name].detach().numpy())


def test_a_module_with_several_inputs_says_that_they_must_be_described(tmp_path):
    with pytest.raises(ConfigurationError, match=r"several arguments or none \(vector, town\), so load_options must"):
        saved(TwoInputs(), tmp_path)


def test_outputs_without_names_are_numbered_and_one_can_be_chosen(tmp_path):
    model = saved(Pair(), tmp_path)
    assert list(model.predict(BATCH)) == ["output_0", "output_1"]
    assert model.output_names is None, "nothing was said of the shapes, so nothing was tried"
    first = saved(Pair(), tmp_path, output="output_0", outputs="logits", feature_names=list(NAMES))
    np.testing.assert_array_equal(first.predict(BATCH), VALUES[:, 0])
    assert first.predict(BATCH, method="predict_proba").shape == (90, 2)
    assert first.classes == (0, 1)
    with pytest.raises(ConfigurationError, match="output 'risk', but the model's outputs are output_0, output_1"):
        saved(Pair(), tmp_path, output="risk").predict(BATCH)


def test_classes_are_known_where_the_columns_are(tmp_path):
    assert saved(torch_network(), tmp_path, outputs="logits", feature_names=list(NAMES)).classes == (0, 1, 2)
    assert saved(torch_network(), tmp_path, outputs="logits").classes is None
    assert saved(torch_network(), tmp_path, feature_names=list(NAMES)).classes is None


def test_probabilities_need_to_be_told_of_which_output(tmp_path):
    with pytest.raises(ConfigurationError, match="several outputs: output_0, output_1"):
        saved(Pair(), tmp_path, outputs="logits", feature_names=list(NAMES))


def test_an_output_that_is_no_tensor_is_refused(tmp_path):
    with pytest.raises(PredictionError, match="output 'output_0' is a dict, not a tensor"):
        saved(Odd(), tmp_path).predict(BATCH)


class Counting(torch.nn.Module):
    def forward(self, x, scale: float = 1.0):
        return None if scale == 0 else x * scale


def test_arguments_of_predict_reach_forward(tmp_path):
    model = saved(Counting(), tmp_path)
    np.testing.assert_array_equal(model.predict(BATCH, kwargs={"scale": 3.0}), VALUES * 3)
    with pytest.raises(PredictionError, match="returned a NoneType; it must be a tensor"):
        model.predict(BATCH, kwargs={"scale": 0})


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_a_model_of_another_type_gets_its_inputs_in_it(tmp_path, dtype):
    model = saved(torch_network(), tmp_path, dtype=dtype)
    found = model.predict(BATCH)
    assert found.dtype == {"float64": np.float64, "bfloat16": np.float32}[dtype]
    with torch.inference_mode():
        expected = torch_network().to(getattr(torch, dtype))(torch.from_numpy(VALUES).to(getattr(torch, dtype)))
    np.testing.assert_array_equal(found, expected.double().numpy().astype(found.dtype))


def test_an_exported_program_keeps_its_type(tmp_path):
    with pytest.raises(ConfigurationError, match="an exported program's types are fixed"):
        load(tmp_path / "net.pt2", EXPORTED, dtype="float64")


def test_trusted_types_cannot_be_added(tmp_path):
    with pytest.raises(ConfigurationError, match="own list of types cannot be added to"):
        TorchFlavor().load(tmp_path / "net.pt", model_format=STATE_DICT, trusted=("a.B",), options={})


def test_a_module_in_training_mode_scores_without_dropout(tmp_path):
    model = saved(torch_network().train(), tmp_path)
    np.testing.assert_array_equal(model.predict(BATCH), torch_network()(torch.from_numpy(VALUES)).detach().numpy())


def test_scoring_needs_no_gradients_and_writes_into_no_memory_of_the_batch(tmp_path):
    class InPlace(Net):
        def forward(self, x):
            return x.mul_(2)

    script = tmp_path / "net.pt"
    torch.jit.script(InPlace()).save(script)
    integers = pa.table({"x": pa.FixedSizeListArray.from_arrays(pa.array(range(8), pa.int64()), 4)})
    model = load(script, TORCHSCRIPT, inputs=[{"name": "x", "dtype": "int64", "shape": [4]}])
    np.testing.assert_array_equal(model.predict(integers), [[0, 2, 4, 6], [8, 10, 12, 14]])
    assert integers.column("x").to_pylist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
