"""What the kernel for tree ensembles gains over the library's own predict, in one run, alternating.

    python benchmarks/trees.py --rows 2e5 --repeats 5 --threads 1 2

20 float64 columns. "Library" is its own predict on one array in the memory order that it likes best, made beforehand;
"ours" is the kernel from Arrow columns, with all that lies between. Both give probabilities (or predictions), and the
same bits, or the run ends with an error. Each line is a process of its own with as many threads for both; seconds are
medians of alternating calls, "ratio" the median of the ratios of neighbouring calls. "Peak MB" is the largest resident
set of a process that loads the model and scores with one of the two. "Ready" is what reading, packing and comparing on
rows made from the trees takes; the kernel is compiled then. "First use" is what a process takes that scores eight rows:
importing LLVM, compiling the kernel, packing the trees; the median of several processes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTH = 20
COLUMNS = [f"f{number:02d}" for number in range(WIDTH)]
TRAINING_ROWS = 40_000
CLASSES = 5
STARTS = 5


def data(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make inputs, and a number that depends on them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, WIDTH))
    signal = x[:, 0] * x[:, 1] + np.sin(3 * x[:, 2]) + x[:, 3] ** 2 * (x[:, 4] > 0) + x[:, 5:10].sum(axis=1) / 2
    return x, signal + rng.normal(size=rows)


def lightgbm_model(trees: int, leaves: int, *, classes: int = 0) -> Callable[[Path], None]:
    """Return what trains LightGBM."""

    def make(folder: Path) -> None:
        import lightgbm

        x, y = data(TRAINING_ROWS, 0)
        given: dict[str, Any] = {"num_leaves": leaves, "learning_rate": 0.05, "verbose": -1, "objective": "binary"}
        label = (y > 0).astype(int)
        if classes:
            given |= {"objective": "multiclass", "num_class": classes}
            label = np.digitize(y, np.linspace(-2, 2, classes - 1))
        dataset = lightgbm.Dataset(x, label, feature_name=COLUMNS)
        lightgbm.train(given, dataset, trees).save_model(folder / "model.txt")

    return make


def xgboost_model(folder: Path) -> None:
    """Train 100 trees of depth 6."""
    import xgboost

    x, y = data(TRAINING_ROWS, 0)
    matrix = xgboost.DMatrix(x, (y > 0).astype(int), feature_names=COLUMNS)
    xgboost.train({"objective": "binary:logistic", "eta": 0.1}, matrix, 100).save_model(folder / "model.ubj")


def sklearn_model(name: str, **given: object) -> Callable[[Path], None]:
    """Return what fits an estimator of scikit-learn."""

    def make(folder: Path) -> None:
        import joblib
        from sklearn import ensemble

        x, y = data(TRAINING_ROWS // 2, 0)
        joblib.dump(getattr(ensemble, name)(random_state=0, **given).fit(x, y > 0), folder / "model.joblib")

    return make


CONFIGS: dict[str, Callable[[Path], None]] = {
    "lightgbm-100x31": lightgbm_model(100, 31),
    "lightgbm-500x63": lightgbm_model(500, 63),
    "lightgbm-multiclass-100": lightgbm_model(100, 31, classes=CLASSES),
    "xgboost-100x6": xgboost_model,
    "random-forest-100": sklearn_model("RandomForestClassifier", n_estimators=100, n_jobs=1),
    "extra-trees-100": sklearn_model("ExtraTreesClassifier", n_estimators=100, n_jobs=1),
    "gradient-boosting-100": sklearn_model("GradientBoostingClassifier", n_estimators=100),
    "hist-gradient-boosting-100": sklearn_model("HistGradientBoostingClassifier", max_iter=100),
}


def load(folder: Path, threads: int) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    """Load a model by its flavor, and return the library's own call for one array."""
    path = next(folder.iterdir())
    if path.suffix == ".txt":
        from airflow_batch_inference.flavors.lightgbm.flavor import TEXT, LightGBMFlavor

        model: Any = LightGBMFlavor().load(path, model_format=TEXT, trusted=(), options={})
        return model, lambda x: model.booster.predict(x, num_threads=threads)
    if path.suffix == ".ubj":
        from airflow_batch_inference.flavors.xgboost.flavor import UBJ, XGBoostFlavor

        model = XGBoostFlavor().load(path, model_format=UBJ, trusted=(), options={})
        model.booster.set_param({"nthread": threads})
        return model, model.booster.inplace_predict
    import joblib

    from airflow_batch_inference.flavors.sklearn.model import describe

    estimator = joblib.load(path)
    if hasattr(estimator, "n_jobs"):
        estimator.n_jobs = threads
    return describe(estimator), estimator.predict_proba


def native(folder: Path, x: np.ndarray) -> np.ndarray:
    """Return the array that the library likes best."""
    kind = next(folder.iterdir()).suffix
    if kind == ".txt":
        return np.asfortranarray(x)
    return np.ascontiguousarray(x, dtype=np.float64 if kind == ".joblib" and "hist" in folder.name else np.float32)


def measure(folder: Path, rows: int, repeats: int, threads: int) -> dict[str, Any]:
    """Score with both, alternating."""
    from airflow_batch_inference.flavors.registry import trees_of
    from airflow_batch_inference.trees.compiled import apply_link
    from airflow_batch_inference.trees.scorer import TreeScorer

    model, library = load(folder, threads)
    x, _ = data(rows, 1)
    array = native(folder, x)
    batch = pa.table([np.ascontiguousarray(column) for column in x.T], names=COLUMNS)
    method = "predict_proba" if folder.suffix == ".sklearn" else "predict"
    trees = trees_of(model)
    if trees is None:
        raise SystemExit(f"{folder.name} is no tree ensemble that is known")
    TreeScorer.of(trees.read(apply_link)).score(batch.slice(0, 8), (method,))  # warm
    started = time.perf_counter()
    source = trees.read(apply_link)
    scorer = TreeScorer.of(source)
    problem = scorer.difference(source, trees.methods)
    ready = time.perf_counter() - started
    if problem:
        raise SystemExit(f"{folder.name}: {problem}")
    times: list[tuple[float, float]] = []
    for _ in range(repeats):
        started = time.perf_counter()
        expected = library(array)
        between = time.perf_counter()
        found = scorer.score(batch, (method,))
        times.append((between - started, time.perf_counter() - between))
        if found is None or not np.array_equal(found[method], expected):
            raise SystemExit(f"{folder.name}: other bits than the library's")
    theirs, ours = zip(*times, strict=True)
    return {
        "library s": statistics.median(theirs),
        "ours s": statistics.median(ours),
        "ratio": statistics.median(a / b for a, b in times),
        "ready s": ready,
        "bytes a node": scorer.ensemble.nbytes / len(source.forest.left),
    }


def memory(folder: Path, rows: int, threads: int, who: str) -> dict[str, Any]:
    """Score with one of the two, and say the largest resident set."""
    from airflow_batch_inference.trees.fast_model import accelerated

    model, library = load(folder, threads)
    x, _ = data(rows, 1)
    if who == "ours":
        batch = pa.table([np.ascontiguousarray(column) for column in x.T], names=COLUMNS)
        accelerated(model, "require").predict(batch)
    else:
        library(native(folder, x))
    return {"peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def start(folder: Path) -> dict[str, Any]:
    """Say how long the kernel takes to be there, beside the model."""
    from airflow_batch_inference.flavors.registry import trees_of
    from airflow_batch_inference.trees.compiled import apply_link
    from airflow_batch_inference.trees.scorer import TreeScorer

    model, _ = load(folder, 1)
    trees = trees_of(model)
    x, _ = data(8, 1)
    batch = pa.table([np.ascontiguousarray(column) for column in x.T], names=COLUMNS)
    source = trees.read(apply_link)  # type: ignore[union-attr]  # it is one
    started = time.perf_counter()
    TreeScorer.of(source).score(batch, ("predict",))
    return {"seconds": time.perf_counter() - started}


def child(
    arguments: list[str], threads: int, *, python: str = sys.executable, script: str = __file__
) -> dict[str, Any]:
    """Run a part of a benchmark in a process of its own, with as many threads; the reason if it fails."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, **dict.fromkeys(names, str(threads)), "PYTHONPATH": root}
    command = [python, "-W", "ignore", script, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [f"ends with {done.returncode}"])[-1][-200:]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(name: str, folder: Path, given: argparse.Namespace) -> None:
    """Measure one model, and print its lines."""
    for threads in given.threads:
        asked = ["--measure", str(folder), "--rows", str(given.rows), "--repeats", str(given.repeats)]
        found = child([*asked, "--threads", str(threads)], threads)
        if "error" in found:
            print(f"| {name} | {threads} | {found['error']} |", flush=True)
            continue
        peaks = [
            child(["--memory", str(folder), "--rows", str(given.rows), "--who", who], threads).get("peak MB", 0)
            for who in ("library", "ours")
        ]
        rates = [given.rows / found[key] / 1e6 for key in ("library s", "ours s")]
        print(
            f"| {name} | {threads} | {rates[0]:.3f} | {rates[1]:.3f} | {found['ratio']:.1f} | {found['ready s']:.2f} | "
            f"{found['bytes a node']:.0f} | {peaks[0]:.0f} | {peaks[1]:.0f} |",
            flush=True,
        )


def main() -> None:
    """Measure what was asked for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--configs", nargs="+", default=list(CONFIGS), choices=list(CONFIGS))
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--who", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.rows, given.repeats, given.threads[0])))
    elif given.memory:
        print(json.dumps(memory(given.memory, given.rows, given.threads[0], given.who)))
    elif given.start:
        print(json.dumps(start(given.start)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            table(given, Path(folder))


def table(given: argparse.Namespace, root: Path) -> None:
    """Train the models, and print one line for each and each number of threads."""
    print(f"{given.rows:,} rows, {given.repeats} repeats\n")
    print("| model | threads | library Mrow/s | ours Mrow/s | ratio | ready s | bytes a node | library MB | ours MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in given.configs:
        folder = root / (name if name.startswith(("lightgbm", "xgboost")) else f"{name}.sklearn")
        folder.mkdir()
        CONFIGS[name](folder)
        if name == given.configs[0]:
            starts = [child(["--start", str(folder)], 1).get("seconds", 0.0) for _ in range(STARTS)]
        report(name, folder, given)
    print(f"\nFirst use {statistics.median(starts):.2f} s, with {given.configs[0]}")


if __name__ == "__main__":
    main()
