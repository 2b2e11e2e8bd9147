"""A plain Python function in the place of a model: called with each mini-batch, here or in a worker process.

Invariants: a row looks the same to the function whatever rows stand around it; nothing that the function
does to its mini-batch reaches the output but what it returns; and what it returns is never joined by an index.
"""

from __future__ import annotations

import contextlib
import logging
import platform
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import cloudpickle  # type: ignore[import-untyped]  # it has no annotations
import numpy as np
import pandas as pd
import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.base import LoadedModel
from airflow_batch_inference.flavors.nullable import NULLABLE
from airflow_batch_inference.predictors.function_digest import function_digest
from airflow_batch_inference.predictors.pickled_function import PickledFunction
from airflow_batch_inference.records import ModelRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.flavors.base import Prediction

log = logging.getLogger(__name__)

Form: TypeAlias = Literal["pandas", "arrow"]
FLAVOR = "function"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionModel(LoadedModel):
    """A function as a loaded model (:class:`~airflow_batch_inference.flavors.base.LoadedModel`).

    Attributes
    ----------
    function
        Takes a mini-batch, then ``args`` and ``kwargs``.
    form
        What the mini-batch is: a data frame, or an Arrow table.
    """

    function: Callable[..., object]
    form: Form
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    names_outputs: bool = True
    """What it returns in columns keeps their names, also where there is one."""

    @property
    def name(self) -> str:
        """The function's name."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def versions(self) -> Mapping[str, str]:
        """Of Python and of what hands the rows over."""
        versions = {"python": platform.python_version(), "numpy": np.__version__, "pyarrow": pa.__version__}
        return versions | ({"pandas": pd.__version__} if self.form == "pandas" else {})

    def predict(
        self,
        batch: pa.Table,
        *,
        method: str = "predict",  # noqa: ARG002  # there is one
        kwargs: Mapping[str, Any] | None = None,  # noqa: ARG002  # its own are fixed
    ) -> Prediction:
        """Call the function with a mini-batch.

        Raises
        ------
        ConfigurationError
            It returned what cannot be predictions.
        """
        given = batch if self.form == "arrow" else frame(batch)
        return predictions(self.function(given, *self.args, **self.kwargs), self.name)

    def describe_failure(self, error: Exception, method: str) -> str:  # noqa: ARG002  # there is one
        """Return the function's name, and its own line that raised an error, where it was one of them."""
        code = getattr(self.function, "__code__", None)
        lines = [
            each.lineno for each in traceback.extract_tb(error.__traceback__) if code and each.name == code.co_name
        ]
        where = f" ({Path(code.co_filename).name}, line {lines[-1]})" if code and lines else ""
        return f"The function {self.name}{where}"


def frame(batch: pa.Table) -> pd.DataFrame:
    """Return a mini-batch as a data frame of its own memory, whose types do not depend on the rows in it.

    Integers and booleans have pandas' nullable types, floating-point numbers NaN for a null, text pandas' own type.

    Examples
    --------
    >>> frame(pa.table({"a": [1, None], "b": [0.5, None]})).dtypes.astype(str).to_dict()
    {'a': 'Int64', 'b': 'float64'}
    """
    made: pd.DataFrame = batch.to_pandas(types_mapper=NULLABLE.get)
    return made.copy()


def predictions(returned: object, name: str) -> Prediction:
    """Return what a function returned as one array, or several by name.

    Parameters
    ----------
    returned
        A NumPy array, a pandas Series or DataFrame, an Arrow array or table, a list, or a dict of such arrays.
    name
        The function's, for messages.

    Raises
    ------
    ConfigurationError
        It is something else.
    """
    if isinstance(returned, (pa.Table, pa.RecordBatch)):
        return {column: _plain(returned.column(column)) for column in returned.schema.names}
    if isinstance(returned, pd.DataFrame):
        return {str(column): _of_series(returned.iloc[:, place]) for place, column in enumerate(returned.columns)}
    if isinstance(returned, Mapping):
        return {str(column): _one(values, name) for column, values in returned.items()}
    return _one(returned, name)


def _one(returned: object, name: str) -> Any:  # noqa: ANN401  # NumPy's or Arrow's
    if isinstance(returned, pd.Series):
        return _of_series(returned)
    if isinstance(returned, (pa.Array, pa.ChunkedArray)):
        return _plain(returned)
    if isinstance(returned, (list, tuple)):
        return np.asarray(returned)
    if isinstance(returned, np.ndarray):
        return returned
    message = (
        f"The function {name} returned a {type(returned).__name__}; it must return one prediction a row: a NumPy "
        "array, a pandas Series or DataFrame, an Arrow array or table, a list, or a dict of arrays."
    )
    raise ConfigurationError(message)


def _of_series(values: pd.Series[Any]) -> Any:  # noqa: ANN401  # NumPy's or Arrow's
    """Return a column's values; NaN stays NaN, and other missing values are nulls."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "fiub":
        return values.to_numpy()
    return _plain(pa.array(values, from_pandas=True))


def _plain(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return one array; a dictionary's categories differ from one mini-batch to the next, so its values."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def pickled(model: FunctionModel) -> PickledFunction | None:
    """Return a function with its arguments by value, and with it what it needs of its own file.

    None, with a line in the log, where something of it cannot be handed over: a lock, a connection, an open file.
    """
    try:
        return PickledFunction(by_value(model, model.function))
    except Exception as error:  # noqa: BLE001  # an object's own pickling may fail in any way
        log.info(
            "%s scores in this process alone, since it cannot be handed to another (%s: %s)",
            *(model.name, type(error).__name__, error),
        )
        return None


def by_value(value: object, function: Callable[..., object]) -> bytes:
    """Return the bytes of what holds a function, which takes what it needs of its own file along.

    Raises
    ------
    Exception
        Something of it cannot be handed over.
    """
    with _by_value(sys.modules.get(function.__module__)):
        found: bytes = cloudpickle.dumps(value)
    return found


@contextlib.contextmanager
def _by_value(module: object) -> Iterator[None]:
    """Take a module's functions and classes by value: a DAG's file has no name that another process could import."""
    name = getattr(module, "__name__", None)
    if module is None or name in cloudpickle.list_registry_pickle_by_value():
        yield
        return
    cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def function_record(model: FunctionModel, *, where: str) -> ModelRecord:
    """Return the record of a function, which no file holds.

    Parameters
    ----------
    model
        The function with its arguments.
    where
        Whose it is: the DAG and the task.

    Raises
    ------
    ConfigurationError
        An argument cannot be told from another one.
    """
    return ModelRecord(
        name=model.name,
        model_uri=f"{FLAVOR}:{where}",
        conn_id=None,
        sha256=function_digest(model.function, model.args, model.kwargs),
        size_bytes=0,
        flavor=FLAVOR,
        format=model.form,
        trust="dag",
        trusted_by=where,
        trusted_types=(),
        load_options={},
        inputs=None,
        n_features=None,
        output_names=None,
        classes=None,
        class_names=None,
        label_columns=None,
        versions=dict(model.versions),
        baseline_uri=None,
        golden_uri=None,
        tag=None,
    )
