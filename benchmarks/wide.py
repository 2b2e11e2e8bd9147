"""What a wide table costs beside its values: CPU seconds of a process, which grow with the columns, not their square.

    python benchmarks/wide.py                     # 1e4 columns in one file, and 60 files of 2,000 columns
    python benchmarks/wide.py --repeats 5

Each shape is run with all of its columns and with half of them, in processes of their own, alternating: pyarrow that
reads every file once (`read`), and this package's `preflight`, `score` and `baseline` (medians, less the start of a
process that imports the same and has one small file). "grows" is the ratio of the two widths: 2 is linear, 4 square.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import lightgbm
import measuring
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SHAPES = ((10_000, 1), (2_000, 60))
ROWS = 20
READ = "import sys, pyarrow.parquet as pq; [pq.ParquetFile(path).read() for path in sys.argv[1:]]"
ROOT = Path(__file__).resolve().parents[1]


def make(folder: Path, columns: int, files: int) -> None:
    """Write a model and the files of a dataset."""
    generator = np.random.default_rng(0)
    names = [f"feature_{place}" for place in range(columns)]
    (folder / "data").mkdir(parents=True)
    for number in range(files):
        values = generator.random((columns, ROWS))
        pq.write_table(pa.table(dict(zip(names, values, strict=True))), folder / "data" / f"{number:03}.parquet")
    sample = generator.random((50, columns))
    data = lightgbm.Dataset(sample, sample[:, 0], feature_name=names)
    lightgbm.train({"verbose": -1, "min_data_in_leaf": 1}, data, 2).save_model(folder / "model.txt")


def commands(folder: Path) -> dict[str, list[str]]:
    """Return what is timed."""
    model, data = str(folder / "model.txt"), str(folder / "data")
    ours = [sys.executable, "-m", "airflow_batch_inference"]
    return {
        "read": [sys.executable, "-c", READ, *map(str, sorted((folder / "data").iterdir()))],
        "preflight": [*ours, "preflight", model, data],
        "score": [*ours, "score", model, data, "--artifact-root", str(folder / "root")],
        "baseline": [*ours, "baseline", data, "--output", str(folder / "baseline")],
    }


def cpu_seconds(command: list[str]) -> float:
    """Run a command, and return the processor time of it and its children."""
    with tempfile.TemporaryDirectory() as home:
        if "score" in command:
            command = [*command, "--output", f"{home}/output"]
        environment = {"AIRFLOW_HOME": home, "PYTHONPATH": str(ROOT)}
        return measuring.run(command, environment=environment, folder=Path(home)).cpu


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    measuring.adopt_orphans()
    print("| columns | files | what | CPU s, half the columns | CPU s, all | grows |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as root:
        make(Path(root) / "small", 2, 1)
        starts = {what: cpu_seconds(command) for what, command in commands(Path(root) / "small").items()}
        for columns, files in SHAPES:
            half, whole = Path(root) / f"{columns // 2}-{files}", Path(root) / f"{columns}-{files}"
            make(half, columns // 2, files)
            make(whole, columns, files)
            for what in starts:
                taken: dict[Path, list[float]] = {half: [], whole: []}
                for _ in range(repeats):
                    for folder, seconds in taken.items():
                        seconds.append(cpu_seconds(commands(folder)[what]) - starts[what])
                few, many = (statistics.median(seconds) for seconds in taken.values())
                print(f"| {columns:,} | {files} | {what} | {few:.2f} | {many:.2f} | {many / few:.1f} |", flush=True)


if __name__ == "__main__":
    main()
