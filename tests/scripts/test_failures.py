"""A failure shows the script's own lines, and the exception that they came from."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_batch_inference.scripts.failures import failure_of

FOLDER = str(Path(__file__).parent)


def fail():
    try:
        json.loads("{")
    except ValueError as error:
        raise RuntimeError("no document") from error


def raised(function):
    try:
        function()
    except (RuntimeError, ValueError) as error:
        return error
    raise AssertionError("it did not raise")


def test_frames_of_other_code_are_left_out_and_the_cause_is_kept():
    found = failure_of(raised(fail), FOLDER)
    assert found.error == "RuntimeError: no document"
    assert found.place.startswith("test_failures.py:")
    assert 'json.loads("{")' in found.traceback
    assert "JSONDecodeError" in found.traceback
    assert "decoder.py" not in found.traceback
    assert str(found) == f"RuntimeError: no document ({found.place})"


def test_an_error_without_own_frames_is_told_without_a_place():
    found = failure_of(raised(fail), "/elsewhere")
    assert (found.place, str(found)) == (None, "RuntimeError: no document")


def test_very_long_messages_are_cut():
    def shout():
        raise ValueError("x" * 100_000)

    assert len(failure_of(raised(shout), FOLDER).error) == 20_000
