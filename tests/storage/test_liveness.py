"""A process is called dead only where this machine can know it."""

from __future__ import annotations

import os
import signal
import time

import pytest

from airflow_batch_inference.storage import liveness
from airflow_batch_inference.storage.liveness import is_alive, is_leftover, this_process


@pytest.fixture
def child():
    """A process that sleeps, and its token."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, this_process().encode())
        time.sleep(60)
        os._exit(0)
    token = os.read(read, 100).decode()
    yield pid, token
    os.close(read)
    os.close(write)


def test_a_child_is_alive_until_it_is_killed(child):
    pid, token = child
    assert token != this_process()
    assert is_alive(token) is True
    os.kill(pid, signal.SIGKILL)
    while is_alive(token):  # it has not been waited for: a zombie writes nothing any more
        time.sleep(0.01)
    assert is_alive(token) is False
    os.waitpid(pid, 0)
    assert is_alive(token) is False
    assert is_leftover(f".tmp-{token}-0011223344556677.json", time.time())


def test_another_process_of_the_same_number_is_not_the_same_one():
    machine, number, began = this_process().split(".")
    assert is_alive(f"{machine}.{number}.{int(began) + 1}") is False
    assert is_alive(f"{machine}.{number}.{began}") is True


def test_of_another_machine_nothing_is_known_but_age(monkeypatch):
    token = this_process()
    monkeypatch.setattr(liveness, "_machine", lambda: "00000000")
    assert is_alive(token) is None
    name = f".tmp-{token}-0011223344556677"
    assert not is_leftover(name, time.time() - 3600)
    assert is_leftover(name, time.time() - 25 * 3600)
    assert not is_leftover(name, None)


@pytest.mark.parametrize("token", ["", "x", "12345678.1", "12345678.1.1.1", "../../etc"])
def test_what_is_no_token_is_of_nobody_known(token):
    assert is_alive(token) is None
