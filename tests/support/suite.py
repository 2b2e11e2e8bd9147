"""All cases of the conformance suite, and what its tests do with each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cases_keras
import cases_lightgbm
import cases_mlflow
import cases_onnx
import cases_sklearn
import cases_tensorflow
import cases_torch
import cases_xgboost

from airflow_batch_inference.models.loading import load_model
from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.storage.store import Storage

if TYPE_CHECKING:
    from pathlib import Path

    from cases import Case, Saved

    from airflow_batch_inference.models.loading import VerifiedModel

_MODULES = (
    cases_sklearn,
    cases_lightgbm,
    cases_xgboost,
    cases_onnx,
    cases_mlflow,
    cases_keras,
    cases_tensorflow,
    cases_torch,
)
CASES: dict[str, Case] = {case.name: case for module in _MODULES for case in module.CASES}
ONE_A_FORMAT: dict[str, Case] = {case.format: case for case in reversed(CASES.values())}


def digest_of(path: Path) -> str:
    with private_copy(str(path), Storage()) as copy:
        return copy.sha256


def load(saved: Saved, *, path: Path | None = None, sha256: str | None = None, **arguments: object) -> VerifiedModel:
    """Load a saved model, or a changed copy of it, as a task would."""
    options = arguments.pop("options", saved.options)
    trust = TrustRequest(sha256=sha256)
    return load_model(str(path or saved.path), storage=Storage(), trust=trust, options=options, **arguments)
