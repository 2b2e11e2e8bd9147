"""A profile against a baseline: every column compared, one verdict, the reasons in words.

Invariants: one bad column never stops the others; no column is left out without being named; too few
rows are never "no drift".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from airflow_batch_inference.drift.checks import checked
from airflow_batch_inference.drift.comparison import Compared, CompareOptions, compare_column, incomparable
from airflow_batch_inference.drift.limits import EVERY
from airflow_batch_inference.drift.metrics.registry import all_metrics
from airflow_batch_inference.drift.performance import estimated_performance
from airflow_batch_inference.drift.rules.base import Context
from airflow_batch_inference.drift.schema_changes import changed, gone
from airflow_batch_inference.drift.wiring import few_compared
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import DriftResult, DriftStatus
from airflow_batch_inference.schema.names import known_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_batch_inference.drift.metrics.base import Metric
    from airflow_batch_inference.drift.rules.base import Rule
    from airflow_batch_inference.records import BaselineRecord, ColumnBaseline, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What the model does with the columns.

    Attributes
    ----------
    inputs
        Columns that it takes; None where it is not known: then all are.
    predictions
        Columns that it gives.
    unread
        Columns that the model may take, but that were not kept with the data: nothing can be said of them.
    apart
        Why the predictions are not to be compared with the reference's; None: they are.
    """

    inputs: tuple[str, ...] | None = None
    predictions: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    apart: str | None = None

    def of(self, name: str) -> Literal["input", "prediction", "other"]:
        """Return a column's role."""
        if name in self.predictions:
            return "prediction"
        return "input" if self.inputs is None or name in self.inputs else "other"

    def renamed(self, rename: Callable[[str], str]) -> Roles:
        """Return the same roles of columns of other names."""
        return Roles(
            inputs=None if self.inputs is None else tuple(map(rename, self.inputs)),
            predictions=tuple(map(rename, self.predictions)),
            unread=tuple(map(rename, self.unread)),
            apart=self.apart,
        )


def analyse(
    baseline: BaselineRecord, profile: Profile, *, column_names: Sequence[str], rule: Rule, roles: Roles
) -> DriftResult:
    """Compare a dataset's profile with a baseline.

    Parameters
    ----------
    baseline
        The reference.
    profile
        The current data, counted on the baseline's edges.
    column_names
        All columns of the current data.
    rule
        How to judge.
    roles
        What the model does with the columns.

    Returns
    -------
    DriftResult
        Without URIs and history: a caller adds them. Where no column can be compared the verdict is ``NOT_ANALYSED``:
        a reference that shares nothing with the data cannot vouch for them.

    Raises
    ------
    ConfigurationError
        The rule names a column that neither side has.
    """
    known = [*(column.profile.name for column in baseline.columns), *baseline.skipped]
    as_known = known_names(known)
    column_names, roles = tuple(map(as_known, column_names)), roles.renamed(as_known)
    _require_known(rule, {*known, *column_names})
    rule.require_reachable(baseline)
    there, in_reference, metrics = set(column_names), set(known), all_metrics()
    columns = checked(_compare(baseline, profile, there, rule, roles, metrics), baseline, rule)
    overall = {metric.name: metric.overall(columns, baseline) for metric in metrics}
    context = Context(
        baseline=baseline,
        rows=profile.rows,
        metrics={name: value for name, value in overall.items() if value is not None},
        missing_columns=tuple(name for name in known if name not in there and name not in baseline.targets),
        extra_columns=tuple(name for name in column_names if name not in in_reference),
    )
    verdict = rule.judge(columns, context)
    performance = estimated_performance(baseline, profile)
    result = replace(
        not_analysed(profile.rows, rule),
        status=verdict.status,
        run_status=verdict.status,
        drift_metric=verdict.metric,
        metrics=dict(context.metrics),
        reference_rows=baseline.rows,
        columns=verdict.columns,
        missing_columns=context.missing_columns,
        extra_columns=context.extra_columns,
        performance=performance,
        reference_performance=baseline.calibration.performance if performance and baseline.calibration else {},
        baseline_sha256=baseline.data_sha256,
    )
    few = few_compared(result, baseline, roles.inputs, rule)
    of_less = "" if rule.weighs_only_metrics else _not_of_rows(baseline)
    told = (*verdict.reasons[:1], few, *verdict.reasons[1:], *_uncompared_predictions(baseline, roles), of_less)
    return replace(result, reasons=tuple(filter(None, told)))


def _not_of_rows(baseline: BaselineRecord) -> str:
    """Say so where the reference was not made of rows."""
    if baseline.made_of == "rows":
        return ""
    return (
        f"The reference is {baseline.made_of}: less is seen than against a sample set, and distances are at least what "
        "is said."
    )


def _uncompared_predictions(baseline: BaselineRecord, roles: Roles) -> list[str]:
    """Say so where the reference has no predictions of these names: their drift is not seen."""
    there = {column.profile.name for column in baseline.columns} | {*baseline.skipped}
    lacking = [name for name in roles.predictions if name not in there]
    if roles.apart is not None:
        return [f"The predictions were not compared: {roles.apart}."]
    if not lacking:
        return []
    before = f"; it has {', '.join(baseline.predictions)}" if baseline.predictions else ""
    return [f"The predictions {', '.join(lacking)} were not compared: the reference has none of that name{before}."]


def not_analysed(rows: int, rule: Rule, *, is_switched_off: bool = False) -> DriftResult:
    """Return the result where there is no reference, or nobody wants a verdict; too few rows are said to be too few."""
    status, reason = DriftStatus.NOT_ANALYSED, "There is no reference to compare with."
    if is_switched_off:
        reason = "The analysis was switched off."
    elif rows < rule.min_rows:
        status = DriftStatus.INSUFFICIENT
        reason = f"Only {rows} current rows: below {rule.min_rows} no verdict is given."
    return DriftResult(
        status=status,
        run_status=status,
        reasons=(reason,),
        rule=rule.name,
        parameters=rule.parameters(),
        drift_metric=None,
        reference_rows=None,
        current_rows=rows,
        columns=(),
        missing_columns=(),
        extra_columns=(),
        baseline_uri=None,
        dataset_uri=None,
        batch_id=None,
        model_sha256=None,
        report_uri=None,
        statistics_uri=None,
        features_drift_uri=None,
    )


def _require_known(rule: Rule, known: set[str]) -> None:
    named = {"column_limits": rule.limits, "watch_columns": rule.watch, "ignore_columns": rule.ignore}
    for argument, columns in named.items():
        for name in columns:
            if name not in known and not (argument == "column_limits" and name == EVERY):
                message = (
                    f"{argument} names {name!r}, which neither the data nor the reference has. "
                    f"Their columns: {', '.join(sorted(known))}."
                )
                raise ConfigurationError(message)


def _compare(
    baseline: BaselineRecord, profile: Profile, there: set[str], rule: Rule, roles: Roles, metrics: Sequence[Metric]
) -> list[Compared]:
    current = {column.name: column for column in profile.columns}
    found = []
    for column in _wanted(baseline, there):
        name = column.profile.name
        role = roles.of(name)
        if name in rule.ignore:
            compared = Compared(column=incomparable(name, "ignored"))
        elif role == "prediction" and roles.apart is not None:
            compared = Compared(column=incomparable(name, roles.apart))
        elif name in current:
            options = CompareOptions(
                metrics=metrics,
                edges=rule.edges,
                inf_capping=rule.inf_capping,
                missing_bin="missing" not in rule.own_limits(name),
            )
            compared = compare_column(column, current[name], options)
        elif name in profile.changed:
            compared = Compared(column=changed(name, column.profile.type, profile.changed[name]))
        elif name in profile.skipped:
            compared = Compared(column=incomparable(name, profile.skipped[name]))
        elif not profile.rows:
            compared = Compared(column=incomparable(name, "there are no current rows"))
        elif name in there or name in roles.unread:
            compared = Compared(column=incomparable(name, "it was not kept with the predictions"))
        elif not rule.weighs_only_metrics and (role != "other" or name in rule.watch):
            compared = Compared(column=gone(name, is_certain=roles.inputs is not None or name in rule.watch))
        else:
            continue
        found.append(replace(compared, column=replace(compared.column, role=role)))
    return [*found, *_unsummarised(baseline, there, roles)]


def _wanted(baseline: BaselineRecord, there: set[str]) -> Iterator[ColumnBaseline]:
    """Yield the reference's columns but the labels that the data rightly lack."""
    return (
        column
        for column in baseline.columns
        if column.profile.name in there or column.profile.name not in baseline.targets
    )


def _unsummarised(baseline: BaselineRecord, there: set[str], roles: Roles) -> list[Compared]:
    return [
        Compared(column=replace(incomparable(name, f"in the reference: {reason}"), role=roles.of(name)))
        for name, reason in baseline.skipped.items()
        if name in there
    ]
