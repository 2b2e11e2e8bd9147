"""A network's output as class probabilities, where the user says that it is one, shared by the flavors of networks.

A network does not say whether its output is a probability, a logit or anything else; the load option ``outputs`` does:
``"probabilities"`` or ``"logits"``. What must not be relaxed: without it there is no ``predict_proba``, ``predict``
stays what the network returns, and numbers that are no probabilities are never handed out as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

OutputKind = Literal["probabilities", "logits"]

_KINDS: tuple[OutputKind, ...] = ("probabilities", "logits")
_MATRIX = 2
_TOLERANCE = 1e-3


def outputs_option(options: Mapping[str, Any]) -> OutputKind | None:
    """Return the load option ``outputs``; None where it is not given.

    Raises
    ------
    ConfigurationError
        It is neither of the two.
    """
    given = options.get("outputs")
    if given is not None and given not in _KINDS:
        message = f"load_options has outputs {given!r}; it must be 'probabilities' or 'logits'."
        raise ConfigurationError(message)
    return given


def require_one_output(kind: OutputKind | None, outputs: int) -> None:
    """Refuse the option for a network with several outputs.

    Raises
    ------
    ConfigurationError
        It is not said of which output.
    """
    if kind is not None and outputs != 1:
        message = f"load_options has outputs {kind!r}, but the model has {outputs} outputs. Leave the option out."
        raise ConfigurationError(message)


def class_numbers(width: int | None) -> tuple[int, ...] | None:
    """Return the classes of a network with so many values a row; None where that is open.

    Examples
    --------
    >>> class_numbers(1), class_numbers(3), class_numbers(None)
    ((0, 1), (0, 1, 2), None)
    """
    return None if width is None else tuple(range(max(width, 2)))


def probabilities(values: np.ndarray, kind: OutputKind) -> np.ndarray:
    """Return class probabilities, one column a class.

    Parameters
    ----------
    values
        Shape (n, k); or (n,) or (n, 1) for the second of two classes.
    kind
        What they are. Logits go through the softmax, a single one through the logistic function.

    Returns
    -------
    numpy.ndarray
        Shape (n, k) or (n, 2), of the floating type of ``values``.

    Raises
    ------
    ValueError
        They are no probabilities, or not one vector a row.

    Examples
    --------
    >>> probabilities(np.array([[0.25], [1.0]]), "probabilities").tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    """
    if values.ndim not in (1, _MATRIX) or not np.issubdtype(values.dtype, np.floating):
        message = f"the output is {values.dtype} of shape {values.shape}, not one floating number for each class"
        raise ValueError(message)
    rows = values.reshape(len(values), -1)
    is_single = rows.shape[1] == 1
    if kind == "logits":
        found = _logistic(rows) if is_single else _softmax(rows)
    else:
        found = rows
        _require_probabilities(rows, is_single=is_single)
    return np.column_stack([1 - found, found]) if is_single else found


def _require_probabilities(rows: np.ndarray, *, is_single: bool) -> None:
    """Refuse what cannot be probabilities; a NaN passes, the scoring has its own rule for those."""
    tolerance = max(_TOLERANCE, float(np.finfo(rows.dtype).eps) * rows.shape[1])
    wrong = (rows < -tolerance) | (rows > 1 + tolerance)
    if not is_single:
        wrong |= (np.abs(rows.sum(axis=1, dtype=np.float64) - 1) > tolerance)[:, None]
    if wrong.any():
        row = int(np.flatnonzero(wrong.any(axis=1))[0])
        message = (
            f"row {row} of the batch: the output {rows[row].tolist()[:5]} is no probability of each class. If it is "
            "a logit, load the model with load_options={'outputs': 'logits'}"
        )
        raise ValueError(message)


def _logistic(values: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    found: np.ndarray = expit(values)
    return found


def _softmax(values: np.ndarray) -> np.ndarray:
    from scipy.special import softmax

    found: np.ndarray = softmax(values, axis=1)
    return found
