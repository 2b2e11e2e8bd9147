"""What is said of a model beside its file: whom to trust, which rows are proof, how its sample set is scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators.arguments import (
    given_data,
    mapping,
    names,
    number,
    optional_choice,
    optional_number,
    optional_text,
    structure,
)
from airflow_batch_inference.operators.groups.base import ArgumentGroup, anything

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SIGNATURE_KEYS = {"signature", "public_key"}


def _data(name: str, value: object) -> object:  # noqa: ARG001  # a parser
    return structure(value)


def _text(name: str, value: object) -> str | None:  # noqa: ARG001  # a parser
    return optional_text(value)


def _signature(name: str, value: object) -> dict[str, Any]:
    given = mapping(name, value)
    if given and set(given) != _SIGNATURE_KEYS:
        message = f"{name} has the keys {sorted(given)}; it must have 'signature' and 'public_key', each with a URI."
        raise ConfigurationError(message)
    return given


def _classes(name: str, value: object) -> tuple[str | int | float | bool, ...] | None:
    given = structure(value)
    if given is None:
        return None
    if not isinstance(given, (list, tuple)) or any(not isinstance(each, (str, int, float)) for each in given):
        message = f"{name} is {given!r}; it must be a list of text, numbers or booleans, one for each class."
        raise ConfigurationError(message)
    if len(given) < 2 or len(set(given)) != len(given):  # one class is no choice
        message = f"{name} is {given!r}; it must have two or more different values."
        raise ConfigurationError(message)
    return tuple(given)


@dataclass(frozen=True, kw_only=True)
class Trust(ArgumentGroup):
    """What lets a model be loaded, beside the digest of its file.

    :param trusted: types that a skops file may hold beyond the package's own list. (templated)
    :param verify_signature: ``{"signature": URI, "public_key": URI}`` of an OpenSSF model signature that the model must
        have; it takes the place of ``sha256``. Needs ``airflow-batch-inference[signing]``. (templated)
    """

    trusted: str | Sequence[str] | None = None
    verify_signature: Mapping[str, str] | None = None

    parsers: ClassVar[Mapping[str, Any]] = {"trusted": names, "verify_signature": _signature}


@dataclass(frozen=True, kw_only=True)
class MlflowModel(ArgumentGroup):
    """A model of an MLflow server that the worker's environment does not name.

    :param uri: ``models:/churn@champion``, ``models:/churn/3`` or ``runs:/<id>/model``. (templated)
    :param tracking_uri: the server or database; None: as ``MLFLOW_TRACKING_URI`` says. (templated)
    """

    uri: str = field(kw_only=False)
    tracking_uri: str | None = None

    parsers: ClassVar[Mapping[str, Any]] = {"uri": anything, "tracking_uri": _text}


@dataclass(frozen=True, kw_only=True)
class GoldenSet(ArgumentGroup):
    """Rows whose predictions are kept with a model, and how far they may move.

    :param rows: URIs, or inline records or frames. (templated)
    :param tolerance: how far a prediction may move, relative to its size; 0: not at all. (templated)
    """

    rows: Any = field(kw_only=False)
    tolerance: float | str = 1e-6

    parsers: ClassVar[Mapping[str, Any]] = {"rows": _data, "tolerance": partial(number, low=0, high=1)}

    def __post_init__(self) -> None:
        """Refuse what can never work; a frame is looked at at once."""
        super().__post_init__()
        object.__setattr__(self, "rows", given_data("golden_set", self.rows))  # frozen for everybody else


@dataclass(frozen=True, kw_only=True)
class SampleScoring(ArgumentGroup):
    """How the sample set is scored for the baseline: as later batches are.

    :param target_column: the sample set's column of true labels, of two classes: from it and the model's probabilities,
        accuracy, F1 and ROC AUC of later batches are estimated without labels. (templated)
    :param decision_threshold: the positive class is predicted for probabilities at or over it. (templated)
    :param predict_method: as ``PredictOperator`` takes it. (templated)
    :param predict_kwargs: passed to it. (templated)
    """

    target_column: str | None = None
    decision_threshold: float | str = 0.5
    predict_method: str = "predict"
    predict_kwargs: Mapping[str, Any] | None = None

    parsers: ClassVar[Mapping[str, Any]] = {
        "target_column": _text,
        "decision_threshold": partial(number, low=0, high=1),
        "predict_method": anything,
        "predict_kwargs": mapping,
    }


@dataclass(frozen=True, kw_only=True)
class Problem(ArgumentGroup):
    """What a model is to be measured at, where it or the labels do not tell.

    :param kind: ``classification`` or ``regression``; None: told by the model and the labels. (templated)
    :param classes: what the labels call the model's classes, in the order of its probabilities; None: as the model
        does. (templated)
    :param decision_threshold: the second of two classes is predicted for probabilities at or over it; None: the model's
        own classes count, and 0.5 where it gives probabilities only. (templated)
    """

    kind: str | None = field(default=None, kw_only=False)
    classes: Sequence[str | int | float | bool] | str | None = None
    decision_threshold: float | str | None = None

    parsers: ClassVar[Mapping[str, Any]] = {
        "kind": partial(optional_choice, allowed=("classification", "regression")),
        "classes": _classes,
        "decision_threshold": partial(optional_number, low=0, high=1),
    }
