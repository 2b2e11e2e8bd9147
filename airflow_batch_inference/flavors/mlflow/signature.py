"""The signature in an ``MLmodel`` file as column types: what MLflow says a model takes and gives.

Read from the JSON that MLflow writes (``mlflow.types.schema``): named columns, or tensors.

Invariants: a type that has no exact counterpart is ``any``, never a near one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.tensors import TensorInput
from airflow_batch_inference.records import ColumnSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

_ARROW = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float",
    "double": "double",
    "string": "string",
}
_MOST_COLUMNS = 100_000
_ONLY = "inputs"
"""What a single tensor without a name is called."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What an MLflow model says of itself.

    Attributes
    ----------
    columns
        The named input columns; None where it has no signature, tensors, or columns without names.
    tensors
        The input tensors, without the axis of the rows; () where it takes columns.
    named_tensors
        Whether the tensors have names.
    outputs
        The output columns; None where they are not named.
    """

    columns: tuple[ColumnSpec, ...] | None
    tensors: tuple[TensorInput, ...]
    named_tensors: bool
    outputs: tuple[ColumnSpec, ...] | None


def read_signature(document: Mapping[str, Any]) -> Signature:
    """Return the signature of a model.

    Raises
    ------
    ModelLoadError
        It is damaged.
    """
    given = document.get("signature")
    try:
        inputs, outputs = (_entries(given, key) for key in ("inputs", "outputs"))
        tensors = tuple(_tensor(entry) for entry in inputs if entry["type"] == "tensor")
        return Signature(
            columns=None if tensors else _columns(inputs),
            tensors=tensors,
            named_tensors=any(entry.get("name") for entry in inputs),
            outputs=_columns(outputs),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        message = (
            f"The signature in MLmodel cannot be read ({type(error).__name__}: {str(error)[:200]}). Save the model "
            "again, or take the signature out."
        )
        raise ModelLoadError(message) from error


def _entries(given: object, key: str) -> list[dict[str, Any]]:
    text = None if given is None else given.get(key)  # type: ignore[attr-defined]  # another type is damage
    entries = [] if text is None else json.loads(text)
    if not isinstance(entries, list) or len(entries) > _MOST_COLUMNS:
        message = f"{key} is no list of at most {_MOST_COLUMNS} columns"
        raise ValueError(message)
    return entries


def _columns(entries: list[dict[str, Any]]) -> tuple[ColumnSpec, ...] | None:
    names = [entry.get("name") for entry in entries]
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        return None
    kinds = [_ARROW.get(str(entry["type"]), "any") for entry in entries]
    return tuple(ColumnSpec(name=str(name), type=kind) for name, kind in zip(names, kinds, strict=True))


def _tensor(entry: dict[str, Any]) -> TensorInput:
    spec = entry["tensor-spec"]
    kind = np.dtype(spec["dtype"])
    shape = tuple(None if size == -1 else int(size) for size in spec["shape"])
    return TensorInput(entry.get("name") or _ONLY, "str" if kind.kind in "USO" else kind.name, shape[1:])
