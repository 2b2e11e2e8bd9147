"""A golden set: stored once, checked at each load."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    ConfigurationError,
    GoldenSetError,
    SignatureMismatchError,
)
from airflow_batch_inference.predictors.golden import MOST_ROWS, check_golden, put_golden
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
ROWS = {"a": [1.0, 2.0, None], "b": [10.0, 20.0, 30.0], "note": ["x", "y", "z"]}


@pytest.fixture
def put(tmp_path, make_record):
    def put(model, rows=ROWS, **changed):
        arguments = {"methods": ("predict",), "kwargs": {}, "tolerance": 1e-6} | changed
        record = arguments.pop("record", make_record(model))
        return put_golden(
            open_dataset(rows, STORE),
            record,
            model,
            root=str(tmp_path),
            storage=STORE,
            **arguments,
        )

    return put


def shifted(model, by, **changed):
    """Return the model as another version of its library would be."""
    return replace(model, answer=lambda batch: model.answer(batch) + by, **changed)


def test_a_golden_set_holds_the_inputs_and_what_the_model_predicted(put, make_model):
    uri = put(make_model())
    golden = STORE.read_record(uri)
    assert (golden.rows, golden.methods, golden.versions) == (3, ("predict",), {"fake": "1"})
    held = pq.read_table(golden.data_uri.removeprefix("file://"))
    assert held.schema.names == ["input.a", "input.b", "expected.predicted_label"]
    np.testing.assert_array_equal(held.column("expected.predicted_label").to_numpy(), [21.0, 42.0, np.nan])


def test_the_same_set_again_keeps_what_was_expected_the_first_time(put, make_model):
    model = make_model()
    assert put(model) == put(shifted(model, 1e-9, versions={"fake": "2"}))


def test_a_model_that_predicts_something_else_is_refused_with_the_row_and_the_versions(put, make_model):
    model = make_model()
    put(model)
    with pytest.raises(GoldenSetError, match=r"2 of 3 rows differ; in row 0 .*was 21\.0 and is 21\.5.*fake 1 → 2"):
        put(shifted(model, 0.5, versions={"fake": "2"}))


def test_a_stored_set_is_checked_by_its_uri_alone(put, make_model, make_record):
    model = make_model()
    uri = put(model)
    check_golden(uri, model, make_record(model), storage=STORE)
    with pytest.raises(GoldenSetError, match="versions of its packages are the same"):
        check_golden(uri, shifted(model, 1.0), make_record(model), storage=STORE)


def test_a_tolerance_of_zero_allows_no_difference_at_all(put, make_model):
    model = make_model()
    put(model, tolerance=0.0)
    with pytest.raises(GoldenSetError):
        put(shifted(model, 1e-14), tolerance=0.0)


def test_a_set_that_says_itself_what_is_to_be_predicted_is_believed(put, make_model):
    rows = {"a": [1.0, 2.0], "b": [10.0, 20.0]}
    put(make_model(), rows | {"predicted_label": [21.0, 42.0]})
    with pytest.raises(GoldenSetError, match=r"does not predict what its golden set .* 1 of 2 rows differ; in row 1"):
        put(make_model(), rows | {"predicted_label": [21.0, 43.0]})


@pytest.mark.parametrize("answer", [
    lambda batch: np.array(["yes", "no", "yes"][: batch.num_rows], dtype=object),
    lambda batch: {"x": np.arange(batch.num_rows), "y": np.ones((batch.num_rows, 200), dtype=np.float32)},
], ids=["text", "several outputs and long vectors"])  # fmt: skip
def test_predictions_of_any_kind_are_compared(put, answer, make_model, make_record):
    model = make_model(answer=answer)
    uri = put(model)
    check_golden(uri, model, make_record(model), storage=STORE)
    wrong = make_model(answer=lambda batch: _broken(answer(batch)))
    with pytest.raises(GoldenSetError, match="1 of 3 rows differ; in row 2"):
        check_golden(uri, wrong, make_record(model), storage=STORE)


def _broken(predicted):
    if isinstance(predicted, dict):
        values = predicted["y"].copy()
        values[2, 150] = 7
        return predicted | {"y": values}
    changed = predicted.copy()
    changed[2] = "maybe"
    return changed


def test_other_outputs_than_before_are_named(put, make_model, make_record):
    uri = put(make_model())
    two = make_model(answer=lambda batch: np.ones((batch.num_rows, 2)))
    with pytest.raises(GoldenSetError, match="its outputs were predicted_label, and are predicted_label_0, pre"):
        check_golden(uri, two, make_record(two), storage=STORE)


def test_a_set_of_no_rows_is_refused(put, make_model):
    with pytest.raises(ConfigurationError, match="has no rows"):
        put(make_model(), {"a": [], "b": []})


def test_a_set_of_too_many_rows_is_refused(put, tmp_path, make_model):
    rows = MOST_ROWS + 1
    pq.write_table(pa.table({"a": np.zeros(rows), "b": np.zeros(rows)}), tmp_path / "large.parquet")
    with pytest.raises(ConfigurationError, match=f"more than {MOST_ROWS} rows"):
        put(make_model(), str(tmp_path / "large.parquet"))


def test_a_damaged_set_is_no_golden_set(put, make_model, make_record):
    model = make_model()
    uri = put(model)
    golden = STORE.read_record(uri)
    shutil.copy(uri.removeprefix("file://"), golden.data_uri.removeprefix("file://"))
    with pytest.raises(ArtifactIntegrityError, match="was changed after it was stored"):
        check_golden(uri, model, make_record(model), storage=STORE)


def test_the_set_of_another_model_is_no_golden_set(put, make_model, make_record):
    model = make_model()
    uri = put(model)
    with pytest.raises(ArtifactIntegrityError, match="no golden set of the model other"):
        check_golden(uri, model, make_record(model, name="other", sha256="6" * 64), storage=STORE)


# -- what must not make new predictions the expected ones -----------------------------------------------------


@pytest.mark.parametrize("change", ["tolerance", "rows", "name", "class names"])
def test_nothing_but_the_removal_of_the_pointer_accepts_new_predictions(put, make_model, make_record, change):
    model = make_model()
    put(model)
    other = shifted(model, 0.5)
    arguments = {
        "tolerance": {"tolerance": 2e-6},
        "rows": {"rows": {"a": [1.0, 2.0], "b": [10.0, 20.0]}},
        "name": {"record": make_record(model, name="other")},
        "class names": {"record": make_record(model, class_names=("no", "yes"))},
    }[change]
    with pytest.raises(GoldenSetError, match="rows differ") as caught:
        put(other, **arguments)
    pointer = re.search(r"remove file://(\S+)", str(caught.value)).group(1)
    Path(pointer).unlink()
    put(other, **arguments)


def test_other_rows_replace_the_set_once_the_one_before_has_passed(put, make_model):
    model = make_model()
    first = put(model)
    second = put(model, rows={"a": [5.0], "b": [6.0]})
    assert first != second
    with pytest.raises(GoldenSetError, match="1 of 1 rows differ"):
        put(shifted(model, 1.0), rows={"a": [7.0], "b": [8.0]})


def test_other_load_options_are_another_model(put, make_model, make_record):
    model = make_model()
    put(model)
    put(shifted(model, 1.0), record=make_record(model, load_options={"outputs": "logits"}))


def test_small_predictions_may_move_by_a_share_of_their_size_only(put, make_model):
    tiny = make_model(answer=lambda batch: batch.column("b").to_numpy() * 1e-9)
    put(tiny)
    with pytest.raises(GoldenSetError, match="3 of 3 rows differ"):
        put(make_model(answer=lambda batch: batch.column("b").to_numpy() * 1e-8))


def test_a_value_that_the_model_cannot_take_is_named(put, make_model):
    with pytest.raises(SignatureMismatchError, match=r"Column 'a' of the golden set .*row 0.*9007199254740993"):
        put(make_model(), rows={"a": [2**53 + 1], "b": [1]})
