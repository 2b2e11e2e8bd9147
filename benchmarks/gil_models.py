"""The models and mini-batches of gil.py: one of each flavor, and common estimators of scikit-learn."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import flavors
import numpy as np
import pyarrow as pa
from flavors import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_batch_inference.flavors.base import LoadedModel

TRAINING_ROWS = 20_000
SLOW_ROWS = 2_048
"""The rows of a mini-batch, where a model takes long for one."""
CITIES = [f"city {number:03d}" for number in range(200)]
PLANS = ["free", "basic", "plus", "business"]
WORDS = [f"word{number}" for number in range(2_000)]


@dataclass(frozen=True, slots=True)
class Case:
    """A model to measure: how it is made, what it is called, the rows of its mini-batches, and what they hold."""

    flavor: str
    make: Callable[[Path], tuple[Path, dict[str, Any]]]
    rows: int = flavors.BATCH_ROWS
    data: Callable[[int, int], pa.Table] | None = None
    kernel: bool = False

    def batches(self, number: int) -> list[pa.Table]:
        """Return so many mini-batches."""
        return [(self.data or numbers)(self.rows, seed) for seed in range(1, number + 1)]


# -- what is scored --------------------------------------------------------------------------------------------


def numbers(rows: int, seed: int) -> pa.Table:
    """Return 20 float64 columns."""
    values = np.random.default_rng(seed).normal(size=(len(COLUMNS), rows))
    return pa.table(dict(zip(COLUMNS, values, strict=True)))


def mixed(rows: int, seed: int) -> pa.Table:
    """Return two columns of strings and four of numbers."""
    rng = np.random.default_rng(seed)
    table = numbers(rows, seed).select(COLUMNS[:4])
    for name, choices in (("city", CITIES), ("plan", PLANS)):
        table = table.append_column(name, pa.array(choices).take(pa.array(rng.integers(0, len(choices), rows))))
    return table


def texts(rows: int, seed: int) -> pa.Table:
    """Return a column of texts of 20 words."""
    chosen = np.random.default_rng(seed).integers(0, len(WORDS), (rows, 20))
    return pa.table({"text": [" ".join(WORDS[place] for place in row) for row in chosen.tolist()]})


def training() -> tuple[np.ndarray, np.ndarray]:
    """Return a matrix and its binary targets."""
    x = flavors.matrix(numbers(TRAINING_ROWS, 0), "float64")
    return x, (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(int)


# -- what scores it --------------------------------------------------------------------------------------------


def of_flavor(name: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Make the model that flavors.py measures."""
    made: tuple[Path, dict[str, Any]] = getattr(flavors, f"make_{name}")(folder, *training())
    return made


def make_tensorflow(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Write a network of 20, 64 and 1 units as a SavedModel."""
    import tensorflow as tf

    rng = np.random.default_rng(1)
    network = tf.Module()
    network.first = tf.Variable(rng.normal(size=(20, 64)), dtype=tf.float32)
    network.last = tf.Variable(rng.normal(size=(64, 1)), dtype=tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, 20], tf.float32, name="x")])
    def score(x: Any) -> dict[str, Any]:  # noqa: ANN401  # a tensor
        return {"y": tf.nn.relu(x @ network.first) @ network.last}

    network.score = score
    path = folder / "saved"
    tf.saved_model.save(network, str(path), signatures=network.score)
    return path, {"feature_names": COLUMNS}


def estimator(make: Callable[[], Any], folder: Path, data: Callable[[int, int], pa.Table] | None = None) -> Any:  # noqa: ANN401
    """Fit and save an estimator of scikit-learn."""
    import joblib
    import pandas as pd

    x, y = training()
    if data is None:
        frame: Any = pd.DataFrame(x, columns=COLUMNS)
    else:
        table = data(2_000, 0)
        y = np.random.default_rng(0).integers(0, 2, len(table))
        frame = table.to_pandas() if len(table.column_names) > 1 else table.column(0).to_pylist()
    path = folder / "model.joblib"
    joblib.dump(make().fit(frame, y), path)
    return path, {}


def encoded() -> Any:  # noqa: ANN401  # a Pipeline
    """Return a pipeline that encodes strings."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encoder = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("strings", encoder, ["city", "plan"])], remainder="passthrough")
    return make_pipeline(columns, LogisticRegression(max_iter=1_000))


def of_texts() -> Any:  # noqa: ANN401  # a Pipeline
    """Return a pipeline that counts words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(), LogisticRegression())


def scaled() -> Any:  # noqa: ANN401  # a Pipeline
    """Return a pipeline that scales numbers."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression())


def named(module: str, name: str, **given: Any) -> Callable[[], Any]:  # noqa: ANN401
    """Return what makes an estimator of scikit-learn."""

    def make() -> Any:  # noqa: ANN401
        import importlib

        return getattr(importlib.import_module(f"sklearn.{module}"), name)(**given)

    return make


def sklearn_case(
    make: Callable[[], Any], rows: int = flavors.BATCH_ROWS, data: Callable[[int, int], pa.Table] | None = None
) -> Case:
    """Return the case of an estimator."""
    return Case("sklearn", partial(estimator, make, data=data), rows, data)


CASES: dict[str, Case] = {
    "lightgbm": Case("lightgbm", partial(of_flavor, "lightgbm")),
    "lightgbm, kernel": Case("lightgbm", partial(of_flavor, "lightgbm"), kernel=True),
    "xgboost": Case("xgboost", partial(of_flavor, "xgboost")),
    "onnx": Case("onnx", partial(of_flavor, "onnx")),
    "keras": Case("keras", partial(of_flavor, "keras")),
    "tensorflow": Case("tensorflow", make_tensorflow),
    "torch": Case("torch", partial(of_flavor, "torch")),
    "LogisticRegression": sklearn_case(named("linear_model", "LogisticRegression")),
    "DecisionTree": sklearn_case(named("tree", "DecisionTreeClassifier", max_depth=8, random_state=0)),
    "RandomForest": sklearn_case(
        named("ensemble", "RandomForestClassifier", n_estimators=20, max_depth=10, random_state=0, n_jobs=1)
    ),
    "HistGradientBoosting": sklearn_case(named("ensemble", "HistGradientBoostingClassifier", random_state=0)),
    "GradientBoosting": sklearn_case(named("ensemble", "GradientBoostingClassifier", n_estimators=20, random_state=0)),
    "SVC": sklearn_case(named("svm", "SVC", max_iter=200), SLOW_ROWS),
    "KNeighbors": sklearn_case(named("neighbors", "KNeighborsClassifier", n_jobs=1), SLOW_ROWS),
    "GaussianNB": sklearn_case(named("naive_bayes", "GaussianNB")),
    "MLPClassifier": sklearn_case(named("neural_network", "MLPClassifier", max_iter=3, random_state=0)),
    "scaler + LogisticRegression": sklearn_case(scaled),
    "one-hot strings + LogisticRegression": sklearn_case(encoded, data=mixed),
    "tf-idf + LogisticRegression": sklearn_case(of_texts, SLOW_ROWS, texts),
}


def make(name: str, folder: str) -> None:
    """Make a model, and note where it lies; in a process that ends afterwards, as frameworks are large."""
    from pathlib import Path

    path, options = CASES[name].make(Path(folder))
    (Path(folder) / "made.json").write_text(json.dumps([str(path), options]))


def load(name: str, folder: str) -> LoadedModel:
    """Load a model as the package does where its digest was pinned."""
    from pathlib import Path

    from airflow_batch_inference.models.loading import load_model
    from airflow_batch_inference.models.local_copy import private_copy
    from airflow_batch_inference.models.trust import TrustRequest
    from airflow_batch_inference.storage.store import Storage
    from airflow_batch_inference.trees.fast_model import accelerated

    path, options = json.loads((Path(folder) / "made.json").read_text())
    with private_copy(path, Storage()) as copy:
        trust = TrustRequest(sha256=copy.sha256)
    model = load_model(path, storage=Storage(), trust=trust, options=options).model
    return accelerated(model, "require") if CASES[name].kernel else model
