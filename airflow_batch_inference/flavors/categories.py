"""Columns that a LightGBM model was trained on as pandas categories, found in the model's own text.

LightGBM does not see a category but its position in the list of categories seen in training; a missing or unseen
one is NaN (``lightgbm.basic._data_from_pandas``). The text ends with those lists, one a category column, in the
order of the columns; which columns they are stands in the parameters. What must not be relaxed: where the two do
not match for certain, the model is refused, because a wrong guess scores silently wrong.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.columns import replace_columns
from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.frames import frame
from airflow_batch_inference.records import ColumnSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LISTS = "\npandas_categorical:"


@dataclass(frozen=True, slots=True)
class PandasCategories:
    """The category columns of a model: position of the column to its categories, in training's order."""

    columns: Mapping[int, pa.Array]

    def inputs(self, names: Sequence[str], *, other: str) -> tuple[ColumnSpec, ...]:
        """Return the model's input columns; ``other`` is the type of those that are no categories."""
        return tuple(
            ColumnSpec(name=name, type=str(self.columns[position].type) if position in self.columns else other)
            for position, name in enumerate(names)
        )

    def encode(self, batch: pa.Table) -> pa.Table:
        """Replace each category by its position; null and unseen ones by null."""
        codes = {place: _codes(batch.column(place), categories) for place, categories in self.columns.items()}
        return replace_columns(batch, codes)

    def frame(self, batch: pa.Table) -> pd.DataFrame:
        """Return the batch as a data frame with pandas' category dtype where training had it."""
        encoded = self.encode(batch)
        data = frame(encoded)
        for position, categories in self.columns.items():
            codes = encoded.column(position).fill_null(-1).to_numpy()
            data[encoded.schema.names[position]] = pd.Categorical.from_codes(codes, pd.Index(categories.to_pylist()))
        return data


def _codes(column: pa.ChunkedArray, categories: pa.Array) -> pa.ChunkedArray:
    return pc.index_in(column.cast(categories.type), value_set=categories, skip_nulls=True)


def pandas_categories(text: str) -> PandasCategories:
    r"""Find the category columns of a LightGBM model.

    Parameters
    ----------
    text
        The model as LightGBM writes it (``Booster.model_to_string``).

    Raises
    ------
    ModelLoadError
        The lists of categories cannot be assigned to columns with certainty.

    Examples
    --------
    >>> text = "tree\nfeature_infos=[0:9] -1:1:0\nparameters:\n[categorical_feature: 1]\nend of parameters\n"
    >>> pandas_categories(text + '\npandas_categorical:[["x", "y"]]\n').columns[1].to_pylist()
    ['x', 'y']
    """
    _, found, tail = text.rpartition(_LISTS)
    lists = json.loads(tail) if found else None
    if not lists:
        return PandasCategories({})
    parameters = text.rpartition("\nparameters:")[2]
    positions = re.search(r"^\[categorical_feature: ([\d,]*)\]$", parameters, re.MULTILINE)
    columns = [int(position) for position in positions.group(1).split(",") if position] if positions else []
    infos = re.search(r"^feature_infos=(.*)$", text, re.MULTILINE)
    seen = infos.group(1).split(" ") if infos else []
    if len(columns) != len(lists) or not all(
        _fits(seen[column], len(categories)) for column, categories in zip(columns, lists, strict=True)
    ):
        message = (
            f"The LightGBM model was trained on {len(lists)} pandas category column(s), but marks {len(columns)} "
            "column(s) as categorical, so it is not certain which is which (ordered categories, or "
            "categorical_feature= beside them). Train it with unordered categories only, or on numbers."
        )
        raise ModelLoadError(message)
    return PandasCategories({column: _array(values) for column, values in zip(columns, lists, strict=True)})


def _fits(info: str, categories: int) -> bool:
    """Say whether a column's codes seen in training (``-1:2:0``; ``none`` for a constant one) are of this list."""
    if info == "none":
        return True
    codes = info.split(":")
    return all(re.fullmatch(r"-?\d+", code) and int(code) < categories for code in codes)


def _array(values: list[object]) -> pa.Array:
    if not values:
        return pa.array([], type=pa.string())
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        message = f"The LightGBM model has a column whose categories are of several types: {values[:5]!r}."
        raise ModelLoadError(message) from error
