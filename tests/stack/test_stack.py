"""The stack of docker-compose.yaml does its work: twenty runs of an example at once, and one of two workers is killed.

The DAG is an example as it is shipped, its retries are those of docker-compose.yaml, and the runs are started by REST.
A worker dies as its container would, with all its processes and without a word, while it scores the largest batch.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from stack_services import Stack, missing

from airflow_batch_inference.example_data import PREDICTION, make_example_data
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # it takes minutes, and others may need the same cores
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

DAG = "batch_inference_drift_alerts"
RUNS = 20
VICTIM = "run-00"
ROWS = 300
PART_ROWS = 131_072
VICTIM_ROWS = 5 * PART_ROWS + 7


@dataclass
class Outcome:
    """What the runs have left, and how it came to that.

    Attributes
    ----------
    stack
        Still running.
    inputs
        Each run's batch.
    states
        Of the runs.
    tasks
        Of the runs, by run and task.
    parts_before
        The receipts of the victim's parts that were done when its worker was killed.
    """

    stack: Stack
    inputs: dict[str, Path]
    states: dict[str, str]
    tasks: dict[str, dict[str, dict[str, Any]]]
    parts_before: dict[str, str]

    def folder(self, run: str, task: str) -> Path:
        """Return what one task instance wrote."""
        return task_folder(self.stack, run, task)

    def logs_of_failed_tasks(self) -> str:
        """Return the ends of their logs: the stack's folder is gone when the tests are over."""
        logs = self.stack.compose.home / "logs" / f"dag_id={DAG}"
        ends = [
            f"{path}\n{path.read_text(errors='replace')[-2000:]}"
            for run, tasks in self.tasks.items()
            for name, task in tasks.items()
            if task["state"] == "failed"
            for path in sorted(logs.glob(f"run_id={run}/task_id={name}/*.log"))
        ]
        return "\n".join(ends)


def task_folder(stack, run, task):
    return stack.artifacts / f"dag_id={DAG}" / f"run_id={run}" / f"task_id={task}" / "map_index=-1"


def logical_date(number):
    return f"2026-01-{number + 1:02d}"


@pytest.fixture(scope="module")
def outcome(stack, tmp_path_factory):
    """Run all, kill the worker that scores the victim's batch, start it again as compose does, and wait for the end."""
    example = make_example_data(str(stack.artifacts / "example-data"))
    inputs = write_inputs(Path(example["ordinary"].removeprefix("file://")), tmp_path_factory.mktemp("batches"))
    stack.wait_for(lambda: stack.api.has_dag(DAG), "the DAG processor finds the example")
    stack.api.unpause(DAG)
    for number, (run, path) in enumerate(inputs.items()):
        date = f"{logical_date(number)}T00:00:00Z"
        stack.api.trigger(DAG, run_id=run, logical_date=date, conf={"dataset": str(path)})
    worker = wait_for_part(stack)
    stack.kill(worker)
    assert not list(task_folder(stack, VICTIM, "predict").glob("_commits/*")), "it was killed too late"
    parts = receipts(stack)
    stack.start("worker", worker)
    stack.wait_for(lambda: {"success", "failed"} >= set(stack.api.runs(DAG).values()), "all runs end", 900)
    return Outcome(
        stack=stack,
        inputs=inputs,
        states=stack.api.runs(DAG),
        tasks={run: stack.api.tasks(DAG, run) for run in inputs},
        parts_before=parts,
    )


def write_inputs(ordinary, folder):
    """Write a batch for each run, of rows that no other has; the victim's has several parts."""
    rows = pd.read_parquet(ordinary)
    inputs = {}
    for number in range(RUNS):
        rng = np.random.default_rng(number)
        run = f"run-{number:02d}"
        count = VICTIM_ROWS if run == VICTIM else ROWS + number
        drawn = rows.to_numpy()[rng.integers(len(rows), size=count)]
        frame = pd.DataFrame(drawn * rng.uniform(0.99, 1.01, size=drawn.shape), columns=rows.columns)
        inputs[run] = folder / f"{run}.parquet"
        frame.to_parquet(inputs[run], index=False)
    return inputs


def wait_for_part(stack):
    """Wait until the victim's task has scored a part, and return the worker that it runs on."""
    until = time.monotonic() + 600
    worker = None
    while worker is None or not receipts(stack):
        assert time.monotonic() < until, stack.api.tasks(DAG, VICTIM)
        stack.processes.require_running()
        if worker is None:
            task = stack.api.tasks(DAG, VICTIM).get("predict", {})
            worker = stack.worker_of(task["pid"]) if task.get("state") == "running" and task["pid"] else None
        time.sleep(0.02 if worker else 0.3)
    return worker


def receipts(stack):
    """Return the files of the victim's parts that are done, by receipt."""
    found = task_folder(stack, VICTIM, "predict").glob("_work/*/part-*.json")
    return {path.name: path.read_text() for path in sorted(found)}


def predicted(paths):
    return np.concatenate([pq.read_table(path, columns=[PREDICTION])[PREDICTION].to_numpy() for path in paths])


def test_every_run_succeeds(outcome):
    states = {run: outcome.states[run] for run in outcome.inputs}
    assert states == dict.fromkeys(outcome.inputs, "success"), outcome.logs_of_failed_tasks()
    assert len(states) == RUNS


def test_the_tasks_of_the_dead_worker_were_tried_again_and_its_parts_were_kept(outcome):
    assert outcome.tasks[VICTIM]["predict"]["try_number"] >= 2
    record = Storage().read_record(outcome.stack.api.xcom(DAG, VICTIM, "predict"))
    assert len(record.parts) == 6
    kept = [json.loads(text)["part"]["uri"] for text in outcome.parts_before.values()]
    assert kept
    assert set(kept) < {part.uri for part in record.parts}


def test_both_workers_had_work(outcome):
    logs = [(outcome.stack.processes.logs / f"worker-{number}.log").read_text() for number in (1, 2)]
    assert all(log.count("Executing workload in Celery") > RUNS for log in logs)


def test_every_prediction_is_the_models_own(outcome):
    model = lightgbm.Booster(model_file=str(outcome.stack.artifacts / "example-data" / "tumour.txt"))
    for run, path in outcome.inputs.items():
        batch = pd.read_parquet(path)
        record = Storage().read_record(outcome.stack.api.xcom(DAG, run, "predict"))
        written = [part.uri.removeprefix("file://") for part in record.parts]
        np.testing.assert_array_equal(predicted(written), model.predict(batch, num_threads=1), err_msg=run)


def test_every_set_was_committed_once_and_holds_when_it_is_verified_against_its_inputs(outcome):
    for run, path in outcome.inputs.items():
        (commit,) = outcome.folder(run, "predict").glob("_commits/*")
        uri = outcome.stack.api.xcom(DAG, run, "predict")
        assert uri == f"file://{commit}"
        found = verify(uri, Storage(), inputs=Storage())
        assert not found.problems
        certificate, rows = found.record.certificate, pq.read_metadata(path).num_rows
        assert (certificate.rows_in, certificate.rows_out, certificate.rows_rejected) == (rows, rows, 0)
        assert certificate.row_hash_in == certificate.row_hash_out


def test_every_day_was_published_once(outcome):
    for number, (run, path) in enumerate(outcome.inputs.items()):
        folder = outcome.stack.artifacts / "published" / "tumours" / f"day={logical_date(number)}"
        files = json.loads((folder / "_published.json").read_text())["files"]
        assert sorted(each.name for each in folder.iterdir()) == sorted(["_published.json", *files])
        record = Storage().read_record(outcome.stack.api.xcom(DAG, run, "predict"))
        committed = [part.uri.removeprefix("file://") for part in record.parts]
        np.testing.assert_array_equal(predicted(folder / name for name in files), predicted(committed))
        assert sum(pq.read_metadata(folder / name).num_rows for name in files) == pq.read_metadata(path).num_rows


def test_every_run_has_one_asset_event_with_its_own_certificate(outcome):
    events = outcome.stack.api.get("/assets/events", source_dag_id=DAG, source_task_id="log", limit=100)["asset_events"]
    rows = {event["source_run_id"]: event["extra"]["certificate"]["rows_out"] for event in events}
    assert len(events) == len(rows)
    expected = {run: pq.read_metadata(path).num_rows for run, path in outcome.inputs.items()}
    assert {run: rows[run] for run in expected} == expected


def test_the_health_checks_of_the_file_find_services_well(outcome):
    # The triggerer's differs from the DAG processor's in the job's type alone.
    hosts = {"dag-processor": outcome.tasks[VICTIM]["load"]["hostname"], "worker": "worker-1"}
    with ThreadPoolExecutor() as pool:
        checks = dict(zip(hosts, pool.map(outcome.stack.health, hosts, hosts.values()), strict=True))
    assert {name: check.returncode for name, check in checks.items()} == dict.fromkeys(hosts, 0), checks
