"""Defaults of a base class that derived classes replace as they like; type checkers take them for properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class overridable:  # noqa: N801  # used as a decorator, as property is
    """A property that an instance's attribute, or a field of a derived dataclass, replaces.

    A ``property`` would not let a constructor set the attribute, and a dataclass would take it for its field's default.

    Examples
    --------
    >>> class Model:
    ...     @overridable
    ...     def methods(self):
    ...         return ("predict",)
    >>> model = Model()
    >>> model.methods
    ('predict',)
    >>> model.methods = ("predict", "predict_proba")
    >>> model.methods
    ('predict', 'predict_proba')
    """

    def __init__(self, default: Callable[[Any], Any]) -> None:
        self._default = default
        self.__doc__ = default.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the name, for messages."""
        self._name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:  # noqa: ANN401  # whatever the default is
        """Return the default; a class has none, so that a dataclass's field stays one that must be given."""
        if instance is None:
            raise AttributeError(self._name)
        return self._default(instance)
