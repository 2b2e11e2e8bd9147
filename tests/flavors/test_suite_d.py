"""What every flavor promises of its files: detection, trust, the same bits in a fresh process, and damage survived."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pytest
from cases_d import CASES

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    BatchInferenceError,
    FlavorNotFoundError,
    FlavorNotInstalledError,
    ModelLoadError,
    SignatureMismatchError,
    UntrustedModelError,
)
from airflow_batch_inference.flavors.registry import flavor_names, get_flavor, recognise
from airflow_batch_inference.loading import TrustRequest, load_model
from airflow_batch_inference.model_copy import private_copy
from airflow_batch_inference.signature import plan_inputs
from airflow_batch_inference.storage import Storage

ALL = {case.name: case for case in CASES}
UNCHECKED = {"saved-model", "torch-pickle", "torchscript", "torch-export"}
"""Formats whose readers compare no checksums; they need a pin, which tells of every changed byte."""
FRAMEWORK = {"keras": "keras", "tensorflow": "tensorflow", "torch": "torch"}

CHILD = """
import json, sys
import numpy as np, pyarrow.feather as feather
from airflow_batch_inference.exceptions import BatchInferenceError
from airflow_batch_inference.loading import TrustRequest, load_model
from airflow_batch_inference.storage import Storage
for job in json.load(sys.stdin):
    try:
        trust = TrustRequest(sha256=job["sha256"])
        model = load_model(job["path"], storage=Storage(), trust=trust, options=job["options"]).model
        found = {method: model.predict(feather.read_table(job["batch"]), method=method) for method in model.methods}
        np.savez(job["out"], **found)
        said = [None, ""]
    except BatchInferenceError as error:
        said = [type(error).__name__, str(error)]
    except Exception as error:  # of predict: the engine reports those with the rows
        said = ["in predict", repr(error)] if "model" in globals() else ["unexpected", repr(error)]
    globals().pop("model", None)
    print(json.dumps([job["out"], *said]), flush=True)
"""


def digest(path):
    with private_copy(str(path), Storage()) as copy:
        return copy.sha256


def job(network, out, path=None):
    batch = out.with_suffix(".feather")
    feather.write_feather(network.batch, batch)
    path = path or network.path
    options = network.options
    return {
        "path": str(path),
        "sha256": digest(path),
        "options": options,
        "batch": str(batch),
        "out": str(out.with_suffix(".npz")),
    }


def in_child(jobs):
    """Load and score in one fresh process; what it said of each."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(entry or str(Path.cwd()) for entry in sys.path)},
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('["')]
    assert done.returncode == 0, f"exit {done.returncode} after {lines[-1:]}: {done.stderr[-2000:]}"
    return {out: (error, message) for out, error, message in map(json.loads, lines)}


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return {name: case.save(tmp_path_factory.mktemp(name)) for name, case in ALL.items()}


@pytest.fixture(params=ALL)
def case(request):
    return ALL[request.param]


def test_a_file_is_told_by_its_name_and_content_and_says_what_it_can_do(case, networks):
    flavor, found = recognise(networks[case.name].path)
    assert (flavor.name, found.name, found.trust == "code") == (case.flavor, case.format, case.needs_pin)
    assert found.is_folder == networks[case.name].path.is_dir()


def test_a_file_is_not_loaded_as_another_flavors(case, networks):
    for other in set(flavor_names()) - {case.flavor}:
        with pytest.raises(FlavorNotFoundError):
            recognise(networks[case.name].path, flavor=other)


def test_a_file_that_can_run_code_is_refused_without_a_pin(networks):
    needing = [case for case in CASES if case.needs_pin]
    assert needing
    for case in needing:
        with pytest.raises(UntrustedModelError, match=rf"is {case.format}, which can run any code .*pin these very"):
            load_model(str(networks[case.name].path), storage=Storage(), options=networks[case.name].options)


def test_a_missing_framework_is_named_with_its_extra_in_one_line(case, networks, monkeypatch):
    network = networks[case.name]
    trust = TrustRequest(sha256=digest(network.path))
    monkeypatch.setitem(sys.modules, FRAMEWORK[case.flavor], None)
    extra = get_flavor(case.flavor).extra
    with pytest.raises(FlavorNotInstalledError, match=rf"pip install 'airflow-batch-inference\[{extra}\]'") as caught:
        load_model(str(network.path), storage=Storage(), trust=trust, options=network.options)
    assert "\n" not in str(caught.value)


def test_columns_are_taken_by_name_and_a_missing_one_is_refused(case, networks):
    network = networks[case.name]
    trust = TrustRequest(sha256=digest(network.path))
    model = load_model(str(network.path), storage=Storage(), trust=trust, options=network.options).model
    schema = network.batch.schema
    if network.names is None:
        with pytest.raises(SignatureMismatchError, match=rf"takes {len(schema)} columns by position, but here has"):
            plan_inputs(schema.remove(0), inputs=model.inputs, n_features=model.n_features, where="here")
        return
    shuffled = pa.schema([pa.field("other", pa.float64()), *reversed(list(schema))])
    plan = plan_inputs(shuffled, inputs=model.inputs, n_features=model.n_features, where="here")
    assert (plan.names, plan.ignored) == (network.names, ("other",))
    with pytest.raises(SignatureMismatchError, match=r"lacks 1 column\(s\) .*'" + network.names[0]):
        plan_inputs(schema.remove(0), inputs=model.inputs, n_features=model.n_features, where="here")
    text = schema.set(0, pa.field(schema.names[0], pa.binary()))
    with pytest.raises(SignatureMismatchError, match="No cast between them is safe"):
        plan_inputs(text, inputs=model.inputs, n_features=model.n_features, where="here")


def test_a_fresh_process_predicts_the_same_bits(networks, tmp_path):
    jobs = {name: job(network, tmp_path / name) for name, network in networks.items()}
    said = in_child(list(jobs.values()))
    for name, each in jobs.items():
        assert said[each["out"]] == (None, ""), name
        with np.load(each["out"]) as found:
            assert set(found) == set(networks[name].expected)
            np.testing.assert_array_equal(found["predict"], networks[name].expected["predict"])


def damaged(network, folder, *, has_checksums):
    """Yield copies of a model, each cut off or, where its format could tell, with a byte changed."""
    files = [network.path] if network.path.is_file() else sorted(network.path.rglob("*.*"))
    rng = np.random.default_rng(1)
    for number, file in enumerate(files):
        content = file.read_bytes()
        # Nothing in a safetensors file can tell that a number was changed; its header is what can be damaged.
        last = 8 + int.from_bytes(content[:8], "little") if file.suffix == ".safetensors" else len(content)
        cuts = [content[:size] for size in (len(content) // 10, len(content) // 2, len(content) - 1)]
        flips = []
        for place in rng.integers(0, last, 4 if has_checksums else 0):
            flipped = bytearray(content)
            flipped[place] ^= 1 << int(rng.integers(0, 8))
            flips.append(bytes(flipped))
        for kind, each in enumerate([*cuts, *flips]):
            target = folder / f"{number}-{kind}" / network.path.name
            target.parent.mkdir(parents=True)
            shutil.copytree(network.path, target) if network.path.is_dir() else target.touch()
            (target / file.relative_to(network.path) if target.is_dir() else target).write_bytes(each)
            yield target


@pytest.mark.parametrize("flavor", sorted(FRAMEWORK))
def test_a_damaged_file_that_was_pinned_is_an_error_of_ours_or_predicts_the_same(networks, tmp_path, flavor):
    wanted = {}
    one_a_format = {case.format: case for case in CASES if case.flavor == flavor}
    for found, name in ((case.format, case.name) for case in one_a_format.values()):
        has_checksums = found not in UNCHECKED
        for number, path in enumerate(damaged(networks[name], tmp_path / name, has_checksums=has_checksums)):
            out = tmp_path / f"{name}-{number}"
            wanted[f"{out}.npz"] = (name, job(networks[name], out, path))
    said = in_child([each for _, each in wanted.values()])
    errors = 0
    for out, (name, each) in wanted.items():
        error, message = said[out]
        errors += error is not None
        if error is None:
            with np.load(out) as found:
                np.testing.assert_array_equal(found["predict"], networks[name].expected["predict"], each["path"])
        else:
            assert error.endswith("Error"), (each["path"], error, message)
    assert errors > len(wanted) / 2, "damage that nobody notices proves nothing"


def test_a_pin_tells_of_any_changed_byte(case, networks, tmp_path):
    network = networks[case.name]
    trust = TrustRequest(sha256=digest(network.path))
    path = next(damaged(network, tmp_path, has_checksums=False))
    with pytest.raises(ArtifactIntegrityError, match="is not the file that was pinned"):
        load_model(str(path), storage=Storage(), trust=trust, options=network.options)


@pytest.mark.parametrize("name", [case.name for case in CASES if not case.needs_pin])
def test_a_truncated_file_that_nobody_pinned_is_refused_by_the_trial(networks, tmp_path, name):
    network = networks[name]
    path = tmp_path / network.path.name
    content = network.path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises((ModelLoadError, FlavorNotFoundError), match=path.name):
        load_model(str(path), storage=Storage(), options=network.options)


def test_damage_is_an_error_of_this_package_for_every_format():
    assert all(issubclass(error, BatchInferenceError) for error in (ModelLoadError, FlavorNotFoundError))
    assert {case.format for case in CASES} == {
        known.name for flavor in FRAMEWORK for known in get_flavor(flavor).formats if known.name != "keras-code"
    }


def test_load_options_that_a_flavor_does_not_know_are_refused(case, networks):
    network = replace(networks[case.name], options={"nonsense": 1})
    trust = TrustRequest(sha256=digest(network.path))
    with pytest.raises(BatchInferenceError, match="load_options has 'nonsense', which the flavor"):
        load_model(str(network.path), storage=Storage(), trust=trust, options=network.options)
