"""Challengers beside a champion: they score the same rows in the same pass, into columns of their own, and no more.

Invariants: whatever a challenger does, the champion's predictions are the same and no row is rejected; where a
challenger fails, its columns are null. Only what ends the process ends the champion too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.predictors.base import InferredOutputs
from airflow_batch_inference.predictors.challengers.names import challenger_column
from airflow_batch_inference.predictors.challengers.rule import DisagreementRule
from airflow_batch_inference.predictors.challengers.statistics import ShadowStatistics, make_counters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_batch_inference.predictors.base import ModelStatistics, Predictor
    from airflow_batch_inference.predictors.challengers.challenger import Challenger
    from airflow_batch_inference.predictors.input_validation import InputValidation
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.sources.batches import MiniBatch


@dataclass(slots=True, kw_only=True)
class ShadowPredictor:
    """A champion, and challengers that score the rows that it can score.

    Attributes
    ----------
    champion, record
        Gives the predictions, and the record of the model that does.
    challengers
        Give further columns.
    methods
        That make the predictions.
    rule
        What a disagreement is of numbers.
    column
        Names a challenger's columns, by its name and the output's; see :func:`challenger_column`.
    on_progress
        Called with a challenger's name before it predicts, and with nothing afterwards, so that a supervisor knows
        which one has ended the process.
    """

    champion: Predictor
    record: ModelRecord
    challengers: tuple[Challenger, ...]
    methods: tuple[str, ...] = ("predict",)
    rule: DisagreementRule = field(default_factory=DisagreementRule)
    column: Callable[[str, str], str] = challenger_column
    on_progress: Callable[[str], None] = lambda name: None  # noqa: ARG005

    @property
    def outputs(self) -> Sequence[str]:
        """The champion's, and those of the challengers' columns."""
        return [*self.champion.outputs, *(name for each in self.challengers for name in self._columns_of(each))]

    def _columns_of(self, challenger: Challenger) -> list[str]:
        outputs = challenger.outputs.schema.names if challenger.outputs is not None else []
        return [self.column(challenger.name, name) for name in outputs]

    @property
    def added(self) -> int:
        """How many of the last columns are no predictions of the champion."""
        return self.champion.added + sum(len(self._columns_of(each)) for each in self.challengers)

    @property
    def main(self) -> Predictor:
        """The champion."""
        return self.champion

    @property
    def validation(self) -> InputValidation | None:
        """The champion's; challengers see the values that it has coerced."""
        return self.champion.validation

    @property
    def elapsed(self) -> Sequence[int]:
        """The champion's."""
        return self.champion.elapsed

    def predict(self, batch: MiniBatch) -> list[pa.Array]:
        """Predict; see :class:`~.base.Predictor`. Only the champion raises."""
        found = self.champion.predict(batch)
        if self.validation is not None:
            batch = replace(batch, table=self.validation.coerce(batch.table))
        number = len(found) - self.champion.added
        own, names = found[:number], list(self.champion.outputs)[:number]
        for each in self.challengers:
            self.on_progress(each.name)
            called = each.called(self.record, names)
            like = pa.schema([pa.field(name, values.type) for name, values in zip(called, own, strict=True)])
            found = [*found, *each.predict(batch, like)]
        self.on_progress("")
        return found

    def infer_outputs(self, own: pa.Schema) -> InferredOutputs:
        """See :class:`~.base.Predictor`."""
        return InferredOutputs(
            outputs=own, challengers=tuple(each.outputs for each in self.challengers if each.outputs is not None)
        )

    def statistics(self, inferred: InferredOutputs, labels: Sequence[str]) -> ModelStatistics:
        """See :class:`~.base.Predictor`."""
        return ShadowStatistics(
            challengers=self.challengers,
            predictions=len(labels),
            others=self.champion.added,
            counters={
                each.name: make_counters(
                    each, inferred.outputs, self.record, methods=self.methods, labels=labels, rule=self.rule
                )
                for each in self.challengers
            },
        )

    def exclude(self, name: str, reason: str) -> None:
        """See :class:`~.base.Predictor`."""
        for each in self.challengers:
            if each.name == name:
                each.exclude(reason)
