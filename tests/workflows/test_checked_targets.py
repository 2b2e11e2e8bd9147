"""Targets are asked before the first row: what they would not take costs no scoring."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import with_record
from job_rows import ROWS, path_of
from publishing import publish

from airflow_batch_inference.exceptions import ArtifactConflictError, ConfigurationError
from airflow_batch_inference.sinks.base import Target
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.workflows.preflight import preflight
from airflow_batch_inference.workflows.score import score_dataset


@pytest.mark.parametrize("where", ["out.csv", "out"])
def test_a_column_that_the_target_cannot_hold_is_refused_before_anything_is_written(bench, where):
    source = bench.write("in.parquet", {**ROWS, "tags": [["x"], [], None]})
    target = Target(name=str(bench.folder / where), storage=bench.storage, output_format="csv")
    with pytest.raises(
        ConfigurationError, match=r"CSV cannot hold the column 'tags', a list\. Choose another output_f"
    ):
        score_dataset(bench.request(source), storage=bench.storage, targets=[target])
    assert bench.files() == []
    found = preflight(lambda: bench.request(source), dataset=source, storage=bench.storage, targets=[target])
    assert [each.text for each in found.findings if "'tags', a list" in each.text]
    _, record = score_dataset(
        bench.request(source, passthrough_columns=("a",)), storage=bench.storage, targets=[target]
    )
    assert record.rows_out == 3
    assert not (bench.folder / where).exists()


def test_targets_that_would_not_be_published_to_cost_no_scoring(bench):
    source, theirs = bench.write("in.parquet", ROWS), bench.folder / "theirs.parquet"
    theirs.write_text("somebody's")
    free = Target(name=str(bench.folder / "free"), storage=bench.storage)
    taken = Target(name=str(theirs), storage=bench.storage)
    with pytest.raises(ArtifactConflictError, match="no manifest says that this package published it"):
        score_dataset(bench.request(source), storage=bench.storage, targets=[free, taken])
    with pytest.raises(ConfigurationError, match="log_result_set=False"):
        score_dataset(bench.request(source, keep=False), storage=bench.storage, targets=[free])
    assert bench.files() == []


def test_predictions_of_another_version_in_the_partition_cost_no_scoring(bench):
    source, day = bench.write("in.parquet", ROWS), bench.folder / "day=1"
    _, record = bench.score(source)
    publish(record, str(day / "a.parquet"), storage=bench.storage, target_storage=bench.storage)
    beside = Target(name=str(day / "b.parquet"), storage=bench.storage)
    score_dataset(bench.request(source), storage=bench.storage, targets=[beside])
    newer = with_record(bench.request(source), sha256="7" * 64)
    with pytest.raises(ArtifactConflictError, match="predictions of another version of the model"):
        score_dataset(newer, storage=bench.storage, targets=[beside])
    score_dataset(newer, storage=bench.storage, targets=[replace(beside, allow_mixed_versions=True)])


def test_an_earlier_states_set_of_text_is_refused_by_name(bench):
    uri, record = bench.score(bench.write("in.parquet", ROWS))
    old = replace(record, output_format="csv")
    with pytest.raises(ConfigurationError, match="written as csv by an earlier state of this package"):
        publish(old, str(bench.folder / "x.csv"), storage=bench.storage, target_storage=bench.storage)
    path_of(uri).write_bytes(old.to_json())
    with pytest.raises(ConfigurationError, match="written as csv by an earlier state of this package"):
        open_dataset(uri, bench.storage)
