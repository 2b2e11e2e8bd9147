"""Signs in names and texts of others: nothing that steers a terminal, and none that only looks like another."""

from __future__ import annotations

import re
import unicodedata

_STEERING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_CONTROL = re.compile(f"[{_STEERING}]")
_UNSEEN = re.compile(rf"[{_STEERING}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


class _Folding(dict[int, str]):
    """Character to the plain one that it looks like, one for one."""

    def __missing__(self, code: int) -> str:
        folded = unicodedata.normalize("NFKC", chr(code))
        found = self[code] = folded if len(folded) == 1 else chr(code)
        return found


_LOOK_ALIKES = {"/": (0x2215, 0x2044, 0x29F8, 0x2571, 0x27CB), ":": (0x2236, 0xA789, 0x2D0, 0x589, 0x5C3)}
"""Those that Unicode does not call compatible."""
_FOLDING = _Folding({code: sign for sign, codes in _LOOK_ALIKES.items() for code in codes} | {0x204F: ";", 0x61B: ";"})


def folded(text: str) -> str:
    """Return text of the same length in which look-alikes of ASCII signs are these, such as wide forms."""
    return text if text.isascii() else text.translate(_FOLDING)


def visible(text: str) -> str:
    r"""Return text in one line in which all that is not printed stands as an escape, as in Python's ``repr``.

    Examples
    --------
    >>> print(visible("a\nb\x1b[31m\u202e"))
    a\nb\x1b[31m\u202e
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def visible_lines(text: str) -> str:
    r"""Return the same of a text that may have several lines: each but the first is indented, as no log line is.

    Examples
    --------
    >>> print(visible_lines("pip says:\nERROR: x\r\n  y\n"))
    pip says:
      ERROR: x
      y
    """
    first, *others = text.rstrip().replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return "\n".join([visible(first), *(visible(line if line[:2] in ("", "  ") else f"  {line}") for line in others)])


def visible_page(markup: str, *, is_isolated: bool = False) -> str:
    """Return a page without characters that steer what shows it: each stands as the mark of one that is unknown.

    Parameters
    ----------
    markup
        The whole page.
    is_isolated
        Whether its names stand apart from its own direction of writing, so that marks of direction may stay.
    """
    if "\t" not in markup and markup.replace("\n", "").isprintable():
        return markup
    unseen = _CONTROL if is_isolated else _UNSEEN
    return unseen.sub("\N{REPLACEMENT CHARACTER}", markup)
