"""What is counted of two models' predictions, in forms that can be added, and what they say in the end.

Invariants: adding is the same in any order and any grouping, to the last row (sums of numbers to the
last few digits, which are dropped); and a sum takes no more room than a label or a bin needs.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.records import (
    OTHER_LABELS,
    Disagreements,
    NumberDifferences,
    NumberPairs,
    OutputDisagreements,
    OutputPairs,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_batch_inference.predictors.challengers.rule import DisagreementRule

MOST_LABELS = 50
"""So many labels of each side are counted by themselves, the first by their text; all others as one."""
MOST_EXAMPLES = 5
BIN_EDGES = (0.0, 0.001, 0.01, 0.05, 0.1, 0.5)
DENSITY_BINS = 20
_DIGITS = 9


def bounded(pairs: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Count all but the first labels of each side as one.

    A label that is among the first of the whole is among the first of every part: so the counts do not depend on the
    order in which they are added.

    Examples
    --------
    >>> bounded(Counter({("a", "b"): 2}))
    Counter({('a', 'b'): 2})
    """
    kept = [{*sorted({pair[side] for pair in pairs} - {OTHER_LABELS})[:MOST_LABELS]} for side in (0, 1)]
    found: Counter[tuple[str, str]] = Counter()
    for (left, right), rows in pairs.items():
        found[left if left in kept[0] else OTHER_LABELS, right if right in kept[1] else OTHER_LABELS] += rows
    return found


def relative_differences(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return |a - b| / max(|a|, |b|) of finite numbers, from 0 to 2; 0 where both are 0.

    Examples
    --------
    >>> relative_differences(np.array([1.0, 0.0]), np.array([0.5, 0.0])).tolist()
    [0.5, 0.0]
    """
    larger = np.maximum(np.abs(ours), np.abs(theirs))
    scale = np.where(larger > 0, larger, 1.0)
    found: np.ndarray = np.abs(theirs / scale - ours / scale)
    return found


@np.errstate(over="ignore", invalid="ignore")
def number_pairs(ours: np.ndarray, theirs: np.ndarray, apart: np.ndarray) -> NumberPairs:
    """Count two columns of finite numbers.

    Parameters
    ----------
    ours, theirs
        The champion's and the challenger's, shape (n,), n at least 1.
    apart
        Their :func:`relative_differences`.
    """
    means = ours.mean(), theirs.mean()
    left, right = ours - means[0], theirs - means[1]
    differences = np.abs(theirs - ours)
    low, high = min(ours.min(), theirs.min()), max(ours.max(), theirs.max())
    places = np.searchsorted(BIN_EDGES, apart, side="left")
    density: tuple[tuple[int, int, int], ...] = ()
    if low >= 0 and high <= 1:
        cells = [np.minimum((values * DENSITY_BINS).astype(np.int64), DENSITY_BINS - 1) for values in (ours, theirs)]
        counts = np.bincount(cells[0] * DENSITY_BINS + cells[1], minlength=DENSITY_BINS**2)
        density = tuple((cell // DENSITY_BINS, cell % DENSITY_BINS, int(counts[cell]))
                        for cell in np.flatnonzero(counts).tolist())  # fmt: skip
    return NumberPairs(
        rows=len(ours),
        low=_finite(low),
        high=_finite(high),
        champion_mean=_finite(means[0]),
        challenger_mean=_finite(means[1]),
        champion_squares=_finite(left @ left),
        challenger_squares=_finite(right @ right),
        products=_finite(left @ right),
        absolute=_finite(differences.sum()),
        largest=_finite(differences.max()),
        bins=tuple(np.bincount(places, minlength=len(BIN_EDGES) + 1).tolist()),
        density=density,
    )


def added_numbers(one: NumberPairs, other: NumberPairs) -> NumberPairs:
    """Add up what was counted of two sets of rows.

    The squares by Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances
    (1979).
    """
    rows = one.rows + other.rows
    weight, across = other.rows / rows, one.rows * other.rows / rows
    left, right = other.champion_mean - one.champion_mean, other.challenger_mean - one.challenger_mean
    is_unit = bool(one.density and other.density)
    cells: Counter[tuple[int, int]] = Counter()
    for i, j, count in (*one.density, *other.density) if is_unit else ():
        cells[i, j] += count
    return NumberPairs(
        rows=rows,
        low=min(one.low, other.low),
        high=max(one.high, other.high),
        champion_mean=_finite(one.champion_mean + left * weight),
        challenger_mean=_finite(one.challenger_mean + right * weight),
        champion_squares=_finite(one.champion_squares + other.champion_squares + left * left * across),
        challenger_squares=_finite(one.challenger_squares + other.challenger_squares + right * right * across),
        products=_finite(one.products + other.products + left * right * across),
        absolute=_finite(one.absolute + other.absolute),
        largest=max(one.largest, other.largest),
        bins=tuple(a + b for a, b in zip(one.bins, other.bins, strict=True)),
        density=tuple((i, j, count) for (i, j), count in sorted(cells.items())),
    )


def _finite(value: float) -> float:
    """Return a number that a record can hold: sums of absurdly large numbers overflow."""
    return float(np.nan_to_num(value))


def added_pairs(parts: Iterable[OutputPairs]) -> OutputPairs:
    """Add up what parts have counted of one output; the examples are those of the first of them."""
    first, *others = parts
    numbers, labels, beyond = first.numbers, first.labels, first.beyond
    for each in others:
        labels = _added(labels, each.labels)
        beyond = each.beyond if beyond is None else beyond if each.beyond is None else _added(beyond, each.beyond)
        if numbers is None or each.numbers is None:
            numbers = numbers or each.numbers
        else:
            numbers = added_numbers(numbers, each.numbers)
    return OutputPairs(
        output=first.output,
        challenger_output=first.challenger_output,
        labels=labels,
        numbers=numbers,
        beyond=beyond,
    )


def _added(one: Disagreements, other: Disagreements) -> Disagreements:
    pairs = Counter({(left, right): rows for left, right, rows in one.pairs})
    pairs.update({(left, right): rows for left, right, rows in other.pairs})
    return Disagreements(
        rows=one.rows + other.rows,
        disagreements=one.disagreements + other.disagreements,
        pairs=tuple((left, right, rows) for (left, right), rows in sorted(bounded(pairs).items())),
        examples=(*one.examples, *other.examples)[:MOST_EXAMPLES],
    )


def judged(pairs: OutputPairs, rule: DisagreementRule) -> OutputDisagreements:
    """Judge by labels, by decisions of numbers between 0 and 1 (or with a threshold), or else by distances."""
    numbers = pairs.numbers
    is_unit = numbers is not None and numbers.low >= 0 and numbers.high <= 1
    by_distance = pairs.beyond is not None and rule.threshold is None and not is_unit
    counted = pairs.beyond if by_distance and pairs.beyond is not None else pairs.labels
    labels = sorted({label for left, right, _ in counted.pairs for label in (left, right)}, key=_label_order)
    cells = {(left, right): rows for left, right, rows in counted.pairs}
    return OutputDisagreements(
        output=pairs.output,
        challenger_output=pairs.challenger_output,
        kind="numbers" if by_distance else "labels" if pairs.beyond is None else "decisions",
        rows=counted.rows,
        disagreements=counted.disagreements,
        disagreement_fraction=_rounded(counted.disagreements / counted.rows) if counted.rows else None,
        labels=tuple(labels),
        matrix=tuple(tuple(cells.get((left, right), 0) for right in labels) for left in labels),
        numbers=None if numbers is None else _differences(numbers),
        examples=counted.examples,
    )


def _differences(pairs: NumberPairs) -> NumberDifferences:
    size = math.sqrt(pairs.champion_squares) * math.sqrt(pairs.challenger_squares)
    return NumberDifferences(
        champion_mean=_rounded(pairs.champion_mean),
        challenger_mean=_rounded(pairs.challenger_mean),
        mean_absolute=_rounded(pairs.absolute / pairs.rows),
        largest=_rounded(pairs.largest),
        correlation=_rounded(max(-1.0, min(1.0, pairs.products / size))) if 0 < size < math.inf else None,
        bins=pairs.bins,
        bin_edges=BIN_EDGES,
        density=pairs.density,
        density_bins=DENSITY_BINS,
    )


def _rounded(value: float) -> float:
    """Drop the last digits, which hang on the order of sums."""
    return float(f"{value:.{_DIGITS}g}")


def _label_order(label: str) -> tuple[bool, float, str]:
    """Sort numbers by size, then texts; what stands for all others comes last."""
    try:
        number = float(label.lstrip("<\N{GREATER-THAN OR EQUAL TO} "))
    except ValueError:
        number = math.inf
    return label == OTHER_LABELS, math.inf if math.isnan(number) else number, label
