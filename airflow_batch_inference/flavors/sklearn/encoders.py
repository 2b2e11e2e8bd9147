"""What the fitted encoders of an estimator tell of its columns: whether they hold text, numbers, booleans or times.

Invariants: a type is told only of a column that reaches the encoder as it is; one that another step has changed before
is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from airflow_batch_inference.exceptions import SignatureMismatchError
from airflow_batch_inference.schema.column_types import is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_batch_inference.flavors.sklearn.fitted_steps import FittedStep

_BY_KIND = {"U": "string", "b": "bool", "i": "int64", "u": "int64", "f": "double"}


def encoded_types(steps: Iterable[FittedStep]) -> dict[int, str]:
    """Return the Arrow types of those columns, by position, that a fitted encoder takes as they are.

    Those of which two encoders tell different types are left out.
    """
    found: dict[int, set[str]] = {}
    for each in steps:
        categories = getattr(each.step, "categories_", None)
        columns = each.columns or ()
        if isinstance(categories, (list, tuple)) and len(categories) == len(columns):
            for column, values in zip(columns, categories, strict=True):
                kind = _type_of(values)
                if isinstance(column, int) and kind is not None:
                    found.setdefault(column, set()).add(kind)
    return {column: next(iter(kinds)) for column, kinds in found.items() if len(kinds) == 1}


def require_encoded(batch: pa.Table, types: Mapping[int, str]) -> None:
    """Refuse numbers for an encoder of text, and text for one of numbers: it would take all of them for unknown.

    Raises
    ------
    SignatureMismatchError
        Names the column, and what says its type.
    """
    for place, kind in types.items():
        field = batch.schema.field(place)
        if not pa.types.is_null(field.type) and is_text(field.type) != (kind == "string"):
            message = (
                f"Column {field.name!r} holds {field.type}, but the model's encoder was fitted on {kind} there. The "
                "model has no column names, so say which its columns are, in its order, with LoadModelOperator's "
                f"signature={{…, {field.name!r}: {kind!r}, …}}: text files are read with these types."
            )
            raise SignatureMismatchError(message)


def _type_of(values: Any) -> str | None:  # noqa: ANN401  # an array
    """Return the Arrow type of an encoder's categories; None where they are of several kinds."""
    array = np.asarray(values)
    if array.dtype.kind != "O":
        return _BY_KIND.get(array.dtype.kind)
    present = [value for value in array.tolist() if value is not None and value == value]  # NaN
    for kind, name in ((bool, "bool"), (str, "string"), (int, "int64"), (float, "double")):
        if present and all(isinstance(value, kind) for value in present):
            return name
    return None
