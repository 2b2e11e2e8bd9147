"""A model's input columns as the model, a sample and the DAG's author know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.schema.column_types import (
    ANY,
    arrow_type,
    is_nested,
)
from airflow_batch_inference.schema.names import require_known

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa


def refine_inputs(inputs: tuple[ColumnSpec, ...] | None, sample: pa.Schema | None) -> tuple[ColumnSpec, ...] | None:
    """Fill in types that the model does not know (``any``) from a sample's schema, where it has the column.

    That a column holds lists does not say that the model takes them.
    """
    if inputs is None or sample is None:
        return inputs
    known = {field.name: str(field.type) for field in sample if not is_nested(field.type)}
    return tuple(
        ColumnSpec(name=spec.name, type=known.get(spec.name, ANY)) if spec.type == ANY else spec for spec in inputs
    )


def stated_inputs(
    inputs: tuple[ColumnSpec, ...] | None, stated: Mapping[str, str], *, n_features: int | None
) -> tuple[ColumnSpec, ...] | None:
    """Put types that a user states in the place of those that the model knows.

    Parameters
    ----------
    inputs
        The model's inputs by name; None where it has no names: then ``stated`` names all of them, in its order.
    stated
        Column to the name of an Arrow type.
    n_features
        How many inputs a model without names takes, where it knows.

    Raises
    ------
    ConfigurationError
        A column that the model does not take, a type that is not known, or a wrong number of columns.

    Examples
    --------
    >>> stated_inputs((ColumnSpec(name="a", type="any"),), {"a": "int64"}, n_features=1)
    (ColumnSpec(name='a', type='int64'),)
    """
    if not stated:
        return inputs
    types = {name: _stated_type(name, kind) for name, kind in stated.items()}
    if inputs is None:
        if n_features not in (None, len(stated)):
            message = (
                f"signature names {len(stated)} column(s) of a model that has no names and takes {n_features} by "
                "position. Name all of them, in the order of the model's training data."
            )
            raise ConfigurationError(message)
        return tuple(ColumnSpec(name=name, type=kind) for name, kind in types.items())
    known = [spec.name for spec in inputs]
    by_name = {require_known("signature", name, known, "an input of the model"): types[name] for name in types}
    return tuple(ColumnSpec(name=spec.name, type=by_name.get(spec.name, spec.type)) for spec in inputs)


def _stated_type(name: str, kind: str) -> str:
    """Return a type's name as Arrow writes it."""
    found = None if kind == ANY else arrow_type(kind)
    if found is None and kind != ANY:
        message = (
            f"signature gives {name!r} the type {kind!r}, which is no Arrow type that is known here. Give one such as "
            "'int64', 'double', 'string', 'bool', 'timestamp[us, tz=UTC]' or 'list<item: float>'."
        )
        raise ConfigurationError(message)
    return ANY if found is None else str(found)
