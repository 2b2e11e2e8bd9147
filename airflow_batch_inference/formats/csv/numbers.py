"""Which texts of a CSV file are numbers: codes that a number would change, and numbers with thousands marks.

Invariants: an identifier never loses a digit; and a mark of thousands counts only between groups of three digits.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.formats.csv.options import given_options
from airflow_batch_inference.formats.names import format_of
from airflow_batch_inference.schema.casting import loses_digits

if TYPE_CHECKING:
    from airflow_batch_inference.records import CsvOptions

_FORMS = {
    "zero": r"^[+-]?(0\d+|0[xX][0-9a-fA-F]+)$",
    "plus": r"^\+\d+$",
    "exponent": r"^\d+[eE]\d+$",
    "minus": r"^-\d+$",
    "plain": r"^\d+$",
}
_WHOLE = r"^[+-]?(\d+|0[xX][0-9a-fA-F]+)$|^\d+[eE]\d+$"
_MARKS = (
    (",", None),
    (",", "."),
    (".", ","),
    (".", "'"),
    *((decimal, blank) for decimal in ",." for blank in (" ", "\u00a0", "\u202f")),
)
"""Decimal marks with marks of thousands, as countries have them."""
_NO_MARK = "\0"
_WORDS = r"^(true|false|TRUE|FALSE|True|False)$"


@dataclass(slots=True)
class Forms:
    """In which forms the whole numbers of a column are written, seen in one run of values after the other.

    Examples
    --------
    >>> def is_code(*texts):
    ...     forms = Forms()
    ...     forms.add(pa.array(texts))
    ...     return forms.are_codes
    >>> is_code("007", "12"), is_code("+49301234", "112"), is_code("1234567", "12E4567"), is_code("0x1F")
    (True, True, True, True)
    >>> is_code("0", "0.5"), is_code("+5", "-3"), is_code("1e300", "1e10"), is_code("0012.50"), is_code("1e5", "0.3")
    (False, False, False, False, False)
    """

    seen: set[str] = field(default_factory=set)

    def add(self, text: pa.Array | pa.ChunkedArray) -> None:
        """Look at more values."""
        text = pc.utf8_trim_whitespace(text)
        self.seen |= {name for name, form in _FORMS.items() if name not in self.seen and _any(text, form)}
        if "fraction" not in self.seen and not _all(text, _WHOLE):
            self.seen.add("fraction")

    @property
    def are_codes(self) -> bool:
        """Whether a number would change a value that may be an identifier.

        A leading zero and a hexadecimal make it one; so do a plus, unless others have a minus, and an exponent among
        plain digits, where all are whole.
        """
        if "zero" in self.seen:
            return True
        signed = "plus" in self.seen and "minus" not in self.seen
        return "fraction" not in self.seen and (signed or {"exponent", "plain"} <= self.seen)


@dataclass(frozen=True, slots=True)
class GroupedNumbers:
    """Numbers with a mark between thousands, which the parser cannot read."""

    decimal: str
    thousands: str
    whole: str = field(init=False)
    number: str = field(init=False)

    def __post_init__(self) -> None:
        """Make the patterns of whole and of all numbers."""
        mark, point = re.escape(self.thousands), re.escape(self.decimal)
        digits = rf"(\d{{1,3}}({mark}\d{{3}})+|\d+)"
        object.__setattr__(self, "whole", rf"^[+-]?{digits}$")
        fraction = rf"({digits}({point}\d*)?|{point}\d+)([eE][+-]?\d+)?"
        object.__setattr__(self, "number", rf"^[+-]?({fraction}|(?i:inf|infinity|nan))$")

    @classmethod
    def of(cls, options: CsvOptions) -> GroupedNumbers | None:
        """Return what reads such numbers; None where there is no such mark."""
        return None if options.thousands is None else cls(options.decimal or ".", options.thousands)

    def type_of(self, text: pa.Array, known: pa.DataType, *, wants_number: bool) -> pa.DataType:
        """Return the type that holds these texts and those before them.

        Parameters
        ----------
        text
            More values.
        known
            The type of those before: null, bool, int64, double or string.
        wants_number
            Whether codes such as ``007`` are numbers.
        """
        text = pc.utf8_trim_whitespace(text.drop_null())
        if pa.types.is_string(known) or not len(text):
            return known
        found = self._type(text, wants_number=wants_number)
        if pa.types.is_null(known) or known == found:
            return found
        both = {known, found}
        return pa.float64() if both == {pa.int64(), pa.float64()} else pa.string()

    def _type(self, text: pa.Array, *, wants_number: bool) -> pa.DataType:
        if _all(text, _WORDS):
            return pa.bool_()
        if not _all(text, self.number) or (_any(text, _FORMS["zero"]) and not wants_number):
            return pa.string()
        if _all(text, self.whole):
            try:
                return self.read(text, pa.int64()).type
            except pa.ArrowInvalid:
                pass
        return pa.string() if loses_digits(self._plain(text)) and not wants_number else pa.float64()

    def read(self, text: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
        """Return the numbers (or booleans) that texts stand for."""
        text = pc.utf8_trim_whitespace(text)
        return (pc.utf8_lower(text) if pa.types.is_boolean(kind) else self._plain(text)).cast(kind)

    def _plain(self, text: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        text = pc.replace_substring(text, self.thousands, "")
        text = pc.replace_substring(text, self.decimal, ".")
        return pc.replace_substring_regex(text, r"^\+", "")


def holds(text: pa.Array, kind: pa.DataType, options: CsvOptions) -> bool:
    """Say whether all texts, without blanks around them, are values of a type: null, bool, int64 or double.

    Examples
    --------
    >>> from airflow_batch_inference.records import CsvOptions
    >>> text = pa.array(["1", "2,5"])
    >>> holds(text, pa.int64(), CsvOptions()), holds(text, pa.float64(), CsvOptions(decimal=","))
    (False, True)
    """
    if pa.types.is_null(kind):
        return not len(text)
    if pa.types.is_floating(kind) and options.decimal is not None:
        text = pc.replace_substring(text, options.decimal, ".")
    try:
        text.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _any(text: pa.Array | pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())


def _all(text: pa.Array | pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(text, pattern)).as_py())


def number_hint(uri: str, text: str, options: CsvOptions) -> str:
    """Say which ``csv_options`` make a number of a text of a CSV file; nothing where none does.

    Examples
    --------
    >>> from airflow_batch_inference.records import CsvOptions
    >>> number_hint("day.csv", "1.234,5", CsvOptions(separator=";"))
    'If that is a number, give csv_options={"separator": ";", "decimal": ",", "thousands": "."}. '
    """
    if format_of(uri)[0] != "csv":
        return ""
    for decimal, thousands in _MARKS:
        if _all(pa.array([text.strip()]), GroupedNumbers(decimal, thousands or _NO_MARK).number):
            marks = replace(options, decimal=None if decimal == "." else decimal, thousands=thousands)
            said = {name: value for name, value in given_options(marks).items() if (name, value) != ("header", True)}
            return f"If that is a number, give csv_options={json.dumps(said, ensure_ascii=False)}. "
    return ""
