"""A small job of each kind, whose data bytes are pinned: a change of the structure must not change them.

The data of a Parquet file end where its footer begins, which names the job and the version. Another version of pyarrow
may encode the same values in other bytes: then the values are compared alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bench import weighted_sum
from publishing import publish

from airflow_batch_inference.checks.checks import parse_checks
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.predictors.function import FunctionModel, function_record, pickled
from airflow_batch_inference.predictors.graphs.chain import ChainGraph, single_model
from airflow_batch_inference.predictors.graphs.shadow import ShadowGraph
from airflow_batch_inference.predictors.graphs.source import ModelChain, ModelSource
from airflow_batch_inference.predictors.graphs.split import SplitGraph
from airflow_batch_inference.predictors.shares import parse_split
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.workflows.score import score_dataset

ROWS = 1_000
PINS = Path(__file__).parent.parent / "data" / "golden_job.json"


def difference(batch):
    return batch.column("b").to_numpy() - batch.column("a").to_numpy()


def doubled(batch):
    return 2 * batch.column("predicted_label").to_numpy() + batch.column("b").to_numpy()


def refusing(batch):
    """The sum of a and b; fails on rows whose a is over 1,990."""
    a = batch.column("a").to_numpy()
    if (a > 1_990).any():
        message = "too large"
        raise ValueError(message)
    return a + batch.column("b").to_numpy()


def by_hand(frame):
    return frame["a"] * frame["b"]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", 300)


@pytest.fixture
def source(bench):
    rng = np.random.default_rng(18)
    columns = {
        "a": rng.integers(0, 2_000, ROWS).astype(float),
        "b": rng.integers(-9, 9, ROWS) / 4,
        "key": np.arange(ROWS),
        "name": [f"row {row % 7}" for row in range(ROWS)],
    }
    columns["text"] = ["?" if row % 50 == 0 else f"{row % 9}.5" for row in range(ROWS)]
    return bench.write("in.parquet", columns)


@pytest.fixture
def chain(make_model, make_record):
    """``chain(name, answer, inputs)``: a model in memory by a name."""

    def make(name, answer, *inputs):
        specs = tuple(ColumnSpec(name=column, type="double") for column in inputs or ("a", "b"))
        model = make_model(answer=answer, inputs=specs)
        return ModelChain(name=name, sources=(ModelSource(record=make_record(model, name=name), model=model),))

    return make


def of_one(request, chain):
    return request


def of_text(request, chain):
    main = chain("text", lambda batch: batch.column("text").to_numpy(), "text")
    return replace(request, models=ChainGraph(main=main))


def of_steps(request, chain):
    second = chain("next", doubled, "predicted_label", "b").sources
    main = ModelChain(sources=(*request.models.main.sources, *second))
    return replace(request, models=ChainGraph(main=main))


def of_challengers(request, chain):
    gone = ModelChain(name="gone", sources=(), error="Nothing lies there.")
    challengers = (chain("other", difference), chain("weak", refusing), gone)
    return replace(request, models=ShadowGraph(main=request.models.main, challengers=challengers))


def of_a_split(request, chain):
    split = parse_split({"weights": {"x": 0.6, "y": 0.4}, "key": "key"}, ["x", "y"])
    main = replace(request.models.main, name="x")
    return replace(request, models=SplitGraph(main=main, others=(chain("y", difference),), split=split))


def of_a_function(request, chain):
    model = FunctionModel(function=by_hand, form="pandas")
    record = function_record(model, where="golden")
    return replace(request, models=single_model(record, model=model, function=pickled(model)))


CHECKS = parse_checks(
    {
        "small": {"when": "out.predicted_label < 20", "action": "alert"},
        "odd": {"when": "in.a > 1900", "action": "quarantine", "max_rate": 1},
    }
)
JOBS = {
    "parquet": (of_one, {}),
    "checks": (of_one, {"checks": CHECKS, "policy": RowPolicy(error_threshold=-1)}),
    "wallaroo": (of_one, {"layout": "wallaroo", "time_ms": 18, "checks": CHECKS}),
    "quarantine": (of_one, {"policy": RowPolicy(error_threshold=-1, redact_columns=("name",)), "answer": refusing}),
    "mismatch": (of_text, {"on_mismatch": {"text": "null"}, "policy": RowPolicy(allow_nan=True)}),
    "rejected text": (of_text, {"policy": RowPolicy(error_threshold=-1)}),
    "steps": (of_steps, {}),
    "challengers": (of_challengers, {"alignment_check_rows": 4}),
    "wallaroo challengers": (of_challengers, {"layout": "wallaroo", "time_ms": 18}),
    "split": (of_a_split, {"alignment_check_rows": 4}),
    "function": (of_a_function, {}),
}


@pytest.mark.parametrize("kind", JOBS)
def test_each_part_has_the_pinned_bytes(bench, source, chain, make_model, kind):
    change, arguments = JOBS[kind]
    arguments = dict(arguments)
    model = make_model(answer=arguments.pop("answer", weighted_sum))
    request = change(bench.request(source, model=model, rows_per_batch=128, **arguments), chain)
    _, record = score_dataset(request, storage=bench.storage)
    pins = json.loads(PINS.read_text())
    assert digest(values_of(part.uri) for part in (*record.parts, *record.quarantine)) == pins["values"][kind]
    if pa.__version__.partition(".")[0] == pins["pyarrow"]:
        assert [digest([data_of(part.uri)]) for part in record.parts] == pins["data"][kind]


def test_the_published_csv_has_the_pinned_bytes(bench, source, tmp_path):
    """The bytes that parts had while they were CSV themselves: part for part, and one behind the other as a file."""
    _, record = score_dataset(bench.request(source, rows_per_batch=128), storage=bench.storage)
    pins = json.loads(PINS.read_text())["published as csv"]
    for target, output_format in ((tmp_path / "public", "csv"), (tmp_path / "all.csv", None)):
        publish(record, str(target), storage=bench.storage, target_storage=bench.storage, output_format=output_format)
    parts = [path.read_bytes() for path in sorted((tmp_path / "public").glob("part-*.csv"))]
    assert [digest([part]) for part in parts] == pins
    whole = (tmp_path / "all.csv").read_bytes()
    header = parts[0].index(b"\n") + 1
    assert whole == parts[0] + b"".join(part[header:] for part in parts[1:])


def digest(pieces):
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def data_of(uri):
    """Return a file's bytes before the footer."""
    content = Path(uri.removeprefix("file://")).read_bytes()
    return content[: len(content) - 8 - int.from_bytes(content[-8:-4], "little")]


def values_of(uri):
    """Return a part's rows as text, without the folder of the input."""
    rows = pq.read_table(uri.removeprefix("file://")).to_pylist()
    text = "\n".join(repr(row) for row in rows)
    return re.sub(r"file://[^ ']*/in\.parquet", "in.parquet", text).encode()
