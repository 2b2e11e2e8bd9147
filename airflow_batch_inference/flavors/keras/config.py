"""What a Keras model's configuration would build, told from its JSON; Keras itself is not asked.

Keras builds whatever class or function the configuration names (``deserialize_keras_object`` in
``keras/src/saving/serialization_lib.py``), and its safe mode has been passed by more than once: CVE-2025-1550,
CVE-2025-9906, CVE-2026-1462.

Invariants: a name is fine only if it is on our list; and what runs code (``Lambda``), loads another framework's model,
or reads a file of the worker is never on it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATA = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"}
"""What Keras writes for values that are no objects."""

_FUNCTIONS = (
    *("activations", "constraints", "initializers", "losses", "metrics", "ops", "regularizers"),
    *("src.activations", "src.losses", "src.metrics", "src.ops"),
)
_CLASSES = (
    *_FUNCTIONS,
    *("dtype_policies", "layers", "optimizers", "quantizers", "random"),
    *("src.constraints", "src.dtype_policies", "src.initializers", "src.layers", "src.models", "src.optimizers"),
    *("src.quantizers", "src.random", "src.regularizers"),
)
_OF_KERAS = {
    *("Functional", "Model", "Sequential", "DTypePolicy", "FloatDTypePolicy", "QuantizedDTypePolicy", "Variable"),
}
"""Classes that stand in ``keras`` and ``keras.models`` themselves, beside functions that load and save."""

_NOT_SAFE = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
"""Layers of Keras that run code of the file, or load a model of another framework."""

_READ_FROM = {"vocabulary", "filepath"}
"""Parameters that may hold the name of a file instead of a value."""


def foreign_names(config: bytes) -> tuple[str, ...]:
    """Return, sorted, what the configuration names that is not Keras' own or not safe; () where all is fine.

    Parameters
    ----------
    config
        The content of ``config.json``.

    Raises
    ------
    ValueError, RecursionError
        It is no JSON, or nested too deeply.

    Examples
    --------
    >>> foreign_names(b'{"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}}')
    ()
    >>> foreign_names(b'{"module": "os", "class_name": "function", "config": "system"}')
    ('os.system',)
    """
    return tuple(sorted(set(_foreign(json.loads(config)))))


def _foreign(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "class_name" in node and not _is_own(node):
            yield _described(node)
        for name, value in node.items():
            if name in _READ_FROM and isinstance(value, str):
                yield f"the file {value!r} as {name}"
            yield from _foreign(value)
    elif isinstance(node, list):
        for value in node:
            yield from _foreign(value)


def _is_own(node: dict[str, Any]) -> bool:
    """Say whether a class or function is one of Keras' own that cannot do harm."""
    kind, module = node["class_name"], node.get("module")
    if not isinstance(kind, str) or kind in _NOT_SAFE:
        return False
    if module is None:
        return kind in _DATA
    if kind == "function":
        name = node.get("config")
        return _is_name(name) and (module == "builtins" or _is_in(module, _FUNCTIONS)) and _is_plain(node, name)
    if not _is_name(kind) or not _is_plain(node, kind):
        return False
    return kind in _OF_KERAS if module in ("keras", "keras.models") else _is_in(module, _CLASSES)


def _is_plain(node: dict[str, Any], name: object) -> bool:
    """Say whether an object is not registered under a name of its own, as other packages' classes are."""
    return node.get("registered_name") in (None, "", name, node["class_name"])


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and not name.startswith("_")


def _is_in(module: object, allowed: tuple[str, ...]) -> bool:
    return isinstance(module, str) and any(
        module == f"keras.{known}" or module.startswith(f"keras.{known}.") for known in allowed
    )


def _described(node: dict[str, Any]) -> str:
    kind, module = node["class_name"], node.get("module")
    name = node.get("config") if kind == "function" and isinstance(node.get("config"), str) else kind
    registered = node.get("registered_name")
    if module is None and isinstance(registered, str):
        return registered
    return f"{module}.{name}" if module else str(name)
