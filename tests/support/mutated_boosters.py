"""The campaign of mutated boosters: whatever the checks let through, its library can load and predict with.

Each mutant that passes is loaded and asked in a child of its own, with limits of memory and time; what kills the child
would have killed a task. The whole is run twice, with freed memory filled with other bytes (``MALLOC_PERTURB_``): an
answer that differs came from there::

    python tests/support/mutated_boosters.py --seed 7 --cases 500
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
import xgboost as xgb

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.boosters.lightgbm_text import require_followable as follow_text
from airflow_batch_inference.flavors.boosters.xgboost_trees import require_followable as follow_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

X = np.random.default_rng(4).normal(size=(120, 4))
X[:, 3] = np.random.default_rng(5).integers(0, 40, size=120)
Y = np.digitize(X[:, 0] + X[:, 3] / 40, [0.0, 0.8])
ODD = np.vstack([X[:8], np.full((1, 4), np.nan), np.full((1, 4), 1e300), np.zeros((1, 4)), np.full((1, 4), -7.0)])
NUMBERS = ("0", "1", "-1", "2", "3", "-3000", "3000", "64", "99999999", "4294967297", "nan", "inf", "1e9", "")
SECONDS, MEMORY = 20, 4 << 30


def texts() -> list[str]:
    kinds: list[tuple[dict[str, Any], np.ndarray, list[int]]] = [
        ({"objective": "multiclass", "num_class": 3}, Y, [3]),
        ({"objective": "regression", "linear_tree": True}, X[:, 0], []),
        ({"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, Y > 0, [3]),
    ]
    found = []
    for given, label, categorical in kinds:
        common = {"verbose": -1, "num_leaves": 5, "min_data_in_leaf": 2, "num_threads": 1, "min_data_per_group": 1}
        data = lgb.Dataset(X, label, categorical_feature=categorical)
        found.append(lgb.train({**common, **given}, data, 3).model_to_string())
    return found


def mutated_text(text: str, rng: np.random.Generator) -> str:
    """Change some numbers or lines of a text, and correct the sizes of its trees, as somebody would who means harm."""
    end = text.index("\nend of trees")
    for _ in range(int(rng.integers(1, 3))):
        lines = text[:end].split("\n")
        place = int(rng.integers(len(lines)))
        kind = rng.random()
        if kind < 0.75 and re.search(r"\d", lines[place]):
            spots = list(re.finditer(r"-?\d[\d.e+-]*", lines[place].partition("=")[2]))
            if spots:
                spot, start = spots[int(rng.integers(len(spots)))], lines[place].index("=") + 1
                new = str(rng.choice(NUMBERS))
                lines[place] = lines[place][: start + spot.start()] + new + lines[place][start + spot.end() :]
        elif kind < 0.85:
            del lines[place]
        else:
            lines.insert(int(rng.integers(len(lines))), lines[place])
        text = "\n".join(lines) + text[end:]
        end = text.index("\nend of trees")
    starts = [found.start() for found in re.finditer(r"^Tree=", text[: end + 1], re.MULTILINE)]
    sizes = np.diff([*starts, end + 1])
    return re.sub(r"^tree_sizes=.*$", f"tree_sizes={' '.join(map(str, sizes))}", text, count=1, flags=re.MULTILINE)


def documents() -> list[dict[str, Any]]:
    types = ["q", "q", "q", "c"]
    kinds: list[dict[str, Any]] = [
        {"objective": "multi:softprob", "num_class": 3},
        {"booster": "dart", "rate_drop": 0.5, "num_parallel_tree": 2},
        {"booster": "gblinear"},
        {"objective": "multi:softmax", "num_class": 3, "max_cat_to_onehot": 1},
    ]
    found = []
    for given in kinds:
        data = xgb.DMatrix(X, Y, feature_types=None if given.get("booster") == "gblinear" else types)
        booster = xgb.train({"max_depth": 3, "nthread": 1, "verbosity": 0, **given}, data, 2)
        found.append(json.loads(bytes(booster.save_raw("json"))))
    targets = xgb.DMatrix(X, X[:, :3])
    vector = xgb.train({"multi_strategy": "multi_output_tree", "max_depth": 2, "nthread": 1}, targets, 2)
    return [*found, json.loads(bytes(vector.save_raw("json")))]


def _places(document: object) -> Iterator[tuple[Any, Any]]:
    waiting = [document]
    while waiting:
        holder = waiting.pop()
        keys: Any = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            yield holder, key
            waiting.append(holder[key])


def mutated_document(document: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Change, remove or repeat some values of a document."""
    changed = json.loads(json.dumps(document))
    for _ in range(int(rng.integers(1, 3))):
        places = list(_places(changed))
        holder, key = places[int(rng.integers(len(places)))]
        value, kind = holder[key], rng.random()
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            holder[key] = [0, 1, -1, 2, 3, 10**6, -(10**6), (1 << 31) - 1, 1.5, 1e30][int(rng.integers(10))]
        elif isinstance(value, str):
            holder[key] = str(rng.choice(["0", "1", "2", "3", "64", "-1", "99999999", "x", "[1E0,2E0]", "gbtree"]))
        elif isinstance(value, list) and value and kind < 0.6:
            del value[int(rng.integers(len(value)))]
        elif isinstance(value, list) and value:
            value.append(value[0])
        elif kind < 0.2:
            del holder[key]
    return changed


def _ask_lightgbm(text: str) -> Iterator[np.ndarray]:
    booster = lgb.Booster(model_str=text)
    for given in ({}, {"raw_score": True}, {"pred_leaf": True}, {"pred_contrib": True}):
        yield booster.predict(ODD, num_threads=1, **given)
    yield booster.feature_importance("gain")
    booster.model_to_string(num_iteration=-1)


def _ask_xgboost(content: bytes) -> Iterator[np.ndarray]:
    booster = xgb.Booster({"nthread": 1}, model_file=bytearray(content))
    data = ODD.copy()
    data[:, 3] = np.abs(np.nan_to_num(data[:, 3], posinf=3.0)) % 60
    with contextlib.suppress(xgb.core.XGBoostError):
        yield booster.inplace_predict(data)
    matrix = xgb.DMatrix(data, feature_types=booster.feature_types, feature_names=booster.feature_names)
    for given in ({}, {"output_margin": True}, {"pred_leaf": True}, {"pred_contribs": True}):
        with contextlib.suppress(xgb.core.XGBoostError):
            yield booster.predict(matrix, **given)
    booster.save_raw("json")


def answered(ask: Callable[[Any], Iterator[np.ndarray]], model: object) -> str | None:
    """Return a digest of what a child answers that loads a model, the same for all refusals; None where it died."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        digest = hashlib.sha256()
        with contextlib.suppress(Exception):
            for answer in ask(model):
                digest.update(repr(answer.shape).encode() + np.ascontiguousarray(answer).tobytes())
        os.write(writer, digest.hexdigest().encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="ascii") as answers:
        digest_of = answers.read()
    _, status = os.waitpid(child, 0)
    return digest_of if status == 0 else None


def run(seed: int, cases: int) -> dict[str, str | None]:
    """Return what the mutants answered that passed the checks, by a name that tells how to make them again."""
    rng = np.random.default_rng(seed)
    found: dict[str, str | None] = {}
    for number, text in enumerate(texts()):
        for case in range(cases):
            changed = mutated_text(text, rng)
            with contextlib.suppress(ModelLoadError):
                follow_text(changed)
                found[f"LightGBM {number}, case {case}"] = answered(_ask_lightgbm, changed)
    for number, document in enumerate(documents()):
        for case in range(cases):
            content = json.dumps(mutated_document(document, rng)).encode()
            with contextlib.suppress(ModelLoadError):
                follow_document(content, is_json=True)
                found[f"XGBoost {number}, case {case}"] = answered(_ask_xgboost, content)
    return found


def twice(seed: int, cases: int) -> list[dict[str, str | None]]:
    """Run the campaign in two processes whose freed memory holds other bytes."""
    command = [sys.executable, __file__, "--seed", str(seed), "--cases", str(cases), "--once"]
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    found = []
    for filler in ("85", "170"):
        environment = {**os.environ, "MALLOC_PERTURB_": filler, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return found


def main() -> None:
    """Print what was found; exit with 1 where a mutant killed its child, or answered with what lay in memory."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--once", action="store_true")
    arguments = parser.parse_args()
    if arguments.once:
        print(json.dumps(run(arguments.seed, arguments.cases)))
        return
    one, other = twice(arguments.seed, arguments.cases)
    deadly = [name for name, answer in one.items() if answer is None]
    foreign = [name for name in one if one[name] != other.get(name)]
    made = arguments.cases * (len(texts()) + len(documents()))
    print(json.dumps({"mutants": made, "passed": len(one), "deadly": deadly, "foreign": foreign}))
    sys.exit(bool(deadly or foreign))


if __name__ == "__main__":
    main()
