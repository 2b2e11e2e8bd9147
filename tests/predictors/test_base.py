"""What every kind of models promises to the engine, whatever it is made of."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.function import FunctionModel, function_record
from airflow_batch_inference.predictors.graphs.chain import ChainGraph, single_model
from airflow_batch_inference.predictors.graphs.loaded import PredictorSetup
from airflow_batch_inference.predictors.graphs.shadow import ShadowGraph
from airflow_batch_inference.predictors.graphs.source import ModelChain, ModelSource
from airflow_batch_inference.predictors.graphs.split import SplitGraph
from airflow_batch_inference.predictors.isolation import Isolator
from airflow_batch_inference.predictors.shares import parse_split
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.schema.inputs import plan_inputs
from airflow_batch_inference.sources.batches import MiniBatch, Origin
from airflow_batch_inference.storage.store import Storage

ROWS = 40
TABLE = pa.table({"a": np.arange(float(ROWS)), "b": np.ones(ROWS), "key": np.arange(ROWS)})
BATCH = MiniBatch(TABLE, (Origin("file:///in", 0, ROWS),))


@pytest.fixture
def chain(make_model, make_record):
    """``chain(name, answer, *inputs)``: a model in memory."""

    def make(name="", answer=None, *inputs):
        specs = tuple(ColumnSpec(name=column, type="double") for column in inputs or ("a", "b"))
        model = make_model(inputs=specs) if answer is None else make_model(answer=answer, inputs=specs)
        return ModelChain(name=name, sources=(ModelSource(record=make_record(model, name=name or "one"), model=model),))

    return make


def difference(batch):
    return batch.column("a").to_numpy() - batch.column("b").to_numpy()


@pytest.fixture(params=["single", "chain", "shadow", "split", "function"])
def graph(request, chain):
    kind = request.param
    if kind == "function":
        model = FunctionModel(function=lambda frame: frame["a"] + frame["b"], form="pandas")
        return single_model(function_record(model, where="here"), model=model)
    if kind == "chain":
        second = chain("next", lambda batch: 2 * batch.column("predicted_label").to_numpy(), "predicted_label")
        return ChainGraph(main=ModelChain(sources=(*chain().sources, *second.sources)))
    if kind == "shadow":
        gone = ModelChain(name="gone", sources=(), error="Nothing lies there.")
        return ShadowGraph(main=chain(), challengers=(chain("other", difference), gone))
    if kind == "split":
        split = parse_split({"weights": {"x": 0.5, "y": 0.5}, "key": "key"}, ["x", "y"])
        return SplitGraph(main=chain("x"), others=(chain("y", difference),), split=split)
    return ChainGraph(main=chain())


@pytest.fixture
def setup(graph):
    record = graph.first.record
    wanted = TABLE.select(["a", "b"]).schema if record.inputs is None else TABLE.schema
    inputs = plan_inputs(wanted, inputs=record.inputs, n_features=record.n_features, where="the test")
    return PredictorSetup(inputs=inputs)


@pytest.fixture
def loaded(graph):
    return graph.load(Storage())


def test_a_mini_batch_has_a_column_for_each_output_and_a_value_for_each_row(loaded, setup):
    predictor = loaded.predictor(setup)
    found = predictor.predict(BATCH)
    assert len(found) == len(predictor.outputs)
    assert {len(values) for values in found} == {ROWS}
    assert len(set(predictor.outputs)) == len(found)
    assert 0 <= predictor.added < len(found)
    assert list(predictor.main.outputs) == list(predictor.outputs)[: len(predictor.main.outputs)]
    assert all(spent > 0 for spent in predictor.elapsed)


def test_a_row_has_the_same_prediction_in_any_mini_batch(loaded, setup):
    predictor = loaded.predictor(setup)
    whole = predictor.predict(BATCH)
    for row in (0, 7, ROWS - 1):
        assert [values.to_pylist() for values in predictor.predict(BATCH.slice(row, 1))] == [
            values.slice(row, 1).to_pylist() for values in whole
        ]


def test_what_the_first_rows_tell_is_all_that_another_process_needs(loaded, setup):
    first = loaded.predictor(setup)
    found = first.predict(BATCH.slice(0, 4))
    own = pa.schema(
        [pa.field(name, values.type) for name, values in zip(first.outputs, found, strict=True)][
            : len(found) - first.added
        ]
    )
    inferred = first.infer_outputs(own)
    assert inferred.outputs == own
    other = loaded.predictor(replace(setup, inferred=inferred))
    assert other.predict(BATCH) == first.predict(BATCH)


def test_statistics_count_each_row_once_for_each_chain_that_scores_it(graph, loaded, setup):
    predictor = loaded.predictor(setup)
    scored = Isolator(predictor=predictor).score(BATCH, 0)
    own = pa.schema([pa.field(predictor.outputs[0], scored.predicted[0].type)])
    statistics = predictor.statistics(predictor.infer_outputs(own), ["predicted_label"])
    statistics.count(scored)
    statistics.count_rejected(BATCH, scored.rejected)
    counted = {each.name: each.rows for each in statistics.chains()}
    names = [chain.name for chain in (graph.main, *graph.beside)] if graph.routing_columns else graph.challenger_names
    assert sorted(counted) == sorted(names)
    if graph.routing_columns:
        assert sum(counted.values()) == ROWS


def test_to_exclude_a_name_that_is_not_there_changes_nothing(graph, loaded, setup):
    predictor = loaded.predictor(setup)
    expected = predictor.predict(BATCH)
    predictor.exclude("nobody", "SIGSEGV")
    assert predictor.predict(BATCH) == expected
    assert graph.exclude("nobody", "SIGSEGV") == graph


def test_the_fingerprint_is_plain_json_and_tells_models_apart(graph, loaded):
    def of_model(record, model):
        return {"sha256": record.sha256}

    def other(record, model):
        return {"sha256": f"another than {record.sha256}"}

    found = graph.fingerprint(loaded, of_model)
    assert json.loads(json.dumps(found)).keys() == found.keys()
    assert graph.fingerprint(loaded, other) != found


def test_models_in_memory_cannot_be_handed_to_another_process(graph):
    assert not graph.is_serializable
    with pytest.raises(ConfigurationError, match="was given in memory"):
        graph.for_transport()


def test_all_models_are_among_the_sources_the_main_ones_first(graph, loaded):
    sources = list(graph.sources())
    assert sources[: len(graph.main.sources)] == list(graph.main.sources)
    assert sources[0] == graph.first
    assert [step.record for step in loaded.steps()] == [source.record for source in sources]
    assert loaded.last.record == graph.output_model.record
