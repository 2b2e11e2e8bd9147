"""Several models in a real job: killed and resumed, in worker processes, with real files, and in what comes after."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from publishing import publish

from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.exceptions import (
    ArtifactConflictError,
    ArtifactIntegrityError,
    ArtifactNotFoundError,
    ConfigurationError,
)
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.explanations import Explain
from airflow_batch_inference.predictors.graphs.chain import ChainGraph
from airflow_batch_inference.predictors.graphs.shadow import ShadowGraph
from airflow_batch_inference.predictors.graphs.source import ModelChain, ModelSource
from airflow_batch_inference.predictors.graphs.split import SplitGraph
from airflow_batch_inference.predictors.shares import parse_split
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.workflows.register_model import GoldenRequest, register_model
from airflow_batch_inference.workflows.score import score_dataset
from airflow_batch_inference.workflows.verify import verify

ROWS = 2_000
PART = 250
CRASHES = """
import os, signal, time
import numpy as np

class Crashes:
    '''Predicts a; one value of it kills the process, and another hangs it.'''

    feature_names_in_ = np.array(["a", "b"], dtype=object)
    n_features_in_ = 2

    def __init__(self, everywhere=False):
        self.everywhere = everywhere

    def __setstate__(self, state):
        self.__dict__ |= state
        if os.environ.get("CRASH_WHILE_LOADING"):
            os.kill(os.getpid(), signal.SIGSEGV)

    def predict(self, frame):
        a = np.asarray(frame)[:, 0]
        if self.everywhere or (a == -1).any():
            os.kill(os.getpid(), signal.SIGSEGV)
        if (a == -2).any():
            time.sleep(3600)
        return a
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three boosters, of which one takes what another returns, and a challenger that can end its process."""
    folder = tmp_path_factory.mktemp("graphs")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 2)), columns=["a", "b"])

    def save(name, features, target):
        parameters = {"verbose": -1, "num_leaves": 5, "num_threads": 1}
        booster = lightgbm.train(parameters, lightgbm.Dataset(features, target), 5)
        booster.save_model(folder / name)
        return booster

    first = save("first.txt", frame, frame["a"])
    save("other.txt", frame, frame["a"] + 0.2 * frame["b"])
    save("next.txt", pd.DataFrame({"predicted_label": first.predict(frame), "b": frame["b"]}), frame["b"])
    (folder / "crashing_model.py").write_text(CRASHES)
    sys.path.insert(0, str(folder))
    import crashing_model

    joblib.dump(crashing_model.Crashes(), folder / "crashes.joblib")
    joblib.dump(crashing_model.Crashes(everywhere=True), folder / "always.joblib")
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture
def source(bench):
    def make(**changed):
        rng = np.random.default_rng(1)
        a = rng.normal(size=ROWS)
        for row, value in changed.items():
            a[int(row.removeprefix("row_"))] = value
        return bench.write("in.parquet", {"a": a, "b": rng.normal(size=ROWS), "key": np.arange(ROWS)})

    return make


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", PART)


@pytest.fixture
def model_source(bench, files):
    def make(name, **changes):
        path = files / name
        trust = TrustRequest(sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        uri, record = register_model(
            ModelRequest(model_uri=str(path), trust=trust), root=str(bench.folder / "registry"), sample_set=None,
            storage=bench.storage, model_storage=bench.storage, **changes,
        )  # fmt: skip
        return ModelSource(record=record, record_uri=uri, storage=bench.storage)

    return make


@pytest.fixture
def chain(model_source):
    def make(*names, name="", **changes):
        return ModelChain(name=name, sources=tuple(model_source(each, **changes) for each in names))

    return make


@pytest.fixture
def graphs(chain):
    """The three kinds of several models."""

    def make(kind):
        if kind == "steps":
            return ChainGraph(main=chain("first.txt", "next.txt"))
        if kind == "challengers":
            return ShadowGraph(
                main=chain("first.txt"),
                challengers=(
                    chain("other.txt", name="b"),
                    chain("first.txt", "next.txt", name="chain"),
                    ModelChain(name="gone", sources=(), error="Nothing lies there."),
                ),
            )
        split = parse_split({"weights": {"a": 0.6, "b": 0.4}, "key": "key"}, ["a", "b"])
        return SplitGraph(main=chain("first.txt", name="a"), others=(chain("other.txt", name="b"),), split=split)

    return make


@pytest.fixture
def asked(bench):
    """``asked(dataset, graph, …)``: a request whose models are loaded where they are needed."""

    def make(dataset, graph, **arguments):
        return bench.request(dataset, models=graph, **arguments)

    return make


@pytest.fixture
def score(bench, asked):
    def run(dataset, graph, *, root=None, resources=None, **arguments):
        bench.root = root or bench.root
        return score_dataset(asked(dataset, graph, **arguments), storage=bench.storage, resources=resources)[1]

    return run


KINDS = ["steps", "challengers", "split"]


def digests(record):
    return [part.sha256 for part in record.parts]


def counts(record):
    return [(each.role, each.name, each.step, each.rows, each.rows_failed, each.error) for each in record.models]


def results(bench, record):
    """What came of each challenger, without its times."""
    found = bench.storage.read_record(record.challengers_uri)
    return {each.name: replace(each, seconds=0.0) for each in found.challengers}


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


# -- real models ----------------------------------------------------------------------------------------------


def test_steps_give_what_calling_them_by_hand_gives(bench, score, source, graphs, files):
    record = score(source(), graphs("steps"), alignment_check_rows=4)
    output = bench.output(record).to_pandas()
    first, second = (lightgbm.Booster(model_file=files / name) for name in ("first.txt", "next.txt"))
    between = pd.DataFrame({"predicted_label": first.predict(output[["a", "b"]]), "b": output["b"]})
    np.testing.assert_array_equal(output["predicted_label"], second.predict(between))
    assert [(each.role, each.name, each.step) for each in record.models] == [("step", "first", 1), ("step", "next", 2)]
    assert (record.model_uri, record.feature_columns) == (f"file://{files / 'next.txt'}", ("a", "b"))


def test_the_part_s_footer_names_the_model_that_made_the_predictions(score, source, graphs):
    record = score(source(), graphs("steps"))
    footer = pq.read_schema(record.parts[0].uri.removeprefix("file://")).metadata
    assert footer[b"batch_inference.model_sha256"].decode() == record.model_sha256


def test_explanations_of_steps_are_those_of_the_last_one(bench, score, source, graphs):
    record = score(source(), graphs("steps"), explain=Explain(top_k=1))
    explained = bench.output(record).column("explanation")[0].as_py()
    assert explained[0]["feature"] in ("predicted_label", "b")


def test_values_that_do_not_fit_are_coerced_for_all_models(bench, score, graphs):
    given = bench.write("in.parquet", {"a": ["1.5", "odd", "2.5"], "b": [1.0, 2.0, 3.0], "key": [1, 2, 3]})
    for kind in KINDS:
        record = score(given, graphs(kind), on_mismatch={"*": "null"}, root=bench.folder / kind)
        assert (record.rows_out, record.nulled) == (3, {"a": 1})
        if kind == "challengers":
            assert bench.output(record).column("b.predicted_label").null_count == 0


def test_bad_rows_are_found_behind_a_first_step(score, make_model, make_record, model_source, source):
    def fails(batch):
        if (batch.column("key").to_numpy() % 500 == 3).any():
            raise ValueError("no such leaf")
        return batch.column("predicted_label").to_numpy()

    inputs = (ColumnSpec(name="predicted_label", type="double"), ColumnSpec(name="key", type="int64"))
    model = make_model(answer=fails, inputs=inputs)
    second = ModelSource(record=make_record(model, name="second"), model=model)
    graph = ChainGraph(main=ModelChain(sources=(model_source("first.txt"), second)))
    record = score(source(), graph, policy=RowPolicy(error_threshold=4))
    (part, *_) = record.quarantine
    (row,) = pq.read_table(part.uri.removeprefix("file://")).to_pylist()
    assert (row["_row"], record.rows_rejected) == (3, 4)
    assert row["_error"].startswith("Step 2 (second): ")


def test_a_golden_set_of_any_model_is_checked_when_it_is_loaded(bench, score, source, chain):
    rows = {"a": [0.1, 0.2], "b": [0.3, 0.4]}
    other = chain("other.txt", name="b", golden=GoldenRequest(dataset=rows))
    split = parse_split({"weights": {"a": 1, "b": 1}}, ["a", "b"])
    graph = SplitGraph(main=chain("first.txt", name="a"), others=(other,), split=split)
    assert score(source(), graph, resources=Resources(isolate=True)).rows_out == ROWS
    golden = bench.storage.read_record(other.sources[0].record.golden_uri)
    Path(golden.data_uri.removeprefix("file://")).unlink()
    graph = replace(graph, split=replace(split, seed="1"))
    with pytest.raises(ArtifactNotFoundError, match="Nothing lies at"):
        score(source(), graph)


def test_a_step_that_cannot_be_loaded_fails_the_job(score, source, graphs):
    first, second = graphs("steps").sources()
    wrong = replace(second, record=replace(second.record, sha256="0" * 64))
    with pytest.raises(ArtifactIntegrityError, match="was replaced since load_model ran"):
        score(source(), ChainGraph(main=ModelChain(sources=(first, wrong))))


def test_a_model_that_is_nowhere_cannot_be_loaded(score, source, graphs):
    first, second = graphs("steps").sources()
    nowhere = replace(second, storage=None)
    with pytest.raises(ConfigurationError, match="The model next is needed"):
        score(source(), ChainGraph(main=ModelChain(sources=(first, nowhere))))


# -- what comes after -----------------------------------------------------------------------------------------


def test_a_partition_of_another_version_of_a_split_s_model_is_not_mixed(bench, score, source, graphs, chain, tmp_path):
    split = graphs("split")
    first = score(source(), split)
    target = tmp_path / "out" / "day=1"
    publish(first, str(target / "1.parquet"), storage=bench.storage, target_storage=bench.storage)
    other = replace(split, others=(chain("first.txt", name="b"),))
    second = score(source(), other)
    with pytest.raises(ArtifactConflictError, match="another version of the model"):
        publish(second, str(target / "2.parquet"), storage=bench.storage, target_storage=bench.storage)
