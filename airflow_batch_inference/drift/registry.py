"""A table of what is built in, and the entry points under which others register.

Invariants: nothing is imported before it is asked for, and nobody takes the name of what is built in.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.drift.limits import one_of
from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


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

    def _point(self, name: str) -> EntryPoint:
        if isinstance(name, str) and name in self.built_in:
            return EntryPoint(name=name, value=self.built_in[name], group=self.group)
        registered = self._registered()
        one_of(self.what, name, (*self.built_in, *registered))
        return registered[name]

    def _registered(self) -> dict[str, EntryPoint]:
        points = sorted(entry_points(group=self.group), key=lambda point: point.name)
        return {point.name: point for point in points if point.name not in self.built_in}
