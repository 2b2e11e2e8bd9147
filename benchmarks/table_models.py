"""The models of each table of tables.py: LightGBM, a logistic regression and a decision tree.

Those of the mixed table use its strings, dictionaries, booleans and numbers, with what is missing in them: LightGBM has
categorical features, the other two are pipelines that encode and impute. Times, dates, notes and the identifier are no
model's inputs; they pass through to the output.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import tables
import workload

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

LIGHTGBM, LOGISTIC, TREE = MODELS = ("lightgbm", "logistic regression", "decision tree")
TRAINING_ROWS = 20_000
STRINGS = ("country", "channel")
CATEGORIES = ("city", "plan")
NUMBERS = ("is_member", "visits", "age", "income", "spent", "score", "balance")


def make_models(folder: Path, table: tables.Table = tables.NARROW) -> dict[str, Path]:
    """Train on 20,000 rows: LightGBM of 100 trees with 31 leaves, a logistic regression, a tree of depth 8."""
    import joblib
    import lightgbm
    import numpy as np

    folder = folder / f"{table.name}-models"
    folder.mkdir()
    x = table.block(0, TRAINING_ROWS, np.random.default_rng(1)).to_pandas()
    y = _target(table, x)
    paths = {name: folder / f"{name.replace(' ', '-')}{'.txt' if name == LIGHTGBM else '.joblib'}" for name in MODELS}
    mixed = table is tables.MIXED
    given = x[[*CATEGORIES, *NUMBERS]] if mixed else x
    parameters = {"objective": "binary", "num_leaves": 31, "verbose": -1, "seed": 0}
    lightgbm.train(parameters, lightgbm.Dataset(given, y), num_boost_round=100).save_model(paths[LIGHTGBM])
    given = x[[*STRINGS, *CATEGORIES, *NUMBERS]] if mixed else x
    for name, estimator in _estimators(mixed=mixed).items():
        joblib.dump(estimator.fit(given, y), paths[name])
    for name, path in paths.items():
        columns = [*CATEGORIES, *NUMBERS] if name == LIGHTGBM else [*STRINGS, *CATEGORIES, *NUMBERS]
        told = {"columns": columns, "strings": STRINGS, "categories": CATEGORIES} if mixed else {}
        workload.inputs_path(path).write_text(json.dumps(told))
        _describe(path)
    return paths


def _target(table: tables.Table, x: Any) -> np.ndarray:  # noqa: ANN401  # a frame
    import numpy as np

    noise = np.random.default_rng(2).normal(size=len(x))
    if table is not tables.MIXED:
        return np.asarray(x["f00"] + x["f01"] * x["f02"] + noise > 0).astype(int)
    city, country = (x[name].astype("category").cat.codes % 7 - 3 for name in ("city", "country"))
    age = x["age"].fillna(40) / 20 - 2
    return np.asarray(city * 0.4 + country * 0.3 + age * x["is_member"] + x["balance"] / 1_000 + noise > 0).astype(int)


def _estimators(*, mixed: bool) -> dict[str, Any]:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    logistic, tree = LogisticRegression(max_iter=1_000), DecisionTreeClassifier(max_depth=8, random_state=0)
    if not mixed:
        return {LOGISTIC: logistic, TREE: tree}
    names, numbers = [*STRINGS, *CATEGORIES], list(NUMBERS)
    one_hot = OneHotEncoder(handle_unknown="ignore")
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)
    filled = SimpleImputer(strategy="median")
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return {
        LOGISTIC: make_pipeline(ColumnTransformer([("names", one_hot, names), ("numbers", scaled, numbers)]), logistic),
        TREE: make_pipeline(ColumnTransformer([("names", ordinal, names), ("numbers", filled, numbers)]), tree),
    }


def _describe(path: Path) -> None:
    """Write the record of a model, as LoadModelOperator makes it."""
    from airflow_batch_inference.models.describe import ModelRequest, describe_model
    from airflow_batch_inference.models.trust import TrustRequest
    from airflow_batch_inference.storage.digests import sha256_of
    from airflow_batch_inference.storage.store import Storage

    request = ModelRequest(model_uri=str(path), trust=TrustRequest(sha256=sha256_of(path)))
    workload.record_path(path).write_bytes(describe_model(request, storage=Storage())[1].to_json())
