"""Validation checks: named expressions over a model's inputs and outputs, true where something is wrong with a row.

A check marks rows; what happens when it marks too many of them is its action.

Invariants: a check never drops a row by itself (``quarantine`` was asked for, and sets it aside with its values), and
its counts are of all rows that were scored. The grammar of expressions is imported for the first check: most jobs have
none.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pyarrow as pa

from airflow_batch_inference.checks.asked import asked_of, require_mapping
from airflow_batch_inference.exceptions import CheckFailedError, ConfigurationError
from airflow_batch_inference.predictors.isolation import only
from airflow_batch_inference.predictors.scored_rows import RejectedRow, ScoredRows
from airflow_batch_inference.records import CheckCount, CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.checks.expressions import Expression
    from airflow_batch_inference.sources.batches import MiniBatch

Action = Literal["fail", "alert", "quarantine"]
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A named expression, and what happens when it holds for too many rows.

    Attributes
    ----------
    name
        Unique among the checks.
    when
        The expression; true marks the row.
    max_rate
        Which share of the rows may be marked, from 0 to 1.
    action
        What happens above it: ``fail``, ``alert``, or ``quarantine``, which sets each marked row aside and fails above
        ``max_rate``. None: rows are marked and counted, nothing else.
    """

    name: str
    when: str
    max_rate: float | None = None
    action: Action | None = None

    def is_exceeded(self, rows: int, of: int) -> bool:
        """Say whether so many marked rows are too many; without ``max_rate``, one is for ``fail`` and ``alert``.

        Examples
        --------
        >>> check = Check(name="odd", when="in.age < 0", max_rate=0.01, action="fail")
        >>> check.is_exceeded(1, 100), check.is_exceeded(2, 100)
        (False, True)
        """
        if self.action is None:
            return False
        if self.max_rate is None:
            return rows > 0 if self.action != "quarantine" else rows == of > 0
        return rows > math.floor(self.max_rate * of + 1e-9)  # 0.29 * 100 is 28.999…


def parse_checks(given: Mapping[str, Any] | None) -> tuple[Check, ...]:
    """Return what ``checks={"high": "out.risk > 0.9", "odd": {"when": "in.age < 0", "max_rate": 0.01}}`` asks for.

    Raises
    ------
    ConfigurationError
        A name, key, number, action or expression that can never work.

    Examples
    --------
    >>> parse_checks({"odd": {"when": "in.age < 0", "max_rate": "0.01"}})
    (Check(name='odd', when='in.age < 0', max_rate=0.01, action='alert'),)
    """
    return tuple(_check(name, asked) for name, asked in require_mapping(given).items())


def _check(name: str, given: object) -> Check:
    from airflow_batch_inference.checks.polars_checks import is_polars, refuse_polars

    when = given.get("when") if isinstance(given, Mapping) else given
    if is_polars(when):
        refuse_polars(name, when)
    when, rate, action = asked_of(name, given)
    try:
        _parsed(when)
    except ConfigurationError as error:
        message = f"The check {name!r}: {error}"
        raise ConfigurationError(message) from None
    return Check(name=name, when=when, max_rate=rate, action=cast("Action | None", action))


def _parsed(when: str) -> Expression:
    """Read an expression; what parses it is imported for a check only, and most jobs have none."""
    from airflow_batch_inference.checks.expressions import parse_expression

    return parse_expression(when)


@dataclass(frozen=True, slots=True)
class Marked:
    """Which rows each check marks.

    Attributes
    ----------
    by_check
        Name to shape (n,), bool.
    rows
        n.
    """

    by_check: dict[str, np.ndarray]
    rows: int

    @property
    def failures(self) -> pa.Array:
        """How many checks each row triggered, int8."""
        total = np.zeros(self.rows, dtype=np.int8)
        for marks in self.by_check.values():
            total += marks
        return pa.array(total)

    def taken(self, keep: np.ndarray) -> Marked:
        """Return the marks of some of the rows."""
        return Marked({name: marks[keep] for name, marks in self.by_check.items()}, int(keep.sum()))


def columns_read(checks: Iterable[Check]) -> tuple[str, ...]:
    """Return the columns that checks name, each once."""
    names = (name for check in checks for name in _parsed(check.when).names)
    return tuple(dict.fromkeys(names))


def mark(checks: Iterable[Check], columns: Mapping[str, pa.Array | pa.ChunkedArray], rows: int) -> Marked:
    """Evaluate checks on rows.

    Parameters
    ----------
    checks
        The checks.
    columns
        Values by name: ``in.<field>`` and ``out.<output>``.
    rows
        How many there are.

    Raises
    ------
    ConfigurationError
        An expression names no column, or cannot be evaluated on its type; names the check.
    """
    found = {}
    for check in checks:
        try:
            found[check.name] = _parsed(check.when).holds(columns, rows)
        except ConfigurationError as error:
            message = f"The check {check.name!r}: {error}"
            raise ConfigurationError(message) from None
    return Marked(found, rows)


def count_marks(marked: Marked, batch: MiniBatch) -> tuple[CheckCount, ...]:
    """Count the marked rows of a mini-batch, and name the first of each check."""
    counts = []
    for name, marks in marked.by_check.items():
        first = [batch.locate(int(row)) for row in np.flatnonzero(marks)[:_SHOWN]]
        counts.append(CheckCount(name=name, rows=int(marks.sum()), first=tuple(f"{u} row {r}" for u, r in first)))
    return tuple(counts)


def added(first: Sequence[CheckCount], second: Sequence[CheckCount]) -> tuple[CheckCount, ...]:
    """Add counts of the same checks; the rows named are the first ones."""
    if not first or not second:
        return tuple(first or second)
    return tuple(
        CheckCount(name=one.name, rows=one.rows + other.rows, first=(*one.first, *other.first)[:_SHOWN])
        for one, other in zip(first, second, strict=True)
    )


@dataclass(frozen=True, slots=True)
class SetAside:
    """Scored rows without those that a ``quarantine`` check marks, and which of them are left (bool, one a row)."""

    scored: ScoredRows
    keep: np.ndarray


def set_aside(checks: Iterable[Check], batch: MiniBatch, scored: ScoredRows, marked: Marked) -> SetAside | None:
    """Move rows that a ``quarantine`` check marks to the rejected ones; None where there are none.

    Parameters
    ----------
    checks
        All checks.
    batch
        The mini-batch that was scored.
    scored
        Its rows that could be.
    marked
        The checks of those rows.
    """
    wanted = [check for check in checks if check.action == "quarantine"]
    gone = functools.reduce(np.logical_or, (marked.by_check[c.name] for c in wanted), np.zeros(marked.rows, bool))
    if not gone.any():
        return None
    unscored = {row.row for row in scored.rejected}
    places = [row for row in range(batch.table.num_rows) if row not in unscored]
    rejected = list(scored.rejected)
    for at in np.flatnonzero(gone).tolist():
        names = [f"{check.name!r} ({check.when})" for check in wanted if marked.by_check[check.name][at]]
        rejected.append(RejectedRow(places[at], "check", f"The check {' and '.join(names)} holds."))
    kept = ScoredRows(
        only(scored.rows, ~gone),
        [column.filter(pa.array(~gone)) for column in scored.predicted],
        sorted(rejected, key=lambda row: row.row),
    )
    return SetAside(kept, ~gone)


def judged(checks: Iterable[Check], counts: Sequence[CheckCount], rows: int) -> tuple[CheckResult, ...]:
    """Return what came of the checks of so many rows.

    Parameters
    ----------
    checks
        The checks.
    counts
        How many rows each of them marked, in their order; empty where no row was scored.
    rows
        How many rows went in.
    """
    by_name = {count.name: count for count in counts}
    results = []
    for check in checks:
        count = by_name.get(check.name, CheckCount(name=check.name, rows=0))
        results.append(
            CheckResult(
                name=check.name,
                expression=check.when,
                rows=count.rows,
                max_rate=check.max_rate,
                action=check.action,
                is_exceeded=check.is_exceeded(count.rows, rows),
                first=count.first,
            )
        )
    return tuple(results)


def require_passed(results: Iterable[CheckResult], rows: int) -> None:
    """Refuse to commit what a check with the action ``fail`` or ``quarantine`` finds to be too bad.

    Raises
    ------
    CheckFailedError
        Names check, count, rate, limit and the first rows.
    """
    failed = [result for result in results if result.is_exceeded and result.action in ("fail", "quarantine")]
    if failed:
        told = " ".join(describe(result, rows) for result in failed)
        message = f"{told} Nothing was committed. Look at these rows; or raise max_rate, or set another action."
        raise CheckFailedError(message)


def describe(result: CheckResult, rows: int) -> str:
    """Say how many rows a check marked, and the limit.

    Examples
    --------
    >>> describe(CheckResult(name="odd", expression="in.age < 0", rows=2, max_rate=0.01, action="fail",
    ...     is_exceeded=True, first=("/a.csv row 7",)), 100)
    "The check 'odd' (in.age < 0) holds for 2 of 100 rows (2%), and max_rate is 1%. First: /a.csv row 7."
    """
    first = f" First: {', '.join(result.first)}." if result.first else ""
    return (
        f"The check {result.name!r} ({result.expression}) holds for {result.rows:,} of {rows:,} rows "
        f"({100 * result.rows / max(rows, 1):.3g}%), and {_allowed(result)}.{first}"
    )


def _allowed(result: CheckResult) -> str:
    """Say what the limit is, or what to write where none was given."""
    if result.max_rate is not None:
        return f"max_rate is {100 * result.max_rate:.6g}%"
    if result.action is None:
        return "nothing follows from it: give it a max_rate (0.01 for 1%), or an action ('fail', 'alert', 'quarantine')"
    if result.action == "quarantine":
        return "not all may be set aside"
    return "none may be, since it has no max_rate (0.01 would allow 1%)"
