"""A table of what is built in, and the entry points under which others register.

Invariants: nothing is imported before it is asked for, and nobody takes the name of what is built in.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, require_one_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What can be had by a name.

    Attributes
    ----------
    what
        What each of them is called in messages.
    group
        The entry points' group.
    built_in
        Name to ``module:object``.
    """

    what: str
    group: str
    built_in: Mapping[str, str]

    def names(self) -> tuple[str, ...]:
        """Return all names, built-in ones first; imports none of them."""
        return (*self.built_in, *self._registered())

    def load(self, name: str) -> Any:  # noqa: ANN401  # each registry says what its objects are
        """Import and return what has a name.

        Raises
        ------
        ConfigurationError
            There is none of that name, or it cannot be imported.
        """
        point = self._point(name)
        try:
            return point.load()
        except ImportError as error:
            package = point.dist.name if point.dist else "airflow-batch-inference"
            message = (
                f"The {self.what} {name!r} of the package {package} cannot be imported: {error}. Install what it needs."
            )
            raise ConfigurationError(message) from error

    def load_all(self) -> Iterator[Any]:
        """Yield what all names stand for: first what others have registered, then what is built in."""
        for name in (*self._registered(), *self.built_in):
            yield self.load(name)

    def _point(self, name: str) -> EntryPoint:
        if isinstance(name, str) and name in self.built_in:
            return EntryPoint(name=name, value=self.built_in[name], group=self.group)
        registered = self._registered()
        require_one_of(self.what, name, (*self.built_in, *registered))
        return registered[name]

    def _registered(self) -> dict[str, EntryPoint]:
        points = _entry_points(self.group, tuple(sys.path))
        return {point.name: point for point in points if point.name not in self.built_in}


@lru_cache(maxsize=32)
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:  # noqa: ARG001  # where they are found
    """Read every package's metadata, once for a path."""
    return tuple(sorted(entry_points(group=group), key=lambda point: point.name))
