"""What a hostile model file is: a maker, the trap that it would spring, and how it must be refused."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "CANARY-7b1f04e2"
VARIABLE = "HOSTILE_CODE_RAN"


@dataclass(frozen=True)
class Trap:
    """What code of a hostile file would leave, and what it would read."""

    trace: Path
    """A folder that the code would make."""
    secret: Path
    """A file outside of the model that holds the secret, again and again."""

    @property
    def code(self) -> str:
        return f"import os; os.environ[{VARIABLE!r}] = 'yes'; os.makedirs({str(self.trace)!r}, exist_ok=True)"


class Payload:
    """Unpickling it runs the trap's code."""

    def __init__(self, trap: Trap):
        self._code = trap.code

    def __reduce__(self):
        return exec, (self._code,)


class StatePayload:
    """Unpickling it runs the trap's code as the setter of a harmless object's state."""

    def __init__(self, trap: Trap):
        self._code = trap.code

    def __reduce__(self):
        return str, (self._code,), {}, None, None, exec


@dataclass(frozen=True)
class Hostile:
    """A hostile model; ``make`` writes it into a folder and returns its path, ``said`` is in the refusal."""

    name: str
    make: Callable[[Path, Trap], Path]
    said: str
    options: dict[str, object] = field(default_factory=dict)


def written(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def bomb(path: Path, name: str, chunks: int) -> Path:
    """Write a zip whose one member truly unpacks to ``chunks`` times 16 MiB of zeros (less than 4 GiB)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    chunk = packer.compress(bytes(16 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = chunk * chunks + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    sizes = struct.pack("<III", 0, len(packed), chunks << 24)
    common = struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + struct.pack("<HH", len(name), 0)
    local = b"PK\x03\x04" + common + name.encode() + packed
    central = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name.encode()
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return written(path, local + central + end)
