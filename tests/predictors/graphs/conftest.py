"""Files, models, and the three kinds of several models."""

from __future__ import annotations

import hashlib
import sys

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
from model_graphs import CRASHES, PART, ROWS

from airflow_batch_inference.jobs import plan
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.graphs.chain import ChainGraph
from airflow_batch_inference.predictors.graphs.shadow import ShadowGraph
from airflow_batch_inference.predictors.graphs.source import ModelChain, ModelSource
from airflow_batch_inference.predictors.graphs.split import SplitGraph
from airflow_batch_inference.predictors.shares import parse_split
from airflow_batch_inference.workflows.register_model import register_model
from airflow_batch_inference.workflows.score import score_dataset


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
