"""What counting the rows for drift costs while they are scored, with and without in one run, alternating.

    python benchmarks/profile_cost.py --rows 1e6 --repeats 3

The job of PredictOperator on 20 float64 columns, in a process of its own each time, with one worker and with as many as
there are cores. "CPU s" and "wall s" are medians of the whole job after its imports.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

import measuring
import table_models
import tables
import workload

REFERENCE_ROWS = 100_000


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=float, default=1e6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=list(table_models.MODELS), choices=list(table_models.MODELS))
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run_once(*arguments.run)
        return
    measuring.adopt_orphans()
    print("| model | workers | CPU s without | with | ratio | wall s without | with | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        models = table_models.make_models(Path(folder))
        data = tables.NARROW.make(Path(folder), int(arguments.rows))
        reference = tables.NARROW.make(Path(folder), REFERENCE_ROWS)
        for name in arguments.models:
            for workers in ("1", "2"):
                print(row(name, models[name], data, reference, workers, arguments.repeats), flush=True)


def row(name: str, model: Path, data: Path, reference: Path, workers: str, repeats: int) -> str:
    """Measure one model, alternating."""
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for _ in range(repeats):
        for counted in (False, True):
            given = [str(model), str(data), str(reference) if counted else "", workers]
            found[counted].append(tuple(measuring.run_again(__file__, "--run", *given).told["spent"]))
    cells = []
    for place in (0, 1):
        without, counted_too = (statistics.median(run[place] for run in found[counted]) for counted in (False, True))
        cells += [f"{without:.2f}", f"{counted_too:.2f}", f"{counted_too / without:.3f}"]
    return f"| {name} | {workers} | {' | '.join(cells)} |"


def run_once(model: str, data: str, reference: str, workers: str) -> None:
    """Score once and print CPU and wall seconds."""
    from airflow_batch_inference.sources.registry import open_dataset
    from airflow_batch_inference.storage.store import Storage
    from airflow_batch_inference.workflows.build_baseline import plain_baseline

    baseline = plain_baseline(open_dataset(reference, Storage())) if reference else None
    with tempfile.TemporaryDirectory() as target:
        cpu, wall = spent(), time.monotonic()
        workload.ours(Path(model), Path(data), Path(target), baseline, max_workers=int(workers))
        print(json.dumps({"spent": [spent() - cpu, time.monotonic() - wall]}))


def spent() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
