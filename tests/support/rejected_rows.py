"""Rows that were set aside."""

from __future__ import annotations

import pyarrow.parquet as pq


def rejects(record):
    return [row for part in record.quarantine for row in pq.read_table(part.uri.removeprefix("file://")).to_pylist()]
