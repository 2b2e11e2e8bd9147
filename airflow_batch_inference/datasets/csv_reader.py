"""CSV: types that hold for every row, byte ranges that can be read alone, and lines that are no rows, by number.

What must not be relaxed: a type is never guessed from the first rows only; an integer keeps its digits; and a line of
too few or too many values keeps its row number, and that of every row after it.
"""

from __future__ import annotations

import io
import itertools
import re
from collections import deque
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from airflow_batch_inference.datasets.csv_borders import csv_borders
from airflow_batch_inference.datasets.streams import BLOCK_BYTES, open_stream
from airflow_batch_inference.datasets.units import FileInfo, Unit
from airflow_batch_inference.signature import large_numbers, loses_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_batch_inference.storage import Storage

_TEXT_UNIT_ROWS = 65_536
_SHOWN_CHARACTERS = 200
BROKEN_COLUMN = "__broken_line__"
"""In tables with CSV lines of too few or too many values: what is wrong with a row; null where nothing is."""
_CSV_ERROR = re.compile(r"In CSV column #(\d+):.*?CSV conversion error to ([^:]+): invalid value '(.*)'", re.DOTALL)


def _csv_reader(
    source: object,
    types: dict[str, pa.DataType],
    columns: Sequence[str] = (),
    *,
    on_broken: Callable[[pa_csv.InvalidRow], None],
    without_header: bool = False,
    is_numbered: bool = False,
) -> Any:  # noqa: ANN401
    """Open a stream of record batches; lines of too few or too many values are told and passed over.

    Only one thread can tell their numbers (``is_numbered``).
    """

    def pass_over(row: pa_csv.InvalidRow) -> str:
        on_broken(row)
        return "skip"

    return pa_csv.open_csv(
        source,
        read_options=pa_csv.ReadOptions(
            block_size=BLOCK_BYTES,
            column_names=list(types) if without_header else None,
            use_threads=not is_numbered,
        ),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=pass_over),
        convert_options=pa_csv.ConvertOptions(
            column_types=types, strings_can_be_null=True, include_columns=list(columns)
        ),
    )


class _Counter:
    """Counts broken lines, and keeps none."""

    count = 0

    def __call__(self, _: pa_csv.InvalidRow) -> None:
        self.count += 1


def inspect_csv(uri: str, storage: Storage, compression: str | None) -> FileInfo:
    """Return the columns and units of a file; broken lines count as rows."""
    schema, rows, broken = _csv_schema(uri, storage, compression)
    borders = None
    if not compression:
        with open_stream(uri, storage, None) as source:
            borders = csv_borders(source, every_rows=_TEXT_UNIT_ROWS)
    # Where our count and the parser's differ, the file has a form that only the parser knows.
    if borders is None or borders[-1].records - 1 != rows:
        size = storage.stat(uri).size_bytes
        return FileInfo(schema, (Unit(0, None, rows, size, divisible=False),) if rows else (), broken)
    units = [
        Unit(left.offset, right.offset, right.records - left.records, right.offset - left.offset, divisible=False)
        for left, right in itertools.pairwise(borders)
    ]
    return FileInfo(schema, tuple(units), broken)


def _csv_schema(uri: str, storage: Storage, compression: str | None) -> tuple[pa.Schema, int, int]:
    """Read and count all rows and the broken ones among them.

    A column's type is widened (integer, number, text) whenever a value does not fit.
    """
    types: dict[str, pa.DataType] = {}
    names: list[str] = []
    rows = 0
    checked: set[str] = set()
    while True:
        with open_stream(uri, storage, compression) as source:
            broken = _Counter()
            try:
                reader = _csv_reader(source, types, on_broken=broken)
                names = reader.schema.names
                types = {field.name: field.type for field in reader.schema} | types
                rows, large = 0, set()
                for batch in reader:
                    rows += batch.num_rows
                    large |= set(large_numbers(batch)) - checked
            except pa.ArrowInvalid as error:
                if "Empty CSV file" in str(error):
                    return _header_alone(uri, storage, compression, error), 0, 0
                types |= _widened(error, names, types)
                continue
        if not large:
            break
        checked |= large
        types |= {name: pa.string() for name in _rounded_integers(uri, storage, compression, types, large)}
    for name, kind in types.items():
        if pa.types.is_binary(kind):
            message = f"column {name!r} is not valid UTF-8 text"
            raise ValueError(message)
    return pa.schema([pa.field(name, types[name]) for name in names]), rows + broken.count, broken.count


def _header_alone(uri: str, storage: Storage, compression: str | None, error: pa.ArrowInvalid) -> pa.Schema:
    """Return the columns of a file without rows; a header that no line end follows is none to the parser.

    Raises
    ------
    pyarrow.ArrowInvalid
        The given error, where there is more: a block of blank lines before the header.
    """
    with open_stream(uri, storage, compression) as source:
        text = source.read(BLOCK_BYTES).strip()
        if source.read(1) or b"\n" in text:
            raise error
    if not text:
        return pa.schema([])
    schema: pa.Schema = pa_csv.read_csv(io.BytesIO(text + b"\n")).schema
    return schema


def _rounded_integers(
    uri: str, storage: Storage, compression: str | None, types: dict[str, pa.DataType], columns: set[str]
) -> set[str]:
    """Find the columns in which a double would change an integer's digits: an identifier stays the text that it is."""
    found: set[str] = set()
    as_text = types | dict.fromkeys(columns, pa.string())
    with open_stream(uri, storage, compression) as source:
        for batch in _csv_reader(source, as_text, on_broken=lambda _: None):
            found |= {name for name in columns - found if loses_digits(batch.column(name))}
    return found


def _widened(error: pa.ArrowInvalid, names: list[str], types: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    match = _CSV_ERROR.search(str(error))
    if match is None or not names:
        raise error
    name = names[int(match.group(1))]
    current = types[name]
    if pa.types.is_string(current):
        return {name: pa.binary()}
    if pa.types.is_null(current):
        return {name: _type_of_text(match.group(3))}
    return {name: pa.float64() if pa.types.is_integer(current) else pa.string()}


def _type_of_text(text: str) -> pa.DataType:
    """Guess the type of a column whose first value comes after a block of empty ones."""
    if set(text) & set(',"\n\r'):
        return pa.string()
    guessed: pa.DataType = pa_csv.read_csv(io.BytesIO(b"value\n" + text.encode() + b"\n")).schema.field(0).type
    return pa.string() if pa.types.is_null(guessed) else guessed


def csv_tables(
    uri: str,
    storage: Storage,
    compression: str | None,
    info: FileInfo,
    columns: list[str],
    start: int,
    stop: int | None,
) -> Iterator[pa.Table]:
    """Yield the rows between two byte offsets; tables with broken lines have :data:`BROKEN_COLUMN`."""
    types = {field.name: field.type for field in info.schema}
    broken: deque[tuple[int, str]] = deque()

    def note(line: pa_csv.InvalidRow) -> None:
        error = f"expected {line.expected_columns} values, found {line.actual_columns}: {line.text[:_SHOWN_CHARACTERS]}"
        # The parser counts from 1, and the header too.
        broken.append(((line.number or 0) - (2 if start == 0 else 1), error))

    row = 0
    with open_stream(uri, storage, compression, start, stop) as source:
        reader = _csv_reader(
            source, types, columns, on_broken=note, without_header=start > 0, is_numbered=info.broken > 0
        )
        for batch in reader:
            table = _with_broken_lines(pa.Table.from_batches([batch]), broken, row)
            row += table.num_rows
            yield table
        if broken:
            yield _with_broken_lines(reader.schema.empty_table(), broken, row)
        if broken:
            message = f"the parser's numbers of broken lines do not fit, from row {broken[0][0]} on"
            raise ValueError(message)


def _with_broken_lines(table: pa.Table, broken: deque[tuple[int, str]], first_row: int) -> pa.Table:
    """Put rows of nulls where broken lines stand before, among or right behind the table's rows.

    Lines (row number and error) that are put in are taken out of ``broken``.
    """
    if not broken:
        return table
    places: list[int | None] = []
    errors: list[str | None] = []
    good = 0
    while True:
        if broken and broken[0][0] == first_row + len(places):
            places.append(None)
            errors.append(broken.popleft()[1])
        elif good < table.num_rows:
            places.append(good)
            errors.append(None)
            good += 1
        else:
            break
    if len(places) == table.num_rows:
        return table
    woven = table.take(pa.array(places, pa.int64()))
    return woven.append_column(BROKEN_COLUMN, pa.array(errors, pa.string()))
