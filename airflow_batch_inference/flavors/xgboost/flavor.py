"""XGBoost's own formats, JSON and UBJSON: trees and numbers, nothing that could run.

Both are parsed by libxgboost into numbers and strings (its documentation, "Introduction to Model IO"); a custom
objective is not stored.

Invariants: XGBoost predicts from an array without looking at names, so a batch comes aligned by name; and its parser is
not memory-safe, so a file that nobody vouches for is first loaded in a child process
(:mod:`~airflow_batch_inference.flavors.sandbox`).
"""

from __future__ import annotations

import json
import logging
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.base import Flavor, ModelFormat, require, take_options
from airflow_batch_inference.flavors.boosters.xgboost_categories import Categories, find_categories, stored_lists
from airflow_batch_inference.flavors.boosters.xgboost_trees import require_followable
from airflow_batch_inference.flavors.xgboost.model import BINARY, OTHER_OUTPUTS, XGBoostModel, dmatrix
from airflow_batch_inference.flavors.xgboost.trees import trees_of
from airflow_batch_inference.processes.threads import native_threads
from airflow_batch_inference.records import ColumnSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.flavors.forests.source import Trees


log = logging.getLogger(__name__)
JSON = ModelFormat(name="xgboost-json", suffixes=(".json", ".xgb", ".model"), trust="data")
UBJ = ModelFormat(name="xgboost-ubj", suffixes=(".ubj", ".xgb", ".model"), trust="data")
_JSON_START = re.compile(rb'\s*\{\s*"learner"\s*:\s*\{')
# An object whose first key has its length as an 8, 4, 2 or 1 byte number (ubjson.org, "Type Reference").
_UBJ_START = re.compile(rb"\{(?:L.{7}\x07|l.{3}\x07|I\x00\x07|[iU]\x07)learner\{", re.DOTALL)
_ARROW_TYPES = {"int": "int64", "i": "bool", "c": "int64"}
_OPTIONS = ("categories", "missing", "unseen_categories")
_TWO = 2


class XGBoostFlavor(Flavor):
    """Loads what ``Booster.save_model`` and the wrappers' ``save_model`` write."""

    name = "xgboost"
    formats = (JSON, UBJ)
    extra = "xgboost"
    packages = ("xgboost",)

    def recognise(self, path: Path, head: bytes) -> ModelFormat | None:  # noqa: ARG002  # any name will do
        """Recognise an object whose first key is ``learner``, whatever the file is called.

        Names that belong to another flavor are refused by the registry. The old binary format, which XGBoost itself
        does not load any more, is not recognised.
        """
        if _JSON_START.match(head):
            return JSON
        return UBJ if _UBJ_START.match(head) else None

    def require_followable(
        self,
        path: Path,
        model_format: ModelFormat,
        options: Mapping[str, Any],  # noqa: ARG002  # none of them matters
    ) -> None:
        """Refuse trees that point beyond themselves, or back; see :class:`~.base.Flavor`."""
        require_followable(_terminated(path, model_format), is_json=model_format is JSON)

    def trees(self, model: LoadedModel) -> Trees | None:
        """Return the trees; see :class:`~.base.Flavor`."""
        return trees_of(model) if isinstance(model, XGBoostModel) else None

    def load(
        self,
        path: Path,
        *,
        model_format: ModelFormat,
        trusted: tuple[str, ...],  # noqa: ARG002  # it holds no types
        options: Mapping[str, Any],
    ) -> XGBoostModel:
        """Build a booster; see :meth:`~.base.Flavor.load`.

        ``options`` may have ``categories`` and ``unseen_categories``, see :mod:`~.xgboost_categories`, and ``missing``,
        the number that stood for missing values in training: no file of XGBoost holds it.
        """
        chosen = take_options(options, _OPTIONS, flavor=self.name)
        xgboost = require("xgboost", extra=self.extra)
        booster = xgboost.Booster({"nthread": native_threads()})
        # From bytes: from a path XGBoost would choose the parser by the ending.
        booster.load_model(bytearray(_terminated(path, model_format)))
        return _describe(xgboost, booster, chosen)


def _terminated(path: Path, model_format: ModelFormat) -> bytes:
    """Return the file's bytes, if they end as an object does.

    Raises
    ------
    ModelLoadError
        The end is missing.
    """
    content = path.read_bytes()
    if not content.rstrip().endswith(b"}"):
        message = f"The {model_format.name} model is cut off: its last brace is missing. Save or copy it again."
        raise ModelLoadError(message)
    return content


def _describe(xgboost: ModuleType, booster: Any, options: Mapping[str, Any]) -> XGBoostModel:  # noqa: ANN401  # untyped
    config = json.loads(booster.save_config())["learner"]
    parameters = config["learner_model_param"]
    objective, booster_kind = config["objective"]["name"], config["gradient_booster"]["name"]
    number = int(booster.num_features())
    names = None if booster.feature_names is None else tuple(booster.feature_names)
    types = None if booster.feature_types is None else tuple(booster.feature_types)
    _require_width(number, names, types)
    categories = find_categories(stored_lists(booster), types or (), names, options=options)
    is_linear = booster_kind == "gblinear"
    classes = _classes(objective, int(parameters["num_class"]), int(parameters["num_target"]))
    others = _supported(xgboost, booster, names, types, number)
    return XGBoostModel(
        booster=booster,
        framework=xgboost,
        objective=objective,
        is_linear=is_linear,
        releases_gil=not is_linear,
        iteration_range=(0, 0) if is_linear else _iterations(booster),
        categories=categories,
        types=types,
        feature_names=names,
        n_features=number,
        inputs=None if names is None else _inputs(names, types, categories),
        methods=("predict", *(("predict_proba",) if classes is not None else ()), *others),
        outputs=max(1, int(parameters["num_class"]), int(parameters["num_target"])),
        missing=_missing(options.get("missing", math.nan)),
        classes=classes,
        versions={"numpy": np.__version__, "xgboost": xgboost.__version__},
    )


def _missing(given: object) -> float:
    """Return the load option ``missing``.

    Raises
    ------
    ConfigurationError
        It is no number.
    """
    if given is None or isinstance(given, bool) or not isinstance(given, (int, float)):
        message = (
            f"load_options has missing {given!r}; it must be the number that stood for missing values in training, "
            "such as -999, or be left out where that was NaN."
        )
        raise ConfigurationError(message)
    return float(given)


def _require_width(number: int, names: tuple[str, ...] | None, types: tuple[str, ...] | None) -> None:
    for what, given in (("names", names), ("types", types)):
        if given is not None and len(given) != number:
            message = f"The XGBoost model takes {number} inputs but has {len(given)} {what}. Save the model again."
            raise ModelLoadError(message)


def _inputs(names: tuple[str, ...], types: tuple[str, ...] | None, categories: Categories) -> tuple[ColumnSpec, ...]:
    kinds = types or ("float",) * len(names)
    lists = categories.lists.columns
    return tuple(
        ColumnSpec(name=name, type=str(lists[position].type) if position in lists else _ARROW_TYPES.get(kind, "double"))
        for position, (name, kind) in enumerate(zip(names, kinds, strict=True))
    )


def _classes(objective: str, classes: int, targets: int) -> tuple[int, ...] | None:
    """Return the class labels, which XGBoost numbers from 0; None where there are no probabilities."""
    if objective == BINARY and targets == 1:
        return (0, 1)
    return tuple(range(classes)) if objective.startswith("multi:") and classes >= _TWO else None


def _supported(
    xgboost: ModuleType,
    booster: Any,  # noqa: ANN401  # untyped
    names: tuple[str, ...] | None,
    types: tuple[str, ...] | None,
    number: int,
) -> tuple[str, ...]:
    """Return those other outputs that the booster has: linear ones have no leaves, some trees no contributions."""
    row = dmatrix(xgboost, np.full((1, number), np.nan, dtype=np.float32), names, types)
    found = []
    for method, argument in OTHER_OUTPUTS.items():
        try:
            booster.predict(row, **{argument: True})
        except xgboost.core.XGBoostError:
            continue
        found.append(method)
    return tuple(found)


def _iterations(booster: Any) -> tuple[int, int]:  # noqa: ANN401  # untyped
    best = booster.attr("best_iteration")
    if best is None:
        return 0, 0
    if int(best) < 0:
        message = f"The XGBoost model's best_iteration is {best}, which is no count. Save the model again."
        raise ModelLoadError(message)
    if booster.attr("scikit_learn") is not None:
        return 0, int(best) + 1
    log.info(
        "The booster stopped early at iteration %s; all of its trees are used, as Booster.predict does. For the best "
        "ones only, pass iteration_range=(0, %d) to predict.",
        best,
        int(best) + 1,
    )
    return 0, 0
