"""Listing on an S3-compatible store (moto): tables are refused by name, and what it costs does not grow with files."""

from __future__ import annotations

import fsspec
import pytest
from s3_server import s3_server

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.sources.listing import list_dataset
from airflow_batch_inference.storage.store import Storage


@pytest.fixture(scope="module")
def store():
    patched = pytest.MonkeyPatch()
    patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with s3_server() as endpoint:
        options = {"key": "test", "secret": "test", "endpoint_url": endpoint, "skip_instance_cache": True}
        fs = fsspec.filesystem("s3", **options)
        fs.mkdir("lake")
        asked = []
        call = fs._call_s3

        async def counted(method, *arguments, **more):
            asked.append(method)
            return await call(method, *arguments, **more)

        fs._call_s3 = counted
        yield fs, asked, Storage(filesystem_for=lambda _: fs)
    patched.undo()


@pytest.mark.parametrize(
    ("log", "data", "name"),
    [
        ("_delta_log/00000000000000000000.json", "day=1/part-0.parquet", "Delta Lake"),
        ("metadata/v1.metadata.json", "data/day=1/part-0.parquet", "Iceberg"),
        (".hoodie/hoodie.properties", "day=1/part-0.parquet", "Hudi"),
    ],
)
def test_a_table_on_s3_is_refused_from_wherever_it_is_named(store, log, data, name):
    fs, _, storage = store
    root = f"lake/{name.replace(' ', '')}"
    for path in (log, data):
        fs.pipe_file(f"{root}/orders/{path}", b"x")
    folder = f"s3://{root}/orders/{data}".rsplit("/", 1)[0]
    places = [f"s3://{root}", f"s3://{root}/orders", folder, f"{folder}/part-0.parquet", [f"{folder}/part-0.parquet"]]
    globs = [f"s3://{root}/*/**", f"s3://{root}/orders/*/*", f"{folder}/*.parquet", f"s3://{root}/*/{data}"]
    for dataset in (*places, *globs):
        with pytest.raises(DataError, match=name):
            list_dataset(dataset, storage)


def test_a_folder_on_s3_costs_the_same_few_requests_however_many_files_it_has(store):
    fs, asked, storage = store
    fs.pipe_file("lake/plain/metadata/readme.txt", b"x")
    fs.pipe_file("lake/plain/in/", b"")  # what the console makes of a new folder
    fs.pipe_file("lake/plain/in/day=0_$folder$", b"")  # and Hadoop
    costs = []
    for count in (3, 30):
        for number in range(count):
            fs.pipe_file(f"lake/plain/in/day={number % 3}/{number}.parquet", b"x")
        for dataset in ("s3://lake/plain/in", "s3://lake/plain/in/*/*.parquet", "s3://lake/plain/in/**/*.parquet"):
            asked.clear()
            assert len(list_dataset(dataset, storage)) == count
            costs.append(len(asked))
    assert costs[:3] == costs[3:]
    assert max(costs) < 60
