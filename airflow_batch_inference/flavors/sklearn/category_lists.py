"""Lists of categories that boosters keep within an estimator, and the pandas categories that are made of them.

LightGBM and XGBoost do not see a category but its position in training's list, and their wrappers take pandas' category
dtype alone.

Invariants: a column is given training's list in training's order, whatever categories a mini-batch has; and past a step
of somebody's own no value is lost, for that step may turn it into one that is on the list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.flavors.boosters.xgboost_categories import find_categories, require_seen, stored_lists
from airflow_batch_inference.flavors.categories import category_columns_option, pandas_categories
from airflow_batch_inference.schema.column_types import is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from airflow_batch_inference.flavors.sklearn.fitted_steps import Column, FittedStep

Unseen: TypeAlias = Literal["missing", "error", "kept"]
"""What a category is that training never saw: NaN; an error of its row; or one more category behind the list."""


@dataclass(frozen=True, slots=True)
class CategoryList:
    """The categories of a column, in training's order."""

    values: pa.Array
    unseen: Unseen

    def takes(self, kind: pa.DataType) -> bool:
        """Say whether a column of this type can hold values of the list."""
        return is_text(kind) == is_text(self.values.type)

    def categorical(self, column: pa.ChunkedArray, name: str) -> pd.Categorical:
        """Return a column as pandas has it in training.

        Raises
        ------
        ValueError
            A category that training never saw, where that is an error.
        """
        import pandas as pd

        column = column.cast(self.values.type)
        values = self.values
        if self.unseen == "kept":
            others = pc.unique(column).drop_null()
            unseen = others.filter(pc.invert(pc.is_in(others, value_set=values)))
            values = pa.concat_arrays([values, unseen])
        codes = pc.index_in(column, value_set=values, skip_nulls=True)
        if self.unseen == "error":
            require_seen(column, codes, name)
        return pd.Categorical.from_codes(codes.fill_null(-1).to_numpy(), pd.Index(values.to_pylist()))


def category_lists(steps: Iterable[FittedStep], options: Mapping[str, Any]) -> dict[Column, CategoryList]:
    """Return the list of each column that a booster within an estimator knows as categories.

    Parameters
    ----------
    steps
        The estimator's.
    options
        The load options ``category_columns`` (see :mod:`~.categories`), ``categories`` and ``unseen_categories`` (see
        :mod:`~.xgboost_categories`).

    Raises
    ------
    ModelLoadError, ConfigurationError
        The lists cannot be assigned to columns with certainty, or the options do not go with them.
    """
    found: dict[Column, CategoryList] = {}
    for each in steps:
        package = type(each.step).__module__.partition(".")[0]
        lists = {"lightgbm": _of_lightgbm, "xgboost": _of_xgboost}.get(package, _nothing)(each, options)
        for place, known in lists.items():
            column = each.columns[place] if each.columns is not None and place < len(each.columns) else None
            if column is not None:
                found[column] = known
    return found


def _nothing(step: FittedStep, options: Mapping[str, Any]) -> dict[int, CategoryList]:  # noqa: ARG001  # one of a kind
    return {}


def _of_lightgbm(each: FittedStep, options: Mapping[str, Any]) -> dict[int, CategoryList]:
    booster = each.step if each.kind == "Booster" else getattr(each.step, "booster_", None)
    if booster is None or not getattr(booster, "pandas_categorical", None):
        return {}
    stated = category_columns_option(options, booster.feature_name())
    lists = pandas_categories(booster.model_to_string(num_iteration=-1), stated).columns
    is_certain = each.columns is not None and all(not isinstance(column, str) for column in each.columns)
    return {place: CategoryList(values, "missing" if is_certain else "kept") for place, values in lists.items()}


def _of_xgboost(each: FittedStep, options: Mapping[str, Any]) -> dict[int, CategoryList]:
    read = getattr(each.step, "get_booster", None)
    if read is None:
        return {}
    booster = read()
    known = find_categories(stored_lists(booster), booster.feature_types or (), booster.feature_names, options=options)
    return {place: CategoryList(values, known.unseen) for place, values in known.lists.columns.items()}
