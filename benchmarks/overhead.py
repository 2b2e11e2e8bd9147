"""What a task of this package adds to an empty Airflow task, and the whole pipeline to five empty ones: CPU seconds.

    python benchmarks/overhead.py                              # 1,000 rows, medians of 3
    python benchmarks/overhead.py --models lightgbm --repeats 5

The pipeline is load (with a sample set), predict, drift, log (which publishes) and gate, on 20 float64 columns; the
other DAG has five tasks whose `execute` does nothing. They take turns, each time with an empty artifact store:

- `dags test`: one process of `airflow dags test` a run, so that all tasks share what is imported. The limit of 1.6 is
  against the empty DAG and one import of the model's framework.
- task by task: each task in a process of its own that parses the DAG and runs the task by the task runner's functions
  (overhead_task.py). "whole" is the life of a fresh interpreter; "forked" leaves out the import of Airflow and the
  interpreter's tidying up, neither of which a worker pays that forks its tasks.

All are user and system seconds of the process and its children.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import workload
from overhead_task import FILE

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
TASKS = ("load", "predict", "drift", "log", "gate")
FRAMEWORKS = {
    "lightgbm": "lightgbm",
    "logistic regression": "joblib, sklearn.linear_model",
    "decision tree": "joblib, sklearn.tree",
}
LIMIT = 1.6
EMPTY = """
from airflow.sdk import DAG, BaseOperator


class Empty(BaseOperator):
    def execute(self, context):
        return None


with DAG(dag_id="overhead", schedule=None):
    tasks = [Empty(task_id=name) for name in {tasks!r}]
    for task, following in zip(tasks, tasks[1:]):
        task >> following
"""
PIPELINE = """
from airflow.sdk import DAG

from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    DriftGateOperator,
    LoadModelOperator,
    LogArtifactsOperator,
    PredictOperator,
    artifact_root,
)

with DAG(dag_id="overhead", schedule=None):
    load = LoadModelOperator(task_id="load", model_uri={model!r}, sha256={sha256!r}, sample_set={data!r})
    predict = PredictOperator(task_id="predict", model=load.output, dataset={data!r})
    drift = DriftAnalysisOperator(task_id="drift", model=load.output, dataset=predict.output)
    log = LogArtifactsOperator(
        task_id="log",
        artifacts=[load.output, predict.output, drift.output],
        publish_to=f"{{artifact_root()}}/published/rows.parquet",
    )
    load >> predict >> drift >> log >> DriftGateOperator(task_id="gate", drift=drift.output)
"""


@dataclass
class Bench:
    """A folder with Airflow's database, the DAGs and the models; runs them."""

    folder: Path
    runs: int = 0
    taken: dict[tuple[str, ...], list[float]] = field(default_factory=lambda: defaultdict(list))

    def prepare(self, models: list[str], rows: int) -> None:
        """Write the data, the models and the DAGs, and make the database."""
        found = workload.make_models(self.folder)
        data = str(workload.make_data(self.folder, rows))
        self.write("empty", EMPTY.format(tasks=TASKS))
        for name in models:
            path = found[name]
            # LightGBM's text cannot run code: most will not pin it. The others must be trusted by their digest.
            digest = None if path.suffix == ".txt" else hashlib.sha256(path.read_bytes()).hexdigest()
            self.write(name, PIPELINE.format(model=str(path), sha256=digest, data=data))
        self.spend(["-m", "airflow", "db", "migrate"], "empty")

    def write(self, dag: str, text: str) -> None:
        """Write a DAG into a folder of its own."""
        (self.folder / "dags" / dag).mkdir(parents=True)
        (self.folder / "dags" / dag / FILE).write_text(text)

    def spend(self, arguments: list[str], dag: str, store: str = "store") -> float:
        """Run Python, and return the processor time of it and its children."""
        environment = {
            **os.environ,
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "PYTHONPATH": str(ROOT),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.folder / "dags" / dag),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT": str(self.folder / "stores" / store),
        }
        before = spent()
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, cwd=self.folder
        )
        if done.returncode:
            raise SystemExit(f"{arguments} ended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return spent() - before

    def whole(self, dag: str) -> None:
        """Run a DAG by `airflow dags test`."""
        self.runs += 1
        command = ["-m", "airflow", "dags", "test", "overhead", f"2026-01-01T00:00:00.{self.runs:06}"]
        self.taken["whole", dag].append(self.spend(command, dag, str(self.runs)))

    def tasks(self, dag: str) -> None:
        """Run a DAG's tasks, each in a process of its own."""
        self.runs += 1
        xcoms, mark = self.folder / f"xcoms-{self.runs}.json", self.folder / "mark.json"
        for task in TASKS:
            command = [str(ROOT / "benchmarks" / "overhead_task.py"), "overhead", task, str(xcoms), str(mark)]
            seconds = self.spend(command, dag, str(self.runs))
            self.taken["task", dag, task].append(seconds)
            self.taken["forked", dag, task].append(json.loads(mark.read_text()))

    def imports(self, dag: str) -> None:
        """Import a model's framework."""
        bare = self.spend(["-c", "pass"], "empty")
        self.taken["import", dag].append(self.spend(["-c", f"import {FRAMEWORKS[dag]}"], "empty") - bare)

    def median(self, *what: str) -> float:
        """Return the median of what was taken so."""
        return statistics.median(self.taken[what])


def spent() -> float:
    """Return the CPU seconds of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=float, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--models", nargs="+", default=["lightgbm", "logistic regression"], choices=list(workload.MODELS)
    )
    parser.add_argument("--ways", nargs="+", default=["whole", "tasks"], choices=["whole", "tasks"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.prepare(arguments.models, int(arguments.rows))
        for _ in range(arguments.repeats):
            for name in arguments.models:
                bench.imports(name)
            for way in arguments.ways:
                run: Callable[[str], None] = getattr(bench, way)
                for dag in ("empty", *arguments.models):
                    run(dag)
        if "whole" in arguments.ways:
            print_whole(bench, arguments.models)
        if "tasks" in arguments.ways:
            print_tasks(bench, arguments.models)


def print_whole(bench: Bench, models: list[str]) -> None:
    """Print the pipeline against five empty tasks, all of a run in one process."""
    print("| model | five empty tasks | import of the framework | pipeline | pipeline / (empty + import) | limit |")
    print("|---|---|---|---|---|---|")
    for name in models:
        empty, imports, ours = bench.median("whole", "empty"), bench.median("import", name), bench.median("whole", name)
        print(f"| {name} | {empty:.2f} | {imports:.2f} | {ours:.2f} | {ours / (empty + imports):.2f} | {LIMIT} |")


def print_tasks(bench: Bench, models: list[str]) -> None:
    """Print each task against the empty one, in processes of their own."""
    for way in ("task", "forked"):
        names = {"task": "whole", "forked": "forked"}
        print(f"\n| {names[way]} | {' | '.join(TASKS)} | all | all / (empty + import) |")
        print("|---" * (len(TASKS) + 3) + "|")
        empty = sum(bench.median(way, "empty", task) for task in TASKS)
        for dag in ("empty", *models):
            cells = [bench.median(way, dag, task) for task in TASKS]
            ratio = sum(cells) / (empty + (bench.median("import", dag) if dag != "empty" else 0))
            print(f"| {dag} | {' | '.join(f'{cell:.2f}' for cell in cells)} | {sum(cells):.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
