"""What is known of a dataset's columns before its files are looked at: types that somebody wants, and names.

Invariants: a type that a model takes decides how text is read, and only where nobody knows one do the values decide.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.records import CsvOptions, ReadOptions
from airflow_batch_inference.schema.column_types import arrow_type, is_number, is_text
from airflow_batch_inference.schema.names import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable


def is_time(kind: pa.DataType) -> bool:
    """Say whether a column of this Arrow type holds dates, times, moments or durations."""
    return bool(pa.types.is_temporal(kind))


def read_time(text: pa.Array | pa.ChunkedArray | pa.Scalar, kind: pa.DataType) -> Any:  # noqa: ANN401  # as it came
    """Return the dates, times or moments that text in the forms of ISO 8601 stands for.

    Raises
    ------
    pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError
        A text stands for none, or nothing reads a text as this type.

    Examples
    --------
    >>> read_time(pa.array(["08:15:00"]), pa.time32("s")).to_pylist()
    [datetime.time(8, 15)]
    """
    if not pa.types.is_time(kind):
        return text.cast(kind)
    # Arrow reads times of day in CSV files only.
    return pc.binary_join_element_wise("1970-01-01T", text, "").cast(pa.timestamp(kind.unit)).cast(kind)


@dataclass(frozen=True)
class Reading:
    """How a dataset's files are read.

    Attributes
    ----------
    options
        As they were asked for.
    names
        Those that a model takes, or a reference has; None: nobody knows any.
    """

    options: ReadOptions = field(default_factory=ReadOptions)
    names: tuple[str, ...] | None = None

    @property
    def csv(self) -> CsvOptions:
        """What CSV files look like."""
        return self.options.csv

    @cached_property
    def _types(self) -> dict[str, pa.DataType]:
        found: dict[str, pa.DataType] = {}
        for spec in self.options.types:
            kind = arrow_type(spec.type)
            if kind is not None and not pa.types.is_null(kind):
                found.setdefault(spec.name, kind)
        return found

    @cached_property
    def _plain(self) -> dict[str, pa.DataType]:
        return {plain_name(name): kind for name, kind in reversed(self._types.items())}

    def wanted(self, name: str) -> pa.DataType | None:
        """Return the type that somebody wants of a column; None: nobody says."""
        found = self._types.get(name)
        return self._plain.get(plain_name(name)) if found is None else found

    def is_number(self, name: str) -> bool:
        """Say whether a column is taken for numbers (booleans are), however they are written."""
        kind = self.wanted(name)
        return kind is not None and is_number(kind)

    def forced(self, name: str) -> pa.DataType | None:
        """Return the type that text is read as, whatever it looks like: text, or a time; None: the values tell."""
        kind = self.wanted(name)
        if kind is None or not (is_text(kind) or is_time(kind)):
            return None
        return pa.string() if is_text(kind) else kind

    def forced_types(self) -> dict[str, pa.DataType]:
        """Return these types of all columns that somebody names."""
        return {name: kind for name in self._types if (kind := self.forced(name)) is not None}

    def guessed(self, names: Iterable[str], kinds: Iterable[pa.DataType]) -> dict[str, pa.DataType]:
        """Return the types of columns whose types a parser has guessed: times that nobody asked for are text."""
        return {
            name: self.forced(name) or (pa.string() if is_time(kind) else kind)
            for name, kind in zip(names, kinds, strict=True)
        }
