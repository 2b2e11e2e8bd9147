"""``@task.score``: a plain function from a mini-batch to predictions, as a task with all of the engine's guarantees.

Invariants: a function that can never be called is refused when the DAG is parsed, and nothing heavy is imported for
that.
"""

from __future__ import annotations

import functools
import inspect
import logging
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import DecoratedOperator, task_decorator_factory
from airflow.sdk.definitions.context import KNOWN_CONTEXT_KEYS

from airflow_batch_inference.decorators.annotations import batch_parameter, form_of
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators.base import BatchInferenceOperator, task_key
from airflow_batch_inference.operators.score_files import FileScoringOperator
from airflow_batch_inference.operators.score_rows import RowScoringOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from airflow.sdk.bases.decorator import TaskDecorator
    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.predictors.function import FunctionModel
    from airflow_batch_inference.predictors.graphs.base import ModelGraph
    from airflow_batch_inference.scripts.function import FileFunction

log = logging.getLogger(__name__)


class ScoreOperator(DecoratedOperator, BatchInferenceOperator):
    """A function in the place of a model; subclasses say what it is given.

    :param python_callable: the function.
    :param op_args: its positional arguments after the mini-batch. (templated)
    :param op_kwargs: its keyword arguments. (templated)
    """

    custom_operator_name = "@task.score"

    def __init__(
        self,
        *,
        python_callable: Callable[..., object],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,  # noqa: ANN401  # of the operator that scores
    ) -> None:
        # Airflow compares the arguments with a signature: that of the function whose mini-batch is given already.
        rest = functools.partial(python_callable, None)
        super().__init__(
            python_callable=rest,
            op_args=op_args,
            op_kwargs=op_kwargs,
            **kwargs,
        )
        self.python_callable = python_callable

    def _where(self, context: Context) -> str:
        key = task_key(context)
        return f"{key.dag_id}.{key.task_id}"

    def _given(self, context: Context) -> dict[str, Any]:
        """Return the function's keyword arguments, with what it names of the task's context."""
        names = [*inspect.signature(self.python_callable).parameters][1 + len(self.op_args) :]
        wanted = {name: context[name] for name in names if name in KNOWN_CONTEXT_KEYS and name in context}  # type: ignore[literal-required]  # one of its keys
        return {**wanted, **self.op_kwargs}


class ScoreRowsOperator(ScoreOperator, RowScoringOperator):
    """A function that takes rows, a mini-batch at a time."""

    template_fields: Sequence[str] = (*RowScoringOperator.template_fields, "op_args", "op_kwargs")

    def perform(self, context: Context) -> str | None:
        """Score the rows; a function that does not say what it takes is refused."""
        form_of(self.python_callable)
        return super().perform(context)

    def models(self, context: Context) -> ModelGraph:
        """Return the function as a model, in a form that other processes can take too."""
        from airflow_batch_inference.predictors.function import function_record, pickled
        from airflow_batch_inference.predictors.graphs.chain import single_model

        model = self._model(context)
        record = function_record(model, where=self._where(context))
        return single_model(record, model=model, function=pickled(model))

    def _model(self, context: Context) -> FunctionModel:
        from airflow_batch_inference.predictors.function import FunctionModel

        return FunctionModel(
            function=self.python_callable,
            form="arrow" if form_of(self.python_callable) == "arrow" else "pandas",
            args=tuple(self.op_args),
            kwargs=self._given(context),
        )


class ScoreFilesOperator(ScoreOperator, FileScoringOperator):
    """A function that takes files, a mini-batch at a time, in worker processes; by default none of them may fail."""

    template_fields: Sequence[str] = (*FileScoringOperator.template_fields, "op_args", "op_kwargs")
    files_may_fail = False

    def scorer(self, context: Context) -> FileFunction:
        """Return the function, as what scores files."""
        from airflow_batch_inference.scripts.function import FileFunction

        return FileFunction(
            function=self.python_callable,
            as_paths=form_of(self.python_callable) == "paths",
            where=self._where(context),
            args=tuple(self.op_args),
            kwargs=self._given(context),
        )


def operator_for(function: Callable[..., object]) -> type[DecoratedOperator]:
    """Return the operator that calls a function with mini-batches of the form that it is annotated with.

    A function whose annotation says nothing makes a task that fails when it runs, with what to write: the other tasks
    and DAGs of its file are not to be lost for it.
    """
    batch_parameter(function)  # whatever can never be called is refused here
    try:
        form = form_of(function)
    except ConfigurationError as error:
        log.warning("%s The task will fail with this message.", error)
        return ScoreRowsOperator
    return ScoreFilesOperator if form in ("texts", "paths") else ScoreRowsOperator


def score_task(
    python_callable: Callable[..., object] | None = None,
    multiple_outputs: bool | None = None,
    **kwargs: Any,  # noqa: ANN401  # the operator's own
) -> TaskDecorator:
    """Make a task of a function from a mini-batch to predictions; the task returns the prediction set's URI.

    The annotation of the function's first parameter says what a mini-batch is: ``pandas.DataFrame``, ``pyarrow.Table``,
    or ``list[str]`` or ``list[Path]`` of files. Its other parameters are given when it is called in the DAG.

    :param python_callable: the function.
    :param multiple_outputs: must not be set: the task returns one URI.
    :param kwargs: arguments of :class:`~airflow_batch_inference.operators.PredictOperator` that say nothing of a model
        (``dataset``, ``rows``, ``passthrough_columns``, ``label_columns``, …), or, for files, those of
        :class:`~airflow_batch_inference.operators.ScoringScriptOperator` that say nothing of a script (``dataset``,
        ``settings``, ``limits``, …); and those of every operator.
    """

    def decorate(function: Callable[..., object]) -> Any:  # noqa: ANN401  # Airflow's own wrapper
        return task_decorator_factory(
            function, multiple_outputs=False, decorated_operator_class=operator_for(function), **kwargs
        )

    if multiple_outputs:
        message = "@task.score does not take multiple_outputs: the task returns one prediction set."
        raise ConfigurationError(message)
    return decorate if python_callable is None else decorate(python_callable)  # type: ignore[return-value]  # as Airflow's
