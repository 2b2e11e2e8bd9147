"""MLTable files among the inputs say which files there are, and are never scored."""

from __future__ import annotations

import pytest

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError, EmptyDatasetError
from airflow_batch_inference.scripts.plan import list_items
from airflow_batch_inference.storage.store import Storage


@pytest.fixture
def folder(tmp_path):
    for name in ("a.csv", "b.csv", "readme.txt", "more/c.csv"):
        path = tmp_path / "table" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    return tmp_path / "table"


def names(dataset, *, recursive=False):
    given = [str(each) for each in dataset] if isinstance(dataset, list) else str(dataset)
    return [item.name for item in list_items(given, Storage(), recursive=recursive, on_empty="fail")]


@pytest.mark.parametrize(
    ("text", "found"),
    [("paths:\n  - file: ./a.csv\n", ["a.csv"]),
     ("paths:\n  - file: b.csv\n  - file: ./a.csv\ntransformations:\n  - read_delimited: {delimiter: ','}\n",
      ["b.csv", "a.csv"]),
     ("paths:\n  - pattern: ./*.csv\n", ["a.csv", "b.csv"]),
     ("type: mltable\npaths:\n  - folder: ./more\n", ["c.csv"]),
     ("paths:\n  - folder: ./\n", ["a.csv", "b.csv", "more/c.csv", "readme.txt"])],
)  # fmt: skip
@pytest.mark.parametrize("given", ["the folder", "a glob", "the file"])
def test_what_it_names_is_scored_and_nothing_else(folder, text, found, given, caplog):
    (folder / "MLTable").write_text(text)
    dataset = {"the folder": folder, "a glob": f"{folder}/*", "the file": folder / "MLTable"}[given]
    with caplog.at_level("INFO"):
        assert names(dataset) == found
    assert f"{len(found)} are scored" in caplog.text


def test_one_below_a_folder_and_others_beside_it_keep_their_order(folder, tmp_path):
    (folder / "MLTable").write_text("paths:\n  - file: ./b.csv\n")
    for name in ("a.txt", "z.txt"):
        (tmp_path / name).write_text("x")
    assert names(tmp_path, recursive=True) == ["a.txt", "table/b.csv", "z.txt"]
    assert names([tmp_path / "z.txt", folder, tmp_path / "a.txt"]) == ["z.txt", "table/b.csv", "a.txt"]


@pytest.mark.parametrize(
    ("text", "says"),
    [("paths: [", "cannot be read as an MLTable file"), ("columns: [a]", "cannot be read.*KeyError: 'paths'"),
     ("just text", "cannot be read"), ("", "cannot be read"),
     ("paths:\n  - file: azureml://datastores/x/paths/a.csv\n", "azureml://.* only Azure ML resolves. Give dataset"),
     ("paths:\n  - folder: ./\ntransformations:\n  - read_delta_lake:\n      timestamp_as_of: x\n", "Delta Lake")],
)  # fmt: skip
def test_one_that_cannot_be_followed_is_refused(folder, text, says):
    (folder / "MLTable").write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        names(folder)


def test_one_that_names_nothing_is_no_input_and_a_missing_file_is_told(folder):
    (folder / "MLTable").write_text("paths: []\n")
    with pytest.raises(EmptyDatasetError):
        names(folder)
    (folder / "MLTable").write_text("paths:\n  - file: ./none.csv\n")
    with pytest.raises(ArtifactNotFoundError, match=r"none\.csv does not exist"):
        names(folder)
