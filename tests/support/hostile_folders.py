"""MLflow folders that reach outside, boosters that lead nowhere, and what is no file at all."""

from __future__ import annotations

import json
import os
import re
import socket
from typing import TYPE_CHECKING, Any

import cases_lightgbm
import cases_xgboost
import yaml
from hostile import Hostile, Trap, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OUTSIDE = "no path within the model's folder"


def booster(kind: str) -> bytes:
    """Return the bytes of a good XGBoost model."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        return cases_xgboost.wrapped(cases_xgboost.xgb.XGBClassifier, f"m.{kind}")(Path(folder)).path.read_bytes()


def mlflow(
    entry: Callable[[Trap], dict[str, Any]],
    prepare: Callable[[Path, Trap], object] | None = None,
    name: str = "xgboost",
) -> Callable[[Path, Trap], Path]:
    """Write an MLflow folder with a good booster and an entry that asks for something else."""

    def make(folder: Path, trap: Trap) -> Path:
        path = folder / "churn-model"
        written(path / "model.json", booster("json"))
        written(path / "MLmodel", yaml.safe_dump({"flavors": {name: entry(trap)}}))
        if prepare is not None:
            prepare(path, trap)
        return path

    return make


def mlmodel(text: str | Callable[[Trap], str]) -> Callable[[Path, Trap], Path]:
    def make(folder: Path, trap: Trap) -> Path:
        written(folder / "churn-model" / "model.json", booster("json"))
        written(folder / "churn-model" / "MLmodel", text if isinstance(text, str) else text(trap))
        return folder / "churn-model"

    return make


def linked(target: Callable[[Trap], object], name: str = "model.json") -> Callable[[Path, Trap], Path]:
    def prepare(path: Path, trap: Trap) -> None:
        (path / name).unlink(missing_ok=True)
        (path / name).symlink_to(str(target(trap)))

    return mlflow(lambda trap: {"data": "model.json"}, prepare)


def aliases() -> str:
    """Return the text that doubles itself sixty times."""
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    return "\n".join([*lines, "flavors: {xgboost: {data: *a59}}"])


def special(make: Callable[[Path], object], *, alone: bool = False) -> Callable[[Path, Trap], Path]:
    """Put what is no plain file into a model's folder, or in the place of a model."""

    def hostile(folder: Path, trap: Trap) -> Path:
        path = folder / "m.txt" if alone else mlflow(lambda trap: {"data": "model.json"})(folder, trap) / "pipe"
        make(path)
        return path if alone else path.parent

    return hostile


def listening(path: Path) -> None:
    # The path may be too long for a socket, so it is named from its folder.
    before = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as there:
            there.bind(path.name)
    finally:
        os.fchdir(before)
        os.close(before)


def json_model(change: Callable[[dict[str, Any]], object]) -> Callable[[Path, Trap], Path]:
    def make(folder: Path, trap: Trap) -> Path:
        model = json.loads(booster("json"))
        change(model["learner"])
        return written(folder / "m.json", json.dumps(model))

    return make


def tree(name: str, value: int) -> Callable[[dict[str, Any]], None]:
    def change(learner: dict[str, Any]) -> None:
        learner["gradient_booster"]["model"]["trees"][0][name][0] = value

    return change


def parameter(holder: str, name: str, value: int) -> Callable[[dict[str, Any]], None]:
    def change(learner: dict[str, Any]) -> None:
        first = learner["gradient_booster"]["model"]["trees"][0]
        (first if holder == "tree_param" else learner)[holder][name] = str(value)

    return change


def ubj_model(pattern: bytes, replacement: bytes) -> Callable[[Path, Trap], Path]:
    def make(folder: Path, trap: Trap) -> Path:
        content, count = re.subn(pattern, replacement, booster("ubj"), count=1, flags=re.DOTALL)
        assert count, "nothing was changed"
        return written(folder / "m.ubj", content)

    return make


def text_model(pattern: str, replacement: str) -> Callable[[Path, Trap], Path]:
    """Change the first tree of a LightGBM text that has the pattern, and its size."""

    def make(folder: Path, trap: Trap) -> Path:
        source = next(case for case in cases_lightgbm.CASES if case.name == "text-categorical").save(folder).path
        head, *blocks = source.read_text().split("\nTree=")
        number = next(number for number, block in enumerate(blocks) if re.search(pattern, block))
        changed = re.sub(pattern, replacement, blocks[number], count=1)
        sizes = re.search(r"tree_sizes=(.*)", head).group(1).split()
        sizes[number] = str(int(sizes[number]) + len(changed) - len(blocks[number]))
        blocks[number] = changed
        head = re.sub(r"tree_sizes=.*", f"tree_sizes={' '.join(sizes)}", head)
        return written(folder / "hostile" / "m.txt", "\nTree=".join([head, *blocks]))

    return make


HUGE = 2_000_000_000
CODE = "is mlflow-code, which can run any code"

HOSTILE = [
    Hostile("data above", mlflow(lambda t: {"data": f"../../{t.secret.name}"}), OUTSIDE),
    Hostile("absolute data in MLflow", mlflow(lambda t: {"data": str(t.secret)}), OUTSIDE),
    Hostile("URI as data", mlflow(lambda t: {"data": f"file://{t.secret}"}), OUTSIDE),
    Hostile("code outside", mlflow(lambda t: {"data": "model.json", "code": str(t.secret.parent)}), OUTSIDE),
    Hostile(
        "environment outside",
        mlflow(lambda t: {"data": "model.json", "env": {"conda": f"../../{t.secret.name}"}}),
        OUTSIDE,
    ),
    Hostile(
        "python_function outside",
        mlflow(lambda t: {"loader_module": "mlflow.sklearn", "model_path": str(t.secret)}, name="python_function"),
        OUTSIDE,
    ),
    Hostile(
        "loader_module of os",
        mlflow(lambda t: {"loader_module": "os", "data": "model.json"}, name="python_function"),
        CODE,
    ),
    Hostile("linked data in MLflow", linked(lambda t: t.secret), "holds a symbolic link"),
    Hostile("linked environment", linked(lambda t: "/proc/self/environ", "requirements.txt"), "holds a symbolic link"),
    Hostile("linked MLmodel", linked(lambda t: t.secret, "MLmodel"), "holds a symbolic link"),
    Hostile("YAML tag", mlmodel(lambda t: f"flavors: !!python/object/apply:os.mkdir ['{t.trace}']"), "is no YAML"),
    Hostile("YAML tag of a module", mlmodel("flavors: {x: !!python/name:os.system ''}"), "is no YAML"),
    Hostile("YAML aliases", mlmodel(aliases()), "has YAML aliases"),
    Hostile("YAML of 400,000 levels", mlmodel("flavors: " + "[" * 400_000), "MLmodel (has too many levels|is no YAML)"),
    Hostile("YAML of a megabyte", mlmodel("a: [" + "{b: c}, " * 120_000 + "]"), "lists no flavors"),
    Hostile("MLmodel of 2 MB", mlmodel("flavors: " + "x" * (2 << 20)), "is larger than"),
    Hostile("pipe in the folder", special(os.mkfifo), "holds a hard link or a special file"),
    Hostile("socket in the folder", special(listening), "holds a hard link or a special file"),
    Hostile("device in the folder", special(lambda path: path.symlink_to("/dev/zero")), "holds a symbolic link"),
    Hostile("pipe as a model", special(os.mkfifo, alone=True), "is no plain file but a pipe"),
    Hostile("device as a model", special(lambda path: path.symlink_to("/dev/zero"), alone=True), "is no plain file"),
    Hostile("node beyond", json_model(tree("left_children", HUGE)), "leads to none of its"),
    Hostile("node that leads back", json_model(tree("right_children", 0)), "leads to none of its"),
    Hostile("input beyond", json_model(tree("split_indices", HUGE)), "a split asks for input"),
    Hostile(
        "two billion nodes", json_model(parameter("tree_param", "num_nodes", HUGE)), "cannot be loaded|crashed|memory"
    ),
    Hostile(
        "two billion classes",
        json_model(parameter("learner_model_param", "num_class", HUGE)),
        "memory|cannot be loaded",
    ),
    Hostile(
        "two billion targets", json_model(parameter("learner_model_param", "num_target", HUGE)), "memory|cannot be"
    ),
    Hostile(
        "two billion inputs", json_model(parameter("learner_model_param", "num_feature", HUGE)), "takes 2000000000"
    ),
    Hostile("deep JSON", lambda f, t: written(f / "m.json", '{"learner":{"a":' + "[" * 300_000 + "}"), "is damaged"),
    Hostile(
        "text of an exabyte in UBJSON",
        ubj_model(rb"num_nodesSL.{8}", b"num_nodesSL" + (1 << 60).to_bytes(8, "big")),
        "starts something of length",
    ),
    Hostile(
        "negative length in UBJSON", ubj_model(rb"num_nodesSL.{8}", b"num_nodesSL" + b"\xff" * 8), "something of length"
    ),
    Hostile(
        "array of an exabyte in UBJSON",
        ubj_model(rb"split_indices\[\$l#L.{8}", b"split_indices[$l#L" + (1 << 60).to_bytes(8, "big")),
        "starts something of length",
    ),
    Hostile("leaves in UBJSON", ubj_model(rb"left_children\[\$l#L", b"left_children[$d#L"), "is damaged"),
    Hostile(
        "two billion leaves", text_model(r"num_leaves=\d+", f"num_leaves={HUGE}"), "its num_leaves is '2000000000'"
    ),
    Hostile("child beyond", text_model(r"left_child=-?\d+", "left_child=100000"), "leads to none of its"),
    Hostile("leaf beyond", text_model(r"right_child=-?\d+", "right_child=-100000"), "leads to none of its"),
    Hostile("child that leads back", text_model(r"left_child=-?\d+", "left_child=0"), "leads to none of its"),
    Hostile("feature beyond", text_model(r"split_feature=\d+", f"split_feature={HUGE}"), "a split asks for input"),
    Hostile("list of categories beyond", text_model(r"cat_boundaries=0 \d+", "cat_boundaries=0 99999999"), "no list"),
    Hostile("text without leaves", text_model(r"leaf_value=.*\n", ""), "its leaf_value are 0, but should be 6"),
]
