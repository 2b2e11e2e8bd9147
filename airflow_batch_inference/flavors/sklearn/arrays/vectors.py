"""Support vector machines of libsvm."""

from __future__ import annotations

from typing import Any

import numpy as np

from airflow_batch_inference.flavors.sklearn.arrays.base import Fault, width_of, within

_KINDS_OF_SVM = ("c_svc", "nu_svc", "one_class", "epsilon_svr", "nu_svr")
_OF_CLASSES = ("c_svc", "nu_svc")


def libsvm_fault(part: Any) -> Fault:  # noqa: ANN401  # an estimator of libsvm
    """Say whether its support vectors, factors and intercepts do not go together."""
    kind = part._impl  # noqa: SLF001  # as it is handed on
    support, counts, intercepts = (np.asarray(each) for each in (part.support_, part._n_support, part._intercept_))  # noqa: SLF001
    if kind not in _KINDS_OF_SVM or not all(each.ndim == 1 for each in (support, counts, intercepts)):
        return f"it is no support vector machine of a kind that is known ({kind!r})"
    number, classes = len(support), len(counts)
    is_of_classes = kind in _OF_CLASSES
    if is_of_classes and (classes < 2 or len(part.classes_) != classes):
        return f"it has {len(part.classes_)} classes, but support vectors of {classes}"
    if (counts < 0).any() or (not is_of_classes and classes != 2):  # the second one is not used
        return "the numbers of its support vectors are none"
    if int(counts.astype(np.int64).sum() if is_of_classes else counts[0]) != number:
        return f"it says that it has {counts.tolist()} support vectors, but has {number}"
    return _factors_fault(part, number, classes, len(intercepts)) or _vectors_fault(part, support)


def _factors_fault(part: Any, number: int, classes: int, intercepts: int) -> Fault:  # noqa: ANN401  # of libsvm
    factors, pairs = part._dual_coef_, classes * (classes - 1) // 2
    if tuple(factors.shape) != (classes - 1, number):
        return f"its factors (_dual_coef_) are of shape {tuple(factors.shape)}, not {(classes - 1, number)}"
    if part._sparse and len(factors.data) != (classes - 1) * number:  # noqa: SLF001
        return f"its factors (_dual_coef_) are {len(factors.data)}, not {(classes - 1) * number}"
    if intercepts != pairs:
        return f"it has {intercepts} intercepts, but should have {pairs}"
    needed = (pairs,) if part._sparse and getattr(part, "_effective_probability", False) else (0, pairs)  # noqa: SLF001
    one, other = len(part._probA), len(part._probB)  # noqa: SLF001
    if one != other or one not in needed:
        return f"its probabilities are of {one} and {other} pairs of classes, not {pairs}"
    return None


def _vectors_fault(part: Any, support: np.ndarray) -> Fault:  # noqa: ANN401  # an estimator of libsvm
    width, shape = width_of(part), tuple(part.support_vectors_.shape)
    if part.kernel == "precomputed" and not part._sparse:  # noqa: SLF001
        if width != part.shape_fit_[0]:
            return f"it takes {width} inputs, but its kernel {part.shape_fit_[0]}"
        return within(support, width, "support_")
    if callable(part.kernel):
        return within(support, np.shape(part._BaseLibSVM__Xfit)[0], "support_")  # noqa: SLF001
    return (
        None
        if shape == (len(support), width)
        else f"its support vectors are of shape {shape}, not {(len(support), width)}"
    )


def kernel_fault(part: Any) -> Fault:  # noqa: ANN401  # an estimator of libsvm
    """Say whether a kernel that is a function gives other numbers than one for each row that it compares with."""
    if not callable(part.kernel):
        return None
    rows = part._BaseLibSVM__Xfit  # noqa: SLF001  # what it compares with
    number, found = np.shape(rows)[0], np.shape(part.kernel(rows[:1], rows))
    if part._sparse or found != (1, number) or part.shape_fit_[0] != number:  # noqa: SLF001
        return f"its kernel gives an array of shape {found} for a row, but it compares a row with {number}"
    return None
