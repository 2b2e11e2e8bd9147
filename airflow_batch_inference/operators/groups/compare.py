"""Several models in one pass: beside the champion, or each with a share of the rows; and an earlier evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators.arguments import given_names, mapping, optional_text
from airflow_batch_inference.operators.groups.base import ArgumentGroup, anything

if TYPE_CHECKING:
    from collections.abc import Mapping


def _disagreements(name: str, value: object) -> dict[str, Any]:
    return given_names(name, mapping(name, value), ("threshold", "tolerance"))


def _challengers(name: str, value: object) -> dict[str, Any]:
    found = mapping(name, value)
    if not found:
        message = f'{name} is {value!r}; it must name at least one model: Challengers({{"next": uri}}).'
        raise ConfigurationError(message)
    return found


def _uri(name: str, value: object) -> str | None:  # noqa: ARG001  # a parser
    return optional_text(value)


def _key(name: str, value: object) -> str | None:
    column = optional_text(value)
    if column == "":
        message = f"{name} is empty; it must be a column."
        raise ConfigurationError(message)
    return column


@dataclass(frozen=True, kw_only=True)
class Challengers(ArgumentGroup):
    """Models that score the same rows beside the champion, into columns ``<name>.<output>``.

    They decide nothing: where one fails, its columns are null. How they differ is in the record of ``challengers_uri``,
    and on the page that this names.

    :param challengers: dict of a name to a model, or to a list of steps. (templated)
    :param disagreements: what a difference of numbers between champion and challenger is: ``{"threshold": 0.5}``, that
        they lie on two sides of it, or ``{"tolerance": 0.05}``, that they are farther apart than this share of the
        larger one. None: a threshold of 0.5 for numbers from 0 to 1, for others that tolerance. (templated)
    """

    challengers: Mapping[str, Any] | str = field(kw_only=False)
    disagreements: Mapping[str, Any] | str | None = None

    parsers: ClassVar[Mapping[str, Any]] = {"challengers": _challengers, "disagreements": _disagreements}


@dataclass(frozen=True, kw_only=True)
class Split(ArgumentGroup):
    """Which of the models that ``model`` names scores a row; the column ``scored_by`` says which it was.

    :param weights: each model's name to its share: ``{"a": 0.9, "b": 0.1}``; only their ratios count. (templated)
    :param key: a column: all rows of one value meet the same model. Without it each row goes by itself. (templated)
    :param values: values of the key to models' names, in the place of weights: ``{"gold": "b"}``. (templated)
    :param default: the model of all other values. (templated)
    :param seed: another one gives another split; None: 0. (templated)
    """

    weights: Mapping[str, Any] | str | None = None
    key: str | None = None
    values: Mapping[str, Any] | str | None = None
    default: str | None = None
    seed: int | str | None = None

    parsers: ClassVar[Mapping[str, Any]] = {
        "weights": mapping,
        "key": _key,
        "values": mapping,
        "default": anything,
        "seed": anything,
    }

    def require_together(self) -> None:
        """Refuse weights and values together, and values without a key or a default."""
        asked = self.asked()
        if ("weights" in asked) == ("values" in asked):
            message = (
                'Split takes either weights ({"a": 0.9, "b": 0.1}) or values of a key (key="tier", values={"gold": '
                f'"b"}}, default="a"); it has {", ".join(asked) or "nothing"}.'
            )
            raise ConfigurationError(message)
        if "weights" in asked and "default" in asked:
            message = (
                "Split has weights and default; a default is the model of values that are not named. Leave it out."
            )
            raise ConfigurationError(message)
        lacking = [name for name in ("key", "default") if name not in asked]
        if "values" in asked and lacking:
            message = f"Split has values, but no {lacking[0]}: name the column, and the model of all others."
            raise ConfigurationError(message)

    def asked(self) -> dict[str, Any]:
        """Return what was given, as :func:`~airflow_batch_inference.predictors.shares.parse_split` takes it."""
        return {name: value for name, value in self.parse_all().items() if value not in (None, {})}


@dataclass(frozen=True, kw_only=True)
class EarlierEvaluation(ArgumentGroup):
    """An earlier evaluation, and how much worse than there a model may be.

    :param evaluation: its URI, such as that of the model that is live. (templated)
    :param max_regression: metric to how much worse than there it may be. (templated)
    """

    evaluation: str | None = field(kw_only=False)
    max_regression: Mapping[str, float] | str | None = None

    parsers: ClassVar[Mapping[str, Any]] = {"evaluation": _uri, "max_regression": mapping}
