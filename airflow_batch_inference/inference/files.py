"""Requests from files: which format a file has, and in which form it is scored."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from airflow_batch_inference.exceptions import ConfigurationError, DataError, did_you_mean
from airflow_batch_inference.formats.json.array import orient_of
from airflow_batch_inference.records import ReadOptions
from airflow_batch_inference.sources.recorded import prediction_set_at
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.uris import normalize_uri

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_batch_inference.storage.store import Storage

_BY_SUFFIX = {
    ".arrow": "arrow",
    ".feather": "feather",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "pandas-records",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
}
_SUFFIX_OF = {"arrow": ".arrow", "feather": ".feather", "parquet": ".parquet", "jsonl": ".jsonl", "csv": ".csv"}
_COLUMNAR = ("arrow", "feather", "parquet")
CUSTOM_JSON = "custom-json"
FORMATS = (*_SUFFIX_OF, "pandas-records", CUSTOM_JSON)


def located(path: str | os.PathLike[str]) -> str:
    """Return a URI, or a path from here as an absolute one: a notebook has a working folder, a task has none.

    Examples
    --------
    >>> located("s3://bucket/model.txt"), located("/models/churn.txt"), Path(located("churn.txt")).is_absolute()
    ('s3://bucket/model.txt', '/models/churn.txt', True)
    """
    text = os.fspath(path)
    return text if ":/" in text else str(Path(text).absolute())


def read_request(
    path: str | os.PathLike[str],
    data_format: str | None,
    storage: Storage,
    reading: ReadOptions | None = None,
) -> Any:  # noqa: ANN401  # one of the forms
    """Return a file's content in the form that it is scored in.

    Parameters
    ----------
    path
        A path or URI.
    data_format
        One of :data:`FORMATS`; None: told by the file's name.
    storage
        Reaches it.
    reading
        How text is read.

    Raises
    ------
    ConfigurationError
        There is no such format.
    ArtifactNotFoundError, DataError
        The file is not there, cannot be read, or its name tells no format.
    """
    uri = normalize_uri(located(path))
    if data_format is None and uri.endswith(".json") and prediction_set_at(uri, storage) is not None:
        return open_dataset(uri, storage).whole()
    kind = data_format or _format_of(uri)
    if kind not in FORMATS:
        message = f"data_format is {kind!r}{did_you_mean(kind, FORMATS)}; it must be one of {', '.join(FORMATS)}."
        raise ConfigurationError(message)
    if kind in ("pandas-records", CUSTOM_JSON):
        content = _json(uri, storage)
        return content if kind == CUSTOM_JSON else _frame(content, uri)
    table = _table(uri, kind, storage, reading or ReadOptions())
    return table if kind in _COLUMNAR else table.to_pandas()


def _format_of(uri: str) -> str:
    for suffix, kind in _BY_SUFFIX.items():
        if uri.lower().endswith(suffix):
            return kind
    message = (
        f"The format of {uri} is unknown: its name ends with none of {', '.join(_BY_SUFFIX)}. Say what it is: "
        f"data_format={FORMATS[0]!r}, or another of {', '.join(FORMATS[1:])}."
    )
    raise DataError(message)


def _json(uri: str, storage: Storage) -> Any:  # noqa: ANN401  # whatever it holds
    try:
        return json.loads(storage.read_bytes(uri))
    except RecursionError as error:
        message = f"{uri} holds JSON that is nested too deep to be read. Write it with fewer levels."
        raise DataError(message) from error
    except ValueError as error:
        message = f"{uri} is no JSON: {error}. If it is JSON lines, set data_format='jsonl'."
        raise DataError(message) from error


def _frame(content: object, uri: str) -> pd.DataFrame:
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        orient = orient_of(content)
        found = "" if orient is None else f", but a frame as pandas writes it with orient={orient!r}"
        message = (
            f"{uri} holds no pandas records (a JSON list of objects, as DataFrame.to_json(orient='records') writes "
            f"it){found}. For other JSON set data_format='custom-json'."
        )
        raise DataError(message)
    return pd.DataFrame(content)


def _table(uri: str, kind: str, storage: Storage, reading: ReadOptions) -> pa.Table:
    names = [spec.name for spec in reading.types] or None
    if uri.lower().endswith((_SUFFIX_OF[kind], ".tsv") if kind == "csv" else _SUFFIX_OF[kind]):
        return open_dataset(uri, storage, model_names=names, reading=reading).whole()
    with private_folder() as folder:  # readers tell formats by names
        copy = folder / f"request{_SUFFIX_OF[kind]}"
        storage.copy_to_local(uri, copy)
        try:
            return open_dataset(str(copy), storage, model_names=names, reading=reading).whole()
        except DataError as error:
            message = f"{uri} cannot be read as {kind}: {error}".replace(copy.as_uri(), uri)
            raise DataError(message) from error
