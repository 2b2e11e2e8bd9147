"""The first row of a CSV file: names, or data that somebody would lose; and what it tells of the separator.

Invariants: where the first row may be data, the file is refused until somebody says what it is.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.csv.options import NULL_WORDS
from airflow_batch_inference.schema.names import known_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import CsvOptions

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}
_WHOLE = re.compile(r"\s*\d+\s*")
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)*|[.,]\d+)([eE][+-]?\d+)?\s*")
_TIME = re.compile(r"\s*(\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?|\d{1,2}:\d\d(:\d\d(\.\d+)?)?)\s*")
_EXCELS_LINE = re.compile(r"sep=([;,|\t]?)\s*", re.IGNORECASE)
_WORDS = ("true", "false", "inf", "-inf")
_SHOWN = 5


def require_names(
    cells: Sequence[str], options: CsvOptions, *, separator: str, known: Sequence[str] | None, where: str
) -> None:
    """Refuse a first row that is no row of names, or that another separator cuts.

    Parameters
    ----------
    cells
        The first row.
    options
        What has been said of the file.
    separator
        What cut it.
    known
        The names that a model takes, or a reference has; None: there are none.
    where
        The file, for messages.

    Raises
    ------
    DataError
        It may be data; or it is one cell, with other separators in it, or tells Excel the separator.
    """
    _refuse_excels_line(cells, separator, where)
    _require_separator(cells, options, separator, where)
    if options.header is not None or options.names is not None:
        return
    as_known, names = known_names(known or ()), set(known or ())
    if any(as_known(cell) in names for cell in cells) or not _looks_like_data(cells, named=bool(known)):
        return
    shown = ", ".join(cells[:_SHOWN]) + (", …" if len(cells) > _SHOWN else "")
    message = (
        f"The first row of {where} looks like data, not like names: {shown}. If the file has no header, give "
        f'csv_options={{"names": [...]}} with the name of each column, or csv_options={{"header": false}}; if these '
        'are the names, give csv_options={"header": true}.'
    )
    raise DataError(message)


def _refuse_excels_line(cells: Sequence[str], separator: str, where: str) -> None:
    """Refuse the line ``sep=;``, which Excel writes and reads in front of the names."""
    match = _EXCELS_LINE.fullmatch(cells[0]) if cells and not any(cells[1:]) else None
    if match is None:
        return
    said = json.dumps({"separator": match.group(1) or separator})
    message = (
        f"{where} begins with a line for Excel, {'sep=' + (match.group(1) or separator)!r}, that is no row of names. "
        f"Take it out where the file is made, and give csv_options={said}."
    )
    raise DataError(message)


def _require_separator(cells: Sequence[str], options: CsvOptions, separator: str, where: str) -> None:
    if len(cells) != 1 or options.separator == separator == ",":
        return
    for other, name in _SEPARATORS.items():
        if other != separator and other in cells[0]:
            message = (
                f"{where} has one column, {cells[0][:200]!r}: its values seem to be separated by {name}. Give "
                f"csv_options={json.dumps({'separator': other})}; if it has one column, give "
                f"csv_options={json.dumps({'separator': ','})}."
            )
            raise DataError(message)


def _looks_like_data(cells: Sequence[str], *, named: bool) -> bool:
    """Say whether all cells are values (where a model has names, and none is here: any), or one is as no name is."""
    filled = [cell for cell in cells if cell.strip() not in NULL_WORDS]
    values = [cell for cell in filled if _is_value(cell)]
    if not any(_NUMBER.fullmatch(cell) or _TIME.fullmatch(cell) for cell in values):
        return False
    if len(values) == len(filled) or named:
        return True
    numbers = [cell for cell in values if _NUMBER.fullmatch(cell)]
    return len(set(numbers)) < len(numbers) or any(not _WHOLE.fullmatch(cell) for cell in numbers)


def _is_value(cell: str) -> bool:
    text = cell.strip().lower()
    return text in _WORDS or bool(_NUMBER.fullmatch(cell) or _TIME.fullmatch(cell))


def require_width(cells: Sequence[str], names: Sequence[str], where: str, *, is_data: bool) -> None:
    """Refuse names that are not one for each column, or that a first row which is said to be data has itself.

    Raises
    ------
    DataError
        There are more or fewer; or the first row is these names.
    """
    if len(cells) != len(names):
        message = (
            f"csv_options has {len(names)} names, but the first row of {where} has {len(cells)} values: "
            f"{', '.join(cells[:_SHOWN])}. Give one name for each column."
        )
        raise DataError(message)
    if is_data and list(cells) == list(names):
        message = (
            f"csv_options says that {where} has no header, but its first row is the names themselves. Leave names out, "
            'or give "header": true with them.'
        )
        raise DataError(message)
