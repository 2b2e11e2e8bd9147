"""The language of expressions: its grammar, its parser, and the words for what cannot be read.

:mod:`~airflow_batch_inference.checks.expressions` gives what is parsed its meaning.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from lark import Lark
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

if TYPE_CHECKING:
    from collections.abc import Collection

GRAMMAR = r"""
?start: either
?either: both (_OR both)*
?both: negation (_AND negation)*
?negation: _NOT negation -> invert
    | comparison
?comparison: total
    | total COMPARISON total -> compare
    | total _IS _NULL -> is_null
    | total _IS _NOT _NULL -> is_not_null
    | total _IN "(" total ("," total)* ")" -> is_in
    | total _NOT _IN "(" total ("," total)* ")" -> is_not_in
?total: product (SIGN product)*
?product: signed (FACTOR signed)*
?signed: SIGN signed -> sign
    | item
?item: atom
    | item "[" NUMBER "]" -> element
?atom: NUMBER -> number
    | STRING -> text
    | TRUE -> true
    | FALSE -> false
    | PATH -> column
    | PATH "(" either ")" -> call
    | "(" either ")"

_OR.2: /or\b(?![.`])/i
_AND.2: /and\b(?![.`])/i
_NOT.2: /not\b(?![.`])/i
_IS.2: /is\b(?![.`])/i
_IN.2: /in\b(?![.`])/i
_NULL.2: /null\b(?![.`])/i
TRUE.2: /true\b(?![.`])/i
FALSE.2: /false\b(?![.`])/i
PATH: /(?:[^\W\d]\w*|`[^`]+`)(?:\.(?:\w+|`[^`]+`))*/
NUMBER: /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/
STRING: /'[^']*'|"[^"]*"/
COMPARISON: ">=" | "<=" | "==" | "!=" | ">" | "<"
SIGN: "+" | "-"
FACTOR: "*" | "/"
%import common.WS
%ignore WS
"""

_VALUE = "a column, a number, text in quotes, true, false or a bracket"
_WORDS = {
    **dict.fromkeys(("PATH", "NUMBER", "STRING", "TRUE", "FALSE", "LPAR"), _VALUE),
    "COMPARISON": "a comparison (>, >=, <, <=, ==, !=)",
    "_IS": "'is null'",
    "_IN": "'in (…)'",
    "_AND": "'and'",
    "_OR": "'or'",
    "_NULL": "'null'",
    "RPAR": "')'",
    "LSQB": "'[…]'",
    "RSQB": "']'",
    "COMMA": "','",
    "$END": "the end",
}


@functools.cache
def parser() -> Lark:
    """Return the parser of :data:`GRAMMAR`; its trees know the places of their parts."""
    return Lark(GRAMMAR, parser="lalr", propagate_positions=True)


def unreadable(text: str, error: UnexpectedInput) -> str:
    """Show the place, and what was expected there."""
    place = len(text) if error.pos_in_stream in (None, -1) else error.pos_in_stream
    is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    here = "its end" if is_end else f"character {place + 1}, {text[place : place + 12]!r}"
    if isinstance(error, UnexpectedCharacters):
        expected: Collection[str] = error.allowed or ()
    else:
        expected = error.accepts or error.expected if isinstance(error, UnexpectedToken) else ()
    words = dict.fromkeys(_WORDS[name] for name in _WORDS if name in expected)
    return f"The expression {text!r} cannot be read at {here}: expected {' or '.join(words) or _VALUE}."
