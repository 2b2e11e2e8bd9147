"""What the benchmarks score: the data, the models, the plain pandas script, and our own job."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_batch_inference.records import BaselineRecord, PredictionSetRecord

FEATURES = 20
CHUNK = 500_000
MODELS = {"lightgbm": "lightgbm.txt", "logistic regression": "logistic.joblib", "decision tree": "tree.joblib"}


def make_data(folder: Path, rows: int) -> Path:
    """Write `rows` x 20 float64 as one Parquet file, in chunks."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"{rows}.parquet"
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    names = [f"f{i:02d}" for i in range(FEATURES)]
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for start in range(0, rows, CHUNK):
            block = rng.normal(size=(FEATURES, min(CHUNK, rows - start)))
            writer.write_table(pa.table(list(block), schema=schema))
    return path


def make_models(folder: Path) -> dict[str, Path]:
    """Train on 20,000 rows: LightGBM of 100 trees with 31 leaves, a logistic regression, a tree of depth 8."""
    import joblib
    import lightgbm
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    from airflow_batch_inference.models.describe import ModelRequest, describe_model
    from airflow_batch_inference.models.trust import TrustRequest
    from airflow_batch_inference.storage.digests import sha256_of
    from airflow_batch_inference.storage.store import Storage

    rng = np.random.default_rng(1)
    names = [f"f{i:02d}" for i in range(FEATURES)]
    x = pd.DataFrame(rng.normal(size=(20_000, FEATURES)), columns=names)
    y = (x["f00"] + x["f01"] * x["f02"] + rng.normal(size=len(x)) > 0).astype(int)
    paths = {name: folder / file for name, file in MODELS.items()}
    parameters = {"objective": "binary", "num_leaves": 31, "verbose": -1, "seed": 0}
    lightgbm.train(parameters, lightgbm.Dataset(x, y), num_boost_round=100).save_model(paths["lightgbm"])
    joblib.dump(LogisticRegression().fit(x, y), paths["logistic regression"])
    joblib.dump(DecisionTreeClassifier(max_depth=8, random_state=0).fit(x, y), paths["decision tree"])
    for path in paths.values():
        _, record = describe_model(
            ModelRequest(model_uri=str(path), trust=TrustRequest(sha256=sha256_of(path))), storage=Storage()
        )
        record_path(path).write_bytes(record.to_json())
    return paths


def record_path(model: Path) -> Path:
    """Return where the record of a model lies, as LoadModelOperator made it."""
    return model.with_suffix(".record.json")


def plain_script(model: Path, data: Path, target: Path) -> None:
    """Do what people write: read_parquet, predict, to_parquet."""
    import pandas as pd

    frame = pd.read_parquet(data)
    if model.suffix == ".txt":
        import lightgbm

        frame["predicted_label"] = lightgbm.Booster(model_file=model).predict(frame)
    else:
        import joblib

        frame["predicted_label"] = joblib.load(model).predict(frame)
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
