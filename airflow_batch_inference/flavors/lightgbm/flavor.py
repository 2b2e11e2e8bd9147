"""LightGBM's own text format: trees and numbers, nothing that could run.

What must not be relaxed: LightGBM predicts without complaint on reordered columns, so a batch comes aligned by name;
and its parser is not memory-safe (damaged text aborts the process), so a file that nobody vouches for is first
loaded in a child process (:mod:`~airflow_batch_inference.flavors.sandbox`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.base import CATEGORY_COLUMNS, Flavor, ModelFormat, require, take_options
from airflow_batch_inference.flavors.boosters.lightgbm_text import read_header, require_followable, trees_an_iteration
from airflow_batch_inference.flavors.boosters.shapes import require_shape
from airflow_batch_inference.flavors.categories import (
    PandasCategories,
    category_columns_option,
    pandas_categories,
)
from airflow_batch_inference.flavors.frames import matrix
from airflow_batch_inference.flavors.keywords import LIGHTGBM, require_keywords
from airflow_batch_inference.flavors.networks import OnePass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from airflow_batch_inference.records import ColumnSpec

TEXT = ModelFormat(name="lightgbm-text", suffixes=(".txt", ".lgb", ".lightgbm", ".model"), trust="data")

_OTHER_OUTPUTS = {"raw_score": "raw_score", "leaf_index": "pred_leaf", "contributions": "pred_contrib"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LightGBMModel(OnePass):
    """A booster, scored from one contiguous float64 matrix.

    ``feature_names`` are the names as LightGBM keeps them: it writes blanks as underscores. A model trained without
    names (LightGBM then invents ``Column_0``, ``Column_1``, …) takes its columns by position.
    """

    booster: Any
    objective: str
    categories: PandasCategories
    feature_names: tuple[str, ...] | None
    n_features: int
    inputs: tuple[ColumnSpec, ...] | None
    methods: tuple[str, ...]
    versions: Mapping[str, str]
    outputs: int = 1
    """How many numbers a row's prediction has."""
    classes: tuple[int, ...] | None = None
    takes_lists: ClassVar[bool] = False
    output_names: tuple[str, ...] | None = None

    @property
    def importances(self) -> dict[str, float] | None:
        """The gain of each named input's splits."""
        names = self.feature_names
        gains = self.booster.feature_importance(importance_type="gain")
        return None if names is None else dict(zip(names, gains.tolist(), strict=True))

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Return what several methods give; predictions and probabilities come from one pass through the trees.

        ``predict_proba`` gives (n, 2) for a binary and (n, k) for a multiclass objective. ``kwargs`` are those of
        ``Booster.predict`` (``raw_score``, ``num_iteration``, ``pred_leaf``, …).
        """
        data = matrix(self.categories.encode(batch), row_major=False)  # the same predictions, one transposition less
        given = dict(kwargs or {})
        require_keywords(given, LIGHTGBM, "LightGBM's Booster.predict")
        found: dict[str, np.ndarray] = {}
        passes: dict[str | None, np.ndarray] = {}
        for method in methods:
            other = _OTHER_OUTPUTS.get(method)
            if other not in passes:
                arguments = given if other is None else {**given, other: True}
                passes[other] = self.booster.predict(data, **arguments)
                require_shape(passes[other], len(data), self.outputs if _is_score(arguments) else None)
            predicted = passes[other]
            is_probability = other is None and not any(given.get(name) for name in _OTHER_OUTPUTS.values())
            if method == "predict_proba" and self.objective == "binary" and is_probability:
                predicted = np.column_stack([1.0 - predicted, predicted])
            found[method] = predicted
        return found


def _is_score(arguments: Mapping[str, Any]) -> bool:
    """Say whether a number for each class comes out, and not leaves or contributions."""
    return not (arguments.get("pred_leaf") or arguments.get("pred_contrib"))


class LightGBMFlavor(Flavor):
    """Loads LightGBM's text models (``Booster.save_model``)."""

    name = "lightgbm"
    formats = (TEXT,)
    extra = None
    packages = ("lightgbm",)
    releases_gil = True  # lightgbm/basic.py calls its library by ctypes.cdll, which releases it (Python, "ctypes")

    def recognise(self, path: Path, head: bytes) -> ModelFormat | None:  # noqa: ARG002  # any name will do
        """Recognise the text by its first line, whatever the file is called.

        Names that belong to another flavor are refused by the registry. Windows line ends are not accepted:
        LightGBM aborts the process on them.
        """
        return TEXT if head.lstrip(b" \n").startswith(b"tree\n") else None

    def require_followable(
        self,
        path: Path,
        model_format: ModelFormat,  # noqa: ARG002  # there is one
        options: Mapping[str, Any],  # noqa: ARG002  # there are none
    ) -> None:
        """Refuse trees that point beyond themselves, or back; see :class:`~.base.Flavor`."""
        text = path.read_text(encoding="utf-8")
        _require_complete(text)
        require_followable(text)

    def load(
        self,
        path: Path,
        *,
        model_format: ModelFormat,  # noqa: ARG002  # there is one
        trusted: tuple[str, ...],  # noqa: ARG002  # it holds no types
        options: Mapping[str, Any],
    ) -> LightGBMModel:
        """Build a booster from the text; see :meth:`~.base.Flavor.load`.

        ``options`` may have ``category_columns``, see :mod:`~.categories`.
        """
        return self._model_of(path.read_text(encoding="utf-8"), options)

    def accepts(self, model: object) -> bool:
        """Accept a ``lightgbm.Booster``; see :class:`~.base.Flavor`."""
        return type(model).__module__.startswith("lightgbm") and hasattr(model, "model_to_string")

    def wrap(self, model: Any) -> LightGBMModel:  # noqa: ANN401  # untyped
        """Build a booster of this one's text, so that nobody trains on while it scores."""
        return self._model_of(model.model_to_string(), {})

    def _model_of(self, text: str, options: Mapping[str, Any]) -> LightGBMModel:
        chosen = take_options(options, (CATEGORY_COLUMNS,), flavor=self.name)
        lightgbm = require("lightgbm", extra=self.extra)
        _require_complete(text)
        header = read_header(text)
        booster = lightgbm.Booster(model_str=text)
        names = tuple(booster.feature_name())
        has_names = names != tuple(f"Column_{position}" for position in range(len(names)))
        categories = pandas_categories(text, category_columns_option(chosen, names))
        kind = header.get("objective", "custom").partition(" ")[0]
        with_probabilities = kind == "binary" or kind.startswith("multiclass")
        return LightGBMModel(
            booster=booster,
            objective=kind,
            categories=categories,
            feature_names=names if has_names else None,
            n_features=len(names),
            inputs=categories.inputs(names, other="double") if has_names else None,
            methods=("predict", *(("predict_proba",) if with_probabilities else ()), *_OTHER_OUTPUTS),
            outputs=trees_an_iteration(header),
            classes=_classes(kind, trees_an_iteration(header)),
            versions={"lightgbm": lightgbm.__version__, "numpy": np.__version__},
        )


def _classes(objective: str, number: int) -> tuple[int, ...] | None:
    """Return the class labels, which LightGBM numbers from 0; None for other objectives."""
    if objective == "binary":
        return (0, 1)
    return tuple(range(number)) if objective.startswith("multiclass") else None


def _require_complete(text: str) -> None:
    """Refuse a text that was cut off where LightGBM itself would not notice and lose the categories.

    Raises
    ------
    ModelLoadError
        The end of the trees or of the parameters is missing, or the line of categories after it is cut.
    """
    _, found, tail = text.rpartition("\nend of parameters\n")
    tail = tail.strip()
    if "\nend of trees\n" not in text or not found or (tail and not tail.startswith("pandas_categorical:")):
        message = "The LightGBM text is cut off: its last lines are missing. Save or copy the model again."
        raise ModelLoadError(message)
