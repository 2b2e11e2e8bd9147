"""An MLflow model's folder: its ``MLmodel`` file, and which of the models in it is loaded.

Invariants: the file is data (YAML without tags, bounded, no aliases to multiply it), no path in it leads out of the
folder, and a folder with code of its own (``code``) is code, whatever its model is.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import (
    ConfigurationError,
    FlavorNotFoundError,
    ModelLoadError,
    UntrustedModelError,
)
from airflow_batch_inference.flavors.base import require
from airflow_batch_inference.flavors.registry import recognise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from airflow_batch_inference.flavors.base import Flavor, ModelFormat

log = logging.getLogger(__name__)

MLMODEL = "MLmodel"
PYFUNC = "python_function"

_MOST_BYTES = 1 << 20
_MOST_LEVELS = 50
# MLflow's native flavors in the order that they are preferred, and where each says its model lies.
_NATIVE = {
    "xgboost": ("data",),
    "lightgbm": ("data",),
    "onnx": ("data",),
    "sklearn": ("pickled_model",),
    "keras": ("data",),
    "tensorflow": ("saved_model_dir", "data"),
    "pytorch": ("model_data",),
}
# What MLflow calls a model within the folder that such an entry names (mlflow.keras, .tensorflow, .pytorch).
_WITHIN = ("model.keras", "model.pt2", "model.pth", "model")
_PATH_KEYS = frozenset(
    {
        *("data", "pickled_model", "model_data", "model_path", "saved_model_dir", "python_model", "model_code_path"),
        *("code", "conda", "virtualenv", "config", "requirements_file"),
    }
)
_PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;,]+)")


@dataclass(frozen=True, slots=True)
class Inner:
    """The model within an MLflow folder that is loaded.

    Attributes
    ----------
    flavor, path, model_format
        What loads it, as for a model of its own; None where MLflow's ``python_function`` does.
    code
        The folder of modules that it brings.
    """

    flavor: Flavor | None
    path: Path
    model_format: ModelFormat | None
    code: Path | None


def read_mlmodel(folder: Path) -> dict[str, Any]:
    """Return what ``MLmodel`` says.

    Raises
    ------
    ModelLoadError
        It is too large, no YAML of a mapping, or lists no flavors.
    UntrustedModelError
        It names a path that is none within the folder.
    """
    yaml = require("yaml", extra="mlflow")
    path = folder / MLMODEL
    with path.open("rb") as file:
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        message = (
            f"{MLMODEL} is larger than {_MOST_BYTES} bytes, so it is none that MLflow wrote. Save the model again."
        )
        raise ModelLoadError(message)
    try:
        # libyaml reads a mebibyte in a second; PyYAML's own parser takes twenty.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        _require_plain_yaml(yaml.parse(text, Loader=loader))
        document = yaml.load(text, Loader=loader)  # one of the two safe loaders
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        message = f"{MLMODEL} is no YAML ({type(error).__name__}: {str(error)[:200]}). Save the model again."
        raise ModelLoadError(message) from error
    flavors = document.get("flavors") if isinstance(document, dict) else None
    is_listing = isinstance(flavors, dict) and all(isinstance(entry, dict) for entry in flavors.values())
    if not isinstance(document, dict) or not is_listing or not flavors:
        message = f"{MLMODEL} lists no flavors. Save the model again with MLflow."
        raise ModelLoadError(message)
    for entry in flavors.values():
        for key, value in _paths(entry):
            _inside(folder, value, key)
    return document


def _require_plain_yaml(events: Iterable[object]) -> None:
    """Refuse YAML that unfolds into more than it holds, or is nested so deeply that reading it exhausts the stack.

    Raises
    ------
    ModelLoadError
        It has aliases, or more than 50 levels.
    """
    depth = 0
    for event in events:
        kind = type(event).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        if kind == "AliasEvent" or depth > _MOST_LEVELS:
            fault = "YAML aliases, which can multiply it without end" if kind == "AliasEvent" else "too many levels"
            message = f"{MLMODEL} has {fault}. Write its values out as MLflow does."
            raise ModelLoadError(message)


def _paths(entry: Mapping[Any, Any]) -> Iterator[tuple[str, object]]:
    environment = entry.get("env")
    for holder in (entry, environment if isinstance(environment, dict) else {}):
        yield from ((str(key), value) for key, value in holder.items() if key in _PATH_KEYS and value is not None)


def _inside(folder: Path, value: object, key: str) -> Path:
    """Return a path that ``MLmodel`` names, if it lies within the folder.

    Raises
    ------
    UntrustedModelError
        It leads out of the folder, or goes over a link.
    """
    parts = PurePosixPath(value).parts if isinstance(value, str) else ()
    bad = not parts or ".." in parts or str(value).startswith("/") or any(sign in str(value) for sign in "\\\0:")
    path = folder
    for part in () if bad else parts:
        path = path / part
        bad = bad or path.is_symlink()
    if bad:
        message = (
            f"{MLMODEL} names {value!r} as {key}, which is no path within the model's folder. Save the model again, or "
            "find out who changed it."
        )
        raise UntrustedModelError(message)
    return path


def choose_inner(folder: Path, document: Mapping[str, Any], wanted: object) -> Inner:
    """Choose the model that is loaded.

    Parameters
    ----------
    folder, document
        The model's folder, and what :func:`read_mlmodel` returned for it.
    wanted
        MLflow's name of the flavor that the user asks for; None: the first native one that one of our flavors
        recognises, else ``python_function``.

    Raises
    ------
    ConfigurationError
        The flavor that is asked for is not listed.
    ModelLoadError
        None of those listed can be loaded.
    """
    listed = document["flavors"]
    if wanted is not None and wanted not in listed:
        message = f"load_options has mlflow_flavor {wanted!r}, but the model has {', '.join(map(str, listed))}."
        raise ConfigurationError(message)
    named = next((entry["code"] for entry in listed.values() if entry.get("code")), None)
    code = None if named is None else _inside(folder, named, "code")
    for name in _NATIVE if wanted is None else (wanted,):
        for path in _candidates(folder, name, listed.get(name)):
            found = _recognised(path)
            if found is not None:
                return Inner(found[0], path, found[1], code)
    if PYFUNC in listed and wanted in (None, PYFUNC):
        return Inner(None, folder, None, code)
    tried = wanted or ", ".join(map(str, listed))
    message = f"The MLflow model's {tried} is of no format that is loaded here. Save it with python_function too."
    raise ModelLoadError(message)


def _candidates(folder: Path, name: object, entry: Mapping[str, Any] | None) -> Iterator[Path]:
    """Yield the places where a native flavor's model can lie."""
    for key in _NATIVE.get(str(name), ()) if entry is not None else ():
        if entry is None or entry.get(key) is None:
            continue
        path = _inside(folder, entry[key], key)
        # An ONNX file may have its data beside it, so its folder is what is loaded.
        yield path.parent if name == "onnx" and path.is_file() else path
        yield from (path / within for within in _WITHIN if path.is_dir())


def pickles_of(folder: Path, document: Mapping[str, Any]) -> list[Path]:
    """Return the files that ``python_function`` would unpickle, as far as ``MLmodel`` names them."""
    entry = document["flavors"].get(PYFUNC, {})
    named = [_inside(folder, entry[key], key) for key in ("python_model", "model_path", "data") if entry.get(key)]
    return [path for path in named if path.is_file()]


def _recognised(path: Path) -> tuple[Flavor, ModelFormat] | None:
    if not path.exists() or path.name == MLMODEL or ((path / MLMODEL).exists() and not _has_onnx(path)):
        return None
    try:
        return recognise(path, flavor="onnx" if path.is_dir() and _has_onnx(path) else None)
    except FlavorNotFoundError:
        return None


def _has_onnx(folder: Path) -> bool:
    return any(entry.name.endswith(".onnx") for entry in folder.iterdir())


def predict_method(document: Mapping[str, Any], methods: Sequence[str]) -> str:
    """Return the method that ``predict`` of the model as a ``python_function`` calls: ``predict_fn`` in ``MLmodel``.

    Raises
    ------
    ModelLoadError
        It is none of the methods that a mini-batch is scored with.
    """
    named = document["flavors"].get(PYFUNC, {}).get("predict_fn", "predict")
    if named not in methods:
        message = (
            f"{MLMODEL} says that predict is {named!r} (predict_fn), but the model is scored with "
            f"{', '.join(methods)}. "
            'Choose load_options={"mlflow_flavor": "python_function"} to have it called all the same, or the native '
            "flavor by its name there, and predict is the model's own."
        )
        raise ModelLoadError(message)
    return str(named)


def warn_of_params(document: Mapping[str, Any]) -> None:
    """Log the params that the signature has: MLflow's ``python_function`` would give them to the model."""
    given = (document.get("signature") or {}).get("params")
    names = re.findall(r'"name": *"([^"]*)"', given) if isinstance(given, str) else []
    if names:
        log.warning(
            "The signature in %s has params (%s), which only python_function gives to the model. Pass those that "
            "matter as predict_kwargs.",
            MLMODEL,
            ", ".join(names),
        )


def warn_of_versions(folder: Path) -> None:
    """Log the requirements of the model that are installed in another version than it was saved with."""
    path = folder / "requirements.txt"
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = file.read(_MOST_BYTES).splitlines()
    for line in lines:
        pinned = _PINNED.match(line.strip())
        there = _installed(pinned.group(1)) if pinned else None
        # A build such as 2.13.0+cpu is the same release.
        if pinned and there is not None and there.partition("+")[0] != pinned.group(2).partition("+")[0]:
            log.warning("The model was saved with %s %s, but %s is installed.", pinned.group(1), pinned.group(2), there)


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
