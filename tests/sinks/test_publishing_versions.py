"""One version of a model a partition."""

from __future__ import annotations

from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from publishing import publish, put

from airflow_batch_inference.exceptions import ArtifactConflictError


@pytest.mark.parametrize("folder", ["day=1", "scores"])
def test_files_of_two_versions_of_a_model_lie_in_one_partition_only_if_allowed(bench, sets, tmp_path, folder):
    put(bench, sets[0], tmp_path / folder / "a.parquet")
    newer = replace(sets[1], model_sha256="7" * 64)
    if folder == "day=1":
        with pytest.raises(ArtifactConflictError, match=r"partition .*day=1 holds predictions of another version"):
            put(bench, newer, tmp_path / folder / "b.parquet")
        assert not (tmp_path / folder / "b.parquet").exists()
        publish(
            newer,
            str(tmp_path / folder / "b.parquet"),
            storage=bench.storage,
            target_storage=bench.storage,
            allow_mixed_versions=True,
        )
    else:
        put(bench, newer, tmp_path / folder / "b.parquet")
    assert pq.read_table(tmp_path / folder / "b.parquet").num_rows == 100


def test_a_file_of_a_partition_may_be_replaced_by_that_of_a_newer_version(bench, sets, tmp_path):
    put(bench, sets[0], tmp_path / "day=1" / "a.parquet")
    put(bench, replace(sets[1], model_sha256="7" * 64), tmp_path / "day=1" / "a.parquet")
    assert pq.read_table(tmp_path / "day=1" / "a.parquet").column("a")[0].as_py() == 2.0


@pytest.mark.parametrize("place", ["day=1/run_b", "day=1/sub/b.parquet"])
def test_a_partition_is_the_nearest_folder_with_a_key_whatever_is_published_in_it(bench, sets, tmp_path, place):
    put(bench, sets[0], tmp_path / "day=1" / "a.parquet")
    with pytest.raises(ArtifactConflictError, match=r"partition .*day=1 holds predictions of another version"):
        put(bench, replace(sets[1], model_sha256="7" * 64), tmp_path / place)


def test_days_of_one_year_may_have_versions_of_their_own(bench, sets, tmp_path):
    put(bench, sets[0], tmp_path / "year=2026" / "day=1")
    put(bench, replace(sets[1], model_sha256="7" * 64), tmp_path / "year=2026" / "day=2")
    put(bench, replace(sets[1], model_sha256="7" * 64), tmp_path / "year=2026" / "day=1")


def test_a_damaged_manifest_beside_a_file_is_no_version_of_the_model(bench, sets, tmp_path):
    put(bench, sets[0], tmp_path / "day=1" / "a.parquet")
    (tmp_path / "day=1" / "_a.parquet_published.json").write_text("{")
    with pytest.raises(ArtifactConflictError, match="sha256 None"):
        put(bench, sets[1], tmp_path / "day=1" / "b.parquet")
