"""Run the demo's DAG on a spring day, which must pass, and on a week of July, which the gate must stop.

Fails loudly where either ends otherwise. `make demo` sets the environment: an Airflow of its own, the artifact root.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from airflow_batch_inference.records import DriftResult, DriftStatus, PredictionSetRecord
from airflow_batch_inference.storage.catalog import latest_artifact
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import normalize_uri

DAG_ID = "flight_delays"
ROOT = normalize_uri(os.environ["AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT"])
LOG = Path(os.environ["AIRFLOW_HOME"]) / "demo.log"
ROWS_SHOWN = 5


def run_dag(day: str, conf: dict[str, str]) -> int:
    """Run `airflow dags test` and return its exit status; its output goes into a file."""
    airflow = Path(sys.executable).with_name("airflow")
    command = [airflow, "dags", "test", DAG_ID, day, "--conf", json.dumps(conf)]
    with LOG.open("a") as log:
        return subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode


def latest(name: str) -> object:
    """Return the newest record of the DAG that is registered under a name."""
    storage = Storage()
    return storage.read_record(latest_artifact(root=ROOT, name=name, dag_id=DAG_ID, storage=storage).uri)


def path(uri: str | None) -> str:
    """Return a local URI as the shell takes it, from the project folder."""
    return os.path.relpath(str(uri).removeprefix("file://"))


def score(title: str, batch: str, *, status: DriftStatus, exit_code: int) -> None:
    """Score one batch, check how it ended, and say where everything lies."""
    started = time.monotonic()
    ended = run_dag(batch.split("=")[1], {"batch": batch})
    drift, prediction = latest("drift_results"), latest("prediction")
    if not isinstance(drift, DriftResult) or not isinstance(prediction, PredictionSetRecord):
        sys.exit(f"The catalogue below {ROOT} holds other records than expected. See {LOG}.")
    print(f"\n== {title}: {batch}  ({time.monotonic() - started:.0f} s)")
    print(f"   airflow dags test   exit {ended}")
    print(f"   drift               {drift.status}, metric {drift.drift_metric:.3f}")
    print(f"   why                 {drift.reasons[0]}")
    print(f"   predictions         {prediction.rows_out:,} rows: {', '.join(path(p.uri) for p in prediction.parts)}")
    print(f"   report              {path(drift.report_uri)}")
    show(prediction)
    scored = any(batch in file.uri for file in prediction.dataset)
    if (ended, drift.status, scored) != (exit_code, status, True):
        sys.exit(f"Expected exit {exit_code} and {status}. What happened stands in {LOG}.")


def show(prediction: PredictionSetRecord) -> None:
    """Print the first rows."""
    import pandas as pd

    rows = pd.read_parquet(path(prediction.parts[0].uri)).head(ROWS_SHOWN)
    print(rows.to_string(index=False, float_format="{:.3g}".format))


def main() -> None:
    """Score both batches."""
    LOG.unlink(missing_ok=True)
    score("A spring day passes", "day=2013-04-04", status=DriftStatus.NO_DRIFT, exit_code=0)
    score("The gate stops a week of July", "week=2013-07-08", status=DriftStatus.DRIFT_DETECTED, exit_code=1)
    print(f"\nBoth ended as they should. The tasks' logs: {os.path.relpath(LOG)}. See it in the browser: make ui")


if __name__ == "__main__":
    main()
