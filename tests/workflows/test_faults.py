"""The fault campaign, short form (``benchmarks/faults.py`` runs the long one): whatever happens to a run, the old
or the whole new one is visible, the retry resumes, and the final bytes are those of an undisturbed run.

The seed is printed and can be given: ``FAULT_SEED=7 pytest tests/workflows/test_faults.py -s``.
"""

from __future__ import annotations

import subprocess

import fsspec
import pytest
from campaign import Campaign, on_full_disk
from campaign_store import SEED, quick_retries, s3  # noqa: F401  # fixtures

from airflow_batch_inference.storage.store import Storage

pytestmark = pytest.mark.timeout(1200)  # it takes minutes, and others may need the same cores


@pytest.fixture
def store(tmp_path, request):
    """A place for artifacts, on a local folder or on S3."""
    return request.getfixturevalue("s3") if request.param == "s3" else f"file://{tmp_path}"


@pytest.mark.slow
@pytest.mark.parametrize(("store", "at_least"), [("file", 200), ("s3", 30)], indirect=["store"])
def test_kills_at_any_moment(tmp_path, store, at_least):
    result = Campaign(tmp_path, f"{store}/root", seed=SEED).kills(at_least=at_least)
    print(result)
    assert result.violations == []
    assert result.kills >= at_least
    assert result.resumed_parts > 0


@pytest.mark.slow
@pytest.mark.parametrize("same_job", [True, False], ids=["one job", "three jobs"])
@pytest.mark.parametrize(("store", "times"), [("file", 50), ("s3", 8)], indirect=["store"])
def test_three_writers_at_once(tmp_path, store, times, same_job):
    result = Campaign(tmp_path, f"{store}/root", seed=SEED).races(times, same_job=same_job)
    print(result)
    assert result.violations == []


def test_what_others_put_or_change_on_s3_is_seen_at_once(s3):  # noqa: F811
    ours, other = Storage(), fsspec.filesystem("s3", skip_instance_cache=True)
    ours.put(f"{s3}/folder/1", b"1")
    assert len(ours.list_files(f"{s3}/folder")) == 1
    other.pipe_file(f"{s3}/folder/2", b"22")
    assert [file.size_bytes for file in ours.list_files(f"{s3}/folder")] == [1, 2]
    assert ours.exists(f"{s3}/folder/2")
    assert ours.read_bytes(f"{s3}/folder/2") == b"22"
    other.pipe_file(f"{s3}/folder/2", b"333")
    assert ours.stat(f"{s3}/folder/2").size_bytes == 3


@pytest.mark.slow
@pytest.mark.parametrize(("store", "at_least"), [("file", 40), ("s3", 10)], indirect=["store"])
def test_stops_at_any_moment(tmp_path, store, at_least):
    result = Campaign(tmp_path, f"{store}/root", seed=SEED).stops(at_least=at_least)
    print(result)
    assert result.violations == []
    assert result.resumed_parts > 0
    assert result.slowest_stop_s < 5


@pytest.mark.slow
def test_a_full_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no right to mount a small disk here: {mounted.stderr.decode().strip()}")
    try:
        result = on_full_disk(tmp_path, folder, seed=SEED, times=10)
    finally:
        subprocess.run(["umount", folder], check=True)
    print(result)
    assert result.violations == []
    assert result.faults >= 8


@pytest.mark.slow
def test_inputs_with_changed_or_missing_bytes(tmp_path):
    result = Campaign(tmp_path, f"file://{tmp_path}/root", seed=SEED).damaged_inputs(300)
    print(result)
    assert result.violations == []
    assert result.faults >= 250
    assert result.silent <= 3
