"""Why a row got its prediction: the inputs that moved it most, for those rows that matter.

The contributions are the model's own (SHAP values of tree ensembles); of several classes, those of the class with the
highest score.

Invariants: they are computed for the asked-for rows only, since they cost many times what a prediction does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

EXPLANATION = "explanation"
EXPLANATION_TYPE = pa.list_(pa.struct([("feature", pa.string()), ("contribution", pa.float64())]))

_KEYS = {"top_k", "when"}
_CONDITION = re.compile(r"\s*(\S.*?)\s*(>=|<=|==|!=|>|<)\s*(\S.*?)\s*")
_COMPARE: dict[str, Callable[..., Any]] = {
    ">=": pc.greater_equal,
    "<=": pc.less_equal,
    "==": pc.equal,
    "!=": pc.not_equal,
    ">": pc.greater,
    "<": pc.less,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain:
    """Which rows are explained, and by how many inputs.

    Attributes
    ----------
    top_k
        How many inputs are named, those of the largest contributions (positive or negative) first.
    when
        Which rows: a prediction column, a comparison, a value (``"predicted_label >= 0.8"``); None: all.
    labels
        What the output calls the prediction columns; None: by their default names.
    """

    top_k: int = 3
    when: str | None = None
    labels: tuple[str, ...] | None = None

    def rows(self, predicted: Sequence[tuple[str, pa.Array]]) -> np.ndarray:
        """Return which rows of a mini-batch are explained: one boolean each.

        Parameters
        ----------
        predicted
            The prediction columns with their default names.

        Raises
        ------
        ConfigurationError
            The condition names no prediction column, or compares it with a value of another type.
        """
        if self.when is None:
            return np.ones(len(predicted[0][1]), dtype=bool)
        columns = dict(predicted)
        if self.labels is not None and len(self.labels) == len(predicted):
            columns = {label: values for label, (_, values) in zip(self.labels, predicted, strict=True)}
        name, comparison, value = _parse(self.when)
        if name not in columns:
            message = f"explain has when={self.when!r}, but the predictions are {', '.join(columns)}. Name one of them."
            raise ConfigurationError(message)
        column = columns[name]
        try:
            wanted = pa.scalar(value).cast(column.type) if isinstance(value, str) else pa.scalar(value)
            holds = _COMPARE[comparison](column, wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            message = f"explain has when={self.when!r}, but {name!r} holds {column.type}: {error}."
            raise ConfigurationError(message) from error
        found: np.ndarray = pc.fill_null(holds, fill_value=False).to_numpy(zero_copy_only=False)
        return found


def parse_explain(given: Mapping[str, Any]) -> Explain | None:
    """Return what ``explain={"top_k": 3, "when": "predicted_label >= 0.8"}`` asks for; None for {}.

    Raises
    ------
    ConfigurationError
        An unknown key, a number of inputs that is none, or a condition that cannot be read.

    Examples
    --------
    >>> parse_explain({"top_k": 2})
    Explain(top_k=2, when=None, labels=None)
    """
    if not given:
        return None
    unknown = set(given) - _KEYS
    if unknown:
        message = f"explain has {min(unknown)!r}, which it does not take. It takes: top_k, when."
        raise ConfigurationError(message)
    top_k, when = given.get("top_k", 3), given.get("when")
    if isinstance(top_k, str) and top_k.strip().isdigit():  # as a template writes it
        top_k = int(top_k)
    when = None if when in ("", "None", "none", "null") else when
    if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1:
        message = f"explain has top_k={top_k!r}; it must be a whole number from 1."
        raise ConfigurationError(message)
    if when is not None:
        _parse(when)
    return Explain(top_k=top_k, when=when)


def explanations(contributions: np.ndarray, features: Sequence[str], which: np.ndarray, top_k: int) -> pa.Array:
    """Return one list a row: the inputs of the largest contributions; null for rows that are not explained.

    Parameters
    ----------
    contributions
        Of the explained rows: shape (m, f + 1), or (m, k (f + 1)) or (m, k, f + 1) for k classes; the last of each
        f + 1 is the expected value.
    features
        The names of the f inputs.
    which
        Which of the n rows are explained; m of them are.
    top_k
        How many inputs a row.
    """
    width = len(features) + 1
    classes = int(np.prod(contributions.shape[1:])) // width
    by_class = contributions.reshape(len(contributions), classes, width)
    scores = by_class.sum(axis=2)
    values = by_class[np.arange(len(by_class)), scores.argmax(axis=1)][:, :-1].astype(np.float64)
    most = min(top_k, len(features))
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :most]
    structs = pa.StructArray.from_arrays(
        [
            pa.array(np.asarray(features, dtype=object)[order.ravel()], pa.string()),
            pa.array(np.take_along_axis(values, order, axis=1).ravel()),
        ],
        fields=list(EXPLANATION_TYPE.value_type),
    )
    lengths = np.where(which, most, 0)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, structs, type=EXPLANATION_TYPE, mask=pa.array(~which))


def _parse(when: object) -> tuple[str, str, float | str]:
    found = _CONDITION.fullmatch(when) if isinstance(when, str) else None
    if found is None:
        message = (
            f"explain has when={when!r}, which cannot be read. Write a prediction column, one of {' '.join(_COMPARE)}, "
            "and a value, such as 'predicted_label >= 0.8'."
        )
        raise ConfigurationError(message)
    name, comparison, value = found.groups()
    try:
        return name, comparison, float(value)
    except ValueError:
        return name, comparison, value.strip("'\"")
