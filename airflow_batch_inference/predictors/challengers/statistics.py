"""What challengers do in a part: rows, gaps, and disagreements with the champion.

Invariants: nothing here reads a row again, and nothing that goes wrong in comparing a challenger is an error of the
job.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.challengers.disagreements import DisagreementCounter, compared_outputs
from airflow_batch_inference.records import ChainRows
from airflow_batch_inference.wording.errors import told_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from airflow_batch_inference.predictors.challengers.challenger import Challenger
    from airflow_batch_inference.predictors.challengers.rule import DisagreementRule
    from airflow_batch_inference.predictors.scored_rows import RejectedRow, ScoredRows
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.sources.batches import MiniBatch

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counters:
    """What counts the disagreements of one challenger, an output each; or why there are none."""

    outputs: list[DisagreementCounter] = field(default_factory=list)
    problem: str | None = None


def make_counters(
    challenger: Challenger,
    champion: pa.Schema,
    record: ModelRecord,
    *,
    methods: Sequence[str],
    labels: Sequence[str],
    rule: DisagreementRule,
) -> Counters:
    """Return what counts the disagreements of a challenger.

    Parameters
    ----------
    challenger
        With its outputs.
    champion, record
        The champion's predictions by their default names, and the record of the model that makes them.
    methods, labels
        See :func:`~.disagreements.compared_outputs`.
    rule
        What a disagreement is of numbers.
    """
    if challenger.outputs is None:
        return Counters()
    classes = _classes(record), _classes(challenger.record)
    try:
        compared = compared_outputs(champion, challenger.outputs.schema, methods, classes, labels)
    except ConfigurationError as error:
        return Counters(problem=str(error))
    return Counters([DisagreementCounter(compared=each, rule=rule) for each in compared])


def _classes(record: ModelRecord | None) -> tuple[str, ...] | None:
    found = None if record is None else record.class_names or record.classes
    return None if found is None else tuple(map(str, found))


@dataclass(slots=True, kw_only=True)
class ShadowStatistics:
    """Counts rows, gaps and disagreements of each challenger.

    Attributes
    ----------
    challengers
        In the order of their columns.
    predictions, others
        How many columns the champion has, and how many of its own that are no predictions.
    counters
        By challenger.
    """

    challengers: tuple[Challenger, ...]
    predictions: int
    others: int
    counters: dict[str, Counters]
    _rows: Counter[str] = field(default_factory=Counter)
    _failed: Counter[str] = field(default_factory=Counter)

    def count(self, scored: ScoredRows) -> None:
        """See :class:`~airflow_batch_inference.predictors.base.ModelStatistics`."""
        start = self.predictions + self.others
        for each in self.challengers if scored.predicted else ():
            width = len(each.outputs.schema) if each.outputs is not None else 0
            columns = scored.predicted[start : start + width]
            start += width
            there = np.ones(scored.rows.table.num_rows, dtype=bool)
            for column in columns:
                there &= np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
            self._rows[each.name] += int(there.sum())
            self._failed[each.name] += int((~there).sum())
            self._compare(each.name, scored, columns)

    def _compare(self, name: str, scored: ScoredRows, columns: Sequence[pa.Array]) -> None:
        try:
            for counter in self.counters[name].outputs:
                counter.add(scored.rows, scored.predicted[: self.predictions], columns)
        except Exception as error:
            log.exception("The challenger %s cannot be compared in this part", name)
            self.counters[name] = Counters(problem=told_by(error))

    def count_rejected(self, batch: MiniBatch, rejected: Sequence[RejectedRow]) -> None:
        """Count nothing: a challenger gets no row that the champion fails on."""

    def chains(self) -> tuple[ChainRows, ...]:
        """See :class:`~airflow_batch_inference.predictors.base.ModelStatistics`."""
        return tuple(
            ChainRows(
                name=each.name,
                rows=self._rows[each.name],
                rows_failed=self._failed[each.name],
                seconds=round(each.seconds, 3),
                error=each.error,
                outputs=tuple(counter.pairs() for counter in self.counters[each.name].outputs),
                not_compared=self.counters[each.name].problem,
            )
            for each in self.challengers
        )
