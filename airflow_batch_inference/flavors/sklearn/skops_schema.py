"""How a skops file builds the types that it names, read from its ``schema.json``; nothing of it is built.

skops compares the names of types with those that are trusted, whatever is done with them: one node gives an instance
its saved state, another calls the type with arguments of the file, or hands the type itself to whoever calls it. A
``Booster`` that is called opens the file that its arguments name.

Invariants: a type of our list is built from its state only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.archives import read_member

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = "schema.json"

_MOST_SCHEMA_BYTES = 256 << 20
# Nodes of skops that make an instance without arguments and give it its state, or ignore the type that they name.
_BUILDING = frozenset(
    {"ObjectNode", "DictNode", "TreeNode", "PartialNode", "DTypeNode", "RandomStateNode", "RandomGeneratorNode"}
)


def called_names(path: Path) -> set[str]:
    """Return the full names that a file calls with its own arguments, or hands out to be called.

    Raises
    ------
    ModelLoadError
        Its schema is missing, damaged, nested too deeply or larger than 256 MiB.
    """
    content = read_member(path, SCHEMA, most_bytes=_MOST_SCHEMA_BYTES)
    if content is None:
        message = (
            f"{SCHEMA} in {path.name} is missing, damaged or larger than {_MOST_SCHEMA_BYTES} bytes. Save it again."
        )
        raise ModelLoadError(message)
    try:
        return set(_called(json.loads(content)))
    except (ValueError, RecursionError) as error:
        message = f"{SCHEMA} in {path.name} cannot be read: {error}. Save or copy the model again."
        raise ModelLoadError(message) from error


def _called(schema: object) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if "__loader__" in node and node["__loader__"] not in _BUILDING:
                yield from _names(node)
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _names(node: dict[str, Any]) -> Iterator[str]:
    yield f"{node.get('__module__')}.{node.get('__class__')}"
    content = node.get("content")
    if isinstance(content, dict) and "module_path" in content:  # where the first version kept a function's name
        yield f"{content['module_path']}.{content.get('function')}"
