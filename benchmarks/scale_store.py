"""A loopback S3 server for scale.py, which is filled without a request for each object: that would take an hour.

It prints its port, then reads names of files from its input, whose lines are a key and a text each, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BUCKET = "scale"
_ACCOUNT = "123456789012"


class Store:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.root = f"s3://{BUCKET}"

    def fill(self, objects: Iterable[tuple[str, bytes]]) -> None:
        """Let objects lie there, by their URIs."""
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            for uri, data in objects:
                file.write(json.dumps([uri.removeprefix(f"{self.root}/"), data.decode()]) + "\n")
            file.flush()
            print(file.name, file=self._process.stdin, flush=True)
            if self._process.stdout is None or self._process.stdout.readline().strip() != "filled":
                sys.exit("the S3 server has ended")


@contextlib.contextmanager
def started() -> Iterator[Store]:
    """Start a server, and let this process's environment reach it."""
    command = [sys.executable, __file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            os.environ |= {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            }
            yield Store(process)
        finally:
            process.kill()


def main() -> None:
    """Serve until the input ends."""
    from moto.s3.models import s3_backends
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    backend = s3_backends[_ACCOUNT]["aws"]
    backend.create_bucket(BUCKET, "us-east-1")
    print(server.get_host_and_port()[1], flush=True)
    for name in sys.stdin:
        for line in Path(name.strip()).read_text().splitlines():
            key, text = json.loads(line)
            backend.put_object(BUCKET, key, text.encode())
        print("filled", flush=True)


if __name__ == "__main__":
    main()
