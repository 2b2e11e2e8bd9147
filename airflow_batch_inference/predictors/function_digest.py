"""What a function's predictions depend on, as one digest: what tells whether parts that lie there are still its own.

It covers the function as Python compiles it (comments, formatting and decorators do not count), its arguments and
defaults, and what it names of its own file: functions and classes in the same way, other values by their content; of
other modules the name, and the version where they tell it.

Invariants: two functions that are known to differ never have one digest. What it cannot cover, and the documentation
says: code of other modules, files, services, the environment, time and chance.
"""

from __future__ import annotations

import dis
import hashlib
import types
from typing import TYPE_CHECKING, Any

import cloudpickle  # type: ignore[import-untyped]  # it has no annotations

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_LOADS = ("LOAD_GLOBAL", "LOAD_NAME")
_PLAIN = (str, int, float, bool, bytes, type(None))


def function_digest(function: Callable[..., object], args: tuple[object, ...], kwargs: Mapping[str, object]) -> str:
    """Return the SHA-256 (64 hex digits) of a function with its arguments.

    Raises
    ------
    ConfigurationError
        An argument has no content that could be told from another's.

    Examples
    --------
    >>> digest = function_digest(lambda batch, factor: batch, (), {"factor": 2})
    >>> digest == function_digest(lambda batch, factor: batch, (), {"factor": 3})
    False
    """
    given = {**{str(place): value for place, value in enumerate(args)}, **kwargs}
    arguments = {name: _argument(name, value) for name, value in given.items()}
    return fingerprint({"arguments": arguments, "function": _Walk(getattr(function, "__module__", None)).of(function)})


def _argument(name: str, value: object) -> Any:  # noqa: ANN401  # plain JSON types
    try:
        return _content(value)
    except Exception as error:
        message = (
            f"The argument {name!r} is a {type(value).__name__}, which cannot be written down ({error}), so nobody "
            "could tell whether the same was scored before. Give plain values, and let the function make the rest."
        )
        raise ConfigurationError(message) from error


def _content(value: object) -> Any:  # noqa: ANN401  # plain JSON types
    """Return a value's content in canonical form, or a digest of its pickle.

    Raises
    ------
    Exception
        Whatever an object that cannot be pickled raises.
    """
    kind = type(value).__qualname__
    if isinstance(value, _PLAIN):
        return [kind, repr(value)]
    if isinstance(value, (list, tuple)):
        return [kind, [_content(item) for item in value]]
    if isinstance(value, (set, frozenset)):
        return [kind, sorted(str(_content(item)) for item in value)]
    if isinstance(value, dict):
        return [kind, [[_content(key), _content(item)] for key, item in value.items()]]
    return [kind, hashlib.sha256(cloudpickle.dumps(value)).hexdigest()]


class _Walk:
    """Follows what a function names, within its own module, each function once."""

    def __init__(self, module: str | None) -> None:
        self._module = module
        self._seen: set[int] = set()

    def of(self, value: object) -> Any:  # noqa: ANN401  # plain JSON types
        """Describe a value that a function is or names."""
        if not isinstance(value, types.FunctionType):  # one that wraps another encloses it
            value = getattr(value, "__wrapped__", value)
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__, str(getattr(value, "__version__", ""))]
        if isinstance(value, (types.FunctionType, type)):
            if getattr(value, "__module__", None) != self._module:
                return ["elsewhere", str(value.__module__), value.__qualname__]
            if id(value) in self._seen:
                return ["seen", value.__qualname__]
            self._seen.add(id(value))
            return self._function(value) if isinstance(value, types.FunctionType) else self._class(value)
        try:
            return _content(value)
        except Exception:  # noqa: BLE001  # an object's own pickling may fail in any way
            return ["unknown", type(value).__qualname__]

    def _function(self, function: types.FunctionType) -> dict[str, Any]:
        code = function.__code__
        names = {each.argval for part in _codes(code) for each in dis.get_instructions(part) if each.opname in _LOADS}
        named = {name: self.of(function.__globals__[name]) for name in sorted(names) if name in function.__globals__}
        cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
        return {
            "code": [_instructions(each) for each in _codes(code)],
            "defaults": [self.of(value) for value in function.__defaults__ or ()],
            "keyword_defaults": {name: self.of(value) for name, value in (function.__kwdefaults__ or {}).items()},
            "named": named,
            "enclosed": {name: self._cell(cell) for name, cell in cells},
        }

    def _cell(self, cell: types.CellType) -> Any:  # noqa: ANN401  # plain JSON types
        try:
            return self.of(cell.cell_contents)
        except ValueError:  # it is empty
            return None

    def _class(self, kind: type) -> dict[str, Any]:
        own = {name: value for name, value in vars(kind).items() if not name.startswith("__") or callable(value)}
        bases = [self.of(base) for base in kind.__bases__]
        return {"bases": bases, "members": {name: self.of(_plain_member(value)) for name, value in own.items()}}


def _plain_member(value: object) -> object:
    """Return the function behind a class method, a static method or a property."""
    if isinstance(value, property):
        return value.fget
    return getattr(value, "__func__", value)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yield a function's code and that of all functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _instructions(code: types.CodeType) -> Any:  # noqa: ANN401  # plain JSON types
    constants = [_content(each) for each in code.co_consts if not isinstance(each, types.CodeType)]
    return [code.co_code.hex(), constants, code.co_names, code.co_varnames, code.co_freevars]
