"""Which form a request has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from airflow_batch_inference.inference.forms import TableForm
from airflow_batch_inference.inference.frames import FrameForm
from airflow_batch_inference.inference.plain import PlainForm

if TYPE_CHECKING:
    from airflow_batch_inference.inference.forms import Form


def take(data: object) -> Form[Any]:
    """Return a request in its form.

    Raises
    ------
    TypeError
        It is none of them; names its type and those accepted.
    DataError
        Columns of different lengths.
    """
    if isinstance(data, pd.DataFrame):
        return FrameForm(data)
    if isinstance(data, pa.Table):
        return TableForm(data)
    if isinstance(data, dict):
        return PlainForm.of_columns(data)
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return PlainForm.of_records(data)
    inside = ""
    if isinstance(data, list):
        inside = f" of {next(type(row).__name__ for row in data if not isinstance(row, dict))}"
    message = (
        f"infer takes a pandas DataFrame, a pyarrow Table, a dict of columns or a list of records (dicts), not a "
        f"{type(data).__name__}{inside}."
    )
    raise TypeError(message)
