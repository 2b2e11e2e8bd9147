"""What holds of every engine, whoever made it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.engines.base import Limits
from airflow_batch_inference.exceptions import DataError, EngineError, TooManyRejectedRowsError
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.workflows.commit_job import commit_job
from airflow_batch_inference.workflows.plan_job import plan_job
from airflow_batch_inference.workflows.register_model import register_model
from airflow_batch_inference.workflows.score import score_dataset
from airflow_batch_inference.workflows.score_parts import score_parts

ROWS = 1_000
PART_ROWS = 300
PARTS = 4
_RNG = np.random.default_rng(21)
TABLE = pa.table({"a": _RNG.normal(size=ROWS), "b": _RNG.normal(size=ROWS), "key": np.arange(ROWS)})


def data_of(part):
    """Return the bytes of a part before its footer, which names the job."""
    content = Path(part.uri.removeprefix("file://")).read_bytes()
    return content[: len(content) - 8 - int.from_bytes(content[-8:-4], "little")]


class EngineSuite:
    """A subclass gives the fixture ``engine``."""

    @pytest.fixture
    def ask(self, bench, monkeypatch, model_file):
        """``ask(table)``: a job of four parts with a pinned model."""
        monkeypatch.setattr(plan, "_PART_ROWS", PART_ROWS)
        digest = hashlib.sha256(model_file.read_bytes()).hexdigest()
        request = ModelRequest(model_uri=str(model_file), trust=TrustRequest(sha256=digest))
        _, record = register_model(request, root=str(bench.root), storage=bench.storage, model_storage=bench.storage)

        source = bench.write("in.parquet", TABLE)

        def ask(dataset=source, root="artifacts", **changes):
            bench.root = bench.folder / root
            asked = bench.request(dataset, models=single_model(record, storage=bench.storage), rows_per_batch=128)
            return replace(asked, **changes)

        return ask

    @pytest.fixture
    def here(self, bench, ask):
        """What this process makes of the same job, in another artifact store."""
        return score_dataset(ask(root="here"), storage=bench.storage)[1]

    def test_a_job_has_the_bytes_that_it_has_here(self, bench, ask, engine, here):
        _, record = score_dataset(ask(), storage=bench.storage, engine=engine)
        assert [data_of(part) for part in record.parts] == [data_of(part) for part in here.parts]
        assert record.job_key == here.job_key
        assert record.certificate == here.certificate
        assert len(record.parts) == PARTS
        assert [name for name in bench.unaccounted() if name.startswith("part-")] == []

    def test_the_three_steps_give_the_same(self, bench, ask, engine, here):
        planned = plan_job(ask(), storage=bench.storage)
        assert (planned.parts, planned.missing) == (PARTS, tuple(range(PARTS)))
        receipts = {receipt.index for receipt in score_parts(planned.uri, engine=engine)}
        assert receipts == set(planned.missing)
        uri, record = commit_job(planned.uri)
        assert [data_of(part) for part in record.parts] == [data_of(part) for part in here.parts]
        assert commit_job(planned.uri) == (uri, record)
        assert plan_job(ask(), storage=bench.storage).commit_uri == uri

    def test_it_scores_what_it_is_asked_for_and_nothing_is_committed_before_all_is_there(self, bench, ask, engine):
        planned = plan_job(ask(), storage=bench.storage)
        assert [receipt.index for receipt in engine.run(planned.uri, [2], Limits())] == [2]
        assert plan_job(ask(), storage=bench.storage).missing == (0, 1, 3)
        with pytest.raises(EngineError, match=r"3 of 4 parts have not been scored \(0, 1, 3\)"):
            commit_job(planned.uri)
        assert bench.visible() == []
        assert list(engine.run(planned.uri, [], Limits())) == []

    def test_a_part_that_is_scored_again_keeps_its_first_receipt(self, bench, ask, engine):
        planned = plan_job(ask(), storage=bench.storage)
        first = list(engine.run(planned.uri, [1], Limits()))
        assert list(engine.run(planned.uri, [1], Limits())) == first
        assert [name for name in bench.unaccounted() if name.startswith("part-")] == []

    def test_rows_that_came_with_the_request_are_scored_elsewhere_too(self, bench, ask, engine, here):
        _, record = score_dataset(ask(TABLE.to_pandas()), storage=bench.storage, engine=engine)
        assert bench.output(record).equals(bench.output(here))

    def test_rows_may_be_rejected_as_far_as_the_job_allows(self, bench, ask, engine):
        words = [str(value) if at % 400 else "?" for at, value in enumerate(TABLE["a"].to_pylist())]
        bad = bench.write("bad.parquet", TABLE.set_column(0, "a", pa.array(words)))
        _, record = score_dataset(ask(bad, policy=RowPolicy(error_threshold=3)), storage=bench.storage, engine=engine)
        assert (record.rows_rejected, record.rows_out) == (3, ROWS - 3)
        few = ask(bad, root="few", policy=RowPolicy(error_threshold=1))
        with pytest.raises(TooManyRejectedRowsError):
            score_dataset(few, storage=bench.storage, engine=engine)
        assert bench.visible() == []

    def test_an_input_that_was_changed_since_is_an_error(self, bench, ask, engine):
        planned = plan_job(ask(), storage=bench.storage)
        pq.write_table(TABLE.slice(1), bench.folder / "in.parquet")
        with pytest.raises(DataError, match="was changed while it was being read"):
            list(engine.run(planned.uri, [0], Limits()))
        engine.stop()

    def test_a_job_that_was_stopped_commits_nothing(self, bench, ask, engine):
        asked = []

        def stopped():
            asked.append(True)
            return len(asked) > 2

        with pytest.raises(InterruptedError):
            score_dataset(ask(), storage=bench.storage, engine=engine, stopped=stopped)
        assert bench.visible() == []
        engine.stop()
        engine.stop()
