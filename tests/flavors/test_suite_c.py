"""What every flavor promises of its files: told by their content, the same in any process, refused when damaged."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from cases_c import CASES

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    BatchInferenceError,
    FlavorNotFoundError,
    FlavorNotInstalledError,
    SignatureMismatchError,
    UntrustedModelError,
)
from airflow_batch_inference.flavors.registry import get_flavor, recognise
from airflow_batch_inference.loading import TrustRequest, load_model
from airflow_batch_inference.model_copy import private_copy
from airflow_batch_inference.signature import plan_inputs
from airflow_batch_inference.storage import Storage

_IN_A_CHILD = """
import json, sys
from pathlib import Path
import numpy as np, pyarrow as pa
from airflow_batch_inference.flavors.registry import recognise
for path, options, batch, out in json.load(sys.stdin):
    flavor, model_format = recognise(Path(path), options=options)
    model = flavor.load(Path(path), model_format=model_format, trusted=(), options=options)
    with pa.ipc.open_file(batch) as file:
        rows = file.read_all()
    np.savez(out, **{method: model.predict(rows, method=method).astype("U") if model.predict(rows, method=method).dtype
        == object else model.predict(rows, method=method) for method in model.methods})
"""


@pytest.fixture(scope="module")
def saved_cases(tmp_path_factory):
    return {case.name: case.save(tmp_path_factory.mktemp(case.name)) for case in CASES}


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request):
    return request.param


@pytest.fixture
def made(case, saved_cases):
    return saved_cases[case.name]


def digest_of(path):
    with private_copy(str(path), Storage()) as copy:
        return copy.sha256


def load(made, *, pinned=True, **arguments):
    trust = TrustRequest(sha256=digest_of(made.path) if pinned else None)
    return load_model(str(made.path), storage=Storage(), trust=trust, options=made.options, **arguments)


def test_a_model_is_told_by_its_content_and_trusted_as_its_format_says(case, made):
    verified = load(made)
    assert (verified.flavor, verified.format) == (case.flavor, case.format)
    assert (verified.trust == "sha256") == case.needs_pin
    flavor, known = recognise(made.path, options=made.options)
    assert (flavor.name, known.name, known.is_folder) == (case.flavor, case.format, made.path.is_dir())
    assert known in flavor.formats


def test_telling_a_model_imports_no_framework(saved_cases):
    script = (
        "import sys; from pathlib import Path; from airflow_batch_inference.flavors.registry import recognise\n"
        "for name in sys.argv[1:]: recognise(Path(name))\n"
        "print(sorted({'xgboost', 'onnx', 'onnxruntime', 'mlflow', 'sklearn', 'skops', 'torch'} & set(sys.modules)))"
    )
    paths = [str(made.path) for made in saved_cases.values()]
    command = [sys.executable, "-c", script, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert done.stdout.strip() == "[]"


def test_another_process_gives_the_same_bits(saved_cases, tmp_path):
    asked = []
    for name, made in saved_cases.items():
        with pa.OSFile(str(tmp_path / f"{name}.arrow"), "wb") as sink, pa.ipc.new_file(sink, made.batch.schema) as file:
            file.write_table(made.batch)
        asked.append([str(made.path), made.options, str(tmp_path / f"{name}.arrow"), str(tmp_path / f"{name}.npz")])
    environment = {"PYTHONPATH": ":".join(sys.path), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-c", _IN_A_CHILD]
    subprocess.run(command, input=json.dumps(asked), text=True, check=True, env=environment, capture_output=True)
    for name, made in saved_cases.items():
        model = load(made).model
        with np.load(tmp_path / f"{name}.npz") as found:
            assert set(found) == set(made.expected)
            for method in found:
                np.testing.assert_array_equal(found[method], model.predict(made.batch, method=method), err_msg=name)


def test_columns_are_found_by_name_in_any_order_and_a_missing_one_is_refused(made):
    model = load(made).model
    names = made.batch.schema.names
    arguments = {"inputs": model.inputs, "n_features": model.n_features, "where": "the dataset"}
    with pytest.raises(SignatureMismatchError):
        plan_inputs(made.batch.drop([names[0]]).schema, **arguments)
    if made.names is None:
        return
    turned = made.batch.select(names[::-1]).append_column("more", pa.nulls(made.batch.num_rows))
    plan = plan_inputs(turned.schema, **arguments)
    assert (plan.columns, plan.ignored) == (made.names, ("more",))
    renamed = made.batch.rename_columns([names[0].upper() + "_x", *names[1:]])
    with pytest.raises(SignatureMismatchError, match=f"needs: '{names[0]}'"):
        plan_inputs(renamed.schema, **arguments)


def test_a_missing_package_is_named_with_its_extra_in_one_line(case, made, monkeypatch):
    if not case.extra:  # it is always there
        assert get_flavor("lightgbm").extra is None
        return
    monkeypatch.setitem(sys.modules, case.module, None)
    with pytest.raises(FlavorNotInstalledError, match=rf"airflow-batch-inference\[{case.extra}\]'") as caught:
        load(made)
    assert "\n" not in str(caught.value)


def test_a_model_that_can_run_code_is_refused_without_a_pin(case, made):
    if case.needs_pin:
        with pytest.raises(
            UntrustedModelError, match=f"is {case.format}, which can run any code.*pin these very bytes"
        ):
            load(made, pinned=False)
    else:
        assert load(made, pinned=True).trust in ("data", "allow-list")


def test_a_model_under_the_name_of_another_flavor_is_refused(case, made):
    others = {"xgboost", "onnx", "mlflow", "lightgbm", "sklearn"} - {case.flavor}
    # The file within an MLflow folder may be named directly, which is the same file.
    others -= {"onnx"} if made.path.is_dir() and (made.path / "model.onnx").exists() else set()
    for other in sorted(others):
        with pytest.raises(FlavorNotFoundError, match=f"no file of the flavor '{other}'"):
            load(made, flavor=other)


DAMAGED = ["xgb-classifier", "xgb-categories", "onnx-network", "onnx-folder", "xgb-in-mlflow"]
LARGEST = {"onnx-folder": "model.onnx", "xgb-in-mlflow": "model.ubj"}


def damaged_copy(made, name, tmp_path, change):
    """Copy a model and change its file."""
    path = tmp_path / made.path.name
    files = [made.path] if made.path.is_file() else [file for file in made.path.rglob("*") if file.is_file()]
    for file in files:
        target = path if made.path.is_file() else path / file.relative_to(made.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = file.read_bytes()
        target.write_bytes(change(content) if made.path.is_file() or file.name == LARGEST[name] else content)
    return path


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.97])
def test_a_truncated_model_is_an_error_of_ours_and_never_a_crash(saved_cases, name, kept, tmp_path):
    made = saved_cases[name]
    path = damaged_copy(made, name, tmp_path, lambda content: content[: int(len(content) * kept)])
    with pytest.raises(BatchInferenceError):
        load_model(str(path), storage=Storage(), options=made.options)


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("at", [0.1, 0.4, 0.8])
def test_flipped_bytes_crash_nothing_and_are_always_seen_where_the_digest_is_pinned(saved_cases, name, at, tmp_path):
    made = saved_cases[name]

    def flipped(content):
        start = int(len(content) * at)
        return content[:start] + bytes(byte ^ 0xFF for byte in content[start : start + 4]) + content[start + 4 :]

    path = damaged_copy(made, name, tmp_path, flipped)
    with pytest.raises(ArtifactIntegrityError, match="not the file that was pinned"):
        load_model(str(path), storage=Storage(), trust=TrustRequest(sha256=digest_of(made.path)))
    try:
        verified = load_model(str(path), storage=Storage(), options=made.options)
    except BatchInferenceError:
        return
    assert verified.model.methods == tuple(made.expected), "a flipped number cannot be told without a pin"
