"""How text files are read: what a CSV file looks like, and which types the columns have."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_batch_inference.records.base import ColumnSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """What CSV files look like; None is what nobody has said.

    Attributes
    ----------
    separator
        Between values; unsaid: a comma (a tab in ``.tsv`` files).
    decimal
        The decimal mark; unsaid: a point.
    thousands
        Between groups of three digits; unsaid: none.
    quote
        Around values; unsaid: ``"``; ``""`` (nothing): none.
    escape
        Before a quote within quotes; unsaid, or ``""``: none, a quote is doubled.
    encoding
        One that Python knows; unsaid: UTF-8.
    header
        Whether the first row has the names; unsaid: where there are no ``names``.
    names
        Of all columns, in their order.
    null_words
        What is null beside an empty field; unsaid: what it is for pandas.
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    quote: str | None = None
    escape: str | None = None
    encoding: str | None = None
    header: bool | None = None
    names: tuple[str, ...] | None = None
    null_words: tuple[str, ...] | None = None

    @property
    def has_header(self) -> bool:
        """Whether the first row of each file is no data."""
        return self.names is None if self.header is None else self.header


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How the text files of a dataset are read.

    Attributes
    ----------
    csv
        What CSV files look like.
    types
        Types that somebody knows of columns in text files, and of ``key=value`` folders; of several for one column the
        first one counts.
    """

    csv: CsvOptions = field(default_factory=CsvOptions)
    types: tuple[ColumnSpec, ...] = ()
