"""The kernel for tree ensembles beside other engines that score the same models, each against the library's predict.

    python -m venv PEERS && PEERS/bin/pip install -r benchmarks/requirements-trees.txt
    python benchmarks/trees_peers.py --rows 5e4 --repeats 3 --threads 1 2 --python PEERS/bin/python
    python benchmarks/trees_peers.py --peers ours lleaves --python lleaves=OTHER/bin/python

The models and rows of trees.py. Each line is a process of its own, which alternates the library's own predict and one
engine, with as many threads for both: "ratio" is the median of the ratios of neighbouring calls, library / engine.
Each gets its rows in the form that it likes best, made beforehand ("rows as": where an engine takes several, the one
that was fastest in a trial, float64 where nothing was faster by a twentieth). "Difference" is the largest absolute one
of a probability to the library's own answer. "Ready" is what the engine needs for a model that is loaded, after its
imports: conversion, compilation, for ours also the comparison on rows made from the trees, but not the compilation of
the kernel, which is no model's. An engine that cannot score a model says why in place of numbers.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import trees

if TYPE_CHECKING:
    from collections.abc import Callable

    Form = Callable[[np.ndarray], Any]
    Engine = tuple[Callable[[Any], np.ndarray], dict[str, Form]]

CONFIGS = [name for name in trees.CONFIGS if name not in {"extra-trees-100", "gradient-boosting-100"}]
OURS = "ours"
TRIAL_ROWS = 20_000
DOUBLE: dict[str, Form] = {"float64 C": lambda x: np.ascontiguousarray(x, np.float64)}
SINGLE: dict[str, Form] = {"float32 C": lambda x: np.ascontiguousarray(x, np.float32)}
BY_COLUMN: dict[str, Form] = {
    "float64 F": lambda x: np.asfortranarray(x, np.float64),
    "float32 F": lambda x: np.asfortranarray(x, np.float32),
}


# -- the engines: each returns its call, and the forms of rows that it takes -------------------------------------


def ours(model: Any, folder: Path, cache: Path, threads: int) -> Engine:  # noqa: ANN401, ARG001  # one signature for all
    """Read, pack and compare, as trees.py does."""
    from airflow_batch_inference.flavors.registry import trees_of
    from airflow_batch_inference.trees.compiled import apply_link
    from airflow_batch_inference.trees.scorer import TreeScorer

    forest = trees_of(model)
    if forest is None:
        raise SystemExit(f"{folder.name} is no tree ensemble that is known")
    method = "predict_proba" if folder.suffix == ".sklearn" else "predict"
    source = forest.read(apply_link)
    scorer = TreeScorer.of(source)
    problem = scorer.difference(source, forest.methods)
    if problem:
        raise SystemExit(problem)
    return lambda batch: (scorer.score(batch, (method,)) or {})[method], {"Arrow columns": arrow}


def arrow(x: np.ndarray) -> pa.Table:
    return pa.table([np.ascontiguousarray(column) for column in x.T], names=trees.COLUMNS)


def lleaves(model: Any, folder: Path, cache: Path, threads: int) -> Engine:  # noqa: ANN401, ARG001
    """Compile by LLVM; the small code model is the faster one."""
    import lleaves as engine

    path = next(folder.iterdir())
    if path.suffix != ".txt":
        raise SystemExit("lleaves reads only LightGBM's text format")
    found = engine.Model(model_file=path)
    found.compile(cache=cache / "lleaves.bin", fcodemodel="small")
    return lambda rows: found.predict(rows, n_jobs=threads), DOUBLE


def treelite_model(model: Any, folder: Path) -> Any:  # noqa: ANN401
    """Return the model as one of treelite's."""
    import treelite

    path = next(folder.iterdir())
    if path.suffix == ".txt":
        return treelite.frontend.load_lightgbm_model(path)
    if path.suffix == ".ubj":
        return treelite.frontend.from_xgboost(model.booster)
    return treelite.sklearn.import_model(model.estimator)


def tl2cgen(model: Any, folder: Path, cache: Path, threads: int) -> Engine:  # noqa: ANN401
    """Write C, a file for each tree (larger ones take far longer), and compile on all cores with -O3, its default."""
    import tl2cgen as engine

    library = cache / "tl2cgen.so"
    if not library.exists():
        source = treelite_model(model, folder)
        params = {"parallel_comp": source.num_tree}
        engine.export_lib(source, toolchain="gcc", libpath=library, params=params, nthread=os.cpu_count())
    predictor = engine.Predictor(library, nthread=threads)
    forms: dict[str, Form] = {
        f"DMatrix of {kind}": lambda x, kind=kind: engine.DMatrix(x.astype(kind), dtype=kind)  # type: ignore[misc]
        for kind in ("float64", "float32")
    }
    return predictor.predict, forms


def onnxruntime(model: Any, folder: Path, cache: Path, threads: int) -> Engine:  # noqa: ANN401
    """Convert with float32 rows, the only ones that its converters of boosters take."""
    import onnxruntime as engine

    file = cache / "model.onnx"
    if not file.exists():
        file.write_bytes(onnx_model(model, folder).SerializeToString())
    options = engine.SessionOptions()
    options.intra_op_num_threads = threads
    session = engine.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda rows: session.run(["probabilities"], {"x": rows})[0], SINGLE


def onnx_model(model: Any, folder: Path) -> Any:  # noqa: ANN401
    """Return the model as ONNX."""
    kind = next(folder.iterdir()).suffix
    if kind == ".joblib":
        import skl2onnx
        from skl2onnx.common.data_types import FloatTensorType

        given = [("x", FloatTensorType([None, trees.WIDTH]))]
        return skl2onnx.to_onnx(model.estimator, initial_types=given, options={"zipmap": False})
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    given = [("x", FloatTensorType([None, trees.WIDTH]))]
    if kind == ".txt":
        return onnxmltools.convert_lightgbm(model.booster, initial_types=given, zipmap=False)
    model.booster.feature_names = None  # it wants f0, f1, ...
    return onnxmltools.convert_xgboost(model.booster, initial_types=given)


def daal4py(model: Any, folder: Path, cache: Path, threads: int) -> Engine:  # noqa: ANN401, ARG001
    """Convert by its model builders; scikit-learn's models by way of treelite, as its message asks for."""
    import daal4py as engine

    engine.daalinit(threads)
    booster = model.booster if hasattr(model, "booster") else treelite_model(model, folder)
    found = engine.mb.convert_model(booster)
    return getattr(found, "predict_proba", found.predict), {**DOUBLE, **SINGLE, **BY_COLUMN}


ENGINES: dict[str, tuple[Callable[[Any, Path, Path, int], Engine], tuple[str, ...]]] = {
    OURS: (ours, ()),
    "lleaves": (lleaves, ("lleaves",)),
    "TL2cgen": (tl2cgen, ("treelite", "tl2cgen")),
    "ONNX Runtime": (onnxruntime, ("onnxruntime", "onnxmltools", "skl2onnx")),
    "daal4py": (daal4py, ("daal4py.mb", "treelite")),
}
"""Each with what it imports."""


# -- one line of the table, in a process of its own --------------------------------------------------------------


def quickest(call: Callable[[Any], Any], forms: dict[str, Form], x: np.ndarray) -> str:
    """Return the form with the fastest call of four; another than the first only if it saves a twentieth."""
    if len(forms) == 1:
        return next(iter(forms))
    best = {}
    for name, form in forms.items():
        rows = form(x[:TRIAL_ROWS])
        best[name] = min(seconds(call, rows)[0] for _ in range(4))
    best[next(iter(best))] *= 0.95
    return min(best, key=best.__getitem__)


def seconds(call: Callable[[Any], Any], rows: Any) -> tuple[float, Any]:  # noqa: ANN401
    """Return how long a call takes, and its answer."""
    started = time.perf_counter()
    answer = call(rows)
    return time.perf_counter() - started, answer


def like(answer: Any, expected: np.ndarray) -> np.ndarray:  # noqa: ANN401
    """Return an engine's answer in the library's shape; of two classes, one may have only the second."""
    found, wanted = np.asarray(answer).reshape(len(expected), -1), expected.reshape(len(expected), -1)
    if found.shape[1] < wanted.shape[1] == 2:
        found = np.column_stack([1 - found[:, -1], found[:, -1]])
    return found[:, -wanted.shape[1] :].reshape(expected.shape)


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Score with the library and one engine, alternating."""
    folder, cache, threads = given.measure, given.cache, given.threads[0]
    x, expected = np.load(cache / "rows.npy"), np.load(cache / f"{folder.name}.npy")
    (work := cache / folder.name).mkdir(exist_ok=True)
    model, library = trees.load(folder, threads)
    array = trees.native(folder, x)
    if not np.array_equal(library(array), expected):
        raise SystemExit("this environment's library gives other bits than the first one's")
    engine, modules = ENGINES[given.peers[0]]
    for name in modules:
        importlib.import_module(name)
    if engine is ours:
        seconds(engine(model, folder, work, threads)[0], arrow(x[:8]))  # compiles the kernel
    ready, (call, forms) = seconds(lambda path: engine(model, path, work, threads), folder)
    form = quickest(call, forms, x)
    rows = forms[form](x)
    difference = np.abs(like(call(rows), expected) - expected).max()  # and both are warm
    times = [(seconds(library, array)[0], seconds(call, rows)[0]) for _ in range(given.repeats)]
    return {
        "library s": statistics.median(a for a, _ in times),
        "engine s": statistics.median(b for _, b in times),
        "ratio": statistics.median(a / b for a, b in times),
        "difference": float(difference),
        "ready s": ready,
        "form": form,
    }


# -- the table ---------------------------------------------------------------------------------------------------


def table(given: argparse.Namespace, root: Path) -> None:
    """Train the models, store rows and answers, and print a line for each model, number of threads and engine."""
    pythons = dict.fromkeys(ENGINES, sys.executable)
    for text in given.python:
        name, _, path = text.rpartition("=")
        pythons |= dict.fromkeys([name] if name else [peer for peer in ENGINES if peer != OURS], path)
    models, cache = root / "models", root / "cache"
    cache.mkdir()
    x, _ = trees.data(given.rows, 1)
    np.save(cache / "rows.npy", x)
    print(f"{given.rows:,} rows, {given.repeats} repeats\n")
    print("| model | threads | engine | library Mrow/s | engine Mrow/s | ratio | difference | ready s | rows as |")
    print("|---|---|---|---|---|---|---|---|---|")
    for config in given.configs:
        folder = models / (config if config.startswith(("lightgbm", "xgboost")) else f"{config}.sklearn")
        folder.mkdir(parents=True)
        trees.CONFIGS[config](folder)
        np.save(cache / f"{folder.name}.npy", trees.load(folder, 1)[1](trees.native(folder, x)))
        ready: dict[str, float] = {}  # of the first time: later ones read what it has stored
        for threads in given.threads:
            for name in given.peers:
                asked = ["--measure", str(folder), "--cache", str(cache), "--repeats", str(given.repeats)]
                line_of = [*asked, "--peers", name, "--threads", str(threads)]
                found = trees.child(line_of, threads, python=pythons[name], script=__file__)
                print(f"| {config} | {threads} | {name} | {line(found, given.rows, name, ready)} |", flush=True)


def line(found: dict[str, Any], rows: int, name: str, ready: dict[str, float]) -> str:
    """Write the cells of what was found."""
    if "error" in found:
        return f"{found['error'].replace('|', '/')} | | | | |"
    rates = [rows / found[key] / 1e6 for key in ("library s", "engine s")]
    difference = f"{found['difference']:.1e}" if found["difference"] else "same bits"
    took = ready.setdefault(name, found["ready s"])
    return f"{rates[0]:.3f} | {rates[1]:.3f} | {found['ratio']:.1f} | {difference} | {took:.2f} | {found['form']}"


def main() -> None:
    """Measure what was asked for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--configs", nargs="+", default=CONFIGS, choices=list(trees.CONFIGS))
    parser.add_argument("--peers", nargs="+", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument(
        "--python", nargs="+", default=[], metavar="[PEER=]PATH", help="the peers' interpreter, or that of one of them"
    )
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            table(given, Path(folder))


if __name__ == "__main__":
    main()
