"""Boosters within a skops file, looked at before their libraries read them.

skops gives a booster its saved state, and the booster hands the text or the bytes in it to LightGBM or XGBoost, which
believe them.

Invariants: what is looked at is the very object that the booster is given, however the file names it: skops makes each
once.
"""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.base import require
from airflow_batch_inference.flavors.boosters.lightgbm_text import require_followable
from airflow_batch_inference.flavors.boosters.xgboost_trees import require_state_followable
from airflow_batch_inference.flavors.sklearn.skops_schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_LIGHTGBM, _XGBOOST = "lightgbm", "xgboost"


def load_skops(path: Path, trusted: Sequence[str]) -> object:
    """Build what a skops file holds, as ``skops.io.load`` does, after its boosters were looked at.

    Parameters
    ----------
    path
        The file, of which the types were judged before.
    trusted
        The types beyond skops's own list that it may hold.

    Raises
    ------
    ModelLoadError
        A booster in it is damaged.
    """
    audit, utils = require("skops.io._audit", extra="skops"), require("skops.io._utils", extra="skops")
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read(SCHEMA))
        _require_protocol(schema.get("protocol") if isinstance(schema, dict) else None)
        context = utils.LoadContext(src=archive, protocol=schema["protocol"])
        tree = audit.get_tree(schema, context, trusted=trusted)
        audit.audit_tree(tree, trusted=trusted)
        for node in _inner_first(tree):
            _require_sound(node)
        return tree.construct()


def _require_protocol(protocol: object) -> None:
    """Refuse a file of a version of skops's format that the installed skops does not know: it chooses what is built.

    Raises
    ------
    ModelLoadError
        Says which.
    """
    newest = require("skops.io._protocol", extra="skops").PROTOCOL
    if not isinstance(protocol, int) or isinstance(protocol, bool) or not 0 <= protocol <= newest:
        message = (
            f"The skops file is of protocol {protocol!r}, and the installed skops knows 0 to {newest}. Install the "
            "skops that wrote it, or save the model again."
        )
        raise ModelLoadError(message)


def _inner_first(root: Any) -> Iterator[Any]:  # noqa: ANN401  # a node of skops
    """Yield all nodes, each once and after those within it, so that none is built before it was looked at."""
    seen = {id(root)}
    waiting = [(root, iter(_children(root)))]
    while waiting:
        node, children = waiting[-1]
        child = next(children, None)
        if child is None:
            waiting.pop()
            yield node
        elif id(child) not in seen:
            seen.add(id(child))
            waiting.append((child, iter(_children(child))))


def _children(node: Any) -> Iterable[Any]:  # noqa: ANN401  # a node of skops
    held = [*node.children.values(), getattr(node, "cached", None)]
    for each in held:
        if isinstance(each, dict):
            inner: Iterable[Any] = each.values()
        else:
            inner = each if isinstance(each, list) else (each,)
        yield from (one for one in inner if hasattr(one, "construct"))


def _require_sound(node: Any) -> None:  # noqa: ANN401  # a node of skops
    """Refuse a booster whose text or bytes its library could not follow.

    Raises
    ------
    ModelLoadError
        Says what is wrong with it.
    """
    package = node.module_name.partition(".")[0]
    if node.class_name != "Booster" or package not in (_LIGHTGBM, _XGBOOST):
        return
    attributes = node.children.get("attrs")
    state = None if attributes is None else attributes.construct()
    held = [state[name] for name in ("_handle", "handle") if name in state] if type(state) is dict else []
    model = held[0] if len(held) == 1 else None
    if package == _LIGHTGBM and type(model) is str:
        require_followable(model)
    elif package == _XGBOOST and type(model) is bytearray:
        require_state_followable(bytes(model))
    else:
        message = f"A Booster of {package} in the skops file is not as {package} keeps it. Save the model again."
        raise ModelLoadError(message)
