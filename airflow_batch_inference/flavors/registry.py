"""Which flavors there are, and which of them a file belongs to.

Built-in flavors stand in a table of strings, others register under the entry-point group
``airflow_batch_inference.flavors``.

Invariants: nothing is imported before it is asked for, telling a file's flavor reads bytes and imports no framework,
and a file whose name and content disagree is refused.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import (
    BatchInferenceError,
    FlavorNotFoundError,
    FlavorNotInstalledError,
    did_you_mean,
)
from airflow_batch_inference.flavors.base import Flavor
from airflow_batch_inference.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airflow_batch_inference.flavors.base import LoadedModel, ModelFormat
    from airflow_batch_inference.flavors.forests.source import Trees

GROUP = "airflow_batch_inference.flavors"

_FLAVORS = Registry(
    what="flavor",
    group=GROUP,
    built_in={
        "sklearn": "airflow_batch_inference.flavors.sklearn.flavor:SklearnFlavor",
        "lightgbm": "airflow_batch_inference.flavors.lightgbm.flavor:LightGBMFlavor",
        "xgboost": "airflow_batch_inference.flavors.xgboost.flavor:XGBoostFlavor",
        "mlflow": "airflow_batch_inference.flavors.mlflow.flavor:MlflowFlavor",
        "onnx": "airflow_batch_inference.flavors.onnx.flavor:OnnxFlavor",
        "keras": "airflow_batch_inference.flavors.keras.flavor:KerasFlavor",
        "tensorflow": "airflow_batch_inference.flavors.tensorflow.flavor:TensorFlowFlavor",
        "torch": "airflow_batch_inference.flavors.torch.flavor:TorchFlavor",
    },
    missing=FlavorNotInstalledError,
)
_HEAD_BYTES = 64
_SHOWN = 8


def flavor_names() -> tuple[str, ...]:
    """Return the names of all flavors, built-in ones first; imports none of them."""
    return _FLAVORS.names()


def get_flavor(name: str) -> Flavor:
    """Return a flavor by its name.

    Raises
    ------
    FlavorNotFoundError
        There is none of that name.
    FlavorNotInstalledError
        Its adapter cannot be imported.

    Examples
    --------
    >>> get_flavor("lightgbm").formats[0].trust
    'data'
    """
    points = _FLAVORS.points()
    if name not in points:
        message = f"There is no flavor {name!r}{did_you_mean(name, points)}. Known flavors: {', '.join(points)}."
        raise FlavorNotFoundError(message)
    flavor = _FLAVORS.create(name)
    if not isinstance(flavor, Flavor):
        message = (
            f"The flavor {name!r} ({points[name].value}) is none: derive its class from {Flavor.__module__}.Flavor."
        )
        raise FlavorNotFoundError(message)
    return flavor


def flavor_of(model: object) -> Flavor | None:
    """Return the flavor that makes a loaded model of an object in memory; None where none does.

    Examples
    --------
    >>> flavor_of("model.txt") is None
    True
    """
    for name in flavor_names():
        with contextlib.suppress(FlavorNotFoundError, FlavorNotInstalledError):  # then it accepts nothing
            flavor = get_flavor(name)
            if flavor.accepts(model):
                return flavor
    return None


def trees_of(model: LoadedModel) -> Trees | None:
    """Return the trees of a model as its flavor reads them; None where it is no tree ensemble that is known.

    Flavors that nobody has imported are not asked: the model is of none of them.
    """
    made = (get_flavor(name) for name, point in _FLAVORS.points().items() if point.module in sys.modules)
    return next((trees for flavor in made if (trees := flavor.trees(model)) is not None), None)


def recognise(
    path: Path, *, flavor: str | None = None, where: str | None = None, options: Mapping[str, Any] | None = None
) -> tuple[Flavor, ModelFormat]:
    """Tell the flavor and the format of a model file by its name and its first bytes.

    Parameters
    ----------
    path
        A local file or folder.
    flavor
        The flavor that it must be of; None: all are asked in turn.
    where
        What to call the file in a message; None: its path.
    options
        The load options, which may ask for another part of the model and so for another format.

    Raises
    ------
    FlavorNotFoundError
        No flavor (or not the named one) recognises it, or its name belongs to another format than its content.
    """
    head = b""
    if not path.is_dir():
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    where = where or str(path)
    for name in flavor_names() if flavor is None else (flavor,):
        candidate = get_flavor(name)
        try:
            found = candidate.recognise(path, head)
            if found is not None:
                found = candidate.with_options(path, found, options or {})
        except BatchInferenceError as error:
            message = f"{where}: {error}"
            raise type(error)(message) from error
        if found is not None and found.is_folder == path.is_dir():
            _require_agreement(path, candidate, found, where)
            return candidate, found
    known = None if path.is_dir() or _claims(path) else _by_content(path, head, flavor)
    if known is not None:
        return known
    raise FlavorNotFoundError(_unrecognised(path, head, flavor, where))


def _by_content(path: Path, head: bytes, flavor: str | None) -> tuple[Flavor, ModelFormat] | None:
    """Tell a file by its content alone, where its name says nothing: people call their pickles as they like."""
    for name in flavor_names() if flavor is None else (flavor,):
        candidate = get_flavor(name)
        found = candidate.recognise_content(path, head)
        if found is not None:
            return candidate, found
    return None


def _claims(path: Path) -> dict[str, str]:
    """Return the built-in flavors that the file's name belongs to, each with the format's name."""
    return {name: known.name for name in _FLAVORS.built_in for known in get_flavor(name).formats if known.names(path)}


def _require_agreement(path: Path, flavor: Flavor, found: ModelFormat, where: str) -> None:
    if found.names(path):  # which needs no other flavor to be imported
        return
    claims = _claims(path)
    if claims and flavor.name not in claims:
        message = (
            f"The name of {where} says {' or '.join(claims.values())}, but its content is {found.name} "
            f"({flavor.name}). Give the file the name of what it is: it must end in {' or '.join(found.suffixes)}."
        )
        raise FlavorNotFoundError(message)


def _held(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "") if names else "nothing in it"


def _unrecognised(path: Path, head: bytes, flavor: str | None, where: str) -> str:
    start = f"it is a folder with {_held(path)}" if path.is_dir() else f"it starts with {head[:8]!r}"
    if flavor is not None:
        formats = get_flavor(flavor).formats
        known = "; ".join(f"{known.name}: {', '.join(known.suffixes) or 'a folder'}" for known in formats)
        return f"{where} is no file of the flavor {flavor!r}, by its name or its content ({start}). It loads {known}."
    claims = _claims(path)
    if claims:
        found = _by_content(path, head, None)
        what, ending = start, ""
        if found is not None:
            what, ending = f"it is {found[1].name} ({found[0].name})", f": it must end in {found[1].suffixes[0]}"
        return (
            f"The name of {where} says {' or '.join(claims.values())}, but its content does not: {what}. Save the "
            f"model again, or give the file the name of what it is{ending}."
        )
    return (
        f"No flavor recognises {where}, by its name or its content ({start}). Known flavors: "
        f"{', '.join(flavor_names())}; pass flavor= for the reason why one of them refuses it."
    )
