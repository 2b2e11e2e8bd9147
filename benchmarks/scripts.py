"""A scoring script over 1,000 small files and one large file, against the same script in a plain loop in one process.

    python benchmarks/scripts.py                     # one file of 500 MB and 1,000 of 0.75 MB, 3 repeats
    python benchmarks/scripts.py --megabytes 50      # a tenth of it

The script counts, hashes and sums each file's numbers, all in the interpreter and NumPy, on one thread: what limits it
is the core. The large file is less than half of the work, or no split could be twice as fast; it sorts last, the worst
place for a plan in input order. "ours" is the job that PredictOperator runs, with two worker processes; "loop" calls
init() once and run() on ten files at a time, and writes the same CSV. They take turns; each run is a process of its
own. "seconds" is the whole life of the process, with imports and the start of workers; "peak MB" the largest sum of the
proportional set sizes of the process and all its descendants. "CPU seconds" are those of all processes, "busiest
process" those of the one that computed most: what the job takes where each has a core for itself. On a machine that
does other work, compare these with each other, and not the seconds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

import measuring

SMALL_FILES = 1_000
SMALL_SHARE = 1.5  # of the large file's bytes, all small ones together
ROW_BYTES = 8 * 16
BATCH = 10
SCRIPT = """
import hashlib
import os

import numpy as np
import pandas as pd

WIDTH = 16

def init():
    global weights
    weights = np.random.default_rng(0).normal(size=(WIDTH, 192))

def run(mini_batch):
    rows = []
    for path in mini_batch:
        data = np.fromfile(path).reshape(-1, WIDTH)
        digest, total = hashlib.sha256(), 0.0
        for start in range(0, len(data), 4096):
            block = data[start:start + 4096]
            total += float(np.log1p(np.exp(-np.abs(block @ weights))).sum())
            digest.update(block.tobytes())
        rows.append((os.path.basename(path), len(data), digest.hexdigest(), total))
    return pd.DataFrame(rows, columns=["file", "rows", "sha256", "score"])
"""


def make_files(folder: Path, megabytes: int) -> Path:
    """Write the large file, and the small ones."""
    import numpy as np

    data = folder / "in"
    data.mkdir()
    rng = np.random.default_rng(1)
    large = megabytes * 1_000_000 // ROW_BYTES
    block = rng.normal(size=(65_536, ROW_BYTES // 8))
    with (data / "z-large.bin").open("wb") as file:
        for start in range(0, large, len(block)):
            file.write(block[: min(len(block), large - start)].tobytes())
    small = int(large * SMALL_SHARE / SMALL_FILES)
    for number in range(SMALL_FILES):
        (data / f"{number:04d}.bin").write_bytes(np.roll(block, number, axis=0)[:small].tobytes())
    (folder / "score.py").write_text(SCRIPT)
    return data


def ours(folder: str, target: str) -> dict[str, float]:
    """Run the job."""
    from airflow_batch_inference.jobs.request import Destination
    from airflow_batch_inference.records import TaskKey
    from airflow_batch_inference.scripts.job import run_script
    from airflow_batch_inference.scripts.request import ScriptRequest
    from airflow_batch_inference.scripts.settings import ScriptSettings
    from airflow_batch_inference.scripts.source import UserScript
    from airflow_batch_inference.storage.store import Storage

    task = TaskKey(dag_id="benchmark", run_id="1", task_id="predict")
    request = ScriptRequest(
        scorer=UserScript(script=f"{folder}/score.py", code=None, storage=Storage()),
        dataset=f"{folder}/in",
        destination=Destination(root=target, task=task, attempt="1", try_id="1", batch_id="1"),
        settings=ScriptSettings(mini_batch_size=BATCH, max_concurrency_per_instance=2, mini_batch_timeout_s=3600),
    )
    _, record = run_script(request, storage=Storage())
    shutil.copy(record.parts[0].uri.removeprefix("file://"), f"{target}/predictions.csv")
    return {"rows": record.rows_out, **record.seconds}


def loop(folder: str, target: str) -> dict[str, float]:
    """Do what people write to try a script."""
    import runpy

    script = runpy.run_path(f"{folder}/score.py")
    script["init"]()
    files = sorted(str(path) for path in Path(folder, "in").iterdir())
    rows = 0
    for start in range(0, len(files), BATCH):
        frame = script["run"](files[start : start + BATCH])
        rows += len(frame)
        frame.to_csv(f"{target}/predictions.csv", mode="a" if start else "w", header=not start, index=False)
    return {"rows": rows}


CONTENDERS = {"loop": loop, "ours": ours}


def measure(name: str, folder: Path) -> dict[str, Any]:
    """Run a contender in a process of its own, on one thread of BLAS a process."""
    with measuring.own_folder(folder) as target:
        environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        run = measuring.run_again(__file__, "--child", name, str(folder), str(target), environment=environment)
        written = (target / "predictions.csv").read_bytes()
    found = {"seconds": run.seconds, "cpu": run.cpu, "busiest": run.busiest, "peak": run.peak_mb}
    return {**found, "bytes": written, **run.told}


def main() -> None:
    """Parse the command line, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=500, help="size of the large file")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        name, folder, target = arguments.child
        print(json.dumps(CONTENDERS[name](folder, target)))
        return
    measuring.adopt_orphans()
    with measuring.benchmark_folder() as folder:
        data = make_files(folder, arguments.megabytes)
        input_rows = sum(path.stat().st_size for path in data.iterdir()) / ROW_BYTES
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
        for number in range(arguments.repeats):
            for name, done in runs.items():
                done.append(measure(name, folder))
            one, two = (runs[name][-1] for name in CONTENDERS)
            same = "the same bytes" if one["bytes"] == two["bytes"] else "OTHER BYTES"
            print(f"run {number + 1}: {one['seconds']:.1f} s, {two['seconds']:.1f} s, ratio "
                  f"{one['seconds'] / two['seconds']:.2f}, {same}", flush=True)  # fmt: skip
        print("| contender | seconds (median) | CPU seconds | busiest process | input rows/s | peak MB | ratio |")
        print("|---|---|---|---|---|---|---|")
        base = statistics.median(run["seconds"] for run in runs["loop"])
        for name, done in runs.items():
            seconds = statistics.median(run["seconds"] for run in done)
            cpu, busiest = (statistics.median(run[key] for run in done) for key in ("cpu", "busiest"))
            peak = max(run["peak"] for run in done)
            rate = f"{input_rows / seconds:,.0f}"
            print(
                f"| {name} | {seconds:.1f} | {cpu:.1f} | {busiest:.1f} | {rate} | {peak:.0f} | {base / seconds:.2f} |"
            )


if __name__ == "__main__":
    main()
