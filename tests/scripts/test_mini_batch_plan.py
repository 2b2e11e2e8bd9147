"""Every file is in exactly one mini-batch, in order, whatever the size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.records import DataFile
from airflow_batch_inference.scripts.plan import file_hash, list_items, named_items, plan_mini_batches
from airflow_batch_inference.storage.store import Storage


def items_of(*uris):
    return named_items([DataFile(uri=uri, size_bytes=1, version="") for uri in uris])


@given(st.integers(0, 60), st.integers(1, 25))
def test_mini_batches_are_a_partition_of_the_files(files, size):
    items = items_of(*(f"file:///in/{i}" for i in range(files)))
    batches = plan_mini_batches(items, size)
    assert [item for batch in batches for item in batch.items] == list(items)
    assert all(len(batch.items) == size for batch in batches[:-1])
    assert [batch.index for batch in batches] == list(range(len(batches)))
    assert sum(file_hash(batch.items) for batch in batches) % 2**64 == file_hash(items) % 2**64


@pytest.mark.parametrize(
    ("uris", "names"),
    [(["file:///in/a.csv"], ["a.csv"]),
     (["file:///in/a/x.csv", "file:///in/b/x.csv"], ["a/x.csv", "b/x.csv"]),
     (["s3://one/in/x.csv", "s3://two/in/x.csv"], ["one/in/x.csv", "two/in/x.csv"]),
     (["s3://one/x.csv", "file:///in/x.csv"], ["one/x.csv", "in/x.csv"]),
     ([], [])],
)  # fmt: skip
def test_files_are_named_below_the_folder_that_they_share(uris, names):
    assert [item.name for item in items_of(*uris)] == names


def test_a_glob_a_list_and_a_file_are_datasets(tmp_path):
    for name in ("a.txt", "b.txt", "c.bin"):
        (tmp_path / name).write_text(name)

    def listed(dataset):
        return [item.name for item in list_items(dataset, Storage(), recursive=False, on_empty="fail")]

    assert listed(f"{tmp_path}/*.txt") == ["a.txt", "b.txt"]
    assert listed([f"{tmp_path}/c.bin", f"{tmp_path}/a.txt"]) == ["c.bin", "a.txt"]
    assert listed(f"{tmp_path}/a.txt") == ["a.txt"]
    with pytest.raises(ArtifactNotFoundError):
        listed(f"{tmp_path}/d.txt")
    for inline in ({"a": [1]}, [[1, 2]], None):
        with pytest.raises(ConfigurationError, match="gets files"):
            listed(inline)
