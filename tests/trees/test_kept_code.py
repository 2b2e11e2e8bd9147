"""Machine code that is damaged, or cannot be written, is compiled anew."""

from __future__ import annotations

import pytest
from numba import njit
from numba.core.caching import IndexDataCacheFile

from airflow_batch_inference.trees.kept_code import keep_code


def kept_stump(folder):
    """Compile a small function whose machine code is kept, as another process would."""
    function = njit(_twice)
    keep_code(function, folder)
    return function


def _twice(value):
    return value * 2


@pytest.mark.parametrize(("kind", "damage"), [("*.nbi", b""), ("*.nbi", b"x" * 50), ("*.nbc", b""), ("*.nbc", b"\x80")])
def test_damaged_machine_code_is_compiled_again_and_mended(tmp_path, kind, damage):
    assert kept_stump(tmp_path)(2) == 4
    for file in tmp_path.rglob(kind):
        file.write_bytes(damage)
    second, third = kept_stump(tmp_path), kept_stump(tmp_path)

    assert (second(2), sum(second.stats.cache_hits.values())) == (4, 0)
    assert (third(2), sum(third.stats.cache_hits.values())) == (4, 1)


def test_machine_code_that_cannot_be_written_is_not_kept(tmp_path, monkeypatch):
    def full(self, name, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "_save_data", full)
    function = kept_stump(tmp_path)

    assert function(2) == 4
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]
