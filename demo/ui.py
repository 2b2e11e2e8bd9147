"""Start `airflow standalone` on this machine only, on a free port.

`airflow standalone` says that it is ready even where another program holds its port, so the port is looked at first.
Everyone who can reach the loopback address is an administrator: right for a look around, wrong for anything else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Say whether nobody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose_port(wanted: str | None) -> int:
    """Return the wanted port, or the first free one from 8080."""
    if wanted is None:
        return next(port for port in range(8080, 8180) if is_free(port))
    if not is_free(int(wanted)):
        sys.exit(f"Port {wanted} is taken by another program. Leave PORT= out to get a free one.")
    return int(wanted)


def main(wanted: str | None) -> int:
    """Run until Ctrl-C (or SIGTERM), and leave no process behind."""
    port = choose_port(wanted)
    url = f"http://{HOST}:{port}"
    airflow = Path(sys.executable).with_name("airflow")
    settings = {
        # Standalone starts its parts by the name `airflow`.
        "PATH": f"{airflow.parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        # Airflow would start 32 workers at once.
        "AIRFLOW__CORE__PARALLELISM": "4",
    }
    print(f"Airflow starts at {url} (about a minute; no password). Ctrl-C stops it.", flush=True)

    def stop(*_: object) -> None:
        standalone.send_signal(signal.SIGINT)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    # A session of its own: Ctrl-C reaches Airflow once, from here, and what it leaves behind can be found.
    standalone = subprocess.Popen([airflow, "standalone"], env=os.environ | settings, start_new_session=True)
    status = standalone.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(standalone.pid, signal.SIGTERM)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
