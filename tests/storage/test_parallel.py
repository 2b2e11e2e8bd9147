"""Many files at a time: results and errors in the items' order, whoever is done first; stops are heard."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_batch_inference.storage.parallel import in_order


def slow_first(value):
    time.sleep(0.02 if value % 7 == 0 else 0)
    if value in (50, 60):
        raise ValueError(str(value))
    return value


@pytest.mark.parametrize("threads", [1, 4, 64])
@pytest.mark.parametrize("number", [0, 1, 2, 45, 1_000])
def test_results_come_in_the_order_of_the_items(number, threads):
    assert list(in_order(str, range(number), threads=threads)) == list(map(str, range(number)))


@pytest.mark.parametrize("threads", [1, 4, 64])
def test_the_error_is_the_one_of_the_first_item_that_fails(threads):
    found = []
    with pytest.raises(ValueError, match=r"^50$"):
        found += in_order(slow_first, range(500), threads=threads)
    assert found == list(range(50))


@pytest.mark.parametrize("batch", [1, 32])
def test_many_are_worked_on_at_once_and_few_wait_in_memory(batch):
    at_work, most, begun, lock = set(), [0], [0], threading.Lock()

    def work(value):
        with lock:
            begun[0] += 1
            at_work.add(threading.get_ident())
            most[0] = max(most[0], len(at_work))
        time.sleep(0.002)
        with lock:
            at_work.discard(threading.get_ident())
        return value

    results = in_order(work, range(10_000), threads=8, most_in_a_batch=batch)
    assert next(results) == 0
    time.sleep(0.2)
    assert begun[0] <= 2 * 8 * batch + batch
    assert 2 <= most[0] <= 8
    results.close()


def test_whoever_is_told_to_stop_does_not_wait_for_a_store_that_does_not_answer():
    held, stopped = threading.Event(), []

    def raise_if_stopped():
        if stopped:
            raise InterruptedError("stop")

    threading.Timer(0.1, lambda: stopped.append(1)).start()
    began = time.monotonic()
    with pytest.raises(InterruptedError, match="stop"):
        list(in_order(lambda _: held.wait(30), range(10), threads=4, raise_if_stopped=raise_if_stopped))
    assert time.monotonic() - began < 10
    held.set()
