"""The wrappers of LightGBM and XGBoost around their boosters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_batch_inference.flavors.sklearn.arrays.base import Fault


def lightgbm_fault(part: Any) -> Fault:  # noqa: ANN401  # LightGBM's wrapper
    """Say whether a booster is of other inputs or classes than its wrapper, which may tell it not to look."""
    booster = part._Booster  # noqa: SLF001  # where it is
    if booster is None:
        return None
    if type(booster).__name__ != "Booster" or booster.num_feature() != part._n_features:  # noqa: SLF001
        return f"it takes {part._n_features} inputs, but its booster others"  # noqa: SLF001
    if not hasattr(part, "_n_classes") or part._n_classes is None or part._n_classes < 0:  # noqa: SLF001
        return None
    classes, outputs = int(part._n_classes), booster.num_model_per_iteration()  # noqa: SLF001
    if len(part._classes) != classes or not (outputs == classes or (classes <= 2 and outputs == 1)):  # noqa: SLF001
        return f"it has {len(part._classes)} classes, but its booster {outputs} trees an iteration"  # noqa: SLF001
    return None


def xgboost_fault(part: Any) -> Fault:  # noqa: ANN401  # XGBoost's wrapper
    """Say whether a booster is of other classes than its wrapper."""
    booster, classes = part._Booster, getattr(part, "n_classes_", None)  # noqa: SLF001  # where they are
    if booster is None or classes is None:
        return None
    outputs = int(json.loads(booster.save_config())["learner"]["learner_model_param"]["num_class"])
    if int(classes) > 2 and outputs != int(classes):  # of two classes it keeps none
        return f"it has {classes} classes, but its booster {outputs}"
    return None
