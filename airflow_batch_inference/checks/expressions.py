"""Boolean expressions over columns, such as ``out.risk > 0.9 and in.age < 18``: parsed, never run as code.

A small language of its own (:mod:`~airflow_batch_inference.checks.expression_grammar`), compiled to Arrow's compute
functions.

Invariants: an expression reaches columns and nothing else; each row's answer depends on that row alone; a null (NaN is
one) makes a comparison null, and null is never true (:mod:`~airflow_batch_inference.checks.expression_values`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lark import Transformer, v_args
from lark.exceptions import UnexpectedInput, VisitError

from airflow_batch_inference.checks.expression_grammar import parser, unreadable
from airflow_batch_inference.checks.expression_values import alike, calculated, element, extreme, known
from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean
from airflow_batch_inference.schema.column_types import is_list, is_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from lark import Token
    from lark.tree import Meta

    from airflow_batch_inference.checks.expression_values import Values

MOST_CHARACTERS = 1_000
_LARGEST = 2**63 - 1
_COMPARE = {
    ">=": pc.greater_equal,
    "<=": pc.less_equal,
    "==": pc.equal,
    "!=": pc.not_equal,
    ">": pc.greater,
    "<": pc.less,
}
_COMPARED = "Compare numbers with numbers, and text with text in quotes."
Columns: TypeAlias = "Mapping[str, pa.Array | pa.ChunkedArray]"


@dataclass(frozen=True, slots=True)
class _Node:
    """A part of an expression: its text, the columns that it names, and what gives its values."""

    text: str
    names: tuple[str, ...]
    value: Callable[[Columns], Values]
    literal: int | float | None = None


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression.

    Attributes
    ----------
    text
        As it was written.
    names
        The columns that it reads, each once.
    """

    text: str
    names: tuple[str, ...]
    _value: Callable[[Columns], Values]

    def require_columns(self, known: Collection[str]) -> None:
        """Refuse names that no column has.

        Raises
        ------
        ConfigurationError
            Names the first one, with a guess.
        """
        for name in self.names:
            if name not in known:
                shown = ", ".join(known)
                message = (
                    f"The expression {self.text!r} names {name!r}, which is no column{did_you_mean(name, known)}. "
                    f"There are: {shown}. Odd names stand in backticks: in.`petal length`."
                )
                raise ConfigurationError(message)

    def holds(self, columns: Columns, rows: int) -> np.ndarray:
        """Say of each row whether the expression is true; null is not.

        Parameters
        ----------
        columns
            Name to values, at least those of :attr:`names`.
        rows
            How many rows they have.

        Returns
        -------
        numpy.ndarray
            Shape (rows,), bool.

        Raises
        ------
        ConfigurationError
            A column is missing or of a type that the expression cannot use, or the result is not true or false.

        Examples
        --------
        >>> parse_expression("a > 1 or b is null").holds({"a": pa.array([2, 0, None]), "b": pa.array([1, 1, 1])}, 3)
        array([ True, False, False])
        """
        self.require_columns(columns)
        found = self._value(columns)
        if not pa.types.is_boolean(found.type):
            message = f"The expression {self.text!r} gives {found.type}; it must be true or false, as 'a > 1' is."
            raise ConfigurationError(message)
        if isinstance(found, pa.Scalar):
            return np.full(rows, bool(found.as_py()))
        held: np.ndarray = pc.fill_null(found, fill_value=False).to_numpy(zero_copy_only=False)
        return held


@functools.lru_cache(maxsize=256)
def parse_expression(text: str) -> Expression:
    """Read an expression.

    Raises
    ------
    ConfigurationError
        It cannot be read: shows the place, and what was expected there.

    Examples
    --------
    >>> parse_expression("out.dense_1[0] >= 0.5 and in.`petal length` is not null").names
    ('out.dense_1', 'in.petal length')
    """
    if not isinstance(text, str) or not text.strip():
        message = f'An expression is {text!r}; write one such as "out.predicted_label > 0.9".'
        raise ConfigurationError(message)
    if len(text) > MOST_CHARACTERS:
        message = f"An expression has {len(text)} characters; the limit is {MOST_CHARACTERS}. Make several of it."
        raise ConfigurationError(message)
    try:
        node = _Compiler(text).transform(parser().parse(text))
    except UnexpectedInput as error:
        raise ConfigurationError(unreadable(text, error)) from None
    except RecursionError:
        message = f"The expression {text[:60]!r}… has too many brackets or signs inside each other. Write it flatter."
        raise ConfigurationError(message) from None
    except VisitError as error:
        raise error.orig_exc from None
    return Expression(text, tuple(dict.fromkeys(node.names)), node.value)


@v_args(meta=True)
class _Compiler(Transformer):  # type: ignore[type-arg]  # lark is generic in what is left when it is done
    """Turns the parse tree into functions of the columns."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def _node(self, meta: Meta, parts: Sequence[_Node], value: Callable[[Columns], Values]) -> _Node:
        names = tuple(name for part in parts for name in part.names)
        return _Node(self._text[meta.start_pos : meta.end_pos], names, value)

    def either(self, meta: Meta, parts: list[_Node]) -> _Node:
        return self._node(meta, parts, lambda columns: _folded(pc.or_kleene, parts, columns))

    def both(self, meta: Meta, parts: list[_Node]) -> _Node:
        return self._node(meta, parts, lambda columns: _folded(pc.and_kleene, parts, columns))

    def invert(self, meta: Meta, parts: list[_Node]) -> _Node:
        return self._node(meta, parts, lambda columns: pc.invert(_boolean(parts[0], columns)))

    def compare(self, meta: Meta, parts: list[Any]) -> _Node:
        left, sign, right = parts
        return self._node(meta, [left, right], lambda columns: _compared(left, str(sign), right, columns))

    def is_null(self, meta: Meta, parts: list[_Node]) -> _Node:
        return self._node(meta, parts, lambda columns: pc.is_null(parts[0].value(columns)))

    def is_not_null(self, meta: Meta, parts: list[_Node]) -> _Node:
        return self._node(meta, parts, lambda columns: pc.is_valid(parts[0].value(columns)))

    def is_in(self, meta: Meta, parts: list[_Node]) -> _Node:
        return self._node(meta, parts, lambda columns: _among(parts[0], parts[1:], columns))

    def is_not_in(self, meta: Meta, parts: list[_Node]) -> _Node:
        return self._node(meta, parts, lambda columns: pc.invert(_among(parts[0], parts[1:], columns)))

    def total(self, meta: Meta, parts: list[Any]) -> _Node:
        return self._node(meta, parts[::2], lambda columns: _chained(parts, columns))

    product = total

    def sign(self, meta: Meta, parts: list[Any]) -> _Node:
        sign, of = parts
        if of.literal is not None:
            return self._literal(meta, -of.literal if sign == "-" else of.literal)
        zero = _Node("0", (), lambda _: pa.scalar(0))
        return self._node(meta, [of], lambda columns: _chained([zero, sign, of], columns))

    def element(self, meta: Meta, parts: list[Any]) -> _Node:
        of, number = parts
        if not str(number).isdecimal():
            message = f"The expression {self._text!r} has the place [{number}]; it must be a whole number from 0."
            raise ConfigurationError(message)
        return self._node(meta, [of], lambda columns: element(_listed(of, columns, f"[{number}]"), int(number)))

    def call(self, meta: Meta, parts: list[Any]) -> _Node:
        name, argument = str(parts[0]), parts[1]
        if name not in _FUNCTIONS:
            message = (
                f"The expression {self._text!r} calls {name}(){did_you_mean(name, _FUNCTIONS)}; the functions are "
                f"{', '.join(_FUNCTIONS)}."
            )
            raise ConfigurationError(message)
        return self._node(meta, [argument], lambda columns: _FUNCTIONS[name](argument, columns))

    def column(self, meta: Meta, parts: list[Token]) -> _Node:  # noqa: ARG002  # lark calls all alike
        if parts[0].lower() == "null":
            message = f"The expression {self._text!r} compares with null, which is never true. Write 'is null'."
            raise ConfigurationError(message)
        name = str(parts[0]).replace("`", "")
        return _Node(str(parts[0]), (name,), lambda columns: known(columns[name]))

    def number(self, meta: Meta, parts: list[Token]) -> _Node:
        text = str(parts[0])
        return self._literal(meta, int(text) if text.isdecimal() else float(text))

    def _literal(self, meta: Meta, number: float) -> _Node:
        value = pa.scalar(number if isinstance(number, int) and abs(number) <= _LARGEST else float(number))
        return _Node(self._text[meta.start_pos : meta.end_pos], (), lambda _: value, number)

    def text(self, meta: Meta, parts: list[Token]) -> _Node:
        value = pa.scalar(str(parts[0])[1:-1])
        return self._node(meta, [], lambda _: value)

    def true(self, meta: Meta, parts: list[Token]) -> _Node:  # noqa: ARG002  # lark calls all alike
        return self._node(meta, [], lambda _: pa.scalar(True))

    def false(self, meta: Meta, parts: list[Token]) -> _Node:  # noqa: ARG002  # lark calls all alike
        return self._node(meta, [], lambda _: pa.scalar(False))


def _folded(join: Callable[[Any, Any], Any], parts: Sequence[_Node], columns: Columns) -> Values:
    return functools.reduce(join, (_boolean(part, columns) for part in parts))


def _boolean(part: _Node, columns: Columns) -> Values:
    found = part.value(columns)
    if pa.types.is_null(found.type):
        return found.cast(pa.bool_())
    if not pa.types.is_boolean(found.type):
        message = f"{part.text!r} in an expression gives {found.type}, where true or false is needed. Compare it."
        raise ConfigurationError(message)
    return found


def _compared(left: _Node, sign: str, right: _Node, columns: Columns) -> Values:
    first, second = alike(left.value(columns), right.value(columns))
    try:
        return _COMPARE[sign](first, second)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        message = (
            f"'{left.text} {sign} {right.text}' compares {first.type} with {second.type}. "
            f"{_of_a_list(left, first) or _of_a_list(right, second) or _COMPARED}"
        )
        raise ConfigurationError(message) from None


def _of_a_list(part: _Node, found: Values) -> str | None:
    """Say how the values of a list are named, where it is one."""
    if not is_list(found.type):
        return None
    return f"A row has a list there: write {part.text}[0] for its first value, or max({part.text}), min({part.text})."


def _among(value: _Node, entries: Sequence[_Node], columns: Columns) -> Values:
    return functools.reduce(pc.or_kleene, (_compared(value, "==", entry, columns) for entry in entries))


def _chained(parts: Sequence[Any], columns: Columns) -> Values:
    """Calculate from left to right: value, sign, value and so on."""
    found = _number(parts[0], columns)
    for sign, part in zip(parts[1::2], parts[2::2], strict=True):
        found = calculated(found, str(sign), _number(part, columns))
    return found


def _number(part: _Node, columns: Columns) -> Values:
    found = part.value(columns)
    if pa.types.is_null(found.type):
        return found.cast(pa.float64())
    if not pa.types.is_int64(found.type) and not pa.types.is_float64(found.type):
        advice = _of_a_list(part, found)
        message = (
            f"{part.text!r} in an expression is {found.type}, which cannot be calculated with."
            f"{f' {advice}' if advice else ''}"
        )
        raise ConfigurationError(message)
    return found


def _listed(part: _Node, columns: Columns, what: str) -> Values:
    found = part.value(columns)
    if not is_list(found.type):
        message = f"{part.text!r} in an expression is {found.type}; {what} needs a list."
        raise ConfigurationError(message)
    return found


def _length(part: _Node, columns: Columns) -> Values:
    found = part.value(columns)
    if is_text(found.type) and not pa.types.is_null(found.type):
        return pc.utf8_length(found).cast(pa.int64())
    return pc.list_value_length(_listed(part, columns, "length()")).cast(pa.int64())


_FUNCTIONS: dict[str, Callable[[_Node, Columns], Values]] = {
    "abs": lambda part, columns: pc.abs(_number(part, columns).cast(pa.float64(), safe=False)),
    "length": _length,
    "min": lambda part, columns: extreme(_listed(part, columns, "min()"), "min"),
    "max": lambda part, columns: extreme(_listed(part, columns, "max()"), "max"),
}
