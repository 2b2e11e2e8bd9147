"""A worker process that does what it is told, for tests of the supervisor: ``python -m toy_worker``."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time

from airflow_batch_inference.processes.child import pipe_to_parent, received_first

LIVES_ON = [sys.executable, "-c", "import time; time.sleep(60)"]


def obey(pipe, order):
    """Do one thing; what is said of it is said afterwards."""
    kind, *values = order
    if kind == "sleep":
        time.sleep(values[0])
    elif kind == "exit":
        os._exit(values[0])
    elif kind == "close":  # and end by itself a moment later
        pipe.close()
        time.sleep(0.3)
        os._exit(values[0])
    elif kind == "stammer":  # say that a hundred bytes come, and give ten
        os.write(pipe.fileno(), struct.pack("!i", 100) + bytes(10))
        os._exit(values[0])
    elif kind == "leave a child":  # that holds the pipe open
        child = subprocess.Popen(LIVES_ON, pass_fds=[pipe.fileno()])
        pipe.send(("child", child.pid))
        os._exit(values[0])
    pipe.send(("did", order))


def main():
    pipe = pipe_to_parent(sys.argv[1:])
    received_first(pipe)
    pipe.send(("ready",))
    while True:
        obey(pipe, pipe.recv())


if __name__ == "__main__":
    main()
