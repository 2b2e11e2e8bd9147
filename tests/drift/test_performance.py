"""CBPE: NannyML's estimates to 1e-4, from the bins of the score column alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.drift.packing import unpack_numbers
from airflow_batch_inference.drift.performance import estimated_performance, expected_performance, fit_calibration

DATA = Path(__file__).parent / "data"
GOLDEN = json.loads((DATA / "cbpe_nannyml.json").read_text())["cases"]
"""Made by data/make_cbpe_nannyml.py with NannyML 0.13.1."""


def rows(case, period):
    table = pq.read_table(DATA / "cbpe_nannyml.parquet")
    kept = table.filter(pc.and_(pc.equal(table["case"], case), pc.equal(table["period"], period)))
    return kept["score"].to_numpy() / 1e6, kept


@pytest.fixture(params=list(GOLDEN))
def case(request):
    name = request.param
    scores, kept = rows(name, "reference")
    labels = kept["y_true"].to_numpy().astype(bool)
    calibration = fit_calibration(
        scores, labels, score_column="score", target_column="y", positive="1", decision=GOLDEN[name]["threshold"]
    )
    return name, scores, calibration


def test_scores_are_calibrated_where_nannyml_does_it(case):
    name, _, calibration = case
    golden = GOLDEN[name]
    assert bool(len(unpack_numbers(calibration.scores))) == golden["calibrated"]
    if golden["calibrated"]:
        assert unpack_numbers(calibration.scores) == pytest.approx(golden["calibrator"]["scores"], abs=1e-9)
        assert unpack_numbers(calibration.rates) == pytest.approx(golden["calibrator"]["probabilities"], abs=1e-9)


@pytest.mark.parametrize("period", ["reference", "current"])
def test_the_estimates_are_nannymls_to_1e4(case, period, make, count):
    name, scores, calibration = case
    baseline = make(pa.table({"score": scores}), predictions=("score",), calibration=calibration)
    current, _ = rows(name, period)
    found = estimated_performance(baseline, count(baseline, pa.table({"score": current})))
    for metric, value in GOLDEN[name]["estimates"][period].items():
        assert found[metric] == pytest.approx(value, abs=1e-4)


def test_without_a_calibration_or_the_score_nothing_is_estimated(case, make, count):
    _, scores, calibration = case
    table = pa.table({"score": scores})
    plain = make(table)
    assert estimated_performance(plain, count(plain, table)) == {}
    calibrated = make(table, calibration=calibration)
    assert estimated_performance(calibrated, count(calibrated, pa.table({"other": [1.0]}))) == {}
    assert estimated_performance(calibrated, count(calibrated, pa.table({"score": [np.nan]}))) == {}


def test_scores_of_certainty_expect_no_error():
    assert expected_performance(np.array([0.0, 1.0]), np.ones(2), np.array([0.0, 1.0]), 0.5) == {
        "accuracy": 1.0,
        "f1": 1.0,
        "roc_auc": 1.0,
    }


def test_one_class_alone_has_no_curve():
    assert "roc_auc" not in expected_performance(np.array([0.9]), np.ones(1), np.array([1.0]), 0.5)
