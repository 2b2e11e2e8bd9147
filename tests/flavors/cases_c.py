"""Tiny XGBoost, ONNX and MLflow models in every format, with the predictions of the framework itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pyarrow as pa
import xgboost as xgb
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

ROWS = 90
FLOATS = ["a", "b", "c", "d"]


@dataclass(frozen=True)
class Made:
    """A saved model, and what its framework predicts with the original in memory."""

    path: Path
    batch: pa.Table
    expected: dict[str, np.ndarray]
    names: tuple[str, ...] | None
    options: dict[str, object] = field(default_factory=dict)
    is_exact: bool = True


@dataclass(frozen=True)
class FlavorCase:
    """How to save a model into a folder; what it is then, which module it needs, and whether it needs a pin."""

    name: str
    flavor: str
    format: str
    save: Callable[[Path], Made]
    module: str
    extra: str
    needs_pin: bool = False


def numbers(gaps: bool = True) -> pd.DataFrame:
    data = pd.DataFrame(np.random.default_rng(21).normal(size=(ROWS, 4)), columns=FLOATS)
    if gaps:
        data.loc[::7, "c"] = np.nan
    return data


def typed() -> pd.DataFrame:
    rng = np.random.default_rng(22)
    return numbers().assign(d=rng.integers(0, 9, ROWS), t=rng.random(ROWS) > 0.5)


def towns() -> pd.DataFrame:
    rng = np.random.default_rng(23)
    return pd.DataFrame(
        {
            "a": rng.normal(size=ROWS),
            "town": pd.Categorical(rng.choice(["Ulm", "Bonn", "Bern", None], ROWS)),
            "zone": pd.Categorical(rng.choice([30, 7, 110], ROWS)),
        }
    )


def yes(data: pd.DataFrame) -> np.ndarray:
    town = (data["town"] == "Ulm").to_numpy() if "town" in data else False
    return ((data["a"] > 0.2).to_numpy() | town).astype(int)


def thirds(data: pd.DataFrame) -> np.ndarray:
    return np.digitize(data["a"], [-0.5, 0.5])


def table(data: pd.DataFrame) -> pa.Table:
    """Return the frame as a caller hands it over: categories as their values."""
    return pa.table({name: pa.array(data[name].tolist(), from_pandas=True) for name in data})


def xgb_expected(booster: xgb.Booster, data, *, trees=(0, 0), proba=None) -> dict[str, np.ndarray]:
    wrapped = xgb.DMatrix(data, enable_categorical=True)
    found = {"predict": booster.predict(wrapped, iteration_range=trees)}
    if proba is not None:
        found["predict_proba"] = proba
    arguments = {"raw_score": "output_margin", "leaf_index": "pred_leaf", "contributions": "pred_contribs"}
    for ours, theirs in arguments.items():
        try:
            found[ours] = booster.predict(wrapped, iteration_range=trees, **{theirs: True})
        except xgb.core.XGBoostError:
            continue
    return found


def wrapped(kind: type, file: str, data=numbers, target=yes, **parameters) -> Callable[[Path], Made]:
    """Fit and save with XGBoost's scikit-learn interface."""

    def save(folder: Path) -> Made:
        frame = data()
        # qid is not among the columns: a ranker needs groups to be fitted, not to predict.
        groups = {"qid": np.repeat(range(9), 10)} if kind is xgb.XGBRanker else {}
        stop = {"eval_set": [(frame, 1 - target(frame))]} if "early_stopping_rounds" in parameters else {}
        model = kind(n_estimators=6, max_depth=3, n_jobs=1, random_state=1, enable_categorical=True, **parameters)
        model.fit(frame, target(frame), verbose=False, **groups, **stop)
        model.save_model(folder / file)
        proba = model.predict_proba(frame) if hasattr(model, "predict_proba") else None
        trees = (0, model.best_iteration + 1) if stop else (0, 0)
        expected = xgb_expected(model.get_booster(), frame, trees=trees, proba=proba)
        return Made(folder / file, table(frame), expected, tuple(frame.columns))

    return save


def trained(file: str, target=yes, *, by_name: bool = True, **parameters) -> Callable[[Path], Made]:
    """Train and save with XGBoost's own interface."""

    def save(folder: Path) -> Made:
        frame = numbers()
        data = frame if by_name else frame.to_numpy()
        booster = xgb.train(
            {"max_depth": 3, "nthread": 1, "seed": 1, **parameters}, xgb.DMatrix(data, target(frame)), 6
        )
        booster.save_model(folder / file)
        expected = xgb_expected(booster, data)
        objective = parameters.get("objective", "")
        if objective.startswith("multi:"):
            margins = expected["raw_score"]
            powers = np.exp(margins - margins.max(axis=1, keepdims=True))
            soft = powers / powers.sum(axis=1, keepdims=True)
            rest = {name: values for name, values in expected.items() if name != "predict"}
            proba = expected["predict"] if objective == "multi:softprob" else soft
            expected = {"predict": expected["predict"], "predict_proba": proba, **rest}
        names = tuple(frame.columns) if by_name else None
        return Made(folder / file, table(frame), expected, names, is_exact=objective != "multi:softmax")

    return save


def weights(*shape: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def network(*, dtype=TensorProto.FLOAT, rows: int | str = "n", end: str | None = None) -> onnx.ModelProto:
    """Return a network of two layers: four values in, three out."""
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    constants = {"w": weights(4, 8), "v": weights(8, 3, seed=6)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Tanh", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["y" if end is None else "z"]),
        *([helper.make_node(end, ["z"], ["y"])] if end else []),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", dtype, [rows, 4])],
        [helper.make_tensor_value_info("y", dtype, [rows, 3])],
        [onnx.numpy_helper.from_array(values.astype(kind), name) for name, values in constants.items()],
    )
    return model_of(graph)


def model_of(graph: onnx.GraphProto) -> onnx.ModelProto:
    operators = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=operators, ir_version=9)


def classifier(*, zipped: bool) -> onnx.ModelProto:
    """Return what converters make of a logistic regression: labels and probabilities."""
    labels = ["no", "yes"]
    scores = "scores" if zipped else "probabilities"
    nodes = [
        helper.make_node(
            "LinearClassifier",
            ["x"],
            ["label", scores],
            domain="ai.onnx.ml",
            coefficients=[1.0, -1.0, 0.5, 0.2, -1.0, 1.0, -0.5, -0.2],
            intercepts=[0.1, -0.1],
            classlabels_strings=labels,
            post_transform="SOFTMAX",
        )
    ]
    ends = [helper.make_tensor_value_info("label", TensorProto.STRING, ["n"])]
    if zipped:
        nodes.append(
            helper.make_node("ZipMap", ["scores"], ["probabilities"], domain="ai.onnx.ml", classlabels_strings=labels)
        )
        number = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        mapping = helper.make_map_type_proto(TensorProto.STRING, number)
        ends.append(helper.make_value_info("probabilities", helper.make_sequence_type_proto(mapping)))
    else:
        ends.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2]))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])]
    return model_of(helper.make_graph(nodes, "classifier", inputs, ends))


def columns_network() -> onnx.ModelProto:
    """Return a network with an input a column: a text, a whole number and a floating one."""
    nodes = [
        helper.make_node(
            "LabelEncoder",
            ["town"],
            ["code"],
            domain="ai.onnx.ml",
            keys_strings=["Ulm", "Bonn"],
            values_floats=[1.0, 2.0],
            default_float=-1.0,
        ),
        helper.make_node("Cast", ["floor"], ["height"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["height", "code"], ["product"]),
        helper.make_node("Add", ["product", "price"], ["y"]),
    ]
    kinds = {"town": TensorProto.STRING, "floor": TensorProto.INT64, "price": TensorProto.FLOAT}
    inputs = [helper.make_tensor_value_info(name, kind, ["n", 1]) for name, kind in kinds.items()]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])]
    return model_of(helper.make_graph(nodes, "columns", inputs, outputs))


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)


def x_of(data: pd.DataFrame, dtype=np.float32) -> dict[str, np.ndarray]:
    return {"x": data.to_numpy().astype(dtype)}


def of_network(options=None, *, names=None, dtype=TensorProto.FLOAT, external: bool = False) -> Callable[[Path], Made]:
    def save(folder: Path) -> Made:
        model, data = network(dtype=dtype), numbers(gaps=False)
        found = run(model, x_of(data, helper.tensor_dtype_to_np_dtype(dtype)))[0]
        expected = {"predict": found}
        if options and options.get("outputs") == "logits":
            powers = np.exp(found.astype(float))
            expected["predict_proba"] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        path = folder / "model.onnx"
        if external:
            path = folder / "network"
            path.mkdir()
            onnx.save(model, path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
        else:
            onnx.save(model, path)
        return Made(path, table(data), expected, names, options or {}, is_exact=False)

    return save


def of_classifier(*, zipped: bool) -> Callable[[Path], Made]:
    def save(folder: Path) -> Made:
        model, data = classifier(zipped=zipped), numbers(gaps=False)
        label, probability = run(model, x_of(data))
        if zipped:
            probability = np.array([[row["no"], row["yes"]] for row in probability], dtype=np.float32)
        onnx.save(model, folder / "model.onnx")
        expected = {"predict": label, "predict_proba": probability}
        return Made(folder / "model.onnx", table(data), expected, None, is_exact=False)

    return save


def of_columns(folder: Path) -> Made:
    rng = np.random.default_rng(24)
    data = pd.DataFrame(
        {
            "town": rng.choice(["Ulm", "Bonn", "Rom"], ROWS),
            "floor": rng.integers(0, 9, ROWS),
            "price": rng.normal(size=ROWS).astype(np.float32),
        }
    )
    model = columns_network()
    found = run(model, {name: data[[name]].to_numpy() for name in data})[0]
    onnx.save(model, folder / "model.onnx")
    return Made(folder / "model.onnx", table(data), {"predict": found}, ("town", "floor", "price"))


def with_folder_data() -> dict[str, bytes]:
    """Return the files of a network whose first weights lie in a file beside it."""
    model, data = network(), weights(4, 8).tobytes()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "w.bin", "offset": "0", "length": str(len(data))}.items():
        tensor.external_data.add(key=key, value=value)
    return {"model.onnx": model.SerializeToString(), "w.bin": data}


def in_mlflow(kind: str) -> Callable[[Path], Made]:
    """Save with MLflow's own ``save_model``."""

    def save(folder: Path) -> Made:
        from mlflow.models import infer_signature

        path, data = folder / "model", numbers(gaps=kind in ("xgboost", "lightgbm"))
        target = pd.Series(yes(data), name="answer")
        common = {"path": str(path), "pip_requirements": [], "signature": infer_signature(data, target)}
        expected = _SAVERS[kind](data, target, common)
        return Made(path, table(data), expected, tuple(data.columns), is_exact=kind not in ("onnx", "skops", "pickle"))

    return save


def _mlflow_xgboost(data, target, common):
    import mlflow.xgboost

    model = xgb.XGBClassifier(n_estimators=5, max_depth=3, n_jobs=1).fit(data, target)
    mlflow.xgboost.save_model(model, **common)
    return xgb_expected(model.get_booster(), data, proba=model.predict_proba(data))


def _mlflow_lightgbm(data, target, common):
    import mlflow.lightgbm

    parameters = {"objective": "binary", "verbose": -1, "min_data_in_leaf": 5, "num_threads": 1}
    booster = lgb.train(parameters, lgb.Dataset(data, target), 5)
    mlflow.lightgbm.save_model(booster, **common)
    predicted = booster.predict(data)
    return {
        "predict": predicted,
        "predict_proba": np.column_stack([1 - predicted, predicted]),
        "raw_score": booster.predict(data, raw_score=True),
        "leaf_index": booster.predict(data, pred_leaf=True),
        "contributions": booster.predict(data, pred_contrib=True),
    }


def _mlflow_sklearn(data, target, common, form):
    import mlflow.sklearn

    model = LogisticRegression().fit(data, target)
    mlflow.sklearn.save_model(model, serialization_format=form, **common)
    return {name: getattr(model, name)(data) for name in ("predict", "predict_proba", "decision_function")}


def _mlflow_onnx(data, target, common):
    import mlflow.onnx

    model = network()
    mlflow.onnx.save_model(model, **common)
    return {"predict": run(model, x_of(data))[0]}


def _mlflow_pyfunc(data, target, common):
    import mlflow.pyfunc

    class Twice(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["a"] * 2

    mlflow.pyfunc.save_model(python_model=Twice(), **common)
    return {"predict": data["a"].to_numpy() * 2}


_SAVERS = {
    "xgboost": _mlflow_xgboost,
    "lightgbm": _mlflow_lightgbm,
    "skops": lambda data, target, common: _mlflow_sklearn(data, target, common, "skops"),
    "pickle": lambda data, target, common: _mlflow_sklearn(data, target, common, "cloudpickle"),
    "onnx": _mlflow_onnx,
    "pyfunc": _mlflow_pyfunc,
}


def _xgb(name: str, save: Callable[[Path], Made], kind: str = "json") -> FlavorCase:
    return FlavorCase(f"xgb-{name}", "xgboost", f"xgboost-{kind}", save, "xgboost", "xgboost")


def _onnx(name: str, save: Callable[[Path], Made], kind: str = "onnx") -> FlavorCase:
    return FlavorCase(f"onnx-{name}", "onnx", kind, save, "onnxruntime", "onnx")


CASES = [
    _xgb("classifier", wrapped(xgb.XGBClassifier, "model.json")),
    _xgb("classifier-ubj", wrapped(xgb.XGBClassifier, "model.ubj"), "ubj"),
    _xgb("three-classes", wrapped(xgb.XGBClassifier, "model.json", target=thirds)),
    _xgb("categories", wrapped(xgb.XGBClassifier, "model.ubj", towns, max_cat_to_onehot=1), "ubj"),
    _xgb("typed", wrapped(xgb.XGBRegressor, "model.xgb", typed), "ubj"),
    _xgb("forest", wrapped(xgb.XGBRFClassifier, "model.json")),
    _xgb("dart", wrapped(xgb.XGBClassifier, "model.json", booster="dart", rate_drop=0.5)),
    _xgb("ranker", wrapped(xgb.XGBRanker, "model.json")),
    _xgb("base-score", wrapped(xgb.XGBRegressor, "model.json", base_score=7.5)),
    _xgb("stopped-early", wrapped(xgb.XGBClassifier, "model.json", early_stopping_rounds=1)),
    _xgb("softprob", trained("model.json", thirds, objective="multi:softprob", num_class=3)),
    _xgb("softmax", trained("model.ubj", thirds, objective="multi:softmax", num_class=3), "ubj"),
    _xgb("linear", trained("model.json", booster="gblinear", updater="coord_descent")),
    _xgb("of-an-array", trained("model.model", by_name=False), "ubj"),
    _xgb("margins", trained("model.json", objective="binary:logitraw")),
    _onnx("network", of_network()),
    _onnx("double", of_network(dtype=TensorProto.DOUBLE)),
    _onnx("named", of_network({"feature_names": FLOATS}, names=tuple(FLOATS))),
    _onnx("logits", of_network({"outputs": "logits"})),
    _onnx("folder", of_network(external=True), "onnx-folder"),
    _onnx("classifier", of_classifier(zipped=False)),
    _onnx("classifier-of-dictionaries", of_classifier(zipped=True)),
    _onnx("columns", of_columns),
    FlavorCase("xgb-in-mlflow", "mlflow", "mlflow", in_mlflow("xgboost"), "xgboost", "xgboost"),
    FlavorCase("text-in-mlflow", "mlflow", "mlflow", in_mlflow("lightgbm"), "lightgbm", ""),
    FlavorCase("onnx-in-mlflow", "mlflow", "mlflow", in_mlflow("onnx"), "onnxruntime", "onnx"),
    FlavorCase("skops-in-mlflow", "mlflow", "mlflow-allow-list", in_mlflow("skops"), "skops.io", "skops"),
    FlavorCase("pickle-in-mlflow", "mlflow", "mlflow-code", in_mlflow("pickle"), "joblib", "", needs_pin=True),
    FlavorCase("pyfunc-in-mlflow", "mlflow", "mlflow-code", in_mlflow("pyfunc"), "mlflow", "mlflow", needs_pin=True),
]
