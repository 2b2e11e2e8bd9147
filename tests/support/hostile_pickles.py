"""Pickles that run code, in every wrapping in which a model may come."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING

import joblib
import numpy as np
import torch
import yaml
from cases_torch import torch_network
from hostile import Hostile, Payload, StatePayload, Trap, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REFUSED = r"which can run any code when it is loaded.*pin these very bytes"
IMPORTS = (
    r"which can run any code when it is loaded\. It would import .*(__builtin__|builtins)\.exec.*pin these very bytes"
)
OTHER_NAMES = (
    *("skops", "onnx", "keras", "json", "safetensors", "txt", "model", "ubj", "xgb", "lgb", "pt", "pt2", "ts"),
)
NAMES_OF_NOTHING = ("h5", "bin", "sav", "dat")


def plain(name: str, pack: Callable[[bytes], bytes] = bytes, protocol: int = 4) -> Callable[[Path, Trap], Path]:
    return lambda folder, trap: written(folder / name, pack(pickle.dumps(Payload(trap), protocol)))


def dumped(name: str, wrap: Callable[[Trap], object]) -> Callable[[Path, Trap], Path]:
    def make(folder: Path, trap: Trap) -> Path:
        joblib.dump(wrap(trap), folder / name)
        return folder / name

    return make


def hidden_in_memo(folder: Path, trap: Trap) -> Path:
    """Put the names into the memo, drop them from the stack, and fetch them for STACK_GLOBAL."""
    text = b"\x8c" + bytes([len("builtins")]) + b"builtins\x94" + b"0\x8c\x04exec\x940h\x00h\x01\x93"
    code = trap.code.encode()
    argument = b"X" + len(code).to_bytes(4, "little") + code
    return written(folder / "m.pkl", b"\x80\x04" + text + argument + b"\x85R.")


def instance(folder: Path, trap: Trap) -> Path:
    """Use INST, an opcode of protocol 0, under the header of a newer one."""
    return written(folder / "m.pkl", b"\x80\x02(S" + repr(trap.code).encode() + b"\nibuiltins\nexec\n.")


def lz4_frame(folder: Path, trap: Trap) -> Path:
    """Write an LZ4 frame of one stored block (LZ4 Frame Format Description)."""
    content = pickle.dumps(Payload(trap))
    header = b"\x60\x40"
    # xxh32 of the header is not checked before the file is refused, so any byte will do.
    block = (len(content) | 1 << 31).to_bytes(4, "little") + content
    return written(folder / "m.joblib.lz4", b"\x04\x22\x4d\x18" + header + b"\x00" + block + bytes(4))


def many_opcodes(folder: Path, trap: Trap) -> Path:
    """Keep whoever lists the imports busy: 60 million opcodes in some kilobytes."""
    start = b"\x80\x04" + b"N0" * (30 << 20)
    return written(folder / "m.joblib.gz", gzip.compress(start + pickle.dumps(Payload(trap))[2:], 1))


def torch_saved(name: str, wrap: Callable[[Trap], object], *, is_zip: bool = True) -> Callable[[Path, Trap], Path]:
    def make(folder: Path, trap: Trap) -> Path:
        torch.save(wrap(trap), folder / name, _use_new_zipfile_serialization=is_zip)
        return folder / name

    return make


def torch_archive(name: str, members: dict[str, bytes | None]) -> Callable[[Path, Trap], Path]:
    """Write an archive of PyTorch by hand; None stands for the pickle."""

    def make(folder: Path, trap: Trap) -> Path:
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, pickle.dumps(Payload(trap), 2) if content is None else content)
        return folder / name

    return make


def hidden_state_dict(folder: Path, trap: Trap) -> Path:
    """Show the names of a plain state dict and drop them again, so that the file looks like one."""
    names = b"".join(b"X" + len(name).to_bytes(4, "little") + name for name in (b"builtins", b"exec"))
    decoys = b"".join(b"X" + len(name).to_bytes(4, "little") + name for name in (b"collections", b"OrderedDict"))
    code = trap.code.encode()
    argument = b"X" + len(code).to_bytes(4, "little") + code
    with zipfile.ZipFile(folder / "m.pth", "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x04" + names + decoys + b"00\x93" + argument + b"\x85R.")
        archive.writestr("m/version", "3\n")
    return folder / "m.pth"


def torch_tar(folder: Path, trap: Trap) -> Path:
    with tarfile.open(folder / "m.pth", "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps(Payload(trap), 2)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return folder / "m.pth"


def mlflow_folder(flavors: dict[str, object], files: dict[str, bytes | None]) -> Callable[[Path, Trap], Path]:
    """Write an MLflow folder; None stands for the pickle."""

    def make(folder: Path, trap: Trap) -> Path:
        written(folder / "churn-model" / "MLmodel", yaml.safe_dump({"flavors": flavors}))
        for name, content in files.items():
            text = pickle.dumps(Payload(trap)) if content is None else content.replace(b"CODE", trap.code.encode())
            written(folder / "churn-model" / name, text)
        return folder / "churn-model"

    return make


def tensors(trap: Trap) -> dict[str, object]:
    return {**torch_network().state_dict(), "more": Payload(trap)}


BY_CLASS = {"model_class": "torch_networks:Net"}
SCRIPT = {"m/data.pkl": None, "m/constants.pkl": None, "m/code/__torch__.py": b"", "m/version": b"3"}
EXPORTED = {
    "m/archive_format": b"pt2",
    "m/data/sample_inputs/model.pt": None,
    "m/models/model.json": b"{}",
    "m/version": b"0",
}
LOADER = {"loader_module": "mlflow.sklearn", "model_path": "model.pkl"}
XGBOOST = {"model.json": b'{"learner":{}}', "code/evil.py": b"CODE"}

HOSTILE = [
    *[
        Hostile(
            f"pickle of protocol {number}", plain("m.pkl", protocol=number), "says pickle, but its content does not"
        )
        for number in (0, 1)
    ],
    *[Hostile(f"pickle of protocol {n}", plain("m.pkl", protocol=n), IMPORTS) for n in (2, 3, 4, 5)],
    Hostile("joblib", dumped("m.joblib", Payload), IMPORTS),
    Hostile("joblib of gzip", plain("m.joblib.gz", gzip.compress), IMPORTS),
    Hostile("joblib of bzip2", plain("m.joblib.bz2", bz2.compress), IMPORTS),
    Hostile("joblib of xz", plain("m.joblib.xz", lzma.compress), IMPORTS),
    Hostile(
        "joblib of lzma",
        plain("m.joblib.lzma", lambda data: lzma.compress(data, lzma.FORMAT_ALONE)),
        IMPORTS,
    ),
    Hostile("joblib of zlib", plain("m.joblib.z", zlib.compress), IMPORTS),
    Hostile("joblib of lz4", lz4_frame, REFUSED),
    Hostile(
        "object array in joblib", dumped("m.joblib", lambda trap: np.array([Payload(trap)], dtype=object)), REFUSED
    ),
    Hostile(
        "object array beside numbers", dumped("m.pkl", lambda t: [np.ones(9), np.array([Payload(t)], object)]), REFUSED
    ),
    Hostile("names hidden in the memo", hidden_in_memo, REFUSED),
    Hostile("INST under a newer header", instance, IMPORTS),
    Hostile("setter of the state", dumped("m.joblib", StatePayload), IMPORTS),
    Hostile("sixty million opcodes", many_opcodes, REFUSED),
    *[
        Hostile(f"pickle named .{end}", plain(f"m.{end}"), r"but its content does not|No flavor recognises")
        for end in OTHER_NAMES
    ],
    *[Hostile(f"pickle named .{end}", plain(f"m.{end}"), IMPORTS) for end in NAMES_OF_NOTHING],
    Hostile("torch pickle", torch_saved("m.pt", Payload), "is torch-pickle, " + IMPORTS),
    Hostile("torch legacy pickle", torch_saved("m.pth", Payload, is_zip=False), "is torch-pickle, " + IMPORTS),
    Hostile("state dict with a reduce", torch_saved("m.pt", tensors), "is torch-pickle, " + IMPORTS, BY_CLASS),
    Hostile("state dict with hidden names", hidden_state_dict, "asks for more than tensors", BY_CLASS),
    Hostile("pickle that claims TorchScript", torch_archive("m.pt", SCRIPT), "is torchscript.*" + REFUSED),
    Hostile("pickle in an exported program", torch_archive("m.pt2", EXPORTED), "is torch-export.*" + REFUSED),
    Hostile("torch tar", torch_tar, "but its content does not"),
    Hostile("pickle in MLflow", mlflow_folder({"sklearn": {"pickled_model": "m.pkl"}}, {"m.pkl": None}), IMPORTS),
    Hostile(
        "python_function in MLflow", mlflow_folder({"python_function": LOADER}, {"model.pkl": None}), "is mlflow-code"
    ),
    Hostile(
        "python_model in MLflow",
        mlflow_folder(
            {"python_function": {"loader_module": "mlflow.pyfunc.model", "python_model": "p.pkl"}}, {"p.pkl": None}
        ),
        "is mlflow-code, " + IMPORTS,
    ),
    Hostile(
        "modules in MLflow",
        mlflow_folder({"xgboost": {"data": "model.json", "code": "code"}}, XGBOOST),
        "is mlflow-code.*" + REFUSED,
    ),
    Hostile(
        "own loader_module in MLflow",
        mlflow_folder({"python_function": {"loader_module": "evil", "code": "code"}}, {"code/evil.py": b"CODE"}),
        "is mlflow-code.*" + REFUSED,
    ),
]
