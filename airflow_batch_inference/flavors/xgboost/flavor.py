"""XGBoost's own formats, JSON and UBJSON: trees and numbers, nothing that could run.

Both are parsed by libxgboost into numbers and strings (its documentation, "Introduction to Model IO"); a custom
objective is not stored. What must not be relaxed: XGBoost predicts from an array without looking at names, so a batch
comes aligned by name; and its parser is not memory-safe, so a file that nobody vouches for is first loaded in a
child process (:mod:`~airflow_batch_inference.flavors.sandbox`).
"""

from __future__ import annotations

import json
import logging
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.base import Flavor, ModelFormat, require, take_options
from airflow_batch_inference.flavors.boosters.shapes import require_shape
from airflow_batch_inference.flavors.boosters.xgboost_categories import Categories, find_categories, stored_lists
from airflow_batch_inference.flavors.boosters.xgboost_trees import require_followable
from airflow_batch_inference.flavors.frames import matrix, single_column
from airflow_batch_inference.flavors.keywords import require_range
from airflow_batch_inference.flavors.networks import OnePass
from airflow_batch_inference.processes.threads import native_threads
from airflow_batch_inference.records import ColumnSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

log = logging.getLogger(__name__)

JSON = ModelFormat(name="xgboost-json", suffixes=(".json", ".xgb", ".model"), trust="data")
UBJ = ModelFormat(name="xgboost-ubj", suffixes=(".ubj", ".xgb", ".model"), trust="data")

_JSON_START = re.compile(rb'\s*\{\s*"learner"\s*:\s*\{')
# An object whose first key has its length as an 8, 4, 2 or 1 byte number (ubjson.org, "Type Reference").
_UBJ_START = re.compile(rb"\{(?:L.{7}\x07|l.{3}\x07|I\x00\x07|[iU]\x07)learner\{", re.DOTALL)

_ARROW_TYPES = {"int": "int64", "i": "bool", "c": "int64"}
_OTHER_OUTPUTS = {"raw_score": "output_margin", "leaf_index": "pred_leaf", "contributions": "pred_contribs"}
_BINARY = "binary:logistic"
_OPTIONS = ("categories", "missing", "unseen_categories")
_TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class XGBoostModel(OnePass):
    """A booster, scored in place from one contiguous float32 matrix, the type that XGBoost itself compares in.

    ``iteration_range`` is what ``predict`` uses unless it is told otherwise: all trees as ``Booster.predict`` does,
    or those up to the best iteration for a model that scikit-learn's wrapper stopped early, as the wrapper does.
    """

    booster: Any
    framework: ModuleType = field(repr=False)
    objective: str
    is_linear: bool
    iteration_range: tuple[int, int]
    categories: Categories
    types: tuple[str, ...] | None
    feature_names: tuple[str, ...] | None
    n_features: int
    inputs: tuple[ColumnSpec, ...] | None
    methods: tuple[str, ...]
    versions: Mapping[str, str]
    takes_lists: ClassVar[bool] = False
    outputs: int = 1
    """How many numbers a row's raw score has."""
    missing: float = math.nan
    """The number that stands for a missing value, beside NaN."""
    classes: tuple[int, ...] | None = None
    output_names: tuple[str, ...] | None = None

    @property
    def importances(self) -> dict[str, float] | None:
        """The mean gain of each named input's splits; None for linear boosters."""
        if self.feature_names is None or self.is_linear:
            return None
        gains = self.booster.get_score(importance_type="gain")
        return {name: float(gains.get(name, 0.0)) for name in self.feature_names}

    def example(self, batch: pa.Table) -> dict[str, object]:
        """Return a category of each column that has a list of them."""
        names = batch.schema.names
        return {names[place]: values[0].as_py() for place, values in self.categories.lists.columns.items()}

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Return what several methods give; predictions and probabilities come from one pass through the trees.

        ``predict_proba`` gives (n, 2) for a binary and (n, k) for a multiclass objective. ``kwargs`` are those of
        ``Booster.predict`` (``iteration_range``, ``pred_leaf``, ``pred_interactions``, …).
        """
        return self.predict_matrix(matrix(self.encode(batch), single=True), methods, kwargs)

    def encode(self, batch: pa.Table) -> pa.Table:
        """Make numbers of a mini-batch: categories by their positions, missing values as nulls.

        XGBoost compares with its ``missing`` in float32, and takes NaN for missing whatever that is; of a category it
        compares the position.

        Raises
        ------
        ValueError
            A category that training never saw, or a code that is none.
        """
        encoded = self.categories.encode(batch)
        if math.isnan(self.missing):
            return encoded
        columns = [without(column, self.missing) for column in encoded.columns]
        return pa.Table.from_arrays(columns, names=encoded.schema.names)

    def predict_matrix(
        self, data: np.ndarray, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Return what several methods give for encoded rows, float32 of shape (rows, inputs)."""
        require_range(kwargs or {})
        found: dict[str, np.ndarray] = {}
        passes: dict[str | None, np.ndarray] = {}
        for method in methods:
            with_margins = method == "predict_proba" and self.objective == "multi:softmax"
            other = _OTHER_OUTPUTS.get("raw_score" if with_margins else method)
            if other not in passes:
                arguments = {"iteration_range": self.iteration_range, **dict(kwargs or {})}
                arguments = arguments if other is None else {**arguments, other: True}
                passes[other] = self._scored(data, arguments)
                require_shape(passes[other], len(data), self._numbers(arguments))
            predicted = passes[other]
            if with_margins:
                predicted = softmax(predicted)
            elif method == "predict_proba" and self.objective == _BINARY:
                predicted = np.column_stack([1.0 - predicted, predicted])
            found[method] = predicted
        return found

    def _numbers(self, arguments: Mapping[str, Any]) -> int | None:
        """Return how many numbers come out for a row; None where that is not those of its outputs."""
        if any(value for name, value in arguments.items() if name not in ("iteration_range", "output_margin")):
            return None
        return 1 if self.objective == "multi:softmax" and not arguments.get("output_margin") else self.outputs

    def _scored(self, data: np.ndarray, arguments: dict[str, Any]) -> np.ndarray:
        """Predict in place where XGBoost can: it is faster, and gives the same bits as a DMatrix."""
        in_place = not self.is_linear and set(arguments) <= {"iteration_range", "output_margin"}
        if in_place:
            kind = "margin" if arguments.get("output_margin") else "value"
            found: np.ndarray = self.booster.inplace_predict(
                data, iteration_range=arguments["iteration_range"], predict_type=kind
            )
            return found
        wrapped = _dmatrix(self.framework, data, self.feature_names, self.types)
        predicted: np.ndarray = self.booster.predict(wrapped, **arguments)
        return predicted


class XGBoostFlavor(Flavor):
    """Loads what ``Booster.save_model`` and the wrappers' ``save_model`` write."""

    name = "xgboost"
    formats = (JSON, UBJ)
    extra = "xgboost"
    packages = ("xgboost",)
    releases_gil = True  # xgboost/core.py calls its library by ctypes.cdll, which releases it (Python, "ctypes")

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


def without(column: pa.ChunkedArray, missing: float) -> pa.ChunkedArray:
    """Return a column of numbers as float32 with nulls where a number stands for a missing value.

    Examples
    --------
    >>> without(pa.chunked_array([[1, -999, None]]), -999.0).to_pylist()
    [1.0, None, None]
    """
    single = single_column(column)
    is_missing = pc.equal(single, pa.scalar(np.float32(missing), pa.float32()))
    return pc.if_else(is_missing, pa.scalar(None, pa.float32()), single)


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
    if objective == _BINARY and targets == 1:
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
    row = _dmatrix(xgboost, np.full((1, number), np.nan, dtype=np.float32), names, types)
    found = []
    for method, argument in _OTHER_OUTPUTS.items():
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


def _dmatrix(
    xgboost: ModuleType, data: np.ndarray, names: tuple[str, ...] | None, types: tuple[str, ...] | None
) -> Any:  # noqa: ANN401  # untyped
    return xgboost.DMatrix(
        data,
        feature_names=None if names is None else list(names),
        feature_types=None if types is None else list(types),
        enable_categorical=True,
        nthread=native_threads(),
    )


def softmax(margins: np.ndarray) -> np.ndarray:
    """Return the probabilities of margins, for a model whose own predictions are classes."""
    from scipy import special

    probabilities: np.ndarray = special.softmax(margins, axis=1)
    return probabilities
