"""What the fitted encoders of an estimator tell of its columns: whether they hold text, numbers, booleans or times.

What must not be relaxed: a type is told only of a column that reaches the encoder as it is; one that another step has
changed before is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from airflow_batch_inference.column_types import is_text
from airflow_batch_inference.exceptions import SignatureMismatchError
from airflow_batch_inference.records import ColumnSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_KEEPING = ("SimpleImputer", "FunctionTransformer")
"""Steps behind which a column may have the values that it had: imputers, and functions of nothing."""
_WRAPPED = ("best_estimator_", "regressor_", "estimator_", "_preprocessor")
_SEVERAL = ("estimators_", "calibrated_classifiers_")
_BY_KIND = {"U": "string", "b": "bool", "i": "int64", "u": "int64", "f": "double"}


def with_encoded_types(inputs: tuple[ColumnSpec, ...] | None, estimator: object) -> tuple[ColumnSpec, ...] | None:
    """Fill in the types of inputs that the estimator does not know, where an encoder in it does."""
    if inputs is None:
        return None
    known = encoded_types(estimator, [spec.name for spec in inputs])
    return tuple(
        ColumnSpec(name=spec.name, type=known.get(spec.name, spec.type)) if spec.type == "any" else spec
        for spec in inputs
    )


def encoded_types(estimator: object, names: Sequence[str]) -> dict[str, str]:
    """Return the Arrow types of those columns that a fitted encoder takes as they are.

    Parameters
    ----------
    estimator
        Fitted; encoders are found in pipelines, column transformers, searches, votes, stacks, calibrated classifiers.
    names
        Of its columns.
    """
    found: dict[str, str] = {}
    for name, kind in _told(estimator, tuple(names)):
        if found.setdefault(name, kind) != kind:
            found[name] = "any"
    return {name: kind for name, kind in found.items() if kind != "any"}


def encoded_positions(estimator: object, number: int | None) -> dict[int, str]:
    """Return the types by position, for an estimator that was fitted on an array of so many columns."""
    places = [str(place) for place in range(number or 0)]
    return {int(place): kind for place, kind in encoded_types(estimator, places).items()}


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


def _told(part: Any, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:  # noqa: ANN401  # any estimator
    """Yield a column and its type for each encoder that tells it."""
    if hasattr(part, "transformers_"):
        yield from _of_column_transformer(part, names)
    elif isinstance(steps := getattr(part, "steps", None), list):
        yield from _of_steps([step for _, step in steps], names)
    elif isinstance(union := getattr(part, "transformer_list", None), list):
        for _, transformer in union:
            yield from _told(transformer, names)
    elif _is_list_of(getattr(part, "categories_", None), len(names)):
        for name, values in zip(names, part.categories_, strict=True):
            kind = _type_of(values)
            if kind is not None:
                yield name, kind
    else:
        for inner in _inner(part, len(names)):
            yield from _told(inner, names)


def _of_column_transformer(part: Any, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    for _, transformer, columns in part.transformers_:
        if not isinstance(transformer, str):
            chosen = _chosen(columns, names)
            if chosen is not None:
                yield from _told(transformer, chosen)


def _chosen(columns: Any, names: tuple[str, ...]) -> tuple[str, ...] | None:  # noqa: ANN401  # what scikit-learn takes
    """Return the names of a column transformer's choice of columns; None where it cannot be told."""
    if isinstance(columns, slice):
        if any(isinstance(end, str) for end in (columns.start, columns.stop)):
            return None
        return names[columns]
    items = list(np.atleast_1d(np.asarray(columns, dtype=object)))
    if items and all(isinstance(item, (bool, np.bool_)) for item in items):
        return tuple(name for name, is_chosen in zip(names, items, strict=False) if is_chosen)
    if all(isinstance(item, str) for item in items):
        return tuple(items)
    if all(isinstance(item, (int, np.integer)) and -len(names) <= item < len(names) for item in items):
        return tuple(names[item] for item in items)
    return None


def _of_steps(steps: Sequence[Any], names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield what the steps tell, up to the first that may change a column or leave one out."""
    for step in steps:
        if step is None or isinstance(step, str):
            continue
        yield from _told(step, names)
        if not _keeps(step, names):
            return


def _keeps(step: Any, names: tuple[str, ...]) -> bool:  # noqa: ANN401  # any transformer
    if type(step).__name__ not in _KEEPING or getattr(step, "func", None) is not None:
        return False
    statistics = getattr(step, "statistics_", None)
    if statistics is None:
        return True
    # A column without a value is left out, and an indicator of gaps is put in.
    is_whole = len(statistics) == len(names) and not any(value != value for value in statistics)
    return is_whole and not getattr(step, "add_indicator", False)


def _inner(part: Any, width: int) -> Iterator[Any]:  # noqa: ANN401  # any estimator
    """Yield the estimators that one hands its columns on to, as they are."""
    if hasattr(part, "estimators_features_"):
        return
    held = [getattr(part, name, None) for name in _WRAPPED]
    for name in _SEVERAL:
        held += _flat(getattr(part, name, None))
    for inner in held:
        wrapped = getattr(inner, "estimator", inner) if type(inner).__name__ == "_CalibratedClassifier" else inner
        if wrapped is not None and not isinstance(wrapped, str) and _width(wrapped) == width:
            yield wrapped


def _flat(several: object) -> list[Any]:
    """Return the estimators of a list, an array, or a list of them; a pipeline is none, although it has a length."""
    if isinstance(several, (list, tuple, np.ndarray)):
        return [inner for each in several for inner in _flat(each)]
    return [several]


def _width(part: object) -> int | None:
    try:
        found = getattr(part, "n_features_in_", None)
    except Exception:  # noqa: BLE001  # a property of somebody's own estimator, which may fail in any way
        return None
    return int(found) if isinstance(found, (int, np.integer)) else None


def _is_list_of(categories: object, width: int) -> bool:
    return isinstance(categories, list) and len(categories) == width


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
