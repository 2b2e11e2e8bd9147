"""An S3-compatible server on loopback, for tests."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import fsspec
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Run a server, and give its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def reach(endpoint: str, monkeypatch: pytest.MonkeyPatch, keys: dict[str, str] = KEYS) -> None:
    """Let the environment lead to a server, and forget file systems that lead elsewhere."""
    for name, value in {**keys, "AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).clear_instance_cache()


@contextlib.contextmanager
def s3_bucket(name: str, monkeypatch: pytest.MonkeyPatch, keys: dict[str, str] = KEYS) -> Iterator[str]:
    """Run a server that the environment leads to, and give the name of its one bucket.

    Servers of one process share their buckets, so each bucket is named after its port.
    """
    with s3_server() as endpoint:
        reach(endpoint, monkeypatch, keys)
        bucket = f"{name}-{endpoint.rpartition(':')[2]}"
        fsspec.filesystem("s3").mkdir(bucket)
        yield bucket
        fsspec.filesystem("s3").clear_instance_cache()
