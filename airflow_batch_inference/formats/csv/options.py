"""``csv_options``: what CSV files look like, from what a user gives, parsed strictly.

Invariants: a word that is not known is refused, and nothing is guessed from the file: what it tells by itself only ends
in an error that names the option.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean
from airflow_batch_inference.records import CsvOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NULL_WORDS = (
    "",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "None",
    "n/a",
    "nan",
    "null",
)
"""What ``pandas.read_csv`` takes for nothing."""
_KNOWN = ("separator", "decimal", "thousands", "quote", "escape", "encoding", "header", "names", "null_words")
_ELSEWHERE = {
    "sep": "separator",
    "delimiter": "separator",
    "delim": "separator",
    "decimal_point": "decimal",
    "quotechar": "quote",
    "quote_char": "quote",
    "escapechar": "escape",
    "escape_char": "escape",
    "charset": "encoding",
    "column_names": "names",
    "na_values": "null_words",
    "null_values": "null_words",
    "nullvalue": "null_words",
}
"""What pandas, Arrow and Spark call them."""


def parse_csv_options(given: Mapping[str, object]) -> CsvOptions:
    """Return what CSV files look like.

    Raises
    ------
    ConfigurationError
        An option is not known, or its value can never work.

    Examples
    --------
    >>> parse_csv_options({"separator": ";", "decimal": ","}).separator
    ';'
    """
    for key in given:
        if key not in _KNOWN:
            meant = _ELSEWHERE.get(key.casefold())
            hint = f" (did you mean {meant!r}?)" if meant else did_you_mean(key, _KNOWN)
            message = f"csv_options has the key {key!r}, which is not known{hint}. It may have {', '.join(_KNOWN)}."
            raise ConfigurationError(message)
    found = CsvOptions(
        **{
            name: parse(name, given[name])  # type: ignore[arg-type]  # each parser gives the type of its option
            for name, parse in _PARSERS.items()
            if given.get(name) is not None
        }
    )
    _require_possible(found)
    return found


def given_options(options: CsvOptions) -> dict[str, object]:
    """Return the options that somebody has said, as plain JSON types; ``parse_csv_options`` takes them again."""
    said = {name: getattr(options, name) for name in _KNOWN}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in said.items() if value is not None
    }


def _refuse(name: str, value: object, wanted: str) -> ConfigurationError:
    return ConfigurationError(f"csv_options has {name}={value!r}; it must be {wanted}.")


def _mark(name: str, value: object) -> str:
    text = {"\\t": "\t", "tab": "\t"}.get(value, value) if isinstance(value, str) else value
    if not isinstance(text, str) or len(text) != 1 or text in "\r\n" or text.isalnum():
        raise _refuse(name, value, "one character that is no letter, digit or line end, such as ';' or '\\t'")
    return text


def _plain_mark(name: str, value: object) -> str:
    text = _mark(name, value)
    if not text.isascii():
        raise _refuse(name, value, "an ASCII character")
    return text


def _quote(name: str, value: object) -> str:
    return "" if value in ("", False) else _plain_mark(name, value)


def _encoding(name: str, value: object) -> str:
    try:
        found = codecs.lookup(value).name if isinstance(value, str) else None
    except (LookupError, ValueError):
        found = None
    if found is None:
        raise _refuse(name, value, "an encoding that Python knows, such as 'latin-1', 'cp1252' or 'utf-16'")
    return found


def _header(name: str, value: object) -> bool:
    word = str(value).strip().lower()
    if word not in ("true", "false"):
        raise _refuse(name, value, "true (the first row has the names) or false (it is data)")
    return word == "true"


def _texts(name: str, value: object) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or any(not isinstance(item, str) for item in items):
        raise _refuse(name, value, "a list of text")
    return tuple(items)


def _names(name: str, value: object) -> tuple[str, ...]:
    found = _texts(name, value)
    twice = sorted({each for each in found if found.count(each) > 1})
    if not found or twice:
        raise _refuse(name, value, "a list of different names, one for each column")
    return found


_PARSERS: dict[str, Callable[[str, object], object]] = {
    "separator": _plain_mark,
    "decimal": _plain_mark,
    "thousands": _mark,
    "quote": _quote,
    "escape": _quote,
    "encoding": _encoding,
    "header": _header,
    "names": _names,
    "null_words": _texts,
}


def _require_possible(options: CsvOptions) -> None:
    """Refuse marks that mean two things."""
    marks = [
        ("separator", options.separator or ","),
        ("quote", '"' if options.quote is None else options.quote),
        ("decimal", options.decimal or "."),
        ("thousands", options.thousands or ""),
    ]
    numbers = {"decimal", "thousands", "separator"}
    for place, (name, mark) in enumerate(marks):
        for other, same in marks[:place]:
            # A value in quotes may hold the separator, so that a number may have it as its mark.
            if mark and mark == same and not ("separator" in (name, other) and {name, other} <= numbers):
                message = f"csv_options has {mark!r} both as {other} and as {name}: give each its own."
                raise ConfigurationError(message)
