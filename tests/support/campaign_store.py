"""The seed of a campaign, its quick retries, and a bucket for its store."""

from __future__ import annotations

import os
import random

import pytest
from s3_server import s3_bucket

from airflow_batch_inference.jobs import plan
from airflow_batch_inference.ledger import retries

SEED = int(os.environ.get("FAULT_SEED", random.SystemRandom().randrange(10**6)))


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_DELAY_S", 0.0005)
    monkeypatch.setattr(plan, "_PART_ROWS", plan._PART_ROWS)  # the campaign changes it
    print(f"FAULT_SEED={SEED}")


@pytest.fixture
def s3(monkeypatch):
    with s3_bucket("campaign", monkeypatch) as bucket:
        yield f"s3://{bucket}"
