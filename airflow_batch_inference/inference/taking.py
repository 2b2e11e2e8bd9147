"""Which form a request has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from airflow_batch_inference.inference.arrays import ArrayForm, ArrayInputs, StructuredForm
from airflow_batch_inference.inference.forms import BatchForm, TableForm
from airflow_batch_inference.inference.frames import FrameForm
from airflow_batch_inference.inference.plain import PlainForm
from airflow_batch_inference.inference.polars_frames import PolarsForm
from airflow_batch_inference.sources.in_memory import advice_for, is_a

if TYPE_CHECKING:
    from airflow_batch_inference.inference.forms import Form


def take(data: object, inputs: ArrayInputs) -> Form[Any]:
    """Return a request in its form.

    Parameters
    ----------
    data
        The request.
    inputs
        What becomes of an array's columns.

    Raises
    ------
    TypeError
        It is none of them; names its type and those accepted.
    DataError
        Columns of different lengths.
    """
    found = _as_frame(data, inputs)
    if found is not None:
        return found
    if isinstance(data, dict):
        return PlainForm.of_columns(data)
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return PlainForm.of_records(data)
    inside = ""
    if isinstance(data, list):
        inside = f" of {next(type(row).__name__ for row in data if not isinstance(row, dict))}"
    rows = "Make an array of it: np.array(data)." if inside in (" of list", " of tuple") else None
    advice = advice_for(data) or rows
    message = (
        "infer takes a pandas or polars DataFrame, a pyarrow Table, a dict of columns, a list of records (dicts) or a "
        f"NumPy array, not a {type(data).__name__}{inside}.{f' {advice}' if advice else ''}"
    )
    raise TypeError(message)


def _as_frame(data: object, inputs: ArrayInputs) -> Form[Any] | None:
    if isinstance(data, pd.DataFrame):
        return FrameForm(data)
    if isinstance(data, pa.Table):
        return TableForm(data)
    if isinstance(data, pa.RecordBatch):
        return BatchForm(data)
    if isinstance(data, np.ndarray):
        return ArrayForm(data, inputs) if data.dtype.names is None else StructuredForm(data)
    return PolarsForm(data) if is_a(data, "polars", "DataFrame") else None


def is_whole(data: object) -> bool:
    """Say whether data are one request, or none at all, and not an iterable of requests."""
    if isinstance(data, (dict, str, bytes, np.ndarray)) or advice_for(data) is not None:
        return True
    return _as_frame(data, ArrayInputs()) is not None


def take_frame(data: object, inputs: ArrayInputs) -> Form[Any]:
    """Return one frame, table or array in its form.

    Raises
    ------
    TypeError
        It is none of them.
    """
    found = _as_frame(data, inputs)
    if found is None:
        message = (
            f"parallel_infer takes a list of requests, or one data frame, Arrow table or NumPy array, not a "
            f"{type(data).__name__}. Give [data] for one request."
        )
        raise TypeError(message)
    return found


def take_json(content: object, inputs: ArrayInputs) -> Form[Any]:
    """Return what custom JSON holds in its form: also a list of rows, whose columns are the model's inputs.

    Raises
    ------
    TypeError, DataError
        It holds nothing that can be scored.
    """
    if isinstance(content, list) and content and all(isinstance(row, list) for row in content):
        return PlainForm.of_rows(content, inputs)
    if isinstance(content, dict) or (isinstance(content, list) and all(isinstance(row, dict) for row in content)):
        return take(content, inputs)
    message = (
        "Custom JSON must hold a dict of columns, a list of records (objects) or a list of rows (lists), not "
        f"{'a mixed list' if isinstance(content, list) else type(content).__name__}."
    )
    raise TypeError(message)
