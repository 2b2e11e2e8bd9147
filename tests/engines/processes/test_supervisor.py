"""The supervisor with a workload that knows neither rows nor scripts: deadlines, deaths, replacements, an end."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass, field

import psutil
import pytest

from airflow_batch_inference.engines.processes.supervisor import Supervisor
from airflow_batch_inference.engines.processes.workload import Start, Step


@dataclass
class Orders:
    """A workload of orders to :mod:`toy_worker`; each is given once, whatever comes of it."""

    orders: deque
    limit_s: float = 60.0
    is_leader: bool = False
    restarts_for: str = ""
    left: int = 0
    started: int = 0
    cleaned: int = 0
    children: list = field(default_factory=list)
    stop: type[BaseException] | None = None

    def __post_init__(self):
        self.left = len(self.orders)

    @property
    def is_done(self):
        return not self.left

    @property
    def needs_worker(self):
        return bool(self.orders)

    def check(self, workers):
        if self.stop is not None and any(worker.unit for worker in workers):
            raise self.stop

    def start(self):
        self.started += 1
        return Start(module="toy_worker", first=(), state=None, is_leader=self.is_leader, clean_up=self.clean_up)

    def clean_up(self):
        self.cleaned += 1

    def take(self, worker):
        return self.orders.popleft() if worker.is_ready and self.orders else None

    def messages(self, worker, unit):
        return [unit]

    def received(self, worker, message):
        kind, *values = message
        if kind == "ready":
            return Step(is_ready=True)
        if kind == "child":
            self.children.append(values[0])
            return Step()
        if worker.unit[0] == self.restarts_for:
            self.restarts_for = ""
            self.orders.append(worker.unit)
            return Step(restart=True)
        self.left -= 1
        return Step(is_over=True, result=("did", worker.unit))

    def died(self, worker, how):
        if worker.unit is None:
            return None
        self.left -= 1
        return ("died", worker.unit, "late" if worker.is_late else how)

    def due(self, worker):
        return None if worker.unit is None else worker.unit_since + self.limit_s


def all_of(workload, number):
    with Supervisor(workload, number) as supervisor:
        supervisor.start(number)
        return list(supervisor.run())


def run(orders, number=1, **options):
    """Return the workload, and what came of its orders."""
    workload = Orders(deque(orders), **options)
    results = all_of(workload, number)
    assert workload.cleaned == workload.started, "whatever ended a process, what it left is cleaned up"
    assert toys() == []
    return workload, results


def toys():
    """Processes of ours that still run."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            found += [child.pid] if "toy_worker" in child.cmdline() else []
    return found


@pytest.mark.parametrize("number", [1, 3])
def test_each_order_is_given_once_by_any_number_of_workers(number):
    orders = [("say", i) for i in range(20)]
    workload, results = run(orders, number)
    assert sorted(results) == sorted(("did", order) for order in orders)
    assert workload.started == number


def test_a_worker_that_ends_is_told_with_how_and_is_replaced_while_there_is_work():
    workload, results = run([("exit", 3), ("say", 1), ("exit", 4)])
    assert results == [
        ("died", ("exit", 3), "exit status 3"),
        ("did", ("say", 1)),
        ("died", ("exit", 4), "exit status 4"),
    ]
    assert workload.started == 2, "nothing is left for a third one"


def test_one_that_has_closed_its_pipe_may_end_by_itself():
    _, results = run([("close", 5)])
    assert results == [("died", ("close", 5), "exit status 5")]


def test_one_that_ends_within_a_message_has_died_as_any_other():
    _, results = run([("stammer", 7), ("say", 1)])
    assert results == [("died", ("stammer", 7), "exit status 7"), ("did", ("say", 1))]


def test_one_that_is_late_is_killed_and_its_time_is_its_units():
    began = time.monotonic()
    _, results = run([("sleep", 60), ("say", 1)], limit_s=2.0)
    assert results == [("died", ("sleep", 60), "late"), ("did", ("say", 1))]
    assert time.monotonic() - began < 20


def test_what_was_said_in_time_counts_however_late_it_is_read():
    workload = Orders(deque([("say", 1), ("sleep", 0.1)]), limit_s=1.0)
    with Supervisor(workload, 1) as supervisor:
        supervisor.start(1)
        results = supervisor.run()
        first = next(results)  # the worker has got the next order by now
        time.sleep(2)
        assert [first, *results] == [("did", ("say", 1)), ("did", ("sleep", 0.1))]


def test_a_death_is_seen_though_a_child_holds_the_pipe_and_the_child_of_a_leader_ends_too():
    workload, results = run([("leave a child", 6)], is_leader=True)
    assert results == [("died", ("leave a child", 6), "exit status 6")]
    (child,) = workload.children
    until = time.monotonic() + 10
    while is_running(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(child)


def is_running(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    return False


def test_a_workload_may_have_a_worker_started_anew():
    workload, results = run([("say", 1)], restarts_for="say")
    assert results == [("did", ("say", 1))]
    assert workload.started == 2


def test_what_the_workload_raises_ends_all_processes_at_once():
    began = time.monotonic()
    workload = Orders(deque([("sleep", 60)] * 2), stop=InterruptedError)
    with pytest.raises(InterruptedError):
        all_of(workload, 2)
    assert time.monotonic() - began < 20
    assert toys() == []
    assert workload.cleaned == 2


def test_a_worker_that_reads_nothing_keeps_nobody_waiting():
    """A pipe holds some 64 KiB: who writes more into it waits for a reader."""
    workload = Orders(deque([("sleep", 60)]), stop=InterruptedError)
    workload.messages = lambda worker, unit: [unit, ("say", bytes(1 << 20))]
    began = time.monotonic()
    with pytest.raises(InterruptedError):
        all_of(workload, 1)
    assert time.monotonic() - began < 20
    assert toys() == []


def test_a_last_message_is_answered_or_not():
    workload = Orders(deque([("say", 1)]))
    with Supervisor(workload, 1) as supervisor:
        supervisor.start(1)
        list(supervisor.run())
        assert supervisor.dismiss(("say", "bye"), within_s=20) == ([("did", ("say", "bye"))], 0)
        assert supervisor.dismiss(("sleep", 60), within_s=0.5) == ([], 1)
    with Supervisor(Orders(deque([("say", 1)])), 1) as supervisor:
        supervisor.start(1)
        list(supervisor.run())
        assert supervisor.dismiss(("exit", 1), within_s=20) == ([None], 0)
