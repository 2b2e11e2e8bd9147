"""Every Python block of the documents runs as it stands there, on models and data that are made for its page.

A page's blocks run in order, in one folder and one namespace. A block that is a DAG file is read by Airflow and run.
A block of tasks alone is put into a DAG of its own, with the tasks that it takes for granted before it, and run too.
"""

from __future__ import annotations

import ast
import hashlib
import itertools
import json
import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
from document_blocks import BLOCKS, REPOSITORY, RUN_ELSEWHERE, blocks_of
from sklearn.linear_model import LogisticRegression

pytestmark = [pytest.mark.dags, pytest.mark.slow]

PLACES = re.compile(r'(?<=")(?:s3:/)?/(?:data|models|mlflow)(?=["/])')
_NUMBER = itertools.count()


@dataclass
class World:
    """What a page takes for granted: files, names of Python, and tasks by name, as the code that makes them."""

    folder: Path
    names: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)

    def text(self, code):
        """Return a page's code with this folder in the place of its places, and digests that it leaves open."""
        found = PLACES.sub(str(self.folder), code)
        for uri in re.findall(rf'model_uri="({self.folder}/[^"]+)", sha256="…"', found):
            digest = hashlib.sha256(Path(uri).read_bytes()).hexdigest() if Path(uri).is_file() else "0" * 64
            found = found.replace(f'model_uri="{uri}", sha256="…"', f'model_uri="{uri}", sha256="{digest}"')
        return found


def customers(rows=400):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"age": rng.integers(18, 90, rows), "tenure": rng.gamma(2.0, 30.0, rows)})
    frame["calls"] = rng.poisson(3, rows)
    return frame


def classifier_text(frame, target):
    parameters = {"objective": "binary", "num_leaves": 8, "num_threads": 1, "verbose": -1, "seed": 0}
    return lightgbm.train(parameters, lightgbm.Dataset(frame, target), num_boost_round=40).model_to_string()


@pytest.fixture(scope="session")
def churn():
    """Customers, whether they churned, and a model of it as LightGBM writes it."""
    frame = customers()
    churned = (frame["age"] > 50).astype(int)
    return frame, churned, classifier_text(frame, churned)


@pytest.fixture
def world(tmp_path, churn, monkeypatch):
    """The same model and customers under the names of all pages; the pages differ in what they add."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT", str(tmp_path / "artifacts"))
    # A model is loaded in a child process first: seconds each time, and tests/models/test_loading.py tells of it.
    monkeypatch.setattr("airflow_batch_inference.models.loading.load_in_subprocess", lambda *_, **__: None)
    frame, churned, text = churn
    for name in ("churn", "risk"):
        (tmp_path / f"{name}.txt").write_text(text)
    scores = lightgbm.Booster(model_str=text).predict(frame)
    frame.assign(churn_score=scores, predicted_label=scores).to_parquet(tmp_path / "train.parquet")
    frame.assign(churned=churned).to_parquet(tmp_path / "holdout.parquet")
    for folder in ("in", "july", *days("customers")):
        (tmp_path / folder).mkdir(parents=True)
        frame.head(100).to_parquet(tmp_path / folder / "1.parquet")
    (tmp_path / "export").mkdir()
    frame.to_csv(tmp_path / "export" / "1.csv", sep=";", decimal=",", encoding="cp1252", index=False)
    world = World(tmp_path)
    model = f'model_uri="{tmp_path}/churn.txt", sample_set="{tmp_path}/train.parquet"'
    world.tasks = {name: f'LoadModelOperator(task_id="{name}", {model})' for name in ("load", "load_next", "score")}
    world.tasks["predict"] = (
        f'PredictOperator(task_id="predict", model="{tmp_path}/churn.txt", dataset="{tmp_path}/in")'
    )
    yield world
    for name in [name for name in sys.modules if name.partition(".")[0] == "acme"]:
        del sys.modules[name]  # a page's own package; other tests have one of that name


def days(name):
    """Folders of yesterday, today and tomorrow: a test may run at midnight."""
    today = pd.Timestamp.now(tz="UTC")
    return [f"{name}/day={(today + pd.Timedelta(days=step)).date()}" for step in (-1, 0, 1)]


SAVED_HERE = {"scikit-learn", "LightGBM", "XGBoost", "PyTorch"}


def flavors(world, churn, monkeypatch):
    """docs/flavors.md: a model of each framework, in the folder where its page saves it."""
    xgboost, torch = pytest.importorskip("xgboost"), pytest.importorskip("torch")
    import safetensors.torch

    frame, churned, text = churn
    pipeline = LogisticRegression(max_iter=1000).fit(frame, churned)
    joblib.dump(pipeline, "churn.joblib")
    (world.folder / "acme").mkdir()
    (world.folder / "acme" / "__init__.py").touch()
    (world.folder / "acme" / "models.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(world.folder)
    from acme.models import Churn

    world.names |= {
        "skops": skops,
        "pipeline": pipeline,
        "booster": lightgbm.Booster(model_str=text),
        "safetensors": safetensors,
        "torch": torch,
    }
    boosted = xgboost.XGBClassifier(n_estimators=3, max_depth=2).fit(frame, churned)
    return {"XGBoost": {"model": boosted}, "PyTorch": {"model": Churn(hidden=64)}}


NETWORK = """\
import torch


class Churn(torch.nn.Sequential):
    def __init__(self, hidden):
        super().__init__(torch.nn.Linear(3, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 1))
"""


class Follower:
    """Runs the blocks of one page in its world."""

    def __init__(self, world, load_dags, monkeypatch):
        self.world = world
        self.load_dags = load_dags
        self.monkeypatch = monkeypatch

    def follow(self, block):
        code = self.world.text(block.code)
        if block.title:
            Path(block.title).write_text(code)
        elif block.is_dag_file:
            self.run_dags(code)
        elif block.has_tasks:
            self.run_dags(self.dag_of(code))
        else:
            exec(compile(code, block.name, "exec"), self.world.names)  # our own documents

    def dag_of(self, code):
        """Return a DAG file with the block's tasks, and before them those whose output they take."""
        needed = taken_for_granted(code)
        assert self.world.tasks.keys() >= set(needed), "the world of this page lacks a task that a block takes"
        given = [f"{name} = {self.world.tasks[name]}" for name in needed]
        lines = textwrap.indent("\n".join([*given, code]), "    ")
        imports = "from airflow.sdk import DAG\nfrom airflow_batch_inference.operators import *\n"
        return f'{imports}\nwith DAG("fragment_{next(_NUMBER)}", schedule=None):\n{lines}'

    def read_dags(self, code):
        folder = self.world.folder / f"dags-{next(_NUMBER)}"
        folder.mkdir()
        (folder / "of_a_document.py").write_text(code)
        bundle = {
            "name": folder.name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(folder)},
        }
        self.monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
        dags = self.load_dags(folder).dags.values()
        assert dags
        return dags

    def run_dags(self, code):
        for dag in self.read_dags(code):
            assert str(dag.test().state) == "success", dag.dag_id


def taken_for_granted(code):
    """Return the names that a block of tasks uses as tasks and does not make.

    >>> taken_for_granted("p = PredictOperator(model=load.output)\\nq = F(x=p.output)")
    ['load']
    """
    tree = ast.parse(code)
    made = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    used = [node.value.id for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "output"]
    return sorted(set(used) - made)


@pytest.fixture
def follower(world, load_dags, monkeypatch):
    return Follower(world, load_dags, monkeypatch)


OWN_TEST = {"docs/artifacts.md", "docs/drift.md", "docs/flavors.md", "docs/scripts.md", "docs/several-models.md"}
OTHERS = sorted({block.page for block in BLOCKS if block.language == "python"} - RUN_ELSEWHERE.keys() - OWN_TEST)


@pytest.mark.parametrize("page", OTHERS)
def test_the_python_of_a_page_runs(page, follower):
    for block in blocks_of(page):
        if block.language == "python" and block.reason_not_to_run is None:
            follower.follow(block)


def test_what_was_logged_is_found_as_the_page_on_artifacts_finds_it(follower, load_dags):
    (search,) = [block for block in blocks_of("docs/artifacts.md") if block.language == "python"]
    (pipeline,) = [block for block in blocks_of("docs/index.md") if block.is_dag_file]
    code = pipeline.code.replace('publish_to="', 'artifacts_tag="champion", publish_to="')
    follower.run_dags(follower.world.text(code))
    follower.follow(search)
    record = follower.world.names["record"]
    assert (record.kind, record.parts[0].rows) == ("prediction-set", 100)


def test_the_limits_of_the_page_on_drift_are_taken(follower):
    """The columns that it names are those of its own example."""
    frame = customers().rename(columns={"age": "income", "tenure": "temperature", "calls": "discount"})
    frame.assign(weekday=1).to_parquet("in/1.parquet")
    Path("churn.txt").write_text(classifier_text(frame, frame["income"] > 50))
    for block in blocks_of("docs/drift.md"):
        if block.language == "python":
            follower.follow(block)


def test_models_are_saved_and_loaded_as_the_page_on_flavors_says(follower, churn, monkeypatch):
    models = flavors(follower.world, churn, monkeypatch)
    section_of = sections("docs/flavors.md")
    saved = 0
    for block in blocks_of("docs/flavors.md"):
        section = section_of(block.line)
        if block.language != "python" or block.reason_not_to_run:
            continue
        follower.world.names |= models.get(section, {})
        if not block.has_tasks:
            follower.follow(block)
            saved += 1
        else:  # whose model was not saved here is only read
            follow = follower.run_dags if section in SAVED_HERE else follower.read_dags
            for code in one_task_each(follower.world.text(block.code)):
                follow(follower.dag_of(code))
    assert saved >= 6


def sections(page):
    """Return what tells the heading above a line of a page."""
    lines = (REPOSITORY / page).read_text().splitlines()
    return lambda line: next((text[3:] for text in lines[line::-1] if text.startswith("## ")), "")


def one_task_each(code):
    """Return the statements of a block that shows alternatives: two tasks of one name are no DAG."""
    return [ast.unparse(statement) for statement in ast.parse(code).body]


def test_the_script_of_its_page_scores_files(follower, churn):
    (script,) = [block for block in blocks_of("docs/scripts.md") if block.language == "python"]
    frame, churned, _ = churn
    joblib.dump(LogisticRegression(max_iter=1000).fit(frame, churned), "churn.joblib")
    follower.follow(script)
    arguments = 'scoring_script="/data/score.py", model="/data/churn.joblib", dataset="/data/in"'
    code = f'ScoringScriptOperator(task_id="predict", {arguments})'
    follower.run_dags(follower.dag_of(follower.world.text(code)))


def test_steps_and_challengers_score_as_their_page_says(follower, churn):
    frame, churned, _ = churn
    folder = follower.world.folder
    embed = classifier_text(frame[["tenure", "calls"]], churned)
    (folder / "embed.txt").write_text(embed)
    embedded = frame[["age"]].assign(embedding=lightgbm.Booster(model_str=embed).predict(frame[["tenure", "calls"]]))
    (folder / "score.txt").write_text(classifier_text(embedded, churned))
    follower.world.tasks |= {
        "embed": f'LoadModelOperator(task_id="embed", model_uri="{folder}/embed.txt", label_columns=["embedding"])',
        "score": f'LoadModelOperator(task_id="score", model_uri="{folder}/score.txt")',
    }
    live = f'LoadModelOperator(task_id="live", model_uri="{folder}/churn.txt", name="churn", alias="champion")'
    follower.run_dags(follower.dag_of(live))
    for block in blocks_of("docs/several-models.md"):
        if block.language == "python":
            follower.follow(block)
