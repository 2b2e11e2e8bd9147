"""A table of what is built in, and the entry points under which others register.

Invariants: nothing is imported before it is asked for, and nobody takes the name of what is built in.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import BatchInferenceError, ConfigurationError, require_one_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PACKAGE = "airflow_batch_inference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What can be had by a name.

    Attributes
    ----------
    what
        What each of them is called in messages.
    group
        The entry points' group; None: nobody else registers.
    built_in
        Name to ``module:object``.
    missing
        The error where something is there, but cannot be imported.
    """

    what: str
    group: str | None
    built_in: Mapping[str, str]
    missing: type[BatchInferenceError] = ConfigurationError

    def names(self) -> tuple[str, ...]:
        """Return all names, built-in ones first; imports none of them."""
        return tuple(self.points())

    def points(self) -> dict[str, EntryPoint]:
        """Return all entry points by name, built-in ones first; nobody takes the name of one of those."""
        points = {name: EntryPoint(name, value, self.group or "") for name, value in self.built_in.items()}
        for point in () if self.group is None else _entry_points(self.group, tuple(sys.path)):
            points.setdefault(point.name, point)
        return points

    def load(self, name: str) -> Any:  # noqa: ANN401  # each registry says what its objects are
        """Import and return what has a name.

        Raises
        ------
        ConfigurationError
            There is none of that name, or it cannot be imported.
        """
        point = self._point(name)
        with self._importing(point):
            return point.load()

    def create(self, name: str) -> Any:  # noqa: ANN401
        """Import the class that has a name, and return an object of it; the errors are those of :meth:`load`."""
        point = self._point(name)
        with self._importing(point):
            return point.load()()

    def create_all(self) -> Iterator[Any]:
        """Yield an object for each name: first what others have registered, then what is built in."""
        for name in sorted(self.names(), key=lambda name: name in self.built_in):
            yield self.create(name)

    @contextlib.contextmanager
    def _importing(self, point: EntryPoint) -> Iterator[None]:
        try:
            yield
        except ImportError as error:
            package = point.dist.name if point.dist else "airflow-batch-inference"
            message = (
                f"The {self.what} {point.name!r} of the package {package} cannot be imported: {error}. Install what it "
                "needs."
            )
            raise self.missing(message) from error

    def _point(self, name: str) -> EntryPoint:
        if name in self.built_in:  # nobody takes its name: there is no need to look who else registers
            return EntryPoint(name, self.built_in[name], self.group or "")
        points = self.points()
        require_one_of(self.what, name, points)
        return points[name]


def is_of_plugin(module: str) -> bool:
    """Say whether a module is of a package with an entry point of any of this package's groups."""
    return module.partition(".")[0] in _plugins(tuple(sys.path))


def plugin_version(module: str) -> str:
    """Return the version of the package that a module is of, which has an entry point; empty where it tells none."""
    return _plugins(tuple(sys.path))[module.partition(".")[0]]


@lru_cache(maxsize=8)
def _plugins(path: tuple[str, ...]) -> dict[str, str]:
    found = _all_entry_points(path)
    groups = [group for group in found.groups if group.startswith(f"{_PACKAGE}.")]
    points = [point for group in groups for point in found.select(group=group)]
    return {point.module.partition(".")[0]: point.dist.version if point.dist else "" for point in points}


@lru_cache(maxsize=32)
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    return tuple(sorted(_all_entry_points(path).select(group=group), key=lambda point: point.name))


@lru_cache(maxsize=8)
def _all_entry_points(path: tuple[str, ...]) -> Any:  # noqa: ANN401, ARG001  # of another type in Python 3.11
    """Read every package's metadata, once for a path: that takes ten milliseconds, whatever is asked for."""
    return entry_points()
