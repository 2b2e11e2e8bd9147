"""Prediction sets to publish."""

from __future__ import annotations

from dataclasses import replace

import pytest


@pytest.fixture
def sets(bench, monkeypatch):
    """Prediction sets of two runs of one DAG, of two parts each."""
    monkeypatch.setattr("airflow_batch_inference.jobs.plan._PART_ROWS", 50)
    made = []
    for number in (1.0, 2.0):
        bench.task = replace(bench.task, run_id=f"run/{number}")
        for file in (1, 2):
            bench.write(f"in{number}/{file}.parquet", {"a": [number] * 50, "b": [float(file)] * 50})
        made.append(bench.score(str(bench.folder / f"in{number}"))[1])
    assert [len(record.parts) for record in made] == [2, 2]
    return made
