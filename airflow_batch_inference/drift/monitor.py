"""One run of a monitored dataset: counted, compared with its reference and with earlier runs.

Invariants: the data are read at most once, in bounded memory (twice where there is no reference and
they are many); nothing is stored here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.drift.analysis import Roles, analyse, not_analysed
from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.history import as_columns, guard, persistent, summarise, with_history
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.drift.reasons import history_reasons
from airflow_batch_inference.drift.statistics import statistics_of
from airflow_batch_inference.drift.wiring import is_same_data, problem
from airflow_batch_inference.records import DriftStatus, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_batch_inference.drift.rules.base import Rule
    from airflow_batch_inference.records import (
        BaselineRecord,
        ColumnBaseline,
        ColumnSummary,
        DataFile,
        DriftResult,
        HistoryEntry,
        StatisticsRecord,
    )
    from airflow_batch_inference.sources.dataset import Dataset

_BATCH_ROWS = 65_536
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The data to judge.

    Attributes
    ----------
    dataset
        Read where there is no profile; None only with one.
    profile
        Counted before on the very baseline that it is compared with; None: the dataset is counted now.
    column_names
        All columns of the data.
    source
        Files, for provenance.
    roles
        What the model does with the columns.
    names
        What the dataset calls a column, to the name that it has here and in the reference, where they differ.
    """

    dataset: Dataset | None
    profile: Profile | None = None
    column_names: tuple[str, ...]
    source: tuple[DataFile, ...] = ()
    roles: Roles = field(default_factory=Roles)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """Drift counts where it was found in ``needed`` of the last ``of`` runs, this one included."""

    needed: int = 1
    of: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """What came of it: the result, statistics of the data, and what later runs compare themselves with."""

    result: DriftResult
    statistics: StatisticsRecord
    summaries: tuple[ColumnSummary, ...]
    problem: str | None = None
    """Why no verdict can ever come of this wiring, and what to do; the analysis is to be recorded all the same."""


def monitor(
    current: Current,
    baseline: BaselineRecord | None,
    *,
    rule: Rule,
    previous: Sequence[HistoryEntry] = (),
    recent: Sequence[HistoryEntry] = (),
    persistence: Persistence | None = None,
    is_switched_off: bool = False,
) -> Monitored:
    """Compare a run's data with a reference and with earlier runs.

    Parameters
    ----------
    current
        The data.
    baseline
        The reference; None: only earlier runs are compared with.
    rule
        How to judge. Under one that weighs metrics alone, earlier runs change nothing where there is a reference.
    previous
        Earlier runs to compare with, oldest first.
    recent, persistence
        The last runs before this one, and in how many of them drift must be found.
    is_switched_off
        Whether nothing is to be judged; statistics are still made.
    """
    columns: Sequence[ColumnBaseline]
    wrong = None
    if baseline is None or is_switched_off:
        own = _own_baseline(current)
        columns, profile = own.columns, _as_profile(own)
        result = not_analysed(profile.rows, rule, is_switched_off=is_switched_off)
    else:
        columns = baseline.columns
        profile = current.profile or count(current.dataset, columns, current.names)
        result = analyse(baseline, profile, column_names=current.column_names, rule=rule, roles=current.roles)
        wrong = problem(result, baseline, current.column_names, rule)
        if is_same_data(current.source, baseline):
            result = replace(result, reasons=(*result.reasons, "The data are the reference's own files."))
    summaries = summarise(profile, columns, result.columns, current.roles)
    if not is_switched_off and (baseline is None or not rule.weighs_only_metrics):
        usual = previous if baseline is None else _undrifted(previous)
        found = guard(profile.rows, summaries, usual, rule=rule, has_reference=baseline is not None)
        if baseline is None:
            result = replace(result, columns=as_columns(summaries, found, rule))
        result = with_history(result, found, history_reasons(found, profile.rows, usual), len(usual))
    if persistence is not None:
        result = persistent(result, recent, persistence.needed, persistence.of)
    return Monitored(
        result=result,
        statistics=statistics_of(profile, columns, source=current.source),
        summaries=summaries,
        problem=wrong,
    )


def _undrifted(previous: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """Return the earlier runs in which no column had left the reference.

    After a week of drift, ordinary data are not odd.
    Without a reference all count, so that the guards get used to what has come to stay.
    """
    drift = DriftStatus.DRIFT_DETECTED
    return [
        entry
        for entry in previous
        if not any(column.status == drift and column.role != "other" for column in entry.columns)
    ]


def count(
    dataset: Dataset | None, columns: Sequence[ColumnBaseline], names: Mapping[str, str] = MappingProxyType({})
) -> Profile:
    """Count a dataset's rows on a baseline's edges: one pass over the columns that both have, some by other names."""
    profiler = Profiler(columns)
    if dataset is None:
        return profiler.profile()
    wanted = [name for name in dataset.schema.names if profiler.counts(names.get(name, name))]
    for table in _tables(dataset.select(wanted or dataset.schema.names[:1]), names):
        profiler.add(table)
    return profiler.profile()


def _tables(dataset: Dataset, names: Mapping[str, str]) -> Iterator[pa.Table]:
    """Yield the rows that can be read, under other names where there are any."""
    for batch in dataset.mini_batches(_BATCH_ROWS):
        table = batch.table.filter(pa.array(batch.readable())) if batch.broken else batch.table
        yield table.rename_columns([names.get(name, name) for name in table.column_names])


def _own_baseline(current: Current) -> BaselineRecord:
    """Return the data as a baseline of themselves, which gives their statistics where there is no reference."""
    dataset = current.dataset
    if dataset is None:
        return make_baseline(list, schema=pa.schema([]))
    names = current.names
    schema = pa.schema([column.with_name(names.get(column.name, column.name)) for column in dataset.schema])
    return make_baseline(lambda: _tables(dataset, names), schema=schema, source=current.source, most_bytes=_MOST_BYTES)


def _as_profile(baseline: BaselineRecord) -> Profile:
    columns = tuple(column.profile for column in baseline.columns)
    return Profile(rows=baseline.rows, columns=columns, changed={}, skipped=baseline.skipped)
