"""File systems on their way to worker processes: apart from the job, and in memory only.

A file system has the keys of a connection in it, and a worker process cannot ask Airflow for connections. So what is
pickled of a job has names in their place, and the file systems themselves go through the pipe to the worker, before
what names them.

Invariants: no pickle but a pipe's own holds a file system, and nothing of one gets onto a disk, into a command line or
into an environment.
"""

from __future__ import annotations

import pickle
import secrets
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from fsspec import AbstractFileSystem

_KEYS = b"k"
"""What begins a message with file systems; a pickle begins otherwise."""
_BY_NAME: weakref.WeakValueDictionary[str, AbstractFileSystem] = weakref.WeakValueDictionary()
_RECEIVED: dict[str, AbstractFileSystem] = {}
_NEEDED: ContextVar[dict[str, AbstractFileSystem] | None] = ContextVar("needed", default=None)


def has_arguments(fs: AbstractFileSystem) -> bool:
    """Say whether a file system was made with arguments, such as keys; what cannot tell may have been."""
    return bool(getattr(fs, "storage_args", True) or getattr(fs, "storage_options", True))


def named(fs: AbstractFileSystem) -> str:
    """Return the name that stands for a file system in a pickle."""
    name = next((known for known, each in list(_BY_NAME.items()) if each is fs), None)
    if name is None:
        name = secrets.token_hex(8)
        _BY_NAME[name] = fs
    needed = _NEEDED.get()
    if needed is not None:
        needed[name] = fs
    return name


def file_system(name: str) -> AbstractFileSystem:
    """Return the file system that a name stands for.

    Raises
    ------
    ConfigurationError
        This process was not handed it.
    """
    fs = _BY_NAME.get(name)
    if fs is None:
        message = (
            "A file system of this job was not handed to this process: what is pickled of a job has no keys in it. "
            "Send it through the pipe of a worker process, or make it anew with its Airflow connection."
        )
        raise ConfigurationError(message)
    return fs


def packed(message: object) -> tuple[bytes, dict[str, AbstractFileSystem]]:
    """Return a message as a pickle without file systems, and those that it names."""
    needed: dict[str, AbstractFileSystem] = {}
    token = _NEEDED.set(needed)
    try:
        return pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL), needed
    finally:
        _NEEDED.reset(token)


def require_serializable(message: object) -> None:
    """Try whether a message, and the file systems that it names, can go to another process.

    Raises
    ------
    Exception
        Whatever the pickling of its parts raises.
    """
    pickle.dumps(packed(message)[1])


class Pipe:
    """A pipe to another process, over which file systems go apart from what names them, and each once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told: set[str] = set()

    def send(self, message: object) -> None:
        """Send a message; returns once the other side has taken it, or what the pipe holds by itself is left of it."""
        for data in self.pieces(message):
            self.send_piece(data)

    def pieces(self, message: object) -> list[bytes]:
        """Return what is to be sent of a message, in this order and before any other message's."""
        data, needed = packed(message)
        new = {name: fs for name, fs in needed.items() if name not in self._told}
        if not new:
            return [data]
        self._told |= new.keys()
        return [_KEYS + pickle.dumps(new), data]

    def send_piece(self, data: bytes) -> None:
        """Send a piece of a message."""
        self._connection.send_bytes(data)

    def recv(self) -> Any:  # noqa: ANN401  # whatever was sent
        """Wait for a message, and return it."""
        data = self._connection.recv_bytes()
        while data[:1] == _KEYS:
            received = pickle.loads(data[1:])  # noqa: S301  # from our own other end
            self._told |= received.keys()
            for name, fs in received.items():
                _RECEIVED.setdefault(name, fs)
                _BY_NAME.setdefault(name, _RECEIVED[name])
            data = self._connection.recv_bytes()
        return pickle.loads(data)  # noqa: S301  # from our own other end

    def poll(self, timeout: float = 0.0) -> bool:
        """Say whether there is something to read."""
        return self._connection.poll(timeout)

    def fileno(self) -> int:
        """Return the descriptor, for whoever waits for several pipes."""
        return self._connection.fileno()

    def close(self) -> None:
        """Close this end."""
        self._connection.close()
