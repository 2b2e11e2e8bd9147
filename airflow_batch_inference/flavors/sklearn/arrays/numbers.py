"""Generators of random numbers, and splines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.flavors.sklearn.arrays.base import Fault, is_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

_MERSENNE_WORDS, _PHILOX_WORDS = 624, 4


def random_state_fault(state: Any) -> Fault:  # noqa: ANN401  # a legacy generator of numbers
    """Look at a legacy generator."""
    return _position_fault(state.get_state(legacy=False))


def generator_fault(generator: Any) -> Fault:  # noqa: ANN401  # a generator of numbers
    """Look at a generator."""
    return _position_fault(generator.bit_generator.state)


def _position_fault(state: Mapping[str, Any]) -> Fault:
    """Say whether a generator would read its next number from beyond its own."""
    kind = state["bit_generator"]
    place, most = {
        "MT19937": lambda: (state["state"]["pos"], _MERSENNE_WORDS),
        "Philox": lambda: (state["buffer_pos"], _PHILOX_WORDS),
    }.get(kind, lambda: (0, 0))()
    return None if 0 <= place <= most else f"its place {place} is beyond its {most} numbers"


def spline_fault(part: Any) -> Fault:  # noqa: ANN401  # a spline
    """Say whether its knots and factors do not go together."""
    knots, number = np.asarray(part.t), np.shape(part.c)[0]
    if not is_whole(part.k, 0, len(knots)) or knots.ndim != 1 or not 0 < len(knots) - int(part.k) - 1 <= number:
        return f"its spline of degree {part.k} has {len(knots)} knots, but {number} factors"
    if not np.isfinite(knots).all() or (np.diff(knots) < 0).any() or len(knots) < 2 * int(part.k) + 2:
        return "the knots of its spline are in no order"
    return None
