"""The keys of a store reach worker processes through memory: no pickle, file, command line or environment has them."""

from __future__ import annotations

import pickle
import secrets
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from airflow.sdk.io import fs as airflow_fs
from keyed_store import KeyedFileSystem

from airflow_batch_inference.engines.processes import supervisor
from airflow_batch_inference.exceptions import ConfigurationError, NotDescribableError
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.open_job import score_part
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.operators import (
    LoadModelOperator,
    PredictOperator,
    Processes,
    ScoringScriptOperator,
    ScriptSettings,
)
from airflow_batch_inference.operators.stores import artifact_storage, storage_for
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.storage import handover
from airflow_batch_inference.workflows.plan_job import plan_job
from airflow_batch_inference.workflows.register_model import register_model

SCRIPT = """
def init():
    pass

def run(mini_batch):
    return [path.rsplit("/", 1)[-1] for path in mini_batch]
"""


@pytest.fixture
def key(monkeypatch, tmp_path):
    """A key that only a connection knows; temporary files are in the test's folder."""
    found = secrets.token_hex(16)
    monkeypatch.setattr(airflow_fs, "_register_filesystems", lambda: {"keyed": lambda _: KeyedFileSystem(key=found)})
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return found


@pytest.fixture
def watched(monkeypatch, key, tmp_path):
    """What was sent, and what the workers' processes and the disk were like while they ran."""
    seen, told = [], []
    packed = handover.packed

    def keep(message):
        data, needed = packed(message)
        told.append(data)
        return data, needed

    def look(start):
        def started(*arguments, **options):
            process, pipe = start(*arguments, **options)
            recv = pipe.recv

            def received():
                message = recv()
                seen.extend(Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
                seen.extend(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
                return message

            pipe.recv = received
            return process, pipe

        return started

    monkeypatch.setattr(handover, "packed", keep)
    monkeypatch.setattr(supervisor, "start_process", look(supervisor.start_process))
    return seen, told


def test_a_part_is_scored_by_the_uri_of_its_job_alone_where_a_connection_reaches_the_store(
    bench, model_file, digest, key, monkeypatch, tmp_path
):
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ARTIFACT_CONN_ID", "c")
    asked = ModelRequest(model_uri=str(model_file), trust=TrustRequest(sha256=digest))
    _, record = register_model(asked, root=str(bench.root), storage=bench.storage, model_storage=bench.storage)
    batch = bench.write("in.parquet", {"a": [1.0], "b": [2.0]})
    bench.root = f"keyed:/{tmp_path}/store"
    request = bench.request(batch, models=single_model(record, storage=bench.storage))
    planned = plan_job(request, storage=artifact_storage(), data_storage=bench.storage)
    assert key not in Path(planned.uri.removeprefix("keyed:/")).read_text()
    assert score_part(planned.uri, 0).rows_out == 1
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ARTIFACT_CONN_ID", "other")
    with pytest.raises(NotDescribableError, match=r"reached by c here.*by other.*artifact_conn_id"):
        plan_job(request, storage=storage_for("c"), data_storage=bench.storage)


def test_workers_read_and_write_with_keys_that_are_nowhere_but_in_memory(
    runner, batch, model_file, digest, key, watched, monkeypatch, tmp_path
):
    monkeypatch.setattr(plan, "_PART_ROWS", 100)
    runner.root = f"keyed:/{tmp_path}/store"
    model = runner(LoadModelOperator(task_id="load", model_uri=f"keyed:/{model_file}", sha256=digest, conn_id="c"))
    found = runner(
        PredictOperator(
            task_id="t", model=model, dataset=f"keyed:/{batch}", conn_id="c", engine=Processes(max_workers=2)
        )
    )
    record = storage_for("c").read_record(found)
    parts = [pq.read_table(part.uri.removeprefix("keyed:/")).to_pandas() for part in record.parts]
    assert pd.concat(parts)["key"].tolist() == [f"k{place}" for place in range(400)]
    seen, told = watched
    assert len(told) >= 8, "two setups, a job prepared and sent on, five parts"
    assert len(seen) > 10
    assert not any(key.encode() in each for each in (*seen, *told))


def test_scripts_read_with_keys_that_are_nowhere_but_in_memory(runner, batch, key, watched, tmp_path):
    script = tmp_path / "score.py"
    script.write_text(SCRIPT)
    runner.root = f"keyed:/{tmp_path}/store"
    found = runner(
        ScoringScriptOperator(
            task_id="t",
            scoring_script=f"keyed:/{script}",
            dataset=f"keyed:/{batch}",
            conn_id="c",
            settings=ScriptSettings(output_action="append_row"),
        )
    )
    assert storage_for("c").read_record(found).items.files_succeeded == 2
    seen, told = watched
    assert len(told) >= 4
    assert not any(key.encode() in each for each in (*seen, *told))


def test_what_is_pickled_of_a_storage_has_no_keys_and_is_of_no_use_elsewhere(key, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"text")
    uri = f"keyed:/{tmp_path}/a.txt"
    storage = storage_for("c").resolved(uri)
    data = pickle.dumps(storage)
    assert key.encode() not in data
    assert key not in repr(storage)
    assert pickle.loads(data).read_bytes(uri) == b"text"
    program = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, data.hex()], capture_output=True, text=True, check=False, timeout=120
    )
    assert "was not handed to this process" in done.stderr


def test_a_file_system_goes_through_a_pipe_once_and_the_same_comes_back(key):
    from multiprocessing import Pipe

    one, other = (handover.Pipe(end) for end in Pipe())
    storage = storage_for("c").resolved("keyed:///x")
    sent = []
    raw = one._connection
    one._connection = type("Tap", (), {"send_bytes": lambda _, data: (sent.append(data), raw.send_bytes(data))})()
    one.send(("job", storage))
    one.send(("job", storage))
    assert [data[:1] == b"k" for data in sent] == [True, False, False]
    received = [other.recv()[1] for _ in range(2)]
    assert received[0].filesystem("keyed:///x")[0].key == key


def test_a_name_that_nobody_knows_is_an_error():
    with pytest.raises(ConfigurationError, match="was not handed to this process"):
        handover.file_system("0" * 16)
