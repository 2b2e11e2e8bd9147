"""LightGBM's own text format: trees and numbers, nothing that could run.

Invariants: LightGBM predicts without complaint on reordered columns, so a batch comes aligned by name; and its parser
is not memory-safe (damaged text aborts the process), so a file that nobody vouches for is first loaded in a child
process (:mod:`~airflow_batch_inference.flavors.sandbox`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.base import CATEGORY_COLUMNS, Flavor, ModelFormat, take_options
from airflow_batch_inference.flavors.boosters.lightgbm_text import read_header, require_followable, trees_an_iteration
from airflow_batch_inference.flavors.categories import (
    category_columns_option,
    pandas_categories,
)
from airflow_batch_inference.flavors.lightgbm.library import lightgbm
from airflow_batch_inference.flavors.lightgbm.model import OTHER_OUTPUTS, LightGBMModel
from airflow_batch_inference.flavors.lightgbm.trees import trees_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.flavors.forests.source import Trees


TEXT = ModelFormat(name="lightgbm-text", suffixes=(".txt", ".lgb", ".lightgbm", ".model"), trust="data")


class LightGBMFlavor(Flavor):
    """Loads LightGBM's text models (``Booster.save_model``)."""

    name = "lightgbm"
    formats = (TEXT,)
    extra = None
    packages = ("lightgbm",)

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

    def trees(self, model: LoadedModel) -> Trees | None:
        """Return the trees; see :class:`~.base.Flavor`."""
        return trees_of(model) if isinstance(model, LightGBMModel) else None

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
        library = lightgbm()
        _require_complete(text)
        header = read_header(text)
        booster = library.booster(model_str=text)
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
            methods=("predict", *(("predict_proba",) if with_probabilities else ()), *OTHER_OUTPUTS),
            outputs=trees_an_iteration(header),
            classes=_classes(kind, trees_an_iteration(header)),
            versions={"lightgbm": library.version, "numpy": np.__version__},
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
