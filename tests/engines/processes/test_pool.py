"""Worker processes: the same bytes as one process, deaths survived, rows that kill, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import lightgbm as lgb
import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from poisoned import make_model

from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.exceptions import PredictionError, TooManyRejectedRowsError, WorkerError
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.workflows.register_model import register_model
from airflow_batch_inference.workflows.score import score_dataset

ROWS = 4_000


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory):
    """A pickled model of a class that only this test knows, and the record of it."""
    path = make_model(tmp_path_factory.mktemp("poisoned"))
    yield path
    sys.path.remove(str(path.parent))


@pytest.fixture
def score(bench, monkeypatch):
    """Score a file with a model file, in worker processes."""
    monkeypatch.setattr(plan, "_PART_ROWS", 500)

    def run(source, model, *, workers=2, root=None, timeout_s=None, isolate=False, stopped=lambda: False, **changes):
        import hashlib

        digest = hashlib.sha256(Path(model).read_bytes()).hexdigest()
        bench.root = root or bench.root
        _, record = register_model(
            ModelRequest(model_uri=str(model), trust=TrustRequest(sha256=digest)),
            root=str(bench.root), sample_set=None, storage=bench.storage, model_storage=bench.storage,
        )  # fmt: skip
        request = replace(bench.request(source, models=single_model(record, storage=bench.storage)), **changes)
        return score_dataset(
            request, storage=bench.storage, stopped=stopped,
            resources=Resources(max_workers=workers, timeout_s=timeout_s, means="processes", isolate=isolate),
        )  # fmt: skip

    return run


@pytest.fixture
def source(bench):
    def make(rows=ROWS, **poison):
        a = np.arange(rows, dtype=float)
        for row, value in poison.items():
            a[int(row.removeprefix("row_"))] = value
        return bench.write("in.parquet", {"a": a, "b": np.ones(rows)})

    return make


def children(parent=None):
    """Process ids of all workers that a process (this one) has started and that still run."""
    found = []
    for child in psutil.Process(parent).children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if is_running(child.pid) and "airflow_batch_inference.engines.processes.worker" in child.cmdline():
                found.append(child.pid)
    return found


def is_running(pid):
    """Say whether a process runs, and is no zombie."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_writes_the_same_bytes(bench, score, source, tmp_path, workers):
    x = np.random.default_rng(1).normal(size=(300, 2))
    booster = lgb.train({"verbose": -1}, lgb.Dataset(x, x[:, 0], feature_name=["a", "b"]), 5)
    booster.save_model(tmp_path / "m.txt")
    given = source()
    _, alone = score(given, tmp_path / "m.txt", workers=1, root=tmp_path / "alone")
    _, record = score(given, tmp_path / "m.txt", workers=workers, root=tmp_path / "many")
    assert [part.sha256 for part in record.parts] == [part.sha256 for part in alone.parts]
    assert len(record.parts) == ROWS / 500
    assert record.certificate == alone.certificate
    assert children() == []


def test_a_row_that_kills_the_process_is_named(bench, score, poisoned, source):
    with pytest.raises(PredictionError, match=r"in\.parquet, row 1234 \(from 0\): SIGSEGV"):
        score(source(row_1234=-1), poisoned, rows_per_batch=64)
    assert bench.visible() == []
    assert children() == []


def test_rows_that_kill_hang_or_raise_are_set_aside(bench, score, poisoned, source):
    given = source(row_1234=-1, row_2000=-2, row_3999=-3, rows=ROWS)
    policy = RowPolicy(error_threshold=3)
    _, record = score(given, poisoned, rows_per_batch=16, timeout_s=2.0, policy=policy)
    assert (record.rows_in, record.rows_out, record.rows_rejected) == (ROWS, ROWS - 3, 3)
    rejects = [row for part in record.quarantine for row in pq.read_table(part.uri.removeprefix("file://")).to_pylist()]
    assert [(row["_row"], row["_stage"], row["a"]) for row in rejects] == [
        (1234, "predict", -1.0),
        (2000, "predict", -2.0),
        (3999, "predict", -3.0),
    ]
    assert "SIGSEGV" in rejects[0]["_error"]
    assert "no sign of life for 2 s" in rejects[1]["_error"]
    assert "no such leaf" in rejects[2]["_error"]
    kept = np.delete(np.arange(ROWS), [1234, 2000, 3999])
    np.testing.assert_array_equal(bench.output(record).column("predicted_label"), kept + 2.0)


def test_a_first_row_that_kills_the_process_is_named(bench, score, poisoned, source):
    with pytest.raises(PredictionError, match=r"in\.parquet, row 5 \(from 0\): SIGSEGV"):
        score(source(row_5=-1), poisoned, rows_per_batch=64)
    assert bench.visible() == []


def test_first_rows_that_kill_or_hang_are_set_aside(bench, score, poisoned, source):
    given = source(row_0=-1, row_1=-2, row_3=-1)
    policy = RowPolicy(error_threshold=3)
    _, record = score(given, poisoned, rows_per_batch=16, timeout_s=2.0, policy=policy)
    assert (record.rows_out, record.rows_rejected) == (ROWS - 3, 3)
    rejects = [row for part in record.quarantine for row in pq.read_table(part.uri.removeprefix("file://")).to_pylist()]
    assert [row["_row"] for row in rejects] == [0, 1, 3]
    kept = np.delete(np.arange(ROWS), [0, 1, 3])
    np.testing.assert_array_equal(bench.output(record).column("predicted_label"), kept + 2.0)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_few_rows_that_all_kill_are_an_error(bench, score, poisoned, source, rows):
    with pytest.raises(TooManyRejectedRowsError, match=r"None of .* rows .* they ended the process that scored them"):
        score(source(rows=rows, **{f"row_{row}": -1 for row in range(rows)}), poisoned, isolate=True)
    assert bench.visible() == []


def test_a_model_that_kills_on_every_row_is_given_up(bench, score, poisoned):
    given = bench.write("in.parquet", {"a": np.full(200, -1.0), "b": np.ones(200)})
    with pytest.raises(WorkerError, match=r"SIGSEGV.* while it loaded or first tried the model"):
        score(given, poisoned, isolate=True)
    assert bench.visible() == []


def test_workers_that_somebody_kills_are_replaced(bench, score, poisoned, source, tmp_path):
    given = source(rows=20_000)
    _, expected = score(given, poisoned, root=tmp_path / "undisturbed")
    killed = []

    def kill_some():
        while not done.wait(0.15):
            for pid in children()[:1]:
                if len(killed) < 3:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    done = threading.Event()
    killer = threading.Thread(target=kill_some)
    killer.start()
    try:
        _, record = score(given, poisoned, root=tmp_path / "disturbed")
    finally:
        done.set()
        killer.join()
    assert killed
    assert [part.sha256 for part in record.parts] == [part.sha256 for part in expected.parts]


def test_a_stop_kills_the_workers_within_moments(bench, score, poisoned, source):
    asked = time.monotonic()
    with pytest.raises(InterruptedError):
        score(source(row_100=-2), poisoned, stopped=lambda: time.monotonic() - asked > 4)
    assert time.monotonic() - asked < 8
    assert children() == []
    assert bench.visible() == []


def test_a_model_that_kills_while_it_loads_is_an_error_and_no_endless_loop(bench, score, poisoned, source):
    with pytest.raises(WorkerError, match="while it loaded or first tried the model"):
        score(source(), poisoned, environment={"POISONED_KILLS": "1"})
    assert children() == []


def test_workers_die_with_their_parent(bench, score, poisoned, source, tmp_path):
    request = bench.folder / "parent.py"
    request.write_text(
        f"""
import sys, time
sys.path.insert(0, {str(poisoned.parent)!r})
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[2] / "support")!r}]
from airflow_batch_inference.jobs import plan
plan._PART_ROWS = 500
from pathlib import Path
from bench import Bench
from test_pool import *
import hashlib
bench = Bench(Path({str(bench.folder)!r}))
digest = hashlib.sha256(Path({str(poisoned)!r}).read_bytes()).hexdigest()
trust = TrustRequest(sha256=digest)
_, record = register_model(ModelRequest(model_uri={str(poisoned)!r}, trust=trust), root=str(bench.root),
                           sample_set=None, storage=bench.storage, model_storage=bench.storage)
request = bench.request({source(row_100=-2)!r}, models=single_model(record, storage=bench.storage))
score_dataset(request, storage=bench.storage, resources=Resources(max_workers=2))
"""
    )
    parent = subprocess.Popen([sys.executable, str(request)])
    ours = []
    until = time.monotonic() + 60
    while len(ours) < 2 and time.monotonic() < until:
        time.sleep(0.1)
        ours = children(parent.pid)
    time.sleep(3)
    parent.kill()
    parent.wait()
    time.sleep(0.5)
    assert len(ours) == 2
    assert not any(map(is_running, ours))
