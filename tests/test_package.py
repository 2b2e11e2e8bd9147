"""What the package promises to Airflow: a light import, a true provider description, a wheel with its examples."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import jsonschema
import pytest

from airflow_batch_inference.get_provider_info import get_provider_info

REPOSITORY = Path(__file__).resolve().parent.parent
HEAVY = ["numpy", "pandas", "pyarrow", "scipy", "sklearn", "lightgbm", "skops", "fsspec"]
LIGHT_MODULES = [
    "airflow_batch_inference",
    "airflow_batch_inference.operators",
    "airflow_batch_inference.storage.catalog",
    "airflow_batch_inference.example_data",
    "airflow_batch_inference.get_provider_info",
    "airflow_batch_inference.operators.load_model",
    "airflow_batch_inference.operators.predict",
    "airflow_batch_inference.operators.preflight",
    "airflow_batch_inference.operators.scoring_script",
    "airflow_batch_inference.operators.evaluate_model",
    "airflow_batch_inference.operators.drift_analysis",
    "airflow_batch_inference.operators.log_artifacts",
    "airflow_batch_inference.operators.drift_gate",
    "airflow_batch_inference.decorators.score",
    "airflow_batch_inference.links",
    "airflow_batch_inference.notifications",
    "airflow_batch_inference.cli",
    "airflow_batch_inference.plugin",
]


def loaded_by(statement):
    """Return the heavy packages that a fresh process has loaded after a statement."""
    code = f"import sys\n{statement}\nprint(sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1].replace("'", '"'))


@pytest.mark.slow
def test_importing_any_operator_or_parsing_any_example_loads_nothing_heavy():
    examples = "; ".join(f"runpy.run_path({str(path)!r})" for path in sorted((REPOSITORY / "dags").glob("*.py")))
    modules = "; ".join(f"import {module}" for module in LIGHT_MODULES)
    alone = loaded_by("import airflow.sdk, airflow.providers.common.compat.sdk")
    assert loaded_by(f"{modules}; import runpy; {examples}") == alone
    assert not set(alone) - {"fsspec"}  # which Airflow may load by itself


def test_the_provider_description_fits_airflows_schema():
    import airflow

    schema = json.loads((Path(airflow.__path__[0]) / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_every_module_that_the_provider_names_exists():
    for operators in get_provider_info()["operators"]:
        for module in operators["python-modules"]:
            importlib.import_module(module)
    info = get_provider_info()
    decorators = [decorator["class-name"] for decorator in info["task-decorators"]]
    for path in (*decorators, *info["extra-links"], *info["notifications"], *info.get("cli", [])):
        module, _, name = path.rpartition(".")
        assert callable(getattr(importlib.import_module(module), name)), path


def test_airflow_finds_the_provider_under_the_distributions_name():
    from airflow.providers_manager import ProvidersManager

    assert "airflow-batch-inference" in ProvidersManager().providers
    (entry,) = [entry for entry in entry_points(group="apache_airflow_provider") if "batch_inference" in entry.value]
    assert entry.load()()["package-name"] == "airflow-batch-inference"


def test_every_rendered_argument_is_documented():
    from airflow_batch_inference import operators

    for kind in (*operators.OPERATORS, *operators.GROUPS):
        for field in kind.template_fields:
            documented = [base.__doc__ or "" for base in kind.__mro__]
            assert any(f":param {field}:" in text for text in documented), (kind, field)


def test_no_constructor_of_an_operator_has_more_than_18_arguments():
    from airflow_batch_inference import operators

    kinds = {kind for operator in (*operators.OPERATORS, *operators.GROUPS) for kind in operator.__mro__}
    for kind in kinds:
        if "__init__" in vars(kind) and kind.__module__.startswith("airflow_batch_inference"):
            own = [
                name for name in inspect.signature(vars(kind)["__init__"]).parameters if name not in ("self", "kwargs")
            ]
            assert len(own) <= 18, kind


def test_making_operators_and_groups_loads_nothing_heavy():
    made = """
from airflow_batch_inference.operators import *
from airflow_batch_inference.operators import GROUPS
given = {"challengers": {"b": "/m"}, "uri": "models:/m/1", "rows": "/golden", "evaluation": "/e", "name": "wallaroo"}
for kind in GROUPS:
    if kind is not Split:
        kind(**{name: given[name] for name in kind.parsers if name in given})
LoadModelOperator(task_id="l", model_uri="/m.txt", trust=Trust(trusted=["x"]), golden_set="/golden")
PredictOperator(
    task_id="p", model={"a": "/m", "b": "/n"}, dataset="/in", compare=Split(weights={"a": 1, "b": 1}),
    rows=RowPolicy(on_mismatch="null"), checks={"high": "out.y > 1"}, layout=WallarooLayout(),
    engine=Processes(max_memory="1GiB"),
)
ScoringScriptOperator(task_id="s", scoring_script="/s.py", dataset="/in", settings=ScriptSettings(header=False))
DriftAnalysisOperator(task_id="d", dataset="/in", rule=EffectRule(), history=History("weekday"))
EvaluateModelOperator(task_id="e", model="/m", dataset="/in", label_columns="y", problem=Problem("regression"))
"""
    alone = loaded_by("import airflow.sdk, airflow.providers.common.compat.sdk")
    assert loaded_by(made) == alone


@pytest.mark.slow
def test_the_wheel_takes_the_example_dags_along(tmp_path):
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        str(REPOSITORY),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for path in (REPOSITORY / "dags").glob("*.py"):
        assert f"airflow_batch_inference/example_dags/{path.name}" in names
    assert not [name for name in names if name.startswith(("tests/", "demo/"))]


@pytest.mark.parametrize("module", ["workflows.score", "engines.processes.worker"])
def test_a_job_loads_no_framework_of_its_own_accord(module):
    assert set(loaded_by(f"import airflow_batch_inference.{module}")) <= {"numpy", "pyarrow", "fsspec"}


JOB = """
import sys
from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.jobs.request import Destination, ScoringOptions, ScoringRequest
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.records import ModelRecord, TaskKey
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.score import score_dataset
folder = sys.argv[1]
with open(f"{folder}/record.json", "rb") as file:
    record = ModelRecord.from_json(file.read(), where="the record")
task = TaskKey(dag_id="d", run_id="r", task_id="t")
request = ScoringRequest(
    models=single_model(record, storage=Storage()), dataset=f"{folder}/in.parquet", options=ScoringOptions(),
    destination=Destination(root=folder, task=task, attempt="1", try_id="1", batch_id="1"), alignment_check_rows=4,
)
score_dataset(request, storage=Storage(), resources=Resources(max_workers=1))
print(*sys.modules)
"""
NEVER = {"airflow", "lark", "lightgbm", "matplotlib", "pydantic"}
"""What no job of such models needs. scikit-learn itself imports scipy.stats, and since 1.9 pandas."""


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("m.txt", {"joblib", "pandas", "scipy.stats", "sklearn", "airflow_batch_inference.flavors.sklearn.flavor"}),
        ("linear.joblib", {"llvmlite", "airflow_batch_inference.flavors.lightgbm.flavor"}),
        ("tree.joblib", {"airflow_batch_inference.flavors.lightgbm.flavor"}),
    ],
)
def test_a_whole_job_imports_what_its_model_needs(name, others, tmp_path):
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

    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 3)), columns=["a", "b", "c"])
    rows.to_parquet(tmp_path / "in.parquet", index=False)
    labels, path = (rows["a"] > 0).astype(int), tmp_path / name
    if name == "m.txt":
        lightgbm.train({"verbose": -1}, lightgbm.Dataset(rows, labels), 3).save_model(path)
    else:
        kind = LogisticRegression if name == "linear.joblib" else DecisionTreeClassifier
        joblib.dump(kind().fit(rows, labels), path)
    asked = ModelRequest(model_uri=str(path), trust=TrustRequest(sha256=sha256_of(path)))
    (tmp_path / "record.json").write_bytes(describe_model(asked, storage=Storage())[1].to_json())

    done = subprocess.run([sys.executable, "-c", JOB, str(tmp_path)], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert not imported & (NEVER | others)
    assert "airflow_batch_inference.workflows.score" in imported
