"""`make stack`: the whole stack of docker-compose.yaml with two Celery workers, for a person to look at."""

from __future__ import annotations

import signal
import sys

from stack_services import missing, running_stack


def main() -> None:
    """Run until Ctrl-C (or SIGTERM), and leave nothing behind."""
    lacking = missing()
    if lacking is not None:
        sys.exit(lacking)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("PostgreSQL, Redis, Airflow's services and two Celery workers start (about a minute)", flush=True)
    try:
        with running_stack({"AIRFLOW__CELERY__WORKER_CONCURRENCY": "2"}) as stack:
            print(f"Airflow is at {stack.api.url}, user admin, password {stack.password}", flush=True)
            print(f"Logs: {stack.processes.logs}; artifacts: {stack.artifacts}", flush=True)
            print("Ctrl-C stops it and removes all of it", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
