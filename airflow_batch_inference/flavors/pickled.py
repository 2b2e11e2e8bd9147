"""What a pickle would import if it were loaded, read from its opcodes; nothing of it is run.

Invariants: this is advice for the person who decides whether to trust a file, never the decision. A hostile file can
hide names from it. And reading it takes time in proportion to the file, whatever is in it: each search below looks at a
byte a few times at most.
"""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import pickletools
import re
import string
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
"""How a pickle starts, of protocol 2 to 5."""
_HEAD_BYTES = 64
_MOST_BYTES = 64 << 20
MOST_OPCODES = 1_000_000
"""How many opcodes of a pickle are looked at: about two seconds."""
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*")
_NAME = rb"[A-Za-z_][\w.]{0,254}+"
_NAME_LINE = re.compile(rb"\n(?=(" + _NAME + rb")\n)")
"""A line that is a name: the second one of the opcode GLOBAL."""
_MODULE = re.compile(rb"c([A-Za-z_][\w.]*+)")
_WORD = string.ascii_letters.encode() + string.digits.encode() + b"_."
_MOST_NAME = 256
_PUT = rb"(?:\x94|q.|r....)?"
_SHORT = rb"\x8c(.)([A-Za-z_][\w.]{0,254})"
_STACK_GLOBAL = re.compile(_SHORT + _PUT + _SHORT + _PUT + rb"\x93", re.DOTALL)
_PUTS = {"BINPUT", "LONG_BINPUT", "PUT"}
_GETS = {"BINGET", "LONG_BINGET", "GET"}


def imported_names(data: bytes) -> tuple[str, ...]:
    """Return the full names that a pickle imports, sorted, as far as they can be seen.

    Examples
    --------
    >>> import pickle, collections
    >>> imported_names(pickle.dumps(collections.OrderedDict()))
    ('collections.OrderedDict',)
    """
    found = {*_imports(data), *_searched(data)}
    return tuple(sorted(f"{module}.{name}" for module, name in found if _is_name(module) and _is_name(name)))


def imported_by_file(path: Path) -> tuple[str, ...]:
    """Return what a pickle or joblib file imports, also a compressed one; () where it cannot be told."""
    try:
        return imported_names(_decompressed(path))
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError):
        return ()


def starts_as_pickle(path: Path) -> bool:
    """Say whether a file holds a pickle of protocol 2 to 5, compressed or not, whatever it is called."""
    try:
        start = _decompressed(path, _HEAD_BYTES)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError):
        return False
    return start.startswith(PICKLES)


def _decompressed(path: Path, most: int = _MOST_BYTES) -> bytes:
    with path.open("rb") as file:
        head = file.read(6)
        file.seek(0)
        if head.startswith(b"\x1f\x8b"):
            return gzip.GzipFile(fileobj=file).read(most)
        if head.startswith(b"BZh"):
            return bz2.BZ2File(file).read(most)
        if head.startswith((b"\xfd7zXZ", b"\x5d\x00")):
            return lzma.LZMAFile(file).read(most)
        if head.startswith(b"\x78"):
            return zlib.decompressobj().decompress(file.read(max(most, _HEAD_BYTES)), most)
        return file.read(most)


def _imports(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield module and name of each import, following strings through the memo as the unpickler does."""
    strings: list[str] = []
    memo: dict[int, str] = {}
    last = ""
    try:
        for opcode, argument, _ in itertools.islice(pickletools.genops(io.BytesIO(data)), MOST_OPCODES):
            if opcode.name in ("GLOBAL", "INST"):
                module, _, name = str(argument).partition(" ")
                yield module, name
            elif opcode.name == "STACK_GLOBAL" and len(strings) > 1:
                yield strings[-2], strings[-1]
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = last
            elif opcode.name in _PUTS and argument is not None:
                memo[int(argument)] = last
            else:
                last = memo.get(int(argument), "") if opcode.name in _GETS and argument is not None else ""
                last = argument if isinstance(argument, str) and "UNICODE" in opcode.name else last
                strings = [*strings[-1:], last] if last else strings
    except Exception:  # noqa: BLE001  # damaged, or an array's raw bytes: what was seen before counts
        return


def _searched(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield imports that stand anywhere: joblib writes arrays raw among the opcodes, which ends a reading of them."""
    for line in itertools.islice(_NAME_LINE.finditer(data), MOST_OPCODES):
        before = data[max(0, line.start() - _MOST_NAME) : line.start()]
        found = _MODULE.search(before[len(before.rstrip(_WORD)) :])
        if found:
            yield found.group(1).decode(), line.group(1).decode()
    for match in _STACK_GLOBAL.finditer(data):
        module, name = match.group(2), match.group(4)
        if match.group(1)[0] == len(module) and match.group(3)[0] == len(name):
            yield module.decode(), name.decode()


def _is_name(text: str) -> bool:
    return bool(_IDENTIFIER.fullmatch(text))
