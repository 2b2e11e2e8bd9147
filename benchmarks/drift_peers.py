"""The peers of drift.py, each doing its ordinary data drift analysis of all columns; run by an interpreter that has it.

    python -m venv EVIDENTLY && EVIDENTLY/bin/pip install -r benchmarks/requirements-evidently.txt
    python -m venv NANNYML && NANNYML/bin/pip install -r benchmarks/requirements-nannyml.txt
    EVIDENTLY/bin/python benchmarks/drift_peers.py evidently REFERENCE.parquet CURRENT.parquet OUT.json
    NANNYML/bin/python benchmarks/drift_peers.py nannyml REFERENCE.parquet CURRENT.parquet OUT.json

Reads both files with pandas, analyses, and writes to OUT.json: the wall and CPU seconds after imports (reading both
files included, as neither tool can keep a summary of the reference), the peak resident memory of the process, the
versions, and each column's score and whether the tool says that it drifted.

Evidently: `DataDriftPreset` with its defaults, and the HTML report, as its quick start does. NannyML:
`UnivariateDriftCalculator` with its defaults for continuous and categorical columns. Its thresholds are the mean plus
three standard deviations over chunks of the reference: with one chunk, every column would alert. So the reference is
cut as its default does, into ten, and the current data are one chunk. Neither tool's usage reporting is on.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

EVIDENTLY = "evidently"
NANNYML = "nannyml"
_DISTRIBUTIONS = ("evidently", "nannyml", "airflow-batch-inference", "pandas", "pyarrow", "numpy", "scipy")


def cpu_seconds() -> float:
    """Return the CPU seconds, of user and system, of this process and its ended children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@dataclass(slots=True)
class Meter:
    """Wall and CPU seconds since it was made, and the peak memory of the process.

    The kernel lets a process begin with the peak of the one that started it: who measures must stay small.
    """

    wall: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=cpu_seconds)

    def read(self) -> dict[str, float]:
        """Return what has been used so far."""
        return {
            "seconds": time.monotonic() - self.wall,
            "cpu_seconds": cpu_seconds() - self.cpu,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


def column(score: float, *, drifted: bool) -> dict[str, Any]:
    return {"score": float(score), "drifted": bool(drifted)}


def versions() -> dict[str, str]:
    """Return the versions of what this interpreter has of the packages that matter."""
    found = {"python": sys.version.split()[0]}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def result(used: dict[str, float], columns: dict[str, dict[str, Any]], **more: float) -> dict[str, Any]:
    """Put together what a run reports."""
    drifted = sum(found["drifted"] for found in columns.values())
    return {**used, **more, "versions": versions(), "drifted": drifted, "columns": columns}


# -- the tools -------------------------------------------------------------------------------------------------


def evidently(reference: Path, current: Path) -> dict[str, Any]:
    """Run the preset for data drift, and save its report."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    with tempfile.TemporaryDirectory() as folder:
        meter = Meter()
        definition = DataDefinition()
        before, now = (Dataset.from_pandas(pd.read_parquet(path), definition) for path in (reference, current))
        snapshot = Report([DataDriftPreset()]).run(now, before)
        snapshot.save_html(str(Path(folder, "report.html")))
        found = snapshot.dict()
        used = meter.read()
    return result(used, evidently_columns(found))


def evidently_columns(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the verdict of each column; the report holds only scores and thresholds, and how many drifted in all."""
    columns, count = {}, None
    for metric in found["metrics"]:
        config, value = metric["config"], metric["value"]
        if config["type"].endswith(":DriftedColumnsCount"):
            count = int(value["count"])
        elif config["type"].endswith(":ValueDrift"):
            is_p = "p_value" in config["method"]
            over = value < config["threshold"] if is_p else value >= config["threshold"]
            columns[config["column"]] = column(value, drifted=over)
    drifted = sum(verdict["drifted"] for verdict in columns.values())
    if count != drifted:
        message = (
            f"Evidently counts {count} drifted columns, their scores and thresholds give {drifted}. "
            f"Install the version of requirements-evidently.txt, or mend evidently_columns for this one."
        )
        raise SystemExit(message)
    return columns


def nannyml(reference: Path, current: Path) -> dict[str, Any]:
    """Compare ten chunks of the reference, then the current data as one, with the reference."""
    os.environ.setdefault("NML_DISABLE_USAGE_LOGGING", "1")
    import pandas as pd
    from nannyml import UnivariateDriftCalculator
    from nannyml.chunk import CountBasedChunker

    meter = Meter()
    before = pd.read_parquet(reference)
    calculator = UnivariateDriftCalculator(column_names=list(before.columns)).fit(before)
    calculator.chunker = CountBasedChunker(chunk_number=1)
    found = calculator.calculate(pd.read_parquet(current)).filter(period="analysis").to_df()
    used = meter.read()
    if len(found) != 1:
        raise SystemExit(f"NannyML made {len(found)} chunks of {current}, not one: its chunker has changed.")
    return result(used, nannyml_columns(found))


def nannyml_columns(found: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401  # a pandas frame of one row
    """Return the verdict of each column from its one method's value and alert."""
    row = found.iloc[0]
    return {
        name: column(row[name, method, "value"], drifted=row[name, method, "alert"])
        for name, method, what in found.columns
        if what == "alert"
    }


TOOLS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {EVIDENTLY: evidently, NANNYML: nannyml}


def main() -> None:
    """Parse the command line, run one tool, write what it took and found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("reference", type=Path)
    parser.add_argument("current", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    report = TOOLS[arguments.tool](arguments.reference, arguments.current)
    arguments.out.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
