"""Which of PyTorch's formats a file is, told from its first bytes and the names in its archive; PyTorch is not asked.

Invariants: a file is called a plain state dict only if its pickle asks for tensors and nothing else; and that is advice
too, for PyTorch's restricted unpickler (``weights_only``) reads it in any case.
"""

from __future__ import annotations

import io
import itertools
import pickletools
import re
from typing import TYPE_CHECKING, Literal, TypeAlias

from airflow_batch_inference.flavors.archives import ZIP, members, read_member
from airflow_batch_inference.flavors.pickled import MOST_OPCODES, imported_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Kind: TypeAlias = Literal["torchscript", "exported", "state-dict", "pickle", "safetensors"]

_MOST_PICKLE_BYTES = 64 << 20
TORCH_LEGACY = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
"""How a file of PyTorch's legacy format starts: the pickled MAGIC_NUMBER of torch.serialization."""
_LEGACY_PICKLES = 4  # magic number, protocol, system, then the object
_TENSORS = re.compile(
    r"collections\.OrderedDict|torch\._utils\._rebuild_(tensor_v2|parameter)|torch(\.storage)?\.\w+Storage"
)
_HEADER_SIZE_BYTES = 8
_MOST_HEADER_BYTES = 100_000_000  # the library's own limit


def kind(path: Path, head: bytes) -> Kind | None:
    """Return the kind of a file, whatever it is called; None where it is none of PyTorch's."""
    if head.startswith(ZIP):
        return _kind_of_archive(path)
    if head.startswith(TORCH_LEGACY):
        return "pickle"
    return "safetensors" if _is_safetensors(path, head) else None


def _kind_of_archive(path: Path) -> Kind | None:
    names = {name.partition("/")[2] for name in members(path)}
    if "constants.pkl" in names:
        return "torchscript"
    if "archive_format" in names or "serialized_exported_program.json" in members(path):
        return "exported"
    if "data.pkl" not in names:
        return None
    content = _data_pickle(path)
    is_plain = content is not None and all(_TENSORS.fullmatch(name) for name in imported_names(content))
    return "state-dict" if is_plain else "pickle"


def imported(path: Path) -> tuple[str, ...]:
    """Return what the pickles of a file import, as far as can be told without loading it."""
    content = _data_pickle(path)
    pickles = [content] if content is not None else _pickles(path)
    return tuple(sorted({name for each in pickles for name in imported_names(each)}))


def _data_pickle(path: Path) -> bytes | None:
    found = next((name for name in members(path) if name.partition("/")[2] == "data.pkl"), None)
    return read_member(path, found, most_bytes=_MOST_PICKLE_BYTES) if found else None


def _pickles(path: Path) -> Iterator[bytes]:
    """Yield the pickles that stand one after the other at the start of a file of the legacy format."""
    with path.open("rb") as file:
        rest = file.read(_MOST_PICKLE_BYTES)
    for _ in range(_LEGACY_PICKLES):
        stream = io.BytesIO(rest)
        try:
            for _opcode in itertools.islice(pickletools.genops(stream), MOST_OPCODES):
                pass
        except Exception:  # noqa: BLE001  # damaged: what was seen before counts
            yield rest
            return
        yield rest[: stream.tell()]
        rest = rest[stream.tell() :]


def _is_safetensors(path: Path, head: bytes) -> bool:
    """Say whether a file starts with the size of a JSON header that fits into it, and the header."""
    size = int.from_bytes(head[:_HEADER_SIZE_BYTES], "little")
    fits = 0 < size <= min(_MOST_HEADER_BYTES, path.stat().st_size - _HEADER_SIZE_BYTES)
    return fits and head[_HEADER_SIZE_BYTES:].startswith(b"{")
