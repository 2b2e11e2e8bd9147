"""The campaign of publishing, short form (``benchmarks/faults.py`` runs the long one): whatever happens to a
publication, the target fits its manifest, its retry completes it, and the newer one of two wins.

The seed is printed and can be given: ``FAULT_SEED=7 pytest tests/sinks/test_publishing_faults.py -s``.
"""

from __future__ import annotations

import logging

import pytest
from campaign_store import SEED, s3  # noqa: F401  # a fixture
from publishing_campaign import KINDS, SHAPES, PublishingCampaign

from airflow_batch_inference.jobs import plan
from airflow_batch_inference.ledger import retries

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(autouse=True)
def quiet(monkeypatch, caplog):
    monkeypatch.setattr(retries, "FIRST_DELAY_S", 0.0005)
    monkeypatch.setattr(plan, "_PART_ROWS", plan._PART_ROWS)  # the campaign changes it
    caplog.set_level(logging.CRITICAL)
    print(f"FAULT_SEED={SEED}")


@pytest.mark.parametrize(
    ("is_new", "output_format"),
    [(True, "parquet"), (False, "parquet"), (False, "csv")],
    ids=["new", "replaced", "converted"],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_publication_is_killed_before_every_step(tmp_path, shape, is_new, output_format):
    public = f"file://{tmp_path}/public"
    campaign = PublishingCampaign(tmp_path, public, seed=SEED, output_format=output_format)
    outcome = campaign.killed_at_every_step(shape, is_new=is_new)
    print(outcome)
    assert outcome.violations == []
    assert outcome.kills >= 15


def test_publications_are_killed_at_random(tmp_path):
    outcome = PublishingCampaign(tmp_path, f"file://{tmp_path}/public", seed=SEED).killed_at_random("folder", times=15)
    print(outcome)
    assert outcome.violations == []


@pytest.mark.parametrize("how", ["before", "after", "torn"])
@pytest.mark.parametrize("forever", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_operation_of_a_store_fails(tmp_path, shape, forever, how):
    campaign = PublishingCampaign(tmp_path, f"faulty:/{tmp_path}/public", seed=SEED)
    outcome = campaign.failing_operations(shape, how=how, forever=forever, is_new=SEED % 2 == 0)
    print(outcome)
    assert outcome.violations == []
    assert outcome.faults >= 10


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "replaced"])
def test_every_operation_of_a_store_fails_while_parts_are_converted(tmp_path, is_new):
    campaign = PublishingCampaign(tmp_path, f"faulty:/{tmp_path}/public", seed=SEED, output_format="csv")
    outcome = campaign.failing_operations("folder", how="torn", forever=True, is_new=is_new)
    print(outcome)
    assert outcome.violations == []
    assert outcome.faults >= 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_two_writers_publish_to_one_target(tmp_path, kind, shape):
    campaign = PublishingCampaign(tmp_path, f"file://{tmp_path}/public", seed=SEED)
    outcome = campaign.races(kind, shape, times=8, pauses=kind == "a run and its zombie")
    print(outcome)
    assert outcome.violations == []
    assert outcome.refused >= (8 if kind == "two DAGs" else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_two_writers_publish_to_one_target_on_s3(tmp_path, s3, kind):  # noqa: F811
    campaign = PublishingCampaign(tmp_path, f"{s3}/public", seed=SEED)
    for shape in SHAPES:
        campaign.races(kind, shape, times=2)
    print(campaign.outcome)
    assert campaign.outcome.violations == []


@pytest.mark.parametrize("shape", SHAPES)
def test_a_publication_to_s3_is_killed_around_some_calls(tmp_path, s3, shape):  # noqa: F811
    campaign = PublishingCampaign(tmp_path, f"{s3}/public", seed=SEED)
    outcome = campaign.killed_at_every_step(shape, is_new=True, s3=True, first=38)  # before them, tables are looked for
    print(outcome)
    assert outcome.violations == []
    assert outcome.kills >= 10
