"""What writes columns by their places: vectorizers, encoders, sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from airflow_batch_inference.flavors.sklearn.arrays.base import Fault, is_whole, width_of, within

_MOST_COLUMNS = (1 << 31) - 1


def vocabulary_fault(part: Any) -> Fault:  # noqa: ANN401  # a vectorizer
    """Say whether a word has a column beyond those that there are: as many as words."""
    for name in ("vocabulary_", "vocabulary"):
        words = getattr(part, name, None)
        if not isinstance(words, dict):
            continue
        columns = list(words.values())
        if not all(is_whole(each, 0, len(words) - 1) for each in columns) or len(set(columns)) != len(columns):
            return f"the {len(words)} words of its {name} are not in as many columns"
    return None


def hashing_fault(part: Any) -> Fault:  # noqa: ANN401  # a hashing vectorizer
    """Say whether it asks for columns that cannot be."""
    number = part.n_features
    if not is_whole(number, 1, _MOST_COLUMNS):
        return f"it has {number!r} columns (n_features)"
    return None


def one_hot_fault(part: Any) -> Fault:  # noqa: ANN401  # an encoder
    """Say whether a category's column lies beyond those that there are.

    The columns of each input are those of its categories, the infrequent ones together, without the dropped one.
    """
    categories = part.categories_
    numbers, dropped = part._n_features_outs, part._drop_idx_after_grouping  # noqa: SLF001  # where they are
    infrequent = part._infrequent_enabled  # noqa: SLF001
    mappings = part._default_to_infrequent_mappings if infrequent else [None] * len(categories)  # noqa: SLF001
    groups = part._infrequent_indices if infrequent else [None] * len(categories)  # noqa: SLF001
    width = width_of(part)
    if not width == len(categories) == len(numbers) == len(mappings) == len(groups):
        return f"it takes {width} inputs, but its categories are of {len(categories)}"
    if dropped is not None and np.shape(dropped) != (width,):
        return f"it takes {width} inputs, but drops categories of {np.size(dropped)}"
    for place, (each, number, mapping, group) in enumerate(zip(categories, numbers, mappings, groups, strict=True)):
        codes = np.arange(len(each)) if mapping is None else np.asarray(mapping)
        if len(codes) != len(each) or (group is not None and within(np.asarray(group), len(each), "groups")):
            return f"the infrequent categories of input {place} are none of its {len(each)}"
        if mapping is not None and group is not None and _handles_unknown(part):
            codes = np.append(codes, codes[np.asarray(group)[:1]])
        columns = int(codes.max(initial=-1)) + 1
        drop = None if dropped is None else dropped[place]
        if drop is not None and not is_whole(drop, 0, columns - 1):
            return f"it drops category {drop} of the {columns} of input {place}"
        if within(codes, columns, "columns") or int(number) != columns - (drop is not None):
            return f"the {len(each)} categories of input {place} are not in its {number} columns"
    return None


def _handles_unknown(part: Any) -> bool:  # noqa: ANN401  # an encoder
    """Say whether a category that training never saw is taken for an infrequent one."""
    return getattr(part, "handle_unknown", "error") != "error"


def sparse_fault(matrix: Any) -> Fault:  # noqa: ANN401  # a sparse matrix
    """Say what is wrong with a sparse matrix: SciPy looks at the bounds of its places only when it is asked to."""
    if matrix.format in ("csr", "csc", "bsr"):
        try:
            matrix.check_format(full_check=True)
        except ValueError as error:
            return f"its places are not within its shape {tuple(matrix.shape)} ({error})"
    elif matrix.format == "coo":
        return next((fault for each, most in zip(matrix.coords, matrix.shape, strict=True)
                     if (fault := within(each, most, "places"))), None)  # fmt: skip
    return None
