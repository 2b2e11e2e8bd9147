"""What a network's outputs mean, which no file says: the load options that tell it, the same for all networks.

``{"outputs": "probabilities"}`` or ``{"outputs": "logits"}`` gives ``predict_proba``; ``{"output": name}`` keeps one of
several outputs.

Invariants: without those options nothing is called a probability, and ``predict`` is what the network returns, whatever
the options say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError, PredictionError
from airflow_batch_inference.flavors.base import require_method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.flavors.base import Prediction

Kind: TypeAlias = Literal["raw", "probabilities", "logits"]

OUTPUT_OPTIONS = ("outputs", "output")

_MATRIX = 2
_TOLERANCE = 0.01  # the sum of thousands of float16 probabilities is not 1 to the digit


@dataclass(frozen=True, slots=True)
class NetworkOutputs:
    """What the user says of a network's outputs.

    Attributes
    ----------
    kind
        ``raw``: nothing is known. ``probabilities``: of the classes, or of the positive one. ``logits``: what a softmax
        (several values a row) or the logistic function (one) turns into probabilities.
    name
        The one output that is kept; None: all.
    """

    kind: Kind = "raw"
    name: str | None = None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the model has."""
        return ("predict",) if self.kind == "raw" else ("predict", "predict_proba")

    def answer(self, predicted: Prediction, method: str) -> Prediction:
        """Return what a method gives, from all that the network returned.

        Raises
        ------
        ConfigurationError
            The model does not have the method, or there is no output of the name, or not one only.
        PredictionError
            The output has no probabilities: it is no matrix of floating numbers.
        """
        require_method(method, self.methods)
        chosen = self._chosen(predicted)
        if method == "predict":
            return chosen
        if isinstance(chosen, Mapping):
            raise ConfigurationError(_which_output(tuple(chosen)))
        return self.probabilities(chosen)

    def _chosen(self, predicted: Prediction) -> Prediction:
        if self.name is None or not isinstance(predicted, Mapping):
            return predicted
        if self.name not in predicted:
            message = f"load_options has output {self.name!r}, but the model's outputs are {', '.join(predicted)}."
            raise ConfigurationError(message)
        return predicted[self.name]

    def require_known(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the outputs that are kept.

        Raises
        ------
        ConfigurationError
            There is no output of the name, or probabilities are asked for and it is not said of which output.
        """
        if self.name is not None:
            self._chosen(dict.fromkeys(names, np.empty(0)))
            return (self.name,)
        if self.kind != "raw" and len(names) > 1:
            raise ConfigurationError(_which_output(names))
        return tuple(names)

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Return the probability of each class, shape (n, k); one value a row is that of the second of two classes.

        Raises
        ------
        PredictionError
            The output is no vector or matrix of floating numbers, or they are no probabilities.

        Examples
        --------
        >>> NetworkOutputs("logits").probabilities(np.array([[0.0], [100.0]])).tolist()
        [[0.5, 0.5], [3.720075976020836e-44, 1.0]]
        """
        if values.ndim not in (1, _MATRIX) or values.dtype.kind != "f" or values[:1].size == 0:
            message = (
                f"load_options says that the model's outputs are {self.kind}, but they are {values.dtype} values of "
                f"shape {values.shape}; classes have one shape only: (rows, classes). Leave out outputs=."
            )
            raise PredictionError(message)
        columns = values.reshape(len(values), -1)
        is_binary = columns.shape[1] == 1
        if self.kind == "probabilities":
            _require_probabilities(columns)
            return np.hstack([1 - columns, columns]) if is_binary else columns
        exact = columns.astype(np.float64)  # so that the last digit of a float32 is right
        if is_binary:  # e^-log(1 + e^-x) does not overflow where 1 / (1 + e^-x) does
            found = np.exp(-np.logaddexp(0, np.hstack([exact, -exact])))
        else:
            powers = np.exp(exact - exact.max(axis=1, keepdims=True))
            found = powers / powers.sum(axis=1, keepdims=True)
        return np.asarray(found, dtype=columns.dtype)

    def classes(self, width: int | None) -> tuple[int, ...] | None:
        """Return the class labels, numbered from 0; None where there are none, or their number is not known.

        Parameters
        ----------
        width
            How many values a row of the output has; None where that is not known.
        """
        if self.kind == "raw" or width is None:
            return None
        return tuple(range(max(2, width)))


def network_outputs(options: Mapping[str, Any]) -> NetworkOutputs:
    """Read the load options ``outputs`` and ``output``.

    Raises
    ------
    ConfigurationError
        They are not what they may be.
    """
    kind, name = options.get("outputs", "raw"), options.get("output")
    if kind not in get_args(Kind):
        message = f"load_options has outputs {kind!r}; it must be 'probabilities' or 'logits', or left out."
        raise ConfigurationError(message)
    if name is not None and not isinstance(name, str):
        message = f"load_options has output {name!r}; it must be the name of one of the model's outputs."
        raise ConfigurationError(message)
    return NetworkOutputs(kind, name)


def plain(values: np.ndarray) -> np.ndarray:
    """Return values that Arrow knows: bfloat16 and its like as float32, which holds all of them; bytes as text."""
    if values.dtype.kind == "V":
        return values.astype(np.float32)
    if values.dtype == object:
        texts = [value.decode() if isinstance(value, bytes) else value for value in values.ravel()]
        return np.array(texts, dtype=object).reshape(values.shape)
    return values


def _require_probabilities(values: np.ndarray) -> None:
    """Refuse what cannot be probabilities; a NaN passes, scoring has a rule of its own for it.

    Raises
    ------
    PredictionError
        Names the first row.
    """
    wrong = (values < -_TOLERANCE) | (values > 1 + _TOLERANCE)
    if wrong.any():
        row = int(np.flatnonzero(wrong.any(axis=1))[0])
        message = (
            f"load_options says that the model's outputs are probabilities, but row {row} of the batch has "
            f"{values[row].tolist()[:5]}. If these are logits, say so: {{'outputs': 'logits'}}."
        )
        raise PredictionError(message)


def _which_output(names: Sequence[str]) -> str:
    return (
        f"load_options says outputs=, but the model has several outputs: {', '.join(names)}. Say which one it is about "
        'with {"output": name}.'
    )
