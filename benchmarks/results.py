"""What compare.py prints and keeps: a line for each contender, who is first in each case, and the limits."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import limits
import peers
from peers import OURS, SCRIPT

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Case:
    """What all contenders do."""

    table: str
    model: str
    rows: int

    @property
    def cells(self) -> str:
        """The first cells of its lines."""
        return f"| {self.table} | {self.model} | {self.rows:.0e}"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one contender: its whole life, its work, its processor's seconds and the largest memory."""

    seconds: float
    work: float
    cpu: float
    peak_mb: float


Runs: TypeAlias = dict[str, list[Measured]]
"""The runs of each contender, and of each stage alone, in the order of the rounds."""


class Book:
    """All that was measured.

    Parameters
    ----------
    path
        Where it is kept, after each case; None: nowhere.
    where
        On what it was measured.
    """

    def __init__(self, path: Path | None, where: dict[str, Any]) -> None:
        self.cases: dict[Case, Runs] = {}
        self._path = path
        self._where = where

    def add(self, case: Case, runs: Runs) -> None:
        """Keep a case."""
        self.cases[case] = runs
        if self._path is None:
            return
        kept = [
            {**asdict(case), "contender": contender, "round": number, **asdict(run)}
            for case, found in self.cases.items()
            for contender, done in found.items()
            for number, run in enumerate(done)
        ]
        self._path.write_text(json.dumps({**self._where, "runs": kept}, indent=1) + "\n")


def median(runs: list[Measured], what: str) -> float:
    return statistics.median(getattr(done, what) for done in runs)


def contenders(runs: Runs) -> list[str]:
    """Return who took part, in the order of the tables."""
    return [contender for contender in peers.CONTENDERS if contender in runs]


def print_head() -> None:
    print(
        "\n| table | model | rows | contender | wall s (median) | CPU s | work s | rows/s | peak MB | wall, it/ours |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)


def print_contenders(case: Case, runs: Runs) -> None:
    """Print a line for each contender."""
    for contender in contenders(runs):
        done = runs[contender]
        seconds = median(done, "seconds")
        against = f"{seconds / median(runs[OURS], 'seconds'):.2f}" if OURS in runs else "-"
        print(
            f"{case.cells} | {contender} | {seconds:.2f} | {median(done, 'cpu'):.2f} | {median(done, 'work'):.2f} |"
            f" {case.rows / seconds:,.0f} | {max(one.peak_mb for one in done):.0f} | {against} |",
            flush=True,
        )


def print_summary(book: Book) -> None:
    """Print who is first in each case, and the limits."""
    compared = {case: runs for case, runs in book.cases.items() if len(contenders(runs)) > 1}
    if compared:
        print("\nWho is first, by the whole life of the process (medians); in how many rounds ours was:\n")
        print(
            "| table | model | rows | first | wall s | the next | it/first | ours/first | ours first in | script/ours |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|")
        for case, runs in compared.items():
            print(first_line(case, runs))
    limited = {case: runs for case, runs in book.cases.items() if f"{limits.STAGES[0]} {limits.MEANS[0]}" in runs}
    if limited:
        print("\nEach stage alone on all cores, and our work. As all three need the same cores, the sum is what a job")
        print("with no other cost would take; the largest alone is what it would take if the other two cost nothing.\n")
        print("| table | model | rows | decode | predict | encode | our work | largest/ours | sum/ours |")
        print("|---|---|---|---|---|---|---|---|---|")
        for case, runs in limited.items():
            print(limit_line(case, runs))


def first_line(case: Case, runs: Runs) -> str:
    seconds = sorted((median(runs[contender], "seconds"), contender) for contender in contenders(runs))
    (least, first), (then, second) = seconds[:2]
    cells = [first, f"{least:.2f}", second, f"{then / least:.2f}"]
    cpu, sparing = min((median(runs[contender], "cpu"), contender) for contender in contenders(runs))
    against = ["-"] * 4
    if OURS in runs:
        rounds = list(zip(*(runs[contender] for contender in contenders(runs)), strict=True))
        place = contenders(runs).index(OURS)
        won = sum(turn[place].seconds == min(one.seconds for one in turn) for turn in rounds)
        own = median(runs[OURS], "seconds")
        script = f"{median(runs[SCRIPT], 'seconds') / own:.2f}" if SCRIPT in runs else "-"
        against = [f"{own / least:.2f}", f"{won} of {len(rounds)}", script, f"{median(runs[OURS], 'cpu') / cpu:.2f}"]
    cells += [*against[:3], sparing, f"{cpu:.2f}", against[3]]
    return f"{case.cells} | {' | '.join(cells)} |"


def limit_line(case: Case, runs: Runs) -> str:
    stages, shown = [], []
    for stage in limits.STAGES:
        seconds, means = min((median(runs[f"{stage} {means}"], "work"), means) for means in limits.MEANS)
        stages.append(seconds)
        shown.append(f"{seconds:.3f} ({means})")
    own = median(runs[OURS], "work")
    ratios = f"{max(stages) / own:.2f} | {sum(stages) / own:.2f}"
    return f"{case.cells} | {' | '.join(shown)} | {own:.3f} | {ratios} |"
