"""What every flavor promises of its files: told by content, refused when damaged, the same bits in any process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pytest
from suite import CASES, ONE_A_FORMAT, digest_of, load

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    BatchInferenceError,
    ConfigurationError,
    FlavorNotFoundError,
    FlavorNotInstalledError,
    SignatureMismatchError,
    UntrustedModelError,
)
from airflow_batch_inference.flavors.registry import flavor_names, get_flavor, recognise
from airflow_batch_inference.schema.inputs import plan_inputs

FRAMEWORKS = (
    *("sklearn", "skops", "joblib", "lightgbm", "xgboost", "onnx", "onnxruntime", "mlflow"),
    *("keras", "tensorflow", "torch", "safetensors", "h5py"),
)
CHECKED = {"skops", "keras", "keras-code", "torch-state-dict", "safetensors"}
"""Formats that tell of a changed byte themselves; a flipped number in the others is another number."""
SLOW = {"keras", "torch-state-dict", "safetensors"}
"""Formats whose trial takes seconds to import the framework."""
UNPINNED = [case for case in ONE_A_FORMAT.values() if not case.needs_pin]
NOTES = (".yaml", ".txt")
"""Endings of files in an MLflow folder that say how it was made."""

CHILD = """
import json, sys
import numpy as np, pyarrow.feather as feather
from airflow_batch_inference.exceptions import BatchInferenceError
from airflow_batch_inference.models.loading import TrustRequest, load_model
from airflow_batch_inference.storage.store import Storage
for job in json.load(sys.stdin):
    model = None
    try:
        trust = TrustRequest(sha256=job["sha256"])
        model = load_model(job["path"], storage=Storage(), trust=trust, options=job["options"]).model
        found = {method: model.predict(feather.read_table(job["batch"]), method=method) for method in model.methods}
        plain = {name: each.astype("U") if each.dtype == object else each for name, each in found.items()}
        np.savez(job["out"], **plain)
        said = [None, ""]
    except BatchInferenceError as error:
        said = [type(error).__name__, str(error)]
    except Exception as error:  # of predict: the engine reports those with the rows
        said = ["unexpected" if model is None else "PredictError", repr(error)]
    print(json.dumps([job["out"], *said]), flush=True)
"""


def job(saved, out, path=None):
    """Return what the child needs to load and score a model; it pins what lies there now, damaged or not."""
    path, batch = path or saved.path, out.with_suffix(".feather")
    feather.write_feather(saved.batch, batch)
    names = {"path": str(path), "batch": str(batch), "out": f"{out}.npz"}
    return {**names, "sha256": digest_of(path), "options": saved.options}


def in_child(jobs):
    """Load and score in one fresh process; what it said of each."""
    path = ":".join(entry or str(Path.cwd()) for entry in sys.path)
    environment = {"PYTHONPATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-c", CHILD]
    done = subprocess.run(command, input=json.dumps(jobs), capture_output=True, text=True, check=False, env=environment)
    lines = [line for line in done.stdout.splitlines() if line.startswith('["')]
    assert done.returncode == 0, f"exit {done.returncode} after {lines[-1:]}: {done.stderr[-2000:]}"
    return {out: (error, message) for out, error, message in map(json.loads, lines)}


def as_text(values):
    return values.astype("U") if values.dtype == object else values


def require_same(path, model, batch):
    """Compare what the child predicted with what this process does, bit for bit."""
    with np.load(path) as found:
        assert set(found) == set(model.methods)
        for method in found:
            np.testing.assert_array_equal(found[method], as_text(model.predict(batch, method=method)), err_msg=path)


def model_file(path):
    """Return the file that holds the model, or the largest part of it."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    models = [file for file in files if file == path or not (file.suffix in NOTES or file.name == "MLmodel")]
    return max(models, key=lambda file: file.stat().st_size)


def changed(saved, folder, change, file=None):
    """Copy a model and change one of its files."""
    target = folder / saved.path.name
    folder.mkdir(parents=True, exist_ok=True)
    file = file or model_file(saved.path)
    if saved.path.is_dir():
        shutil.copytree(saved.path, target)
    else:
        shutil.copyfile(saved.path, target)
    place = target / file.relative_to(saved.path) if saved.path.is_dir() else target
    place.write_bytes(change(file.read_bytes()))
    return target


def flipped(at):
    def change(content):
        start = int(len(content) * at)
        return content[:start] + bytes(byte ^ 0xFF for byte in content[start : start + 4]) + content[start + 4 :]

    return change


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def saved(case, library):
    return library.saved(case.name)


def test_every_flavor_and_every_format_of_it_has_a_case():
    known = {(name, each.name) for name in flavor_names() for each in get_flavor(name).formats}
    assert {(case.flavor, case.format) for case in CASES.values()} == known


def test_a_model_is_told_by_its_content_and_trusted_as_its_format_says(case, saved):
    flavor, found = recognise(saved.path, options=saved.options)
    assert (flavor.name, found.name, found.is_folder) == (case.flavor, case.format, saved.path.is_dir())
    assert found in flavor.formats
    assert (found.trust == "code") == case.needs_pin
    verified = load(saved, sha256=digest_of(saved.path))
    assert (verified.flavor, verified.format) == (case.flavor, case.format)
    assert verified.trust == ("sha256" if case.needs_pin else found.trust)


def test_telling_a_model_imports_no_framework(library):
    script = (
        "import json, sys; from pathlib import Path; from airflow_batch_inference.flavors.registry import recognise\n"
        "asked = json.load(sys.stdin)\n"
        "told = [recognise(Path(path), options=options)[1].name for path, options in asked]\n"
        f"print(json.dumps([told, sorted(set({FRAMEWORKS}) & set(sys.modules))]))"
    )
    asked = [[str(library.saved(name).path), library.saved(name).options] for name in CASES]
    path = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True, env=path)
    assert json.loads(done.stdout) == [[case.format for case in CASES.values()], []]


def test_a_fresh_process_predicts_the_same_bits(library, tmp_path):
    jobs = {name: job(library.saved(name), tmp_path / name) for name in CASES}
    said = in_child(list(jobs.values()))
    for name, each in jobs.items():
        assert said[each["out"]] == (None, ""), name
        require_same(each["out"], library.model(name), library.saved(name).batch)


def test_columns_are_found_by_name_in_any_order_and_a_missing_one_is_refused(case, saved, library):
    model, schema = library.model(case.name), saved.batch.schema
    arguments = {"inputs": model.inputs, "n_features": model.n_features, "where": "here"}
    if saved.names is None:
        with pytest.raises(SignatureMismatchError, match=rf"takes {len(schema)} columns by position, but here has"):
            plan_inputs(schema.remove(0), **arguments)
        return
    first = saved.names[0]
    shuffled = pa.schema([pa.field("other", pa.float64()), *reversed(list(schema)), pa.field("none", pa.null())])
    plan = plan_inputs(shuffled, **arguments)
    assert (plan.columns, plan.names, plan.ignored) == (saved.names, saved.names, ("other", "none"))
    with pytest.raises(SignatureMismatchError, match=rf"lacks 1 column\(s\) .*'{first}"):
        plan_inputs(schema.remove(0), **arguments)
    renamed = schema.set(0, schema.field(0).with_name(f"{first.upper()}_x"))
    with pytest.raises(SignatureMismatchError, match=f"needs: '{first}'"):
        plan_inputs(renamed, **arguments)


def test_a_column_of_another_type_is_refused_where_the_model_knows_its_own(case, saved, library):
    model = library.model(case.name)
    known = [spec.name for spec in model.inputs or () if spec.type != "any"]
    assert known or saved.names is None or case.flavor in ("sklearn", "mlflow", "torch"), "others know their types"
    for name in known:
        position = saved.batch.schema.get_field_index(name)
        wrong = saved.batch.schema.set(position, pa.field(name, pa.binary()))
        with pytest.raises(SignatureMismatchError, match="No cast between them is safe"):
            plan_inputs(wrong, inputs=model.inputs, n_features=model.n_features, where="here")


def test_a_missing_package_is_named_with_its_extra_in_one_line(case, saved, monkeypatch):
    monkeypatch.setitem(sys.modules, case.module, None)
    package = f"airflow-batch-inference[{case.extra}]" if case.extra else "airflow-batch-inference"
    with pytest.raises(FlavorNotInstalledError) as caught:
        load(saved, sha256=digest_of(saved.path))
    assert f"pip install '{package}'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_extras_are_those_of_the_flavors():
    for case in CASES.values():
        if case.flavor not in ("mlflow", "sklearn"):  # what lies in a folder or a skops file has an extra of its own
            assert (case.extra or None) == get_flavor(case.flavor).extra, case.name


@pytest.mark.parametrize("name", [case.name for case in CASES.values() if case.needs_pin])
def test_a_model_that_can_run_code_is_refused_without_a_pin(library, name):
    said = f"is {CASES[name].format}, which can run any code .*pin these very bytes"
    with pytest.raises(UntrustedModelError, match=said):
        load(library.saved(name))


def test_a_model_is_not_loaded_as_another_flavors(case, saved):
    others = set(flavor_names()) - {case.flavor}
    # The file within an MLflow folder may be named directly, which is the same file.
    others -= {"onnx"} if saved.path.is_dir() and (saved.path / "model.onnx").exists() else set()
    for other in sorted(others):
        with pytest.raises(FlavorNotFoundError, match=f"no file of the flavor '{other}'"):
            recognise(saved.path, flavor=other)
        with pytest.raises(FlavorNotFoundError, match=f"no file of the flavor '{other}'"):
            load(saved, flavor=other)


def test_a_file_under_the_name_of_another_format_is_refused(case, saved, tmp_path):
    if saved.path.is_dir():
        return  # a folder is told by what lies in it
    suffixes = {end for name in flavor_names() for known in get_flavor(name).formats for end in known.suffixes}
    own = {end for known in get_flavor(case.flavor).formats for end in known.suffixes}
    for suffix in sorted(suffixes - own):
        path = tmp_path / f"model{suffix}"
        shutil.copyfile(saved.path, path)
        if case.name == "torch-legacy-pickle" and (".pkl" in suffix or ".pickle" in suffix or ".joblib" in suffix):
            assert recognise(path)[1].trust == "code", "it is a pickle, whatever made it"
            continue
        with pytest.raises(FlavorNotFoundError, match=rf"model\{suffix}"):
            recognise(path)


def test_a_pin_tells_of_any_changed_byte(saved, tmp_path):
    pin = digest_of(saved.path)
    path = changed(saved, tmp_path / "x", lambda content: content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactIntegrityError, match="is not the file that was pinned"):
        load(saved, path=path, sha256=pin)


def test_load_options_that_a_flavor_does_not_know_are_refused(saved):
    with pytest.raises(ConfigurationError, match="load_options has 'nonsense', which the flavor"):
        load(saved, sha256=digest_of(saved.path), options={"nonsense": 1})


def cut(part):
    return lambda content: content[: int(len(content) * part)]


@pytest.mark.parametrize("part", [0.02, 0.5, 0.97])
@pytest.mark.parametrize("name", [case.name for case in UNPINNED])
def test_a_truncated_model_that_nobody_pinned_is_an_error_of_ours_and_never_a_crash(library, tmp_path, name, part):
    saved = library.saved(name)
    path = changed(saved, tmp_path / "x", cut(part))
    with pytest.raises(BatchInferenceError, match=path.name):
        load(saved, path=path)


FLIPS = [(case.name, at) for case in UNPINNED for at in ((0.4,) if case.format in SLOW else (0.1, 0.4, 0.8))]


@pytest.mark.parametrize(("name", "at"), FLIPS)
def test_flipped_bytes_that_nobody_pinned_crash_nothing(library, tmp_path, name, at):
    saved = library.saved(name)
    path = changed(saved, tmp_path / "x", flipped(at))
    try:
        model = load(saved, path=path).model
    except BatchInferenceError:
        return
    assert model.methods == tuple(saved.expected), "a flipped number cannot be told without a pin"
    if CASES[name].format in CHECKED - {"safetensors"}:
        np.testing.assert_array_equal(model.predict(saved.batch), saved.expected["predict"])


def damages(saved, kind):
    """Yield each file of a model with ways to damage it: cut off or, where its format could tell, a bit changed."""
    files = [saved.path] if saved.path.is_file() else sorted(saved.path.rglob("*"))
    rng = np.random.default_rng(1)
    for file in files:
        if not file.is_file() or (file.suffix in NOTES and file != saved.path):
            continue
        content = file.read_bytes()
        for size in (len(content) // 10, len(content) // 2, len(content) - 1):
            yield file, content[:size]
        # Nothing in a safetensors file can tell that a number was changed; its header is what can be damaged.
        last = 8 + int.from_bytes(content[:8], "little") if kind == "safetensors" else len(content)
        for place in rng.integers(0, last, 4 if kind in CHECKED else 0):
            bits = bytearray(content)
            bits[place] ^= 1 << int(rng.integers(0, 8))
            yield file, bytes(bits)


@pytest.mark.parametrize("flavor", flavor_names())
def test_a_damaged_file_that_was_pinned_is_an_error_of_ours_or_predicts_the_same(library, tmp_path, flavor):
    wanted = {}
    for case in ONE_A_FORMAT.values():
        if case.flavor != flavor:
            continue
        saved = library.saved(case.name)
        for number, (file, content) in enumerate(damages(saved, case.format)):
            folder = tmp_path / f"{case.name}-{number}"
            path = changed(saved, folder, lambda _, content=content: content, file)
            wanted[f"{folder / 'out'}.npz"] = case.name, job(saved, folder / "out", path)
    said = in_child([each for _, each in wanted.values()])
    errors = 0
    for out, (name, each) in wanted.items():
        error, message = said[out]
        errors += error is not None
        if error is None:
            require_same(out, library.model(name), library.saved(name).batch)
        else:
            assert error.endswith("Error"), (each["path"], error, message)
    assert errors > len(wanted) / 2, "damage that nobody notices proves nothing"
