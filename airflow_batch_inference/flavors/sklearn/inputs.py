"""What an estimator is given for a mini-batch: a data frame, an array or texts, as it was fitted on.

Invariants: what a column is in training's data frame is told by the fitted steps, not by what a mini-batch happens to
hold, so that a row has the same prediction in any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.flavors.base import unnamed_columns
from airflow_batch_inference.flavors.frames import array, frame, is_all_double, matrix
from airflow_batch_inference.flavors.sklearn.category_lists import CategoryList, category_lists
from airflow_batch_inference.flavors.sklearn.encoders import encoded_types, require_encoded
from airflow_batch_inference.flavors.sklearn.fitted_steps import columns_read, fitted_steps, input_names, input_width
from airflow_batch_inference.flavors.sklearn.null_forms import Form, known_values, null_forms, with_nulls
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.schema.column_types import is_named, is_text
from airflow_batch_inference.schema.columns import replace_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import pandas as pd

    from airflow_batch_inference.flavors.sklearn.fitted_steps import Column, FittedStep

_TEXT_MODULE = "sklearn.feature_extraction.text"
_VECTORIZERS = ("CountVectorizer", "HashingVectorizer", "TfidfVectorizer")
_RECORDS = "DictVectorizer"
"""The step that takes a list of dicts."""
_KEEP_NAMES = ("sklearn", "lightgbm", "xgboost", "catboost")
"""Packages whose estimators keep the names of a data frame that they were fitted on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorInputs:
    """How a mini-batch becomes what an estimator takes.

    Attributes
    ----------
    fitted_names
        The columns of the data frame that it was fitted on; None where it keeps none.
    names
        Those of them that it reads: a column transformer drops the others.
    n_features
        How many columns it takes, where it knows.
    takes_texts
        Whether it takes one column, as a sequence of texts.
    first_step
        Its first step, where that keeps neither the names nor the number of its columns; None: it keeps them.
    lists, nulls
        What its columns were in training.
    numbers
        Those that a booster takes as numbers.
    """

    fitted_names: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None
    n_features: int | None = None
    takes_texts: bool = False
    first_step: str | None = None
    lists: Mapping[Column, CategoryList] = field(default_factory=dict)
    nulls: Mapping[Column, Form] = field(default_factory=dict)
    numbers: frozenset[Column] = frozenset()
    encoded: Mapping[int, str] = field(default_factory=dict)
    """What its encoders take, by position among the columns that it was fitted on: Arrow types."""
    examples: Mapping[Column, object] = field(default_factory=dict)
    """A value that each of its encoders knows."""

    @property
    def specs(self) -> tuple[ColumnSpec, ...] | None:
        """The input columns with their types; None where they have no names."""
        if self.names is None:
            return None
        known = {self._name(column): kind for column, kind in self.encoded.items()}
        known |= {
            self._name(column): str(each.values.type) for column, each in self.lists.items() if each.unseen != "kept"
        }
        return tuple(ColumnSpec(name=name, type=known.get(name, "any")) for name in self.names)

    def _name(self, column: Column) -> str | None:
        if isinstance(column, int):
            return None if self.fitted_names is None else self.fitted_names[column]
        return column

    def example(self, batch: pa.Table) -> dict[str, object]:
        """Return a value that it takes for those of a batch's columns of which that is known."""
        names = self.fitted_names or batch.schema.names
        known = self.examples.items()
        found = {column if isinstance(column, str) else names[column or 0]: value for column, value in known}
        there = set(batch.schema.names)
        return {name: value for name, value in found.items() if name in there}

    def of(self, batch: pa.Table) -> pd.DataFrame | np.ndarray | list[str | None] | list[dict[str, Any]]:
        """Return what the estimator takes.

        Raises
        ------
        ConfigurationError
            It does not say which columns it takes, and nobody else does.
        ValueError
            A value that it cannot take; the message names the column and the row.
        """
        if self.takes_texts:
            return _texts(batch)
        if self.names is None and self.first_step is not None:
            if not is_named(batch):
                raise unnamed_columns(self.first_step)
            return batch.to_pylist() if self.first_step == _RECORDS else self._frame(batch)
        if self.names is None:
            require_encoded(batch, self.encoded)
            return self._array(batch)
        return self._filled(self._frame(batch))

    def block_of(self, batch: pa.Table) -> np.ndarray | None:
        """Return the block of numbers that the data frame of a batch is; None where that is more than such a block."""
        is_block = (
            self.fitted_names == tuple(batch.schema.names)
            and not self.lists
            and is_all_double(batch)
            and not self._has_own_nulls(batch)
        )
        return matrix(batch, row_major=False) if is_block else None

    def _array(self, batch: pa.Table) -> np.ndarray:
        if not self._has_own_nulls(batch):
            return array(batch)
        values: np.ndarray = with_nulls(frame(batch), batch, self.nulls).to_numpy()
        return values

    def _has_own_nulls(self, batch: pa.Table) -> bool:
        """Say whether a null may be another than NaN among numbers, or among texts, which are pandas' own."""
        return bool(self.nulls) and not (is_all_double(batch) and set(self.nulls.values()) <= {"missing", "number"})

    def _frame(self, batch: pa.Table) -> pd.DataFrame:
        data = frame(self._with_numbers(batch))
        if self._has_own_nulls(batch):
            nulls = {self._name(column) or column: form for column, form in self.nulls.items()}
            data = with_nulls(data, batch, nulls)
        names = set(batch.schema.names)
        for column, known in self.lists.items():
            name = self._name(column)
            if name is not None and name in names and known.takes(batch.schema.field(name).type):
                data[name] = known.categorical(batch.column(name), name)
        return data

    def _with_numbers(self, batch: pa.Table) -> pa.Table:
        """Make numbers of truths with nulls, and of nulls without a type, where a booster is given them as they are."""
        if not self.numbers:
            return batch
        names = {self._name(column) for column in self.numbers}
        gaps = (
            place
            for place, each in enumerate(batch.schema)
            if each.name in names
            and (pa.types.is_null(each.type) or (pa.types.is_boolean(each.type) and batch.column(place).null_count))
        )
        return replace_columns(batch, {place: batch.column(place).cast(pa.float64()) for place in gaps})

    def _filled(self, data: pd.DataFrame) -> pd.DataFrame:
        """Put in the columns that are dropped by the estimator itself; what they hold is never read."""
        if self.fitted_names == self.names or self.fitted_names is None:
            return data
        lacking = [name for name in self.fitted_names if name not in data.columns]
        return data.assign(**dict.fromkeys(lacking, 0.0))[list(self.fitted_names)]


def estimator_inputs(estimator: object, options: Mapping[str, Any]) -> EstimatorInputs:
    """Tell from an estimator's fitted steps what it takes.

    Raises
    ------
    ModelLoadError, ConfigurationError
        As :func:`~.category_lists.category_lists` says.
    """
    steps = fitted_steps(estimator)
    fitted = input_names(estimator)
    read = columns_read(estimator)
    is_all = fitted is None or read is None
    names = fitted if is_all else tuple(name for place, name in enumerate(fitted or ()) if place in (read or ()))
    number = len(names) if names is not None else input_width(estimator)
    lists, nulls = category_lists(steps, options), null_forms(steps)
    takes_texts = names is None and _all_texts(steps)
    return EstimatorInputs(
        fitted_names=fitted,
        names=names,
        n_features=1 if takes_texts else number,
        takes_texts=takes_texts,
        first_step=None if names is not None or number or takes_texts else _own_first_step(steps),
        lists=lists,
        nulls=nulls,
        numbers=_booster_columns(steps) - lists.keys() - nulls.keys(),
        encoded=encoded_types(steps),
        examples=known_values(steps) | {column: each.values[0].as_py() for column, each in lists.items()},
    )


def _booster_columns(steps: Iterable[FittedStep]) -> frozenset[Column]:
    """Return the columns that reach a booster's wrapper as they are; it refuses objects and texts."""
    boosters = [each for each in steps if type(each.step).__module__.partition(".")[0] in ("lightgbm", "xgboost")]
    return frozenset(column for each in boosters for column in each.columns or () if isinstance(column, int))


def _is_vectorizer(step: object) -> bool:
    return any(kind.__module__ == _TEXT_MODULE and kind.__name__ in _VECTORIZERS for kind in type(step).__mro__)


def _all_texts(steps: Sequence[FittedStep]) -> bool:
    firsts = [each.step for each in steps if each.is_first]
    return bool(firsts) and all(_is_vectorizer(step) for step in firsts)


def _own_first_step(steps: Iterable[FittedStep]) -> str | None:
    """Return the name of a first step that may have been fitted on a data frame, and does not say so."""
    firsts = [each for each in steps if each.is_first]
    own = [
        each
        for each in firsts
        if each.kind == _RECORDS or type(each.step).__module__.partition(".")[0] not in _KEEP_NAMES
    ]
    return own[0].kind if own else None


def _texts(batch: pa.Table) -> list[str | None]:
    """Return the only column as texts.

    Raises
    ------
    ValueError
        There are several columns, it is none of text, or one of them is null.
    """
    if batch.num_columns != 1 or not is_text(batch.schema.types[0]):
        message = f"the model takes one column of texts, but got {batch.schema.to_string(show_schema_metadata=False)}"
        raise ValueError(message)
    column = batch.column(0)
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        message = (
            f"column {batch.schema.names[0]!r}, row {row} of the batch is null, and the model takes texts. Fill it, or "
            "reject such rows"
        )
        raise ValueError(message)
    return list(column.cast(pa.string()).to_pylist())
