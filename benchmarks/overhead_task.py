"""One task of a DAG in this process, as Airflow's task runner runs it; what the supervisor answers comes from a file.

    python benchmarks/overhead_task.py DAG TASK XCOMS MARK

The DAG is parsed by its bundle (``[core] dags_folder``), the task started, run and finalized by the task runner's own
functions. XCOMS is a JSON file of what the tasks before have pushed, and MARK one that gets the CPU seconds from the
import of Airflow to the end of the task's last child: all that a worker pays which forks its tasks, as they end without
the interpreter's tidying up.
"""

from __future__ import annotations

import atexit
import json
import resource
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RUN, AT = "manual__2026-01-01T00:00:00+00:00", datetime(2026, 1, 1, tzinfo=UTC)
FILE = "overhead_dags.py"


class Supervisor:
    """Answers a task's requests in its own process: no socket, no server."""

    socket = None

    def __init__(self, xcoms: Path) -> None:
        self._path = xcoms
        self._xcoms: dict[str, Any] = json.loads(xcoms.read_text()) if xcoms.exists() else {}
        self.requests: list[str] = []

    def send(self, msg: Any) -> Any:  # noqa: ANN401  # Airflow's own
        """Return the answer to a request of the task."""
        from airflow.sdk.execution_time import comms

        kind = type(msg).__name__
        self.requests.append(kind)
        if kind == "SetXCom":
            self._xcoms[f"{msg.task_id}/{msg.key}"] = msg.value
            self._path.write_text(json.dumps(self._xcoms))
        if kind == "GetXCom":
            return comms.XComResult(key=msg.key, value=self._xcoms.get(f"{msg.task_id}/{msg.key}"))
        if kind == "GetXComSequenceSlice":
            found = self._xcoms.get(f"{msg.task_id}/{msg.key}")
            return comms.XComSequenceSliceResult(root=[] if found is None else [found])
        if kind == "ValidateInletsAndOutlets":
            return comms.InactiveAssetsResult(inactive_assets=[])
        return comms.OKResponse(ok=True)


def details(dag_id: str, task_id: str) -> Any:  # noqa: ANN401  # Airflow's own
    """Return what the supervisor sends first: which task of which run this is."""
    from airflow.sdk.execution_time.comms import StartupDetails

    run = {
        "dag_id": dag_id, "run_id": RUN, "logical_date": AT, "data_interval_start": AT, "data_interval_end": AT,
        "run_after": AT, "start_date": AT, "end_date": None, "run_type": "manual", "state": "running",
        "consumed_asset_events": [], "partition_key": None,
    }  # fmt: skip
    task = {
        "id": str(uuid.uuid4()), "task_id": task_id, "dag_id": dag_id, "run_id": RUN, "try_number": 1,
        "dag_version_id": str(uuid.uuid4()),
    }  # fmt: skip
    return StartupDetails.model_validate(
        {
            "ti": task,
            "dag_rel_path": FILE,
            "bundle_info": {"name": "dags-folder"},
            "start_date": AT,
            "ti_context": {"dag_run": run, "max_tries": 0},
            "sentry_integration": "",
        }
    )


def spent() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main(dag_id: str, task_id: str, xcoms: str, mark: str) -> None:
    """Run the task; end with an error unless it succeeds."""
    import structlog
    from airflow.dag_processing import dagbag  # noqa: F401  # what a worker that forks has imported
    from airflow.sdk.execution_time import supervisor, task_runner

    before = spent()
    # Registered first, it is called last: when the children of the task have been ended.
    atexit.register(lambda: Path(mark).write_text(json.dumps(spent() - before)))
    with supervisor.set_supervisor_comms(Supervisor(Path(xcoms))):
        ti, context, log = task_runner.startup(details(dag_id, task_id))
        state, _, error = task_runner.run(ti, context, structlog.get_logger(logger_name="task"))
        task_runner.finalize(ti, state, context, log, error)
    if state != "success":
        raise SystemExit(f"{dag_id}.{task_id} ended {state}: {error!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
