"""Every sink passes the suite of its port, and one of somebody else's as well."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from installed_package import install
from publishing import publish
from sink_suite import SinkSuite, by

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError
from airflow_batch_inference.sinks import registry
from airflow_batch_inference.sinks.manifest import manifest_beside

TOY = Path(__file__).with_name("toy_sink.py")


class TestFiles(SinkSuite):
    """The format of a file is told by its name; that of a folder is asked for."""

    @pytest.fixture(params=["file", "folder", "remote file", "remote folder"])
    def place(self, request, tmp_path):
        base = f"memory:/{tmp_path}" if request.param.startswith("remote") else f"file://{tmp_path}/public"
        return f"{base}/out" if request.param.endswith("file") else f"{base}/day=1"

    @pytest.fixture
    def target(self, place):
        return f"{place}.parquet" if place.endswith("out") else place

    @pytest.fixture
    def unwritable(self):
        return pa.month_day_nano_interval()

    @pytest.fixture
    def published(self, bench, target):
        def published():
            uris = [target]
            if not is_file(target):
                names = [file.uri for file in bench.storage.list_files(target)]
                uris = [uri for uri in sorted(names) if not uri.endswith(".json")]
            return [row for uri in uris for row in rows_of(bench.storage.read_bytes(uri), uri.rpartition(".")[2])]

        return published


class TestCsv(TestFiles):
    output_format = "csv"

    @pytest.fixture
    def target(self, place):
        return f"{place}.{self.output_format}" if place.endswith("out") else place

    @pytest.fixture
    def unwritable(self):
        return pa.list_(pa.float64())

    @pytest.fixture
    def how(self, target):
        return {} if is_file(target) else {"output_format": self.output_format}

    def test_the_manifest_names_the_digests_of_the_files_that_were_written(self, bench, scored, put, target):
        put(scored("1", 1.0), by("1"))
        if is_file(target):
            manifest, folder = manifest_beside(target), target.rpartition("/")[0]
        else:
            manifest, folder = f"{target}/_published.json", target
        said = json.loads(bench.storage.read_bytes(manifest))
        assert said["state"] == "complete"
        assert said["files"] == list(said["contents"])
        for name, content in said["contents"].items():
            assert name.endswith(self.output_format)
            assert bench.storage.sha256_at(f"{folder}/{name}") == (content["sha256"], content["size_bytes"])

    def test_each_try_makes_the_same_files(self, bench, scored, put, target):
        record = scored("1", 1.0)
        put(record, by("1"))
        base = target.rpartition("/")[0]
        first = {file.uri: bench.storage.read_bytes(file.uri) for file in bench.storage.list_files(base)}
        for uri in first:
            bench.storage.remove(uri)
        put(record, by("1"))
        again = {file.uri: bench.storage.read_bytes(file.uri) for file in bench.storage.list_files(base)}
        data = {uri: content for uri, content in first.items() if not uri.endswith(".json")}
        assert {uri: content for uri, content in again.items() if not uri.endswith(".json")} == data

    def test_a_part_that_was_changed_is_not_converted(self, scored, put):
        record = scored("1", 1.0)
        path = Path(record.parts[1].uri.removeprefix("file://"))
        path.write_bytes(Path(record.parts[0].uri.removeprefix("file://")).read_bytes())
        with pytest.raises(ArtifactIntegrityError, match="was changed after it was committed"):
            put(record, by("1"))


class TestJsonLines(TestCsv):
    output_format = "jsonl"

    @pytest.fixture
    def unwritable(self):
        return pa.list_(pa.duration("s"))


class TestArrow(TestCsv):
    output_format = "arrow"

    @pytest.fixture
    def unwritable(self):
        pytest.skip("Arrow holds whatever Parquet does")


def is_file(target):
    return target.rpartition("/")[2].startswith("out.")


def rows_of(data, output_format):
    if output_format == "jsonl":
        return [tuple(json.loads(line).values()) for line in data.splitlines()]
    source = pa.BufferReader(data)
    if output_format == "arrow":
        table = pa.ipc.open_file(source).read_all()
    else:
        table = pq.read_table(source) if output_format == "parquet" else pa_csv.read_csv(source)
    return [tuple(row.values()) for row in table.to_pylist()]


def test_a_folder_in_another_format_is_written_anew(bench, tmp_path):
    _, record = bench.score(bench.write("in.parquet", {"a": [1.0], "b": [2.0]}))
    folder = tmp_path / "public"
    for output_format in ("parquet", "csv", "jsonl", "parquet"):
        publish(record, str(folder), storage=bench.storage, target_storage=bench.storage, output_format=output_format)
        (file,) = [path for path in folder.iterdir() if path.name != "_published.json"]
        assert file.suffix == f".{output_format}"
        assert rows_of(file.read_bytes(), output_format) == [(1.0, 2.0, 5.0)]


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

    @pytest.fixture
    def unwritable(self):
        return pa.list_(pa.float64())

    def test_a_table_has_no_format(self, check):
        with pytest.raises(ConfigurationError, match=r"has no format of files, but output_format is csv\. Leave"):
            check(output_format="csv")


def test_the_toy_is_short():
    assert len(TOY.read_text().splitlines()) < 60
