"""A model's input columns: taken from a sample, compared with a dataset, enforced on every mini-batch.

What must not be relaxed: columns are matched by name, never by position, wherever the model has names; a cast never
loses a digit; and a value that does not fit is reported with its file, column and row.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import SignatureMismatchError
from airflow_batch_inference.records import ColumnSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ANY = "any"
_SHOWN = 5
_EXACT_INTEGERS = 2.0**53


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


def is_number(kind: pa.DataType) -> bool:
    """Say whether a column of this Arrow type holds numbers (booleans count as 0 and 1)."""
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    )


def is_text(kind: pa.DataType) -> bool:
    """Say whether a column of this Arrow type holds strings."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def refine_inputs(inputs: tuple[ColumnSpec, ...] | None, sample: pa.Schema | None) -> tuple[ColumnSpec, ...] | None:
    """Fill in types that the model does not know (``any``) from a sample's schema, where it has the column."""
    if inputs is None or sample is None:
        return inputs
    known = {field.name: str(field.type) for field in sample}
    return tuple(
        ColumnSpec(name=spec.name, type=known.get(spec.name, ANY)) if spec.type == ANY else spec for spec in inputs
    )


def plan_inputs(
    schema: pa.Schema,
    *,
    inputs: tuple[ColumnSpec, ...] | None,
    n_features: int | None,
    where: str,
    parses_text: bool = False,
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

    Raises
    ------
    SignatureMismatchError
        A missing column, a type that no lossless cast can mend, or a wrong number of columns.
    """
    if inputs is None:
        return _plan_by_position(schema, n_features, where)
    chosen = _match_names([spec.name for spec in inputs], schema.names, where)
    types = tuple(
        _target_type(schema.field(column), spec, where, parses_text=parses_text)
        for column, spec in zip(chosen, inputs, strict=True)
    )
    used = set(chosen)
    return InputPlan(
        columns=tuple(chosen),
        names=tuple(spec.name for spec in inputs),
        types=types,
        ignored=tuple(name for name in schema.names if name not in used),
    )


def _plan_by_position(schema: pa.Schema, n_features: int | None, where: str) -> InputPlan:
    if n_features is not None and len(schema.names) != n_features:
        message = (
            f"The model has no column names and takes {n_features} columns by position, but {where} has "
            f"{len(schema.names)}: {_listed(schema.names)}. Leave out the others with drop_columns."
        )
        raise SignatureMismatchError(message)
    names = tuple(schema.names)
    return InputPlan(columns=names, names=names, types=(None,) * len(names), ignored=())


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
        raise SignatureMismatchError(_missing_message(missing, there, where))
    return chosen


def _missing_message(missing: Sequence[str], there: Sequence[str], where: str) -> str:
    by_folded = {name.casefold(): name for name in there}
    hints = []
    for name in missing[:_SHOWN]:
        close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
        hints.append(f"{name!r} (did you mean {by_folded[close[0]]!r}?)" if close else repr(name))
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return (
        f"{where} lacks {len(missing)} column(s) that the model needs: {', '.join(hints)}{more}. "
        f"Its columns: {_listed(there)}. Rename them in the dataset, or retrain the model on these names."
    )


def _listed(names: Sequence[str], most: int = 30) -> str:
    more = f", … ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _target_type(field: pa.Field, spec: ColumnSpec, where: str, *, parses_text: bool) -> pa.DataType | None:
    if spec.type == ANY:
        return None
    target = pa.type_for_alias(spec.type) if spec.type in _ALIASES else None
    if target is None:
        return None
    if is_number(target) and is_number(field.type):
        keeps_integers = pa.types.is_integer(target) and pa.types.is_integer(field.type)
        return pa.int64() if keeps_integers else _floating(target)
    if is_text(target) and is_text(field.type):
        return pa.string()
    if parses_text and is_number(target) and is_text(field.type):
        exact = pa.types.is_boolean(target) or pa.types.is_floating(target)
        return target if exact else pa.int64()
    if target == field.type:
        return None
    message = (
        f"Column {field.name!r} of {where} holds {field.type}, but the model takes {spec.type}. "
        "No cast between them is safe: convert the column where the dataset is made."
    )
    raise SignatureMismatchError(message)


_ALIASES = frozenset(
    {
        *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("halffloat", "float", "double", "string", "large_string"),
    }
)


def _floating(target: pa.DataType) -> pa.DataType:
    return target if pa.types.is_floating(target) else pa.float64()


def cast_inputs(table: pa.Table, plan: InputPlan) -> pa.Table:
    """Return the model's inputs: the plan's columns under the model's names, cast without loss.

    Raises
    ------
    LossyCastError
        A value does not fit; it says which column and row of ``table``.
    """
    arrays = [cast(table.column(column), kind, column) for column, kind in zip(plan.columns, plan.types, strict=True)]
    return pa.Table.from_arrays(arrays, names=list(plan.names))


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
    if pa.types.is_decimal(values.type):
        return values.cast(kind, safe=False)  # a decimal fraction has no exact double; the nearest one is meant
    try:
        return _parsed(values, kind) if is_text(values.type) and is_number(kind) else values.cast(kind)
    except pa.ArrowInvalid:
        row = _first_lossy_row(values, kind)
        raise LossyCastError(column, row, str(values[row].as_py()), kind) from None


def loses_digits(text: pa.Array | pa.ChunkedArray) -> bool:
    """Say whether a string is an integer that a double would change, such as a long identifier."""
    long = text.filter(pc.fill_null(pc.match_substring_regex(text, r"^[+-]?\d{16,}$"), fill_value=False))
    return any(int(value) != int(float(value)) for value in long.to_pylist())


def large_numbers(batch: pa.RecordBatch | pa.Table) -> list[str]:
    """Name the double columns with values so large that an integer among them may have lost digits."""
    return [
        field.name
        for field in batch.schema
        if pa.types.is_float64(field.type)
        and pc.any(pc.greater_equal(pc.abs(batch.column(field.name)), _EXACT_INTEGERS)).as_py()
    ]


def _parsed(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Read text as numbers, as the CSV reader does: blanks around them, and integers written as 3.0.

    Raises
    ------
    pyarrow.ArrowInvalid
        A value is no number, or an integer that a float would change.
    """
    text = pc.utf8_trim_whitespace(values.cast(pa.string()))
    if pa.types.is_integer(kind):
        whole = pc.replace_substring_regex(text, r"^([+-]?\d+)\.0*$", r"\1")
        return pc.replace_substring_regex(whole, r"^\+", "").cast(kind)
    if pa.types.is_floating(kind) and loses_digits(text):
        message = "an integer has more digits than a float holds"
        raise pa.ArrowInvalid(message)
    return text.cast(kind)


def _parses(value: pa.ChunkedArray, kind: pa.DataType) -> bool:
    try:
        _parsed(value, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _first_lossy_row(values: pa.ChunkedArray, kind: pa.DataType) -> int:
    if is_text(values.type):
        return next(row for row in range(len(values)) if not _parses(values.slice(row, 1), kind))
    there_and_back = values.cast(kind, safe=False).cast(values.type, safe=False)
    changed = pc.fill_null(pc.not_equal(there_and_back, values), fill_value=False)
    found: int = pc.index(changed, value=True).as_py()
    return max(0, found)
