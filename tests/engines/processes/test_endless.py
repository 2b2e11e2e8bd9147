"""A model that computes without end for some rows only, so that no trial can find it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from endless_network import spinning

from airflow_batch_inference.engines import local
from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.exceptions import PredictionError
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.workflows.register_model import register_model
from airflow_batch_inference.workflows.score import score_dataset


@pytest.fixture
def score(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "CALL_TIMEOUT_S", 3.0)
    request = ModelRequest(model_uri=str(spinning(tmp_path / "m.onnx")))
    _, record = register_model(request, root=str(bench.root), storage=bench.storage, model_storage=bench.storage)

    def run(values, *, by=None):
        source = bench.write("in.parquet", {"x": np.asarray(values, dtype=np.float32)})
        models = single_model(replace(record, trusted_by=by), storage=bench.storage)
        asked = bench.request(source, models=models)
        return score_dataset(replace(asked, rows_per_batch=64), storage=bench.storage, resources=Resources())[1]

    return run


@pytest.mark.parametrize("row", [0, 150])
def test_a_mini_batch_without_end_fails_the_job_and_says_what_to_do(bench, score, row):
    values = np.full(200, 2.0)
    values[row] = 5.0
    said = r"did not predict .*rows.* within 3 s, perhaps it never would: .*mini_batch_timeout_s.*sha256"
    with pytest.raises(PredictionError, match=said) as caught:
        score(values)
    assert not caught.value.retryable
    assert bench.visible() == []


def test_the_limit_changes_nothing_else_and_a_pinned_file_has_none(bench, score, monkeypatch):
    values = np.linspace(0, 1, 200)
    np.testing.assert_allclose(np.ravel(bench.output(score(values)).columns[-1].to_pylist()), values, rtol=1e-6)
    monkeypatch.setattr(local, "WorkerPool", None)
    assert score(values[::-1], by="sha256= in a DAG").rows_out == 200
