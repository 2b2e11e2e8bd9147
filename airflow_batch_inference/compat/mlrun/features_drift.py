"""MLRun's ``features_drift_results``: a flat JSON of column to drift."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_batch_inference.compat.mlrun.metrics import MlrunDrift

if TYPE_CHECKING:
    from airflow_batch_inference.records import DriftResult


def features_drift_json(result: DriftResult) -> bytes:
    """Return column to (TVD + Hellinger) / 2, labels included, null where there is none."""
    drift = {column.name: column.metrics.get(MlrunDrift.name) for column in result.columns}
    return json.dumps(drift, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
