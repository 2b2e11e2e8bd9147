"""Which files one call of run() has written."""

from __future__ import annotations

import os

import pytest

from airflow_batch_inference.exceptions import ScriptError
from airflow_batch_inference.scripts.output_folder import OutputFolder, overwritten


def test_new_and_changed_files_are_written_and_others_are_not(tmp_path):
    (tmp_path / "old").write_text("old")
    (tmp_path / "grown").write_text("a")
    outputs = OutputFolder(tmp_path)
    assert outputs.set_aside() == ["grown", "old"]
    assert outputs.written() == {}
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "new").write_text("new")
    (tmp_path / "grown").write_text("ab")
    assert list(outputs.written()) == ["grown", "sub/new"]


def test_what_was_written_is_removed_and_folders_stay(tmp_path):
    (tmp_path / "old").write_text("old")
    outputs = OutputFolder(tmp_path)
    outputs.set_aside()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "new").write_text("new")
    outputs.discard()
    assert (tmp_path / "old").exists()
    assert list((tmp_path / "sub").iterdir()) == []
    assert outputs.written() == {}


def test_links_and_pipes_are_refused(tmp_path):
    outputs = OutputFolder(tmp_path)
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(ScriptError, match="'link', which is no plain file"):
        outputs.written()
    outputs.discard()
    (tmp_path / "folder").symlink_to("/etc")
    with pytest.raises(ScriptError, match="'folder', which is no plain file"):
        outputs.written()
    outputs.discard()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ScriptError, match="'pipe'"):
        outputs.written()


@pytest.mark.parametrize("name", ["a\\b", "a\nb", b"\xff".decode("utf-8", "surrogateescape")])
def test_names_that_are_no_path_elsewhere_are_refused(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(ScriptError, match="no path on every store"):
        OutputFolder(tmp_path).written()


@pytest.mark.parametrize(
    ("inputs", "returned", "written", "openings", "lost"),
    [
        (["a/x.csv", "b/x.csv", "y.csv"], 3, ["x.parquet", "y.parquet"], {}, 1),
        (["x.csv", "x.json", "x.txt"], 3, ["x.out"], {}, 2),
        (["x.1.csv", "x.2.csv"], 2, ["x.out"], {}, 1),
        (["a/x.csv", "b/x.csv"], 2, ["x.out"], {"x.out": 2}, 1),
        (["a/x.csv", "b/x.csv"], 2, ["x.out"], {"x.out": 1}, 0),  # one file of both
        (["a/x.csv", "b/x.csv"], 2, ["x.out"], {"x.out": 0}, 0),  # both were added to it
        (["x.1.csv", "x.2.csv"], 2, ["x.1.out", "x.2.out"], {}, 0),
        (["a/x.csv", "b/x.csv"], 2, ["a/x.out", "b/x.out"], {}, 0),
        (["a/x.csv", "b/x.csv"], 2, ["all.out"], {}, 0),  # one for all
        (["a/x.csv", "b/x.csv"], 2, [], {}, 0),  # none at all
        (["a/x.csv", "b/x.csv"], 2, ["x.csv", "x.png"], {"x.csv": 2, "x.png": 2}, 1),  # two files each
        (["a/x.csv", "b/x.csv"], 2, ["pred_x.csv"], {}, 1),
        (["a/x.csv", "b/x.csv", "xy.csv"], 3, ["xy.out", "x.out"], {}, 1),
        (["a.csv", "b.csv", "c.csv"], 3, ["out.csv"], {"out.csv": 3}, 2),  # one name, written anew for each
        (["a.csv", "b.csv", "c.csv"], 3, ["out.csv"], {"out.csv": 1}, 0),
        (["a.csv"], 1, ["out.csv"], {"out.csv": 2}, 0),
    ],
)
def test_outputs_that_replaced_each_other_are_counted(inputs, returned, written, openings, lost):
    found = overwritten(inputs, returned, written, openings)
    assert (0 if found is None else found.number) == lost
