"""Columns that an XGBoost model was trained on as categories: their lists, and codes for a mini-batch.

A tree does not see a category but its position in training's list, which XGBoost 3.1 and later keep in the model.

Invariants: a category that training never saw is an error (or missing, if the user says so), a code is a whole number
that is not negative, and a list that cannot be read back for certain is refused. XGBoost 3.2 says nothing, and scores
such rows as another category.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.categories import PandasCategories

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Unseen = Literal["error", "missing"]

_MOST_CODES = 1 << 24
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Categories:
    """The category columns of a model.

    Attributes
    ----------
    lists
        Position of a column to its categories, in training's order.
    codes
        Positions of those columns whose lists the model does not have: a batch brings their codes.
    unseen
        What a category is that training never saw.
    """

    lists: PandasCategories
    codes: tuple[int, ...]
    unseen: Unseen

    def encode(self, batch: pa.Table) -> pa.Table:
        """Replace each category by its position; nulls stay null.

        Raises
        ------
        ValueError
            A category that training never saw, or a code that is none: the column, the row and the value.
        """
        for position in self.codes:
            _require_codes(batch.column(position), batch.schema.names[position])
        encoded = self.lists.encode(batch)
        if self.unseen == "error":
            for position in self.lists.columns:
                require_seen(batch.column(position), encoded.column(position), batch.schema.names[position])
        return encoded


def stored_lists(booster: Any) -> list[pa.Array | None]:  # noqa: ANN401  # untyped
    """Return the list of categories of each input; none of XGBoost before 3.1 and of models without categories."""
    if not hasattr(booster, "get_categories") or "c" not in (booster.feature_types or ()):
        return []
    return [values for _, values in booster.get_categories(export_to_arrow=True).to_arrow()]


def find_categories(
    stored: Sequence[pa.Array | None],
    types: Sequence[str],
    names: Sequence[str] | None,
    *,
    options: Mapping[str, Any],
) -> Categories:
    """Find the category columns of a model.

    Parameters
    ----------
    stored
        For each input its list as XGBoost gives it back, None where it has none.
    types
        XGBoost's type of each input; ``c`` marks a category.
    names
        The inputs' names.
    options
        ``categories``: the lists that the user gives, by name; ``unseen_categories``: ``error`` or ``missing``.

    Raises
    ------
    ModelLoadError
        A list is not certain, and the user gives none.
    ConfigurationError
        The user's lists or choice do not fit the model.
    """
    unseen = options.get("unseen_categories", "error")
    if unseen not in ("error", "missing"):
        message = f"load_options has unseen_categories {unseen!r}; it must be 'error' or 'missing'."
        raise ConfigurationError(message)
    given = _given(options.get("categories"), types, names)
    lists: dict[int, pa.Array] = {}
    codes = []
    for position, kind in enumerate(types):
        if kind != "c":
            continue
        known = stored[position] if position < len(stored) else None
        name = names[position] if names is not None else str(position)
        if name in given:
            lists[position] = _checked(given[name], known, name)
        elif known is None or len(known) == 0:
            codes.append(position)
        else:
            lists[position] = _certain(known, name)
    return Categories(PandasCategories(lists), tuple(codes), unseen)


def _given(option: object, types: Sequence[str], names: Sequence[str] | None) -> dict[str, pa.Array]:
    if option is None:
        return {}
    there = {name for name, kind in zip(names or (), types, strict=False) if kind == "c"}
    if not isinstance(option, dict) or not all(isinstance(values, list) for values in option.values()):
        message = f"load_options has categories {option!r}; it must be a dictionary of column name to list."
        raise ConfigurationError(message)
    foreign = sorted(set(option) - there)
    if foreign:
        known = ", ".join(sorted(there)) or "none"
        message = f"load_options has categories of {foreign[0]!r}, which is no category column of the model: {known}."
        raise ConfigurationError(message)
    try:
        return {name: pa.array(values) for name, values in option.items()}
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        message = f"load_options has categories of several types in one list ({error}). Give one type a column."
        raise ConfigurationError(message) from error


def _checked(given: pa.Array, stored: pa.Array | None, name: str) -> pa.Array:
    """Return the user's list if it can be the one that the model was trained on."""
    fits = stored is None or len(stored) == 0 or (len(stored) == len(given) and _is_stored(given, stored))
    if not fits or len(given.unique()) != len(given):
        kept = 0 if stored is None else len(stored)
        message = (
            f"load_options has {len(given)} categories of {name!r} ({_listed(given)}), which are not the {kept} that "
            "the model was trained on, in their order (in pandas: column.cat.categories)."
        )
        raise ConfigurationError(message)
    return given


def _is_stored(given: pa.Array, stored: pa.Array) -> bool:
    if not pa.types.is_string(stored.type):
        return bool(given.cast(stored.type, safe=False).equals(stored))
    if not pa.types.is_string(given.type):
        return False
    # XGBoost 3.2 (_data_utils.npstr_to_arrow_strarr) cuts the joined UTF-8 by lengths counted in characters.
    texts = given.to_pylist()
    offsets, data = _buffers(stored)
    in_characters = np.cumsum([0, *map(len, texts)])
    in_bytes = np.cumsum([0, *(len(text.encode()) for text in texts)])
    joined = "".join(texts).encode()
    return joined.startswith(data) and any(np.array_equal(offsets, each) for each in (in_characters, in_bytes))


def _certain(stored: pa.Array, name: str) -> pa.Array:
    if pa.types.is_string(stored.type) and not _buffers(stored)[1].isascii():
        message = (
            f"The categories of {name!r} have letters beyond ASCII, and XGBoost cuts their list in the wrong places "
            "when it writes it (it counts characters where it means bytes). Give the list of training's categories "
            f"in their order: load_options={{'categories': {{{name!r}: [...]}}}} (in pandas: column.cat.categories)."
        )
        raise ModelLoadError(message)
    return stored


def _buffers(stored: pa.Array) -> tuple[np.ndarray, bytes]:
    """Return the offsets and all bytes of an array of strings."""
    _, offsets, data = stored.buffers()
    starts = np.frombuffer(offsets, dtype=np.int32)[stored.offset : stored.offset + len(stored) + 1]
    return starts, bytes(data)[: int(starts[-1])] if data is not None else b""


def _listed(values: pa.Array) -> str:
    return ", ".join(repr(value) for value in values[:_SHOWN].to_pylist()) + (" …" if len(values) > _SHOWN else "")


def require_seen(values: pa.ChunkedArray, codes: pa.ChunkedArray, name: str) -> None:
    """Refuse a category that training never saw.

    Parameters
    ----------
    values, codes, name
        A column, the position of each of its values in training's list, and what it is called.

    Raises
    ------
    ValueError
        Names the first one.
    """
    if codes.null_count == values.null_count:
        return
    row = pc.index(pc.and_(pc.is_null(codes), pc.is_valid(values)), value=True).as_py()
    message = (
        f"column {name!r}, row {row} of the batch: the model never saw the category {values[row].as_py()!r}. Reject "
        "such rows, or take them as missing with load_options={'unseen_categories': 'missing'}"
    )
    raise ValueError(message)


def _require_codes(values: pa.ChunkedArray, name: str) -> None:
    numbers = values.cast(pa.float64())
    is_code = pc.and_(
        pc.equal(pc.floor(numbers), numbers), pc.and_(pc.greater_equal(numbers, 0), pc.less(numbers, _MOST_CODES))
    )
    row = pc.index(pc.or_(is_code, pc.is_nan(numbers)), value=False).as_py()  # a NaN is missing, as a null is
    if row >= 0:
        message = (
            f"column {name!r}, row {row} of the batch: {values[row].as_py()!r} is no category code, which is a whole "
            f"number from 0 to {_MOST_CODES - 1}"
        )
        raise ValueError(message)
