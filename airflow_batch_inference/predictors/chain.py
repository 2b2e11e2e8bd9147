"""Models behind one another in one pass: each step's outputs are the next step's inputs.

Invariants: as :mod:`~airflow_batch_inference.predictors.wiring` says; and an error says in which step it came up.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError, DataError, PredictionError
from airflow_batch_inference.predictors.base import LonePredictor
from airflow_batch_inference.predictors.call import Call, StepModel, inner_call
from airflow_batch_inference.predictors.wiring import Wiring, output_names, spread_lists, step_inputs, wire_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_batch_inference.predictors.base import Predictor
    from airflow_batch_inference.predictors.input_validation import InputValidation
    from airflow_batch_inference.predictors.single import SinglePredictor
    from airflow_batch_inference.predictors.wiring import Wire
    from airflow_batch_inference.sources.batches import MiniBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class WiredPredictor(LonePredictor):
    """A model whose inputs are matched when a table is there: before the pass nobody knows what a step returns.

    Attributes
    ----------
    predictor
        The model; its own input plan is not used.
    wire
        Makes the wiring of a table.
    validation
        None: values that do not fit were seen to before.
    """

    predictor: SinglePredictor
    wire: Wire
    validation: None = None
    _known: dict[tuple[pa.Schema, tuple[str, ...]], Wiring] = field(default_factory=dict)

    @property
    def outputs(self) -> Sequence[str]:
        """The columns' default names."""
        return self.predictor.outputs

    @property
    def added(self) -> int:
        """How many of the last columns are no predictions."""
        return self.predictor.added

    @property
    def elapsed(self) -> Sequence[int]:
        """Nanoseconds that the last mini-batch took."""
        return self.predictor.elapsed

    def predict(self, batch: MiniBatch, outputs: tuple[str, ...] = ()) -> list[pa.Array]:
        """Predict; see :class:`~.base.Predictor`.

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
            batch = replace(batch, table=spread_lists(batch.table, *wiring.spread))
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
class ChainPredictor(LonePredictor):
    """Steps behind one another.

    Attributes
    ----------
    first
        Takes the dataset's columns.
    later
        Take what the step before them returns.
    models
        Of all steps, for their names.
    validation
        What happens to values of the dataset that do not fit.
    """

    first: Predictor
    later: tuple[WiredPredictor, ...]
    models: tuple[StepModel, ...]
    validation: InputValidation | None = None
    elapsed: list[int] = field(default_factory=list, compare=False)

    @property
    def outputs(self) -> Sequence[str]:
        """The last step's."""
        return self.later[-1].outputs

    @property
    def added(self) -> int:
        """The last step's."""
        return self.later[-1].added

    def predict(self, batch: MiniBatch) -> list[pa.Array]:
        """Predict; see :class:`~.base.Predictor`. An error says in which step it came up."""
        whole = batch if self.validation is None else replace(batch, table=self.validation.coerce(batch.table))
        found = self._told(0, lambda: self.first.predict(whole))
        elapsed, before = [*self.first.elapsed], self.first
        for place, step in enumerate(self.later, 1):
            names = output_names(self.models[place - 1].record, before.outputs)
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


def chain_behind(
    first: Predictor, models: Sequence[StepModel], call: Call, validation: InputValidation | None = None
) -> ChainPredictor:
    """Put steps behind a first one.

    Parameters
    ----------
    first
        Predicts the first of ``models``; its own validation is None.
    models
        Two or more.
    call
        How the last of them is called.
    validation
        What happens to values of the dataset that do not fit.

    Raises
    ------
    ConfigurationError
        A model lacks the method that it is to be called by.
    """
    later = []
    for place, step in enumerate(models[1:], 1):
        how = call if place + 1 == len(models) else inner_call(step)
        later.append(WiredPredictor(predictor=how.predictor(step), wire=wire_step(models[place - 1], step)))
    return ChainPredictor(first=first, later=tuple(later), models=tuple(models), validation=validation)


def chain_predictor(
    models: Sequence[StepModel],
    schema: pa.Schema,
    *,
    call: Call | None = None,
    where: str = "the data",
    parses_text: bool = False,
) -> Predictor:
    """Return what predicts tables of a schema with one model, or with several behind one another.

    For data in memory: no job, no validation, no isolation of rows.

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
    return predictor if len(models) == 1 else chain_behind(predictor, models, call)


def _handed_on(batch: MiniBatch, names: Sequence[str], outputs: Sequence[pa.Array]) -> MiniBatch:
    """Return what the next step sees: the outputs, and those columns of the dataset that none of them hides."""
    others = [name for name in batch.table.schema.names if name not in names]
    columns = [*outputs, *(batch.table.column(name) for name in others)]
    return replace(batch, table=pa.Table.from_arrays(columns, names=[*names, *others]))
