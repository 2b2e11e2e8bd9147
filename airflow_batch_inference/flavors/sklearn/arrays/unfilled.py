"""Transformers that make an array without filling it, and then fill as much of it as they have numbers for.

What stays unfilled is what lay in memory there before.

Invariants: a transformer that makes an array by one number of a file and fills it by another has a place here, or comes
off the list of types that a skops file may hold.
"""

from __future__ import annotations

from typing import Any


def polynomial_fault(part: Any) -> str | None:  # noqa: ANN401  # polynomial features
    """Say whether polynomial features are of another number than their degrees make of the inputs.

    Examples
    --------
    >>> from sklearn.preprocessing import PolynomialFeatures
    >>> model = PolynomialFeatures(2).fit([[0.0, 1.0], [5.0, 6.0]])
    >>> polynomial_fault(model)
    >>> model._n_out_full = 9
    >>> polynomial_fault(model)
    'it has 9 and 6 columns, but should have 6 and 6'
    """
    said = (part._n_out_full, part.n_output_features_)  # noqa: SLF001  # where they are
    made = tuple(
        part._num_combinations(  # noqa: SLF001  # as it counts them itself
            n_features=int(part.n_features_in_),
            min_degree=least,
            max_degree=part._max_degree,  # noqa: SLF001
            interaction_only=part.interaction_only,
            include_bias=part.include_bias,
        )
        for least in (0, part._min_degree)  # noqa: SLF001
    )
    if said != made:
        return f"it has {said[0]} and {said[1]} columns, but should have {made[0]} and {made[1]}"
    return None


def target_fault(part: Any) -> str | None:  # noqa: ANN401  # a target encoder
    """Say whether there are fewer encodings than columns: one for each input, and for each class."""
    width = int(part.n_features_in_)
    wanted = width * (len(part.classes_) if part.target_type_ == "multiclass" else 1)
    if len(part.encodings_) != wanted:
        return f"it takes {width} inputs, but has {len(part.encodings_)} encodings where it should have {wanted}"
    return None
