"""The seed of a campaign, and a bucket for its store."""

from __future__ import annotations

import os
import random

import pytest
from s3_server import s3_bucket

SEED = int(os.environ.get("FAULT_SEED", random.SystemRandom().randrange(10**6)))


@pytest.fixture
def s3(monkeypatch):
    with s3_bucket("campaign", monkeypatch) as bucket:
        yield f"s3://{bucket}"
