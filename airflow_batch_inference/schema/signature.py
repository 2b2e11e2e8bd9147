"""A model's input columns: taken from a sample, compared with a dataset, enforced on every mini-batch.

What must not be relaxed: columns are matched by name, never by position, wherever the model has names; a cast never
loses a digit; and a value that does not fit is reported with its file, column and row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError, SignatureMismatchError, did_you_mean
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.schema.casting import EXACT_INTEGERS, converted, unfit
from airflow_batch_inference.schema.casting import loses_digits as loses_digits  # readers of text ask it too
from airflow_batch_inference.schema.column_types import (
    ANY,
    INTEGERS,
    NAMED,
    arrow_type,
    is_list,
    is_nested,
    plain_type,
    target_type,
)
from airflow_batch_inference.schema.column_types import is_number as is_number  # part of what is known of a signature
from airflow_batch_inference.schema.column_types import is_text as is_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

_SHOWN = 5
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


def plain_name(name: str) -> str:
    """Return a column's name as LightGBM writes it: blanks are underscores.

    Examples
    --------
    >>> plain_name("petal length (cm)")
    'petal_length_(cm)'
    """
    return re.sub(r"\s", "_", name)


def known_names(known: Iterable[str]) -> Callable[[str], str]:
    """Return what finds a column's name among known ones, also with blanks for underscores; else the name itself.

    Examples
    --------
    >>> as_known = known_names(["petal length"])
    >>> as_known("petal_length"), as_known("other")
    ('petal length', 'other')
    """
    exact = set(known)
    plain = {plain_name(name): name for name in exact}
    return lambda name: name if name in exact else plain.get(plain_name(name), name)


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


def require_known(argument: str, name: str, known: Collection[str], what: str) -> str:
    """Return a name as it is known, also where it has blanks for underscores.

    Raises
    ------
    ConfigurationError
        It is not known; the message has a guess.
    """
    found = known_names(known)(name)
    if found in known:
        return found
    there = _listed([*known])
    message = f"{argument} names {name!r}, which is not {what}{did_you_mean(name, known)}. There are: {there}."
    raise ConfigurationError(message)


def plan_inputs(
    schema: pa.Schema,
    *,
    inputs: tuple[ColumnSpec, ...] | None,
    n_features: int | None,
    where: str,
    parses_text: bool = False,
    mended: Collection[str] = (),
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
    mended
        Inputs whose values are mended or set aside row by row: their text is taken so in any case.
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
    chosen = _match_names([spec.name for spec in inputs], schema.names, where)
    types = tuple(
        _target_type(
            schema.field(column),
            spec,
            where,
            parses_text=parses_text or spec.name in mended,
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
        f"The model's only input is {tensor.name!r}, but {where} has {_listed(there)}{near}. Rename the column to "
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
            f"{len(schema.names)}: {_listed(schema.names)}. Say which they are (signature= of LoadModelOperator, or "
            "load_options feature_names for networks), or leave out the others with drop_columns."
        )
        raise SignatureMismatchError(message)
    names = tuple(schema.names)
    types = tuple(_type_unknown(field, where, takes_lists=takes_lists) for field in schema)
    return InputPlan(columns=names, names=names, types=types, ignored=ignored)


def _match_names(wanted: Sequence[str], there: Sequence[str], where: str) -> list[str]:
    """Find each wanted column; LightGBM writes blanks in names as underscores, so those match too."""
    exact = set(there)
    underscored: dict[str, list[str]] = {}
    for name in there:
        underscored.setdefault(plain_name(name), []).append(name)
    chosen = []
    missing = []
    for name in wanted:
        candidates = underscored.get(name, [])
        if name in exact:
            chosen.append(name)
        elif len(candidates) == 1:
            chosen.append(candidates[0])
        else:
            missing.append(name)
    if missing:
        taken = set(chosen)
        unused = [name for name in there if name not in taken]
        raise SignatureMismatchError(_missing_message(missing, there, unused, where))
    return chosen


def _missing_message(missing: Sequence[str], there: Sequence[str], unused: Sequence[str], where: str) -> str:
    hints = [f"{name!r}{did_you_mean(name, unused)}" for name in missing[:_SHOWN]]
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return (
        f"{where} lacks {len(missing)} column(s) that the model needs: {', '.join(hints)}{more}. "
        f"Its columns: {_listed(there)}. Rename them in the dataset, or retrain the model on these names."
    )


def _listed(names: Sequence[str], most: int = 30) -> str:
    more = f", … ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more


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


def cast_inputs(table: pa.Table, plan: InputPlan) -> pa.Table:
    """Return the model's inputs: the plan's columns under the model's names, cast without loss.

    Raises
    ------
    LossyCastError
        A value does not fit; it says which column and row of ``table``.
    """
    arrays = [cast(table.column(column), kind, column) for column, kind in zip(plan.columns, plan.types, strict=True)]
    fields = [
        pa.field(name, values.type, metadata=INTEGERS if name in plan.integers else None)
        for name, values in zip(plan.names, arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=NAMED if plan.by_name else None))


class LossyCastError(ValueError):
    """A value that a cast would change; translated to a :class:`SignatureMismatchError` once its file is known."""

    def __init__(self, column: str, row: int, value: str, kind: pa.DataType) -> None:
        super().__init__(column, row, value, kind)
        self.column = column
        self.row = row
        self.value = value
        self.kind = kind


def cast(values: pa.ChunkedArray, kind: pa.DataType | None, column: str) -> pa.ChunkedArray:
    """Cast a column without loss; None leaves it as it is.

    Raises
    ------
    LossyCastError
        A value does not fit.
    """
    if kind is None or values.type == kind:
        return values
    try:
        return converted(values, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        row = int(unfit(values, kind).argmax())
        raise LossyCastError(column, row, str(values[row].as_py()), kind) from None


def large_numbers(batch: pa.RecordBatch | pa.Table) -> list[str]:
    """Name the columns with doubles, at any level, so large that an integer among them may have lost digits."""
    return [
        name
        for name, values in zip(batch.schema.names, batch.columns, strict=True)
        if any(pc.any(pc.greater_equal(pc.abs(each), EXACT_INTEGERS)).as_py() for each in _doubles(values))
    ]


def _doubles(values: pa.Array | pa.ChunkedArray) -> list[pa.Array | pa.ChunkedArray]:
    if is_list(values.type):
        return _doubles(pc.list_flatten(values))
    if pa.types.is_struct(values.type):
        return [found for each in values.flatten() for found in _doubles(each)]
    return [values] if pa.types.is_float64(values.type) else []
