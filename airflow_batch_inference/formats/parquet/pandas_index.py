"""The index that pandas stores beside a frame's columns: none of them, unless it is asked for by its name."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow_batch_inference.formats.units import FileInfo

_UNNAMED = re.compile(r"__index_level_\d+__")


def index_names(schema: pa.Schema) -> tuple[str, ...]:
    """Return the columns of a file that are pandas' index, by what pandas wrote beside them.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"x": [1.0]}, index=pd.Index(["a"], name="key"))
    >>> index_names(pa.Table.from_pandas(frame).schema)
    ('key',)
    """
    stored: object = None
    with contextlib.suppress(ValueError):  # no JSON: somebody else's
        stored = schema.pandas_metadata
    columns = stored.get("index_columns") if isinstance(stored, dict) else None
    # A range is stored as a description of itself.
    return tuple(name for name in columns if isinstance(name, str)) if isinstance(columns, list) else ()


def without_index(
    schema: pa.Schema, infos: Sequence[FileInfo], folders: Collection[str] = ()
) -> tuple[pa.Schema, pa.Schema]:
    """Take the index out of a dataset's columns, and return both; all stay where nothing else would be left.

    A column that is the index in some files and an ordinary one in others is ordinary, and so is one that ``key=value``
    folders are named after.
    """
    index = {name for info in infos for name in info.index} - set(folders)
    if index:
        index -= {name for info in infos for name in info.schema.names if name not in info.index}
    index |= {name for name in schema.names if _UNNAMED.fullmatch(name)}
    columns = [field for field in schema if field.name not in index]
    if not index or not columns:
        return schema, pa.schema([])
    return pa.schema(columns), pa.schema([field for field in schema if field.name in index])
