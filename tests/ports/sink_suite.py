"""What holds of every sink, whoever made it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from publishing import publish

from airflow_batch_inference.exceptions import ArtifactConflictError, ConfigurationError
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.sinks.manifest import Publisher


def by(run, dag="nightly", began=""):
    return Publisher(TaskKey(dag_id=dag, run_id=run, task_id="log"), "1", began)


class SinkSuite:
    """A subclass gives the fixtures ``target``, and ``published``, which returns the rows that a reader sees there."""

    @pytest.fixture
    def scored(self, bench, monkeypatch):
        """``scored(run, value)``: a prediction set of several parts, of a run of one DAG."""
        monkeypatch.setattr("airflow_batch_inference.jobs.plan._PART_ROWS", 50)

        def scored(run, value, dag="nightly", **arguments):
            bench.task = replace(bench.task, dag_id=dag, run_id=run)
            source = bench.write(f"in{value}/1.parquet", {"a": [value] * 120, "b": [float(at) for at in range(120)]})
            return bench.score(source, **arguments)[1]

        return scored

    @pytest.fixture
    def put(self, bench, target):
        def put(record, publisher, **arguments):
            return publish(
                record, target, storage=bench.storage, target_storage=bench.storage, publisher=publisher, **arguments
            )

        return put

    def test_all_rows_are_there_in_their_order(self, bench, scored, put, target, published):
        record = scored("1", 1.0)
        assert put(record, by("1")) == target
        assert published() == [tuple(row.values()) for row in bench.output(record).to_pylist()]
        assert len(published()) == record.rows_out == 120

    def test_publishing_again_changes_nothing(self, scored, put, published):
        record = scored("1", 1.0)
        put(record, by("1"))
        before = published()
        put(record, by("1"))
        assert published() == before

    def test_a_later_run_replaces_and_an_earlier_one_does_not(self, scored, put, published):
        first, second = scored("1", 1.0), scored("2", 2.0)
        put(first, by("1", began="2026-01-01T00:00:00+00:00"))
        old = published()
        put(second, by("2", began="2026-01-02T00:00:00+00:00"))
        new = published()
        assert new != old
        put(first, by("1", began="2026-01-01T00:00:00+00:00"))
        assert published() == new

    def test_what_another_dag_has_published_stays(self, scored, put, published):
        put(scored("1", 1.0), by("1"))
        before = published()
        with pytest.raises(ArtifactConflictError):
            put(scored("2", 2.0, dag="weekly"), by("2", dag="weekly"))
        assert published() == before

    def test_another_batch_stays_where_that_is_wanted(self, scored, put, published):
        put(scored("1", 1.0), by("1"))
        before = published()
        with pytest.raises(ArtifactConflictError):
            put(replace(scored("2", 2.0), batch_id="the next day"), by("2"), if_exists="fail")
        assert published() == before

    def test_a_set_whose_rows_were_not_kept_is_refused(self, scored, put):
        with pytest.raises(ConfigurationError, match="log_result_set=False"):
            put(scored("1", 1.0, keep=False), by("1"))
