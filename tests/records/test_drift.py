"""Drift's records of earlier versions: read, or refused with what to do."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.drift.analysis import not_analysed
from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.rules.effect import EffectRule
from airflow_batch_inference.exceptions import ArtifactIntegrityError
from airflow_batch_inference.records import BaselineRecord, ColumnDrift, DriftResult, DriftStatus


def test_metrics_are_names_to_values():
    column = ColumnDrift(
        name="x", kind="numeric", status=DriftStatus.NO_DRIFT, metrics={"psi": 0.1}, noise_floor={"psi": 0.01}
    )
    result = replace(not_analysed(100, EffectRule()), columns=(column,), metrics={"anything": 2.0})
    document = json.loads(result.to_json())
    assert document["columns"][0]["metrics"] == {"psi": 0.1}
    assert DriftResult.from_json(result.to_json(), where="the test") == result


@pytest.mark.parametrize("number", ["0.1", None, {"low": 0.1}])
def test_a_metric_that_is_no_number_is_refused(number):
    document = {**not_analysed(100, EffectRule()).to_dict(), "metrics": {"psi": number}}
    with pytest.raises(ArtifactIntegrityError, match=r"metrics\.psi"):
        DriftResult.from_dict(document)


def test_a_result_that_has_numbers_of_one_rule_by_name_is_refused_with_what_to_do():
    document = not_analysed(100, EffectRule()).to_dict()
    del document["metrics"]
    with pytest.raises(ArtifactIntegrityError, match=r"another version of the package; run the task .* again"):
        DriftResult.from_dict({**document, "mlrun_metric": 0.3})


def test_a_baseline_says_what_it_was_made_of_as_it_always_did():
    table = pa.table({"x": np.arange(50.0)})
    document = make_baseline(lambda: [table], schema=table.schema).to_dict()
    assert document["made_of"] == "rows"
    assert BaselineRecord.from_dict({**document, "made_of": "mlrun"}).made_of == "mlrun"
