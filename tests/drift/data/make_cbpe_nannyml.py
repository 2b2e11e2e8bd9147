"""Make the golden values of CBPE: what NannyML estimates of a binary classifier's performance without labels.

    NANNYML/bin/pip install -r benchmarks/requirements-nannyml.txt
    NANNYML/bin/python tests/drift/data/make_cbpe_nannyml.py

Writes cbpe_nannyml.parquet, the rows, and cbpe_nannyml.json, the estimates, beside itself; the same versions give the
same files. Three cases: "calibrated", whose scores are the true probabilities; "even", the same with the reference's
labels spread as evenly as the probabilities allow; and "distorted", whose scores are too sure and too high. NannyML
takes only the scores of "even" as they are: the luck of the labels makes it calibrate most well calibrated scores. In
each the current data come from a shifted and wider distribution of the same feature.

The rows: `case`, `period` ("reference" or "current"), `score` in millionths (score / 1e6 is exactly what NannyML was
given), `y_pred` (score >= the case's threshold) and `y_true` (NannyML was not given the current ones). The order
matters: NannyML's splits, which decide whether to calibrate, follow it. One chunk each.
"""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml as nml
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20261121
REFERENCE_ROWS = 20_000
CURRENT_ROWS = 5_000
METRICS = ("roc_auc", "f1", "accuracy")
TARGET = Path(__file__).resolve().parent / "cbpe_nannyml"


@dataclass(frozen=True, slots=True)
class Case:
    """How a model turns the true log odds into its score, and its score into a class."""

    name: str
    slope: float = 1.0
    offset: float = 0.0
    threshold: float = 0.5
    even: bool = False
    """Whether the reference's labels are spread evenly over the scores, rather than drawn."""
    calibrated: bool = True
    """What NannyML must decide for the golden values to cover both of its ways."""


CASES = (
    Case("calibrated"),
    Case("even", threshold=0.4, even=True, calibrated=False),
    Case("distorted", slope=1.8, offset=0.9, threshold=0.6),
)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def draw_labels(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.random(len(probabilities)) < probabilities


def spread_labels(probabilities: np.ndarray) -> np.ndarray:
    """Return labels whose running count, in the order of the probabilities, is within a half of what they add up to."""
    order = np.argsort(probabilities, kind="stable")
    labels = np.empty(len(probabilities), dtype=bool)
    labels[order] = np.diff(np.floor(np.cumsum(probabilities[order]) + 0.5), prepend=0) > 0
    return labels


def make_rows(case: Case, period: str, rng: np.random.Generator) -> pd.DataFrame:
    """Draw one feature, the true classes, and the model's scores in millionths."""
    rows, mean, deviation = (REFERENCE_ROWS, 0.0, 1.0) if period == "reference" else (CURRENT_ROWS, 0.4, 1.2)
    odds = 1.5 * rng.normal(mean, deviation, rows) - 0.5
    millionths = np.rint(sigmoid(case.slope * odds + case.offset) * 1e6).astype(np.int32)
    even = case.even and period == "reference"
    labels = spread_labels(sigmoid(odds)) if even else draw_labels(sigmoid(odds), rng)
    return pd.DataFrame(
        {
            "case": case.name,
            "period": period,
            "score": millionths,
            "y_pred": (millionths / 1e6 >= case.threshold).astype(np.int8),
            "y_true": labels.astype(np.int8),
        }
    )


def as_given(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Return what NannyML is given."""
    return rows.assign(y_pred_proba=rows["score"] / 1e6)[columns].reset_index(drop=True)


def estimate(case: Case, rows: pd.DataFrame) -> dict[str, Any]:
    """Return NannyML's estimates for both periods, whether it calibrated, and by which function."""
    reference, current = (rows[rows["period"] == period] for period in ("reference", "current"))
    estimator = nml.CBPE(
        metrics=list(METRICS),
        y_pred_proba="y_pred_proba",
        y_pred="y_pred",
        y_true="y_true",
        problem_type="classification_binary",
        chunk_number=1,
    )
    estimator.fit(as_given(reference, ["y_pred_proba", "y_pred", "y_true"]))
    if estimator.needs_calibration != case.calibrated:
        raise SystemExit(f"{case.name}: NannyML now decides otherwise on calibration. Take another SEED.")
    found = estimator.estimate(as_given(current, ["y_pred_proba", "y_pred"])).to_df()
    estimates = {}
    for period, shown in (("reference", "reference"), ("current", "analysis")):
        lines = found[found["chunk", "period"] == shown]
        if len(lines) != 1:
            raise SystemExit(f"{case.name}: NannyML made {len(lines)} chunks of the {period}, not one.")
        estimates[period] = {metric: float(lines.iloc[0][metric, "value"]) for metric in METRICS}
    return {
        "threshold": case.threshold,
        "calibrated": bool(estimator.needs_calibration),
        "calibrator": calibrator(estimator),
        "estimates": estimates,
        "realized": {"reference": realized(reference), "current": realized(current)},
    }


def calibrator(estimator: nml.CBPE) -> dict[str, list[float]] | None:
    """Return the knots between which the isotonic calibrator interpolates; None where NannyML takes scores as given."""
    if not estimator.needs_calibration:
        return None
    fitted = estimator.calibrator._regressor  # NannyML has no other way to it
    return {"scores": fitted.X_thresholds_.tolist(), "probabilities": fitted.y_thresholds_.tolist()}


def realized(rows: pd.DataFrame) -> dict[str, float]:
    """Return what the labels say, for orientation."""
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    return {
        "roc_auc": float(roc_auc_score(rows["y_true"], rows["score"])),
        "f1": float(f1_score(rows["y_true"], rows["y_pred"])),
        "accuracy": float(accuracy_score(rows["y_true"], rows["y_pred"])),
    }


def main() -> None:
    """Draw the rows, let NannyML estimate, write both files."""
    warnings.filterwarnings("ignore", message="The resulting number of chunks is too low")
    rng = np.random.default_rng(SEED)
    rows = pd.concat([make_rows(case, period, rng) for case in CASES for period in ("reference", "current")])
    names = ("nannyml", "scikit-learn", "numpy", "pandas")
    golden = {
        "seed": SEED,
        "versions": {name: version(name) for name in names},
        "cases": {case.name: estimate(case, rows[rows["case"] == case.name]) for case in CASES},
    }
    table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    for place, name in enumerate(("case", "period")):
        table = table.set_column(place, name, table[name].cast(pa.string()))
    pq.write_table(
        table,
        TARGET.with_suffix(".parquet"),
        compression="zstd",
        compression_level=19,
        use_dictionary=["case", "period"],
        column_encoding={"score": "BYTE_STREAM_SPLIT", "y_pred": "PLAIN", "y_true": "PLAIN"},
    )
    TARGET.with_suffix(".json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
