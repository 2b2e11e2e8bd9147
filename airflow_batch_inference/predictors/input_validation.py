"""Before a model: values that do not fit their input fail the task, become null, or set their row aside.

Invariants: a value is judged by itself alone, so that the same row meets the same fate in any
mini-batch; ``fail`` wins over whatever may be rejected; and columns without a policy cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError, SignatureMismatchError, did_you_mean
from airflow_batch_inference.predictors.input_contract import Breach, breaches, is_comparable
from airflow_batch_inference.schema.casting import fitted, unfit, without
from airflow_batch_inference.schema.column_types import is_number, is_text
from airflow_batch_inference.schema.columns import replace_columns
from airflow_batch_inference.schema.names import require_known

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import pyarrow as pa

    from airflow_batch_inference.records import ColumnContract
    from airflow_batch_inference.schema.inputs import InputPlan
    from airflow_batch_inference.sources.batches import MiniBatch

Policy = Literal["cast", "fail", "null", "quarantine"]
POLICIES = ("cast", "fail", "null", "quarantine")
OTHERS = "*"
"""Stands for all columns that are not named."""
_SHOWN_CHARACTERS = 200


def require_policy(word: str) -> Policy:
    """Return a policy's word.

    Raises
    ------
    ConfigurationError
        There is no such policy.
    """
    if word not in POLICIES:
        there = ", ".join(map(repr, POLICIES))
        message = f"on_mismatch is {word!r}; it must be one of {there}{did_you_mean(word, POLICIES)}."
        raise ConfigurationError(message)
    return cast("Policy", word)


def policies(on_mismatch: Mapping[str, str], names: Sequence[str], *, is_tolerant: bool) -> dict[str, Policy]:
    """Return the policy of each of a model's inputs.

    Parameters
    ----------
    on_mismatch
        Input to word; ``"*"`` for all others, which are cast where it is not there.
    names
        The model's inputs.
    is_tolerant
        Whether any row may be rejected.

    Raises
    ------
    ConfigurationError
        An unknown word or column, or a quarantine that may hold no row.

    Examples
    --------
    >>> policies({"age": "null", "*": "fail"}, ["age", "zip"], is_tolerant=False)
    {'age': 'null', 'zip': 'fail'}
    """
    words = {name: require_policy(word) for name, word in on_mismatch.items()}
    if "quarantine" in words.values() and not is_tolerant:
        message = (
            "on_mismatch is 'quarantine', but no row may be rejected. Say how many may be, with error_threshold "
            "(-1: any number) or max_rejected_fraction."
        )
        raise ConfigurationError(message)
    others: Policy = words.pop(OTHERS, "cast")
    known = {require_known("on_mismatch", name, names, "an input of the model"): word for name, word in words.items()}
    return {name: known.get(name, others) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRule:
    """What is asked of a column's values, and what happens to those that do not fit.

    Attributes
    ----------
    column
        The dataset's.
    kind
        The type that the model takes; None: the column's own.
    policy
        What happens.
    contract
        What the column was like in training, where that is known.
    is_secret
        Whether messages may not show values.
    """

    column: str
    kind: pa.DataType | None
    policy: Policy
    contract: ColumnContract | None
    is_secret: bool = False

    def taken(self, values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, list[Breach]]:
        """Return the values as the model's type, with nulls for those that cannot be, and what is wrong with which."""
        wrong = unfit(values, self.kind)
        typed = fitted(values, self.kind, wrong)
        found = [Breach(wrong, f"it cannot become {self.kind} without a change")] if wrong.any() else []
        if self.contract is not None:
            for breach in breaches(self.contract, self._compared(values, typed)):
                rows = breach.rows & ~wrong
                if rows.any():
                    found.append(replace(breach, rows=rows))
        return typed, found

    def _compared(self, values: pa.ChunkedArray, typed: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the values in the form that the contract speaks of."""
        return values if self.contract and is_comparable(self.contract, values.type) else typed

    def coerce(self, values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
        """Return the values with nulls for those that do not fit, and how many have become null by that."""
        typed, found = self.taken(values)
        wrong = np.zeros(len(values), dtype=bool)
        for breach in found:
            if not breach.is_missing:
                wrong |= breach.rows
        return without(typed, wrong), int(wrong.sum())

    def message(self, batch: MiniBatch, row: int, limit: str, *, with_advice: bool = True) -> str:
        """Say what is wrong with a value, and what an operator can do about it."""
        uri, number = batch.locate(row)
        value = "a value that is not shown" if self.is_secret else _shown(batch.table.column(self.column)[row].as_py())
        fault = f"Column {self.column!r} of {uri}, row {number} (from 0): {self.column} is {value}; {limit}."
        if not with_advice:
            return fault
        return f"{fault} Correct the value, or choose another on_mismatch for this column (it is {self.policy!r})."


def _shown(value: object) -> str:
    if value is None:
        return "null"
    text = repr(value) if isinstance(value, (str, bytes)) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


@dataclass(frozen=True, slots=True)
class InputValidation:
    """The rules of all columns that have one."""

    rules: tuple[ColumnRule, ...]

    def violations(self, batch: MiniBatch, *, with_advice: bool = True) -> Iterator[tuple[int, str]]:
        """Yield the rows that are to be set aside, in order, each with what is wrong with its first such column.

        Rows that could not be read are passed over. ``with_advice``: see :meth:`ColumnRule.message`.

        Raises
        ------
        SignatureMismatchError
            A value does not fit a column whose policy is ``fail``.
        """
        first: dict[int, tuple[ColumnRule, str]] = {}
        readable = batch.readable()
        for rule in self.rules:
            if rule.policy == "null":
                continue
            for breach in rule.taken(batch.table.column(rule.column))[1]:
                rows = np.flatnonzero(breach.rows & readable).tolist()
                if rows and rule.policy == "fail":
                    raise SignatureMismatchError(rule.message(batch, rows[0], breach.limit))
                for row in rows:
                    first.setdefault(row, (rule, breach.limit))
        for row in sorted(first):
            rule, limit = first[row]
            yield row, rule.message(batch, row, limit, with_advice=with_advice)

    def coerce(self, table: pa.Table) -> pa.Table:
        """Return the table with nulls for values that do not fit, in the columns whose policy is ``null``."""
        coerced = {rule.column: rule.coerce(table.column(rule.column))[0] for rule in self._nulling}
        return _with(table, coerced)

    def readable(self, table: pa.Table) -> pa.Table:
        """Return the table with text that stands for numbers as those numbers, null where it stands for none."""
        numbers = {}
        for rule in self._nulling:
            values = table.column(rule.column)
            if rule.kind is not None and is_number(rule.kind) and is_text(values.type):
                numbers[rule.column] = fitted(values, rule.kind, unfit(values, rule.kind))
        return _with(table, numbers)

    def nulled(self, table: pa.Table) -> dict[str, int]:
        """Return how many values became null for the model, a column; columns with none are left out."""
        counts = {rule.column: rule.coerce(table.column(rule.column))[1] for rule in self._nulling}
        return {column: count for column, count in counts.items() if count}

    @property
    def _nulling(self) -> list[ColumnRule]:
        return [rule for rule in self.rules if rule.policy == "null"]


def _with(table: pa.Table, columns: Mapping[str, pa.ChunkedArray]) -> pa.Table:
    places = {table.schema.get_field_index(name): values for name, values in columns.items()}
    return replace_columns(table, places)


def make_input_validation(
    plan: InputPlan,
    words: Mapping[str, Policy],
    contract: Sequence[ColumnContract],
    schema: pa.Schema,
    *,
    has_names: bool,
    secret: Collection[str] = (),
) -> InputValidation | None:
    """Return the input validation of a job; None where no column has a policy but ``cast``, or nothing could be wrong.

    Parameters
    ----------
    plan
        How the dataset's columns become inputs.
    words
        The policy of each input.
    contract
        The model's; may lack inputs.
    schema
        The dataset's.
    has_names
        Whether the model has names; else its contract goes with the columns by position.
    secret
        Columns whose values messages may not show.

    Raises
    ------
    SignatureMismatchError
        A column holds values of another kind than in training.
    """
    by_name = {column.name: column for column in contract}
    if not has_names and len(contract) == len(plan.names):
        by_name = dict(zip(plan.names, contract, strict=True))
    rules = []
    for column, name, kind in zip(plan.columns, plan.names, plan.types, strict=True):
        limits, there = by_name.get(name), schema.field(column).type
        if words[name] == "cast" or (limits is None and (kind is None or kind == there)):
            continue
        if limits is not None and not any(is_comparable(limits, each) for each in (there, kind or there)):
            message = (
                f"Column {column!r} holds {there}, but the training sample has {limits.type}: they cannot be compared. "
                f"Convert the column where the dataset is made, or set its on_mismatch to 'cast'."
            )
            raise SignatureMismatchError(message)
        rules.append(
            ColumnRule(
                column=column,
                kind=kind,
                policy=words[name],
                contract=limits,
                is_secret=bool({column, name} & {*secret}),
            )
        )
    return InputValidation(tuple(rules)) if rules else None
