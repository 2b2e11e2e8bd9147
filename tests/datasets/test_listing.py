"""What a user names becomes files, in one fixed order, each once."""

from __future__ import annotations

import pytest

from airflow_batch_inference.datasets.formats import format_of
from airflow_batch_inference.datasets.listing import list_dataset
from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError, DataError
from airflow_batch_inference.storage import Storage


@pytest.fixture
def tree(tmp_path):
    for name in ["b.csv", "a.csv", "sub/c.csv", ".hidden.csv", "_SUCCESS", "_tmp/d.csv", ".git/e.csv", "day=1/f.csv"]:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")
    return tmp_path / "in"


def names(dataset, tree):
    root = f"file://{tree}/"
    return [listed.file.uri.removeprefix(root) for listed in list_dataset(dataset, Storage())]


def test_a_folder_gives_all_its_files_sorted_without_hidden_ones(tree):
    assert names(str(tree), tree) == ["a.csv", "b.csv", "day=1/f.csv", "sub/c.csv"]


def test_a_folder_below_a_hidden_one_can_be_named(tree):
    assert names(str(tree / "_tmp"), tree) == ["_tmp/d.csv"]


def test_a_glob_gives_what_it_matches(tree):
    assert names(f"{tree}/*.csv", tree) == ["a.csv", "b.csv"]
    assert names(f"{tree}/**/*.csv", tree) == ["a.csv", "b.csv", "day=1/f.csv", "sub/c.csv"]
    assert names(f"{tree}/nothing-*.csv", tree) == []


def test_a_list_keeps_its_order(tree):
    assert names([f"{tree}/b.csv", f"{tree}/a.csv"], tree) == ["b.csv", "a.csv"]


def test_a_file_named_twice_is_refused(tree):
    with pytest.raises(ConfigurationError, match=r"names file://.*a\.csv more than once"):
        list_dataset([str(tree), f"{tree}/a.csv"], Storage())


def test_what_does_not_exist_is_not_an_empty_dataset(tree):
    with pytest.raises(ArtifactNotFoundError, match="does not exist"):
        list_dataset(str(tree / "absent"), Storage())


def test_an_empty_folder_has_no_files(tmp_path):
    assert list_dataset(str(tmp_path), Storage()) == ()


def test_folders_of_keys_and_values_are_told(tree):
    (listed,) = [found for found in list_dataset(str(tree), Storage()) if found.partition]
    assert listed.partition == (("day", "1"),)
    assert list_dataset(str(tree / "day=1"), Storage())[0].partition == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.PARQUET", ("parquet", None)),
        ("x.csv.gz", ("csv", "gzip")),
        ("x.jsonl.zst", ("jsonl", "zstd")),
        ("x.feather", ("arrow", None)),
    ],
)
def test_the_name_tells_format_and_compression(name, expected):
    assert format_of(f"file:///a/{name}") == expected


@pytest.mark.parametrize("name", ["README", "x.xlsx", "x.parquet.gz", "csv", "x.gz"])
def test_an_unknown_format_is_refused(name):
    with pytest.raises(DataError, match=r"format of .* is unknown"):
        format_of(f"file:///a/{name}")
