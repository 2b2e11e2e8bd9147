"""A dataset: files of one format with one schema, read as mini-batches or column by column."""

from __future__ import annotations

import contextlib
import dataclasses
from bisect import bisect_left
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError, DataError, InputChangedError
from airflow_batch_inference.formats.json.parsing import merge_types
from airflow_batch_inference.formats.names import format_of
from airflow_batch_inference.formats.parquet.pandas_index import without_index
from airflow_batch_inference.formats.readers import inspect_file, read_tables
from airflow_batch_inference.formats.reading import Reading
from airflow_batch_inference.formats.units import BROKEN_COLUMN, FileInfo, RowRange, Unit
from airflow_batch_inference.records import ColumnSpec, CsvOptions, DataFile, ReadOptions
from airflow_batch_inference.schema.columns import append_columns
from airflow_batch_inference.sources.digest import digest_of
from airflow_batch_inference.sources.inline import inline_table, is_inline
from airflow_batch_inference.sources.listing import ListedFile, list_dataset
from airflow_batch_inference.sources.partitions import partition_value, with_partitions
from airflow_batch_inference.storage.uris import plain_uris

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from airflow_batch_inference.storage.store import Storage

INLINE = "the inline dataset"
_NO_COLUMNS = pa.schema([])


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run of rows in a mini-batch comes from."""

    uri: str
    first_row: int
    """Number of the first of these rows within the file, from 0."""
    rows: int


@dataclass(frozen=True, slots=True)
class MiniBatch:
    """Rows given to one predict call, and the files and rows they come from."""

    table: pa.Table
    origins: tuple[Origin, ...]
    broken: tuple[tuple[int, str], ...] = ()
    """Rows (their places here) that could not be read, and what is wrong with them; they are nulls in the table."""

    def locate(self, row: int) -> tuple[str, int]:
        """Return the file of a row of this mini-batch, and the row's number in the file (from 0)."""
        for origin in self.origins:
            if row < origin.rows:
                return origin.uri, origin.first_row + row
            row -= origin.rows
        message = f"row {row} lies beyond the mini-batch"
        raise IndexError(message)

    def readable(self) -> NDArray[np.bool_]:
        """Say of each row whether it could be read, shape (rows,)."""
        readable = np.ones(self.table.num_rows, dtype=bool)
        readable[[row for row, _ in self.broken]] = False
        return readable

    def slice(self, start: int, rows: int) -> MiniBatch:
        """Return a run of these rows, with their origins."""
        origins = []
        before = 0
        for origin in self.origins:
            first, last = max(start, before), min(start + rows, before + origin.rows)
            if first < last:
                origins.append(Origin(origin.uri, origin.first_row + first - before, last - first))
            before += origin.rows
        first, last = (bisect_left(self.broken, at, key=itemgetter(0)) for at in (start, start + rows))
        broken = tuple((row - start, error) for row, error in self.broken[first:last])
        return MiniBatch(self.table.slice(start, rows), tuple(origins), broken)

    def describe(self) -> str:
        """Return the files and row ranges, for messages."""
        if self.table.num_rows == 1:
            return "{}, row {} (from 0)".format(*self.locate(0))
        shown = [f"{o.uri} rows {o.first_row} to {o.first_row + o.rows - 1}" for o in self.origins[:3]]
        return ", ".join(shown) + (f" and {len(self.origins) - 3} more files" if len(self.origins) > 3 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Files (or an inline table) whose schema is known and fixed before the first row is read.

    Attributes
    ----------
    schema
        The columns: those of the files in the first file's order, then ``key=value`` folders as columns.
    absent
        Columns that some file lacks (they are null there), with the first such file.
    index
        Columns that are pandas' index, which are no columns until they are asked for (:meth:`with_index`).
    """

    name: str
    """What to call the dataset in messages."""
    files: tuple[ListedFile, ...]
    infos: tuple[FileInfo, ...]
    schema: pa.Schema
    absent: dict[str, str]
    inline: pa.Table | None
    storage: Storage
    options: ReadOptions | None = None
    """How its files are to be read another time, so that they give the same rows; None: as they are."""
    index: pa.Schema = _NO_COLUMNS
    parents: dict[str, str] = dataclasses.field(default_factory=dict)
    """Columns that are fields of a file's column, by that one's name; see :func:`flattened`."""

    @property
    def snapshot(self) -> tuple[DataFile, ...]:
        """The files as they were when the dataset was opened; an inline table as its digest."""
        if self.inline is None:
            return tuple(listed.file for listed in self.files)
        digest = digest_of(self.inline)
        return (DataFile(uri=f"inline:{digest}", size_bytes=self.inline.nbytes, version=digest),)

    def require_unchanged(self, files: Iterable[int] | None = None) -> None:
        """Refuse files that are not those that were opened: what was read of them may be of two versions.

        Parameters
        ----------
        files
            Their positions; None: all.

        Raises
        ------
        InputChangedError
            Names the file.
        """
        for listed in self.files if files is None else [self.files[file] for file in dict.fromkeys(files)]:
            _require_unchanged(listed, self.storage)

    def select(self, names: Sequence[str]) -> Dataset:
        """Return the dataset with these columns only, in this order; the others are not read."""
        places = {name: self.schema.get_field_index(name) for name in names}
        fields = [self.schema.field(at) if at >= 0 else self.index.field(name) for name, at in places.items()]
        schema = pa.schema(fields)
        return replace(self, schema=schema, inline=None if self.inline is None else self.inline.select(list(names)))

    def with_index(self, names: Iterable[str]) -> Dataset:
        """Return the dataset with those columns of pandas' index that are asked for by name, after all others."""
        asked = set(names) - set(self.schema.names)
        return replace(self, schema=pa.schema([*self.schema, *(each for each in self.index if each.name in asked)]))

    @property
    def units(self) -> tuple[tuple[Unit, ...], ...]:
        """The units of each file; an inline table is one file of one unit."""
        if self.inline is None:
            return tuple(info.units for info in self.infos)
        return ((Unit(0, None, self.inline.num_rows, self.inline.nbytes, divisible=True),),)

    def uri_of(self, file: int) -> str:
        """Return the URI of a file by its position, for messages."""
        return INLINE if self.inline is not None else self.files[file].file.uri

    def mini_batches(
        self, rows: int, *, ranges: Sequence[RowRange] | None = None, cursor: Cursor | None = None
    ) -> Generator[MiniBatch, None, None]:
        """Yield the rows in input order, ``rows`` at a time (the last one may hold fewer, never 0).

        After the last of all rows, files that were changed in the meantime are an error (:meth:`require_unchanged`).

        Parameters
        ----------
        rows
            Rows a mini-batch; borders depend on nothing else.
        ranges
            Runs of rows to read, in this order; None for all rows.
        cursor
            Remembers where the last range ended, so that the next one need not read up to there again.
        """
        pending: list[pa.Table] = []
        origins: list[Origin] = []
        held = 0
        for table, uri, first_row in self._tables(ranges, cursor):
            taken = 0
            while taken < table.num_rows:
                piece = table.slice(taken, min(rows - held, table.num_rows - taken))
                pending.append(piece)
                origins.append(Origin(uri, first_row + taken, piece.num_rows))
                taken += piece.num_rows
                held += piece.num_rows
                if held == rows:
                    yield _mini_batch(pending, origins)
                    pending, origins, held = [], [], 0
        if held:
            yield _mini_batch(pending, origins)

    def _tables(
        self, ranges: Sequence[RowRange] | None = None, cursor: Cursor | None = None
    ) -> Iterator[tuple[pa.Table, str, int]]:
        if self.inline is not None:
            for wanted in ranges if ranges is not None else [RowRange(0, 0, None, 0, 0, self.inline.num_rows)]:
                yield self.inline.slice(wanted.first_row, wanted.rows), INLINE, wanted.first_row
            return
        is_whole = ranges is None
        if ranges is None:
            ranges = [
                RowRange(file, info.units[0].start, None, 0, 0, sum(unit.rows for unit in info.units))
                for file, info in enumerate(self.infos)
                if info.units
            ]
        cursor = cursor or Cursor()
        for wanted in ranges:
            listed, first_row = self.files[wanted.file], wanted.first_row
            for table in cursor.read(self, wanted):
                conform = _conform(_unnested(table, self.parents), listed, self.schema)
                if BROKEN_COLUMN in table.column_names:
                    conform = conform.append_column(BROKEN_COLUMN, table.column(BROKEN_COLUMN))
                yield conform, listed.file.uri, first_row
                first_row += table.num_rows
        if is_whole:  # whoever asks for some rows only, asks for this himself, too
            self.require_unchanged()

    def file_tables(self, file: int, start: int, stop: int | None) -> Iterator[pa.Table]:
        """Yield one file's rows from a unit's border on, as the file has them."""
        wanted = {self.parents.get(name, name) for name in self.schema.names}
        info = self.infos[file]
        # At least one column must be read, or nothing would tell how many rows there are.
        present = [name for name in info.schema.names if name in wanted] or info.schema.names[:1]
        return read_tables(self.files[file].file.uri, self.storage, info, present, start=start, stop=stop)

    def count_rows(self) -> int:
        """Return how many rows there are."""
        return self.select(self.schema.names[:1]).whole().num_rows if self.schema.names else 0

    def whole(self) -> pa.Table:
        """Return all rows that can be read at once: for datasets that are known to be small, and for single columns."""
        tables = [_readable(table) for table, _, _ in self._tables()]
        return pa.concat_tables(tables) if tables else self.schema.empty_table()

    def first_unreadable_number(self, column: str) -> tuple[str, int, str] | None:
        """Find the first value of a text column that is no number: its file, row and text."""
        for batch in self.select([column]).mini_batches(65_536):
            text = pc.utf8_trim_whitespace(batch.table.column(column).combine_chunks())
            numeric = pc.match_substring_regex(text, r"^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|nan)$")
            found = pc.index(pc.fill_null(numeric, fill_value=True), value=False).as_py()
            if found >= 0:
                uri, row = batch.locate(found)
                return uri, row, text[found].as_py()
        return None


def flattened(dataset: Dataset) -> Dataset:
    """Return a dataset of files in which each field of a struct is a column, ``parent.field``, in the struct's place.

    Raises
    ------
    DataError
        Two columns have one name then.
    """
    fields: list[pa.Field] = []
    parents: dict[str, str] = {}
    for column in dataset.schema:
        if not pa.types.is_struct(column.type):
            fields.append(column)
            continue
        for part in column.type:
            parents[f"{column.name}.{part.name}"] = column.name
            fields.append(pa.field(f"{column.name}.{part.name}", part.type))
    names = [column.name for column in fields]
    if len(set(names)) < len(names):
        message = f"{dataset.name} has a column and a field of one name. Rename one of them."
        raise DataError(message)
    return replace(dataset, schema=pa.schema(fields), parents=parents)


def _unnested(table: pa.Table, parents: dict[str, str]) -> pa.Table:
    if not parents:
        return table
    made: dict[str, pa.ChunkedArray] = {}
    for parent in set(parents.values()) & set(table.column_names):
        column = table.column(parent)
        made |= {f"{parent}.{part.name}": each for part, each in zip(column.type, column.flatten(), strict=True)}
    return append_columns(table, made)


class Cursor:
    """Reads row ranges, and reads on where the last one ended if the next one follows it.

    A range may begin in the middle of a row group; whoever scores one range after the other reads each row once.
    """

    def __init__(self) -> None:
        self._place: tuple[int, tuple[str, ...]] | None = None
        self._tables: Iterator[pa.Table] = iter(())
        self._rest: pa.Table | None = None
        self._row = 0

    def read(self, dataset: Dataset, wanted: RowRange) -> Iterator[pa.Table]:
        """Yield the rows of one range.

        Raises
        ------
        DataError
            The file has fewer rows there, or more, than when it was planned.
        """
        place = (wanted.file, tuple(dataset.schema.names))
        sequential = format_of(dataset.uri_of(wanted.file))[0] in ("parquet", "arrow")
        start_row = wanted.first_row - wanted.skip
        if not sequential or self._place != place or not start_row <= self._row <= wanted.first_row:
            self._place = place
            stop = None if sequential else wanted.stop
            self._tables, self._rest, self._row = dataset.file_tables(wanted.file, wanted.start, stop), None, start_row
        try:
            yield from self._run(dataset, wanted)
            if not sequential:
                self._place = None
                self._require_end(dataset, wanted)
        except BaseException:
            self._place = None
            raise

    def _require_end(self, dataset: Dataset, wanted: RowRange) -> None:
        if any(table.num_rows for table in self._tables):
            raise _changed(dataset, wanted)

    def _run(self, dataset: Dataset, wanted: RowRange) -> Iterator[pa.Table]:
        end = wanted.first_row + wanted.rows
        while self._row < end:
            table = self._rest if self._rest is not None else next(self._tables, None)
            if table is None:
                raise _changed(dataset, wanted)
            before = min(max(0, wanted.first_row - self._row), table.num_rows)
            taken = min(table.num_rows - before, max(0, end - self._row - before))
            self._rest = table.slice(before + taken) if before + taken < table.num_rows else None
            self._row += before + taken
            if taken:
                yield table.slice(before, taken)


def _mini_batch(tables: list[pa.Table], origins: list[Origin]) -> MiniBatch:
    """Join tables, and take out which rows could not be read."""
    table = pa.concat_tables(tables, promote_options="default")
    if BROKEN_COLUMN not in table.column_names:
        return MiniBatch(table, _joined(origins))
    errors = table.column(BROKEN_COLUMN).to_pylist()
    broken = tuple((row, error) for row, error in enumerate(errors) if error is not None)
    return MiniBatch(table.drop_columns(BROKEN_COLUMN), _joined(origins), broken)


def _readable(table: pa.Table) -> pa.Table:
    if BROKEN_COLUMN not in table.column_names:
        return table
    return table.filter(pc.is_null(table.column(BROKEN_COLUMN))).drop_columns(BROKEN_COLUMN)


def _changed(dataset: Dataset, wanted: RowRange) -> DataError:
    last = wanted.first_row + wanted.rows - 1
    return DataError(
        f"{dataset.uri_of(wanted.file)} does not hold the rows {wanted.first_row} to {last} that it had when the run "
        "was planned: it was changed, or is not what its name says. Run the task again."
    )


def _conform(table: pa.Table, listed: ListedFile, schema: pa.Schema) -> pa.Table:
    """Give a file's table the columns, order and types of a schema."""
    if table.schema.equals(schema):
        return table
    partition, there = dict(listed.partition), set(table.column_names)
    arrays = []
    for field in schema:
        try:
            if field.name in there:
                arrays.append(table.column(field.name).cast(field.type))
            else:
                value = partition_value(partition.get(field.name), field.type)
                arrays.append(pa.chunked_array([pa.repeat(value, table.num_rows)]))
        except pa.ArrowInvalid as error:
            message = (
                f"Column {field.name!r} of {listed.file.uri} cannot become {field.type}, its type in the other files, "
                f"without a change: {error}. Write all files with one type."
            )
            raise DataError(message) from error
    return pa.Table.from_arrays(arrays, schema=schema)


def _joined(origins: list[Origin]) -> tuple[Origin, ...]:
    """Join runs of rows that follow each other in one file."""
    joined: list[Origin] = []
    for origin in origins:
        last = joined[-1] if joined else None
        if last and last.uri == origin.uri and last.first_row + last.rows == origin.first_row:
            joined[-1] = Origin(last.uri, last.first_row, last.rows + origin.rows)
        else:
            joined.append(origin)
    return tuple(joined)


def open_dataset(
    dataset: object,
    storage: Storage,
    *,
    feature_columns: Sequence[str] | None = None,
    dropped_positions: Sequence[int] = (),
    model_names: Sequence[str] | None = None,
    reading: ReadOptions | None = None,
    types: Sequence[ColumnSpec] = (),
    tolerant: bool = False,
    text_alike: bool = False,
    is_scored: bool = False,
    is_own: bool = False,
) -> Dataset:
    """Open a file, folder, glob, prediction set, list of such URIs, or inline records.

    ``reading`` says how text files are read, and which types somebody wants; ``types`` are those of the columns of text
    files that this package has written; all others are told by the values. ``model_names`` are those that a model takes
    (for lists without names, for pandas' index, and to tell whether the first row of a CSV file has any). With
    ``tolerant``, lines of text files that cannot be read are rows that mini-batches name as broken. With it or
    ``text_alike``, a column that is text in one CSV file is text in all. ``is_scored`` says that the caller has
    arguments for the columns of inline lists, and ``is_own`` that this package itself has written the files.

    Raises
    ------
    ConfigurationError
        The argument is none of these.
    ArtifactNotFoundError, DataError
        A file is missing, damaged, of an unknown format, or does not go with the others.
    """
    dataset = plain_uris(dataset)
    if is_inline(dataset):
        table = inline_table(
            dataset,
            feature_columns=feature_columns,
            dropped=dropped_positions,
            model_names=model_names,
            is_scored=is_scored,
        )
        return Dataset(name=INLINE, files=(), infos=(), schema=table.schema, absent={}, inline=table, storage=storage)
    if not isinstance(dataset, (str, list, tuple)):
        message = (
            f"dataset is a {type(dataset).__name__}; give a URI, a list of URIs, inline records (lists or dicts), a "
            "NumPy array, a pandas or polars DataFrame, or an Arrow table."
        )
        raise ConfigurationError(message)
    storage = storage.keeping()
    files = tuple(
        listed for listed in list_dataset(dataset, storage) if listed.file.size_bytes > 0 or _has_header(listed)
    )
    kinds = {format_of(listed.file.uri)[0]: listed.file.uri for listed in files}
    if len(kinds) > 1:
        mixed = ", ".join(f"{kind} ({uri})" for kind, uri in kinds.items())
        message = f"The dataset mixes formats: {mixed}. Choose one with a glob, such as …/*.parquet."
        raise DataError(message)
    known = _known(reading, types, model_names, is_own)
    infos = [_inspected(listed, storage, known, tolerant=tolerant) for listed in files]
    for listed, info in zip(files, infos, strict=True):
        _require_columns(listed, info)
    # A compressed text file may hold nothing, too.
    pairs = [(listed, info) for listed, info in zip(files, infos, strict=True) if info.schema.names]
    files = tuple(listed for listed, _ in pairs)
    found = tuple(replace(info, schema=_with_types(info.schema, [*listed.types, *types])) for listed, info in pairs)
    if "csv" in kinds:
        found = _with_text_alike(found, all_text=tolerant or text_alike)
    schema, absent = _unite(files, [info.schema for info in found])
    schema, index = without_index(schema, found, {key for listed in files for key, _ in listed.partition})
    schema = with_partitions(schema, files, known)
    more = "" if isinstance(dataset, str) or len(dataset) <= 1 else f" (and {len(dataset) - 1} more)"
    opened = Dataset(
        name=f"{dataset if isinstance(dataset, str) else next(iter(dataset), 'an empty list')}{more}",
        files=files,
        infos=found,
        schema=schema,
        absent=absent,
        inline=None,
        storage=storage,
        options=_again(known, schema, kinds) if "csv" in kinds or "jsonl" in kinds or _has_folders(files) else None,
        index=index,
    )
    whole = opened.with_index(model_names or ())
    return flattened(whole) if any(listed.is_nested for listed in files) else whole


def _inspected(listed: ListedFile, storage: Storage, known: Reading, *, tolerant: bool) -> FileInfo:
    try:
        return inspect_file(listed.file.uri, storage, tolerant=tolerant, known=_known_of(listed, known))
    except DataError:
        _require_unchanged(listed, storage)  # half of a file that is being written is no damaged file
        raise


def _require_unchanged(listed: ListedFile, storage: Storage) -> None:
    planned, now = listed.file, storage.versioned(listed.file.uri)
    if now != planned:
        message = (
            f"{planned.uri} was changed while it was being read ({planned.size_bytes} bytes, version "
            f"{planned.version}; now {now.size_bytes}, {now.version}). Run the task again when its writer is done."
        )
        raise InputChangedError(message)


def _known(
    reading: ReadOptions | None, types: Sequence[ColumnSpec], names: Sequence[str] | None, is_own: bool
) -> Reading:
    """Return what is known before the files are looked at; what this package has written has a header."""
    options = reading or ReadOptions()
    if types:
        options = ReadOptions(csv=replace(options.csv, header=True), types=tuple(types))
    return Reading(options, None if names is None else tuple(names), is_own=is_own)


def _known_of(listed: ListedFile, known: Reading) -> Reading:
    """Return what is known of a file; of a prediction set's, whatever is said of other text files, what wrote it."""
    if not listed.types:
        return known
    return replace(known, options=ReadOptions(csv=CsvOptions(header=True), types=listed.types), is_own=listed.is_own)


def _has_folders(files: Sequence[ListedFile]) -> bool:
    return any(listed.partition for listed in files)


def _again(known: Reading, schema: pa.Schema, kinds: Collection[str]) -> ReadOptions:
    """Return the options that give the same rows of the same files, whoever asks."""
    csv = replace(known.csv, header=known.csv.has_header) if "csv" in kinds else CsvOptions()
    return ReadOptions(csv=csv, types=tuple(ColumnSpec(name=field.name, type=str(field.type)) for field in schema))


def _require_columns(listed: ListedFile, info: FileInfo) -> None:
    """Refuse rows without any column, as empty JSON objects are: nothing could be read of them, nor would they count.

    Raises
    ------
    DataError
        There are some.
    """
    rows = sum(unit.rows for unit in info.units)
    if rows and not info.schema.names:
        message = (
            f"{listed.file.uri} holds {rows} row(s) and no column at all. Write them with their columns, or leave the "
            "file out."
        )
        raise DataError(message)


def _with_types(schema: pa.Schema, types: Sequence[ColumnSpec]) -> pa.Schema:
    """Read text columns as what they were when they were written."""
    fields = list(schema)
    for spec in types:
        position = schema.get_field_index(spec.name)
        if position >= 0:
            with contextlib.suppress(ValueError, KeyError):
                fields[position] = pa.field(spec.name, pa.type_for_alias(spec.type))
    return pa.schema(fields)


def _with_text_alike(infos: tuple[FileInfo, ...], *, all_text: bool) -> tuple[FileInfo, ...]:
    """Read a column as text from every CSV file where one of them holds codes such as 007, or a single bad value."""
    texts = {name for info in infos for name in info.codes}
    if all_text:
        texts |= {field.name for info in infos for field in info.schema if pa.types.is_string(field.type)}
    if not texts:
        return infos
    spec = [ColumnSpec(name=name, type="string") for name in sorted(texts)]
    return tuple(replace(info, schema=_with_types(info.schema, spec)) for info in infos)


def _has_header(listed: ListedFile) -> bool:
    """Say whether 0 bytes are too few for a file of this format: text may be empty, Parquet and Arrow may not."""
    return format_of(listed.file.uri)[0] in ("parquet", "arrow")


def _unite(files: Sequence[ListedFile], schemas: Sequence[pa.Schema]) -> tuple[pa.Schema, dict[str, str]]:
    types: dict[str, pa.DataType] = {}
    source: dict[str, str] = {}
    for listed, schema in zip(files, schemas, strict=True):
        for field in schema:
            known = types.setdefault(field.name, field.type)
            source.setdefault(field.name, listed.file.uri)
            try:
                types[field.name] = merge_types(known, field.type)
            except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
                message = (
                    f"Column {field.name!r} holds {field.type} in {listed.file.uri}, but {known} in "
                    f"{source[field.name]}. Write both with one type."
                )
                raise DataError(message) from error
    absent: dict[str, str] = {}
    for listed, schema in zip(files, schemas, strict=True):
        if len(schema) < len(types):
            for name in types.keys() - set(schema.names):
                absent.setdefault(name, listed.file.uri)
    return pa.schema(list(types.items())), absent
