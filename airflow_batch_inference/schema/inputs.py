"""How a dataset's columns become a model's inputs: matched by name or by place, with a type to cast to.

Invariants: columns are matched by name, never by position, wherever the model has names; and no plan has a cast that
could lose a digit unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.exceptions import SignatureMismatchError, did_you_mean
from airflow_batch_inference.schema.column_types import (
    ANY,
    arrow_type,
    is_list,
    is_nested,
    plain_type,
    target_type,
)
from airflow_batch_inference.schema.names import known_names, listed, match_names

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_batch_inference.records import ColumnSpec

_TENSOR = "tensor"
"""What a column of tensors may be called in any case: the only input of a network is called so elsewhere."""


@dataclass(frozen=True, slots=True)
class OnlyTensor:
    """The only input of a network, whose columns have no names of their own.

    Attributes
    ----------
    name
        As the network calls it.
    is_chosen
        Whether somebody chose the name; a framework numbers the others.
    """

    name: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlan:
    """How a dataset's columns become a model's inputs.

    ``columns[i]`` of the dataset is cast to ``types[i]`` (None: left as it is) and handed over as ``names[i]``.
    """

    columns: tuple[str, ...]
    names: tuple[str, ...]
    types: tuple[pa.DataType | None, ...]
    ignored: tuple[str, ...]
    """Dataset columns that the model does not use."""
    integers: frozenset[str] = frozenset()
    """Inputs that are integers for the model, and arrive as doubles: pandas makes them of a column with a null."""
    by_name: bool = False
    """Whether the columns were chosen by name, and not by their places."""


def plan_inputs(
    schema: pa.Schema,
    *,
    inputs: tuple[ColumnSpec, ...] | None,
    n_features: int | None,
    where: str,
    parses_text: bool = False,
    coerced: Collection[str] = (),
    takes_lists: bool = True,
    tensor: OnlyTensor | None = None,
) -> InputPlan:
    """Match a dataset's columns to a model's inputs.

    Parameters
    ----------
    schema
        The dataset's columns, in order.
    inputs
        The model's inputs by name; None where the model has no names: then all columns are taken by position.
    n_features
        How many inputs a model without names takes, where it knows.
    where
        The dataset, for messages.
    parses_text
        Whether text is taken for the number that it stands for; a value that stands for none fails in its row.
    coerced
        Inputs whose values are coerced or set aside row by row: their text is taken so in any case.
    takes_lists
        Whether inputs of unknown types may be lists, structs or maps.
    tensor
        The only input of a network that has no names: a column of that name is taken, whatever else is there.

    Raises
    ------
    SignatureMismatchError
        A missing column, a type that no lossless cast can mend, or a wrong number of columns.
    """
    if inputs is None:
        named = None if tensor is None else _named_tensor(schema, tensor, n_features, where)
        ignored = () if named is None else tuple(name for name in schema.names if name != named)
        schema = schema if named is None else pa.schema([schema.field(named)])
        return _plan_by_position(schema, n_features, where, takes_lists=takes_lists, ignored=ignored)
    chosen = match_names([spec.name for spec in inputs], schema.names, where)
    types = tuple(
        _target_type(
            schema.field(column),
            spec,
            where,
            parses_text=parses_text or spec.name in coerced,
            takes_lists=takes_lists,
        )
        for column, spec in zip(chosen, inputs, strict=True)
    )
    used = set(chosen)
    return InputPlan(
        columns=tuple(chosen),
        names=tuple(spec.name for spec in inputs),
        types=types,
        ignored=tuple(name for name in schema.names if name not in used),
        by_name=True,
        integers=frozenset(
            spec.name
            for spec, kind in zip(inputs, types, strict=True)
            if kind is not None and pa.types.is_floating(kind) and _is_integer(spec)
        ),
    )


def _is_integer(spec: ColumnSpec) -> bool:
    kind = arrow_type(spec.type)
    return kind is not None and pa.types.is_integer(kind)


def _named_tensor(schema: pa.Schema, tensor: OnlyTensor, n_features: int | None, where: str) -> str | None:
    """Return the column that is a network's only input by its name; None: all columns are, in their order.

    Raises
    ------
    SignatureMismatchError
        A column of lists, or the only column, has another name than the input.
    """
    there = schema.names
    as_known = known_names(there)
    for name in (as_known(tensor.name), _TENSOR):
        if name in there and (is_list(schema.field(name).type) or n_features == 1 or len(there) == 1):
            return name
    lists = [field.name for field in schema if is_list(field.type)]
    near = did_you_mean((lists or there)[0], [tensor.name, _TENSOR]) if there else ""
    if not (near and len(there) == 1) and not (lists and (tensor.is_chosen or len(there) > 1)):
        return None
    names = " or ".join(map(repr, dict.fromkeys([tensor.name, _TENSOR])))
    message = (
        f"The model's only input is {tensor.name!r}, but {where} has {listed(there)}{near}. Rename the column to "
        f'{names}, or say which one it is: load_options={{"feature_names": [{(lists or there)[0]!r}]}}.'
    )
    raise SignatureMismatchError(message)


def _plan_by_position(
    schema: pa.Schema, n_features: int | None, where: str, *, takes_lists: bool, ignored: tuple[str, ...]
) -> InputPlan:
    # One column of lists is a tensor: a network itself says whether it has the shape.
    is_tensor = takes_lists and len(schema.names) == 1 and is_list(schema.types[0])
    if n_features is not None and len(schema.names) != n_features and not is_tensor:
        message = (
            f"The model has no column names and takes {n_features} columns by position, but {where} has "
            f"{len(schema.names)}: {listed(schema.names)}. Say which they are (signature= of LoadModelOperator, or "
            "load_options feature_names for networks), or leave out the others with drop_columns."
        )
        raise SignatureMismatchError(message)
    names = tuple(schema.names)
    types = tuple(_type_unknown(field, where, takes_lists=takes_lists) for field in schema)
    return InputPlan(columns=names, names=names, types=types, ignored=ignored)


def _type_unknown(field: pa.Field, where: str, *, takes_lists: bool) -> pa.DataType | None:
    """Return what a column is cast to where the model does not say what it takes."""
    if is_nested(field.type) and not takes_lists:
        message = (
            f"Column {field.name!r} of {where} holds {field.type}, but the model takes one value a row and column. "
            "Write its values as columns of their own; or, if the model does take it, say so with LoadModelOperator's "
            f"signature={{{field.name!r}: {str(field.type)!r}}}."
        )
        raise SignatureMismatchError(message)
    return plain_type(field.type)


def _target_type(
    field: pa.Field, spec: ColumnSpec, where: str, *, parses_text: bool, takes_lists: bool
) -> pa.DataType | None:
    wanted = None if spec.type in (ANY, "null") else arrow_type(spec.type)  # a sample of nulls tells no type
    if wanted is None:
        return _type_unknown(field, where, takes_lists=takes_lists or spec.type == str(field.type))
    found = target_type(field.type, wanted, parses_text=parses_text)
    if found is not None:
        return found
    message = (
        f"Column {field.name!r} of {where} holds {field.type}, but the model takes {spec.type}. "
        f"No cast between them is safe: {_advice(field.type, wanted)}"
    )
    raise SignatureMismatchError(message)


def _advice(there: pa.DataType, wanted: pa.DataType) -> str:
    if pa.types.is_timestamp(there) and pa.types.is_timestamp(wanted):
        return "nobody can tell the zone of a time without one. State the zone where the dataset is made."
    if is_nested(there) and not is_nested(wanted):
        return "write its values as columns of their own."
    return "convert the column where the dataset is made."
