"""Labels and predictions as codes: the places of their values among the model's classes.

Invariants: values are matched by what they are (1, 1.0 and true are one class, "1" and 1 only where no
label is of the classes' own kind), and a label that no class matches gets a code of its own, never a neighbour's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import SignatureMismatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ClassLabel = str | int | float | bool
"""What a class may be."""

MISSING = -1
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Values:
    """A column as codes of its distinct values.

    Attributes
    ----------
    codes
        Shape (n,): the place in ``distinct``, or -1 where there is no value.
    distinct
        The values: text, numbers, booleans; all others as text.
    """

    codes: NDArray[np.int64]
    distinct: tuple[ClassLabel, ...]

    def coded(self, place: dict[ClassLabel, int]) -> NDArray[np.int64]:
        """Return the codes by another numbering, shape (n,); -1 stays -1."""
        table = np.array([*(place[value] for value in self.distinct), MISSING], dtype=np.int64)
        coded: NDArray[np.int64] = table[self.codes]
        return coded


def values_of(column: pa.ChunkedArray) -> Values:
    """Return a column's distinct values; nulls and NaN are missing.

    Examples
    --------
    >>> found = values_of(pa.chunked_array([["no", None, "yes", "no"]]))
    >>> found.codes.tolist(), found.distinct
    ([0, -1, 1, 0], ('no', 'yes'))
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_null(column.type):
        return Values(np.full(len(column), MISSING, dtype=np.int64), ())
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    codes = encoded.indices.fill_null(MISSING).to_numpy(zero_copy_only=False).astype(np.int64)
    found = [_plain(value) for value in encoded.dictionary.to_pylist()]
    distinct = tuple(dict.fromkeys(value for value in found if value is not None))
    place = {value: position for position, value in enumerate(distinct)}
    table = np.array([*(MISSING if value is None else place[value] for value in found), MISSING], dtype=np.int64)
    return Values(table[codes], distinct)


def _plain(value: object) -> ClassLabel | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value if isinstance(value, (str, int, float)) else str(value)


def text(value: ClassLabel) -> str:
    """Return a class's name: whole numbers without a point, booleans in lower case.

    Examples
    --------
    >>> text(1.0), text(True), text("a"), text(0.5)
    ('1', 'true', 'a', '0.5')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def matched(
    values: Values, classes: Sequence[ClassLabel], column: str, *, named: Sequence[ClassLabel] | None = None
) -> dict[ClassLabel, int]:
    """Return the place of each distinct label among the classes.

    Labels that are no class get the places after the classes, in the order of their names.

    Parameters
    ----------
    values, column
        The labels, and the name of their column.
    classes
        The model's.
    named
        What the labels may call them, in the same order; None: as the model does.

    Raises
    ------
    SignatureMismatchError
        Not a single label is a class.
    """
    place = (_found(values, named) if named is not None else {}) or _found(values, classes)
    unknown = sorted((value for value in values.distinct if value not in place), key=text)
    if values.distinct and not place:
        message = (
            f"No value of the label column {column!r} is a class of the model: it has {_listed(unknown)}, and the "
            f"model knows {_listed(named or classes)}. Give the labels that the model was trained on, or what the "
            "labels call its classes, in its order (classes=[…])."
        )
        raise SignatureMismatchError(message)
    return place | {value: len(classes) + i for i, value in enumerate(unknown)}


def numbered(values: Values, classes: Sequence[ClassLabel], used: int) -> dict[ClassLabel, int]:
    """Return the place of each distinct prediction among the classes; others get places from ``used`` on."""
    place = _found(values, classes)
    new = sorted((value for value in values.distinct if value not in place), key=text)
    return place | {value: used + i for i, value in enumerate(new)}


def _found(values: Values, classes: Sequence[ClassLabel]) -> dict[ClassLabel, int]:
    by_value = {value: place for place, value in enumerate(classes)}
    found = {value: by_value[value] for value in values.distinct if value in by_value}
    if found:
        return found
    by_text = {text(value): place for place, value in enumerate(classes)}
    return {value: by_text[text(value)] for value in values.distinct if text(value) in by_text}


def sorted_classes(*columns: Values) -> tuple[ClassLabel, ...]:
    """Return all values of some columns as scikit-learn orders classes: numbers by size, then text."""
    found = dict.fromkeys(value for column in columns for value in column.distinct)
    numbers = sorted(value for value in found if not isinstance(value, str))
    return (*numbers, *sorted(value for value in found if isinstance(value, str)))


def _listed(values: Sequence[ClassLabel]) -> str:
    more = f", … ({len(values)} in all)" if len(values) > _SHOWN else ""
    return ", ".join(repr(value)[:40] for value in values[:_SHOWN]) + more
