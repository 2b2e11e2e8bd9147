"""Models that nobody vouches for, in a process of their own: the same answers, and only news of what ends it."""

from __future__ import annotations

import os
import pickle
import signal
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest
from endless_network import spinning

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError, WorkerError
from airflow_batch_inference.flavors.construction import construct
from airflow_batch_inference.models import process as model_process
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.loading import load_model, load_recorded
from airflow_batch_inference.models.process import ModelProcess
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.storage import handover
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.register_model import GoldenRequest, register_model

ONNX = ("onnx", "onnx")


@pytest.fixture
def network(tmp_path):
    return spinning(tmp_path / "m.onnx")


@pytest.fixture
def apart(network):
    return ModelProcess(*ONNX, network, trusted=(), where=str(network), options={})


@pytest.fixture
def trees(tmp_path):
    data = lgb.Dataset(np.arange(40.0).reshape(-1, 1), np.arange(40.0), feature_name=["x"])
    path = tmp_path / "trees.txt"
    lgb.train({"verbosity": -1, "min_data_in_leaf": 5}, data, num_boost_round=2).save_model(path)
    return path


class _Deaf:
    """The end of a pipe that takes what is sent to nobody."""

    def __init__(self, connection):
        self.poll, self.recv_bytes, self.close = connection.poll, connection.recv_bytes, connection.close

    def send_bytes(self, data):
        pass


def rows(*values):
    return pa.table({"x": pa.array(values, pa.float32())})


def test_it_says_and_answers_what_the_model_does(network, apart):
    here = construct(*ONNX, network, trusted=(), where="here")
    for name in model_process._FACTS:
        assert getattr(apart, name) == getattr(here, name), name
    batch = rows(1.5, -2.0, 3.25)
    assert apart.example(batch) == here.example(batch)
    np.testing.assert_array_equal(apart.predict(batch), here.predict(batch))
    both = {"methods": ("predict",), "kwargs": {}}
    theirs, ours = apart.predict_all(batch, **both), here.predict_all(batch, **both)
    assert list(theirs) == list(ours)
    np.testing.assert_array_equal(theirs["predict"], ours["predict"])
    assert apart.output_names == here.output_names


def test_an_error_of_the_model_is_raised_here_and_it_goes_on(apart):
    with pytest.raises(ConfigurationError, match="no method 'predict_proba'"):
        apart.predict(rows(1.0), method="predict_proba")
    assert np.ravel(apart.predict(rows(1.0))) == [1.0]


def test_a_call_without_end_is_an_error_and_so_are_those_after_it(apart):
    apart._timeout_s = 1.0
    with pytest.raises(ModelLoadError, match=r"m\.onnx.* gave no answer for 1 s and was killed .*predict.*sha256="):
        apart.predict(rows(5.0))
    with pytest.raises(ModelLoadError, match="gave no answer"):
        apart.predict(rows(1.0))


@pytest.mark.parametrize(("by", "kind"), [(signal.SIGSEGV, ModelLoadError), (signal.SIGKILL, WorkerError)])
def test_a_death_of_its_process_is_an_error(apart, by, kind):
    os.kill(apart._process.pid, by)
    with pytest.raises(kind, match=rf"ended \({by.name}\) when the model was asked for predict"):
        apart.predict(rows(1.0))


def test_an_answer_that_nobody_waited_for_is_not_that_of_the_next_call(apart, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ModelProcess, "_answer", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            apart.predict(rows(1.0, 2.0))
    with pytest.raises(WorkerError, match=r"m\.onnx: a call of this model was given up"):
        apart.predict(rows(3.0))


def test_threads_get_the_answers_to_their_own_calls(apart):
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda size: np.ravel(apart.predict(rows(*[-size] * size))), [1, 2, 3, 4] * 20))
    for size, answer in zip([1, 2, 3, 4] * 20, found, strict=True):
        np.testing.assert_array_equal(answer, [-size] * size)


def test_an_answer_that_breaks_off_is_told(apart):
    process = apart._process
    read, write = Pipe(duplex=False)
    apart._pipe = handover.Pipe(_Deaf(read))
    os.write(write.fileno(), struct.pack("!i", 1000) + b"half of it")
    write.close()
    process.kill()
    with pytest.raises(WorkerError, match=r"ended .SIGKILL. when the model was asked for predict"):
        apart.predict(rows(1.0))


@pytest.mark.parametrize(
    "kind", [pa.float32(), pa.string(), pa.list_(pa.int64()), pa.dictionary(pa.int32(), pa.string())]
)
def test_a_row_goes_through_the_pipe_without_those_around_it(kind):
    values = pa.array([["1", "2"][i % 2] for i in range(50_000)]).cast(pa.int64())
    values = (
        pa.array([[each] for each in values.to_pylist()], kind)
        if pa.types.is_list(kind)
        else values.cast(pa.string() if pa.types.is_dictionary(kind) else kind)
    )
    values = values.dictionary_encode() if pa.types.is_dictionary(kind) else values
    table = pa.table({"x": values, "none": pa.nulls(50_000)}).replace_schema_metadata({"k": "v"})
    alone = model_process._alone(table.slice(30_001, 3))
    assert alone.equals(table.slice(30_001, 3), check_metadata=True)
    assert len(pickle.dumps(alone)) < 2000
    assert model_process._alone(table) is table
    assert model_process._alone(table.slice(7, 0)).equals(table.slice(7, 0))


def test_it_ends_with_whoever_holds_it(apart):
    process = apart._process
    apart.close()
    assert process.poll() is not None
    with pytest.raises(ModelLoadError, match="other processes score with it"):
        apart.predict(rows(1.0))


def test_what_cannot_be_loaded_there_says_why(tmp_path, network):
    path = tmp_path / "bad.onnx"
    path.write_bytes(network.read_bytes()[:60])
    with pytest.raises(ModelLoadError, match=r"s3://b/bad\.onnx"):
        ModelProcess(*ONNX, path, trusted=(), where="s3://b/bad.onnx", options={})


def test_a_pinned_file_is_loaded_here_and_others_are_not(network, trees):
    for path in (network, trees):
        assert isinstance(load_model(str(path), storage=Storage()).model, ModelProcess)
    pinned = TrustRequest(sha256=sha256_of(network))
    assert not isinstance(load_model(str(network), storage=Storage(), trust=pinned).model, ModelProcess)
    assert not isinstance(load_model(str(trees), storage=Storage(), apart=False).model, ModelProcess)


def test_rows_that_spring_it_fail_the_baseline_and_the_golden_set(network, tmp_path, monkeypatch):
    monkeypatch.setattr(model_process, "CALL_TIMEOUT_S", 2.0)
    storage, root = Storage(), str(tmp_path / "root")
    request = ModelRequest(model_uri=str(network))
    sample = [{"x": float(value)} for value in (1, 2, 5, 3)]
    for asked in ({"sample_set": sample}, {"golden": GoldenRequest(dataset=sample)}):
        with pytest.raises(ModelLoadError, match="gave no answer for 2 s"):
            register_model(request, root=root, storage=storage, model_storage=storage, **asked)
    _, record = register_model(request, root=root, sample_set=sample[:2], storage=storage, model_storage=storage)
    assert isinstance(load_recorded(record, storage=storage), ModelProcess)


def test_the_library_is_never_imported_by_the_task(network, tmp_path):
    """It is not, where a model is loaded, described, stored with a baseline and scored."""
    code = f"""
import sys
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.workflows.register_model import GoldenRequest, register_model
from airflow_batch_inference.storage.store import Storage
rows = [{{"x": 1.0}}, {{"x": 2.0}}]
register_model(ModelRequest(model_uri={str(network)!r}), root={str(tmp_path / "root")!r}, sample_set=rows,
    golden=GoldenRequest(dataset=rows), storage=Storage(), model_storage=Storage())
assert "onnxruntime" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
