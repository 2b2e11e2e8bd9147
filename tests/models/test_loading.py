from __future__ import annotations

import hashlib
import io
import os
import pickle
import re

import joblib
import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    ArtifactNotFoundError,
    ConfigurationError,
    FlavorNotFoundError,
    ModelLoadError,
    UntrustedModelError,
    WorkerError,
)
from airflow_batch_inference.flavors.base import LoadedModel
from airflow_batch_inference.flavors.sandbox import load as sandbox
from airflow_batch_inference.flavors.sandbox.probe import probe
from airflow_batch_inference.models.loading import load_model, load_recorded
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.records import ColumnSpec, ModelRecord
from airflow_batch_inference.storage.store import Storage

X = np.random.default_rng(5).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
BATCH = pa.table({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]})


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(path, **arguments):
    words = {name: arguments.pop(name) for name in ("sha256", "trusted") if name in arguments}
    return load_model(str(path), storage=Storage(), trust=TrustRequest(**words), **arguments)


class Payload:
    """Unpickling it makes a file: the trace of code that ran."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def tree(tmp_path):
    path = tmp_path / "tree.joblib"
    joblib.dump(DecisionTreeClassifier(random_state=1).fit(X, Y), path)
    return path


@pytest.fixture(scope="module")
def booster_text():
    parameters = {"objective": "binary", "verbose": -1, "min_data_in_leaf": 5, "num_threads": 1}
    return lgb.train(parameters, lgb.Dataset(X, Y), 5).model_to_string()


def record_of(verified, path, **changes):
    model = verified.model
    fields = {
        "name": "m",
        "model_uri": f"file://{path}",
        "conn_id": None,
        "sha256": verified.sha256,
        "size_bytes": verified.size_bytes,
        "flavor": verified.flavor,
        "format": verified.format,
        "trust": verified.trust,
        "trusted_types": verified.trusted_types,
        "trusted_by": verified.trusted_by,
        "load_options": dict(verified.options),
        "classes": None,
        "class_names": None,
        "inputs": model.inputs,
        "n_features": model.n_features,
        "output_names": model.output_names,
        "label_columns": None,
        "versions": dict(model.versions),
        "baseline_uri": None,
        "golden_uri": None,
        "tag": None,
    }
    return ModelRecord(**(fields | changes))


@pytest.mark.parametrize("name", ["m.pkl", "m.joblib", "m.joblib.z"])
def test_a_file_that_can_run_code_is_not_touched_without_a_pinned_digest(tmp_path, name):
    path, trace = tmp_path / name, tmp_path / "trace"
    joblib.dump(Payload(trace), path, compress=name.endswith(".z"))
    with pytest.raises(UntrustedModelError, match=f'run any code when it is loaded.*sha256="{sha256(path)}"'):
        load(path)
    with pytest.raises(ArtifactIntegrityError, match=rf"its SHA-256 is {sha256(path)}, sha256= says {'0' * 64}"):
        load(path, sha256="0" * 64)
    assert not trace.exists()
    with pytest.raises(ModelLoadError, match="no predict"):
        load(path, sha256=sha256(path))
    assert trace.exists(), "the payload proves nothing if it cannot run"


@pytest.mark.parametrize("spell", [str, str.upper, "sha256:{}".format, " {}\n".format])
def test_the_right_digest_in_any_spelling_loads_the_file(tree, spell):
    verified = load(tree, sha256=spell(sha256(tree)))
    assert (verified.flavor, verified.format, verified.trust) == ("sklearn", "joblib", "sha256")
    assert (verified.sha256, verified.size_bytes) == (sha256(tree), tree.stat().st_size)
    np.testing.assert_array_equal(verified.model.predict(BATCH), Y)


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, "sha1:" + "0" * 64, "0" * 63])
def test_a_digest_that_is_none_is_refused_before_anything_is_read(tmp_path, digest):
    with pytest.raises(ConfigurationError, match="64 hexadecimal digits"):
        load(tmp_path / "missing.joblib", sha256=digest)


@pytest.mark.parametrize("trusted", [True, "sklearn.tree._tree.Tree", [1]])
def test_trusted_must_be_a_list_of_names(tree, trusted):
    with pytest.raises(ConfigurationError, match="must be a list of full type names"):
        load(tree, trusted=trusted)


def test_trusted_types_do_not_open_a_format_that_can_run_code(tree):
    with pytest.raises(ConfigurationError, match=r"trusted= is for skops files, .* but .*tree\.joblib is joblib"):
        load(tree, trusted=["sklearn.tree._tree.Tree"])


def test_a_lightgbm_text_needs_no_pin(tmp_path, booster_text):
    path = tmp_path / "m.txt"
    path.write_text(booster_text)
    verified = load(path)
    assert (verified.flavor, verified.format, verified.trust) == ("lightgbm", "lightgbm-text", "data")
    np.testing.assert_array_equal(verified.model.predict(BATCH), lgb.Booster(model_str=booster_text).predict(X))


def change_first_tree(text, pattern, replacement):
    """Change the first tree of a LightGBM text, and its size, which LightGBM compares."""
    start, end = text.index("Tree=0"), text.index("Tree=1")
    block = re.sub(pattern, replacement, text[start:end], count=1)
    size = int(re.search(r"tree_sizes=(\d+)", text).group(1))
    grown = f"tree_sizes={size + len(block) - (end - start)}"
    return (text[:start] + block + text[end:]).replace(f"tree_sizes={size}", grown)


def test_a_lightgbm_text_without_leaves_is_refused_before_its_library_sees_it(tmp_path, booster_text):
    path = tmp_path / "m.txt"
    path.write_text(change_first_tree(booster_text, r"leaf_value=.*\n", ""))
    with pytest.raises(ModelLoadError, match="its leaf_value are 0, but should be 2"):
        load(path)


def test_a_lightgbm_text_whose_trees_cannot_be_followed_is_refused_before_they_are(tmp_path, booster_text):
    # The parser checks the size of each tree, but not that the first tree's features exist.
    path = tmp_path / "m.txt"
    path.write_text(change_first_tree(booster_text, r"split_feature=\d", "split_feature=2000000000"))
    with pytest.raises(ModelLoadError, match=r"Tree 0 .* is damaged: a split asks for input 2000000000 of 3"):
        load(path)


@pytest.mark.parametrize(
    ("predict", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"crashed the trial process .*SIGSEGV"),
        ("while True: pass", r"computed for too long to predict 4 rows .*perhaps without end.*pin its digest"),
        ("np.ones(2**34)", r"asks for more memory than 8 GiB to predict 4 rows .*pin its digest"),
        ("[bytearray(2**20) for _ in range(4000)]", r"took more than \d+ MiB of memory in a trial process"),
        ("raise ValueError", None),
    ],
)
def test_a_model_that_only_does_harm_when_it_predicts_is_refused_too(tmp_path, monkeypatch, predict, said):
    site = tmp_path / "site"
    info = site / "late-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[airflow_batch_inference.flavors]\nlate = late:Late\n")
    (site / "late.py").write_text(
        "import os, signal\n"
        "import numpy as np\n"
        "from airflow_batch_inference.flavors.base import Flavor, LoadedModel, ModelFormat\n"
        "class Late(Flavor, LoadedModel):\n"
        "    name, formats = 'late', (ModelFormat(name='late', suffixes=('.late',), trust='data'),)\n"
        "    n_features = 1\n"
        "    recognise = None\n"
        "    def load(self, path, *, model_format, trusted, options):\n"
        "        return self\n"
        "    def predict(self, batch):\n"
        f"        {predict}\n"
    )
    monkeypatch.syspath_prepend(site)
    (tmp_path / "m.late").write_bytes(b"x")
    arguments = {"trusted": (), "where": "here"}
    if said is None:
        sandbox.load_in_subprocess("late", "late", tmp_path / "m.late", **arguments)  # a model may refuse nulls
    else:
        with pytest.raises(ModelLoadError, match=said):
            sandbox.load_in_subprocess("late", "late", tmp_path / "m.late", **arguments)


def test_a_truncated_lightgbm_text_is_refused(tmp_path, booster_text):
    path = tmp_path / "m.txt"
    path.write_text(booster_text[: len(booster_text) // 2])
    with pytest.raises(ModelLoadError, match="cut off"):
        load(path)


def test_a_trial_that_takes_too_long_is_ended(tmp_path, booster_text):
    path = tmp_path / "m.txt"
    path.write_text(booster_text)
    with pytest.raises(WorkerError, match=r"not loaded after 0.01 s .*says nothing of the file.* pin its digest"):
        sandbox.load_in_subprocess("lightgbm", "lightgbm-text", path, trusted=(), where="here", timeout_s=0.01)


def test_the_child_of_a_trial_sees_no_secret_of_this_process(tmp_path, monkeypatch):
    site = tmp_path / "site"
    info = site / "spy-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spy\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[airflow_batch_inference.flavors]\nspy = spy:Spy\n")
    (site / "spy.py").write_text(
        "import os\n"
        "from airflow_batch_inference.flavors.base import Flavor, LoadedModel, ModelFormat\n"
        "class Spy(Flavor, LoadedModel):\n"
        "    name, formats = 'spy', (ModelFormat(name='spy', suffixes=('.spy',), trust='data'),)\n"
        "    recognise = None\n"
        "    def load(self, path, *, model_format, trusted, options):\n"
        "        raise ValueError(sorted(os.environ))\n"
    )
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    with pytest.raises(ModelLoadError, match=r"ValueError: .*'PYTHONPATH'") as caught:
        sandbox.load_in_subprocess("spy", "spy", tmp_path, trusted=(), where="here")
    assert "AIRFLOW" not in str(caught.value)


def test_a_probe_asks_for_every_column_and_forgives_a_model_that_refuses():
    class Picky(LoadedModel):
        inputs = (ColumnSpec(name="a", type="double"), ColumnSpec(name="town", type="string"))

        def predict(self, batch):
            self.asked = batch.schema
            raise ValueError

    model = Picky()
    probe(model, where="here")
    assert model.asked == pa.schema({"a": pa.float64(), "town": pa.string()})


def test_a_skops_file_is_judged_by_its_types_even_in_the_child(tmp_path):
    path = tmp_path / "m.skops"
    skops.io.dump(KNeighborsClassifier(algorithm="kd_tree").fit(X, Y), path)
    with pytest.raises(UntrustedModelError, match=r"m\.skops .*KDTree.*pass trusted=\["):
        load(path)
    foreign = skops.io.get_untrusted_types(file=path)
    verified = load(path, trusted=foreign)
    assert (verified.trust, verified.trusted_types) == ("allow-list", tuple(foreign))
    again = load_recorded(record_of(verified, path), storage=Storage())
    np.testing.assert_array_equal(again.predict(BATCH), verified.model.predict(BATCH))


@pytest.mark.parametrize("name", ["m.joblib", "m.pkl", "m.skops"])
@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_file_is_a_load_error_with_its_cause(tmp_path, name, keep):
    whole = io.BytesIO()
    (skops.io.dump if name == "m.skops" else joblib.dump)(LogisticRegression().fit(X, Y), whole)
    path = tmp_path / name
    path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * keep)])
    with pytest.raises(ModelLoadError, match=rf"{name}.* cannot be loaded.* damaged") as caught:
        load(path, sha256=sha256(path))
    assert caught.value.__cause__ is not None


def test_a_missing_file_may_still_arrive(tmp_path):
    with pytest.raises(ArtifactNotFoundError, match="Nothing lies at") as caught:
        load(tmp_path / "m.skops")
    assert caught.value.retryable


def test_a_folder_that_no_flavor_knows_is_refused_with_what_lies_in_it(tmp_path):
    (tmp_path / "notes.md").write_text("hello")
    with pytest.raises(FlavorNotFoundError, match=r"it is a folder with notes\.md"):
        load(tmp_path)


def test_an_empty_folder_holds_no_model(tmp_path):
    with pytest.raises(ArtifactIntegrityError, match="is an empty folder"):
        load(tmp_path)


def test_an_empty_file_holds_no_model(tmp_path):
    (tmp_path / "m.txt").touch()
    with pytest.raises(ArtifactIntegrityError, match=r"m\.txt is an empty file"):
        load(tmp_path / "m.txt")


def test_a_flavor_named_by_the_caller_does_not_override_what_the_file_is(tree):
    with pytest.raises(FlavorNotFoundError, match="no file of the flavor 'lightgbm'"):
        load(tree, flavor="lightgbm", sha256=sha256(tree))


def test_a_recorded_model_is_loaded_again_from_the_same_bytes_only(tree):
    record = record_of(load(tree, sha256=sha256(tree)), tree)
    np.testing.assert_array_equal(load_recorded(record, storage=Storage()).predict(BATCH), Y)
    old = record.sha256
    tree.write_bytes(pickle.dumps(Payload(tree.parent / "trace")))
    with pytest.raises(ArtifactIntegrityError, match=rf"was replaced since load_model ran: .*{sha256(tree)}.*{old}"):
        load_recorded(record, storage=Storage())
    assert not (tree.parent / "trace").exists()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"trust": "data"}, UntrustedModelError, "trust 'data', but a joblib file can run code"),
        ({"format": "onnx"}, ModelLoadError, "recorded as 'onnx', which the flavor 'sklearn' does not load: joblib"),
        ({"flavor": "gone"}, FlavorNotFoundError, "no flavor 'gone'"),
    ],
)
def test_a_record_that_does_not_hold_together_is_refused(tree, changes, error, message):
    record = record_of(load(tree, sha256=sha256(tree)), tree, **changes)
    with pytest.raises(error, match=message):
        load_recorded(record, storage=Storage())


def test_no_private_copy_is_left_behind(tree, tmp_path, monkeypatch):
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(private))
    load(tree, sha256=sha256(tree))
    with pytest.raises(UntrustedModelError):
        load(tree)
    assert list(private.iterdir()) == []


def test_a_small_file_that_unfolds_into_all_memory_is_refused_by_its_trial(tmp_path, monkeypatch):
    site = tmp_path / "site"
    info = site / "bomb-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bomb\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[airflow_batch_inference.flavors]\nbomb = bomb:Bomb\n")
    (site / "bomb.py").write_text(
        "import numpy as np\n"
        "from airflow_batch_inference.flavors.base import Flavor, LoadedModel, ModelFormat\n"
        "class Bomb(Flavor, LoadedModel):\n"
        "    name, formats = 'bomb', (ModelFormat(name='bomb', suffixes=('.bomb',), trust='data'),)\n"
        "    recognise = None\n"
        "    def load(self, path, *, model_format, trusted, options):\n"
        "        np.ones(2**31)\n"
    )
    monkeypatch.syspath_prepend(site)
    (tmp_path / "m.bomb").write_bytes(b"x")
    with pytest.raises(ModelLoadError, match=r"Unable to allocate 16\.0 GiB"):
        sandbox.load_in_subprocess("bomb", "bomb", tmp_path / "m.bomb", trusted=(), where="here")
