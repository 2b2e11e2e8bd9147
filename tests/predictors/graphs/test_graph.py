"""Several models in a real job: killed and resumed, in worker processes, with challengers that end their process."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from model_graphs import KINDS, PART, ROWS, counts, digests, results

from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.predictors.graphs.chain import ChainGraph
from airflow_batch_inference.predictors.graphs.shadow import ShadowGraph
from airflow_batch_inference.workflows.score import score_dataset
from airflow_batch_inference.workflows.verify import verify

# -- the engine's promises ------------------------------------------------------------------------------------


KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from airflow_batch_inference.jobs import part, plan
from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.workflows.score import score_dataset
from airflow_batch_inference.storage.store import Storage

plan._PART_ROWS = int(sys.argv[2])
put, done = part.put_receipt, []

def kills(receipt, folder, storage):
    if len(done) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(receipt)
    return put(receipt, folder, storage)

part.put_receipt = kills
request = pickle.loads(Path(sys.argv[1]).read_bytes())
score_dataset(request, storage=Storage(), resources=Resources(max_workers=1))
"""


@pytest.mark.parametrize("kind", ["challengers", "split"])
def test_a_job_that_is_killed_goes_on_to_the_same_bytes_and_counts(
    bench, score, asked, source, graphs, kind, tmp_path, caplog
):
    given, graph = source(), graphs(kind)
    expected = score(given, graph, root=tmp_path / "whole", alignment_check_rows=2)
    bench.root = tmp_path / "killed"
    request = asked(given, graph.for_transport(), alignment_check_rows=2)
    (tmp_path / "request").write_bytes(pickle.dumps(request))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "request"), str(PART)]
    killed = subprocess.run(command, env={"PYTHONPATH": ":".join(sys.path)}, check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    assert bench.visible() == []
    with caplog.at_level("INFO"):
        record = score(given, graph, alignment_check_rows=2, attempt="2")
    assert "Resumed 3 of 8 parts" in caplog.text
    assert (digests(record), counts(record)) == (digests(expected), counts(expected))
    assert record.certificate == expected.certificate
    if kind == "challengers":
        assert results(bench, record) == results(bench, expected)


@pytest.mark.parametrize("kind", ["challengers", "split"])
def test_worker_processes_write_the_same_bytes_and_count_the_same(bench, score, source, graphs, kind, tmp_path):
    given, graph = source(), graphs(kind)
    alone = score(given, graph, root=tmp_path / "alone")
    record = score(given, graph, root=tmp_path / "many", resources=Resources(max_workers=2))
    assert (digests(record), counts(record)) == (digests(alone), counts(alone))
    if kind == "challengers":
        assert results(bench, record) == results(bench, alone)


@pytest.mark.parametrize("kind", KINDS)
def test_the_certificate_and_all_else_that_verify_checks_hold(bench, asked, source, graphs, kind):
    uri, _ = score_dataset(asked(source(), graphs(kind)), storage=bench.storage)
    found = verify(uri, bench.storage, inputs=bench.storage)
    assert found.problems == []
    assert any("output rows have the columns of their input rows" in check for check in found.checks)


def test_the_same_job_again_is_the_commit_that_is_there(bench, asked, source, graphs):
    given = source()
    first = score_dataset(asked(given, graphs("challengers")), storage=bench.storage)
    assert score_dataset(asked(given, graphs("challengers"), attempt="2"), storage=bench.storage) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda graph, other: replace(graph, split=replace(graph.split, seed="1")),
        lambda graph, other: replace(graph, split=replace(graph.split, weights=(0.5, 0.5))),
        lambda graph, other: replace(graph, others=(other,)),
    ],
)
def test_another_model_or_seed_or_weight_is_another_job(bench, asked, source, graphs, chain, change):
    given, graph = source(), graphs("split")
    keys = {
        score_dataset(asked(given, each), storage=bench.storage)[1].job_key
        for each in (graph, change(graph, chain("first.txt", name="b")))
    }
    assert len(keys) == 2


# -- challengers that end the process -------------------------------------------------------------------------


@pytest.fixture
def shadowed(chain):
    def make(name):
        return ShadowGraph(main=chain("first.txt"), challengers=(chain(name, name="b"), chain("other.txt", name="c")))

    return make


def test_a_challenger_that_ends_or_hangs_its_process_is_left_out_of_that_part_alone(
    bench, score, source, shadowed, chain, tmp_path
):
    given = source(row_300=-1, row_1999=-2)
    expected = score(given, ChainGraph(main=chain("first.txt")), root=tmp_path / "alone")
    resources = Resources(max_workers=1, timeout_s=5.0)
    record = score(given, shadowed("crashes.joblib"), root=tmp_path / "shadowed", resources=resources)
    output = bench.output(record)
    assert output.select(["a", "b", "key", "predicted_label"]).equals(bench.output(expected))
    missing = np.flatnonzero(output.column("b.predicted_label").is_null().to_numpy()).tolist()
    assert missing == [*range(250, 500), *range(1750, 2000)]
    assert output.column("c.predicted_label").null_count == 0
    found = results(bench, record)["b"]
    assert (found.rows, found.rows_failed) == (ROWS - 2 * PART, 2 * PART)
    assert found.error == "It ended the worker process: SIGSEGV"


def test_a_challenger_that_ends_every_process_takes_no_part(bench, score, source, shadowed):
    record = score(source(), shadowed("always.joblib"), resources=Resources(isolate=True, max_workers=1))
    found = results(bench, record)
    assert record.rows_out == ROWS
    assert (found["b"].rows, found["b"].error) == (0, "It ended worker processes: SIGSEGV")
    assert found["c"].rows == ROWS


def test_a_challenger_that_ends_the_process_while_it_loads_takes_no_part(bench, asked, source, shadowed):
    asked_for = asked(source(), shadowed("crashes.joblib"))
    request = replace(asked_for, environment={"CRASH_WHILE_LOADING": "1"})
    record = score_dataset(request, storage=bench.storage, resources=Resources(isolate=True))[1]
    assert results(bench, record)["b"].error == "It ended worker processes: SIGSEGV"
