"""Records of this package among what is given as data: a prediction set means its rows, any other is refused by name.

Invariants: a record is told by its content, so that JSON of somebody else's stays data; the rows are those of the very
commit that was named, and its files are those that it says, byte for byte.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError
from airflow_batch_inference.formats.names import PART_FORMAT
from airflow_batch_inference.records import PredictionSetRecord, is_record, kind_in_words

if TYPE_CHECKING:
    from airflow_batch_inference.records import DataFile, Part, Record
    from airflow_batch_inference.storage.store import Storage

_HEAD_BYTES = 64 << 10
_MOST_BYTES = 64 << 20
_COMMIT = re.compile(r"/_commits/\d{10}\.json$")
_MANIFEST_KEYS = {"batch_id", "files", "job_key", "model_sha256", "rows", "task"}
_STATISTICS_KEYS = {"count", "hist", "mean", "std", "min", "max", "unique", "top", "freq"}


def record_at(uri: str, storage: Storage) -> Record | None:
    """Return the record that lies under a URI; None for a file of other content. Only ``.json`` files are looked at.

    Raises
    ------
    ArtifactIntegrityError
        It is a record, and damaged or changed.
    """
    if _COMMIT.search(uri):
        return storage.read_record(uri)
    return storage.read_record(uri) if is_record(small_document(uri, storage)) else None


def prediction_set_at(uri: str, storage: Storage) -> PredictionSetRecord | None:
    """Return the prediction set that a URI names where data are wanted; None where data lie there.

    Raises
    ------
    ConfigurationError
        Another record lies there, or statistics, or the manifest of what was published: no data.
    ArtifactIntegrityError
        It is a record, and damaged or changed.
    """
    if not uri.lower().endswith(".json"):
        return None
    record = record_at(uri, storage)
    if isinstance(record, PredictionSetRecord):
        return record
    if record is not None:
        _refuse(uri, f"{kind_in_words(record)} of this package")
    document = small_document(uri, storage)
    if isinstance(document, dict) and set(document) >= _MANIFEST_KEYS:
        _refuse(uri, "the manifest of a prediction set that was published, and the data lie beside it")
    if is_statistics(document):
        message = (
            f"{uri} holds statistics of a sample set, and no rows. Give it as baseline=, to the "
            "LoadModelOperator or the DriftAnalysisOperator."
        )
        raise ConfigurationError(message)
    return None


def refuse_records_among(uri: str, storage: Storage, where: str) -> None:
    """Refuse a record that was found in a folder or by a glob: nobody has named it.

    Raises
    ------
    ConfigurationError
        Names it.
    """
    if not uri.lower().endswith(".json"):
        return
    record = record_at(uri, storage)
    if record is not None:
        message = (
            f"{where} holds {uri}, which is {kind_in_words(record)} of this package and no data. Give the URI of a "
            "prediction set (predict.output) by itself, or a folder that holds data only."
        )
        raise ConfigurationError(message)


def _refuse(uri: str, what: str) -> None:
    message = (
        f"{uri} is {what}. Where data are wanted, give files, or the URI of a prediction set (the output of a "
        "PredictOperator)."
    )
    raise ConfigurationError(message)


def small_document(uri: str, storage: Storage) -> object:
    """Return a file's content where it is one JSON object and not many; None for all else, and for what is huge."""
    if not uri.lower().endswith(".json"):
        return None
    fs, path = storage.filesystem(uri)
    data: bytes = fs.cat_file(path, start=0, end=_HEAD_BYTES)
    first, newline, rest = data.partition(b"\n")
    # A first line that is an object of its own, with more behind it: JSON lines.
    is_lines = bool(newline) and first.rstrip().endswith(b"}") and bool(rest.strip())
    if not data.lstrip().startswith(b"{") or is_lines:
        return None
    if len(data) == _HEAD_BYTES:
        if storage.stat(uri).size_bytes > _MOST_BYTES:
            return None
        data = storage.read_bytes(uri)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def is_statistics(document: object) -> bool:
    """Say whether a document is another platform's statistics of a sample set: feature to count, mean, histogram, ….

    Examples
    --------
    >>> is_statistics({"age": {"count": 3.0, "mean": 40.0}}), is_statistics({"age": [40, 41]})
    (True, False)
    """
    if not isinstance(document, dict) or not document:
        return False
    return all(
        isinstance(each, dict) and "count" in each and _STATISTICS_KEYS & set(each) > {"count"}
        for each in document.values()
    )


# -- a prediction set's rows ------------------------------------------------------------------------------------------


def require_kept(record: PredictionSetRecord, where: object) -> None:
    """Refuse a prediction set without rows.

    Raises
    ------
    ConfigurationError
        They were not kept.
    """
    if not record.kept:
        message = (
            f"The rows of {where} were scored and counted, and not kept (log_result_set=False): there is nothing to "
            "read. Set log_result_set=True in the task that scores them."
        )
        raise ConfigurationError(message)


def require_table(record: PredictionSetRecord, where: object) -> None:
    """Refuse what a scoring script has made, where it is no table with names.

    Raises
    ------
    ConfigurationError
        The script wrote files by itself, or the table has no header.
    """
    if record.items is not None and not (record.has_table and record.items.has_header):
        message = (
            f"{where} is what a scoring script has made with output_action={record.items.output_action!r}, "
            f"header={record.items.has_header}: no table with column names. Use append_row with a header, or give "
            "the files that it was made from."
        )
        raise ConfigurationError(message)


def require_parquet(record: PredictionSetRecord, where: object) -> None:
    """Refuse rows that an earlier state of this package has written in another format than Parquet.

    Raises
    ------
    ConfigurationError
        Says which.
    """
    if record.output_format != PART_FORMAT:
        message = (
            f"The rows of {where} were written as {record.output_format} by an earlier state of this package, and are "
            "read as Parquet alone now. Score the batch again."
        )
        raise ConfigurationError(message)


def verified_part(part: Part, storage: Storage) -> DataFile:
    """Return a part's file as it lies there, if its bytes are those that the commit says.

    Raises
    ------
    ArtifactIntegrityError
        It was changed.
    ArtifactNotFoundError
        It is gone.
    """
    file = storage.versioned(part.uri)
    if file.size_bytes != part.size_bytes or storage.sha256_at(part.uri)[0] != part.sha256:
        message = (
            f"{part.uri} was changed after it was committed: its bytes are not those that the commit names "
            f"({part.size_bytes} bytes, SHA-256 {part.sha256}). Score the batch again."
        )
        raise ArtifactIntegrityError(message)
    return file
