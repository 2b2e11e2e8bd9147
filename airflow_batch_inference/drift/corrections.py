"""Corrections of p-values for many columns and checks.

Invariants: nothing heavy is imported here, since rules name these corrections while a DAG is parsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

CORRECTIONS = ("holm", "bonferroni")


def adjusted(p: Sequence[float], correction: Literal["holm", "bonferroni"]) -> list[float]:
    """Correct the p-values of several columns, so that the chance of any false alarm among them stays below the level.

    Holm 1979 (steps down, never weaker), or Bonferroni's k p.

    Examples
    --------
    >>> adjusted([0.01, 0.04, 0.03], "holm")
    [0.03, 0.06, 0.06]
    """
    number = len(p)
    if correction == "bonferroni":
        return [min(1.0, each * number) for each in p]
    result, largest = [0.0] * number, 0.0
    for rank, index in enumerate(sorted(range(number), key=lambda place: p[place])):
        largest = max(largest, min(1.0, (number - rank) * p[index]))
        result[index] = largest
    return result
