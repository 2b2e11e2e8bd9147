"""What each of several models has done: counted part by part, added up in the commit.

What must not be relaxed: nothing here reads a row again, and nothing that goes wrong with a challenger, not even in
comparing it, is an error of the job.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.disagreement_counts import added_pairs, judged
from airflow_batch_inference.predictors.disagreements import FlipCounter, compared_outputs
from airflow_batch_inference.predictors.shadow import Challenger, ShadowedPredictor
from airflow_batch_inference.predictors.split import SplitPredictor
from airflow_batch_inference.records import ChallengerResult, LineRows, UsedModel
from airflow_batch_inference.wording.errors import told_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.jobs.prepare import PreparedJob
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.predictors.base import BatchPredictor
    from airflow_batch_inference.predictors.isolation import RejectedRow, ScoredRows
    from airflow_batch_inference.predictors.lineup import Line, Lineup, ModelSource
    from airflow_batch_inference.records import ModelRecord, Receipt
    from airflow_batch_inference.records.challengers import Role
    from airflow_batch_inference.sources.batches import MiniBatch

log = logging.getLogger(__name__)


class Tally(Protocol):
    """Counts what the models of a part do."""

    def add(self, scored: ScoredRows) -> None:
        """Count the rows of a mini-batch that were scored."""

    def reject(self, batch: MiniBatch, rejected: Sequence[RejectedRow]) -> None:
        """Count its rejected rows."""

    def lines(self) -> tuple[LineRows, ...]:
        """Return what was counted."""


def tally_of(predictor: BatchPredictor, job: PreparedJob, request: ScoringRequest) -> Tally | None:
    """Return what counts a part; None where there is but one model, or one line of steps."""
    if isinstance(predictor, SplitPredictor):
        return _ArmTally(predictor)
    if isinstance(predictor, ShadowedPredictor):
        return _ChallengerTally(predictor, job, request)
    return None


@dataclass(slots=True)
class _ArmTally:
    """Counts how many rows each model of a split has scored, and how many of its own were rejected."""

    predictor: SplitPredictor
    rows: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    errors: dict[str, str] = field(default_factory=dict)

    def add(self, scored: ScoredRows) -> None:
        if scored.predicted:
            counts = pc.value_counts(scored.predicted[-1])
            self.rows.update({each["values"].as_py(): each["counts"].as_py() for each in counts})

    def reject(self, batch: MiniBatch, rejected: Sequence[RejectedRow]) -> None:
        tried = [row for row in rejected if row.stage != "read"]
        for row in tried:
            arm = self.predictor.split.arms[int(self.predictor.split.route(batch.slice(row.row, 1))[0])]
            self.failed[arm] += 1
            self.errors.setdefault(arm, row.error)

    def lines(self) -> tuple[LineRows, ...]:
        return tuple(
            LineRows(
                name=name,
                rows=self.rows[name],
                rows_failed=self.failed[name],
                seconds=round(self.predictor.spent[place] / 1e9, 3),
                error=self.errors.get(name),
            )
            for place, name in enumerate(self.predictor.split.arms)
        )


class _ChallengerTally:
    """Counts rows, gaps and flips of each challenger."""

    def __init__(self, predictor: ShadowedPredictor, job: PreparedJob, request: ScoringRequest) -> None:
        self._predictor = predictor
        self._number = len(job.labels)
        self._rows: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._problems: dict[str, str] = {}
        self._counters: dict[str, list[FlipCounter]] = {}
        for each in predictor.challengers:
            try:
                self._counters[each.name] = _counters(each, job, request)
            except ConfigurationError as error:
                self._counters[each.name] = []
                self._problems[each.name] = str(error)

    def add(self, scored: ScoredRows) -> None:
        start = self._number + self._predictor.champion.added
        for each in self._predictor.challengers if scored.predicted else ():
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
            for counter in self._counters[name]:
                counter.add(scored.rows, scored.predicted[: self._number], columns)
        except Exception as error:
            log.exception("The challenger %s cannot be compared in this part", name)
            self._counters[name] = []
            self._problems[name] = told_by(error)

    def reject(self, batch: MiniBatch, rejected: Sequence[RejectedRow]) -> None:
        """Nothing: a challenger gets no row that the champion fails on."""

    def lines(self) -> tuple[LineRows, ...]:
        return tuple(
            LineRows(
                name=each.name,
                rows=self._rows[each.name],
                rows_failed=self._failed[each.name],
                seconds=round(each.seconds, 3),
                error=each.error,
                outputs=tuple(counter.pairs() for counter in self._counters[each.name]),
                not_compared=self._problems.get(each.name),
            )
            for each in self._predictor.challengers
        )


def _counters(challenger: Challenger, job: PreparedJob, request: ScoringRequest) -> list[FlipCounter]:
    if challenger.outputs is None or request.lineup is None:
        return []
    compared = compared_outputs(
        job.learned.outputs,
        challenger.outputs.schema,
        request.options.methods,
        (_classes(request.answering.record), _classes(challenger.record)),
        job.labels,
    )
    return [FlipCounter(compared=each, rule=request.lineup.flips) for each in compared]


def _classes(record: ModelRecord | None) -> tuple[str, ...] | None:
    found = None if record is None else record.class_names or record.classes
    return None if found is None else tuple(map(str, found))


def added_lines(receipts: Iterable[Receipt]) -> dict[str, LineRows]:
    """Add up what the parts have counted of each line, by its name."""
    found: dict[str, list[LineRows]] = {}
    for receipt in sorted(receipts, key=lambda receipt: receipt.index):
        for line in receipt.lines:
            found.setdefault(line.name, []).append(line)
    return {name: _added(lines) for name, lines in found.items()}


def _added(lines: Sequence[LineRows]) -> LineRows:
    counted = [line.outputs for line in lines if line.rows]
    is_whole = bool(counted) and len({len(outputs) for outputs in counted}) == 1
    return LineRows(
        name=lines[0].name,
        rows=sum(line.rows for line in lines),
        rows_failed=sum(line.rows_failed for line in lines),
        seconds=round(sum(line.seconds for line in lines), 3),
        error=next((line.error for line in lines if line.error is not None), None),
        outputs=tuple(map(added_pairs, zip(*counted, strict=True))) if is_whole else (),
        not_compared=next((line.not_compared for line in lines if line.not_compared is not None), None),
    )


def used_models(request: ScoringRequest, lines: dict[str, LineRows], rows: int, rejected: int) -> tuple[UsedModel, ...]:
    """Return all models of a job with what they have done; none where there is but one.

    Parameters
    ----------
    lines
        What was counted of challengers, or of the models of a split.
    rows, rejected
        That the job has scored, and rejected.
    """
    lineup = request.lineup
    if lineup is None:
        return ()
    role: Role = "arm" if lineup.split is not None else "champion" if lineup.challengers else "step"
    own = lines.get(lineup.name) if role == "arm" else None
    counts = own or LineRows(name=lineup.name, rows=rows, rows_failed=rejected, seconds=0.0, error=None)
    main = _models(role, lineup.name if role == "arm" else None, (request.source, *lineup.later), counts)
    others = [
        model
        for kind, all_of in (("arm", lineup.arms), ("challenger", lineup.challengers))
        for line in all_of
        for model in _line_models(kind, line, lines.get(line.name))  # type: ignore[arg-type]  # both are roles
    ]
    return (*main, *others)


def _line_models(role: Role, line: Line, counts: LineRows | None) -> tuple[UsedModel, ...]:
    counts = counts or _nothing(line)
    if line.sources:
        return _models(role, line.name, line.sources, counts)
    return (
        UsedModel(
            role=role,
            name=line.name,
            step=1,
            model_uri=None,
            model_sha256=None,
            model_flavor=None,
            model_record_uri=None,
            rows=counts.rows,
            rows_failed=counts.rows_failed,
            error=counts.error or line.error,
        ),
    )


def _nothing(line: Line) -> LineRows:
    return LineRows(name=line.name, rows=0, rows_failed=0, seconds=0.0, error=line.error)


def _models(role: Role, name: str | None, sources: Sequence[ModelSource], counts: LineRows) -> tuple[UsedModel, ...]:
    return tuple(
        UsedModel(
            role=role,
            name=name or source.record.name,
            step=place,
            model_uri=source.record.model_uri,
            model_sha256=source.record.sha256,
            model_flavor=source.record.flavor,
            model_record_uri=source.record_uri,
            rows=counts.rows,
            rows_failed=counts.rows_failed,
            error=counts.error,
        )
        for place, source in enumerate(sources, 1)
    )


def challenger_results(
    lineup: Lineup, lines: dict[str, LineRows], models: Sequence[UsedModel]
) -> tuple[ChallengerResult, ...]:
    """Return what came of each challenger, and log it.

    Parameters
    ----------
    lines
        What was counted.
    models
        All models of the job.
    """
    found = []
    for line in lineup.challengers:
        counts = lines.get(line.name) or _nothing(line)
        outputs = tuple(judged(each, lineup.flips) for each in counts.outputs)
        without = counts.not_compared or counts.error or "there are no rows that both have scored"
        result = ChallengerResult(
            name=line.name,
            models=tuple(model for model in models if model.role == "challenger" and model.name == line.name),
            rows=counts.rows,
            rows_failed=counts.rows_failed,
            error=counts.error,
            not_compared=None if outputs else without,
            seconds=counts.seconds,
            outputs=outputs,
        )
        _tell(result)
        found.append(result)
    return tuple(found)


def _tell(result: ChallengerResult) -> None:
    if result.error is not None or result.rows_failed:
        log.warning(
            "The challenger %s scored %s rows and failed on %s: %s",
            *(result.name, f"{result.rows:,}", f"{result.rows_failed:,}", result.error or "its predictions are NaN"),
        )
    for output in result.outputs:
        if output.flip_fraction is not None:
            log.info(
                "The challenger %s differs from the champion in %s of %s rows (%.3f %%), %s against %s",
                *(result.name, f"{output.flips:,}", f"{output.rows:,}", 100 * output.flip_fraction),
                *(output.challenger_output, output.output),
            )
