"""An ONNX file as a message: what lies outside of it, and what its outputs mean.

Read with the ``onnx`` package, which parses protobuf and loads no data.

Invariants: every tensor anywhere in the message is looked at (graphs within nodes, functions, sparse and training
tensors), because ONNX Runtime would read whatever file, or even memory address, a tensor names as its data.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ModelLoadError, UntrustedModelError
from airflow_batch_inference.flavors.base import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_EXTERNAL = 1
_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")
_ZIP_MAP = "ZipMap"
_MOST_NODES = 1_000_000
_MOST_LEVELS = 64


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A checked ONNX file.

    Attributes
    ----------
    content
        The bytes to load: the file's, but with a matrix of probabilities instead of a dictionary a row.
    classes
        The labels that its classifier names, in the order of the probabilities; None where there is none, or several.
    """

    content: bytes
    classes: tuple[str | int, ...] | None


def read_onnx(path: Path, *, folder: Path | None) -> OnnxFile:
    """Read an ONNX file and refuse what reaches beyond it.

    Parameters
    ----------
    path
        The file.
    folder
        Where the data of its tensors may lie; None: nowhere but in the file.

    Raises
    ------
    UntrustedModelError
        A tensor's data lies elsewhere, or the model holds programs compiled for an accelerator.
    ModelLoadError
        Its functions call each other too deeply, or unfold into too many nodes.
    google.protobuf.message.DecodeError
        The file is damaged.
    """
    onnx = require("onnx", extra="onnx")
    content = path.read_bytes()
    model = onnx.ModelProto.FromString(content)
    for message in _messages(model):
        kind = message.DESCRIPTOR.name
        if kind == "TensorProto" and (message.data_location == _EXTERNAL or message.external_data):
            _require_inside(message, folder)
        elif kind == "NodeProto" and message.op_type == "EPContext":
            text = (
                f"The ONNX model has the node {message.name!r} (EPContext): a program compiled for an accelerator, "
                "which may be code. Export the model itself."
            )
            raise UntrustedModelError(text)
    _require_few_nodes(model)
    classes = _classes(model.graph)
    return OnnxFile(model.SerializeToString() if _unwrap(onnx, model.graph) else content, classes)


def _messages(message: Any) -> Iterator[Any]:  # noqa: ANN401  # protobuf's classes are made at run time
    """Yield a message and all within it; protobuf's parser bounds the depth."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in value if field.is_repeated else (value,):
            yield from _messages(part)


def _require_few_nodes(model: Any) -> None:  # noqa: ANN401  # a ModelProto
    """Refuse functions that call each other so that the graph unfolds into far more than the file holds.

    ONNX Runtime puts a function's nodes into the place of each call before it does anything else.

    Raises
    ------
    ModelLoadError
        There are too many nodes, or too many calls within calls.
    """
    functions = {(each.domain, each.name): each.node for each in model.functions}
    if not functions:
        return
    sizes: dict[tuple[str, str], int] = {}

    def unfolded(nodes: Any, level: int) -> int:  # noqa: ANN401  # NodeProtos
        if level > _MOST_LEVELS:
            message = (
                f"The ONNX model's functions call each other more than {_MOST_LEVELS} levels deep, or without end. "
                "Export the model again with its functions inlined (onnx.inliner.inline_local_functions)."
            )
            raise ModelLoadError(message)
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in functions and key not in sizes:
                sizes[key] = unfolded(functions[key], level + 1)
            total += 1 + sizes.get(key, 0)
            for attribute in node.attribute:
                for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                    total += unfolded(graph.node, level + 1)
        return total

    total = unfolded(model.graph.node, 0)
    if total > _MOST_NODES:
        message = (
            f"The ONNX model's functions call each other so that it unfolds into {total:.3g} nodes; there may be "
            f"{_MOST_NODES:,}. Export the model again, with its functions inlined."
        )
        raise ModelLoadError(message)


def _require_inside(tensor: Any, folder: Path | None) -> None:  # noqa: ANN401  # a TensorProto
    location = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
    if folder is None:
        message = (
            f"The ONNX model keeps the data of its tensor {tensor.name!r} in another file ({location!r}). Give the "
            "URI of the folder that holds both, or save the model as one file."
        )
        raise UntrustedModelError(message)
    parts = PurePosixPath(location).parts
    is_plain = bool(parts) and ".." not in parts and not location.startswith("/") and "\\" not in location
    if not is_plain or not _is_file_within(folder, parts):
        message = (
            f"The ONNX model names {location!r} as the data of its tensor {tensor.name!r}, which is no file within "
            "its folder. Save the model again with its data beside it."
        )
        raise UntrustedModelError(message)


def _is_file_within(folder: Path, parts: tuple[str, ...]) -> bool:
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            return False
    return path.is_file()


def _classes(graph: Any) -> tuple[str | int, ...] | None:  # noqa: ANN401  # a GraphProto
    found = set()
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in _LABELS and (attribute.strings or attribute.ints):
                found.add(tuple(text.decode() for text in attribute.strings) or tuple(attribute.ints))
    return found.pop() if len(found) == 1 else None


def _unwrap(onnx: Any, graph: Any) -> bool:  # noqa: ANN401  # a module and a GraphProto
    """Put the matrix of probabilities in the place of an output that is a dictionary a row, which is slow to read."""
    outputs = {output.name: output for output in graph.output}
    wrapping = [node for node in graph.node if node.op_type == _ZIP_MAP and node.output[0] in outputs]
    for node in wrapping:
        name = node.output[0]
        outputs[name].CopyFrom(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        node.CopyFrom(onnx.helper.make_node("Identity", [node.input[0]], [name]))
    return bool(wrapping)
