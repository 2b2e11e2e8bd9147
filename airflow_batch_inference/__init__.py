"""Trustworthy nightly batch scoring for Apache Airflow 3."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.wording.logs import guard_logs

if TYPE_CHECKING:
    from airflow_batch_inference.inference.pipeline import Pipeline
    from airflow_batch_inference.inference.requests import infer, infer_from_file, infer_stream, parallel_infer

__version__ = "0.1.0"
__all__ = ["Pipeline", "infer", "infer_from_file", "infer_stream", "parallel_infer"]

_REQUESTS = "airflow_batch_inference.inference.requests"
_LAZY = {
    "Pipeline": "airflow_batch_inference.inference.pipeline",
    "infer": _REQUESTS,
    "infer_from_file": _REQUESTS,
    "infer_stream": _REQUESTS,
    "parallel_infer": _REQUESTS,
}
"""Public names, and where they are: imported when they are first used, since Airflow imports this at each parse."""

guard_logs()


def __getattr__(name: str) -> Any:  # noqa: ANN401  # PEP 562
    if name not in _LAZY:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
