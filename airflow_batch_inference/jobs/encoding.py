"""Values as JSON, and back: what a job consists of, for the artifact store and for other processes.

A dataclass is an object with ``"$": "module:Class"`` and its fields (of another package: ``"module:Class@version"``,
and no other version of that package reads it), a tuple is an array (a long one, columns: :mod:`.columnar`), and what
JSON does not have (schemas, sets, infinite numbers) is an object with ``"$"`` and its kind. Nothing is guessed: what
has no form here is refused when it is encoded.

Invariants: to decode is to make dataclasses of this package, or of a package with an entry point of its, and nothing
else: no text names a function that would be called. No secret is encoded: what reaches a store, a function's code and
a table in memory are *handed over* beside the text, to processes of this task alone, and have a token in it. What is
decoded has the types that were encoded: a subclass of text or of a number is no text and no number.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
import json
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    ConfigurationError,
    EnvironmentMismatchError,
    NotDescribableError,
)
from airflow_batch_inference.jobs.columnar import MANY, read_column, write_column
from airflow_batch_inference.predictors.graphs.source import ModelSource
from airflow_batch_inference.predictors.pickled_function import PickledFunction
from airflow_batch_inference.registry import is_of_plugin, plugin_version
from airflow_batch_inference.storage.origins import storage_of
from airflow_batch_inference.storage.store import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_KIND = "$"
_PACKAGE = "airflow_batch_inference"


@dataclass(slots=True)
class Handover:
    """What goes to processes of this task beside a text, in memory only: by its token.

    Attributes
    ----------
    objects
        Storages with the keys that they have, functions, tables.
    """

    objects: dict[str, Any] = field(default_factory=dict)
    _tokens: dict[int, str] = field(default_factory=dict)

    def token(self, value: object) -> str:
        """Return the token of an object: each has one."""
        token = self._tokens.setdefault(id(value), secrets.token_hex(8))
        self.objects[token] = value  # which also keeps its id from being another's
        return token

    def take(self, objects: Mapping[str, Any]) -> None:
        """Take what another process has handed over; what is known already stays."""
        for token, value in objects.items():
            self.objects.setdefault(token, value)
            self._tokens.setdefault(id(self.objects[token]), token)


@dataclass(frozen=True, slots=True)
class Encoder:
    """Makes texts.

    Attributes
    ----------
    handover
        Takes what is not in the text.
    put_table
        Stores a table, and returns its URI; None: it is handed over.
    hands_over
        What may be handed over: ``"nothing"``, for a text that any process can read; ``"parts"``, what jobs consist
        of; ``"all"``, also values that have no description, of any class.
    """

    handover: Handover = field(default_factory=Handover)
    put_table: Callable[[pa.Table], str] | None = None
    hands_over: Literal["nothing", "parts", "all"] = "parts"
    _schemas: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Those of the text so far: each stands in it once, as a dataset of many files has one for each."""

    def encode(self, value: object) -> str:
        """Return the JSON text of a value.

        Raises
        ------
        NotDescribableError
            It, or a part of it, has none.
        """
        self._schemas.clear()
        try:
            return json.dumps(self._of(value, "the job"), allow_nan=False, separators=(",", ":"))
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, a list that holds itself
            message = f"The job has a value that no description can have: {error}. Leave it out."
            raise NotDescribableError(message) from error

    def _of(self, value: object, where: str) -> Any:  # noqa: ANN401  # what JSON has
        if value is None or type(value) in (bool, str, int):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {_KIND: "float", "value": repr(value)}
        if (type(value) is tuple or type(value) is list) and len(value) >= MANY:
            kind = "many" if type(value) is tuple else "many in a list"
            return {_KIND: kind, "value": self._column(value, where)}
        if type(value) is tuple:
            return [self._of(each, where) for each in value]
        if isinstance(value, Mapping):
            return self._of_mapping(value, where)
        special = self._of_special(value, where)
        if special is not None:
            return special
        if dataclasses.is_dataclass(value) and not isinstance(value, type) and is_allowed(type(value).__module__):
            return self._of_dataclass(value, where)
        if self.hands_over == "all":
            return {_KIND: "object", "token": self.handover.token(value)}
        raise _not_describable(value, where)

    def _token(self, value: object, where: str) -> str:
        """Hand a value over, where that may be."""
        if self.hands_over == "nothing":
            raise _not_describable(value, where)
        return self.handover.token(value)

    def _column(self, values: Sequence[Any], where: str) -> dict[str, Any]:
        return write_column(values, lambda each: self._of(each, where), _columnar)

    def _of_mapping(self, value: Mapping[Any, Any], where: str) -> dict[str, Any]:
        if len(value) >= MANY:
            columns = {"keys": self._column([*value], where), "values": self._column([*value.values()], where)}
            return {_KIND: "many pairs", "value": columns}
        if all(isinstance(key, str) for key in value) and _KIND not in value:
            return {key: self._of(each, f"{where}, {key}") for key, each in value.items()}
        pairs = [[self._of(key, where), self._of(each, where)] for key, each in value.items()]
        return {_KIND: "pairs", "value": pairs}

    def _of_special(self, value: object, where: str) -> dict[str, Any] | None:
        """Return what has a form of its own; None for anything else."""
        if type(value) is list:
            return {_KIND: "list", "value": [self._of(each, where) for each in value]}
        if type(value) is set or type(value) is frozenset:
            items = sorted((self._of(each, where) for each in value), key=json.dumps)
            return {_KIND: type(value).__name__, "value": items}
        if isinstance(value, pa.Schema):
            return self._of_schema(value)
        if isinstance(value, pa.DataType):
            return {_KIND: "type", "value": _as_text(pa.schema([pa.field("", value)]).serialize().to_pybytes())}
        if isinstance(value, Storage):
            return {
                _KIND: "storage",
                "token": self.handover.token(value) if value.known_origin else self._token(value, where),
                "origin": value.known_origin,
                "roots": list(value.roots),
                "max_memory": value.max_memory,
                "artifacts": self._of(value.artifacts, where),
                "keeps": value.copies is not None,
            }
        if isinstance(value, ModelSource) and value.model is not None and value.is_serializable:
            return self._of_dataclass(replace(value, model=None), where)
        if isinstance(value, bytes):  # code, which is never made of a text
            return {_KIND: "bytes", "token": self._token(value, where)}
        if isinstance(value, PickledFunction):
            return {_KIND: "function", "token": self._token(value, where)}
        if isinstance(value, pa.Table):
            uri = None if self.put_table is None else self.put_table(value)
            token = self._token(value, where) if uri is None else self.handover.token(value)
            return {_KIND: "table", "token": token, "uri": uri}
        return None

    def _of_schema(self, value: pa.Schema) -> dict[str, Any]:
        text = _as_text(value.serialize().to_pybytes())
        if text in self._schemas:
            return {_KIND: "schema", "value": self._schemas[text]}
        self._schemas[text] = len(self._schemas)
        return {_KIND: "schema", "value": text, "number": self._schemas[text]}

    def _of_dataclass(self, value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401  # any dataclass
        name = type(value).__qualname__
        fields = {
            each.name: self._of(getattr(value, each.name), f"{where}, {each.name} of {name}")
            for each in dataclasses.fields(value)
            if each.init and not _is_default(value, each)
        }
        return {_KIND: _class_name(type(value)), **fields}


def _columnar(kind: type) -> str | None:
    """Return the name of a class whose objects are no more than their fields."""
    is_special = issubclass(kind, (Storage, ModelSource, PickledFunction)) or not is_allowed(kind.__module__)
    return None if is_special or not dataclasses.is_dataclass(kind) else _class_name(kind)


def _not_describable(value: object, where: str) -> NotDescribableError:
    kind = type(value)
    message = (
        f"{where} has a {kind.__module__}.{kind.__qualname__}, which only this process can have: there is no "
        "description of it for others. Give a plain value (text, numbers, lists, dicts), or leave the engine to the "
        "task."
    )
    return NotDescribableError(message)


def _is_default(value: object, member: dataclasses.Field[Any]) -> bool:
    default = member.default
    return isinstance(default, bool | str | int | None) and getattr(value, member.name) is default


@dataclass(frozen=True, slots=True)
class Decoder:
    """Makes values of texts.

    Attributes
    ----------
    handed
        What was handed to this process, by token.
    read_table
        Reads a stored table.
    """

    handed: Mapping[str, Any] = field(default_factory=dict)
    read_table: Callable[[str], pa.Table] | None = None
    _schemas: dict[int, pa.Schema] = field(default_factory=dict, init=False, repr=False, compare=False)

    def decode(self, text: bytes | str, *, where: str) -> Any:  # noqa: ANN401  # whatever was encoded
        """Return the value of a text.

        Parameters
        ----------
        text
            What :meth:`Encoder.encode` returned.
        where
            Where it comes from, for messages.

        Raises
        ------
        ArtifactIntegrityError
            It is no such text, or was written by another version of a package.
        EnvironmentMismatchError
            It has an object of another package, of which this process has another version.
        ConfigurationError
            It names what was not handed to this process, and cannot be had otherwise.
        """
        self._schemas.clear()
        try:
            return self._of(json.loads(text))
        except (
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            ImportError,
            RecursionError,
            pa.ArrowException,
        ) as error:
            message = (
                f"{where} is no description of a job that this process can read ({type(error).__name__}: {error}). It "
                "was damaged, or written by another version of the package: run the task that wrote it again."
            )
            raise ArtifactIntegrityError(message) from error

    def _of(self, value: Any) -> Any:  # noqa: ANN401  # what JSON has
        if isinstance(value, list):
            return tuple(self._of(each) for each in value)
        if not isinstance(value, dict):
            return value
        if _KIND not in value:
            return {key: self._of(each) for key, each in value.items()}
        kind = value[_KIND]
        if ":" in kind:
            return self._of_dataclass(value, kind)
        return self._of_special(kind, value)

    def _of_special(self, kind: str, value: dict[str, Any]) -> Any:  # noqa: ANN401
        if kind in ("storage", "function", "table", "bytes", "object"):
            return self._handed(kind, value)
        if kind == "schema":
            return self._schema(value)
        return _READ[kind](self, value["value"])

    def _schema(self, value: dict[str, Any]) -> pa.Schema:
        """Return the schema of a text, or the one that has stood in it before under a number."""
        if isinstance(value["value"], int):
            return self._schemas[value["value"]]
        return self._schemas.setdefault(value["number"], _schema(value["value"]))

    def _handed(self, kind: str, value: dict[str, Any]) -> Any:  # noqa: ANN401
        if value["token"] in self.handed:
            return self.handed[value["token"]]
        if kind == "storage":
            made = replace(
                storage_of(value["origin"]),
                roots=tuple(value["roots"]),
                max_memory=value["max_memory"],
                artifacts=self._of(value["artifacts"]),
            )
            return made.keeping() if value["keeps"] else made
        if kind == "table" and value["uri"] is not None and self.read_table is not None:
            return self.read_table(value["uri"])
        message = (
            f"This job has a {kind} that was not handed to this process: only processes of its task can score it. Give "
            "a model that has a file and a dataset that has a URI, or leave the engine to the task."
        )
        raise ConfigurationError(message)

    def _of_dataclass(self, value: dict[str, Any], kind: str) -> Any:  # noqa: ANN401
        return self.class_of(kind)(**{key: self._of(each) for key, each in value.items() if key != _KIND})

    def column(self, column: dict[str, Any]) -> list[Any]:
        """Return the values of a column."""
        return read_column(column, self._of, self.class_of)

    @staticmethod
    def class_of(kind: str) -> type[Any]:
        """Return the dataclass that is written so."""
        written, _, version = kind.partition("@")
        module, _, name = written.partition(":")
        if not is_allowed(module):
            message = f"{kind} is of no package that jobs consist of"
            raise ValueError(message)
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
            message = f"{kind} is no dataclass"
            raise ValueError(message)
        if _class_name(found) != kind:
            message = (
                f"The job was planned with {written} of version {version or '(none)'}, and this process has "
                f"{_class_name(found)}. Install the same version where parts are scored, or plan the job there."
            )
            raise EnvironmentMismatchError(message)
        return found


def _class_name(kind: type) -> str:
    """Return how a class is called in a text: with its package's version, where that is not this package."""
    name = f"{kind.__module__}:{kind.__qualname__}"
    return name if kind.__module__.partition(".")[0] == _PACKAGE else f"{name}@{plugin_version(kind.__module__)}"


def is_allowed(module: str) -> bool:
    """Say whether values may be of a module's classes: one of this package, or of a package with an entry point."""
    return module.partition(".")[0] == _PACKAGE or is_of_plugin(module)


def _as_text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _schema(text: str) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text, validate=True)))


_READ: dict[str, Callable[[Decoder, Any], Any]] = {
    "float": lambda _, value: float(value),
    "pairs": lambda decoder, value: {decoder._of(key): decoder._of(each) for key, each in value},  # noqa: SLF001
    "many": lambda decoder, value: tuple(decoder.column(value)),
    "many in a list": lambda decoder, value: decoder.column(value),
    "many pairs": lambda decoder, value: dict(
        zip(decoder.column(value["keys"]), decoder.column(value["values"]), strict=True)
    ),
    "list": lambda decoder, value: [decoder._of(each) for each in value],  # noqa: SLF001
    "set": lambda decoder, value: {decoder._of(each) for each in value},  # noqa: SLF001
    "frozenset": lambda decoder, value: frozenset(decoder._of(each) for each in value),  # noqa: SLF001
    "type": lambda _, value: _schema(value).field(0).type,
}
