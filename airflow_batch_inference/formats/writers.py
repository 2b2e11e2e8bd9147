"""One writer a format: tables in, one file out, row groups that do not depend on the mini-batches."""

from __future__ import annotations

import contextlib
import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.names import PART_FORMAT
from airflow_batch_inference.formats.written_types import TEXT_FORMATS, as_written, json_value, written_type
from airflow_batch_inference.storage.local_files import begin_sync

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future
    from typing import Self

_REFUSALS = (pa.ArrowException, ValueError, TypeError, OverflowError, NotImplementedError, LookupError, AttributeError)
"""What the writers raise of values that they cannot hold."""
_GROUP_ROWS = 65_536
_PAGE_ROWS = 1_024
_SAMPLED_ROWS = 2_048
_FASTEST = pa.Codec("zstd", 1)


class _Sink(Protocol):
    def write(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


class _ParquetSink:
    """Zstandard for the columns that it makes smaller, which the first group tells; no dictionaries of floats."""

    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        # A writer that opens the file itself leaves it open where its last write fails: on a full disk.
        self._path = path
        self._file = pa.OSFile(str(path), "wb")
        self._begun = 0
        self._schema = schema.with_metadata(dict(metadata))
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = self._open(table)
        self._writer.write_table(table.replace_schema_metadata(self._schema.metadata), row_group_size=_GROUP_ROWS)
        self._begin_sync()

    def _begin_sync(self) -> None:
        """Let the disk take what was written while the next rows are encoded, or the file is hashed."""
        written = self._file.tell()
        begin_sync(self._path, self._begun, written - self._begun)
        self._begun = written

    def close(self) -> None:
        try:
            writer = self._writer or self._open(self._schema.empty_table())
            writer.close()
        finally:
            self._file.close()

    def _open(self, first: pa.Table) -> pq.ParquetWriter:
        others = [field.name for field in self._schema if not pa.types.is_floating(field.type)]
        smaller = [name for name in self._schema.names if not _is_dense(first.column(name))]
        return pq.ParquetWriter(
            self._file,
            self._schema,
            **_compression(self._schema, smaller),
            # Dictionaries of floats cost four to eight times the time and save no bytes.
            use_dictionary=others or False,
            write_page_checksum=True,
        )


def _compression(schema: pa.Schema, smaller: Sequence[str]) -> dict[str, Any]:
    """Compress some columns; all, where a nested one is among them: its leaves have names of their own."""
    if len(smaller) == len(schema) or any(pa.types.is_nested(field.type) for field in schema):
        return {"compression": "zstd", "compression_level": 1}
    codecs = dict.fromkeys(schema.names, "none") | dict.fromkeys(smaller, "zstd")
    return {"compression": codecs, "compression_level": dict.fromkeys(smaller, 1)}


def _is_dense(column: pa.ChunkedArray) -> bool:
    """Say whether compressing these floats would save less than a tenth: it takes as long as encoding all else."""
    if not pa.types.is_floating(column.type) or not len(column):
        return False
    values = column.slice(0, _SAMPLED_ROWS).combine_chunks().drop_null()
    if not len(values):
        return False
    width = values.type.bit_width // 8
    data = values.buffers()[1].slice(values.offset * width, len(values) * width)
    return len(_FASTEST.compress(data, asbytes=True)) > 0.9 * len(data)


class _ArrowSink:
    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._schema = schema.with_metadata(dict(metadata))
        # An Arrow file has one dictionary a column, which may only grow.
        options = pa.ipc.IpcWriteOptions(compression="zstd", emit_dictionary_deltas=True)
        self._writer = pa.ipc.new_file(str(path), self._schema, options=options)
        self._known: dict[int, pa.Array] = {}

    def write(self, table: pa.Table) -> None:
        # A slice would be padded with the rows that follow it; joined with nothing, it is copied to its own memory.
        own = pa.concat_tables([table.slice(0, 0), table]).combine_chunks()
        columns = [
            self._grown(place, column) if pa.types.is_dictionary(column.type) else column
            for place, column in enumerate(own.columns)
        ]
        own = pa.Table.from_arrays(columns, schema=own.schema)
        self._writer.write_table(own.replace_schema_metadata(self._schema.metadata))

    def _grown(self, place: int, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return a column with the dictionary of the groups before, to which its own new values are added."""
        chunk = column.combine_chunks()
        known = self._known.get(place)
        if known is None:
            self._known[place] = chunk.dictionary
            return column
        fresh = chunk.dictionary.filter(pc.invert(pc.is_in(chunk.dictionary, value_set=known)))
        whole = self._known[place] = pa.concat_arrays([known, fresh])
        indices = pc.index_in(chunk.dictionary, value_set=whole).take(chunk.indices).cast(chunk.type.index_type)
        return pa.chunked_array([pa.DictionaryArray.from_arrays(indices, whole, ordered=chunk.type.ordered)])

    def close(self) -> None:
        self._writer.close()


class _CsvSink:
    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, str]) -> None:  # noqa: ARG002  # no footer
        # In a file of one column a null would be an empty line, which readers pass over: written as text it is "".
        kinds = [(field.name, written_type(field.type, "csv")) for field in schema]
        self._schema = pa.schema([(schema.names[0], pa.string())] if len(schema) == 1 else kinds)
        self._writer = pa_csv.CSVWriter(str(path), self._schema)

    def write(self, table: pa.Table) -> None:
        table = as_written(table, "csv")
        if len(self._schema) == 1:
            text = table.column(0).cast(pa.string()).fill_null("")
            table = pa.Table.from_arrays([text], schema=self._schema)
        self._writer.write_table(table.cast(self._schema))

    def close(self) -> None:
        self._writer.close()


class _JsonLinesSink:
    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, str]) -> None:  # noqa: ARG002  # no footer
        self._file = path.open("w", encoding="utf-8")

    def write(self, table: pa.Table) -> None:
        for row in as_written(table, "jsonl").to_pylist():
            finite = {name: _json_value(value) for name, value in row.items()}
            self._file.write(json.dumps(finite, ensure_ascii=False, allow_nan=False, default=json_value) + "\n")

    def close(self) -> None:
        self._file.close()


def _json_value(value: object) -> object:
    """JSON has no NaN and no infinity: NaN is null, as a missing value is; infinity is text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, (list, tuple)):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return {key: _json_value(item) for key, item in value.items()}
    return value


_SINKS: dict[str, type[_ParquetSink | _ArrowSink | _CsvSink | _JsonLinesSink]] = {
    "parquet": _ParquetSink,
    "arrow": _ArrowSink,
    "csv": _CsvSink,
    "jsonl": _JsonLinesSink,
}


class PartWriter:
    """Writes one part; a context manager that closes the file also where the block raises.

    Rows are gathered and written in groups of one size, so that the file's bytes depend on the rows alone. A group is
    encoded in a thread of its own while the caller reads and predicts the next; at most one group waits.

    Parameters
    ----------
    path
        A local file that nobody else reads yet.
    output_format
        ``parquet``, ``csv``, ``arrow`` or ``jsonl``.
    schema
        The columns; fixed before the first row.
    metadata
        Provenance for the footer, where the format has one.
    """

    def __init__(self, path: Path, output_format: str, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
        self._format = output_format
        self._sink: _Sink = _SINKS[output_format](path, schema, metadata)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="part-writer")
        self._writing: Future[None] | None = None
        self._gathered: list[pa.Table] = []
        self._held = 0
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._held:
                self._flush(self._held)
            if kind is None:
                self._wait()
        finally:
            self._thread.shutdown()
            with contextlib.nullcontext() if kind is None else contextlib.suppress(OSError):
                self._sink.close()

    def write(self, table: pa.Table) -> None:
        """Append rows; ``table`` must have the writer's schema."""
        self._gathered.append(table)
        self._held += table.num_rows
        self.rows += table.num_rows
        group = self._held if self._format in TEXT_FORMATS else _GROUP_ROWS  # text has no groups
        while self._held and self._held >= group:
            self._flush(group)

    def _flush(self, rows: int) -> None:
        gathered = pa.concat_tables(self._gathered)
        group = gathered.slice(0, rows)
        if not _ends_on_pages(group):
            group = group.combine_chunks()
        self._wait()
        self._writing = self._thread.submit(self._write, group)
        rest = gathered.slice(rows)
        self._gathered = [rest] if rest.num_rows else []
        self._held = rest.num_rows

    def _write(self, group: pa.Table) -> None:
        """Write a group.

        Raises
        ------
        DataError
            The format cannot hold a value: names the column and its type.
        """
        try:
            self._sink.write(group)
        except _REFUSALS as error:
            if isinstance(error, OSError):  # Arrow's own errors of input and output
                raise
            column, reason = _culprit(group, self._format) or (None, error)
            whose = "" if column is None else f"column {column!r} ({group.schema.field(column).type}): "
            remedy = "Leave" if self._format == PART_FORMAT else "Choose another output_format, or leave"
            message = (
                f"The output cannot be written as {self._format}: {whose}{reason}. {remedy} the column out "
                "(passthrough_columns, drop_columns)."
            )
            raise DataError(message) from error

    def _wait(self) -> None:
        """Wait for the group that is being written, and raise what went wrong with it."""
        if self._writing is not None:
            self._writing.result()


def _culprit(table: pa.Table, output_format: str) -> tuple[str, Exception] | None:
    """Return the first column that cannot be written alone, and why; None where each can."""
    for name in table.column_names:
        alone = table.select([name])
        try:
            alone.validate(full=True)
            sink = _SINKS[output_format](Path(os.devnull), alone.schema, {})
            try:
                sink.write(alone)
            finally:
                sink.close()
        except _REFUSALS as error:
            return name, error
    return None


def _ends_on_pages(table: pa.Table) -> bool:
    """Say whether a Parquet file has the same bytes as if each column were one chunk.

    A page ends at a multiple of 1,024 rows, or where a chunk ends; chunks of a dictionary column may differ in theirs.
    """
    if any(pa.types.is_nested(kind) or pa.types.is_dictionary(kind) for kind in table.schema.types):
        return False
    return all(len(chunk) % _PAGE_ROWS == 0 for column in table.columns for chunk in column.chunks[:-1])
