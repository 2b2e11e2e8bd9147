"""The types of a CSV file's columns, which hold for every row, and how many rows there are.

Invariants: a type is never guessed from the first rows only; an integer keeps its digits, and a code its form; and text
that a model takes as text is read as it stands there.
"""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.csv.borders import has_regular_quotes
from airflow_batch_inference.formats.csv.header import require_names, require_width
from airflow_batch_inference.formats.csv.numbers import Forms, GroupedNumbers, holds
from airflow_batch_inference.formats.csv.parser import CsvForm, open_csv
from airflow_batch_inference.formats.csv.source import CsvSource
from airflow_batch_inference.formats.reading import is_time
from airflow_batch_inference.formats.streams import open_stream
from airflow_batch_inference.schema.casting import loses_digits
from airflow_batch_inference.schema.casts import large_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_batch_inference.formats.reading import Reading
    from airflow_batch_inference.storage.store import Storage

_CSV_ERROR = re.compile(r"In CSV column #(\d+):.*?CSV conversion error to .+?: (?:invalid value '(.*)')?", re.DOTALL)
_EMPTY = "Empty CSV file"
_SURVEYED_MISFITS = 2
"""Columns whose type turns out wrong, before all are looked at together."""


class _Counter:
    """Counts broken lines, and keeps none; the one behind the last is not of the file."""

    count = 0
    has_ended = False

    def __init__(self, source: CsvSource) -> None:
        self._source = source

    def __call__(self, row: pa_csv.InvalidRow) -> None:
        if self._source.end_mark is not None and row.text == self._source.end_mark:
            self.has_ended = True
        else:
            self.count += 1


class CsvInspection:
    """Reads a whole file, as often as a value does not fit its column's type, until all do.

    Attributes
    ----------
    form
        What the file looks like; its blocks grow with its longest line.
    schema, rows, broken, codes
        What was found: columns, all rows, those that cannot be read, and columns of codes such as ``007``.
    """

    def __init__(self, uri: str, storage: Storage, compression: str | None, reading: Reading, form: CsvForm) -> None:
        self.form = form
        self.schema: pa.Schema = pa.schema([])
        self.rows = self.broken = 0
        self.codes: frozenset[str] = frozenset()
        self._uri, self._storage, self._compression, self._reading = uri, storage, compression, reading
        self._grouped = GroupedNumbers.of(reading.csv)
        self._types: dict[str, pa.DataType] = {} if self._grouped else reading.forced_types()
        self._names: list[str] = []
        self._is_alone = False
        self._misfits = 0

    def run(self) -> CsvInspection:
        """Look at all rows, and return this.

        Raises
        ------
        DataError, ValueError, pyarrow.ArrowInvalid
            The file is damaged, or is not what was said of it.
        """
        try:
            if self._name_columns():
                self._look()
        except UnicodeDecodeError as error:
            raise DataError(self._no_utf_8("its first row")) from error
        for name in self._names:
            if pa.types.is_binary(self._types[name]):
                raise DataError(self._no_utf_8(f"column {name!r}"))
        return self

    def _no_utf_8(self, where: str) -> str:
        return (
            f"{self._uri} is not valid UTF-8 text ({where}). Give csv_options the encoding that it was written with, "
            'such as {"encoding": "cp1252"} or {"encoding": "latin-1"}.'
        )

    def _never_closed(self, rows: int) -> str:
        where = f"row {rows - 1} (from 0)" if rows else "the first row"
        return (
            f"{self._uri} has a quote in {where} that is never closed, so all lines behind it would be one value. "
            'Close it in the file; or, if quotes mean nothing there, give csv_options={"quote": ""}.'
        )

    def _source(self, raw: Any, *, watches: bool = False) -> CsvSource:  # noqa: ANN401  # a stream
        watched = self.form if watches else None
        return CsvSource(raw, self._uri, self.form.options, is_start=True, watched=watched)

    def _name_columns(self) -> bool:
        """Look at the first row, where the names do not simply stand there; say whether there is more to read."""
        options = self.form.options
        if options.names is None and options.has_header:
            return True
        cells = self._first_row()
        if cells is None:
            return False
        names = options.names or tuple(f"column_{place}" for place in range(len(cells)))
        require_names(cells, options, separator=self.form.separator, known=None, where=self._uri)
        require_width(cells, names, self._uri, is_data=not options.has_header)
        self.form = replace(self.form, names=tuple(names))
        if options.has_header and self._is_alone:
            self.schema = pa.schema([pa.field(name, pa.null()) for name in names])
            return False
        return True

    def _first_row(self) -> list[str] | None:
        while True:
            with open_stream(self._uri, self._storage, self._compression) as raw:
                try:
                    return list(open_csv(self._source(raw), self.form, {}, on_broken=lambda _: None).schema.names)
                except pa.ArrowInvalid as error:
                    if _EMPTY in str(error) and (text := self._row_alone()) is not None:
                        self._is_alone = True
                        return self._cells(text)
                    self.form = self.form.grown(error, self._storage)

    def _row_alone(self) -> bytes | None:
        """Return a file's only row, if it has no other: where no line end follows, it is none to the parser.

        None stands for a first row (or blank lines before it) that is longer than a block.
        """
        with open_stream(self._uri, self._storage, self._compression) as raw:
            source = self._source(raw)
            text = source.read(self.form.block_bytes).strip(b"\r\n" if self.form.separator == "\t" else b"\r\n\t ")
            return None if source.read(1) or b"\n" in text else text

    def _cells(self, row: bytes) -> list[str] | None:
        """Return a row's cells; None where it has none."""
        if not row:
            return None
        return list(open_csv(io.BytesIO(row + b"\n"), self.form, {}, on_broken=lambda _: None).schema.names)

    def _look(self) -> None:
        """Read and count all rows, and find the type of each column."""
        while True:
            with open_stream(self._uri, self._storage, self._compression) as raw:
                source = self._source(raw, watches=True)
                broken = _Counter(source)
                try:
                    large = self._read(source, broken)
                except pa.ArrowInvalid as error:
                    if _EMPTY in str(error) and (text := self._row_alone()) is not None:
                        self._take_header_alone(self._cells(text))
                        return
                    if _EMPTY in str(error) and source.end_mark is not None:
                        raise DataError(self._never_closed(0)) from error
                    self._mend(error)
                    continue
            if large is None:
                continue
            break
        self._require_quotes(source)
        if source.end_mark is not None and not broken.has_ended:
            raise DataError(self._never_closed(self.rows + broken.count))
        self.codes = frozenset(self._odd_integers(source, large))
        self._types |= dict.fromkeys(self.codes, pa.string())
        self.broken = broken.count
        self.rows += broken.count
        self.schema = pa.schema([pa.field(name, self._types[name]) for name in self._names])

    def _read(self, source: CsvSource, broken: _Counter) -> set[str] | None:
        """Read the file; return the columns with large numbers, or None where it must be read with other types."""
        reader = self._open(source, self._types, broken)
        self._names = list(reader.schema.names)
        if self.form.names is None:
            self._require_names(self._names)
        if self._grouped is not None:
            return self._read_grouped(reader)
        kinds = self._reading.guessed(self._names, reader.schema.types)
        guessed = {name: self._types.get(name, kind) for name, kind in kinds.items()}
        self._types |= guessed
        if [guessed[name] for name in self._names] != reader.schema.types:
            return None
        self.rows, large = 0, set[str]()
        for batch in reader:
            self.rows += batch.num_rows
            large |= set(large_numbers(batch))
        return large

    def _open(
        self,
        source: CsvSource,
        types: dict[str, pa.DataType],
        broken: Callable[..., None],
        columns: Sequence[str] = (),
    ) -> Any:  # noqa: ANN401  # pyarrow has no annotations
        return open_csv(
            source,
            self.form,
            types,
            columns,
            on_broken=broken,
            names=self.form.names,
            skips_header=self.form.options.has_header and self.form.names is not None,
        )

    def _require_names(self, cells: list[str]) -> None:
        require_names(
            cells, self.form.options, separator=self.form.separator, known=self._reading.names, where=self._uri
        )

    def _take_header_alone(self, cells: list[str] | None) -> None:
        if cells is not None:
            self._require_names(cells)
            self.schema = pa.schema([pa.field(name, pa.null()) for name in cells])

    def _mend(self, error: pa.ArrowInvalid) -> None:
        """Widen the column's type that a value does not fit, or the block that a line does not.

        Raises
        ------
        pyarrow.ArrowInvalid, ValueError
            It is another error, or the line is too long.
        """
        match = _CSV_ERROR.search(str(error))
        if match is None:
            self.form, self._misfits = self.form.grown(error, self._storage), 0
            return
        if not self._names:  # the first block has the value
            self._names = list(self.form.names or self._first_row() or ())
        name = self._names[int(match.group(1))]
        self._types[name] = self._widened(name, match.group(2) or "")
        self._misfits += 1
        if self._misfits == _SURVEYED_MISFITS:
            self._widen_others()

    def _widen_others(self) -> None:
        """Look at all other columns' values: one by one, each type that does not hold would cost another reading."""
        known = {name: kind for name in self._names if (kind := self._types.get(name)) is not None}
        open_ones = {name for name, kind in known.items() if not (pa.types.is_string(kind) or is_time(kind))}
        # What the parser stumbles over, the next reading says.
        with contextlib.suppress(pa.ArrowInvalid):
            for batch in self._texts(open_ones):
                for name in batch.schema.names:
                    self._types[name] = self._holding(name, batch.column(name).drop_null())

    def _holding(self, name: str, text: pa.Array) -> pa.DataType:
        """Return the type that holds a column's values so far and these; never a wider one than the parser needs."""
        kind = self._types[name]
        if pa.types.is_null(kind) and len(text):
            kind = self._type_of_text(name, text[0].as_py())
        text = pc.utf8_trim_whitespace(text)
        while not (pa.types.is_string(kind) or is_time(kind)) and not holds(text, kind, self.form.options):
            kind = pa.float64() if pa.types.is_integer(kind) else pa.string()
        return kind

    def _widened(self, name: str, text: str) -> pa.DataType:
        current = self._types[name]
        if pa.types.is_string(current):
            return pa.binary()
        if pa.types.is_null(current):
            return self._type_of_text(name, text)
        return pa.float64() if pa.types.is_integer(current) else pa.string()

    def _type_of_text(self, name: str, text: str) -> pa.DataType:
        """Guess the type of a column whose first value comes after a block of empty ones."""
        if set(text) & set(f'{self.form.separator}{self.form.quote}"\n\r'):
            return pa.string()
        guessed: pa.DataType = self._guess(text)
        if pa.types.is_null(guessed) or is_time(guessed):
            return self._reading.forced(name) or pa.string()
        return guessed

    def _guess(self, text: str) -> pa.DataType:
        options = pa_csv.ConvertOptions(decimal_point=self.form.options.decimal or ".")
        parse = pa_csv.ParseOptions(delimiter=self.form.separator)
        data = io.BytesIO(b"value\n" + text.encode() + b"\n")
        return pa_csv.read_csv(data, convert_options=options, parse_options=parse).schema.field(0).type

    def _odd_integers(self, source: CsvSource, large: set[str]) -> set[str]:
        """Find the columns of which a number would change a value: a long integer, or a code such as ``007``."""
        looks = source.has_codes and self._grouped is None
        numbers = {name for name in self._names if looks and self._may_hold_codes(name)}
        found: set[str] = set()
        if not numbers and not large:
            return found
        forms = {name: Forms() for name in numbers}
        for batch in self._texts(numbers | large):
            found |= {name for name in large - found if loses_digits(batch.column(name))}
            for name in numbers - found:
                forms[name].add(batch.column(name))
        return found | {name for name in numbers if forms[name].are_codes}

    def _may_hold_codes(self, name: str) -> bool:
        kind = self._types[name]
        return (pa.types.is_integer(kind) or pa.types.is_floating(kind)) and not self._reading.is_number(name)

    def _texts(self, columns: set[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns as the text that they are, and no others."""
        if not columns:
            return
        with open_stream(self._uri, self._storage, self._compression) as raw:
            types = dict.fromkeys(columns, pa.string())
            yield from self._open(self._source(raw), types, lambda _: None, sorted(columns))

    def _read_grouped(self, reader: Any) -> set[str] | None:  # noqa: ANN401  # pyarrow has no annotations
        """Read all columns as text, and find out which hold numbers with marks between thousands."""
        texts = dict.fromkeys(self._names, pa.string())
        if self._types != texts and any(kind != pa.string() for kind in reader.schema.types):
            self._types = texts
            return None
        kinds = {name: self._start(name) for name in self._names}
        self.rows = 0
        for batch in reader:
            self.rows += batch.num_rows
            for name in self._names:
                kinds[name] = self._grouped.type_of(  # type: ignore[union-attr]  # there is one here
                    batch.column(name), kinds[name], wants_number=self._reading.is_number(name)
                )
        self._types = kinds
        return set()

    def _start(self, name: str) -> pa.DataType:
        return pa.null() if self._reading.forced(name) is None else pa.string()

    def _require_quotes(self, source: CsvSource) -> None:
        """Refuse a file whose quotes are escaped by backslashes, as Spark writes them.

        Raises
        ------
        DataError
            A quote stands behind a backslash, and with doubled quotes alone the file makes no sense.
        """
        quote = self.form.quote
        if not source.has_backslash_quote or self.form.options.escape is not None or quote != '"':
            return
        with open_stream(self._uri, self._storage, self._compression) as raw:
            if has_regular_quotes(self._source(raw), separator=self.form.separator, quote=quote):  # type: ignore[arg-type]  # it reads
                return
        message = (
            f"{self._uri} has quotes behind backslashes in its values, as Spark writes them. Give "
            'csv_options={"escape": "\\\\"}; if backslashes mean nothing, give csv_options={"escape": ""}.'
        )
        raise DataError(message)
