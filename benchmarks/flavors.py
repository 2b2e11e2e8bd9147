"""What it costs to score through a flavor, against the framework's own predict on the same rows, in one run.

    python benchmarks/flavors.py --rows 5e5 --repeats 3

20 float64 columns in an Arrow table in memory. "Own" is what a careful script does with it: one array of the type
that the framework takes, and one call of its predict (Keras: ``model.predict`` with the same mini-batches). "Ours" is
the flavor, mini-batch by mini-batch of 65,536 rows, from the Arrow columns. Loading is left out, the conversion is
not. Each measurement is a process of its own; "seconds" are medians, "peak MB" is the largest resident set. The
predictions of both must be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import measuring
import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

COLUMNS = [f"f{number:02d}" for number in range(20)]
BATCH_ROWS = 65_536
FLAVORS = ("lightgbm", "xgboost", "sklearn", "onnx", "keras", "torch")


def table(rows: int) -> pa.Table:
    """Make the data."""
    values = np.random.default_rng(0).normal(size=(len(COLUMNS), rows))
    return pa.table(dict(zip(COLUMNS, values, strict=True)))


def matrix(data: pa.Table, dtype: str) -> np.ndarray:
    """Make one array of a table, as a careful script does."""
    return np.column_stack([data.column(name).to_numpy() for name in data.column_names]).astype(dtype, copy=False)


def make_lightgbm(path: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict[str, Any]]:
    """Train 100 trees of 31 leaves."""
    import lightgbm

    path = path / "model.txt"
    data = lightgbm.Dataset(x, y, feature_name=COLUMNS)
    lightgbm.train({"objective": "binary", "verbose": -1}, data, 100).save_model(path)
    return path, {}


def make_xgboost(path: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict[str, Any]]:
    """Train 100 trees of depth 6."""
    import xgboost

    path = path / "model.json"
    data = xgboost.DMatrix(x, y, feature_names=COLUMNS)
    xgboost.train({"objective": "binary:logistic"}, data, 100).save_model(path)
    return path, {}


def make_sklearn(path: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict[str, Any]]:
    """Fit a random forest of 20 trees of depth 10 on an array."""
    import skops.io
    from sklearn.ensemble import RandomForestClassifier

    path = path / "model.skops"
    skops.io.dump(RandomForestClassifier(20, max_depth=10, random_state=0, n_jobs=1).fit(x, y), path)
    return path, {}


def make_onnx(path: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict[str, Any]]:  # noqa: ARG001  # as it is born
    """Write a network of 20, 64 and 1 units."""
    from onnx import TensorProto, helper, numpy_helper, save

    path = path / "model.onnx"
    rng = np.random.default_rng(1)
    weights = {
        "w1": rng.normal(size=(20, 64)).astype(np.float32),
        "w2": rng.normal(size=(64, 1)).astype(np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "w2"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 20])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path, {"feature_names": COLUMNS}


def make_keras(path: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict[str, Any]]:  # noqa: ARG001  # as it is born
    """Write a network of 20, 64 and 1 units."""
    import keras

    path = path / "model.keras"
    keras.utils.set_random_seed(1)
    layers = [keras.Input((20,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(1)]
    keras.Sequential(layers).save(path)
    return path, {"feature_names": COLUMNS}


def make_torch(path: Path, x: np.ndarray, y: np.ndarray) -> tuple[Path, dict[str, Any]]:  # noqa: ARG001  # as it is born
    """Write a network of 20, 64 and 1 units."""
    import torch

    path = path / "model.pt"
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    torch.jit.script(net).save(str(path))
    return path, {"feature_names": COLUMNS}


def own(name: str, path: Path) -> Callable[[pa.Table], np.ndarray]:
    """Return what scores a table with the framework alone."""
    if name == "lightgbm":
        import lightgbm

        booster = lightgbm.Booster(model_file=path)
        return lambda data: booster.predict(matrix(data, "float64"))
    if name == "xgboost":
        import xgboost

        model = xgboost.Booster(model_file=path)
        return lambda data: model.predict(xgboost.DMatrix(matrix(data, "float32"), feature_names=COLUMNS))
    if name == "sklearn":
        import skops.io

        forest = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
        return lambda data: forest.predict(matrix(data, "float64"))
    if name == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return lambda data: session.run(None, {"x": matrix(data, "float32")})[0]
    if name == "keras":
        import keras

        network = keras.models.load_model(path)
        return lambda data: network.predict(matrix(data, "float32"), batch_size=BATCH_ROWS, verbose=0)
    import torch

    script = torch.jit.load(str(path)).eval()

    def score(data: pa.Table) -> np.ndarray:
        with torch.inference_mode():
            return script(torch.from_numpy(matrix(data, "float32"))).numpy()

    return score


def ours(path: Path, options: dict[str, Any]) -> Callable[[pa.Table], np.ndarray]:
    """Return what scores a table with our flavor, mini-batch by mini-batch."""
    from airflow_batch_inference.models.loading import load_model
    from airflow_batch_inference.models.trust import TrustRequest
    from airflow_batch_inference.storage.digests import sha256_of
    from airflow_batch_inference.storage.store import Storage

    trust = TrustRequest(sha256=sha256_of(path))
    model = load_model(str(path), storage=Storage(), trust=trust, options=options).model

    def score(data: pa.Table) -> np.ndarray:
        starts = range(0, data.num_rows, BATCH_ROWS)
        return np.concatenate([np.asarray(model.predict(data.slice(start, BATCH_ROWS))) for start in starts])

    return score


def run_once(name: str, side: str, path: str, options: str, rows: str) -> None:
    """Measure one side, in a process of its own."""
    data = table(int(rows))
    score = own(name, Path(path)) if side == "own" else ours(Path(path), json.loads(options))
    score(data.slice(0, 1000))  # first calls compile and start threads
    started = time.perf_counter()
    predicted = np.asarray(score(data), dtype=np.float64).ravel()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps({"seconds": seconds, "peak": peak, "sum": float(predicted.sum()), "first": predicted[:5].tolist()})
    )


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=float, default=5e5)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--flavors", nargs="+", default=list(FLAVORS), choices=FLAVORS)
    parser.add_argument("--run", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run_once(*arguments.run)
        return
    print("| flavor | own, s | ours, s | own/ours | own, peak MB | ours, peak MB |\n|---|---|---|---|---|---|")
    sample = matrix(table(20_000), "float64")
    target = (sample[:, 0] + sample[:, 1] * sample[:, 2] > 0).astype(int)
    for name in arguments.flavors:
        with tempfile.TemporaryDirectory() as folder:
            path, options = globals()[f"make_{name}"](Path(folder), sample, target)
            found: dict[str, list[dict[str, Any]]] = {"own": [], "ours": []}
            for _ in range(arguments.repeats):
                for side, results in found.items():
                    given = [name, side, str(path), json.dumps(options), str(int(arguments.rows))]
                    results.append(measuring.run_again(__file__, "--run", *given).told)
        np.testing.assert_allclose(found["own"][0]["first"], found["ours"][0]["first"], rtol=1e-5)
        np.testing.assert_allclose(found["own"][0]["sum"], found["ours"][0]["sum"], rtol=1e-5)
        own_s, ours_s = (statistics.median(each["seconds"] for each in found[side]) for side in found)
        peaks = [max(each["peak"] for each in found[side]) for side in found]
        print(
            f"| {name} | {own_s:.2f} | {ours_s:.2f} | {own_s / ours_s:.2f} | {peaks[0]:.0f} | {peaks[1]:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
