"""CSV: byte ranges that can be read alone, and lines that are no rows, by number.

Invariants: a line of too few or too many values keeps its row number, and that of every row after it.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.formats.csv.borders import csv_borders
from airflow_batch_inference.formats.csv.numbers import GroupedNumbers
from airflow_batch_inference.formats.csv.parser import CsvForm, open_csv
from airflow_batch_inference.formats.csv.schema import CsvInspection
from airflow_batch_inference.formats.csv.source import CsvSource, cuts_by_bytes, is_utf_8
from airflow_batch_inference.formats.names import csv_separator
from airflow_batch_inference.formats.streams import BLOCK_BYTES, open_stream
from airflow_batch_inference.formats.units import BROKEN_COLUMN, FileInfo, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow.csv as pa_csv

    from airflow_batch_inference.formats.reading import Reading
    from airflow_batch_inference.storage.store import Storage

_TEXT_UNIT_ROWS = 65_536
_SHOWN_CHARACTERS = 200


def inspect_csv(uri: str, storage: Storage, compression: str | None, reading: Reading) -> FileInfo:
    """Return the columns and units of a file; broken lines count as rows."""
    form = CsvForm(reading.csv, reading.csv.separator or csv_separator(uri), BLOCK_BYTES)
    found = CsvInspection(uri, storage, compression, reading, form).run()
    form = found.form
    borders = None
    if not compression and not form.options.escape and cuts_by_bytes(form.options):
        with open_stream(uri, storage, None) as source:
            borders = csv_borders(
                source,
                every_rows=_TEXT_UNIT_ROWS,
                separator=form.separator,
                quote=form.quote,
                has_header=form.options.has_header,
            )
    # Where our count and the parser's differ, the file has a form that only the parser knows.
    if borders is None or borders[-1].records - form.options.has_header != found.rows:
        whole = Unit(0, None, found.rows, storage.stat(uri).size_bytes, divisible=False)
        return FileInfo(found.schema, (whole,) if found.rows else (), found.broken, form, found.codes)
    units = [
        Unit(left.offset, right.offset, right.records - left.records, right.offset - left.offset, divisible=False)
        for left, right in itertools.pairwise(borders)
    ]
    return FileInfo(found.schema, tuple(units), found.broken, form, found.codes)


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
    form = info.csv
    if form is None:
        message = "its form is not known"
        raise ValueError(message)
    is_start = start == 0 and form.options.has_header
    broken: deque[tuple[int, str]] = deque()

    def note(line: pa_csv.InvalidRow) -> None:
        error = f"expected {line.expected_columns} values, found {line.actual_columns}: {line.text[:_SHOWN_CHARACTERS]}"
        # The parser counts from 1, and the header too.
        broken.append(((line.number or 0) - (2 if is_start else 1), error))

    grouped = GroupedNumbers.of(form.options)
    kinds = {field.name: field.type for field in info.schema}
    row = 0
    with open_stream(uri, storage, compression, start, stop) as raw:
        reader = open_csv(
            raw if is_utf_8(form.options) else CsvSource(raw, uri, form.options, is_start=start == 0),
            form,
            kinds if grouped is None else dict.fromkeys(kinds, pa.string()),
            columns,
            on_broken=note,
            names=form.names if is_start else info.schema.names,
            skips_header=is_start and form.names is not None,
            is_numbered=info.broken > 0,
        )
        for batch in reader:
            table = _with_broken_lines(pa.Table.from_batches([batch]), broken, row)
            row += table.num_rows
            yield table if grouped is None else _with_numbers(table, kinds, grouped)
        if broken:
            last = _with_broken_lines(reader.schema.empty_table(), broken, row)
            yield last if grouped is None else _with_numbers(last, kinds, grouped)
        if broken:
            message = f"the parser's numbers of broken lines do not fit, from row {broken[0][0]} on"
            raise ValueError(message)


def _with_numbers(table: pa.Table, kinds: dict[str, pa.DataType], grouped: GroupedNumbers) -> pa.Table:
    """Read text as the numbers that it stands for."""
    wanted = [kinds.get(name, pa.string()) for name in table.column_names]
    columns = [
        column if pa.types.is_string(kind) else grouped.read(column, kind)
        for column, kind in zip(table.columns, wanted, strict=True)
    ]
    return pa.table(columns, names=table.column_names)


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
