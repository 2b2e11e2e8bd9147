"""How often the rule `effect` cries wolf, and how often it sees what it should: the calibration study.

    python benchmarks/drift_power.py                       # the tables of docs/drift.md, some minutes on two cores
    python benchmarks/drift_power.py --trials 20           # a quick look

One trial draws a reference and, from the same distribution (false alarms) or a changed one (power), a batch, both of 20
independent columns, and runs the package's own analysis with its defaults: Holm over 20 columns, effects from 0.1
(possible drift) and 0.2 (drift). For power, 5 of the 20 columns are changed, and those 5 are counted. A column counts
as flagged where its status is POSSIBLE_DRIFT or DRIFT_DETECTED.
The seed is fixed; each cell says how many columns it rests on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from airflow_batch_inference.drift.analysis import Roles, analyse
from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.drift.rules.effect import EffectRule
from airflow_batch_inference.records import DriftStatus

COLUMNS = 20
MOVED = 5
SIZES = (50, 100, 300, 1_000, 10_000, 100_000)
NAMES = tuple(f"c{i:02d}" for i in range(COLUMNS))
ZIPF = 1 / np.arange(1, 51) / np.sum(1 / np.arange(1, 51))

Values = NDArray[np.float64] | NDArray[np.str_]
Draw = Callable[[np.random.Generator, int], Values]
Change = Callable[[np.random.Generator, Values], Values]

DISTRIBUTIONS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "Student t, 3 degrees": lambda rng, n: rng.standard_t(3, size=n),
    "Poisson(3)": lambda rng, n: rng.poisson(3, size=n).astype(float),
    "half zeros, else exponential": lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, rng.exponential(size=n)),
    "5 % missing": lambda rng, n: np.where(rng.random(n) < 0.05, np.nan, rng.normal(size=n)),
    "1 in 10 true": lambda rng, n: np.where(rng.random(n) < 0.1, "true", "false"),
    "50 categories (Zipf)": lambda rng, n: rng.choice(np.arange(50).astype(str), size=n, p=ZIPF),
}


def _some(rng: np.random.Generator, values: Values, share: float, instead: float) -> Values:
    return np.where(rng.random(len(values)) < share, instead, values)


CHANGES: dict[str, tuple[str, Change]] = {
    "shift by 0.25 sd": ("normal", lambda _, x: x + 0.25),
    "scale x 1.3": ("normal", lambda _, x: x * 1.3),
    "5 % at 5 sd": ("normal", lambda rng, x: _some(rng, x, 0.05, 5.0)),
    "20 % zeroed": ("normal", lambda rng, x: _some(rng, x, 0.2, 0.0)),
    "5 % missing": ("normal", lambda rng, x: _some(rng, x, 0.05, np.nan)),
    "10 % to another category": ("50 categories (Zipf)", lambda rng, x: np.where(rng.random(len(x)) < 0.1, "9", x)),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: what is drawn, how changed, and how many rows each side has."""

    distribution: str
    change: str | None
    reference_rows: int
    rows: int
    trials: int
    seed: int


def run(cell: Cell) -> tuple[int, int, int]:
    """Return the flagged columns, those in DRIFT_DETECTED, and all."""
    rng = np.random.default_rng(cell.seed)
    draw = DISTRIBUTIONS[cell.distribution]
    flagged = drifted = 0
    for _ in range(cell.trials):
        before = pa.table({name: draw(rng, cell.reference_rows) for name in NAMES})
        now = {name: draw(rng, cell.rows) for name in NAMES}
        if cell.change is not None:
            now |= {name: CHANGES[cell.change][1](rng, now[name]) for name in NAMES[:MOVED]}
        statuses = judged(before, pa.table(now))[: MOVED if cell.change else None]
        drifted += statuses.count(DriftStatus.DRIFT_DETECTED)
        flagged += statuses.count(DriftStatus.DRIFT_DETECTED) + statuses.count(DriftStatus.POSSIBLE_DRIFT)
    return flagged, drifted, cell.trials * (MOVED if cell.change else COLUMNS)


def judged(before: pa.Table, now: pa.Table) -> list[DriftStatus]:
    """Return each column's status, by the package's own analysis with its defaults."""
    baseline = make_baseline(lambda: [before], schema=before.schema)
    profiler = Profiler(baseline.columns)
    profiler.add(now)
    found = analyse(baseline, profiler.profile(), column_names=now.column_names, rule=EffectRule(), roles=Roles())
    return [column.status for column in found.columns]


def cells(trials: int) -> tuple[list[Cell], list[Cell]]:
    """Return the cells of the two tables; fewer trials where there are many rows."""

    def of(rows: int, reference_rows: int) -> int:
        return max(3, min(trials, int(trials * 20_000 / (rows + reference_rows))))

    false, power = [], []
    for place, name in enumerate(DISTRIBUTIONS):
        false += [Cell(name, None, 10_000, rows, of(rows, 10_000), 1000 * place + rows) for rows in SIZES]
    for place, (name, (distribution, _)) in enumerate(CHANGES.items()):
        power += [
            Cell(distribution, name, 10_000, rows, of(rows, 10_000), 10**6 + 1000 * place + rows) for rows in SIZES
        ]
    # As few rows in the reference as in the batch.
    false += [Cell("normal", None, rows, rows, of(rows, rows), 10**7 + rows) for rows in SIZES]
    return false, power


def table(title: str, rows: dict[str, list[str]]) -> None:
    """Print a Markdown table with a column for each size."""
    print(f"\n| {title} | " + " | ".join(f"{size:,}" for size in SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    for name, values in rows.items():
        print(f"| {name} | " + " | ".join(values) + " |")


def main() -> None:
    """Run both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--trials", type=int, default=100, help="of 20 columns, for small batches")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    false, power = cells(arguments.trials)
    with ProcessPoolExecutor(arguments.workers) as pool:
        found = list(pool.map(run, [*false, *power], chunksize=1))
    shown: dict[str, list[str]] = {}
    for cell, (flagged, _, number) in zip(false, found, strict=False):
        same = cell.reference_rows == cell.rows and cell.seed >= 10**7
        name = "normal, reference as small as the batch" if same else cell.distribution
        shown.setdefault(name, []).append(f"{flagged / number:.4f} ({number:,})")
    table("false alarms a column, batch rows", shown)
    shown = {}
    for cell, (flagged, drifted, number) in zip(power, found[len(false) :], strict=True):
        shown.setdefault(str(cell.change), []).append(f"{flagged / number:.3f} / {drifted / number:.3f}")
    table("power: flagged / DRIFT_DETECTED, batch rows", shown)


if __name__ == "__main__":
    main()
