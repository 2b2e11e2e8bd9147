"""Networks that ask for more than numbers: Keras, HDF5, ONNX, SavedModel, safetensors.

Inspired by the public advisories CVE-2025-1550, CVE-2025-9905, CVE-2025-9906, CVE-2026-1669 and CVE-2026-0897.
"""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import keras
import onnx
import tensorflow as tf
from cases_keras import keras_network
from cases_onnx import external, model_of, network, with_external
from hostile import Hostile, Trap, bomb, written
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CODE = r"is keras-code, which can run any code .*"
WEIGHTS = "model.weights.h5"
Entries = dict[str, bytes]


def keras_file(change: Callable[[Entries, Trap], object]) -> Callable[[Path, Trap], Path]:
    """Save a small network and change its members."""

    def make(folder: Path, trap: Trap) -> Path:
        keras_network().save(folder / "source.keras")
        with zipfile.ZipFile(folder / "source.keras") as before:
            entries = {name: before.read(name) for name in before.namelist()}
        change(entries, trap)
        with zipfile.ZipFile(folder / "m.keras", "w") as after:
            for name, content in entries.items():
                after.writestr(name, content)
        return folder / "m.keras"

    return make


def layer(make: Callable[[Trap], dict[str, Any]]) -> Callable[[Path, Trap], Path]:
    """Put an object of the configuration in the place of the first dense layer, within a layer that wraps it."""

    def change(entries: Entries, trap: Trap) -> None:
        config = json.loads(entries["config.json"])
        wrapper = {"module": "keras.layers", "class_name": "TimeDistributed", "config": {"layer": make(trap)}}
        config["config"]["layers"][1] = wrapper
        entries["config.json"] = json.dumps(config).encode()

    return keras_file(change)


def node(module: str | None, name: str, **more: object) -> Callable[[Trap], dict[str, Any]]:
    return lambda trap: {"module": module, "class_name": name, "config": {}, "registered_name": None, **more}


def with_lambda(folder: Path, trap: Trap) -> Path:
    run = eval(f"lambda x: (exec({trap.code!r}), x)[1]")
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(run, output_shape=(4,))]).save(folder / "m.keras")
    return folder / "m.keras"


def reading(name: str, key: str) -> Callable[[Path, Trap], Path]:
    """Name a file of the worker in a layer's configuration."""
    return layer(lambda trap: node("keras.layers", name, config={key: str(trap.secret)})(trap))


def added(name: str, content: bytes = b"x") -> Callable[[Path, Trap], Path]:
    return keras_file(lambda entries, trap: entries.update({name: content}))


def wide(entries: Entries, trap: Trap) -> None:
    """Ask for a layer that fills the memory."""
    config = json.loads(entries["config.json"])
    config["config"]["layers"][1]["config"]["units"] = 10**9
    entries["config.json"] = json.dumps(config).encode()


def with_link(folder: Path, trap: Trap) -> Path:
    path = keras_file(lambda entries, trap: None)(folder, trap)
    entry = zipfile.ZipInfo("assets/vocabulary.txt")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, str(trap.secret))
    return path


def duplicate(folder: Path, trap: Trap) -> Path:
    path = keras_file(lambda entries, trap: None)(folder, trap)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", json.dumps(node("os", "function", config="system")(trap)))
    return path


def claims_ten_gigabytes(folder: Path, trap: Trap) -> Path:
    path = keras_file(lambda entries, trap: None)(folder, trap)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/x", b"x")
        archive.getinfo("config.json").file_size = 10 << 30
    return path


def weights(write: Callable[[h5py.File, Trap], object]) -> Callable[[Path, Trap], Path]:
    def change(entries: Entries, trap: Trap) -> None:
        memory = io.BytesIO(entries[WEIGHTS])
        with h5py.File(memory, "a") as file:
            write(file, trap)
        entries[WEIGHTS] = memory.getvalue()

    return keras_file(change)


def virtual(file: h5py.File, trap: Trap) -> None:
    layout = h5py.VirtualLayout((3,), "u1")
    layout[:] = h5py.VirtualSource(str(trap.secret), "x", (3,))
    file.create_virtual_dataset("x", layout)


def legacy(folder: Path, trap: Trap) -> Path:
    with h5py.File(folder / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(node("builtins", "exec", config=trap.code)(trap))
    return folder / "m.h5"


def onnx_file(make: Callable[[Trap], onnx.ModelProto]) -> Callable[[Path, Trap], Path]:
    return lambda folder, trap: written(folder / "m.onnx", make(trap).SerializeToString())


def onnx_folder(
    place: str, location: Callable[[Trap], str], prepare: Callable[[Path, Trap], object] | None = None
) -> Callable[[Path, Trap], Path]:
    def make(folder: Path, trap: Trap) -> Path:
        written(folder / "churn-model" / "model.onnx", with_external(location(trap), place).SerializeToString())
        if prepare is not None:
            prepare(folder / "churn-model", trap)
        return folder / "churn-model"

    return make


def one_node(kind: str, inputs: list[str], *, opset: str = "", constants: tuple = (), **attributes: object):
    made = helper.make_node(kind, inputs, ["y"], name="hostile", domain=opset, **attributes)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    start = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    model = model_of(helper.make_graph([made], "g", [start], ends[1:], list(constants)))
    if opset:
        model.opset_import.append(helper.make_opsetid(opset, 1))
    return model


def huge_constant(trap: Trap) -> onnx.ModelProto:
    """Ask for 32 GB of zeros, of which nothing lies in the file."""
    return one_node("ConstantOfShape", ["s"], constants=(helper.make_tensor("s", TensorProto.INT64, [1], [1 << 33]),))


def endless(trap: Trap) -> onnx.ModelProto:
    """Loop as often as a number can say."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["v", "v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, None),
        ],
    )
    often = helper.make_tensor("often", TensorProto.INT64, [], [(1 << 63) - 1])
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    return one_node("Loop", ["often", "yes", "x"], constants=(often, yes), body=body)


def short_tensor(trap: Trap) -> onnx.ModelProto:
    """Claim a terabyte of weights with 16 bytes of them."""
    model = network()
    model.graph.initializer[0].dims[:] = [1 << 20, 1 << 18]
    model.graph.initializer[0].raw_data = bytes(16)
    return model


def saved_model(folder: Path, trap: Trap) -> Path:
    class Reading(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
        def score(self, x):
            with tf.control_dependencies([tf.io.write_file(str(trap.trace), tf.io.read_file(str(trap.secret)))]):
                return {"y": tf.identity(x)}

    module = Reading()
    tf.saved_model.save(module, str(folder / "churn-model"), signatures=module.score)
    return folder / "churn-model"


def safetensors(header: str | dict[str, object], *, size: int | None = None, data: int = 64) -> Callable:
    text = header if isinstance(header, str) else json.dumps(header)
    length = len(text) if size is None else size
    return lambda folder, trap: written(
        folder / "m.safetensors", length.to_bytes(8, "little") + text.encode() + bytes(data)
    )


def floats(start: int, end: int, count: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": [count], "data_offsets": [start, end]}


BY_CLASS = {"model_class": "torch_networks:Net"}
OUTSIDE = "is no file within its folder"
DAMAGED = "is no archive that its framework writes: "
NO_WEIGHTS = "is no file that Keras writes: "

KERAS = [
    Hostile("Lambda", with_lambda, CODE + "__lambda__"),
    Hostile("function of os", layer(node("os", "function", config="system")), CODE + r"os\.system"),
    Hostile("class of subprocess", layer(node("subprocess", "Popen", config={"args": ["id"]})), CODE + "Popen"),
    Hostile("exec of builtins", layer(node("builtins", "exec")), CODE + "builtins.exec"),
    Hostile("registered name", layer(node("keras.layers", "Dense", registered_name="os>system")), CODE + "Dense"),
    Hostile("registered name alone", layer(node(None, "x", registered_name="builtins>eval")), CODE + "builtins>eval"),
    Hostile("get_file", layer(node("keras.utils", "function", config="get_file")), CODE + "get_file"),
    Hostile("load_model", layer(node("keras.models", "load_model")), CODE + "load_model"),
    Hostile("private name", layer(node("keras.layers", "__builtins__")), CODE + "__builtins__"),
    Hostile("module of another package", layer(node("keras.src.utils.file_utils", "File")), CODE + "File"),
    Hostile("vocabulary file", reading("TextVectorization", "vocabulary"), CODE + "as vocabulary"),
    Hostile("lookup file", reading("StringLookup", "vocabulary"), CODE + "as vocabulary"),
    Hostile("TFSMLayer", reading("TFSMLayer", "filepath"), CODE + "TFSMLayer"),
    Hostile("TorchModuleWrapper", reading("TorchModuleWrapper", "module"), CODE + "TorchModuleWrapper"),
    Hostile("zip slip", added("assets/../../../trace"), DAMAGED + ".*leads out of it"),
    Hostile("absolute member", added("/tmp/trace"), DAMAGED + ".*leads out of it"),
    Hostile("member with a drive", added("C:\\trace"), DAMAGED + ".*leads out of it"),
    Hostile("link in the archive", with_link, DAMAGED + ".*is a link"),
    Hostile("module in the archive", added("run.py"), "also holds 'run.py'"),
    Hostile("two configurations", duplicate, r"is keras-code|is in it twice"),
    Hostile("configuration of 4 GB", lambda f, trap: bomb(f / "m.keras", "config.json", 255), DAMAGED + ".*unpacks"),
    Hostile("configuration that claims 10 GB", claims_ten_gigabytes, DAMAGED + ".*unpacks from"),
    Hostile("layer of 16 GB", keras_file(wide), "cannot be loaded|of memory in a trial"),
    Hostile("deep configuration", added("config.json", b"[" * 300_000), "config.json in m.keras cannot be read"),
    Hostile("legacy file", legacy, "is a legacy HDF5 model"),
    Hostile("external link", weights(lambda h, t: h.update({"x": h5py.ExternalLink(str(t.secret), "/x")})), NO_WEIGHTS),
    Hostile("soft link", weights(lambda h, t: h.update({"x": h5py.SoftLink("/layers")})), NO_WEIGHTS + "/x is a link"),
    Hostile("virtual data set", weights(virtual), NO_WEIGHTS + "/x keeps its values in other files"),
    Hostile(
        "external storage",
        weights(lambda h, t: h.create_dataset("x", (64,), "u1", external=[(str(t.secret), 0, 64)])),
        NO_WEIGHTS + "/x keeps its values in other files",
    ),
    Hostile(
        "weights of 4 TB",
        weights(lambda h, t: h.create_dataset("x", (1 << 40,), "f4", chunks=(1024,))),
        NO_WEIGHTS + "/x is of shape",
    ),
]
ONNX = [
    Hostile(
        f"external data in {place}", onnx_file(lambda t, place=place: with_external(str(t.secret), place)), "in another"
    )
    for place in ("weights", "constant", "list of tensors", "branch", "function", "sparse", "training")
] + [
    Hostile("absolute data", onnx_folder("weights", lambda t: str(t.secret)), OUTSIDE),
    Hostile("ONNX data above", onnx_folder("branch", lambda t: f"../../{t.secret.name}"), OUTSIDE),
    Hostile("environment as data", onnx_folder("weights", lambda t: "/proc/self/environ"), OUTSIDE),
    Hostile("address as data", onnx_folder("constant", lambda t: "*/_ORT_MEM_ADDR_/*"), OUTSIDE),
    Hostile(
        "linked data",
        onnx_folder("weights", lambda t: "w.bin", lambda f, t: (f / "w.bin").symlink_to(t.secret)),
        "holds a symbolic link",
    ),
    Hostile(
        "hard-linked data",
        onnx_folder("weights", lambda t: "w.bin", lambda f, t: os.link(t.secret, f / "w.bin")),
        "holds a hard link or a special file",
    ),
    Hostile(
        "linked folder of data",
        onnx_folder("weights", lambda t: "d/secret.bin", lambda f, t: (f / "d").symlink_to(t.secret.parent)),
        "holds a symbolic link",
    ),
    Hostile("operator of a library", onnx_file(lambda t: one_node("Own", ["x"], opset="acme")), "acme"),
    Hostile(
        "compiled program",
        onnx_file(lambda t: one_node("EPContext", ["x"], opset="com.microsoft", ep_cache_context=str(t.secret))),
        "compiled for an accelerator",
    ),
    Hostile("constant of 32 GB", onnx_file(huge_constant), "asks for more memory|of memory in a trial"),
    Hostile("loop without end", onnx_file(endless), "computed for too long"),
    Hostile("weights of a terabyte in ONNX", onnx_file(short_tensor), "cannot be loaded as onnx"),
    Hostile("weights that are not there", onnx_file(lambda t: _with(external("", "v"))), "in another file"),
]
OTHERS = [
    Hostile("SavedModel that reads and writes files", saved_model, "is saved-model, which can run any code"),
    Hostile("header of 10 GB", safetensors({}, size=10 << 30), "but its content does not"),
    Hostile("header of 100 MB", safetensors("{" + " " * 99_999_990 + "}"), "cannot be loaded|memory", BY_CLASS),
    Hostile("negative offsets", safetensors({"w": floats(-4, 4, 2)}), "cannot be loaded as safetensors", BY_CLASS),
    Hostile("offsets beyond", safetensors({"w": floats(0, 1 << 40, 1 << 38)}), "cannot be loaded as", BY_CLASS),
    Hostile(
        "overlapping tensors",
        safetensors({"w": floats(0, 64, 16), "v": floats(32, 64, 8)}),
        "cannot be loaded as safetensors",
        BY_CLASS,
    ),
    Hostile(
        "overflowing shape",
        safetensors({"w": {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 64]}}),
        "cannot be loaded as safetensors",
        BY_CLASS,
    ),
    Hostile(
        "the same name twice",
        safetensors('{"w":' + json.dumps(floats(0, 64, 16)) + ',"w":' + json.dumps(floats(0, 64, 16)) + "}"),
        "cannot be loaded|are not those of",
        BY_CLASS,
    ),
    Hostile(
        "a class that is a function of os",
        safetensors({"w": floats(0, 64, 16)}),
        "which is no torch.nn.Module",
        {"model_class": "os:system"},
    ),
]


def _with(tensor: TensorProto) -> onnx.ModelProto:
    model = network()
    model.graph.initializer[1].CopyFrom(tensor)
    return model


HOSTILE = [*KERAS, *ONNX, *OTHERS]
