"""Several real models: what they predict, explain and reject, and what is checked when they are loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from model_graphs import KINDS, ROWS
from publishing import publish

from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.exceptions import (
    ArtifactConflictError,
    ArtifactIntegrityError,
    ArtifactNotFoundError,
    ConfigurationError,
)
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.predictors.explanations import Explain
from airflow_batch_inference.predictors.graphs.chain import ChainGraph
from airflow_batch_inference.predictors.graphs.source import ModelChain, ModelSource
from airflow_batch_inference.predictors.graphs.split import SplitGraph
from airflow_batch_inference.predictors.shares import parse_split
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.workflows.register_model import GoldenRequest


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


def test_a_partition_of_another_version_of_a_split_s_model_is_not_mixed(bench, score, source, graphs, chain, tmp_path):
    split = graphs("split")
    first = score(source(), split)
    target = tmp_path / "out" / "day=1"
    publish(first, str(target / "1.parquet"), storage=bench.storage, target_storage=bench.storage)
    other = replace(split, others=(chain("first.txt", name="b"),))
    second = score(source(), other)
    with pytest.raises(ArtifactConflictError, match="another version of the model"):
        publish(second, str(target / "2.parquet"), storage=bench.storage, target_storage=bench.storage)
