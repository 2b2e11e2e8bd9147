"""Which null a model's columns had in training, told by its fitted encoders and imputers.

Arrow has one null. scikit-learn has two: an encoder that was fitted on None takes NaN for a category that it does not
know, and the other way round, and says nothing.

Invariants: a null goes in as the one that was fitted; where both were, nobody can tell which one a null is, so its row
fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from airflow_batch_inference.flavors.sklearn.fitted_steps import Column, FittedStep

Form: TypeAlias = Literal["none", "nan", "number", "missing", "both"]
"""``none``, ``nan``: objects, with None or NaN. ``number``: numbers, with NaN. ``missing``: NaN, whatever it is among.
``both``: not certain."""

_OBJECTS = "objects"
"""An encoder has categories that are objects, and no null among them: it tells NaN and numbers apart from objects."""
_BY_PARAMETER = ("SimpleImputer", "MissingIndicator")


def null_forms(steps: Iterable[FittedStep]) -> dict[Column, Form]:
    """Return the null of each column that a fitted step tells of.

    What an encoder keeps among its categories was in the data, so it counts for more than what an imputer looks for.
    """
    seen: dict[Column, set[str]] = {}
    looked_for: dict[Column, set[str]] = {}
    for each in steps:
        for place, column in enumerate(each.columns or ()):
            if column is None:
                continue
            seen.setdefault(column, set()).update(_of_categories(each.step, place))
            if each.kind in _BY_PARAMETER:
                looked_for.setdefault(column, set()).update(_of_parameter(each.step))
    forms = {column: _one(found, looked_for.get(column, set())) for column, found in seen.items()}
    return {column: form for column, form in forms.items() if form is not None}


def known_values(steps: Iterable[FittedStep]) -> dict[Column, object]:
    """Return a value of each column that its encoder knows."""
    found: dict[Column, object] = {}
    for each in steps:
        for place, column in enumerate(each.columns or ()):
            values = [value for value in _categories(each.step, place).tolist() if not _is_missing(value)]
            if column is not None and values:
                found.setdefault(column, values[0])
    return found


def _is_missing(value: Any) -> bool:  # noqa: ANN401  # any category
    import pandas as pd

    return bool(pd.isna(value))


def _categories(step: Any, place: int) -> np.ndarray:  # noqa: ANN401  # any step
    """Return an encoder's categories of a column; none of other steps."""
    categories = getattr(step, "categories_", None)
    is_there = isinstance(categories, (list, tuple)) and place < len(categories)
    return np.asarray(categories[place]) if is_there else np.empty(0)  # type: ignore[index]  # it is there


def _one(seen: set[str], looked_for: set[str]) -> Form | None:
    """Return the null of a column; None where nothing tells it."""
    told = seen - {_OBJECTS} or looked_for
    if "none" in told:
        return "both" if len(told) > 1 else "none"
    if "nan" in told or _OBJECTS in seen:
        return "nan"
    return "number" if "number" in told else "missing" if "missing" in told else None


def _of_categories(step: Any, place: int) -> set[str]:  # noqa: ANN401  # any step
    """Return the nulls among an encoder's categories of a column."""
    values = _categories(step, place)
    if values.dtype.kind == "f":
        return {"number"} if np.isnan(values).any() else set()
    if values.dtype.kind != "O":
        return set()
    found = {"none"} if any(value is None for value in values) else set()
    found |= {"nan"} if any(isinstance(value, float) and np.isnan(value) for value in values) else set()
    return found if found or all(isinstance(value, str) for value in values) else {_OBJECTS}


def _of_parameter(step: Any) -> set[str]:  # noqa: ANN401  # an imputer
    looked_for = getattr(step, "missing_values", np.nan)
    if looked_for is None:
        return {"none"}
    return {"missing"} if isinstance(looked_for, float) and np.isnan(looked_for) else set()


def with_nulls(data: pd.DataFrame, batch: pa.Table, forms: Mapping[Column, Form]) -> pd.DataFrame:
    """Return a batch's data frame with each null as the one that the model was fitted on.

    Parameters
    ----------
    data
        The batch as pandas has it; it is changed.
    batch
        The rows.
    forms
        What :func:`null_forms` found.

    Raises
    ------
    ValueError
        A null in a column that was fitted on both kinds.
    """
    import pandas as pd

    names = batch.schema.names
    places = {name: place for place, name in enumerate(names)}
    for column, form in forms.items():
        place = places.get(column, column) if isinstance(column, str) else column
        if isinstance(place, int) and place < len(names):
            made = _column(batch.column(place), form, names[place])
            if made is not None:
                data[names[place]] = pd.Series(made, index=data.index, dtype=made.dtype)
    return data


def _column(values: pa.ChunkedArray, form: Form, name: str) -> np.ndarray | None:
    """Return a column with its nulls in the form; None where pandas gives them so already."""
    kind = values.type
    if form == "both":
        _require_no_null(values, name)
        return None
    if form == "number":
        if not pa.types.is_boolean(kind) or not values.null_count:
            return None
        numbers: np.ndarray = values.cast(pa.float64()).to_numpy()
        return numbers
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if form != "none" and is_text(kind):
        return None
    if form == "missing" and (is_number or not values.null_count):
        return None
    import pandas as pd

    objects = _objects(values)
    objects[pd.isna(objects)] = None if form == "none" else np.nan
    return objects


def is_text(kind: pa.DataType) -> bool:
    """Say whether pandas makes its own text type of a column."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _objects(values: pa.ChunkedArray) -> np.ndarray:
    if is_text(values.type):
        found: np.ndarray = values.cast(pa.string()).to_numpy(zero_copy_only=False)
        return found.astype(object)  # a copy that may be written to
    objects = np.empty(len(values), dtype=object)
    objects[:] = values.to_pylist()
    return objects


def _require_no_null(values: pa.ChunkedArray, name: str) -> None:
    if not values.null_count:
        return
    row = int(np.flatnonzero(values.is_null().to_numpy())[0])
    message = (
        f"column {name!r}, row {row} of the batch is null, and the model was fitted on both None and NaN there, which "
        "are two categories for it: nobody can tell which one this is. Fill it, reject such rows, or fit the model on "
        "one kind of null"
    )
    raise ValueError(message)
