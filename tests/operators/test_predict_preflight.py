"""``PreflightOperator``: reported, pushed, and failed where the job would fail; nothing is written."""

from __future__ import annotations

import datetime as dt
import logging

import lightgbm
import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_batch_inference.operators import (
    LoadModelOperator,
    PreflightOperator,
    RowPolicy,
    WallarooLayout,
)


@pytest.fixture
def model(runner, model_file, digest):
    return runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest))


def test_it_returns_nothing_pushes_its_numbers_and_writes_nothing(runner, model, batch, tmp_path, caplog):
    before = sorted(tmp_path.rglob("*"))
    operator = PreflightOperator(task_id="preflight", model=model, dataset=str(batch))
    with caplog.at_level(logging.INFO):
        assert runner(operator) is None
    assert sorted(tmp_path.rglob("*")) == before
    pushed = runner.xcoms["preflight"]
    assert (pushed["rows"], pushed["parts"], pushed["workers"], pushed["rows_tried"]) == (400, 1, 0, 100)
    assert 0 < pushed["low_s"] < pushed["high_s"]


def test_all_problems_are_in_the_error_which_no_retry_mends(runner, model, tmp_path, rng_frame):
    rng_frame.drop(columns="b").to_parquet(tmp_path / "less.parquet")
    operator = PreflightOperator(
        task_id="preflight",
        model=model,
        dataset=str(tmp_path / "less.parquet"),
        predict_method="guess",
    )
    with pytest.raises(AirflowFailException, match=r"PreflightFailedError: .*2 problem\(s\).*\(1\).*guess.*\(2\).*'b'"):
        runner(operator)
    assert not list(runner.root.rglob("task_id=preflight"))


def test_an_argument_that_can_never_work_is_one_of_the_problems(runner, model, batch):
    operator = PreflightOperator(
        task_id="p", model=model, dataset=str(batch), rows=RowPolicy(error_threshold="{{ 'some' }}")
    )
    with pytest.raises(AirflowFailException, match="error_threshold is 'some'"):
        runner(operator)


def test_a_model_that_is_not_trusted_is_a_problem(runner, tmp_path, batch):
    pd.to_pickle({"no": "model"}, tmp_path / "model.pkl")
    operator = PreflightOperator(task_id="p", model=str(tmp_path / "model.pkl"), dataset=str(batch))
    with pytest.raises(AirflowFailException, match="UntrustedModelError"):
        runner(operator)


def test_an_empty_dataset_that_is_to_be_skipped_is_no_problem(runner, model, tmp_path, rng_frame):
    rng_frame.head(0).to_parquet(tmp_path / "empty.parquet")
    arguments = {"model": model, "dataset": str(tmp_path / "empty.parquet")}
    assert runner(PreflightOperator(task_id="p", on_empty="skip", **arguments)) is None
    with pytest.raises(AirflowFailException, match="has no rows to score"):
        runner(PreflightOperator(task_id="p", **arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        {"layout": WallarooLayout()},
        {"checks": {"high": {"when": "out.predicted_label > 0.5", "action": "quarantine"}}},
        {"layout": WallarooLayout(separator="_"), "checks": {"odd": "in.key is null"}},
        {"layout": WallarooLayout(columns=["time", "metadata"])},
    ],
)
def test_the_output_may_have_another_shape(runner, model, batch, arguments):
    runner.logical_date = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    operator = PreflightOperator(task_id="p", model=model, dataset=str(batch), **arguments)
    assert runner(operator) is None
    assert runner.xcoms["p"]["output_bytes"] > 0


def test_of_steps_the_last_one_is_asked_for_the_method(runner, model, batch, tmp_path, rng_frame):
    frame = pd.DataFrame({"sum": rng_frame.sum(axis=1), "b": rng_frame["b"]})
    lightgbm.train({"verbose": -1}, lightgbm.Dataset(rng_frame, frame["sum"]), 2).save_model(tmp_path / "sum.txt")
    last = lightgbm.train({"verbose": -1, "objective": "binary"}, lightgbm.Dataset(frame, frame["b"] > 0), 2)
    last.save_model(tmp_path / "last.txt")
    first = LoadModelOperator(task_id="first", model_uri=str(tmp_path / "sum.txt"), label_columns="sum")
    steps = [runner(first), str(tmp_path / "last.txt")]
    for arguments in ({"predict_method": "predict_proba"}, {"decision_threshold": 0.3}):
        operator = PreflightOperator(task_id="p", model=steps, dataset=str(batch), **arguments)
        assert runner(operator) is None
