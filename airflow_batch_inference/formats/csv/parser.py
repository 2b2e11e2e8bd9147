"""Arrow's CSV parser, asked in one way: with the form that a file has, and every line of a wrong width told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow.csv as pa_csv

from airflow_batch_inference.formats.budget import longest_line
from airflow_batch_inference.formats.csv.options import NULL_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from airflow_batch_inference.records import CsvOptions
    from airflow_batch_inference.storage.store import Storage

MOST_BLOCK_BYTES = 1 << 30
"""A longer line is refused: Arrow holds no longer ones."""
_TOO_LONG = ("straddling object", "Empty CSV file")
"""What the parser says of a line that is longer than its block, of the first line too."""


@dataclass(frozen=True, slots=True)
class CsvForm:
    """What a CSV file looks like, and how much of it is parsed at once.

    Attributes
    ----------
    options
        What was said of it.
    separator
        Between values.
    block_bytes
        No line is longer.
    names
        Of all columns, where they are not those of its first row.
    """

    options: CsvOptions
    separator: str
    block_bytes: int
    names: tuple[str, ...] | None = None

    @property
    def quote(self) -> str:
        """Around values; empty: none."""
        return '"' if self.options.quote is None else self.options.quote

    @property
    def first_line(self) -> int:
        """The parser's number of the line of the first row, where a file is read from its beginning."""
        return 2 if self.options.has_header else 1

    def grown(self, error: pa.ArrowInvalid, storage: Storage) -> CsvForm:
        """Return it with a larger block, after the parser has found a line that is longer.

        Parameters
        ----------
        error
            What the parser said.
        storage
            Says how much memory there is.

        Raises
        ------
        pyarrow.ArrowInvalid
            The given error, which is another.
        ValueError
            The line is too long.
        """
        if not any(words in str(error) for words in _TOO_LONG):
            raise error
        most = longest_line(storage, MOST_BLOCK_BYTES)
        if self.block_bytes >= most:
            message = f"a line is longer than {most:,} bytes, the limit (at most an eighth of max_memory)"
            raise ValueError(message) from error
        return replace(self, block_bytes=min(4 * self.block_bytes, most))


def open_csv(
    source: object,
    form: CsvForm,
    types: Mapping[str, pa.DataType],
    columns: Sequence[str] = (),
    *,
    on_broken: Callable[[pa_csv.InvalidRow], None],
    names: Sequence[str] | None = None,
    skips_header: bool = False,
    is_numbered: bool = False,
) -> Any:  # noqa: ANN401  # pyarrow has no annotations
    """Open a stream of record batches; lines of too few or too many values are told and passed over.

    Parameters
    ----------
    source
        The bytes, in UTF-8.
    form
        What they look like.
    types
        Of columns; those of the others are told by the first block.
    columns
        Those to read; all where there are none.
    on_broken
        Is told the lines that are passed over.
    names
        Of all columns; None: the first row has them.
    skips_header
        Whether the first row has names that are not used.
    is_numbered
        Whether the lines' numbers are told, which only one thread can.
    """

    def pass_over(row: pa_csv.InvalidRow) -> str:
        on_broken(row)
        return "skip"

    options = form.options
    words = NULL_WORDS if options.null_words is None else ("", *options.null_words)
    return pa_csv.open_csv(
        source,
        read_options=pa_csv.ReadOptions(
            block_size=form.block_bytes,
            column_names=None if names is None else list(names),
            skip_rows_after_names=1 if skips_header else 0,
            use_threads=not is_numbered,
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=form.separator,
            quote_char=form.quote or False,
            double_quote=bool(form.quote),
            escape_char=options.escape or False,
            newlines_in_values=True,
            invalid_row_handler=pass_over,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict(types),
            null_values=list(words),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            include_columns=list(columns),
            decimal_point=options.decimal or ".",
        ),
    )
