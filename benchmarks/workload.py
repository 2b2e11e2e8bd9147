"""What the benchmarks do with a table and a model: the plain pandas script, our own job, and what others need of both.

Imported by the peers' interpreter too, which has nothing of this package.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_batch_inference.records import BaselineRecord, PredictionSetRecord

LABEL = "predicted_label"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a model takes.

    Attributes
    ----------
    columns
        Their names; empty: all columns of the table.
    strings, categories
        Those that it was fitted on as pandas' strings and as categories.
    """

    columns: tuple[str, ...] = ()
    strings: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


def record_path(model: Path) -> Path:
    """Return where the record of a model lies, as LoadModelOperator made it."""
    return model.with_suffix(".record.json")


def inputs_path(model: Path) -> Path:
    """Return where it is written which columns a model takes."""
    return model.with_suffix(".inputs.json")


@functools.cache
def inputs(model: str) -> Inputs:
    """Read which columns a model takes."""
    told = json.loads(inputs_path(Path(model)).read_text())
    return Inputs(**{name: tuple(columns) for name, columns in told.items()})


@functools.cache
def load(model: str) -> Any:  # noqa: ANN401  # a Booster or an estimator
    """Load a model, once a process."""
    if is_booster(model):
        import lightgbm

        return lightgbm.Booster(model_file=model)
    import joblib

    return joblib.load(model)


def is_booster(model: str) -> bool:
    """Say whether a model is LightGBM's, which predicts float64, and no classifier of scikit-learn, of int64."""
    return model.endswith(".txt")


def import_model_library(model: Path) -> None:
    """Import what predicting needs, so that it counts as start."""
    if is_booster(str(model)):
        import lightgbm  # noqa: F401

        return
    import sklearn.linear_model
    import sklearn.tree

    if inputs(str(model)).columns:
        import sklearn.compose
        import sklearn.impute
        import sklearn.preprocessing  # noqa: F401


def predict(frame: Any, model: str) -> Any:  # noqa: ANN401  # a pandas frame; an array
    """Predict what a framework gives as pandas: strings and categories in the types that the model was fitted on."""
    takes = inputs(model)
    if takes.columns:
        frame = frame[list(takes.columns)]
        lost = {name: "str" for name in takes.strings if name in frame and frame[name].dtype == object}
        lost |= {name: "category" for name in takes.categories if frame[name].dtype != "category"}
        frame = frame.astype(lost)
    return load(model).predict(frame)


def with_prediction(batch: Any, model: str) -> Any:  # noqa: ANN401  # an Arrow table or record batch
    """Append the prediction; Ray's own pandas batches have Arrow types, which LightGBM refuses."""
    import pyarrow as pa

    columns = inputs(model).columns
    used = batch.select(list(columns)) if columns else batch
    return batch.append_column(LABEL, pa.array(predict(used.to_pandas(), model)))


def plain_script(model: Path, data: Path, target: Path) -> None:
    """Do what people write: read_parquet, predict, to_parquet."""
    import pandas as pd

    frame = pd.read_parquet(data)
    columns = list(inputs(str(model)).columns)
    frame[LABEL] = load(str(model)).predict(frame[columns] if columns else frame)
    frame.to_parquet(target / "predictions.parquet", index=False)


def ours(
    model: Path,
    data: Path,
    target: Path,
    baseline: BaselineRecord | None = None,
    **resources: Any,  # noqa: ANN401  # what Resources takes
) -> PredictionSetRecord:
    """Run the job that PredictOperator runs, and return its record; with a baseline, the rows are counted on it."""
    from airflow_batch_inference.engines.local import Resources
    from airflow_batch_inference.jobs.request import Destination, ScoringOptions, ScoringRequest
    from airflow_batch_inference.predictors.graphs.chain import single_model
    from airflow_batch_inference.records import ModelRecord, TaskKey
    from airflow_batch_inference.storage.store import Storage
    from airflow_batch_inference.workflows.score import score_dataset

    record = ModelRecord.from_json(record_path(model).read_bytes(), where=str(model))
    record = replace(record, baseline_uri="memory:baseline" if baseline else None)
    task = TaskKey(dag_id="benchmark", run_id="1", task_id="predict")
    request = ScoringRequest(
        models=single_model(record, storage=Storage()),
        dataset=str(data),
        options=ScoringOptions(),
        destination=Destination(root=str(target), task=task, attempt="1", try_id="1", batch_id="1"),
        alignment_check_rows=4,
        baseline=baseline,
    )
    return score_dataset(request, storage=Storage(), resources=Resources(**resources))[1]
