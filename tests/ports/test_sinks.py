"""Every sink passes the suite of its port, and one of somebody else's as well."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from installed_package import install
from publishing import publish
from sink_suite import SinkSuite, by

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.sinks import registry

TOY = Path(__file__).with_name("toy_sink.py")


class TestFiles(SinkSuite):
    @pytest.fixture(params=["file", "folder", "remote file", "remote folder"])
    def target(self, request, tmp_path):
        base = f"memory:/{tmp_path}" if request.param.startswith("remote") else f"file://{tmp_path}/public"
        return f"{base}/out.parquet" if request.param.endswith("file") else f"{base}/day=1"

    @pytest.fixture
    def published(self, bench, target):
        def published():
            uris = [target]
            if not target.endswith(".parquet"):
                uris = [file.uri for file in bench.storage.list_files(target) if file.uri.endswith(".parquet")]
            tables = [pq.read_table(pa.BufferReader(bench.storage.read_bytes(uri))) for uri in sorted(uris)]
            return [tuple(row.values()) for row in pa.concat_tables(tables).to_pylist()]

        return published


class TestToy(SinkSuite):
    @pytest.fixture
    def target(self, monkeypatch, tmp_path):
        install(monkeypatch, tmp_path / "site", registry.GROUP, "table", TOY, attribute="TableSink")
        return f"table:{tmp_path / 'predictions.db'}"

    @pytest.fixture
    def published(self, target):
        def published():
            with closing(sqlite3.connect(target.removeprefix("table:"))) as base:
                return base.execute("SELECT * FROM predictions ORDER BY rowid").fetchall()

        return published

    def test_a_format_that_it_does_not_take_is_refused_with_those_that_it_does(self, bench, scored, target):
        record = scored("1", 1.0, output_format="csv")
        with pytest.raises(ConfigurationError, match="takes parquet, but the prediction set is csv"):
            publish(record, target, storage=bench.storage, target_storage=bench.storage, publisher=by("1"))


def test_the_toy_is_short():
    assert len(TOY.read_text().splitlines()) < 60
