"""The hint to write to the disk: it promises nothing, and so it must not fail either."""

from __future__ import annotations

import pytest

from airflow_batch_inference.storage import local_files


def test_a_hint_that_cannot_be_given_is_no_error(tmp_path, monkeypatch):
    def refuse(*_):
        message = "Too many open files"
        raise OSError(24, message)

    path = tmp_path / "part"
    path.write_bytes(b"x" * 10)
    local_files.begin_sync(path, 0, 10)
    monkeypatch.setattr(local_files.os, "open", refuse)
    local_files.begin_sync(path, 0, 10)
    with pytest.raises(OSError, match="Too many open files"):
        local_files.sync_folder(tmp_path)
