"""What a child process finds out about a file that nobody vouches for, and what its end means."""

from __future__ import annotations

import logging
import os
import pickle
import re
import resource
import subprocess
import sys

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest
from onnx import TensorProto, helper

from airflow_batch_inference.exceptions import ModelLoadError, UntrustedModelError, WorkerError
from airflow_batch_inference.flavors import tried
from airflow_batch_inference.flavors.onnx.files import read_onnx
from airflow_batch_inference.flavors.pickled import imported_names
from airflow_batch_inference.flavors.sandbox import load as sandbox
from airflow_batch_inference.models.loading import load_model, load_recorded
from airflow_batch_inference.models.recognition import look_at
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.processes import limited_child
from airflow_batch_inference.records import ModelRecord
from airflow_batch_inference.storage.store import Storage

X = np.random.default_rng(5).normal(size=(60, 3))
FLAVOR = """
import os, signal, sys, time
from airflow_batch_inference.flavors.base import Flavor, LoadedModel, ModelFormat
class Odd(Flavor, LoadedModel):
    name, formats = "odd", (ModelFormat(name="odd", suffixes=(".odd",), trust="data"),)
    n_features, versions, methods = 1, {{}}, ("predict", "contributions")
    def recognise(self, path, head):
        return self.formats[0] if head == b"odd" else None
    def load(self, path, *, model_format, trusted, options):
        {load}
        return self
    def predict(self, batch, *, method="predict", kwargs=None):
        if method == "contributions":
            {explain}
        if kwargs:
            {call}
"""


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """Install a flavor that does something odd, and return its file."""

    def install(load="pass", explain="pass", call="pass"):
        site = tmp_path / "site"
        info = site / "odd-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[airflow_batch_inference.flavors]\nodd = odd:Odd\n")
        (site / "odd.py").write_text(FLAVOR.format(load=load, explain=explain, call=call))
        monkeypatch.syspath_prepend(site)
        path = tmp_path / "m.odd"
        path.write_bytes(b"odd")
        return path

    return install


@pytest.fixture(autouse=True)
def no_marks(tmp_path, monkeypatch):
    """Let no other test have tried anything out."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


@pytest.fixture(scope="module")
def booster_text():
    parameters = {"objective": "binary", "verbose": -1, "min_data_in_leaf": 5, "num_threads": 1}
    return lgb.train(parameters, lgb.Dataset(X, (X[:, 0] > 0) * 1), 5).model_to_string()


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"])
def test_a_trial_that_is_killed_from_outside_says_nothing_of_the_file(odd, name):
    path = odd(load=f"signal.signal(signal.SIGINT, signal.SIG_DFL); os.kill(os.getpid(), signal.{name})")
    with pytest.raises(WorkerError, match=rf"ended from outside \({name}\).*says nothing of the file.*pin") as caught:
        load_model(str(path), storage=Storage())
    assert caught.value.retryable


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGXCPU"])
def test_a_trial_that_ends_by_what_the_file_makes_it_do_is_the_files_fault(odd, name):
    with pytest.raises(ModelLoadError, match=r"crashed|computed for too long") as caught:
        load_model(str(odd(load=f"os.kill(os.getpid(), signal.{name})")), storage=Storage())
    assert not caught.value.retryable


def test_a_trial_that_waits_and_does_not_compute_is_tried_again(odd):
    path = odd(load="time.sleep(600)")
    with pytest.raises(WorkerError, match=r"not loaded after 2 s .* got \d\.\d s of processor time"):
        sandbox.load_in_subprocess("odd", "odd", path, trusted=(), where="here", timeout_s=2)


@pytest.mark.slow  # the processor time of a load
def test_processor_time_is_limited_from_the_start(odd):
    with pytest.raises(ModelLoadError, match=r"computed for too long to be loaded .*\d\d s of processor time"):
        load_model(str(odd(load="all(True for _ in iter(int, 1))")), storage=Storage())


def test_the_log_says_that_a_trial_is_at_work_and_how_long_it_may_take(odd, caplog, monkeypatch):
    monkeypatch.setattr(limited_child, "_TOLD_EVERY_S", 0.01)
    with caplog.at_level(logging.INFO):
        load_model(str(odd()), storage=Storage())
    assert re.search(r"at most 30 s of processor time, which a busy machine may take 300 s for", caplog.text)
    assert re.search(r"The trial of .*m\.odd is still at work after 0 s of 300 s", caplog.text)


def test_whatever_a_framework_prints_little_of_it_is_kept(odd):
    path = odd(load="[sys.stderr.write('x' * 2**20) for _ in range(64)]; os.abort()")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelLoadError, match=r"SIGABRT\): x{200}\. It is damaged"):
        load_model(str(path), storage=Storage())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10


@pytest.mark.parametrize(("where", "said"), [("explain", "by contributions"), ("call", "by predict")])
def test_every_method_is_tried_and_what_it_is_called_with(odd, where, said):
    path = odd(**{where: "os.abort()"})
    with pytest.raises(ModelLoadError, match=rf"crashed .*to predict 4 rows {said} \(SIGABRT\)"):
        load_model(str(path), storage=Storage(), kwargs={"depth": 3})


def chain(levels):
    """Return a LightGBM text of one tree in which each split has one leaf and the next split."""
    nodes = np.arange(levels)
    lines = {
        "num_leaves": levels + 1,
        "num_cat": 0,
        "split_feature": np.zeros(levels, int),
        "split_gain": np.ones(levels, int),
        "threshold": -nodes,
        "decision_type": np.full(levels, 2),
        "left_child": np.append(nodes[1:], -levels - 1),
        "right_child": -nodes - 1,
        "leaf_value": np.zeros(levels + 1, int),
        "leaf_weight": np.ones(levels + 1, int),
        "leaf_count": np.ones(levels + 1, int),
        "internal_value": np.zeros(levels, int),
        "internal_weight": np.ones(levels, int),
        "internal_count": np.full(levels, levels),
        "is_linear": 0,
        "shrinkage": 1,
    }
    tree = "".join(f"{name}={' '.join(map(str, np.atleast_1d(each)))}\n" for name, each in lines.items())
    block = f"Tree=0\n{tree}\n\n"
    return (
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\n"
        f"objective=regression\nfeature_names=a\nfeature_infos=[-9999:9999]\ntree_sizes={len(block)}\n\n{block}"
        "end of trees\n\nfeature_importances:\n\nparameters:\n\nend of parameters\n\npandas_categorical:null\n"
    )


def test_a_chain_of_splits_is_refused_before_anything_follows_it(tmp_path):
    path = tmp_path / "m.txt"
    path.write_text(chain(2_500))
    with pytest.raises(ModelLoadError, match=r"Tree 0 .* more than 2000 levels"):
        load_model(str(path), storage=Storage())
    path.write_text(chain(300))
    found = load_model(str(path), storage=Storage()).model
    rows = pa.table({"a": [-1.5, 0.0, 7.0]})
    expected = lgb.Booster(model_str=chain(300)).predict(np.array([[-1.5], [0.0], [7.0]]), pred_contrib=True)
    np.testing.assert_array_equal(found.predict(rows, method="contributions"), expected)


def with_functions(path, calls):
    """Write an ONNX file in which function i calls those that ``calls`` names for it."""
    operators = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = []
    for name, inner in calls.items():
        values = [f"v{place}" for place in range(len(inner) + 1)]
        nodes = [
            helper.make_node(each, [values[place]], [values[place + 1]], domain="own" if each in calls else "")
            for place, each in enumerate(inner)
        ]
        functions.append(helper.make_function("own", name, ["v0"], values[-1:], nodes, operators))
    graph = helper.make_graph(
        [helper.make_node(next(iter(calls)), ["x"], ["y"], domain="own")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
    )
    path.write_bytes(
        helper.make_model(graph, opset_imports=operators, functions=functions, ir_version=9).SerializeToString()
    )
    return path


def test_functions_that_unfold_without_measure_are_refused_before_they_do(tmp_path):
    path = tmp_path / "m.onnx"
    doubling = {f"f{i}": [f"f{i + 1}"] * 2 for i in range(40)} | {"f40": ["Neg"]}
    with pytest.raises(ModelLoadError, match=r"unfolds into 3\.3e\+12 nodes; there may be 1,000,000"):
        load_model(str(with_functions(path, doubling)), storage=Storage())
    with pytest.raises(ModelLoadError, match="more than 64 levels deep, or without end"):
        read_onnx(with_functions(path, {"f": ["g"], "g": ["f"]}), folder=None)
    deep = {f"f{i}": [f"f{i + 1}"] for i in range(5000)} | {"f5000": ["Neg"]}
    with pytest.raises(ModelLoadError, match="more than 64 levels deep"):
        read_onnx(with_functions(path, deep), folder=None)


def test_functions_that_call_each_other_as_exporters_write_them_are_fine(tmp_path):
    path = with_functions(tmp_path / "m.onnx", {"f": ["g", "g"], "g": ["Neg", "Abs"]})
    model = load_model(str(path), storage=Storage()).model
    np.testing.assert_array_equal(np.ravel(model.predict(pa.table({"x": [-2.0, 3.0]}))), [2.0, 3.0])


HOSTILE_PICKLES = {
    "one long name": b"c" * 8_000_000,
    "names in lines": b"ca\n" * 2_000_000,
    "many short strings": b"\x8c\x05aqq" * 1_000_000,
    "starts of strings": b"\x8c" * 8_000_000,
    "memo within names": b"\x8c\x04aaaa\x94\x8c\x04aaaaq\x8c" * 500_000,
    "lines of names": (b"c" * 254 + b"\nx\n") * 30_000,
    "names that end badly": (b"c" * 250 + b"!\n") * 30_000,
}


@pytest.mark.parametrize("content", HOSTILE_PICKLES.values(), ids=HOSTILE_PICKLES)
def test_a_pickle_is_searched_in_time_that_grows_with_its_size_only(tmp_path, content):
    # A search of squared time needs days for these: the processor time of the child, not the clock, ends it.
    path = tmp_path / "m.pkl"
    path.write_bytes(b"\x80\x04" + content)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n"
        "from pathlib import Path; from airflow_batch_inference.flavors.pickled import imported_by_file\n"
        "print(len(imported_by_file(Path(sys.argv[1]))))"
    )
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, str(path)], env=environment, check=False, capture_output=True)
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])


@pytest.mark.parametrize("protocol", range(6))
def test_what_a_pickle_imports_is_found_in_each_protocol_and_between_raw_bytes(protocol):
    content = pickle.dumps(np.dtype("f8"), protocol)
    raw = bytes(range(256)) * 3
    assert imported_names(raw + content + raw) == imported_names(content) == ("numpy.dtype",)


def test_a_file_that_nobody_vouches_for_is_recognised_in_a_child_only(tmp_path, booster_text, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError

    monkeypatch.setattr("airflow_batch_inference.models.loading.recognise", refuse)
    path = tmp_path / "m.txt"
    path.write_text(booster_text)
    assert look_at(str(path), storage=Storage()).format == "lightgbm-text"
    assert load_model(str(path), storage=Storage()).format == "lightgbm-text"
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(os.system))
    assert look_at(str(tmp_path / "m.pkl"), storage=Storage()).imports == ("posix.system",)
    with pytest.raises(UntrustedModelError, match=r"import at least posix\.system"):
        load_model(str(tmp_path / "m.pkl"), storage=Storage())


def record_of(verified, path, **changes):
    fields = {name: getattr(verified, name) for name in ("sha256", "size_bytes", "flavor", "format", "trust")}
    fields |= {"name": "m", "model_uri": f"file://{path}", "trusted_types": (), "trusted_by": verified.trusted_by}
    fields |= {"load_options": {}, "versions": {}, "n_features": 3}
    rest = ("conn_id", "inputs", "output_names", "classes", "class_names", "label_columns", "baseline_uri")
    return ModelRecord(**(dict.fromkeys((*rest, "golden_uri", "tag")) | fields | changes))


@pytest.fixture
def trials(monkeypatch):
    """Count the trials of recorded models."""
    made = []

    def counted(*arguments, **words):
        made.append(arguments[:2])
        return sandbox.load_in_subprocess(*arguments, **words)

    monkeypatch.setattr("airflow_batch_inference.models.loading.load_in_subprocess", counted)
    return made


def test_a_forged_record_of_a_damaged_file_does_not_spare_its_trial(tmp_path, booster_text, trials):
    good, bad = tmp_path / "good.txt", tmp_path / "m.txt"
    good.write_text(booster_text)
    verified = load_model(str(good), storage=Storage())
    bad.write_text(re.sub(r"left_child=\S+", "left_child=-3000", booster_text, count=1))
    forged = record_of(verified, bad, sha256=look_at(str(bad), storage=Storage()).sha256)
    with pytest.raises(ModelLoadError, match="damaged"):
        load_recorded(forged, storage=Storage())
    assert trials == [("lightgbm", "lightgbm-text")]


def test_a_model_is_tried_once_a_machine(tmp_path, booster_text, trials, no_marks):
    path = tmp_path / "m.txt"
    path.write_text(booster_text)
    record = record_of(load_model(str(path), storage=Storage()), path)
    load_recorded(record, storage=Storage())
    assert trials == []
    (marks,) = no_marks.glob("airflow-batch-inference-tried-*")
    for mark in marks.iterdir():
        mark.unlink()
    load_recorded(record, storage=Storage())
    load_recorded(record, storage=Storage())
    assert len(trials) == 1
    marks.chmod(0o777)  # anybody could have made a mark
    load_recorded(record, storage=Storage())
    assert len(trials) == 2


def test_a_mark_is_of_the_options_and_packages_that_the_trial_was_made_with(monkeypatch):
    tried.note_tried("0" * 64, "lightgbm", "lightgbm-text", (), {"a": 1})
    assert tried.was_tried("0" * 64, "lightgbm", "lightgbm-text", [], {"a": 1})
    assert not tried.was_tried("0" * 64, "lightgbm", "lightgbm-text", [], {"a": 2})
    assert not tried.was_tried("1" * 64, "lightgbm", "lightgbm-text", [], {"a": 1})
    monkeypatch.setattr(tried, "_versions", lambda flavor: ["other"])
    assert not tried.was_tried("0" * 64, "lightgbm", "lightgbm-text", [], {"a": 1})


def test_a_pin_is_recorded_whatever_the_format_and_saves_the_trial_of_later_tasks(tmp_path, booster_text, trials):
    path = tmp_path / "m.txt"
    path.write_text(booster_text)
    digest = look_at(str(path), storage=Storage()).sha256
    pinned = load_model(str(path), storage=Storage(), trust=TrustRequest(sha256=digest, asked_by="dag d, task t"))
    assert (pinned.trust, pinned.trusted_by) == ("data", "sha256= in dag d, task t")
    configured = load_model(str(path), storage=Storage(), trust=TrustRequest(config_sha256=[digest]))
    assert configured.trusted_by == "[batch_inference] trusted_sha256"
    load_recorded(record_of(pinned, path), storage=Storage())
    assert trials == []


@pytest.mark.parametrize("by", [None, "sha256= in somebody"])
def test_a_record_that_takes_a_file_for_another_format_is_refused(tmp_path, booster_text, by):
    path = tmp_path / "m.txt"
    path.write_text(booster_text)
    verified = load_model(str(path), storage=Storage())
    (tmp_path / "m.joblib").write_bytes(pickle.dumps(os.getcwd))
    forged = record_of(
        verified, tmp_path / "m.joblib", sha256=look_at(str(tmp_path / "m.joblib"), storage=Storage()).sha256,
        flavor="sklearn", format="skops", trust="allow-list", trusted_by=by,
    )  # fmt: skip
    with pytest.raises(UntrustedModelError, match="says that it is skops, but by its bytes it is joblib"):
        load_recorded(forged, storage=Storage())
