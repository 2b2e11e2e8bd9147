"""Columns that a LightGBM model was trained on as pandas categories, found in the model's own text.

LightGBM does not see a category but its position in the list of categories seen in training; a missing or unseen one is
NaN (``lightgbm.basic._data_from_pandas``). The text ends with those lists, one a category column, in the order of the
columns; which columns they are stands in the parameters, unless ``categorical_feature=`` named others.

Invariants: where the two do not match for certain, the model is refused, because a wrong guess scores silently wrong.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError, UncertainColumnsError
from airflow_batch_inference.flavors.base import CATEGORY_COLUMNS
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.schema.columns import replace_columns
from airflow_batch_inference.schema.names import known_names, require_known

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OF_SAMPLE_SET = "of_sample_set"
"""Key of the load option where it is a sample set that names the columns: it has others too, such as the target."""
_EPSILON = 1e-9
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


def _codes(column: pa.ChunkedArray, categories: pa.Array) -> pa.ChunkedArray:
    return pc.index_in(column.cast(categories.type), value_set=categories, skip_nulls=True)


def pandas_categories(text: str, stated: Sequence[int] | None = None) -> PandasCategories:
    r"""Find the category columns of a LightGBM model.

    Parameters
    ----------
    text
        The model as LightGBM writes it (``Booster.model_to_string``).
    stated
        The positions of the category columns, where somebody says which they are.

    Raises
    ------
    UncertainColumnsError
        The lists of categories cannot be assigned to columns with certainty.
    ConfigurationError
        The stated columns cannot be those that the lists are of.

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
    columns = sorted(columns if stated is None else stated)
    if len(columns) != len(lists) or not all(
        _fits(seen[column], len(categories)) for column, categories in zip(columns, lists, strict=True)
    ):
        raise _not_certain(len(lists), len(columns), stated)
    if stated is None:
        _require_no_other(text, seen, columns, lists)
    return PandasCategories({column: _array(values) for column, values in zip(columns, lists, strict=True)})


def _not_certain(lists: int, columns: int, stated: Sequence[int] | None) -> Exception:
    if stated is not None:
        message = (
            f"load_options has {columns} {CATEGORY_COLUMNS}, but the LightGBM model was trained on {lists} pandas "
            "category column(s), and what it saw in training must be of their lists. Name just the columns that had "
            "the category dtype."
        )
        return ConfigurationError(message)
    message = (
        f"The LightGBM model was trained on {lists} pandas category column(s), but marks {columns} column(s) as "
        "categorical, so it is not certain which is which (ordered categories, or categorical_feature= beside them). "
        f'Say which columns had the category dtype: load_options={{"{CATEGORY_COLUMNS}": [...]}}, or give a sample_set '
        "that still has it."
    )
    return UncertainColumnsError(message)


def _require_no_other(text: str, seen: Sequence[str], columns: Sequence[int], lists: Sequence[list[object]]) -> None:
    """Refuse lists that may be of other columns than those that the model marks.

    ``categorical_feature=`` may have marked as many others. That shows by itself where a list is of texts, as the model
    takes numbers in the column that is meant; numbers would be taken for the codes that stand for them. The lists stand
    in the order of their columns, so one may be of another column only where all others find a place too. To be
    doubted, a column must explain its list as well as the marked one does: of most lists training saw the last code.
    A list that has each number at its own position changes nothing, wherever it is.

    Raises
    ------
    UncertainColumnsError
        Names such a column.
    """
    scaled = _fractions(text)
    largest = [None if place in scaled and place not in columns else _largest(info) for place, info in enumerate(seen)]
    candidates = [
        _candidates(column, largest, len(values)) if any(map(_is_number, values)) else [column]
        for column, values in zip(columns, lists, strict=True)
    ]
    firsts, lasts = _first_places(candidates), _last_places(candidates)
    for column, places, after, before, values in zip(columns, candidates, firsts, lasts, lists, strict=True):
        other = next((place for place in places if after < place < before and place != column), None)
        if other is not None and values != [*range(len(values))]:
            names = re.search(r"^feature_names=(.*)$", text, re.MULTILINE)
            name = names.group(1).split(" ")[other] if names else f"Column_{other}"
            message = (
                f"The LightGBM model was trained on {len(lists)} pandas category column(s), some with numbers as "
                f"categories. It marks as many columns as categorical, but {name!r} may be one of the former just as "
                "well (if categorical_feature= named others, or its categories are ordered). Say which had the "
                f'category dtype: load_options={{"{CATEGORY_COLUMNS}": [...]}}, or give a sample_set that still has it.'
            )
            raise UncertainColumnsError(message)


def _candidates(marked: int, largest: Sequence[int | None], categories: int) -> list[int]:
    """Return the columns that explain a list of so many categories as well as the marked one does, and that one."""
    known = largest[marked] or 0
    return [
        place
        for place, code in enumerate(largest)
        if place == marked or (code is not None and known <= code < categories)
    ]


def _first_places(candidates: Sequence[Sequence[int]]) -> list[int]:
    """Return, for each list, the first place at which the list before it can end; -1: there is none before it."""
    found = [-1]
    for places in candidates[:-1]:
        found.append(next(place for place in places if place > found[-1]))
    return found


def _last_places(candidates: Sequence[Sequence[int]]) -> list[int]:
    """Return, for each list, the last place at which the list after it can begin."""
    mirrored = [[-place for place in reversed(places)] for places in reversed(candidates)]
    found = [-sys.maxsize]
    for places in mirrored[:-1]:
        found.append(next(place for place in places if place > found[-1]))
    return [-place for place in reversed(found)]


def _is_number(value: object) -> bool:
    """Say whether a category can be taken for a number, also as the text of a CSV file."""
    try:
        float(str(value)) if not isinstance(value, bool) else value
    except ValueError:
        return False
    return True


def _largest(info: str) -> int | None:
    """Return the largest code that training saw in a column; None where it cannot be codes."""
    codes = "0" if info == "none" else info.removeprefix("[").removesuffix("]").removeprefix("-1:")
    return max(map(int, codes.split(":"))) if re.fullmatch(r"\d+(:\d+)*", codes) else None


def _fractions(text: str) -> frozenset[int]:
    """Return the columns that the trees split at other numbers than those in the middle between two codes."""
    found: set[int] = set()
    splits = re.findall(r"^split_feature=(.*)$", text, re.MULTILINE)
    thresholds = re.findall(r"^threshold=(.*)$", text, re.MULTILINE)
    for columns, bounds in zip(splits, thresholds, strict=True):
        for column, bound in zip(columns.split(), map(float, bounds.split()), strict=True):
            if abs(2 * bound - round(2 * bound)) > _EPSILON:
                found.add(int(column))
    return frozenset(found)


def category_columns_option(options: Mapping[str, object], names: Sequence[str]) -> list[int] | None:
    """Return the positions of the columns that the load option ``category_columns`` names; None: it is not there.

    Raises
    ------
    ConfigurationError
        It is no list of the model's columns.
    """
    given = options.get(CATEGORY_COLUMNS)
    if given is None:
        return None
    if isinstance(given, dict) and [*given] == [OF_SAMPLE_SET]:
        there = set(map(known_names(names), given[OF_SAMPLE_SET]))
        return [place for place, name in enumerate(names) if name in there]
    if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) for name in given):
        message = f"load_options has {CATEGORY_COLUMNS} {given!r}; it must be a list of column names."
        raise ConfigurationError(message)
    found = [require_known(f"load_options' {CATEGORY_COLUMNS}", name, names, "a column of the model") for name in given]
    places = {name: place for place, name in enumerate(names)}
    return sorted({places[name] for name in found})


def _fits(info: str, categories: int) -> bool:
    """Say whether a column's codes seen in training are of this list.

    They are ``-1:2:0`` for a category, ``[0:2]`` for a number, as which LightGBM takes an ordered one, and ``none`` for
    a constant.
    """
    if info == "none":
        return True
    codes = info.removeprefix("[").removesuffix("]").split(":")
    return all(re.fullmatch(r"-?\d+", code) and int(code) < categories for code in codes)


def _array(values: list[object]) -> pa.Array:
    if not values:
        return pa.array([], type=pa.string())
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        message = f"The LightGBM model has a column whose categories are of several types: {values[:5]!r}."
        raise ModelLoadError(message) from error
