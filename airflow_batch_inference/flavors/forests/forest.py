"""Trees in one neutral form: what a reader makes of any library's model.

Each split asks ``value <= threshold`` of an input, or whether a category is in a set, and has a rule for missing
values, zeros and tiny numbers.

Invariants: a reader says nothing that it does not know for certain; it refuses with :class:`NotCoveredError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

NAN_RIGHT, NAN_LEFT = 0, 1
"""A missing value goes to the right child, or to the left one."""
ZERO_NAN_RIGHT, ZERO_NAN_LEFT, ZERO_FOR_NAN, ZERO_MISSING_RIGHT, ZERO_MISSING_LEFT = 2, 3, 4, 5, 6
"""LightGBM's, whose tiny numbers are zeros: the same two; NaN is zero; zeros are missing and go right, or left."""
WHOLE_CATEGORY, CATEGORY_NAN_OUT, CATEGORY_NAN_IN = 7, 8, 9
"""Of splits by a set: LightGBM's whole part of a number; a missing value that is outside of each set, or inside."""

_MOST_WORDS = 1 << 20
"""Of all sets: 32 million categories, and 4 MiB that the walk reads all over."""


class NotCoveredError(Exception):
    """The ensemble is one that the kernel does not cover; the message names the reason."""


def require_few_words(words: int) -> None:
    """Refuse sets of categories that are too large: each reader asks before it makes them.

    Parameters
    ----------
    words
        How many 32-bit words all sets of the ensemble have: of each set one for 32 codes up to its largest.

    Raises
    ------
    NotCoveredError
        There are more than 1,048,576.

    Examples
    --------
    >>> require_few_words(1 << 20)
    """
    if words > _MOST_WORDS:
        message = (
            f"its sets of categories take {words:,} words of 32 bits, more than {_MOST_WORDS:,}; number the categories "
            "from 0 before training"
        )
        raise NotCoveredError(message)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """Trees as a reader found them: one entry a node in each array, all trees behind one another.

    Attributes
    ----------
    left, right
        The numbers of the children; -1 for a leaf.
    feature
        The input that a split asks for, from 0.
    rule
        What is done with a missing value, and so on: one of this module's numbers.
    threshold
        Of a split; of one by a set, the number of the set.
    value
        Of a leaf; where ``rows`` is given, the number of its row there.
    roots
        The root of each tree, in the order in which the library adds them up.
    groups
        The output that each tree adds to.
    width
        How many inputs there are.
    outputs
        How many numbers a row gets.
    sets
        Of splits by a set: the codes that go to the left, as 32-bit words, the lowest bit first.
    rows
        Shape (leaves, outputs): where a leaf has a number for each output.
    base
        What the sum of each output begins with.
    is_single
        Whether inputs are rounded to float32 before they are compared.
    adds_single
        Whether the sum is float32.
    """

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    rule: np.ndarray
    threshold: np.ndarray
    value: np.ndarray
    roots: np.ndarray
    groups: np.ndarray
    width: int
    outputs: int
    sets: Sequence[np.ndarray] = ()
    rows: np.ndarray | None = None
    base: np.ndarray | None = None
    is_single: bool = False
    adds_single: bool = False
