"""Checks that are given as polars expressions, as pipelines elsewhere take them: refused, with what to write."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER = re.compile(r"\b(?:dyn )?(?:int|float): (-?[\d.]+(?:[eE][+-]?\d+)?)")
_COLUMN = re.compile(r'col\("([^"()\[\]]+)"\)')
_QUOTED = re.compile(r'"([^"]*)"')
_PLAIN = re.compile(r"[^\W\d]\w*")
_ATOM = re.compile(r"(?<![\w`])\(([\w.`\[\] ]+|-?[\d.]+|\"[^\"]*\")\)")
_STEPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (_NUMBER, r"\1"),
    (re.compile(r"\.list\.get\(\[(\d+)(?:, \w+)?\]\)"), r"[\1]"),
    (re.compile(r"\.is_in\(\[\[(.*?)\]\]\)"), r" in (\1)"),
    (re.compile(r"\.is_null\(\)"), " is null"),
    (re.compile(r"\.is_not_null\(\)"), " is not null"),
    (re.compile(r'(col\("[^"]+"\))\.list\.(max|min)\(\)'), r"\2(\1)"),
    (re.compile(r'(col\("[^"]+"\)(?:\[\d+\])?)\.abs\(\)'), r"abs(\1)"),
    (re.compile(r"\[\("), "(("),
    (re.compile(r"\)\]"), "))"),
    (re.compile(r" & "), " and "),
    (re.compile(r" \| "), " or "),
)


def is_polars(value: object) -> bool:
    """Say whether a value is a polars expression."""
    kind = getattr(sys.modules.get("polars"), "Expr", None)
    return isinstance(kind, type) and isinstance(value, kind)


def refuse_polars(name: object, value: Any) -> None:  # noqa: ANN401  # a polars.Expr
    """Refuse a polars expression.

    Raises
    ------
    ConfigurationError
        Says what to write in its place.
    """
    text = as_text(value)
    advice = (
        f"Write {text!r}."
        if text
        else "Write it as such text as 'out.dense_1[0] > 0.9': pl.col(name) is the name, .list.get(0) is [0], & is "
        "and, | is or, ~ is not."
    )
    message = f"The check {name!r} is a polars expression, and checks are text here. {advice}"
    raise ConfigurationError(message)


def as_text(value: Any) -> str | None:  # noqa: ANN401  # a polars.Expr
    """Return an expression as it is written here; None where it has no such form."""
    text = str(value)
    if any(set("()[]&|:.") & set(quoted) for quoted in _QUOTED.findall(_COLUMN.sub("", text))):
        return None  # text that looks like a part of the expression
    for pattern, replacement in _STEPS:
        text = pattern.sub(replacement, text)
    text = _COLUMN.sub(_named, text)
    text = _settled(text, lambda each: _ATOM.sub(r"\1", each))
    text = _settled(text, _without_brackets)
    from airflow_batch_inference.checks.expressions import parse_expression

    try:
        found = parse_expression(text)
    except ConfigurationError:
        return None
    return text if sorted(found.names) == sorted(set(value.meta.root_names())) else None


def _named(match: re.Match[str]) -> str:
    return ".".join(part if _PLAIN.fullmatch(part) else f"`{part}`" for part in match[1].split("."))


def _settled(text: str, change: Callable[[str], str]) -> str:
    while (changed := change(text)) != text:
        text = changed
    return text


def _without_brackets(text: str) -> str:
    """Take off brackets that hold the whole, or stand twice."""
    opened: list[int] = []
    pairs = {}
    for place, sign in enumerate(text):
        if sign == "(":
            opened.append(place)
        elif sign == ")" and opened:
            pairs[opened.pop()] = place
    for first, last in pairs.items():
        is_whole = (first, last) == (0, len(text) - 1)
        if is_whole or pairs.get(first + 1) == last - 1:
            return text[:first] + text[first + 1 : last] + text[last + 1 :]
    return text
