"""What deaths mean: a row's fault only where the same rows killed twice, and never without an end."""

from __future__ import annotations

import pytest

from airflow_batch_inference.engines.processes.deaths import Deaths
from airflow_batch_inference.exceptions import WorkerError


def test_rows_fail_at_their_second_death_and_so_do_those_within_them_at_once():
    deaths = Deaths(2)
    deaths.note(4, (0, 64), "SIGSEGV")
    assert deaths.failing(4) == {}
    deaths.note(4, (64, 128), "SIGKILL")
    deaths.note(4, (0, 64), "SIGABRT")
    assert deaths.failing(4) == {(0, 64): "SIGABRT"}
    deaths.note(4, (32, 64), "SIGSEGV")
    assert deaths.failing(4) == {(0, 64): "SIGABRT", (32, 64): "SIGSEGV"}
    assert deaths.failing(5) == {}


@pytest.mark.parametrize(("rows", "survived"), [(None, 2), (0, 64)])
def test_a_job_survives_a_limited_number_of_deaths(rows, survived):
    deaths = Deaths(2)
    for at in range(survived):
        deaths.note(0, rows if rows is None else (at, at + 1), "SIGKILL")
    with pytest.raises(WorkerError, match=rf"died {survived + 1} time\(s\), the last one by SIGKILL in part 0"):
        deaths.note(0, rows if rows is None else (survived, survived + 1), "SIGKILL")


def test_a_model_that_kills_before_the_first_row_is_tried_twice_a_worker():
    deaths = Deaths(3)
    for _ in range(6):
        deaths.note_starting("SIGSEGV")
    with pytest.raises(WorkerError, match=r"ended \(SIGSEGV\) while it loaded"):
        deaths.note_starting("SIGSEGV")
