"""Which models let other threads of their process go on while they predict: threads against processes, by turns.

    python benchmarks/gil.py                             # each flavor, and common estimators of scikit-learn
    python benchmarks/gil.py --cases lightgbm SVC --repeats 5

Two worker processes load the same small seeded model, with one native thread each. They score the same mini-batches:
by one thread, by two threads of one process, and by one thread of each of the two processes. A round does all by turns;
columns are medians of the rounds.

- "threads" and "processes": how much more two of them score in a second than one thread does (2 is the best). Seconds
  in which a thread could run but had to wait for a core are left out (/proc/self/task/*/schedstat), so that another
  load of the machine changes little; what two cores of one machine take from each other, the processes show as well.
- "CPU": the processor seconds that two threads take for twice the work, against twice those of one.
- "GIL held": the share of the time of one thread's predict in which the interpreter's lock is held, and any other
  thread of Python held up: looked at from outside, a thousand times a second (gil_lock.py).
- "declared": what the flavor (or the model, where it knows better) says as ``releases_gil``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gil_lock
import gil_models

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import pyarrow as pa

    from airflow_batch_inference.flavors.base import LoadedModel

BATCHES = 2
SECONDS = 1.0
"""About as long as one thread scores in one measurement."""


class Scorer:
    """A model and its mini-batches in this process."""

    def __init__(self, model: LoadedModel, batches: list[pa.Table]) -> None:
        self._model = model
        self._batches = batches
        self._rounds = 1

    def warm(self) -> int:
        """Predict until all is compiled and started; return how often the batches are to be gone through."""
        self._score()
        started = time.monotonic()
        self._score()
        return max(1, round(SECONDS / (time.monotonic() - started)))

    def repeat(self, rounds: int) -> None:
        """Go through the batches that often from now on."""
        self._rounds = rounds

    def score(self, threads: int) -> tuple[float, float]:
        """Score by so many threads, each all batches; return their seconds, and the processor's."""
        barrier = threading.Barrier(threads)
        taken: list[float] = []

        def work() -> None:
            barrier.wait()
            begin, before = time.monotonic(), waited_for_a_core()
            self._score()
            waited = waited_for_a_core() - before
            taken.append(time.monotonic() - begin - waited)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        cpu = time.process_time()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return max(taken), time.process_time() - cpu

    def _score(self) -> None:
        for _ in range(self._rounds):
            for batch in self._batches:
                self._model.predict(batch)


def waited_for_a_core() -> float:
    """Return for how many seconds this thread could run, but had to wait for a core."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def serve(name: str, folder: str, connection: Connection) -> None:
    """Load a model, and do what is asked for."""
    from airflow_batch_inference.flavors.registry import get_flavor

    case = gil_models.CASES[name]
    model = gil_models.load(name, folder)
    scorer = Scorer(model, case.batches(BATCHES))
    flavor = getattr(get_flavor(case.flavor), "releases_gil", None)
    connection.send((scorer.warm(), getattr(model, "releases_gil", flavor), gil_lock.runtime_address()))
    while (asked := connection.recv()) is not None:
        what, *arguments = asked
        if what == "spin":
            connection.send(None)
            gil_lock.spin()
        connection.send(None if what == "spin" else getattr(scorer, what)(*arguments))


class Worker:
    """A process that scores."""

    def __init__(self, name: str, folder: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(name, folder, theirs))
        self._process.start()
        theirs.close()
        self.rounds, self.declared, self._address = self._connection.recv()

    def ask(self, *what: Any) -> None:  # noqa: ANN401
        """Start something."""
        self._connection.send(what)

    def answer(self) -> Any:  # noqa: ANN401
        """Wait for it."""
        return self._connection.recv()

    def watch(self) -> gil_lock.LockWatch:
        """Return what sees whether its interpreter's lock is held."""

        def spin() -> None:
            self.ask("spin")
            self.answer()

        return gil_lock.LockWatch(self._process.pid or 0, self._address, spin, self.answer)

    def end(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._connection.send(None)
        self._process.join()


def measure(name: str, folder: str, repeats: int) -> dict[str, Any]:
    """Return what was found of one model."""
    making = multiprocessing.get_context("spawn").Process(target=gil_models.make, args=(name, folder))
    making.start()
    making.join()
    if making.exitcode:
        raise SystemExit(f"{name}: making the model ended with {making.exitcode}")
    workers = [Worker(name, folder) for _ in range(2)]
    one = workers[0]
    for worker in workers:
        worker.ask("repeat", one.rounds)
        worker.answer()
    lock = one.watch()
    rounds: dict[str, list[float]] = {"threads": [], "processes": [], "CPU": [], "GIL held": []}
    try:
        for _ in range(repeats):
            one.ask("score", 1)
            held, (alone, cpu) = lock.share(one.answer)
            rounds["GIL held"].append(held)
            one.ask("score", 2)
            seconds, cpu_two = one.answer()
            rounds["threads"].append(2 * alone / seconds)
            rounds["CPU"].append(cpu_two / (2 * cpu))
            for worker in workers:
                worker.ask("score", 1)
            together = max(worker.answer()[0] for worker in workers)
            rounds["processes"].append(2 * alone / together)
    finally:
        lock.close()
        for worker in workers:
            worker.end()
    rows = gil_models.CASES[name].rows
    return {"rows": rows, "ms": 1000 * alone / (BATCHES * one.rounds), "declared": one.declared, **rounds}


def line(name: str, found: dict[str, Any]) -> str:
    """Return one line of the table."""
    medians = {key: statistics.median(found[key]) for key in ("threads", "processes", "CPU", "GIL held")}
    figures = [f"{medians[key]:.2f}" for key in ("threads", "processes", "CPU")]
    declared = {True: "yes", False: "no", None: "-"}[found["declared"]]
    cells = [name, f"{found['rows']:,}", f"{found['ms']:.1f}", *figures, f"{medians['GIL held']:.0%}", declared]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    from airflow_batch_inference.processes.threads import worker_environment

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=gil_models.CASES, default=list(gil_models.CASES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also keep all rounds in this file")
    arguments = parser.parse_args()
    # As our worker processes are started: one native thread, so that two threads are all that can use two cores.
    os.environ |= worker_environment(os.cpu_count() or 1) | {"OMP_NUM_THREADS": "1"}
    print("| model | rows a batch | ms a batch | threads | processes | CPU | GIL held | declared |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    found = {}
    for name in arguments.cases:
        with tempfile.TemporaryDirectory() as folder:
            found[name] = measure(name, folder, arguments.repeats)
        print(line(name, found[name]), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
