"""Rows that tests of the scoring job share, and parts of three rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_batch_inference.jobs import plan

ROWS = {"a": [1.0, 2.0, 3.0], "b": [10.0, 20.0, 30.0]}


def path_of(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


@pytest.fixture
def one_part_a_file(monkeypatch):
    monkeypatch.setattr(plan, "_PART_ROWS", 3)
