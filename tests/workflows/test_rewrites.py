"""The campaign of rewritten inputs, short form (``benchmarks/faults.py`` runs the long one)."""

from __future__ import annotations

import os
import random

import fsspec
import pytest
from rewrites import Rewrites, Untold
from s3_server import s3_bucket

from airflow_batch_inference.jobs import plan

SEED = int(os.environ.get("FAULT_SEED", random.SystemRandom().randrange(10**6)))


@pytest.fixture(autouse=True)
def parts(monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", plan._PART_ROWS)  # the campaign changes it
    print(f"FAULT_SEED={SEED}")


@pytest.fixture
def place(tmp_path, monkeypatch, request):
    """Where the input lies."""
    if request.param == "file":
        yield f"{tmp_path}/in"
    elif request.param == "s3":
        with s3_bucket("rewrites", monkeypatch) as bucket:
            yield f"s3://{bucket}/in"
    else:
        yield f"{request.param}://rewrites/in"
        fs = Untold() if request.param == "untold" else fsspec.filesystem("memory")
        fs.rm("/rewrites", recursive=True)


@pytest.mark.parametrize(
    ("place", "runs"), [("file", 24), ("s3", 6), ("memory", 12), ("untold", 12)], indirect=["place"]
)
def test_no_set_is_of_two_versions_or_old_whenever_files_are_rewritten(tmp_path, place, runs):
    result = Rewrites(place, tmp_path / "root", seed=SEED).campaign(runs=runs)
    print(result)
    assert result.violations == []
    assert result.commits > 0
    assert result.rewrites > 0
