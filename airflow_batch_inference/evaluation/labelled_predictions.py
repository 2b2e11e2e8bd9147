"""From a prediction set's columns to rows that can be compared: which problem it is, which classes, which scores.

Invariants: a row without a label is left out and counted; no other row is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.evaluation.classification import ClassifiedRows
from airflow_batch_inference.evaluation.labels import (
    MISSING,
    Values,
    matched,
    numbered,
    sorted_classes,
    text,
    values_of,
)
from airflow_batch_inference.exceptions import ConfigurationError, SignatureMismatchError
from airflow_batch_inference.schema.column_types import is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from airflow_batch_inference.evaluation.labels import ClassLabel
    from airflow_batch_inference.records import Problem

DECISION = 0.5
_TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPredictions:
    """A prediction set's columns, by what they are.

    Attributes
    ----------
    labels
        The true ones, one column for each output.
    predicted
        What ``predict`` gave, in its order; empty where only probabilities were asked for.
    probabilities
        What ``predict_proba`` gave, one column for each class.
    scores
        What ``decision_function`` gave for two classes.
    """

    labels: tuple[pa.ChunkedArray, ...]
    predicted: tuple[pa.ChunkedArray, ...] = ()
    probabilities: tuple[pa.ChunkedArray, ...] = ()
    scores: pa.ChunkedArray | None = None


def by_methods(
    labels: Sequence[pa.ChunkedArray], columns: Sequence[pa.ChunkedArray], methods: Sequence[str], classes: int | None
) -> LabelledPredictions:
    """Sort the prediction columns by the methods that gave them.

    Several numbers from 0 to 1 a row, where there is one column of labels, are probabilities too.

    Parameters
    ----------
    labels, columns
        The columns of true labels, and of predictions in their order.
    methods
        Those that the model was called with, in this order.
    classes
        How many classes the model knows, where that is known.
    """
    columns = [each for column in columns for each in _spread(column)]
    if "decision_function" in methods:
        return LabelledPredictions(labels=tuple(labels), predicted=tuple(columns[:1]), scores=columns[1])
    if "predict_proba" in methods:
        number = classes or len(columns) - ("predict" in methods)
        own = columns[: len(columns) - number] if "predict" in methods else []
        return LabelledPredictions(labels=tuple(labels), predicted=tuple(own), probabilities=tuple(columns[-number:]))
    if len(labels) == 1 < len(columns) and all(_is_share(column) for column in columns):
        return LabelledPredictions(labels=tuple(labels), probabilities=tuple(columns))
    return LabelledPredictions(labels=tuple(labels), predicted=tuple(columns))


def _spread(column: pa.ChunkedArray) -> list[pa.ChunkedArray]:
    """Return a column of lists of one length, as very many classes are kept, as columns."""
    if not pa.types.is_fixed_size_list(column.type):
        return [column]
    return [pc.list_element(column, place) for place in range(column.type.list_size)]


def infer_problem_type(labelled: LabelledPredictions) -> Problem:
    """Tell from labels and predictions what the model solves; for models that do not say.

    A classification: where there are probabilities; where labels or predictions are text or booleans; where both are
    whole numbers; and where the one prediction lies between 0 and 1 and every label is 0 or 1, as a native booster's
    probability of the positive class. A regression: else.
    """
    columns = (*labelled.labels, *labelled.predicted)
    if labelled.probabilities or any(not _is_quantity(column.type) for column in columns):
        return "classification"
    if all(pa.types.is_integer(column.type) for column in columns):
        return "classification"
    if len(columns) == _TWO and _has_two_classes(labelled.labels[0]) and _is_share(labelled.predicted[0]):
        return "classification"
    return "regression"


def _is_quantity(kind: pa.DataType) -> bool:
    return bool(is_number(kind) and not pa.types.is_boolean(kind))


def _has_two_classes(column: pa.ChunkedArray) -> bool:
    return set(values_of(column).distinct) <= {0, 1}


def _is_share(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(column.type) or column.null_count == len(column):
        return False
    ends = pc.min_max(column).as_py()
    return bool(ends["min"] >= 0 and ends["max"] <= 1)


def numbers_of(column: pa.ChunkedArray, name: str) -> NDArray[np.float64]:
    """Return a column as float64, NaN where it has no value, shape (n,).

    Raises
    ------
    SignatureMismatchError
        It holds something else.
    """
    if not _is_quantity(column.type) and not pa.types.is_null(column.type):
        message = (
            f"The column {name!r} holds {column.type}, but a regression compares numbers. Correct it where the dataset "
            "is made, or say task='classification'."
        )
        raise SignatureMismatchError(message)
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def require_outputs(labelled: LabelledPredictions, label_columns: Sequence[str]) -> None:
    """Refuse another number of label columns than the model has outputs.

    Raises
    ------
    ConfigurationError
        Names both numbers.
    """
    if len(labelled.predicted) != len(labelled.labels):
        message = (
            f"label_columns names {len(label_columns)} column(s) ({', '.join(label_columns)}), but the model returns "
            f"{len(labelled.predicted)} prediction(s) a row: name the column of true labels of each, in their order."
        )
        raise ConfigurationError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """What is known of a model's classes.

    Attributes
    ----------
    own
        The model's, in the order of its probabilities; None: told by labels and predictions.
    named
        What the labels and the report call them; None: as the model does.
    decision
        See :class:`~airflow_batch_inference.evaluation.spec.EvaluationSpec`.
    """

    own: tuple[ClassLabel, ...] | None = None
    named: tuple[ClassLabel, ...] | None = None
    decision: float | None = None


def classified_rows(
    labelled: LabelledPredictions, place: int, column: str, known: Classes
) -> tuple[ClassifiedRows, int]:
    """Return one output's rows that have a label, and how many have none.

    Parameters
    ----------
    labelled, place
        All columns, and which of the outputs it is.
    column
        The name of the labels' column.
    known
        What is known of the classes.

    Raises
    ------
    SignatureMismatchError
        No label is a class of the model.
    ConfigurationError
        It cannot be known which class a probability is of.
    """
    actual = values_of(labelled.labels[place])
    chances, own = _chances_and_classes(labelled, place, known.own)
    classes = _told_classes(actual, own, chances, column) if known.own is None else known.own
    named = known.named or classes
    codes_of = matched(actual, classes, column, named=named)
    codes = actual.coded(codes_of)
    extra = {code: text(value) for value, code in codes_of.items() if code >= len(classes)}
    if own is not None:
        own_codes = numbered(own, classes, len(classes) + len(extra))
        extra |= {code: text(value) for value, code in own_codes.items() if code >= len(classes)}
    decision = None
    if chances is not None and (own is None or known.decision is not None):
        decision = DECISION if known.decision is None else known.decision
        predicted = _decided(chances, decision)
    elif own is not None:
        predicted = own.coded(own_codes)
    else:
        message = f"The predictions for {column!r} are neither classes nor probabilities. Is it task='regression'?"
        raise ConfigurationError(message)
    has_label = codes != MISSING
    rows = ClassifiedRows(
        actual=codes[has_label],
        predicted=predicted[has_label],
        names=(*map(text, named), *(extra[code] for code in sorted(extra))),
        known=len(classes),
        probabilities=None if chances is None else chances[has_label],
        scores=None if labelled.scores is None else numbers_of(labelled.scores, "decision_function")[has_label],
        decision=decision if len(classes) == _TWO else None,
    )
    return rows, int((~has_label).sum())


def _chances_and_classes(
    labelled: LabelledPredictions, place: int, classes: tuple[ClassLabel, ...] | None
) -> tuple[NDArray[np.float64] | None, Values | None]:
    """Return the probabilities of the classes, shape (n, k), and the predicted classes; None for what there is not."""
    chances = _chances(labelled, classes)
    column = labelled.predicted[place] if place < len(labelled.predicted) else None
    if column is None:
        return chances, None
    is_number = pa.types.is_floating(column.type)
    if chances is not None and is_number and not any(isinstance(value, float) for value in classes or ()):
        return chances, None  # a native booster's predict repeats its probabilities
    own = values_of(column)
    if set(own.distinct) <= set(classes or ()) or not is_number:
        return chances, own
    if chances is None and not all(float(value).is_integer() for value in own.distinct):
        positive = numbers_of(column, "predict")
        return (np.column_stack([1.0 - positive, positive]) if _is_share(column) else None), None
    return chances, own if chances is None else None


def _chances(labelled: LabelledPredictions, classes: tuple[ClassLabel, ...] | None) -> NDArray[np.float64] | None:
    columns = [numbers_of(each, "predict_proba") for each in labelled.probabilities]
    if not columns:
        return None
    if len(columns) == 1:
        columns = [1.0 - columns[0], columns[0]]
    if classes is not None and len(classes) != len(columns):
        message = f"The model gives {len(columns)} probabilities a row, but there are {len(classes)} classes."
        raise ConfigurationError(message)
    return np.column_stack(columns)


def _told_classes(
    actual: Values, own: Values | None, chances: NDArray[np.float64] | None, column: str
) -> tuple[ClassLabel, ...]:
    """Return the classes of a model that does not say: as scikit-learn orders them, or 0, 1, … of a booster.

    Raises
    ------
    ConfigurationError
        There are other labels than that.
    """
    if chances is None:
        return sorted_classes(actual, *([own] if own is not None else []))
    number = chances.shape[1]
    if all(value in range(number) for value in actual.distinct):
        return tuple(range(number))
    found = sorted_classes(actual)
    if len(found) == number:
        return found
    message = (
        f"The model gives {number} probabilities a row and does not say of which classes, and the labels in {column!r} "
        f"have {len(found)} values. Give the classes in the order of the probabilities (classes=[…])."
    )
    raise ConfigurationError(message)


def _decided(chances: NDArray[np.float64], decision: float) -> NDArray[np.int64]:
    """Return the code of the likeliest class, or of two classes the second one from a probability on."""
    if chances.shape[1] == _TWO:
        return (chances[:, 1] >= decision).astype(np.int64)
    likeliest: NDArray[np.int64] = chances.argmax(axis=1)
    return likeliest
