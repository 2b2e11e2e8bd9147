"""The whole job (read, score, write) against the plain pandas script, on the same files, alternating in one run.

    python benchmarks/score.py                        # 1e5 and 1e6 rows
    python benchmarks/score.py --rows 1e6 1e7         # memory against rows
    python benchmarks/score.py --models lightgbm

Each run is a process of its own; its time includes its imports, its memory is the peak resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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

    from airflow_batch_inference.registration import ModelRequest, describe_model
    from airflow_batch_inference.storage import Storage, sha256_of

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
        _, record = describe_model(ModelRequest(model_uri=str(path), sha256=sha256_of(path)), storage=Storage())
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


def ours(model: Path, data: Path, target: Path) -> None:
    """Run the job that PredictOperator runs."""
    from airflow_batch_inference.records import ModelRecord, TaskKey
    from airflow_batch_inference.scoring.job import score_dataset
    from airflow_batch_inference.scoring.request import Destination, ScoringOptions, ScoringRequest
    from airflow_batch_inference.storage import Storage

    record = ModelRecord.from_json(record_path(model).read_bytes(), where=str(model))
    task = TaskKey(dag_id="benchmark", run_id="1", task_id="predict")
    request = ScoringRequest(
        model=None,
        model_storage=Storage(),
        record=record,
        model_record_uri=None,
        dataset=str(data),
        options=ScoringOptions(),
        destination=Destination(root=str(target), task=task, attempt="1", try_id="1", batch_id="1"),
        parity_rows=4,
    )
    score_dataset(request, storage=Storage())


CONTENDERS = {"pandas script": plain_script, "airflow-batch-inference": ours}


def child(contender: str, model: str, data: str) -> None:
    """Run one contender in this process and print its peak memory."""
    target = Path(tempfile.mkdtemp(dir=Path(data).parent))
    try:
        CONTENDERS[contender](Path(model), Path(data), target)
    finally:
        shutil.rmtree(target)
    print(json.dumps({"peak_mb": peak_mb()}))


def peak_mb() -> float:
    """Return this process's peak resident set (Linux: ru_maxrss would include that of the parent before exec)."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024


def measure(contender: str, model: Path, data: Path) -> tuple[float, float]:
    """Return seconds and peak MB of one run in a process of its own."""
    started = time.monotonic()
    command = [sys.executable, __file__, "--child", contender, str(model), str(data)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.monotonic() - started, json.loads(done.stdout.splitlines()[-1])["peak_mb"]


def compare(models: dict[str, Path], data: dict[int, Path], repeats: int) -> None:
    """Print a table; the contenders take turns, so that a busy minute hits both."""
    print("| model | rows | contender | seconds (median) | rows/s | peak MB | time, ours/script |")
    print("|---|---|---|---|---|---|---|")
    for name, model in models.items():
        for rows, path in data.items():
            runs: dict[str, list[tuple[float, float]]] = {contender: [] for contender in CONTENDERS}
            for _ in range(repeats):
                for contender, done in runs.items():
                    done.append(measure(contender, model, path))
            medians = {contender: statistics.median(s for s, _ in done) for contender, done in runs.items()}
            ratio = medians["airflow-batch-inference"] / medians["pandas script"]
            for contender, done in runs.items():
                seconds, peak = medians[contender], max(mb for _, mb in done)
                print(
                    f"| {name} | {rows:.0e} | {contender} | {seconds:.2f} | {rows / seconds:,.0f} | {peak:.0f} |"
                    f" {f'{ratio:.2f}' if contender != 'pandas script' else ''} |",
                    flush=True,
                )


def main() -> None:
    """Parse the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=float, default=[1e5, 1e6])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["lightgbm", "logistic regression"])
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child)
        return
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=os.environ.get("BENCHMARK_FOLDER")))
    try:
        models = make_models(folder)
        wanted = {name: models[name] for name in arguments.models}
        compare(wanted, {int(rows): make_data(folder, int(rows)) for rows in arguments.rows}, arguments.repeats)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
