"""Arguments by name: one that a call does not have is refused with a guess, and the names that there are."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from airflow_batch_inference.exceptions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

P = ParamSpec("P")
R = TypeVar("R")
_OTHERS = {"tensor": ("data", "tensor_list"), "filename": ("path",), "items": ("tensor_list",)}
"""What other platforms, and other versions of theirs, call an argument."""


def refuses_unknown(call: Callable[P, R]) -> Callable[P, R]:
    """Return a call that names an argument which it does not have.

    Examples
    --------
    >>> refuses_unknown(lambda *, timeout=1: timeout)(timeuot=3)
    Traceback (most recent call last):
    TypeError: <lambda>() has no argument 'timeuot' (did you mean 'timeout'?). It takes: timeout.
    """
    known = [name for name in inspect.signature(call).parameters if name not in ("self", "cls")]
    named = set(known)
    shown = call.__qualname__.rpartition("<locals>.")[2].removesuffix(".__init__")

    @functools.wraps(call)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if not named.issuperset(kwargs):
            require_known(shown, kwargs, known)
        return call(*args, **kwargs)

    return checked


def require_known(call: str, given: Iterable[str], known: Collection[str]) -> None:
    """Refuse an argument that is not known.

    Raises
    ------
    TypeError
        Names the first one, and those that there are.
    """
    for name in given:
        if name not in known:
            here = next((other for other in _OTHERS.get(name, ()) if other in known), None)
            guess = f" (it is called {here!r} here)" if here else did_you_mean(name, known)
            message = f"{call}() has no argument {name!r}{guess}. It takes: {', '.join(known)}."
            raise TypeError(message)
