"""Boosters whose counts, places and lengths are not true, in files of their own, in skops files and MLflow folders."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
import xgboost as xgb
from hostile import Hostile, Trap, written
from hostile_skops import rewritten, saved
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[str], str]

X = np.random.default_rng(4).normal(size=(80, 4))
Y = np.digitize(X[:, 0], [-0.5, 0.5])
MLMODEL = "flavors:\n  {flavor}:\n    {key}: {file}\n"


def swapped(pattern: str, replacement: str) -> Change:
    return lambda text: resized(re.sub(pattern, replacement, text, count=1, flags=re.MULTILINE))


def resized(text: str) -> str:
    """Correct the sizes of the trees, as somebody would who means harm."""
    body = text[text.index("\nTree=") + 1 : text.index("\nend of trees") + 1]
    sizes = [len("Tree=") + len(part) for part in re.split("^Tree=", body, flags=re.MULTILINE)[1:]]
    return re.sub(r"^tree_sizes=.*$", f"tree_sizes={' '.join(map(str, sizes))}", text, count=1, flags=re.MULTILINE)


def text_of(**given: object) -> str:
    common = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_leaves": 4, "num_threads": 1}
    label = Y if given.get("objective", "multiclass") == "multiclass" else X[:, 0]
    booster = lgb.train({**common, **given}, lgb.Dataset(X, label), 4)
    return booster.model_to_string()


def in_text(change: Change, **given: object) -> Callable[[Path, Trap], Path]:
    def make(folder: Path, trap: Trap) -> Path:
        text = text_of(**given)
        assert change(text) != text
        return written(folder / "m.txt", change(text))

    return make


def in_mlflow(change: Change) -> Callable[[Path, Trap], Path]:
    def make(folder: Path, trap: Trap) -> Path:
        written(folder / "m" / "MLmodel", MLMODEL.format(flavor="lightgbm", key="data", file="model.lgb"))
        written(folder / "m" / "model.lgb", change(text_of()))
        return folder / "m"

    return make


def nodes_of(schema: object, name: str) -> list[dict[str, Any]]:
    """Return all nodes of a skops file that are of a class."""
    found, waiting = [], [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            found += [node] if node.get("__class__") == name else []
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return found


def in_skops(make_model: Callable[[], object], change: Change) -> Callable[[Path, Trap], Path]:
    """Change the text of LightGBM's boosters within a skops file."""

    def make(folder: Path, trap: Trap) -> Path:
        def change_schema(schema: dict[str, Any]) -> None:
            for node in nodes_of(schema, "Booster"):
                held = node["content"]["content"]["_handle"]
                before = json.loads(held["content"])
                held["content"] = json.dumps(change(before))
                assert before != json.loads(held["content"])

        return rewritten(saved(make_model(), folder), change_schema)

    return make


def shared_text(folder: Path, trap: Trap) -> Path:
    """Let the booster's text be the one that another place of the file has made before, by its number."""
    path = saved(make_pipeline(StandardScaler(), lgbm()), folder)

    def change(schema: dict[str, Any]) -> None:
        (scaler,), (booster,) = nodes_of(schema, "StandardScaler"), nodes_of(schema, "Booster")
        held = booster["content"]["content"]["_handle"]
        text = swapped(r"left_child=-?\d+", "left_child=-3000")(json.loads(held["content"]))
        held["__id__"] = 12345
        scaler["content"]["content"]["note_"] = {**held, "content": json.dumps(text)}

    return rewritten(path, change)


def without_handle(folder: Path, trap: Trap) -> Path:
    path = saved(lgbm(), folder)

    def change(schema: dict[str, Any]) -> None:
        (booster,) = nodes_of(schema, "Booster")
        booster["content"]["content"]["_handle"]["content"] = "12345678"

    return rewritten(path, change)


def lgbm() -> lgb.LGBMClassifier:
    return lgb.LGBMClassifier(n_estimators=3, verbose=-1, num_leaves=4, min_child_samples=2, n_jobs=1).fit(X, Y)


def xgb_json(change: Callable[[dict[str, Any]], object], **given: object) -> Callable[[Path, Trap], Path]:
    def make(folder: Path, trap: Trap) -> Path:
        document = json.loads(xgb_booster(**given).save_raw("json"))
        change(document["learner"])
        return written(folder / "m.json", json.dumps(document))

    return make


def xgb_booster(**given: object) -> xgb.Booster:
    common = {"objective": "multi:softprob", "num_class": 3, "max_depth": 3, "nthread": 1}
    return xgb.train({**common, **given}, xgb.DMatrix(X, Y), 3)


def trees_of(learner: dict[str, Any]) -> dict[str, Any]:
    return learner["gradient_booster"]["model"]


def xgb_in_skops(old: bytes, new: bytes) -> Callable[[Path, Trap], Path]:
    """Replace bytes of the same number in what a wrapped booster of XGBoost was pickled as."""

    def make(folder: Path, trap: Trap) -> Path:
        model = CalibratedClassifierCV(xgb.XGBClassifier(n_estimators=2, max_depth=2, n_jobs=1), cv=2).fit(X, Y)
        path = saved(model, folder)
        import zipfile

        with zipfile.ZipFile(path) as archive:
            held = {name: archive.read(name) for name in archive.namelist() if name.endswith(".bin")}
        changed = {name: content.replace(old, new) for name, content in held.items()}
        assert changed != held
        return rewritten(path, lambda schema: None, changed)

    return make


def with_array(make_model: Callable[[], Any], change: Callable[[Any], object]) -> Callable[[Path, Trap], Path]:
    def make(folder: Path, trap: Trap) -> Path:
        model = make_model()
        change(model)
        return saved(model, folder)

    return make


def cut_factors(model: Any) -> None:
    model._dual_coef_ = model._dual_coef_[:, :1].copy()


def labels_beyond(model: Any) -> None:
    model._y = model._y + 10**7


def words_beyond(model: Any) -> None:
    model.steps[0][1].vocabulary_["age"] = 10**7


def columns_beyond(model: Any) -> None:
    encoder = model.steps[0][1]
    encoder._default_to_infrequent_mappings[0] = np.full(len(encoder.categories_[0]), 10**7)


BACK = swapped(r"left_child=-?\d+", "left_child=-3000")
LENGTH = b"L" + (1).to_bytes(8, "big")

HOSTILE = [
    Hostile(
        "LightGBM of more classes than trees",
        in_text(swapped("num_tree_per_iteration=3", "num_tree_per_iteration=1")),
        "3 classes .* but 1 trees an iteration",
    ),
    Hostile(
        "LightGBM of 64 trees an iteration",
        in_text(swapped("num_tree_per_iteration=3", "num_tree_per_iteration=64")),
        "3 classes .* but 64 trees an iteration",
    ),
    Hostile(
        "LightGBM of 64 classes and 12 trees",
        in_text(
            lambda text: (
                text.replace("num_class=3", "num_class=64")
                .replace("num_tree_per_iteration=3", "num_tree_per_iteration=64")
                .replace("num_class:3", "num_class:64")
            )
        ),
        "12 trees cannot be of iterations of 64 trees",
    ),
    Hostile(
        "LightGBM's objective of more classes",
        in_text(swapped("num_class:3", "num_class:3000")),
        "but it has 3 classes",
    ),
    Hostile(
        "LightGBM's linear leaf beyond",
        in_text(
            swapped(r"leaf_features=( *)\d", r"leaf_features=\g<1>3000"),
            objective="regression",
            num_class=1,
            linear_tree=True,
        ),
        "linear leaf asks for input 3000 of 4|inputs, but name",
    ),
    Hostile("LightGBM of fewer leaf values", in_text(swapped(r"leaf_value=\S+ ", "leaf_value=")), "its leaf_value are"),
    Hostile(
        "LightGBM's header twice", in_text(swapped("label_index=0", "label_index=0\nnum_class=1")), "'num_class' twice"
    ),
    Hostile("LightGBM's header cut by a zero", in_text(swapped("feature_infos=", "feature_infos=\0")), "zero byte"),
    Hostile(
        "LightGBM's trees of other sizes",
        in_text(lambda text: text.replace("tree_sizes=", "tree_sizes=9")),
        "tree_sizes",
    ),
    Hostile(
        "LightGBM in MLflow",
        in_mlflow(swapped("num_tree_per_iteration=3", "num_tree_per_iteration=1")),
        "3 classes .* but 1 trees an iteration",
    ),
    Hostile("LightGBM in skops", in_skops(lgbm, BACK), "leads to none of its"),
    Hostile(
        "LightGBM in a pipeline in skops",
        in_skops(lambda: make_pipeline(StandardScaler(), lgbm()), BACK),
        "leads to none",
    ),
    Hostile(
        "LightGBM calibrated in skops",
        in_skops(lambda: CalibratedClassifierCV(lgbm(), cv=2).fit(X, Y), BACK),
        "leads to none",
    ),
    Hostile(
        "LightGBM's header in skops",
        in_skops(lgbm, swapped("num_tree_per_iteration=3", "num_tree_per_iteration=1")),
        "3 classes .* but 1 trees an iteration",
    ),
    Hostile("LightGBM's text under another's number in skops", shared_text, "leads to none of its"),
    Hostile("LightGBM's pointer in skops", without_handle, "is not as lightgbm keeps it"),
    Hostile(
        "XGBoost of more classes",
        xgb_json(lambda learner: learner["learner_model_param"].update(num_class="3000")),
        "is of 3 classes, but its model is of 3000",
    ),
    Hostile(
        "XGBoost of no parallel trees",
        xgb_json(lambda learner: trees_of(learner)["gbtree_model_param"].update(num_parallel_tree="0")),
        "num_parallel_tree is 0",
    ),
    Hostile(
        "XGBoost's parents beyond",
        xgb_json(lambda learner: trees_of(learner)["trees"][0]["parents"].__setitem__(1, 10**9)),
        "parent is none of its nodes",
    ),
    Hostile(
        "XGBoost's trees under one number",
        xgb_json(lambda learner: trees_of(learner)["trees"][1].update(id=0)),
        "its id is 0",
    ),
    Hostile(
        "XGBoost's objective of no classes",
        xgb_json(lambda learner: learner["objective"]["softmax_multiclass_param"].update(num_class="0")),
        "is of 0 classes",
    ),
    Hostile(
        "XGBoost's linear weights cut",
        xgb_json(lambda learner: learner["gradient_booster"]["model"]["weights"].clear(), booster="gblinear"),
        "it has 0 weights",
    ),
    Hostile(
        "XGBoost's dart weights cut",
        xgb_json(lambda learner: learner["gradient_booster"]["weight_drop"].clear(), booster="dart"),
        "weight_drop are not of its",
    ),
    Hostile(
        "XGBoost in skops",
        xgb_in_skops(b"num_classSL" + (1).to_bytes(8, "big") + b"3", b"num_classSL" + (1).to_bytes(8, "big") + b"9"),
        "is not of its 9 outputs",
    ),
    Hostile(
        "SVC of fewer factors in skops", with_array(lambda: SVC().fit(X, Y), cut_factors), "factors .* are of shape"
    ),
    Hostile(
        "neighbours of labels beyond in skops",
        with_array(lambda: KNeighborsClassifier(algorithm="brute").fit(X, Y), labels_beyond),
        "its labels are not all from 0 to 2",
    ),
    Hostile(
        "words beyond in skops",
        with_array(
            lambda: make_pipeline(DictVectorizer(sparse=False), LogisticRegression()).fit(
                [{"age": value} for value in X[:, 0]], Y
            ),
            words_beyond,
        ),
        "words of its vocabulary_ are not in as many columns",
    ),
    Hostile(
        "categories beyond in skops",
        with_array(
            lambda: make_pipeline(OneHotEncoder(min_frequency=20), LogisticRegression()).fit(
                np.clip(np.round(X), -2, 2), Y
            ),
            columns_beyond,
        ),
        "categories of input 0 are not in its",
    ),
]
