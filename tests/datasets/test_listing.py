from __future__ import annotations

import pytest

from airflow_batch_inference.datasets.listing import list_dataset
from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.storage import Storage

STORAGE = Storage()


@pytest.fixture
def tree(tmp_path):
    """A function that makes files (their content is their name) and returns the folder."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        return tmp_path

    return make


def names(dataset, folder):
    return [listed.file.uri.removeprefix(f"file://{folder}/") for listed in list_dataset(dataset, STORAGE)]


def test_a_folder_gives_all_its_files_sorted_by_path(tree):
    folder = tree("b.csv", "a/2.csv", "a/1.csv", "c.csv")
    assert names(str(folder), folder) == ["a/1.csv", "a/2.csv", "b.csv", "c.csv"]


def test_hidden_files_and_folders_are_passed_over(tree):
    folder = tree("a.csv", "_SUCCESS", ".a.csv.crc", "_delta_log/0.csv", ".tmp-1/b.csv", "sub/_metadata", "sub/b.csv")
    assert names(str(folder), folder) == ["a.csv", "sub/b.csv"]
    assert names(f"{folder}/*", folder) == ["a.csv", "sub/b.csv"]


def test_a_hidden_file_that_is_named_itself_is_taken(tree):
    folder = tree("_a.csv")
    assert names(f"{folder}/_a.csv", folder) == ["_a.csv"]


def test_a_dataset_below_a_hidden_folder_is_taken(tree):
    folder = tree("_landing/a.csv")
    assert names(f"{folder}/_landing", folder) == ["_landing/a.csv"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.csv", ["a.csv", "b.csv"]),
        ("[ab].csv", ["a.csv", "b.csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("day=*/x.csv", ["day=1/x.csv", "day=2/x.csv"]),
        ("day=*", ["day=1/x.csv", "day=2/x.csv"]),
        ("**/x.csv", ["day=1/x.csv", "day=2/x.csv"]),
        ("**", ["a.csv", "b.csv", "day=1/x.csv", "day=2/x.csv", "notes.txt"]),
        ("*.json", []),
    ],
)
def test_a_glob_gives_what_it_matches(tree, pattern, expected):
    folder = tree("a.csv", "b.csv", "day=1/x.csv", "day=2/x.csv", "notes.txt")
    assert names(f"{folder}/{pattern}", folder) == expected


def test_a_file_whose_name_holds_a_bracket_is_found_by_its_name(tree):
    folder = tree("day[1].csv")
    assert names(f"{folder}/day[1].csv", folder) == ["day[1].csv"]


def test_a_list_keeps_its_order(tree):
    folder = tree("a.csv", "b.csv", "c/1.csv")
    assert names([f"{folder}/b.csv", f"{folder}/c", f"{folder}/a.csv"], folder) == ["b.csv", "c/1.csv", "a.csv"]


@pytest.mark.parametrize("twice", [["a.csv", "a.csv"], ["a.csv", "./a.csv"], ["a.csv", "*.csv"], ["", "a.csv"]])
def test_a_file_that_is_named_twice_is_refused(tree, twice):
    folder = tree("a.csv", "b.csv")
    with pytest.raises(ConfigurationError, match=r"a\.csv more than once"):
        list_dataset([f"{folder}/{name}" for name in twice], STORAGE)


def test_a_missing_file_is_named_and_may_still_arrive(tree):
    folder = tree("a.csv")
    with pytest.raises(ArtifactNotFoundError, match=r"b\.csv does not exist") as missing:
        list_dataset([f"{folder}/a.csv", f"{folder}/b.csv"], STORAGE)
    assert missing.value.retryable


def test_an_empty_folder_is_no_error_here(tmp_path):
    assert list_dataset(str(tmp_path), STORAGE) == ()


def test_key_value_folders_below_the_root_are_the_file_s_partition(tree):
    folder = tree("year=2013/day=08/a.csv", "year=__HIVE_DEFAULT_PARTITION__/b.csv")
    first, second = list_dataset(str(folder), STORAGE)
    assert first.partition == (("year", "2013"), ("day", "08"))
    assert second.partition == (("year", None),)


def test_key_value_folders_above_the_root_are_not(tree):
    folder = tree("year=2013/day=08/a.csv")
    (listed,) = list_dataset(str(folder / "year=2013"), STORAGE)
    assert listed.partition == (("day", "08"),)
    (named,) = list_dataset(str(folder / "year=2013" / "day=08" / "a.csv"), STORAGE)
    assert named.partition == ()


def test_key_value_folders_that_a_glob_matches_count(tree):
    folder = tree("year=2013/day=08/a.csv")
    (listed,) = list_dataset(f"{folder}/year=*/day=08/*.csv", STORAGE)
    assert listed.partition == (("year", "2013"), ("day", "08"))


def test_a_replaced_file_has_another_version(tree):
    folder = tree("a.csv")
    (before,) = list_dataset(str(folder), STORAGE)
    (folder / "new").write_text("B.csv")
    (folder / "new").replace(folder / "a.csv")
    (after,) = list_dataset(str(folder), STORAGE)
    assert before.file.size_bytes == after.file.size_bytes
    assert before.file.version != after.file.version
