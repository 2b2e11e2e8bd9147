"""The drift analysis of 20 columns against other tools, on the same files, alternating in one run.

    python -m venv EVIDENTLY && EVIDENTLY/bin/pip install -r benchmarks/requirements-evidently.txt
    python -m venv NANNYML && NANNYML/bin/pip install -r benchmarks/requirements-nannyml.txt
    python benchmarks/drift.py --evidently-python EVIDENTLY/bin/python --nannyml-python NANNYML/bin/python
    python benchmarks/drift.py --rows 1e5 --repeats 1          # ours alone

The reference has 100,000 rows of 20 float64 columns; of the current data's columns, three have moved by a quarter of a
standard deviation and 17 have not. Ours runs in this interpreter, the peers in theirs (drift_peers.py). Each run is a
process of its own. "CPU s" (user and system) and "wall s" are the medians of what it took after its imports, to read
the files, analyse and judge; "peak MB" is the largest peak resident memory of the process, imports included. Ours reads
a baseline that was made before: its cost, once per reference, is told below the table, not counted in it. The peers
hold all rows in memory: they run up to --peer-rows.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import drift_peers
from drift_peers import EVIDENTLY, NANNYML, Meter

OURS = "airflow-batch-inference"
SHOWN = {OURS: OURS, EVIDENTLY: "Evidently", NANNYML: "NannyML"}
FEATURES = 20
MOVED = ("f03", "f10", "f17")
SHIFT = 0.25
REFERENCE_ROWS = 100_000
ROW_GROUP = 131_072
LIMIT_S = 1800
HERE = Path(__file__).resolve()


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one tool."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    found: int
    """Moved columns that it says drifted."""
    false: int
    """Columns that have not moved and that it says drifted."""
    baseline_cpu_seconds: float


# -- ours ------------------------------------------------------------------------------------------------------


def analyse_ours(reference: Path, current: Path) -> dict[str, Any]:
    """Make the baseline, which is not counted; then read the current data, count and judge, which is."""
    import scipy.special  # noqa: F401  # imported when the first p-value is computed

    from airflow_batch_inference.drift.monitor import Current, monitor
    from airflow_batch_inference.drift.rules import DriftRule
    from airflow_batch_inference.records import DriftStatus
    from airflow_batch_inference.sources.registry import open_dataset
    from airflow_batch_inference.storage.store import Storage
    from airflow_batch_inference.workflows.build_baseline import plain_baseline

    meter = Meter()
    baseline = plain_baseline(open_dataset(str(reference), Storage()))
    once = meter.read()

    meter = Meter()
    data = open_dataset(str(current), Storage())
    judged = monitor(Current(dataset=data, column_names=tuple(data.schema.names)), baseline, rule=DriftRule())
    used = meter.read()
    columns = {
        column.name: drift_peers.column(column.effect, drifted=column.status == DriftStatus.DRIFT_DETECTED)
        for column in judged.result.columns
        if column.effect is not None
    }
    costs = {"baseline_seconds": once["seconds"], "baseline_cpu_seconds": once["cpu_seconds"]}
    return drift_peers.result(used, columns, **costs)


# -- the data --------------------------------------------------------------------------------------------------


def write_data(path: Path, rows: int, seed: int, shift: float) -> None:
    """Write normal columns; the moved ones by `shift` standard deviations. A row group at a time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    names = [f"f{i:02d}" for i in range(FEATURES)]
    means = np.array([shift if name in MOVED else 0.0 for name in names])
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=False) as writer:
        for start in range(0, rows, ROW_GROUP):
            block = rng.normal(size=(FEATURES, min(ROW_GROUP, rows - start))) + means[:, np.newaxis]
            writer.write_table(pa.table(list(block), schema=schema), row_group_size=ROW_GROUP)


def make_data(folder: Path, rows: list[int]) -> tuple[Path, dict[int, Path]]:
    """Write the files from a process of its own: this one must stay small (see Meter)."""
    reference = folder / "reference.parquet"
    current = {count: folder / f"current-{count}.parquet" for count in rows}
    wanted = [(reference, REFERENCE_ROWS, 0, 0.0), *((path, count, 1, SHIFT) for count, path in current.items())]
    for path, count, seed, shift in wanted:
        subprocess.run([sys.executable, str(HERE), "--make", str(path), str(count), str(seed), str(shift)], check=True)
    os.sync()
    return reference, current


# -- one run ---------------------------------------------------------------------------------------------------


def command_of(tool: str, python: str) -> list[str]:
    return [python, str(HERE), "--ours"] if tool == OURS else [python, str(HERE.parent / "drift_peers.py"), tool]


def run(tool: str, python: str, reference: Path, current: Path) -> Run:
    """Run one tool in a process of its own."""
    out = current.parent / "out.json"
    out.unlink(missing_ok=True)
    command = [*command_of(tool, python), str(reference), str(current), str(out)]
    try:
        done = subprocess.run(command, cwd=current.parent, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{SHOWN[tool]} took over {LIMIT_S} s for {current.name}. Give fewer --rows.") from None
    if done.returncode != 0:
        raise SystemExit(f"{SHOWN[tool]} ended with {done.returncode} on {current.name}:\n{done.stderr[-4000:]}")
    return read_run(tool, json.loads(out.read_text()))


def read_run(tool: str, told: dict[str, Any]) -> Run:
    drifted = {name for name, verdict in told["columns"].items() if verdict["drifted"]}
    if len(told["columns"]) != FEATURES:
        raise SystemExit(f"{SHOWN[tool]} judged {len(told['columns'])} of {FEATURES} columns: not the same work.")
    return Run(
        seconds=told["seconds"],
        cpu_seconds=told["cpu_seconds"],
        peak_mb=told["peak_mb"],
        found=len(drifted & set(MOVED)),
        false=len(drifted - set(MOVED)),
        baseline_cpu_seconds=told.get("baseline_cpu_seconds", 0.0),
    )


# -- what is compared ------------------------------------------------------------------------------------------


def interpreters(given: dict[str, str | None]) -> dict[str, str]:
    """Return the interpreter of each tool that can run, and say which cannot and why."""
    found = {OURS: sys.executable}
    for tool, python in given.items():
        reason = unavailable(tool, python)
        if reason:
            print(f"Skipped: {SHOWN[tool]}: {reason}")
        else:
            found[tool] = str(python)
    return found


def unavailable(tool: str, python: str | None) -> str | None:
    if python is None:
        return f"give --{tool}-python, an interpreter that has benchmarks/requirements-{tool}.txt"
    if shutil.which(python) is None:
        return f"there is no interpreter {python}; give --{tool}-python another"
    tried = subprocess.run([python, "-c", f"import {tool}"], capture_output=True, text=True, check=False)
    if tried.returncode:
        why = (tried.stderr.strip().splitlines() or [f"import ended with {tried.returncode}"])[-1]
        return f"{why}; install benchmarks/requirements-{tool}.txt in its environment"
    return None


def tell_versions(pythons: dict[str, str]) -> None:
    code = "import json, drift_peers; print(json.dumps(drift_peers.versions()))"
    for tool, python in pythons.items():
        done = subprocess.run([python, "-c", code], cwd=HERE.parent, capture_output=True, text=True, check=True)
        print(f"{SHOWN[tool]}: {', '.join(f'{name} {number}' for name, number in json.loads(done.stdout).items())}.")
    print(f"{os.cpu_count()} cores.\n", flush=True)


def measure(pythons: dict[str, str], reference: Path, current: Path, repeats: int) -> dict[str, list[Run]]:
    """Run all by turns, so that a busy minute hits each."""
    runs: dict[str, list[Run]] = {tool: [] for tool in pythons}
    for _ in range(repeats):
        for tool, python in pythons.items():
            runs[tool].append(run(tool, python, reference, current))
    return runs


def median(runs: list[Run], what: str) -> float:
    return statistics.median(getattr(done, what) for done in runs)


def print_lines(rows: int, runs: dict[str, list[Run]]) -> None:
    own_cpu, own_mb = median(runs[OURS], "cpu_seconds"), max(done.peak_mb for done in runs[OURS])
    for tool, done in runs.items():
        cpu, peak_mb = median(done, "cpu_seconds"), max(one.peak_mb for one in done)
        print(
            f"| {rows:.0e} | {SHOWN[tool]} | {cpu:.2f} | {median(done, 'seconds'):.2f} | {peak_mb:.0f} |"
            f" {cpu / own_cpu:.2f} | {peak_mb / own_mb:.2f} | {done[0].found} | {done[0].false} |",
            flush=True,
        )


def compare(pythons: dict[str, str], folder: Path, rows: list[int], peer_rows: float, repeats: int) -> None:
    """Print the table."""
    reference, files = make_data(folder, rows)
    print(
        f"| rows | tool | CPU s | wall s | peak MB | CPU, it/ours | MB, it/ours | found (of {len(MOVED)}) |"
        f" false (of {FEATURES - len(MOVED)}) |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    once: list[float] = []
    for count, path in files.items():
        now = {tool: python for tool, python in pythons.items() if tool == OURS or count <= peer_rows}
        runs = measure(now, reference, path, repeats)
        once += [done.baseline_cpu_seconds for done in runs[OURS]]
        print_lines(count, runs)
    print(f"\nOur baseline, once per reference of {REFERENCE_ROWS:.0e} rows: {statistics.median(once):.2f} CPU s.")


def child(arguments: argparse.Namespace) -> bool:
    """Do what this script starts itself for, and say whether there was any."""
    if arguments.make:
        path, rows, seed, shift = arguments.make
        write_data(Path(path), int(rows), int(seed), float(shift))
    elif arguments.ours:
        reference, current, out = map(Path, arguments.ours)
        out.write_text(json.dumps(analyse_ours(reference, current), indent=1))
    return bool(arguments.make or arguments.ours)


def main() -> None:
    """Parse the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--evidently-python", help="the interpreter that has requirements-evidently.txt")
    parser.add_argument("--nannyml-python", help="the interpreter that has requirements-nannyml.txt")
    parser.add_argument("--rows", nargs="+", type=float, default=[1e5, 1e6, 5e6])
    parser.add_argument("--peer-rows", type=float, default=1e6, help="the peers run up to so many rows")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--make", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument(
        "--ours", nargs=3, metavar=("REFERENCE", "CURRENT", "OUT"), help="analyse two files with ours in this process"
    )
    arguments = parser.parse_args()
    if child(arguments):
        return
    given = {EVIDENTLY: arguments.evidently_python, NANNYML: arguments.nannyml_python}
    pythons = interpreters(given)
    tell_versions(pythons)
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=os.environ.get("BENCHMARK_FOLDER")))
    try:
        compare(pythons, folder, [int(rows) for rows in arguments.rows], arguments.peer_rows, arguments.repeats)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
