"""Folders that are tables are refused by their format's name, from wherever they are named; plain folders are read."""

from __future__ import annotations

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.formats.table_folders import refuse_target
from airflow_batch_inference.sources.listing import list_dataset
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import normalize_uri

STORAGE = Storage()
TABLES = {
    "Delta Lake": ["_delta_log/00000000000000000000.json", "day=2024-05-01/part-00000-c000.snappy.parquet"],
    "Delta Lake, after a clean-up": [
        "_delta_log/00000000000000000010.checkpoint.parquet",
        "_delta_log/_last_checkpoint",
        "day=2024-05-01/part-00000-c000.snappy.parquet",
    ],
    "Iceberg": ["metadata/00001-8a5f.metadata.json", "metadata/snap-1.avro", "data/day=2024-05-01/00000-0-a.parquet"],
    "Iceberg, in a Hadoop catalog": ["metadata/v1.metadata.json", "metadata/version-hint.text", "data/a.parquet"],
    "Iceberg, compressed": ["metadata/00001-8a5f.gz.metadata.json", "data/a.parquet"],
    "Iceberg, migrated from Hive": ["metadata/v2.metadata.json", "day=2024-05-01/a.parquet"],
    "Hudi": [".hoodie/hoodie.properties", "day=1/.hoodie_partition_metadata", "day=1/8f-0_0-1-0_2024.parquet"],
    "Spark stream": ["_spark_metadata/0", "part-00000-0.c000.snappy.parquet"],
    "Paimon": ["snapshot/LATEST", "snapshot/snapshot-1", "schema/schema-0", "bucket-0/data-1-0.parquet"],
    "transactional table of Hive": ["base_0000005/000000_0.parquet", "delta_0000006_0000006_0000/000000_0.parquet"],
    "DuckLake": ["ducklake-018f2c5e-7d1a-7c3e-9f5e-0123456789ab.parquet"],
    "Lance": ["_versions/1.manifest", "data/0.lance"],
}


@pytest.fixture(params=["file", "memory"])
def lake(request, tmp_path):
    """A function that puts files below `lake` on a store, and returns the folder's URI."""
    folder = str(tmp_path / "lake") if request.param == "file" else "memory://bucket/lake"

    def make(*names):
        fs, path = STORAGE.filesystem(folder)
        for name in names:
            fs.makedirs(f"{path}/{name}".rsplit("/", 1)[0], exist_ok=True)
            fs.pipe_file(f"{path}/{name}", b"x")
        return folder

    yield make
    memory = fsspec.filesystem("memory")
    if request.param == "memory" and memory.exists("/bucket"):
        memory.rm("/bucket", recursive=True)


def data_file(names):
    return next(name for name in names if name.endswith((".parquet", ".lance")) and "_delta_log" not in name)


def datasets(folder, names):
    """All ways to name a table's data: its root, above it, within it, globs, a file, a list."""
    data = f"{folder}/orders/{data_file(names)}"
    return [
        f"{folder}/orders",
        f"{folder}/orders/",
        folder,
        f"{folder}/orders/*",
        f"{folder}/orders/**/*.*",
        f"{folder}/**/{data.rsplit('/', 1)[1]}",
        f"{folder}/*",
        data.rsplit("/", 1)[0],
        f"{data.rsplit('/', 1)[0]}/*.*",
        data,
        [data],
        [f"{folder}/plain.parquet", data],
    ]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_refused_by_name_from_wherever_it_is_named(lake, table):
    names = TABLES[table]
    folder = lake("plain.parquet", *(f"orders/{name}" for name in names))
    for dataset in datasets(folder, names):
        with pytest.raises(DataError, match=f"is an? .*{table.split(',')[0]}|is the output of a {table}") as refused:
            list_dataset(dataset, STORAGE)
        message = str(refused.value)
        assert "plain Parquet in a folder of its own" in message
        assert not any(hint in message for hint in ("*.parquet", "glob", "orders/data"))
    assert len(list_dataset(f"{folder}/plain.parquet", STORAGE)) == 1
    assert len(list_dataset(f"{folder}/*.parquet", STORAGE)) == 1


@pytest.mark.parametrize(
    "names",
    [
        ["metadata/schema.json", "metadata/readme.md", "data/a.parquet"],
        ["metadata/a.parquet", "b.parquet"],
        ["snapshot/a.parquet", "snapshot/LATEST.parquet"],
        ["snapshot-1/a.parquet", "schema/a.parquet"],
        ["base_20240501/a.parquet", "delta_20240501_20240502/a.parquet"],
        ["_delta_log.parquet", "delta/a.parquet"],
        ["hoodie/a.parquet", "versions/1.parquet"],
        ["ducklake-2024.parquet", "ducklake.parquet"],
    ],
)
def test_a_plain_folder_whose_names_only_look_alike_is_read(lake, names):
    folder = lake(*names)
    expected = {name for name in names if not name.startswith(("_", ".", "metadata/s", "metadata/r"))}
    found = list_dataset(f"{folder}/**/*.parquet", STORAGE)
    assert {listed.file.uri.partition("/lake/")[2] for listed in found} == expected


def test_a_partition_of_a_hudi_table_that_lies_alone_is_refused(lake):
    folder = lake("day=1/.hoodie_partition_metadata", "day=1/8f.parquet")
    for dataset in (f"{folder}/day=1", f"{folder}/day=1/8f.parquet", f"{folder}/*/*.parquet"):
        with pytest.raises(DataError, match="Hudi"):
            list_dataset(dataset, STORAGE)


def test_the_log_of_a_table_is_no_dataset(lake):
    folder = lake("_delta_log/00000000000000000000.checkpoint.parquet")
    for dataset in (f"{folder}/_delta_log", f"{folder}/_delta_log/00000000000000000000.checkpoint.parquet"):
        with pytest.raises(DataError, match="Delta Lake"):
            list_dataset(dataset, STORAGE)


def test_files_beside_a_table_are_read_where_the_table_s_own_are_not(lake):
    folder = lake("orders/_delta_log/00000000000000000000.json", "orders/a.parquet", "plain/a.parquet", "top.parquet")
    assert len(list_dataset(f"{folder}/plain", STORAGE)) == 1
    assert len(list_dataset(folder, STORAGE, recursive=False)) == 1


def test_a_table_is_seen_above_the_allowed_roots(tmp_path):
    (tmp_path / "orders" / "_delta_log").mkdir(parents=True)
    (tmp_path / "orders" / "_delta_log" / "00000000000000000000.json").write_text("{}")
    (tmp_path / "orders" / "day=1").mkdir()
    (tmp_path / "orders" / "day=1" / "a.parquet").write_text("x")
    walled = Storage(roots=(f"file://{tmp_path}/orders/day=1",))
    with pytest.raises(DataError, match="Delta Lake"):
        list_dataset(f"{tmp_path}/orders/day=1", walled)


def test_a_link_into_a_table_is_refused(tmp_path):
    table = tmp_path / "orders"
    (table / "_delta_log").mkdir(parents=True)
    (table / "_delta_log" / "00000000000000000000.json").write_text("{}")
    (table / "day=1").mkdir()
    (table / "day=1" / "a.parquet").write_text("x")
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "a.parquet").symlink_to(table / "day=1" / "a.parquet")
    (plain / "folder").mkdir()
    (plain / "folder" / "day=1").symlink_to(table / "day=1")
    (tmp_path / "alone").symlink_to(table / "day=1")
    for dataset in (plain, plain / "a.parquet", plain / "folder", plain / "folder" / "*", tmp_path / "alone"):
        with pytest.raises(DataError, match="Delta Lake"):
            list_dataset(str(dataset), STORAGE)


def test_a_data_file_that_iceberg_keeps_far_from_its_table_is_known_by_its_footer(tmp_path):
    schema = pa.schema([pa.field("x", pa.int64())], metadata={"iceberg.schema": '{"type": "struct"}'})
    pq.write_table(pa.table({"x": [1]}, schema=schema), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="Iceberg"):
        open_dataset(str(tmp_path / "a.parquet"), STORAGE)


class Counting:
    """A file system that counts what it is asked, and tells versions, as S3 does."""

    def __init__(self):
        self.memory = fsspec.filesystem("memory")
        self.asked = []

    def __getattr__(self, name):
        found = getattr(self.memory, name)
        if not callable(found) or name == "invalidate_cache":
            return found
        return lambda *args, **kwargs: (self.asked.append((name, *args)), found(*args, **kwargs))[1]

    def find(self, path, **kwargs):
        self.asked.append(("find", path))
        return {name: {**info, "ETag": "e"} for name, info in self.memory.find(path, **kwargs).items()}


def test_looking_for_tables_costs_no_more_for_many_files(lake):
    asked = []
    for files in (2, 200):
        folder = lake(*(f"day={number % 7}/{number}.parquet" for number in range(files)))
        if not folder.startswith("memory"):
            return
        counting = Counting()
        for dataset in (folder, f"{folder}/*/*.parquet"):
            assert len(list_dataset(dataset, Storage(filesystem_for=lambda _: counting))) == files  # noqa: B023
        asked.append(len(counting.asked))
    assert asked[0] == asked[1] < 60


@pytest.mark.parametrize("within", ["", "/day=1", "/day=1/scores.parquet"])
def test_nothing_is_published_into_a_table(lake, within):
    folder = lake("orders/_delta_log/00000000000000000000.json")
    with pytest.raises(DataError, match="its readers would never see them"):
        refuse_target(normalize_uri(f"{folder}/orders{within}"), STORAGE)
    refuse_target(normalize_uri(f"{folder}/scores"), STORAGE)
