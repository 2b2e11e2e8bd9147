"""A sink of somebody else's: ``table:<path>`` is a table of SQLite, with the commit that it holds beside its rows."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from airflow_batch_inference.exceptions import ArtifactConflictError
from airflow_batch_inference.sinks.base import SinkCapabilities
from airflow_batch_inference.sources.registry import open_dataset


class TableSink:
    capabilities = SinkCapabilities(formats=frozenset({"parquet"}), is_transactional=True)

    def claims(self, target):
        return target.startswith("table:")

    def publish(self, request):
        record, publisher = request.record, request.publisher
        ours = {"key": record.job_key, "batch": record.batch_id, "began": publisher.began, "dag": record.task.dag_id}
        rows = [tuple(row.values()) for part in record.parts for row in rows_of(part.uri, request.storage)]
        with closing(sqlite3.connect(request.target.removeprefix("table:"), isolation_level=None)) as base:
            base.execute("BEGIN IMMEDIATE")  # one writer at a time, and all of it or nothing
            base.execute("CREATE TABLE IF NOT EXISTS ledger (document TEXT)")
            found = base.execute("SELECT document FROM ledger").fetchone()
            there = json.loads(found[0]) if found else None
            if there is not None and there["key"] != ours["key"]:
                self.require_ours(there, ours, request)
                if there["began"] > ours["began"]:
                    return request.target
            if there is None or there["key"] != ours["key"]:
                base.execute("DROP TABLE IF EXISTS predictions")
                base.execute(f"CREATE TABLE predictions ({', '.join(f'c{at}' for at in range(len(record.columns)))})")
                base.executemany(f"INSERT INTO predictions VALUES ({', '.join('?' * len(record.columns))})", rows)
                base.execute("DELETE FROM ledger")
                base.execute("INSERT INTO ledger VALUES (?)", [json.dumps(ours)])
            base.execute("COMMIT")
        return request.target

    def require_ours(self, there, ours, request):
        if there["dag"] != ours["dag"]:
            raise ArtifactConflictError(f"{request.target} holds what the DAG {there['dag']} has published.")
        if request.if_exists == "fail" and there["batch"] != ours["batch"]:
            raise ArtifactConflictError(f"{request.target} holds the batch {there['batch']}.")


def rows_of(uri, storage):
    return open_dataset(uri, storage).whole().to_pylist()
