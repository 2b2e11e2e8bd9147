"""Wallaroo's columns and the validation checks of a task: what its arguments ask for, and who is told afterwards."""

from __future__ import annotations

import logging
import sys
from datetime import UTC
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.checks.asked import asked_of, require_mapping
from airflow_batch_inference.operators.announcements import notify
from airflow_batch_inference.operators.arguments import mapping
from airflow_batch_inference.operators.base import push, run_date
from airflow_batch_inference.wording.texts import said_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.operators.groups.output import Layout, WallarooLayout
    from airflow_batch_inference.records import CheckResult

log = logging.getLogger(__name__)


def layout_options(
    context: Context, layout: Layout | WallarooLayout | None, checks: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the scoring options that an output layout and checks make.

    Raises
    ------
    ConfigurationError
        One of them can never work.
    """
    from airflow_batch_inference.checks.checks import parse_checks

    options: dict[str, Any] = {"checks": parse_checks(checks)}
    if layout is None:
        return options
    name, arguments = layout.asked()
    return {**options, "layout": name, "layout_arguments": arguments, "time_ms": run_time_ms(context)}


def require_checks(name: str, value: object) -> None:
    """Refuse checks that can never work, as far as that is known without their expressions.

    Raises
    ------
    ConfigurationError
        Names the check.
    """
    for each, asked in require_mapping(mapping(name, value)).items():
        asked_of(each, asked)


def refuse_expressions(checks: object) -> None:
    """Refuse polars expressions while the DAG is read: no template makes one, so they can never work.

    Raises
    ------
    ConfigurationError
        Says what to write in its place.
    """
    kind = getattr(sys.modules.get("polars"), "Expr", ())
    for name, asked in checks.items() if isinstance(checks, dict) else ():
        given = asked.get("when") if isinstance(asked, dict) else asked
        if isinstance(given, kind):
            from airflow_batch_inference.checks.polars_checks import refuse_polars

            refuse_polars(name, given)


def run_time_ms(context: Context) -> int | None:
    """Return the run's logical date, or when it was due where it has none, in milliseconds since 1970 in UTC."""
    moment = run_date(context)
    if moment is None:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def announce_checks(
    results: Sequence[CheckResult], rows: int, where: Mapping[str, str], notifiers: Sequence[Any], context: Context
) -> None:
    """Push how many rows each check marked; log those that mark too many, and tell notifiers (``{{ checks }}``).

    A notifier that fails is logged and does not change the task's outcome.

    Parameters
    ----------
    results
        What came of all checks; nothing is done where there are none.
    rows
        How many rows went in.
    where
        What else the notifiers are told of each of them: URIs.
    """
    from airflow_batch_inference.checks.checks import describe

    if results:
        push(context, {"check_failures": {result.name: result.rows for result in results}})
    exceeded = [result for result in results if result.is_exceeded]
    for result in exceeded:
        log.warning("%s See %s", describe(result, rows), next(iter(where.values())))
    if not exceeded:
        return
    told = [
        {
            "name": result.name,
            "expression": result.expression,
            "rows": result.rows,
            "of": rows,
            "max_rate": result.max_rate,
            "action": result.action,
            "first": list(result.first),
            **where,
        }
        for result in exceeded
    ]
    told = said_of(told)
    for notifier in notifiers:
        notify(notifier, {**context, "checks": told})
