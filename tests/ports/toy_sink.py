"""A sink of somebody else's: ``table:<path>`` is a table of SQLite, with the commit that it holds beside its rows."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from airflow_batch_inference.exceptions import ArtifactConflictError, ConfigurationError
from airflow_batch_inference.sinks.base import SinkCapabilities
from airflow_batch_inference.sources.registry import open_dataset


class TableSink:
    capabilities = SinkCapabilities(is_transactional=True)

    def claims(self, target):
        return target.startswith("table:")

    def check(self, planned, target):
        for column in planned.schema:
            if column.type.num_fields:
                raise ConfigurationError(f"{target.name} cannot hold the column {column.name!r}, {column.type}.")
        path = target.name.removeprefix("table:")
        if Path(path).exists():
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
                there = json.loads(base.execute("SELECT document FROM ledger").fetchone()[0])
            self.require_ours(there, planned.dag_id, planned.batch_id, target)

    def publish(self, request):
        record, target, began = request.record, request.target, request.publisher.began
        ours = {"key": record.job_key, "batch": record.batch_id, "began": began, "dag": record.task.dag_id}
        rows = [
            tuple(row.values())
            for part in record.parts
            for row in open_dataset(part.uri, request.storage).whole().to_pylist()
        ]
        with closing(sqlite3.connect(target.name.removeprefix("table:"), isolation_level=None)) as base:
            base.execute("BEGIN IMMEDIATE")  # one writer at a time, and all of it or nothing
            base.execute("CREATE TABLE IF NOT EXISTS ledger (document TEXT)")
            there = json.loads((base.execute("SELECT document FROM ledger").fetchone() or ["null"])[0])
            if there is not None and there["key"] != ours["key"]:
                self.require_ours(there, record.task.dag_id, record.batch_id, target)
                if there["began"] > began:
                    return target.name
            if there is None or there["key"] != ours["key"]:
                base.execute("DROP TABLE IF EXISTS predictions")
                base.execute(f"CREATE TABLE predictions ({', '.join(f'c{at}' for at in range(len(record.columns)))})")
                base.executemany(f"INSERT INTO predictions VALUES ({', '.join('?' * len(record.columns))})", rows)
                base.execute("DELETE FROM ledger")
                base.execute("INSERT INTO ledger VALUES (?)", [json.dumps(ours)])
            base.execute("COMMIT")
        return target.name

    def require_ours(self, there, dag_id, batch_id, target):
        if there["dag"] != dag_id or (target.if_exists == "fail" and there["batch"] != batch_id):
            raise ArtifactConflictError(f"{target.name} holds {there['batch']} of the DAG {there['dag']}.")
