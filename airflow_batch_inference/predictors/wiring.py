"""How a step's inputs are matched with what the step before it returns.

Where a model has names, it gets its inputs by them: outputs of the step before, and beside them columns of the
dataset; an output hides a column of its name. Where none of its inputs has an output's name, and where it has no names
at all, it gets the outputs by position.

Invariants: a step takes outputs of the step before it, and by position only all of them; nothing is matched half by
name and half by position.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.output_table import label_names
from airflow_batch_inference.schema.columns import append_columns
from airflow_batch_inference.schema.inputs import InputPlan, plan_inputs
from airflow_batch_inference.schema.names import known_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from airflow_batch_inference.predictors.call import StepModel
    from airflow_batch_inference.records import ModelRecord

_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """How a table becomes a model's inputs.

    Attributes
    ----------
    plan
        Of the table's columns, those of ``spread`` among them.
    spread
        A column of lists, and the names of the columns that its values become; None: none.
    """

    plan: InputPlan
    spread: tuple[str, tuple[str, ...]] | None = None


Wire: TypeAlias = "Callable[[pa.Schema, tuple[str, ...]], Wiring]"
"""Makes the wiring of a table's schema, of which the named columns are the outputs of the step before."""


def wire_step(before: StepModel, step: StepModel) -> Wire:
    """Return what wires a step's inputs to the outputs of the one before it."""

    def wire(schema: pa.Schema, outputs: tuple[str, ...]) -> Wiring:
        inputs = step.record.inputs
        if inputs is not None and any(known_names(outputs)(spec.name) in outputs for spec in inputs):
            where = f"what {before.record.name} returns ({_listed(outputs)}), beside the dataset's columns,"
            return Wiring(plan=step_inputs(step, schema, where))
        return _by_position(before, step, schema, outputs)

    return wire


def step_inputs(
    step: StepModel, schema: pa.Schema, where: str, *, parses_text: bool = False, by_name: bool = True
) -> InputPlan:
    """Return how the columns of a schema become a model's inputs.

    Without ``by_name`` the name of a network's only input says nothing: the columns are what a step returned.

    Raises
    ------
    SignatureMismatchError
        A column that the model needs is missing, or holds what it cannot take.
    """
    return plan_inputs(
        schema,
        inputs=step.record.inputs,
        n_features=step.record.n_features,
        where=where,
        parses_text=parses_text,
        takes_lists=step.model.takes_lists,
        tensor=step.model.tensor if by_name else None,
    )


def _by_position(before: StepModel, step: StepModel, schema: pa.Schema, outputs: tuple[str, ...]) -> Wiring:
    """Match all outputs with all inputs, in their order; a column of lists with the inputs of its values."""
    inputs, width = step.record.inputs, step.record.n_features
    if inputs is not None:
        width = len(inputs)
    given = [schema.field(name).with_nullable(True) for name in outputs]
    spread = None
    if len(given) == 1 and pa.types.is_fixed_size_list(given[0].type) and width != 1:
        only = given[0]
        if inputs is None and step.model.takes_lists:
            return Wiring(plan=InputPlan(columns=outputs, names=outputs, types=(None,), ignored=()))
        spread = (only.name, tuple(f"{only.name}_{place}" for place in range(only.type.list_size)))
        given = [pa.field(name, only.type.value_type) for name in spread[1]]
    if width not in (None, len(given)):
        raise ConfigurationError(_misfit(before, step, outputs, len(given)))
    columns = tuple(each.name for each in given)
    if inputs is not None:
        given = [each.with_name(spec.name) for each, spec in zip(given, inputs, strict=True)]
    plan = step_inputs(step, pa.schema(given), f"what {before.record.name} returns", by_name=False)
    return Wiring(plan=replace(plan, columns=columns), spread=spread)


def _misfit(before: StepModel, step: StepModel, outputs: tuple[str, ...], number: int) -> str:
    inputs = step.record.inputs
    wanted = f"{step.record.n_features} columns by position"
    if inputs is not None:
        wanted = f"the columns {_listed([spec.name for spec in inputs])}"
    values = "" if number == len(outputs) else f", lists of {number} values"
    return (
        f"the model takes {wanted}, but {before.record.name} returns {_listed(outputs)}{values}: neither a name nor "
        "the number fits. Name the outputs as the next model's inputs (label_columns of the LoadModelOperator), or "
        "choose another predict_method for the step."
    )


def output_names(
    record: ModelRecord, names: Sequence[str], *, given: Sequence[str] | None = None, is_alone: bool = True
) -> tuple[str, ...]:
    """Return what the outputs of a model are called: as the user or its record says, else by their default names.

    Parameters
    ----------
    names
        The default names.
    given
        The user's, where their number fits.
    is_alone
        Whether one method alone has made them: a record speaks of no other.
    """
    if given is not None and len(given) == len(names):
        return tuple(given)
    return label_names(None, (record.label_columns or record.output_names) if is_alone else None, names)


def spread_lists(table: pa.Table, column: str, names: Sequence[str]) -> pa.Table:
    """Put the values of a column of lists into columns of their own."""
    lists = table.column(column)
    return append_columns(table, {name: pc.list_element(lists, place) for place, name in enumerate(names)})


def _listed(names: Sequence[str]) -> str:
    more = f", … ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
