"""Champion against challenger, counted while both score: disagreements of labels and decisions, distances of numbers.

A row is compared where both gave a value.

Invariants: what two parts have counted can be added, in any order of the mini-batches within them, with the same
counts; and what is kept does not grow with the rows or the labels.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.challengers.disagreement_counts import (
    MOST_EXAMPLES,
    added_numbers,
    bounded,
    number_pairs,
    relative_differences,
)
from airflow_batch_inference.predictors.outputs import DEFAULT_LABEL
from airflow_batch_inference.records import DisagreeingRow, Disagreements, NumberPairs, OutputPairs
from airflow_batch_inference.schema.column_types import is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.predictors.challengers.rule import DisagreementRule
    from airflow_batch_inference.sources.batches import MiniBatch

_SHOWN_CHARACTERS = 100
_SHARES = ("predict_proba", "decision_function")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """An output of the champion, and the challenger's that is compared with it.

    Attributes
    ----------
    output, challenger_output
        Their names.
    champion, challenger
        The places of their columns among each one's predictions; several are shares of classes.
    classes
        Those of several columns: the champion's and the challenger's.
    """

    output: str
    challenger_output: str
    champion: tuple[int, ...]
    challenger: tuple[int, ...]
    classes: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


def compared_outputs(
    champion: pa.Schema,
    challenger: pa.Schema,
    methods: Sequence[str],
    classes: tuple[Sequence[str] | None, Sequence[str] | None] = (None, None),
    labels: Sequence[str] | None = None,
) -> tuple[Compared, ...]:
    """Choose which outputs are compared.

    With several methods those of ``predict`` alone; shares of classes by the class with the largest one.

    Parameters
    ----------
    champion, challenger
        Their outputs by the names that they have by themselves.
    methods
        The methods that made them, of both.
    classes
        What each one's classes are called, where that is known.
    labels
        What the output calls the champion's.

    Raises
    ------
    ConfigurationError
        They cannot be compared: the message says why.
    """
    ours = _chosen(champion.names, methods)
    theirs = ours if len(champion) == len(challenger) else _chosen(challenger.names, methods)
    called = champion.names if labels is None else labels
    if _are_shares(champion, ours, methods) and _are_shares(challenger, theirs, methods):
        named = tuple(
            tuple(of) if of is not None and len(of) == len(places) else tuple(map(str, range(len(places))))
            for of, places in zip(classes, (ours, theirs), strict=True)
        )
        names = [f"class of {_ends(*of)}" for of in ((called, ours), (challenger.names, theirs))]
        return (
            Compared(
                output=names[0],
                challenger_output=names[1],
                champion=tuple(ours),
                challenger=tuple(theirs),
                classes=(named[0], named[1]),
            ),
        )
    if len(ours) != len(theirs):
        message = f"it returns {len(theirs)} outputs, the champion {len(ours)}"
        raise ConfigurationError(message)
    for left, right in zip(ours, theirs, strict=True):
        kinds = champion.field(left).type, challenger.field(right).type
        if not (all(map(pa.types.is_floating, kinds)) or all(map(_is_label, kinds))):
            message = (
                f"{challenger.names[right]} holds {kinds[1]}, and the champion's {champion.names[left]} {kinds[0]}"
            )
            raise ConfigurationError(message)
    return tuple(
        Compared(
            output=called[left],
            challenger_output=challenger.names[right],
            champion=(left,),
            challenger=(right,),
        )
        for left, right in zip(ours, theirs, strict=True)
    )


def _chosen(names: Sequence[str], methods: Sequence[str]) -> list[int]:
    if len(methods) == 1:
        return [*range(len(names))]
    stem = DEFAULT_LABEL if "predict" in methods else "predicted_probability"
    return [place for place, name in enumerate(names) if name == stem or name.startswith(f"{stem}_")] or [0]


def _are_shares(schema: pa.Schema, places: Sequence[int], methods: Sequence[str]) -> bool:
    by_class = methods[0] in _SHARES if len(methods) == 1 else "predict" not in methods
    return by_class and len(places) > 1 and all(pa.types.is_floating(schema.field(place).type) for place in places)


def _ends(names: Sequence[str], places: Sequence[int]) -> str:
    return f"{names[places[0]]} to {names[places[-1]]}"


def _is_label(kind: pa.DataType) -> bool:
    return bool(is_text(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


@dataclass(slots=True, kw_only=True)
class DisagreementCounter:
    """Counts one output, mini-batch after mini-batch.

    Attributes
    ----------
    compared
        Which columns.
    rule
        What a disagreement is of numbers.
    """

    compared: Compared
    rule: DisagreementRule
    _labels: _Disagreeing = field(default_factory=lambda: _Disagreeing())
    _beyond: _Disagreeing = field(default_factory=lambda: _Disagreeing())
    _numbers: NumberPairs | None = None
    _has_numbers: bool = False

    def add(self, batch: MiniBatch, champion: Sequence[pa.Array], challenger: Sequence[pa.Array]) -> None:
        """Count rows.

        Parameters
        ----------
        batch
            Where they come from.
        champion, challenger
            Each one's predictions for them, null where there is none.
        """
        ours = [champion[place] for place in self.compared.champion]
        theirs = [challenger[place] for place in self.compared.challenger]
        if len(ours) > 1:
            classes = self.compared.classes
            self._labels.add(batch, _largest(ours, classes[0]), _largest(theirs, classes[1]))
        elif pa.types.is_floating(ours[0].type):
            self._add_numbers(batch, _as_double(ours[0]), _as_double(theirs[0]))
        else:
            left, right = _texts(ours[0], theirs[0])
            self._labels.add(batch, left, right)

    def _add_numbers(self, batch: MiniBatch, ours: np.ndarray, theirs: np.ndarray) -> None:
        self._has_numbers = True
        both = np.isfinite(ours) & np.isfinite(theirs)
        if not both.any():
            return
        cut = self.rule.cut
        self._labels.add(batch, _sides(ours, both, cut), _sides(theirs, both, cut), shown=(ours, theirs))
        apart = np.zeros(len(ours))
        apart[both] = relative_differences(ours[both], theirs[both])
        self._beyond.count(batch, both, apart > self.rule.tolerance, (ours, theirs))
        found = number_pairs(ours[both], theirs[both], apart[both])
        self._numbers = found if self._numbers is None else added_numbers(self._numbers, found)

    def pairs(self) -> OutputPairs:
        """Return what was counted."""
        return OutputPairs(
            output=self.compared.output,
            challenger_output=self.compared.challenger_output,
            labels=self._labels.counted(),
            numbers=self._numbers,
            beyond=self._beyond.counted() if self._has_numbers else None,
        )


@dataclass(slots=True)
class _Disagreeing:
    """Rows that were compared, by their two labels, and the first that differ."""

    rows: int = 0
    number: int = 0
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[DisagreeingRow] = field(default_factory=list)

    def add(
        self, batch: MiniBatch, ours: pa.Array, theirs: pa.Array, shown: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        """Count labels, which are text; null where there is none. ``shown`` stands for them in examples."""
        both = pc.and_(ours.is_valid(), theirs.is_valid())
        differs = pc.fill_null(pc.not_equal(ours, theirs), fill_value=False)
        cut = [pc.utf8_slice_codeunits(each, 0, _SHOWN_CHARACTERS) for each in (ours, theirs)]
        table = pa.table(cut, names=["a", "b"]).filter(both).group_by(["a", "b"]).aggregate([([], "count_all")])
        for left, right, rows in zip(*(table.column(at).to_pylist() for at in (0, 1, 2)), strict=True):
            self.pairs[left, right] += rows
        self.pairs = bounded(self.pairs)
        masks = [np.asarray(each.to_numpy(zero_copy_only=False)) for each in (both, differs)]
        self.count(batch, masks[0], masks[1], shown or (ours, theirs))

    def count(self, batch: MiniBatch, both: np.ndarray, differs: np.ndarray, shown: tuple[Any, Any]) -> None:
        """Count rows, and keep the first that differ."""
        self.rows += int(both.sum())
        differing = np.flatnonzero(differs & both)
        self.number += len(differing)
        for row in differing[: MOST_EXAMPLES - len(self.examples)].tolist():
            uri, number = batch.locate(row)
            left, right = (_shown(values[row]) for values in shown)
            self.examples.append(DisagreeingRow(uri=uri, row=number, champion=left, challenger=right))

    def counted(self) -> Disagreements:
        """Return what was counted, as a record."""
        pairs = tuple((left, right, rows) for (left, right), rows in sorted(self.pairs.items()))
        return Disagreements(rows=self.rows, disagreements=self.number, pairs=pairs, examples=tuple(self.examples))


def _largest(columns: Sequence[pa.Array], classes: Sequence[str]) -> pa.Array:
    """Return the class of the largest share of each row; null where one is missing."""
    shares = np.column_stack([np.asarray(_as_double(each)) for each in columns])
    missing = np.isnan(shares).any(axis=1)
    places = np.where(missing, 0, np.nan_to_num(shares).argmax(axis=1))
    return pa.array(np.asarray(classes, dtype=object)[places], pa.string(), mask=missing)


def _as_double(values: pa.Array) -> np.ndarray:
    found: np.ndarray = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return found


def _sides(values: np.ndarray, known: np.ndarray, cut: float) -> pa.Array:
    names = np.array([f"< {cut:g}", f"\N{GREATER-THAN OR EQUAL TO} {cut:g}"], dtype=object)
    return pa.array(names[(np.where(known, values, 0.0) >= cut).astype(int)], pa.string(), mask=~known)


def _texts(ours: pa.Array, theirs: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return labels as texts; booleans beside integers as 0 and 1."""
    kinds = ours.type, theirs.type
    if any(map(pa.types.is_integer, kinds)):
        ours, theirs = (each.cast(pa.int8()) if pa.types.is_boolean(each.type) else each for each in (ours, theirs))
    return ours.cast(pa.string()), theirs.cast(pa.string())


def _shown(value: Any) -> str:  # noqa: ANN401  # a scalar of Arrow's or NumPy's
    plain = value.as_py() if isinstance(value, pa.Scalar) else value
    text = f"{plain:.6g}" if isinstance(plain, float) else str(plain)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
