"""Whatever a challenger does, the champion's rows are the same; where it fails its columns are null, and it is said."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.predictors.challengers.challenger import MOST_FAILURES
from airflow_batch_inference.predictors.challengers.names import challenger_column
from airflow_batch_inference.predictors.graphs.shadow import ShadowGraph
from airflow_batch_inference.predictors.graphs.source import ModelChain, ModelSource
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.workflows.score import score_dataset

ROWS = 300


def right(batch):
    return batch.column("a").to_numpy() + 2 * batch.column("b").to_numpy()


def doubles(*names):
    return tuple(ColumnSpec(name=name, type="double") for name in names)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", 128)


@pytest.fixture
def source(bench):
    return bench.write("in.parquet", {"a": np.arange(float(ROWS)), "b": np.ones(ROWS), "c": np.arange(ROWS) % 3})


@pytest.fixture
def shadow(bench, make_model, make_record, source):
    """Score with the bench's model and challengers; return the record, the output and what came of each challenger."""

    def chain(name, model):
        if isinstance(model, ModelChain):
            return model
        if isinstance(model, str):
            return ModelChain(name=name, sources=(), error=model)
        return ModelChain(name=name, sources=(ModelSource(record=make_record(model, name=name), model=model),))

    def run(
        dataset=None, *, policy=None, alignment_check_rows=0, on_empty="fail", rows_per_batch="auto", **challengers
    ):
        request = bench.request(
            dataset or source,
            policy=policy,
            alignment_check_rows=alignment_check_rows,
            on_empty=on_empty,
            rows_per_batch=rows_per_batch,
        )
        chains = tuple(chain(name, model) for name, model in challengers.items())
        request = replace(request, models=ShadowGraph(main=request.models.main, challengers=chains))
        _, record = score_dataset(request, storage=bench.storage)
        found = bench.storage.read_record(record.challengers_uri)
        return record, bench.output(record), {each.name: each for each in found.challengers}

    return run


def test_a_challenger_s_predictions_stand_in_columns_of_its_own(shadow, make_model):
    record, output, results = shadow(b=make_model(answer=lambda t: right(t) + 1), alignment_check_rows=4)
    assert output.column_names == ["a", "b", "c", "predicted_label", "b.predicted_label"]
    np.testing.assert_array_equal(output.column("b.predicted_label"), output.column("predicted_label").to_numpy() + 1)
    assert (record.label_columns, record.added_columns) == (("predicted_label",), ("b.predicted_label",))
    assert [(each.role, each.name, each.rows, each.rows_failed) for each in record.models] == [
        ("champion", "fake", ROWS, 0),
        ("challenger", "b", ROWS, 0),
    ]
    assert (results["b"].rows, results["b"].rows_failed, results["b"].error) == (ROWS, 0, None)


def test_its_outputs_have_the_names_that_its_own_record_gives(shadow, make_model, make_record):
    model = make_model(answer=right)
    chain = ModelChain(
        name="b", sources=(ModelSource(record=make_record(model, label_columns=("risk",)), model=model),)
    )
    _, output, _ = shadow(b=chain)
    assert output.column_names[-1] == "b.risk"
    assert challenger_column("b", "risk") == "b.risk"


def test_it_may_take_other_columns_than_the_champion(shadow, make_model, source):
    model = make_model(answer=lambda t: t.column("c").to_numpy() * 1.0, inputs=(ColumnSpec(name="c", type="int64"),))
    record, output, _ = shadow(b=model)
    assert output.column("b.predicted_label").to_pylist() == [float(row % 3) for row in range(ROWS)]
    assert record.feature_columns == ("a", "b")


def test_one_without_names_gets_the_champion_s_columns_in_their_order(shadow, make_model):
    _, output, _ = shadow(b=make_model(answer=lambda t: t.column(1).to_numpy() - t.column(0).to_numpy(), inputs=None))
    assert output.column("b.predicted_label").to_pylist() == [1.0 - row for row in range(ROWS)]


# -- every way to fail ----------------------------------------------------------------------------------------


def raising(error):
    def answer(batch):
        raise error

    return answer


def on_row(row, does):
    """An answer that fails where a mini-batch holds a row, as ``does`` says."""

    def answer(batch):
        values = batch.column("a").to_numpy()
        return does(values) if (values == row).any() else values

    return answer


def has_gap(values):
    return np.where(values == 7, np.nan, values)


ALL = list(range(ROWS))
WAYS = {
    "raises on all rows": (raising(ValueError("no such leaf")), ALL, "no such leaf"),
    "raises what says nothing of rows": (raising(ConnectionResetError("the network")), ALL, "the network"),
    "runs out of memory": (raising(MemoryError("too large")), ALL, "too large"),
    "ends the program": (raising(SystemExit(3)), ALL, "SystemExit: 3"),
    "recurses without end": (raising(RecursionError("deep")), ALL, "deep"),
    "raises on a row": (on_row(7, lambda values: 1 / 0), [7], "row 7 .*ZeroDivisionError"),
    "gives NaN": (on_row(7, has_gap), [7], None),
    "returns too few rows": (lambda t: np.zeros(t.num_rows - 1), ALL, "returned an array of shape"),
    "returns another type later": (
        on_row(200, lambda values: np.full(len(values), "odd")),
        [*range(128, 256)],
        "differ from",
    ),
    "returns more columns later": (on_row(200, lambda v: np.column_stack([v, v])), [*range(128, 256)], "and .* before"),
    "returns what no column can hold": (lambda t: np.array([object()] * t.num_rows), ALL, "no column can hold"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_challenger_that_fails_fails_nobody_else(bench, shadow, make_model, source, way):
    answer, gaps, error = WAYS[way]
    bench.root = bench.folder / "alone"
    _, alone = bench.score(source)
    bench.root = bench.folder / "shadowed"
    record, output, results = shadow(b=make_model(answer=answer), good=make_model(answer=right), alignment_check_rows=4)
    assert output.drop_columns(["b.predicted_label", "good.predicted_label"]).equals(bench.output(alone))
    assert (record.rows_rejected, record.certificate) == (0, alone.certificate)
    missing = output.column("b.predicted_label").is_null().to_numpy()
    assert np.flatnonzero(missing).tolist() == gaps
    assert output.column("good.predicted_label").equals(output.column("predicted_label"))
    result = results["b"]
    assert (result.rows, result.rows_failed) == (ROWS - len(gaps), len(gaps))
    assert (result.error is None) == (error is None)
    if error is not None:
        assert re.search(error, result.error)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows_per_batch=st.integers(1, 128), bad=st.sets(st.integers(0, ROWS - 1), max_size=5))
def test_any_mini_batch_size_gives_the_same_bytes(bench, shadow, make_model, rows_per_batch, bad):
    def fails(batch):
        if not bad.isdisjoint(batch.column("a").to_pylist()):
            raise ValueError("no such leaf")
        return right(batch)

    digests = []
    for rows in (128, rows_per_batch):
        bench.root = bench.folder / f"{hash((rows, *bad))}"
        record, output, _ = shadow(b=make_model(answer=fails), rows_per_batch=rows)
        assert np.flatnonzero(output.column("b.predicted_label").is_null()).tolist() == sorted(bad)
        digests.append([part.sha256 for part in record.parts])
    assert digests[0] == digests[1]


def test_one_that_could_not_be_read_has_the_champion_s_columns_without_values(shadow):
    _, output, results = shadow(b="ArtifactNotFoundError: Nothing lies at /b.txt.")
    assert output.schema.field("b.predicted_label").type == pa.float64()
    assert output.column("b.predicted_label").null_count == ROWS
    assert results["b"].not_compared == "ArtifactNotFoundError: Nothing lies at /b.txt."


def test_one_that_cannot_be_loaded_takes_no_part(bench, shadow, make_record, make_model, monkeypatch):
    monkeypatch.setattr(
        "airflow_batch_inference.predictors.golden.load_checked", raising_load(ModelLoadError("It is damaged."))
    )
    record = make_record(make_model(), name="b")
    _, output, results = shadow(b=ModelChain(name="b", sources=(ModelSource(record=record, storage=bench.storage),)))
    assert output.column("b.predicted_label").null_count == ROWS
    assert results["b"].error == "It could not be loaded: ModelLoadError: It is damaged."
    assert results["b"].models[0].model_sha256 == record.sha256


def raising_load(error):
    def load(record, **_):
        raise error

    return load


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"inputs": doubles("a", "income")}, "lacks 1 column.*'income'"),
        ({"inputs": None, "n_features": 3}, "takes 3 columns by position"),
        ({"methods": ("predict_proba",)}, "predict"),
    ],
)
def test_one_that_does_not_fit_the_dataset_takes_no_part(shadow, make_model, changes, error):
    _, output, results = shadow(b=make_model(answer=right, **changes))
    assert output.column("b.predicted_label").null_count == ROWS
    assert re.search(error, results["b"].error)


def test_one_out_of_step_does_not_stop_the_champion(shadow, make_model):
    record, _, _ = shadow(b=make_model(answer=lambda t: np.arange(float(t.num_rows))), alignment_check_rows=4)
    assert record.rows_out == ROWS


def test_few_bad_rows_cost_few_calls_and_many_do_not_cost_ever_more(shadow, make_model, source):
    few = make_model(answer=on_row(7, lambda values: 1 / 0))
    shadow(b=few)
    assert len(few.calls) < 40
    many = make_model(answer=lambda t: 1 / 0 if t.num_rows > 1 or t.column("a")[0].as_py() % 2 else np.zeros(1))
    shadow(b=many)
    # Three parts, of which each finds so many bad rows at most.
    assert len(many.calls) < 3 * 5 * MOST_FAILURES


def test_a_champion_s_bad_rows_are_no_challenger_s_and_the_other_way_round(shadow, bench, make_model):
    bench.model = make_model(answer=on_row(5, lambda values: 1 / 0))
    record, output, results = shadow(
        b=make_model(answer=on_row(7, lambda values: 1 / 0)), policy=RowPolicy(error_threshold=1)
    )
    assert (record.rows_out, record.rows_rejected) == (ROWS - 1, 1)
    rejects = pq.read_table(record.quarantine[0].uri.removeprefix("file://"))
    assert rejects.column("_row").to_pylist() == [5]
    assert output.column("a").to_pylist() == [row for row in range(ROWS) if row != 5]
    assert (results["b"].rows, results["b"].rows_failed) == (ROWS - 2, 1)


def test_values_of_redacted_columns_stay_out_of_what_is_said_of_it(shadow, make_model):
    def tells(values):
        raise ValueError("no such customer: 7")

    policy = RowPolicy(error_threshold=1, redact_columns=("a",))
    _, _, results = shadow(b=make_model(answer=on_row(7, tells)), policy=policy)
    assert results["b"].error == "it failed on 1 rows"


# -- the comparison -------------------------------------------------------------------------------------------


def test_disagreements_are_those_of_a_plain_comparison_of_the_columns(shadow, make_model, source):
    def noisy(batch):
        values = right(batch)
        return values * np.where(values % 7 == 0, 1.2, 1.001)

    _, output, results = shadow(b=make_model(answer=noisy))
    frame = output.to_pandas()
    ours, theirs = frame["predicted_label"], frame["b.predicted_label"]
    apart = (theirs - ours).abs() / np.maximum(ours.abs(), theirs.abs())
    (found,) = results["b"].outputs
    assert (found.kind, found.rows, found.disagreements) == ("numbers", ROWS, int((apart > 0.05).sum()))
    assert found.numbers.correlation == pytest.approx(np.corrcoef(ours, theirs)[0, 1], rel=1e-6)
    places = np.flatnonzero(apart > 0.05)[:5].tolist()
    assert [(each.uri, each.row) for each in found.examples] == [(f"file://{source}", row) for row in places]


def test_labels_and_their_matrix(shadow, bench, make_model):
    bench.model = make_model(answer=lambda t: np.where(t.column("a").to_numpy() % 2 == 0, "no", "yes"))
    _, output, results = shadow(b=make_model(answer=lambda t: np.where(t.column("a").to_numpy() % 3 == 0, "no", "yes")))
    (found,) = results["b"].outputs
    frame = output.to_pandas()
    expected = frame.groupby(["predicted_label", "b.predicted_label"]).size()
    assert found.labels == ("no", "yes")
    assert [[*row] for row in found.matrix] == expected.unstack().to_numpy().tolist()
    assert found.disagreements == int((frame["predicted_label"] != frame["b.predicted_label"]).sum())


def test_outputs_that_cannot_be_compared_are_kept_and_said(shadow, make_model):
    _, output, results = shadow(b=make_model(answer=lambda t: np.column_stack([right(t), right(t)])))
    assert output.column_names[-2:] == ["b.predicted_label_0", "b.predicted_label_1"]
    assert output.column("b.predicted_label_1").null_count == 0
    assert results["b"].not_compared == "it returns 2 outputs, the champion 1"
    assert results["b"].error is None


def test_the_comparison_itself_fails_nobody(shadow, make_model, monkeypatch):
    def fails(self, *_):
        raise TypeError("odd")

    monkeypatch.setattr("airflow_batch_inference.predictors.challengers.disagreements.DisagreementCounter.add", fails)
    record, _, results = shadow(b=make_model(answer=right))
    assert record.rows_out == ROWS
    assert results["b"].not_compared == "TypeError: odd"


def test_the_log_tells_of_failures_and_disagreements(shadow, make_model, caplog):
    with caplog.at_level("INFO"):
        shadow(b=make_model(answer=on_row(7, lambda values: 1 / 0)))
    assert "The challenger b scored 299 rows and failed on 1: " in caplog.text
    assert "The challenger b differs from the champion in" in caplog.text


def test_a_column_that_the_dataset_has_already_is_refused(bench, shadow, make_model):
    source = bench.write("taken.parquet", {"a": [1.0], "b": [1.0], "b.predicted_label": [0.0]})
    with pytest.raises(ConfigurationError, match=r"'b\.predicted_label' would stand twice"):
        shadow(source, b=make_model(answer=right))


def test_no_rows_make_an_empty_output_with_all_columns(bench, shadow, make_model):
    source = bench.write("none.parquet", pa.table({"a": pa.array([], pa.float64()), "b": pa.array([], pa.float64())}))
    record, output, results = shadow(source, b=make_model(answer=right), on_empty="succeed")
    assert (record.rows_out, output.column_names) == (0, ["a", "b", "predicted_label", "b.predicted_label"])
    assert results["b"].not_compared == "there are no rows that both have scored"
