"""skops files that ask for more than data: foreign types, trusted types abused, trees that lead nowhere.

Inspired by the public advisories CVE-2024-37065, CVE-2025-54412 and CVE-2025-54413.
"""

from __future__ import annotations

import functools
import io
import json
import operator
import zipfile
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
import skops.io
import xgboost as xgb
from hostile import SECRET, Hostile, Trap, bomb
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

X = np.random.default_rng(4).normal(size=(40, 2))
Y = (X[:, 0] > 0).astype(int)
FOREIGN = r"holds \d+ type\(s\) that are not known to be safe: .*"
Node = dict[str, Any]


def saved(model: object, folder: Path) -> Path:
    skops.io.dump(model, folder / "m.skops")
    return folder / "m.skops"


def calling(function: Callable[[Trap], object]) -> Callable[[Path, Trap], Path]:
    """Save a pipeline that would call a function when it predicts."""
    return lambda folder, trap: saved(make_pipeline(FunctionTransformer(function(trap)), LogisticRegression()), folder)


def rewritten(path: Path, change: Callable[[Node], object], more: dict[str, bytes] | None = None) -> Path:
    """Change the schema of a skops file, and members of it."""
    with zipfile.ZipFile(path) as before:
        entries = {name: before.read(name) for name in before.namelist()}
    schema = json.loads(entries["schema.json"])
    change(schema)
    with zipfile.ZipFile(path, "w") as after:
        for name, content in {**entries, "schema.json": json.dumps(schema).encode(), **(more or {})}.items():
            after.writestr(name, content)
    return path


def with_function(node: Callable[[Trap], Node], protocol: int | None = None) -> Callable[[Path, Trap], Path]:
    """Save a pipeline whose function is a node written by hand."""

    def make(folder: Path, trap: Trap) -> Path:
        path = saved(make_pipeline(FunctionTransformer(np.abs), LogisticRegression()), folder)

        def change(schema: Node) -> None:
            steps = schema["content"]["content"]["steps"]["content"]
            steps[0]["content"][1]["content"]["content"]["func"] = node(trap)
            if protocol is not None:
                schema["protocol"] = protocol

        return rewritten(path, change)

    return make


def text_node(value: object) -> Node:
    return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(value)}


def tuple_node(*items: Node) -> Node:
    return {"__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "content": list(items)}


def method_node(trap: Trap) -> Node:
    """Name a trusted type, but bind a method to an object of another one."""
    inner = {"__class__": "PosixPath", "__module__": "pathlib", "__loader__": "ConstructorFromReduceNode"}
    inner["content"] = tuple_node(text_node(str(trap.trace)))
    content = {"func": "mkdir", "obj": inner}
    named = {"__class__": "LogisticRegression", "__module__": "sklearn.linear_model._logistic"}
    return {**named, "__loader__": "MethodNode", "content": content}


def operator_node(module: str) -> Callable[[Trap], Node]:
    def node(trap: Trap) -> Node:
        attributes = tuple_node(text_node("mkdir"))
        return {
            "__class__": "methodcaller", "__module__": module, "__loader__": "OperatorFuncNode", "attrs": attributes,
        }  # fmt: skip

    return node


def called_node(module: str, name: str, loader: str, *more: object) -> Callable[[Trap], Node]:
    """Call a type of our list with arguments of the file, the last one the name of a file outside."""

    def node(trap: Trap) -> Node:
        given = tuple_node(*map(text_node, more), text_node(str(trap.secret)))
        found = {"__class__": name, "__module__": module, "__loader__": loader, "content": given}
        if loader == "LossNode":
            found |= {"__reduce__": {"args": given}, "content": tuple_node()}
        return found

    return node


def old_function_node(trap: Trap) -> Node:
    named = {"module_path": "os", "function": "system"}
    return {"__class__": "function", "__module__": "builtins", "__loader__": "FunctionNode", "content": named}


def generator_node(trap: Trap) -> Node:
    """Name a function of numpy.random where the name of a bit generator belongs."""
    names = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": []}
    state = {"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "key_types": names}
    content = {
        "bit_generator": {**state, "content": {"bit_generator": text_node("seed")}},
        "seed_seq": {**state, "content": {}},
    }
    start = {"__class__": "Generator", "__module__": "numpy.random._generator", "__loader__": "RandomGeneratorNode"}
    return {**start, "content": content}


def reading_vectorizer(folder: Path, trap: Trap) -> Path:
    trap.secret.with_suffix(".txt").write_text(f"{SECRET} {SECRET}")
    texts = [str(trap.secret.with_suffix(".txt"))] * 40
    return saved(make_pipeline(CountVectorizer(input="filename"), LogisticRegression()).fit(texts, Y), folder)


def changed_tree(change: Callable[[np.ndarray], object], make: Callable[[], Any]) -> Callable[[Path, Trap], Path]:
    """Save a tree whose nodes were changed."""

    def hostile(folder: Path, trap: Trap) -> Path:
        model = make().fit(X, Y)
        if isinstance(model, HistGradientBoostingClassifier):
            change(model._predictors[0][0].nodes)
            return saved(model, folder)
        path = saved(model, folder)
        with zipfile.ZipFile(path) as archive:
            arrays = {name: np.load(archive.open(name)) for name in archive.namelist() if name.endswith(".npy")}
        name, nodes = next((name, array) for name, array in arrays.items() if "left_child" in (array.dtype.names or ()))
        change(nodes)
        memory = io.BytesIO()
        np.save(memory, nodes)
        return rewritten(path, lambda schema: None, {name: memory.getvalue()})

    return hostile


def put(field: str, value: int) -> Callable[[np.ndarray], None]:
    def change(nodes: np.ndarray) -> None:
        nodes[field][0] = value

    return change


def wider_tree(folder: Path, trap: Trap) -> Path:
    """Put a tree that was fitted on more inputs into a forest that takes two."""
    model = RandomForestClassifier(1, random_state=1).fit(X, Y)
    model.estimators_ = [DecisionTreeClassifier().fit(np.hstack([X * 0, X]), Y)]
    return saved(model, folder)


def array(header: bytes) -> Callable[[Path, Trap], Path]:
    """Put an array of another header into the place of the coefficients."""

    def make(folder: Path, trap: Trap) -> Path:
        path = saved(LogisticRegression().fit(X, Y), folder)
        name = next(name for name in zipfile.ZipFile(path).namelist() if name.endswith(".npy"))
        text = header + b" " * (117 - len(header)) + b"\n"
        content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(16)
        return rewritten(path, lambda schema: None, {name: content})

    return make


def deep(folder: Path, trap: Trap) -> Path:
    with zipfile.ZipFile(folder / "m.skops", "w") as archive:
        archive.writestr("schema.json", '{"protocol": 2, "content": ' + "[" * 200_000 + "]" * 200_000 + "}")
    return folder / "m.skops"


def twice(folder: Path, trap: Trap) -> Path:
    path = saved(LogisticRegression().fit(X, Y), folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("schema.json", b"{}")
    return path


CALLED = ("ConstructorFromReduceNode", "LossNode")

HOSTILE = [
    Hostile("partial of exec in skops", calling(lambda trap: functools.partial(exec, trap.code)), FOREIGN + "exec"),
    Hostile(
        "methodcaller in skops",
        calling(lambda trap: operator.methodcaller("mkdir", str(trap.trace))),
        FOREIGN + "operator.methodcaller",
    ),
    Hostile("method in skops", calling(lambda trap: trap.trace.mkdir), FOREIGN + r"pathlib\.PosixPath"),
    Hostile("method of another type in skops", with_function(method_node), "corrupted or a malicious file"),
    Hostile("operator of another module in skops", with_function(operator_node("os")), "corrupted or a malicious file"),
    Hostile("operator by hand in skops", with_function(operator_node("operator")), FOREIGN + "operator.methodcaller"),
    Hostile("function of an older protocol in skops", with_function(old_function_node, 0), FOREIGN + r"os\.system"),
    Hostile("bit generator by another name in skops", with_function(generator_node), FOREIGN + "numpy.random.seed"),
    *[
        Hostile(
            f"Booster of LightGBM called by {loader}",
            with_function(called_node("lightgbm.basic", "Booster", loader, None, None)),
            FOREIGN + "lightgbm.basic.Booster",
        )
        for loader in CALLED
    ],
    *[
        Hostile(
            f"Booster of XGBoost called by {loader}",
            with_function(called_node("xgboost.core", "Booster", loader, None, [])),
            FOREIGN + "xgboost.core.Booster",
        )
        for loader in CALLED
    ],
    Hostile(
        "partial of LightGBM's Booster",
        calling(lambda trap: functools.partial(lgb.Booster, model_file=str(trap.secret))),
        FOREIGN + "lightgbm.basic.Booster",
    ),
    Hostile(
        "partial of XGBoost's Booster",
        calling(lambda trap: functools.partial(xgb.Booster, None, (), str(trap.secret))),
        FOREIGN + "xgboost.core.Booster",
    ),
    Hostile("vectorizer of files", reading_vectorizer, "would open the files that its input names"),
    Hostile(
        "tree that points beyond", changed_tree(put("left_child", 10**6), DecisionTreeClassifier), "points to none"
    ),
    Hostile(
        "histogram tree that points beyond",
        changed_tree(put("left", 10**6), lambda: HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2)),
        "points to none",
    ),
    Hostile("tree of more inputs than its forest", wider_tree, "takes 2 inputs, but its trees take others"),
    Hostile(
        "pickled array in skops",
        array(b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 2), }"),
        "Object arrays cannot be loaded",
    ),
    Hostile(
        "array of a terabyte in skops",
        array(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1, 137438953472), }"),
        "cannot be loaded",
    ),
    Hostile("schema of 200,000 levels", deep, "schema.json in m.skops cannot be read"),
    Hostile("schema that is there twice", twice, "'schema.json' is in it twice"),
    Hostile("schema of 4 GB", lambda folder, trap: bomb(folder / "m.skops", "schema.json", 255), "unpacks from"),
]
