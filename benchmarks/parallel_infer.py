"""What ``parallel_infer`` costs over one call of the model on the concatenated frame.

Many pandas frames in, as many out; LightGBM, 20 float64 columns. Both take turns in one process; the time is that of
the whole call, with the wall clock and with the processor's (all threads). Peak memory is measured in processes of
their own. Run: ``python benchmarks/parallel_infer.py``.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd

from airflow_batch_inference import Pipeline

COLUMNS = [f"f{number}" for number in range(20)]


def make_model() -> lightgbm.Booster:
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(20_000, 20)), columns=COLUMNS)
    target = (data["f0"] * data["f1"] + data["f2"] + rng.normal(size=len(data)) > 0).astype(int)
    parameters = {"objective": "binary", "num_leaves": 31, "verbose": -1, "seed": 0}
    return lightgbm.train(parameters, lightgbm.Dataset(data, target), num_boost_round=100)


def make_frames(frames: int, rows: int) -> list[pd.DataFrame]:
    rng = np.random.default_rng(1)
    return [pd.DataFrame(rng.normal(size=(rows, 20)), columns=COLUMNS) for _ in range(frames)]


def timed(call) -> tuple[float, float]:  # noqa: ANN001  # any callable
    wall, cpu = time.perf_counter(), time.process_time()
    answers = call()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    del answers  # giving memory back is the caller's time
    return spent


def ways(frames: list[pd.DataFrame], booster: lightgbm.Booster, options: dict) -> dict:
    pipeline = Pipeline(booster)
    return {
        "model on the concatenated frame": booster.predict,
        "parallel_infer": lambda _: pipeline.parallel_infer(frames, **options),
        "infer_stream, answers let go": lambda _: deque(pipeline.infer_stream(frames, **options), maxlen=0),
        "infer, one by one": lambda _: [pipeline.infer(frame) for frame in frames],
        "model, one by one": lambda _: [booster.predict(frame) for frame in frames],
    }


def peak_mb(name: str, arguments: argparse.Namespace) -> float:
    command = [
        sys.executable,
        __file__,
        "--only",
        name,
        "--frames",
        str(arguments.frames),
        "--rows",
        str(arguments.rows),
    ]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--num-parallel", type=int)
    parser.add_argument("--all", action="store_true", help="also call by call")
    parser.add_argument("--only", help="one way, once: prints the peak memory in MB")
    arguments = parser.parse_args()
    options = {} if arguments.num_parallel is None else {"num_parallel": arguments.num_parallel}
    booster, frames = make_model(), make_frames(arguments.frames, arguments.rows)
    if arguments.only:
        if arguments.only != "nothing":
            whole = pd.concat(frames, ignore_index=True) if "concatenated" in arguments.only else None
            ways(frames, booster, options)[arguments.only](whole)
        status = Path("/proc/self/status").read_text()
        print(int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024)
        return
    calls = ways(frames, booster, options)
    whole = pd.concat(frames, ignore_index=True)
    if not arguments.all:
        calls = dict(list(calls.items())[:3])
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(arguments.repeats):
        for name, call in calls.items():
            taken[name].append(timed(lambda call=call: call(whole)))
    base = taken["model on the concatenated frame"]
    print("| way | wall s (median) | CPU s (median) | wall, it/model | CPU, it/model | CPU, least/least | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for name, pairs in taken.items():
        walls, cpus = zip(*pairs, strict=True)
        ratios = [statistics.median(each[at] / of[at] for each, of in zip(pairs, base, strict=True)) for at in (0, 1)]
        print(
            f"| {name} | {statistics.median(walls):.2f} | {statistics.median(cpus):.2f} | {ratios[0]:.2f} | "
            f"{ratios[1]:.2f} | {min(cpus) / min(each[1] for each in base):.2f} | {peak_mb(name, arguments):.0f} |"
        )
    print(f"The frames alone: {peak_mb('nothing', arguments):.0f} MB.")


if __name__ == "__main__":
    main()
