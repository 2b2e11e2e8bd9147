"""The collector is held still while models are loaded, and on again whatever happens."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import threading

import pytest

from airflow_batch_inference.processes.garbage import paused_collection


@pytest.fixture(autouse=True)
def _on():
    gc.enable()
    yield
    gc.enable()


def test_it_is_on_again_after_an_error():
    seen = []
    with contextlib.suppress(ValueError), paused_collection():
        seen.append(gc.isenabled())
        raise ValueError
    assert [*seen, gc.isenabled()] == [False, True]


def test_it_stays_off_where_somebody_had_turned_it_off():
    gc.disable()
    with paused_collection(), paused_collection():
        pass
    assert not gc.isenabled()


def test_it_stays_off_until_the_last_thread_has_loaded():
    begun, ended = threading.Event(), threading.Event()

    def first():
        with paused_collection():
            begun.set()
            ended.wait(30)

    thread = threading.Thread(target=first)
    thread.start()
    begun.wait(30)
    with paused_collection():
        ended.set()
        thread.join()  # the one that has turned it off ends first
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_interpreter_that_ends_does_not_look_through_what_was_loaded():
    script = """
import gc
from airflow_batch_inference.processes.garbage import paused_collection

class Loaded:
    def __del__(self):
        print("finalized")

with paused_collection():
    loaded = Loaded()
    loaded.itself = loaded
del loaded
gc.collect()
with paused_collection():
    kept = Loaded()
    kept.itself = kept
print("ending")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["finalized", "ending"]
