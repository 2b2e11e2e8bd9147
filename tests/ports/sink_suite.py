"""What holds of every sink, whoever made it."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from publishing import publish

from airflow_batch_inference.exceptions import ArtifactConflictError, ConfigurationError
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.sinks import registry
from airflow_batch_inference.sinks.base import PlannedSet, Target
from airflow_batch_inference.sinks.manifest import Publisher


def by(run, dag="nightly", began=""):
    return Publisher(TaskKey(dag_id=dag, run_id=run, task_id="log"), "1", began)


class SinkSuite:
    """A subclass gives some fixtures.

    They are ``target``; ``published``, which returns the rows that a reader sees there; and ``unwritable``, a column
    type that it cannot hold.
    """

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
    def how(self):
        """What a target is given beside its name."""
        return {}

    @pytest.fixture
    def put(self, bench, target, how):
        def put(record, publisher, **more):
            stores = {"storage": bench.storage, "target_storage": bench.storage}
            return publish(record, target, publisher=publisher, **stores, **how, **more)

        return put

    @pytest.fixture
    def check(self, bench, target, how):
        """``check(column, dag_id, **how)``: ask of a set that is yet to be scored."""

        def check(column=None, dag_id="nightly", batch_id="2013-04-08", **more):
            schema = pa.schema([("a", pa.float64()), ("x", column or pa.string())])
            planned = PlannedSet(schema=schema, dag_id=dag_id, batch_id=batch_id, models=("5" * 64,))
            registry.check(planned, Target(name=target, storage=bench.storage, **how, **more))

        return check

    @pytest.fixture
    def there(self, bench, tmp_path):
        """Return all that lies on the disk, and in the store of the test."""

        def there():
            remote = f"memory:/{tmp_path}"
            stored = bench.storage.list_files(remote) if bench.storage.exists(remote) else []
            others = (bench.root, tmp_path / "site")
            local = [path for path in tmp_path.rglob("*") if not any(map(path.is_relative_to, others))]
            stamps = {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in local}
            return stamps, {file.uri: (file.size_bytes, file.version) for file in stored}

        return there

    def test_a_check_writes_nothing_and_takes_a_free_target(self, check, there):
        before = there()
        check()
        assert there() == before

    def test_what_the_same_dag_has_published_may_be_replaced(self, scored, put, check, there):
        put(scored("1", 1.0), by("1"))
        before = there()
        check()
        check(if_exists="fail")
        assert there() == before

    def test_a_check_refuses_what_another_dag_has_published(self, scored, put, check):
        put(scored("1", 1.0), by("1"))
        with pytest.raises(ArtifactConflictError):
            check(dag_id="weekly")

    def test_a_check_refuses_another_batch_where_that_is_wanted(self, scored, put, check):
        put(scored("1", 1.0), by("1"))
        check(batch_id="the next day")
        with pytest.raises(ArtifactConflictError):
            check(batch_id="the next day", if_exists="fail")

    def test_a_check_refuses_a_column_that_the_target_cannot_hold(self, check, unwritable):
        with pytest.raises(ConfigurationError, match="cannot hold the column 'x'"):
            check(unwritable)

    def test_what_lets_a_check_through_can_be_published(self, bench, scored, put, check, published):
        check()
        record = scored("1", 1.0)
        put(record, by("1"))
        assert len(published()) == record.rows_out

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
