"""The last word on an asset: kept where Airflow has a store for it, by failing tasks too, and never in the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Asset, AssetAlias

from airflow_batch_inference.operators import DriftAnalysisOperator
from airflow_batch_inference.operators.asset_state import keep_state

TI = SimpleNamespace(dag_id="nightly", run_id="r1", task_id="log")
SCORES = Asset("scores")


@dataclass
class Store:
    """Asset state by the asset's name; it can be out of order."""

    kept: dict = field(default_factory=dict)
    is_broken: bool = False

    def __getitem__(self, asset):
        return SimpleNamespace(set=lambda key, value: self._set(asset.name, key, value))

    def _set(self, asset, key, value):
        if self.is_broken:
            raise ConnectionError
        self.kept[asset, key] = value


def test_every_asset_gets_the_values_and_the_run_they_are_of_and_an_alias_nothing():
    store = Store()
    keep_state(
        "published",
        {"rows": 3},
        [SCORES, AssetAlias("some"), Asset("more")],
        {"asset_state_store": store, "ti": TI},
    )
    assert set(store.kept) == {("scores", "batch_inference_published"), ("more", "batch_inference_published")}
    state = store.kept["scores", "batch_inference_published"]
    assert state == {"rows": 3, "dag_id": "nightly", "run_id": "r1", "task_id": "log"}


def test_a_store_that_is_missing_or_broken_or_too_small_is_no_obstacle(caplog):
    keep_state("drift", {}, [SCORES], {"ti": TI})
    keep_state("drift", {}, [SCORES], {"asset_state_store": Store(is_broken=True), "ti": TI})
    assert "The state of asset scores was not kept" in caplog.text
    store = Store()
    keep_state("drift", {"reasons": "x" * 70_000}, [SCORES], {"asset_state_store": store, "ti": TI})
    assert not store.kept
    assert "more than 65535" in caplog.text


def test_a_task_that_fails_because_of_drift_leaves_its_verdict(runner, batch, tmp_path, rng_frame, monkeypatch):
    store = Store()
    (rng_frame + 5).to_parquet(tmp_path / "shifted.parquet")
    operator = DriftAnalysisOperator(
        task_id="drift",
        dataset=str(tmp_path / "shifted.parquet"),
        sample_set=str(batch),
        on_drift="fail",
        outlets=[SCORES],
    )
    original = operator.perform
    operator.perform = lambda context: original({**context, "asset_state_store": store})
    with pytest.raises(AirflowFailException):
        runner(operator)
    state = store.kept["scores", "batch_inference_drift"]
    assert (state["drift_status"], state["task_id"]) == ("DRIFT_DETECTED", "drift")
    assert state["report_uri"].endswith(".html")
