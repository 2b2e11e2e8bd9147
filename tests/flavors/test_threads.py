from __future__ import annotations

import pytest

from airflow_batch_inference.flavors.threads import native_threads


@pytest.mark.parametrize(("given", "expected"), [("3", 3), ("0", None), ("", None), ("many", None), ("2,4", None)])
def test_the_threads_are_those_that_the_worker_was_given(monkeypatch, given, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3, 4})
    assert native_threads() == (5 if expected is None else expected)
