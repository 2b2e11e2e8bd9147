"""How well the work is split: one large file among many small ones, on one core and on two.

    python benchmarks/split.py                    # 1 GB and 99 x 1 MB, LightGBM, 3 repeats

The same job runs with one worker process on one core and with a worker on each of two, by turns. "seconds" is the time
of the scoring, which leaves out the start of the workers and the planning: both cores start theirs at once. The ideal
is half of one core's time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from pathlib import Path

import measuring
import table_models
import tables
import workload

LARGE_ROWS = 6_250_000  # 1 GB of 20 doubles
SMALL_ROWS = 6_250  # 1 MB
SMALL_FILES = 99
CORES = 2


def make_files(folder: Path) -> Path:
    """Write the files; the large one comes last, when the small ones are done: the worst case."""
    data = folder / "in"
    data.mkdir()
    small = tables.NARROW.make(folder, SMALL_ROWS)
    for number in range(SMALL_FILES):
        shutil.copy(small, data / f"{number:02d}.parquet")
    tables.NARROW.make(folder, LARGE_ROWS).rename(data / "99.parquet")
    return data


def child(model: str, data: str, cores: str) -> None:
    """Score on so many cores in this process, and print the seconds."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
    with measuring.own_folder(Path(data).parent) as target:
        started = time.monotonic()
        record = workload.ours(Path(model), Path(data), target, max_workers=int(cores), isolate=True)
        print(json.dumps({"score": record.seconds["score"], "whole": time.monotonic() - started}))


def measure(model: Path, data: Path, cores: int) -> dict[str, float]:
    """Run in a process of its own."""
    return measuring.run_again(__file__, "--child", str(model), str(data), str(cores)).told


def main() -> None:
    """Parse the command line, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=table_models.MODELS, default=["lightgbm"])
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child)
        return
    measuring.adopt_orphans()
    with measuring.benchmark_folder() as folder:
        models = table_models.make_models(folder)
        data = make_files(folder)
        print("| model | cores | seconds (median) | with start | speed-up | time / ideal |")
        print("|---|---|---|---|---|---|")
        for name in arguments.models:
            runs: dict[int, list[dict[str, float]]] = {1: [], CORES: []}
            for _ in range(arguments.repeats):
                for cores, done in runs.items():
                    done.append(measure(models[name], data, cores))
            one = statistics.median(run["score"] for run in runs[1])
            for cores, done in runs.items():
                seconds = statistics.median(run["score"] for run in done)
                whole = statistics.median(run["whole"] for run in done)
                print(
                    f"| {name} | {cores} | {seconds:.1f} | {whole:.1f} | {one / seconds:.2f} |"
                    f" {seconds / (one / cores):.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
