"""What an estimator from a skops file holds, looked through before it predicts.

skops lets types through, not values, and two kinds of values do harm: text vectorizers that open the files that their
input names, and arrays that compiled code follows without a check (:mod:`~.native_arrays`).

Invariants: everything that can be reached from the estimator is looked at, not only what its parameters name.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError, UntrustedModelError
from airflow_batch_inference.flavors.sklearn.arrays.native import late_fault, native_fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TEXT = "sklearn.feature_extraction.text"
_PLAIN = (str, bytes, bytearray, int, float, complex, bool, type(None), type, np.generic)


def require_harmless(estimator: object) -> None:
    """Refuse an estimator that would read files, or whose arrays cannot be followed.

    Raises
    ------
    UntrustedModelError
        A text vectorizer takes file names.
    ModelLoadError
        An array of it leads beyond others, or is of another shape than they say.
    """
    parts = list(reachable(estimator))
    for part in parts:
        kind = type(part).__name__
        if type(part).__module__ == _TEXT and getattr(part, "input", "content") != "content":
            message = (
                f"The model's {kind} has input={part.input!r}, so it would open the files that its input "  # type: ignore[attr-defined]  # it has one here
                "names. Fit it on the texts themselves, or save the model with joblib and pin it."
            )
            raise UntrustedModelError(message)
        _require_no(native_fault(part), part)
    for part in parts:
        _require_no(late_fault(part), part)


def _require_no(fault: str | None, part: object) -> None:
    if fault:
        message = f"The model's {type(part).__name__} is damaged: {fault}. Fit and save the model again."
        raise ModelLoadError(message)


def reachable(root: object) -> Iterator[object]:
    """Yield an object and all that it holds, each once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if isinstance(part, _PLAIN) or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        waiting.extend(_held(part))


def _held(part: object) -> Iterable[object]:
    if isinstance(part, np.ndarray):
        held: Iterable[object] = part.ravel().tolist() if part.dtype == object else ()
    elif isinstance(part, dict):
        held = (*part.keys(), *part.values())
    elif isinstance(part, (list, tuple, set, frozenset)):
        held = part
    elif isinstance(part, functools.partial):
        held = (part.func, part.args, part.keywords)
    else:
        held = (getattr(part, "__self__", None),)
    return (*held, getattr(part, "__dict__", None))
