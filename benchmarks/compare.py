"""The whole job (read, score, write) against other frameworks, on the same files, alternating in one run.

    python -m venv PEERS && PEERS/bin/pip install -r benchmarks/requirements-compare.txt
    python benchmarks/compare.py --peers-python PEERS/bin/python                      # 1e5, 1e6 and 1e7 rows
    python benchmarks/compare.py --peers-python PEERS/bin/python --rows 1e6 --models lightgbm

Ours and the pandas script run in this interpreter, the others in the peers' (peers.py). Each run is a process of its
own: "seconds" is its whole life, "work" leaves out its imports and the start and end of sessions, "peak MB" is the
largest sum of the proportional set sizes of the process and all its descendants, sampled every 0.2 s. Every output's
rows are counted; before anything is timed, every contender's output of 1e5 rows is compared with the script's, and
the benchmark fails if a value differs. The second table holds our work against the limits (limits.py).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import limits
import peers
import workload
from peers import OURS, SCRIPT

SAMPLE_S = 0.2
LIMIT_S = 1800
CHECKED_ROWS = 100_000
_PR_SET_CHILD_SUBREAPER = 36
_DISTRIBUTIONS = ("scikit-learn", "lightgbm", "pandas", "pyarrow", "ray", "pyspark", "polars", "duckdb")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one contender."""

    seconds: float
    work: float
    peak_mb: float


# -- one run ---------------------------------------------------------------------------------------------------


def child(contender: str, model: str, data: str, target: str) -> None:
    """Run one contender, or one limit, in this process; leave its seconds without the start in a file."""
    paths = Path(model), Path(data), Path(target)
    if contender in peers.CONTENDERS:
        begin: list[float] = []
        peers.CONTENDERS[contender](*paths, lambda: begin.append(time.monotonic()))
        work = time.monotonic() - begin[0]
    else:
        stage, means = contender.split()
        work = limits.limit(stage, means, *paths)
    report(paths[2]).write_text(json.dumps({"work": work}))


def report(target: Path) -> Path:
    return target / "work.json"


def descendants() -> list[int]:
    """Return the processes below this one: a contender's and whatever it started."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                # The name, in brackets, may hold anything.
                state, parent = (entry / "stat").read_text().rpartition(") ")[2].split()[:2]
                if state != "Z":
                    children.setdefault(int(parent), []).append(int(entry.name))
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def pss_mb(process: int) -> float:
    """Return a process's proportional set size: what it shares is divided among those who share it."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0  # it has just ended


class Sampler(threading.Thread):
    """Looks at the memory of all descendants every 0.2 s."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self._done = threading.Event()

    def run(self) -> None:
        """Look until stopped."""
        while not self._done.wait(SAMPLE_S):
            self.peak_mb = max(self.peak_mb, sum(map(pss_mb, descendants())))

    def stop(self) -> float:
        """End and return the peak."""
        self._done.set()
        self.join()
        return self.peak_mb


def end_descendants() -> None:
    """End what a contender has left behind; orphans become children of this process (main asks for it)."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 10
        for process in descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        while descendants() and time.monotonic() < deadline:
            time.sleep(0.05)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


@contextlib.contextmanager
def target_folder(data: Path):  # noqa: ANN201  # a context manager
    """Give a run an empty folder; removed, and all files on disk, before the next run starts."""
    target = Path(tempfile.mkdtemp(dir=data.parent))
    try:
        yield target
    finally:
        shutil.rmtree(target)
        os.sync()


def run(contender: str, python: str, model: Path, data: Path, target: Path) -> Run:
    """Run one contender in a process of its own."""
    command = [python, str(Path(__file__).resolve()), "--child", contender, str(model), str(data), str(target)]
    # Where Ray's and Spark's workers import peers.py from.
    folders = [str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
    if contender not in peers.CONTENDERS:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    with (data.parent / "child.log").open("w+") as log:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=data.parent, env=environment)
        overdue = threading.Timer(LIMIT_S, process.kill)
        overdue.start()
        sampler = Sampler()
        sampler.start()
        try:
            code = process.wait()
            seconds = time.monotonic() - started
        finally:
            overdue.cancel()
            peak_mb = sampler.stop()
            end_descendants()
        if code != 0:
            log.seek(0)
            raise SystemExit(f"{contender} ended with {code}:\n{log.read()[-4000:]}")
    return Run(seconds, json.loads(report(target).read_text())["work"], peak_mb)


# -- what is compared ------------------------------------------------------------------------------------------


def interpreters(peers_python: str | None) -> dict[str, str]:
    """Return the interpreter of each contender that can run, and say which cannot and why."""
    found = {SCRIPT: sys.executable, OURS: sys.executable}
    for contender, package in peers.PACKAGES.items():
        reason = unavailable(contender, package, peers_python)
        if reason:
            print(f"Skipped: {contender}: {reason}")
        else:
            found[contender] = str(peers_python)
    return found


def unavailable(contender: str, package: str, python: str | None) -> str | None:
    if python is None:
        return "no --peers-python was given"
    if shutil.which(python) is None:
        return f"there is no interpreter {python}"
    tried = subprocess.run([python, "-c", f"import {package}"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return tried.stderr.strip().splitlines()[-1] if tried.stderr.strip() else f"import ended {tried.returncode}"
    if contender == "PySpark" and not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        return "there is no Java (JAVA_HOME, or java on the PATH)"
    return None


def tell_versions(pythons: dict[str, str]) -> None:
    code = (
        "import importlib.metadata as m, sys\n"
        "names = {d.metadata['Name'].lower() for d in m.distributions()}\n"
        "print(', '.join(f'{n} {m.version(n)}' for n in sys.argv[1:] if n in names))"
    )
    for whose, python in {"Ours and the script": sys.executable, "The others": pythons.get("peers")}.items():
        if python:
            done = subprocess.run([python, "-c", code, *_DISTRIBUTIONS], capture_output=True, text=True, check=True)
            print(f"{whose}: {done.stdout.strip()}.")
    print(f"{os.cpu_count()} cores.\n", flush=True)


def written(target: Path) -> list[Path]:
    return sorted(path for path in target.rglob("*.parquet") if path.is_file())


def require_rows(contender: str, target: Path, rows: int) -> None:
    import pyarrow.parquet as pq

    found = sum(pq.ParquetFile(path).metadata.num_rows for path in written(target))
    if found != rows:
        raise SystemExit(f"{contender} wrote {found} rows of {rows}.")


def check(models: dict[str, Path], data: Path, pythons: dict[str, str]) -> None:
    """Compare each contender's output with the script's, value for value; some change the order of the rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def output(contender: str, model: Path) -> pa.Table:
        with target_folder(data) as target:
            run(contender, pythons[contender], model, data, target)
            require_rows(contender, target, CHECKED_ROWS)
            tables = [pq.ParquetFile(path).read().replace_schema_metadata(None) for path in written(target)]
        # The first two features of a row are drawn at random: they name it.
        return pa.concat_tables(tables).sort_by([("f00", "ascending"), ("f01", "ascending")])

    for name, model in models.items():
        expected = output(SCRIPT, model)
        for contender in pythons:
            if contender == SCRIPT:
                continue
            found = output(contender, model)
            if set(found.column_names) != set(expected.column_names):
                raise SystemExit(f"{contender}, {name}: columns {found.column_names}, not {expected.column_names}.")
            different = [
                column for column in expected.column_names if not found.column(column).equals(expected.column(column))
            ]
            if different:
                raise SystemExit(f"{contender}, {name}: {', '.join(different)} differ from the script's.")
    print(
        f"Checked: at {CHECKED_ROWS:.0e} rows all of {', '.join(pythons)} wrote the script's values "
        f"({', '.join(models)}).\n",
        flush=True,
    )


def measure(contenders: dict[str, str], model: Path, data: Path, rows: int, repeats: int) -> dict[str, list[Run]]:
    """Run all by turns, so that a busy minute hits each."""
    runs: dict[str, list[Run]] = {contender: [] for contender in contenders}
    for _ in range(repeats):
        for contender, python in contenders.items():
            with target_folder(data) as target:
                runs[contender].append(run(contender, python, model, data, target))
                if contender in peers.CONTENDERS:
                    require_rows(contender, target, rows)
    return runs


def median(runs: list[Run], what: str) -> float:
    return statistics.median(getattr(done, what) for done in runs)


def print_contenders(name: str, rows: int, runs: dict[str, list[Run]]) -> None:
    own = median(runs[OURS], "seconds")
    for contender in peers.CONTENDERS:
        if contender in runs:
            seconds = median(runs[contender], "seconds")
            print(
                f"| {name} | {rows:.0e} | {contender} | {seconds:.2f} | {median(runs[contender], 'work'):.2f} |"
                f" {rows / seconds:,.0f} | {max(done.peak_mb for done in runs[contender]):.0f} |"
                f" {seconds / own:.2f} |",
                flush=True,
            )


def limit_line(name: str, rows: int, runs: dict[str, list[Run]]) -> str:
    stages, shown = [], []
    for stage in limits.STAGES:
        seconds, means = min((median(runs[f"{stage} {means}"], "work"), means) for means in limits.MEANS)
        stages.append(seconds)
        shown.append(f"{seconds:.3f} ({means})")
    own = median(runs[OURS], "work")
    ratios = f"{max(stages) / own:.2f} | {sum(stages) / own:.2f}"
    return f"| {name} | {rows:.0e} | {' | '.join(shown)} | {own:.3f} | {ratios} |"


def compare(models: dict[str, Path], data: dict[int, Path], pythons: dict[str, str], repeats: int) -> None:
    """Print the two tables."""
    alone = {f"{stage} {means}": sys.executable for stage in limits.STAGES for means in limits.MEANS}
    lines = []
    print("| model | rows | contender | seconds (median) | work | rows/s | peak MB | time, it/ours |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name, model in models.items():
        for rows, path in data.items():
            runs = measure({**pythons, **alone}, model, path, rows, repeats)
            print_contenders(name, rows, runs)
            lines.append(limit_line(name, rows, runs))
    print("\nEach stage alone on all cores, and our work. As all three need the same cores, the sum is what a job with")
    print("no other cost would take; the largest alone is what it would take if the other two cost nothing.\n")
    print("| model | rows | decode | predict | encode | our work | largest/ours | sum/ours |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(lines), flush=True)


def main() -> None:
    """Parse the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers-python", help="the interpreter that has requirements-compare.txt")
    parser.add_argument("--rows", nargs="+", type=float, default=[1e5, 1e6, 1e7])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=workload.MODELS, default=list(workload.MODELS))
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child)
        return
    # Orphans of a contender stay below this process, where they are measured and ended.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    pythons = interpreters(arguments.peers_python)
    tell_versions({"peers": arguments.peers_python} if len(pythons) > 2 else {})
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=os.environ.get("BENCHMARK_FOLDER")))
    try:
        made = workload.make_models(folder)
        models = {name: made[name] for name in arguments.models}
        check(models, workload.make_data(folder, CHECKED_ROWS), pythons)
        data = {int(rows): workload.make_data(folder, int(rows)) for rows in arguments.rows}
        compare(models, data, pythons, arguments.repeats)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
