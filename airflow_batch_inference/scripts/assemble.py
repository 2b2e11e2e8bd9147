"""One file of all that the mini-batches returned, in input order.

Invariants: the committer alone writes it, each piece is checked against its receipt's digest, and text goes through
byte by byte.
"""

from __future__ import annotations

import csv
import io
import shutil
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ScriptError
from airflow_batch_inference.formats.names import OUTPUT_SUFFIXES
from airflow_batch_inference.records import ColumnSpec, Part
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.uris import encode_segment, join_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from airflow_batch_inference.records import MiniBatchReceipt
    from airflow_batch_inference.scripts.settings import ScriptSettings
    from airflow_batch_inference.storage.store import Storage

_COPIED_ROWS = 65_536


def assemble(
    receipts: Sequence[MiniBatchReceipt],
    columns: Sequence[ColumnSpec],
    *,
    settings: ScriptSettings,
    folder: str,
    attempt: str,
    storage: Storage,
) -> tuple[Part, tuple[ColumnSpec, ...]]:
    """Write the output file of ``append_row`` and return it with its columns.

    Parameters
    ----------
    receipts
        Of all mini-batches that returned something, in input order.
    columns
        The names that the rows have in all of them.
    settings
        The file's name, format and header.
    folder
        Where it goes.
    attempt
        The try's; part of its name.
    storage
        Reaches the artifact store.

    Raises
    ------
    ScriptError
        A column has types in two mini-batches that do not go together.
    ArtifactIntegrityError
        A piece is not what its receipt says.
    """
    kind = settings.table_format
    uri = join_uri(folder, f"predictions-{encode_segment(attempt)}{OUTPUT_SUFFIXES[kind]}")
    rows = sum(receipt.returned for receipt in receipts)
    with storage.writing(uri) as path:
        if kind == "csv":
            header = [column.name for column in columns] if settings.has_header else []
            _join_text(receipts, header, path, storage)
        else:
            columns = _join_tables(receipts, kind, path, storage)
        part = Part(
            uri=uri, rows=rows, size_bytes=path.stat().st_size, sha256=sha256_of(path), name=settings.output_file_name
        )
    return part, tuple(columns)


def header_line(names: Sequence[str]) -> bytes:
    r"""Return the header that pandas' ``to_csv`` writes; nothing without columns.

    Examples
    --------
    >>> header_line(["file", "a,b"])
    b'file,"a,b"\n'
    """
    text = io.StringIO()
    if names:
        csv.writer(text, lineterminator="\n").writerow(names)
    return text.getvalue().encode()


def _pieces(receipts: Sequence[MiniBatchReceipt], storage: Storage) -> Iterator[tuple[MiniBatchReceipt, Path]]:
    """Give a private copy of each piece, one at a time, with the bytes that its receipt names."""
    for receipt in receipts:
        if receipt.rows is None:
            continue
        with private_folder() as folder:
            copy = folder / "piece"
            if storage.copy_to_local(receipt.rows.uri, copy) != receipt.rows.sha256:
                message = (
                    f"{receipt.rows.uri} was changed after it was written: its SHA-256 is not its receipt's. Remove "
                    "it, and run the task again."
                )
                raise ArtifactIntegrityError(message)
            yield receipt, copy


def _join_text(receipts: Sequence[MiniBatchReceipt], header: Sequence[str], path: Path, storage: Storage) -> None:
    with path.open("wb") as whole:
        whole.write(header_line(header))
        for _, copy in _pieces(receipts, storage):
            with copy.open("rb") as piece:
                shutil.copyfileobj(piece, whole, 1 << 20)


def _join_tables(
    receipts: Sequence[MiniBatchReceipt], kind: str, path: Path, storage: Storage
) -> tuple[ColumnSpec, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from airflow_batch_inference.formats.writers import PartWriter

    schema = _schema([receipt for receipt in receipts if receipt.returned], storage)
    with PartWriter(path, kind, schema, {}) as writer:
        for receipt, copy in _pieces(receipts, storage):
            for batch in pq.ParquetFile(copy).iter_batches(_COPIED_ROWS) if receipt.returned else ():
                writer.write(pa.Table.from_batches([batch]).cast(schema))
    return tuple(ColumnSpec(name=field.name, type=str(field.type)) for field in schema)


def _schema(receipts: Sequence[MiniBatchReceipt], storage: Storage) -> pa.Schema:
    """Return types that hold each column of all mini-batches.

    Raises
    ------
    ScriptError
        There are none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, first = None, -1
    for receipt, copy in _pieces(receipts, storage):
        own = pq.read_schema(copy)
        if schema is None:
            schema, first = own, receipt.index
            continue
        try:
            schema = pa.unify_schemas([schema, own], promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            message = (
                f"What run() returned for mini-batch {receipt.index} has other types than before (mini-batch {first} "
                f"was the first): {error}. Return one type a column, or let output_file_name end with .csv."
            )
            raise ScriptError(message) from error
    return pa.schema([]) if schema is None else schema
