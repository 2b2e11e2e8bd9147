"""Neighbouring parts stay with one worker; idle workers take from busy ones; nothing is handed out twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.engines.processes.queue import PartQueue
from airflow_batch_inference.formats.units import Unit
from airflow_batch_inference.jobs.plan import PartPlan, plan_parts

GROUP = 1 << 20  # rows of a row group: eight parts


def plans(*groups):
    return plan_parts([[Unit(at, at + 1, rows, rows * 8, divisible=True) for at, rows in enumerate(groups)]])


def test_parts_of_one_row_group_go_to_one_worker():
    queue = PartQueue(plans(GROUP, GROUP))
    taken = {worker: [] for worker in "ab"}
    for _ in range(8):
        for worker in "ab":
            taken[worker].append(queue.take(worker).index)
    assert taken == {"a": list(range(8)), "b": list(range(8, 16))}
    assert queue.take("a") is None


def test_an_idle_worker_takes_the_later_half_of_a_busy_ones_run():
    queue = PartQueue(plans(GROUP))
    assert queue.take("a").index == 0
    assert [queue.take("b").index for _ in range(3)] == [4, 5, 6]
    assert queue.take("a").index == 1


def test_the_largest_free_run_goes_first_and_of_equal_ones_the_first():
    parts = plan_parts(
        [[Unit(0, 1, rows, rows * 1024, divisible=False)] for rows in (70_000, 131_072, 131_072, 90_000)]
    )
    queue = PartQueue(parts)
    assert [queue.take(worker).index for worker in "abcd"] == [1, 2, 3, 0]
    for worker, at in zip("abcd", (1, 2, 3, 0), strict=True):
        queue.put_back(worker, parts[at])
    assert [queue.take(worker).index for worker in "abcd"] == [1, 2, 3, 0]
    queue.put_back("b", parts[2])
    queue.put_back("a", parts[1])
    assert [queue.take("e").index for _ in range(2)] == [2, 1]


class Counted(int):
    """Rows that count how often they are compared."""

    compared = 0

    def __lt__(self, other):
        type(self).compared += 1
        return int(self) < int(other)

    def __neg__(self):
        return Counted(-int(self))

    def __radd__(self, other):
        return Counted(int(self) + other)


def test_to_take_a_part_of_many_costs_a_logarithm():
    parts = [PartPlan(index=at, ranges=(), rows=Counted(at * 7919 % 10_007), size_bytes=1) for at in range(10_000)]
    queue = PartQueue(parts)
    Counted.compared = 0
    taken = [queue.take("a").rows for _ in range(100)]
    assert taken == sorted(taken, reverse=True)
    assert Counted.compared <= 100 * 2 * 15


@given(
    st.lists(st.integers(1, 3 * GROUP), max_size=6),
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=200),
)
def test_every_part_is_scored_once_whoever_takes_it_and_whoever_dies(groups, steps):
    parts = plans(*groups)
    queue = PartQueue(parts)
    done = []
    for worker, dies in steps:
        plan = queue.take(worker)
        if dies:
            queue.put_back(worker, plan)
        elif plan is not None:
            done.append(plan.index)
    while (plan := queue.take("last")) is not None:
        done.append(plan.index)
    assert sorted(done) == [plan.index for plan in parts]
