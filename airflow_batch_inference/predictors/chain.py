"""Models behind one another in one pass: each step's outputs are the next step's inputs.

Where the next model has names, it gets its inputs by them: outputs of the step before, and beside them columns of the
dataset; an output hides a column of its name. Where none of its inputs has an output's name, and where it has no names
at all, it gets the outputs by position. What must not be relaxed: a step takes outputs of the step before it, and by
position only all of them; nothing is matched half by name and half by position.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError, DataError, PredictionError
from airflow_batch_inference.flavors.base import require_method
from airflow_batch_inference.predictors.single import Predictor, label_names, require_threshold
from airflow_batch_inference.schema.columns import append_columns
from airflow_batch_inference.schema.inputs import InputPlan, plan_inputs
from airflow_batch_inference.schema.names import known_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.predictors.base import BatchPredictor
    from airflow_batch_inference.predictors.explanations import Explain
    from airflow_batch_inference.predictors.input_validation import Screen
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.sources.batches import MiniBatch

_NOTHING = InputPlan(columns=(), names=(), types=(), ignored=())
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StepModel:
    """A loaded model, its record, and how it is called where another step follows."""

    model: LoadedModel
    record: ModelRecord
    method: str = "predict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How the model is called whose outputs are the predictions; see :class:`~.batch.Predictor`."""

    methods: tuple[str, ...] = ("predict",)
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    explain: Explain | None = None
    names_classes: bool = True
    """Whether predicted classes are called by the record's names."""
    whole: bool = False
    """Whether each output is one column, of lists where a row has several values."""

    def predictor(self, step: StepModel, inputs: InputPlan = _NOTHING, screen: Screen | None = None) -> Predictor:
        """Return what predicts by this call.

        Raises
        ------
        ConfigurationError
            The model lacks a method, or cannot decide by a threshold.
        """
        require_threshold(step.model, self.threshold)
        for method in (*self.methods, *(("contributions",) if self.explain is not None else ())):
            require_method(method, step.model.methods)
        return Predictor(
            model=step.model,
            inputs=inputs,
            methods=self.methods,
            kwargs=self.kwargs,
            threshold=self.threshold,
            class_names=step.record.class_names if self.names_classes else None,
            screen=screen,
            explain=self.explain,
            whole=self.whole,
        )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WiredPredictor:
    """A model whose inputs are matched when a table is there: before the pass nobody knows what a step returns.

    Attributes
    ----------
    predictor
        The model; its own input plan is not used.
    wire
        Makes the wiring of a table's schema, of which the named columns are the outputs of the step before.
    screen
        None: values that do not fit were seen to before.
    """

    predictor: Predictor
    wire: Callable[[pa.Schema, tuple[str, ...]], Wiring]
    screen: None = None
    _known: dict[tuple[pa.Schema, tuple[str, ...]], Wiring] = field(default_factory=dict)

    @property
    def names(self) -> Sequence[str]:
        """The columns' default names."""
        return self.predictor.names

    @property
    def added(self) -> int:
        """How many of the last columns are no predictions."""
        return self.predictor.added

    @property
    def main(self) -> WiredPredictor:
        """The predictor itself."""
        return self

    @property
    def elapsed(self) -> Sequence[int]:
        """Nanoseconds that the last mini-batch took."""
        return self.predictor.elapsed

    def predict(self, batch: MiniBatch, outputs: tuple[str, ...] = ()) -> list[pa.Array]:
        """Predict; see :class:`~.predicting.BatchPredictor`.

        Parameters
        ----------
        outputs
            Those columns of the batch that the step before has made.

        Raises
        ------
        ConfigurationError
            The very first table has not what the model takes.
        PredictionError
            A later one has not, though another had.
        """
        wiring = self._wiring(batch.table.schema, outputs)
        if wiring.spread is not None:
            batch = replace(batch, table=_spread(batch.table, *wiring.spread))
        return replace(self.predictor, inputs=wiring.plan).predict(batch)

    def _wiring(self, schema: pa.Schema, outputs: tuple[str, ...]) -> Wiring:
        if (schema, outputs) not in self._known:
            try:
                self._known[schema, outputs] = self.wire(schema, outputs)
            except (DataError, ConfigurationError) as error:
                if self._known:  # others have fitted: it is these rows
                    raise PredictionError(str(error)) from error
                raise ConfigurationError(str(error)) from error
        return self._known[schema, outputs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Steps behind one another.

    Attributes
    ----------
    first
        Takes the dataset's columns.
    later
        Take what the step before them returns.
    models
        Of all steps, for their names.
    screen
        What happens to values of the dataset that do not fit.
    """

    first: BatchPredictor
    later: tuple[WiredPredictor, ...]
    models: tuple[StepModel, ...]
    screen: Screen | None = None
    elapsed: list[int] = field(default_factory=list, compare=False)

    @property
    def names(self) -> Sequence[str]:
        """The last step's."""
        return self.later[-1].names

    @property
    def added(self) -> int:
        """The last step's."""
        return self.later[-1].added

    @property
    def main(self) -> Chain:
        """The predictor itself."""
        return self

    def predict(self, batch: MiniBatch) -> list[pa.Array]:
        """Predict; see :class:`~.predicting.BatchPredictor`. An error says in which step it came up."""
        whole = batch if self.screen is None else replace(batch, table=self.screen.mended(batch.table))
        found = self._told(0, lambda: self.first.predict(whole))
        elapsed, before = [*self.first.elapsed], self.first
        for place, step in enumerate(self.later, 1):
            names = output_names(self.models[place - 1].record, before.names)
            given = _handed_on(whole, names, found)
            found = self._told(place, lambda step=step, given=given, names=names: step.predict(given, names))  # type: ignore[misc]  # bound now
            elapsed += step.elapsed
            before = step
        self.elapsed[:] = elapsed
        return found

    def _told(self, place: int, predict: Callable[[], list[pa.Array]]) -> list[pa.Array]:
        try:
            return predict()
        except (DataError, PredictionError, ConfigurationError) as error:
            message = f"Step {place + 1} ({self.models[place].record.name}): {error}"
            raise type(error)(message) from error


def chained(first: BatchPredictor, models: Sequence[StepModel], call: Call, screen: Screen | None = None) -> Chain:
    """Put steps behind a first one.

    Parameters
    ----------
    first
        Predicts the first of ``models``; its own screen is None.
    models
        Two or more.
    call
        How the last of them is called.
    screen
        What happens to values of the dataset that do not fit.

    Raises
    ------
    ConfigurationError
        A model lacks the method that it is to be called by.
    """
    later = []
    for place, step in enumerate(models[1:], 1):
        how = call if place + 1 == len(models) else inner_call(step)
        later.append(WiredPredictor(predictor=how.predictor(step), wire=_behind(models[place - 1], step)))
    return Chain(first=first, later=tuple(later), models=tuple(models), screen=screen)


def inner_call(step: StepModel) -> Call:
    """Return how a step is called that another one follows, which knows the classes as they are."""
    return Call(methods=(step.method,), names_classes=False)


def steps_predictor(
    models: Sequence[StepModel],
    schema: pa.Schema,
    *,
    call: Call | None = None,
    where: str = "the data",
    parses_text: bool = False,
) -> BatchPredictor:
    """Return what predicts tables of a schema with one model, or with several behind one another.

    For data in memory: no job, no screen, no isolation of rows.

    Parameters
    ----------
    models
        One or more.
    schema
        The tables'.
    call
        How the last model is called.
    where
        What to call the data in messages.
    parses_text
        Whether text may stand for a number: a row whose text does not is then an error of that row.

    Raises
    ------
    SignatureMismatchError
        A column that the first model needs is missing, or holds what it cannot take.
    ConfigurationError
        A model lacks the method that it is to be called by.
    """
    call = call or Call()
    first = models[0]
    inputs = step_inputs(first, schema, where, parses_text=parses_text)
    predictor = (call if len(models) == 1 else inner_call(first)).predictor(first, inputs)
    return predictor if len(models) == 1 else chained(predictor, models, call)


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


def _handed_on(batch: MiniBatch, names: Sequence[str], outputs: Sequence[pa.Array]) -> MiniBatch:
    """Return what the next step sees: the outputs, and those columns of the dataset that none of them hides."""
    others = [name for name in batch.table.schema.names if name not in names]
    columns = [*outputs, *(batch.table.column(name) for name in others)]
    return replace(batch, table=pa.Table.from_arrays(columns, names=[*names, *others]))


def _behind(before: StepModel, step: StepModel) -> Callable[[pa.Schema, tuple[str, ...]], Wiring]:
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


def _spread(table: pa.Table, column: str, names: Sequence[str]) -> pa.Table:
    """Put the values of a column of lists into columns of their own."""
    lists = table.column(column)
    return append_columns(table, {name: pc.list_element(lists, place) for place, name in enumerate(names)})


def _listed(names: Sequence[str]) -> str:
    more = f", … ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
