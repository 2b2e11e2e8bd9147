from __future__ import annotations

import os

import pytest

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.sources.listing import list_dataset
from airflow_batch_inference.storage.store import Storage

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


@pytest.mark.parametrize("pattern", ["", "/*/*.csv", "/*", "/**/*.csv", "/day=[12]/x.csv", "/**"])
def test_folders_that_are_links_are_read_as_the_shell_reads_them(tree, tmp_path_factory, pattern):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "x.csv").write_text("2")
    folder = tree("day=1/x.csv")
    (folder / "day=2").symlink_to(elsewhere)
    found = list_dataset(f"{folder}{pattern}", STORAGE)
    assert [listed.file.uri.removeprefix(f"file://{folder}/") for listed in found] == ["day=1/x.csv", "day=2/x.csv"]
    assert [listed.partition for listed in found] == [(("day", "1"),), (("day", "2"),)]


@pytest.mark.parametrize("pattern", ["", "/*", "/*.csv", "/**", "/link.csv"])
def test_a_link_and_its_file_have_one_size_and_version(tree, tmp_path_factory, pattern):
    target = tmp_path_factory.mktemp("elsewhere") / "real.csv"
    target.write_text("twelve bytes")
    folder = tree("sub/.keep")
    (folder / "link.csv").symlink_to(target)
    (listed,) = list_dataset(f"{folder}{pattern}", STORAGE)
    assert listed.file == STORAGE.stat(f"{folder}/link.csv")
    assert (listed.file.size_bytes, listed.file.version) == (12, STORAGE.stat(str(target)).version)


@pytest.mark.parametrize("pattern", ["", "/*", "/*.csv", "/**", "/**/*.csv", "/a.csv"])
def test_a_volume_of_kubernetes_gives_each_file_once(tree, pattern):
    folder = tree("..2024_05_01_10_00_00.123/a.csv")
    (folder / "..data").symlink_to("..2024_05_01_10_00_00.123")
    (folder / "a.csv").symlink_to("..data/a.csv")
    assert names(f"{folder}{pattern}", folder) == ["a.csv"]


def test_a_volume_that_kubernetes_has_replaced_has_another_version(tree):
    folder = tree("..1/a.csv", "..2/a.csv")
    os.utime(folder / "..2" / "a.csv", ns=(1, 1))
    (folder / "a.csv").symlink_to("..data/a.csv")
    (folder / "..data").symlink_to("..1")
    (before,) = list_dataset(str(folder), STORAGE)
    (folder / "..new").symlink_to("..2")
    (folder / "..new").replace(folder / "..data")
    assert STORAGE.stat(before.file.uri) != before.file


@pytest.mark.parametrize("pattern", ["", "/*", "/**/*.csv"])
def test_a_link_that_leads_round_in_a_circle_is_named(tree, pattern):
    folder = tree("sub/a.csv")
    (folder / "sub" / "again").symlink_to(folder)
    with pytest.raises(ConfigurationError, match=r"sub/again is a link to .*, a folder that it lies in itself"):
        list_dataset(f"{folder}{pattern}", STORAGE)
    assert names(f"{folder}/sub/*.csv", folder) == ["sub/a.csv"]


@pytest.mark.parametrize(("pattern", "refused"), [("", True), ("/*", True), ("/*.csv", True), ("/b*.csv", False)])
def test_a_link_that_leads_nowhere_is_named_where_it_would_be_read(tree, pattern, refused):
    folder = tree("b.csv")
    (folder / "a.csv").symlink_to("gone.csv")
    (folder / "round.csv").symlink_to("round.csv")
    (folder / ".hidden").symlink_to("gone")
    if not refused:
        assert names(f"{folder}{pattern}", folder) == ["b.csv"]
        return
    with pytest.raises(ArtifactNotFoundError, match=r"a\.csv is a link to .*gone\.csv, where nothing lies"):
        list_dataset(f"{folder}{pattern}", STORAGE)


@pytest.mark.parametrize("pattern", ["", "/*", "/*/*.csv", "/**/*.csv", "/day=1", "/day=1/a.csv"])
def test_a_link_out_of_the_allowed_roots_is_refused(tree, tmp_path_factory, pattern):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "a.csv").write_text("secret")
    folder = tree("day=0/a.csv")
    (folder / "day=1").symlink_to(elsewhere)
    (folder / "day=2").mkdir()
    (folder / "day=2" / "a.csv").symlink_to(elsewhere / "a.csv")
    walled = Storage(roots=(f"file://{folder}",))
    with pytest.raises(ConfigurationError, match="allowed_roots"):
        list_dataset(f"{folder}{pattern}", walled)
    with pytest.raises(ConfigurationError, match="allowed_roots"):
        list_dataset(f"{folder}/day=2", walled)
    assert len(list_dataset(f"{folder}/day=0", walled)) == 1


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_two_names_of_one_file_are_refused_where_their_rows_are_the_same(tree, link):
    folder = tree("2024-05-01.csv")
    link(folder / "2024-05-01.csv", folder / "latest.csv")
    with pytest.raises(ConfigurationError, match=r"2024-05-01\.csv and .*latest\.csv are two names of one file"):
        list_dataset(str(folder), STORAGE)
    assert names(f"{folder}/2024*.csv", folder) == ["2024-05-01.csv"]


def test_one_file_in_two_partitions_is_two_files(tree):
    folder = tree("day=1/a.csv", "day=2/.keep")
    (folder / "day=2" / "a.csv").symlink_to("../day=1/a.csv")
    assert names(str(folder), folder) == ["day=1/a.csv", "day=2/a.csv"]


def test_a_folder_that_is_linked_twice_is_refused(tree):
    folder = tree("may/a.csv")
    (folder / "latest").symlink_to("may")
    with pytest.raises(ConfigurationError, match="two names of one file"):
        list_dataset(str(folder), STORAGE)


def test_a_pipe_in_a_folder_is_refused_before_anything_waits_for_it(tree):
    folder = tree("a.csv")
    os.mkfifo(folder / "b.csv")
    with pytest.raises(ConfigurationError, match=r"b\.csv is no plain file but a pipe"):
        list_dataset(str(folder), STORAGE)
    assert names(f"{folder}/a*", folder) == ["a.csv"]


def test_a_folder_that_cannot_be_looked_into_is_no_empty_folder(tree, monkeypatch):
    folder = tree("day=1/a.csv", "day=2/a.csv")
    scan = os.scandir

    def denied(path):
        if str(path).endswith("day=2"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    for pattern in ("", "/*/*.csv", "/**/*.csv"):
        with pytest.raises(PermissionError, match="day=2"):
            list_dataset(f"{folder}{pattern}", STORAGE)
