"""What every record is: strict JSON in, canonical JSON out, and the keys that all of them share."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from airflow_batch_inference.exceptions import ArtifactIntegrityError
from airflow_batch_inference.records.decoding import decoder

SCHEMA_VERSION: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Base of the records: strict JSON in, canonical JSON out."""

    schema_version: Literal[1] = 1

    @classmethod
    def from_json(cls, data: bytes | str, *, where: str) -> Self:
        """Decode strictly.

        Parameters
        ----------
        data
            The JSON text.
        where
            The URI it came from, for the error message.

        Raises
        ------
        ArtifactIntegrityError
            An unknown key, a wrong type, another schema version, or counts that do not reconcile.
        """
        from pydantic_core import ValidationError

        try:
            record: Self = decoder(cls).validate_json(data)  # type: ignore[arg-type]  # mypy: a generic class is no Hashable
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the document"
            message = (
                f"{where} is not a valid {cls.__name__} (schema version {SCHEMA_VERSION}): "
                f"{place}: {first['msg']}. It was damaged, or written by another version of the package; "
                "run the task that wrote it again."
            )
            raise ArtifactIntegrityError(message) from error
        return record

    @classmethod
    def from_dict(cls, data: dict[str, Any], *, where: str = "the given dict") -> Self:
        """Decode a dict of plain JSON types as strictly as :meth:`from_json`."""
        return cls.from_json(json.dumps(data), where=where)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    def to_json(self) -> bytes:
        """Return the canonical JSON text: the same record always gives the same bytes."""
        text = json.dumps(self.to_dict(), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return text.encode() + b"\n"


def fingerprint(value: object) -> str:
    """Return the SHA-256 (64 hex digits) of a value of plain JSON types, in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskKey:
    """One task instance, whatever its try: the key of all that it writes."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    @classmethod
    def of(cls, instance: Any) -> Self:  # noqa: ANN401  # Airflow's, which this module does not know
        """Return the key of a task instance of Airflow's; a ``map_index`` of None is that of a task without one."""
        index = -1 if instance.map_index is None else instance.map_index
        return cls(dag_id=instance.dag_id, run_id=instance.run_id, task_id=instance.task_id, map_index=index)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One input file as it was when the run first looked at it."""

    uri: str
    size_bytes: int
    version: str
    """The store's etag, or the modification time in ns: what tells that a file was replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """A column's name and its Arrow type in Arrow's own notation (``double``, ``string``, …)."""

    name: str
    type: str
