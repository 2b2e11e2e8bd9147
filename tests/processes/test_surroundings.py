"""What worker processes see of the task's environment: what programs need, and none of its secrets."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import fsspec
import lightgbm as lgb
import numpy as np
import pytest
from s3_server import s3_bucket
from secrets_of_task import CANARY, SECRETS, TELL

from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.sandbox import load as sandbox
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.predictors.function import FunctionModel, function_record, pickled
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.processes import surroundings
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.score import score_dataset

ROWS = 1_500
exec(TELL)  # defines tell()


@pytest.fixture
def secrets(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def score(bench, monkeypatch):
    """Score rows with a function, in two worker processes."""
    monkeypatch.setattr(plan, "_PART_ROWS", 500)

    def run(function, *, root=None, source=None, workers=2, function_is_portable=True, **changes):
        bench.root = root or bench.root
        model = FunctionModel(function=function, form="pandas")
        if source is None and not (bench.folder / "in.parquet").exists():
            bench.write("in.parquet", {"a": np.arange(ROWS, dtype=float)})
        source = source or f"file://{bench.folder / 'in.parquet'}"
        request = replace(
            bench.request(source),
            models=single_model(
                function_record(model, where="here"),
                model=model,
                function=pickled(model) if function_is_portable else None,
            ),
            **changes,
        )
        return score_dataset(request, storage=bench.storage, resources=Resources(max_workers=workers))

    return run


def telling(path):
    told = str(path)
    source = TELL

    def predict(frame):
        names = {}
        exec(source, names)
        names["tell"](told)
        return frame["a"] * 2

    return predict


@pytest.mark.usefixtures("secrets")
def test_rows_workers_see_no_secret_and_what_programs_need(score, tmp_path, monkeypatch):
    monkeypatch.setenv("LC_TIME", "C")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    score(telling(tmp_path / "told"), environment={"MODEL_LEVEL": "7"})
    told = (tmp_path / "told").read_text()
    assert CANARY not in told
    for name in ("PATH", "HOME", "LC_TIME", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "AIRFLOW_HOME"):
        assert f"'{name}':" in told, name
    assert "'MODEL_LEVEL': '7'" in told
    assert f"/proc/{os.getpid()}" not in told


def test_variables_are_set_in_worker_processes_only_and_make_another_job(score):
    def predict(frame):
        return frame["a"] * 0 + float(os.environ["MODEL_LEVEL"])

    for workers in (1, 2):
        _, record = score(predict, workers=workers, environment={"MODEL_LEVEL": "3"})
        assert record.rows_out == ROWS
        assert "MODEL_LEVEL" not in os.environ
    assert score(predict, environment={"MODEL_LEVEL": "3"})[1].job_key == record.job_key
    assert score(predict, environment={"MODEL_LEVEL": "4"})[1].job_key != record.job_key
    assert '"4"' not in record.to_json().decode()


def test_variables_for_a_model_that_no_other_process_can_load_are_refused(score):
    with pytest.raises(ConfigurationError, match="cannot be handed to one"):
        score(lambda frame: frame["a"], function_is_portable=False, environment={"A": "1"})
    with pytest.raises(ConfigurationError, match="'A B'"):
        score(lambda frame: frame["a"], environment={"A B": "1"})


def test_code_that_looks_for_what_workers_are_not_given_is_told_once(score, capfd, monkeypatch):
    monkeypatch.setenv("THRESHOLD", "0.5")

    def predict(frame):
        return frame["a"] * 0 + float(os.environ.get("THRESHOLD", "0.1"))

    score(predict, workers=2)
    lines = [line for line in capfd.readouterr().err.splitlines() if "THRESHOLD" in line]
    assert 1 <= len(lines) <= 2  # one a worker that scored
    assert "give it by environment_variables" in lines[0]


def test_a_variable_that_is_nowhere_is_no_news(score, capfd):
    def predict(frame):
        return frame["a"] * 0 + float(os.environ.get("NOWHERE_TO_BE_FOUND", "0.1"))

    score(predict, workers=2)
    assert "NOWHERE" not in capfd.readouterr().err


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    keys = {name: value for name, value in SECRETS.items() if name != "HTTPS_PROXY"}
    with s3_bucket("surroundings", monkeypatch, keys) as found:
        yield f"s3://{found}"


@pytest.mark.slow
def test_workers_reach_a_store_with_the_keys_of_the_environment_and_see_none(bench, score, bucket, tmp_path):
    local = bench.write("in.parquet", {"a": np.arange(ROWS, dtype=float)})
    fsspec.filesystem("s3").put_file(str(local).removeprefix("file://"), f"{bucket}/in.parquet")
    uri, record = score(telling(tmp_path / "told"), root=f"{bucket}/artifacts", source=f"{bucket}/in.parquet")
    assert record.rows_out == ROWS
    assert Storage().exists(uri)
    told = (tmp_path / "told").read_text()
    assert CANARY not in told
    assert "'AWS_DEFAULT_REGION': 'us-east-1'" in told


def test_a_store_on_the_local_disk_lends_nothing(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "p")
    assert not surroundings.is_remote(Storage().resolved("/a"), None)
    assert surroundings.is_remote(Storage())
    assert surroundings.is_remote(replace(Storage().resolved("/a"), artifacts=Storage()))


@pytest.mark.parametrize(
    ("name", "value", "is_needed", "is_place", "is_secret"),
    [("AWS_PROFILE", "nightly", False, True, False),
     ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token", False, True, False),
     ("AWS_SECRET_ACCESS_KEY", "x", False, False, True),
     ("AWS_ENDPOINT_URL_S3", "http://store:9000", False, True, False),
     ("AWS_ENDPOINT_URL_S3", "http://u:p@store:9000", False, False, True),
     ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "x", False, False, True),
     ("GOOGLE_APPLICATION_CREDENTIALS", "/key.json", False, True, False),
     ("IDENTITY_HEADER", "x", False, False, True),
     ("https_proxy", "http://proxy:3128", True, False, False),
     ("https_proxy", "http://u:p@proxy:3128", False, False, True),
     ("https_proxy", "http://u:p/w@proxy:3128", False, False, True),
     ("HTTPS_PROXY", "u:p@proxy:3128", False, False, True),
     ("GOOGLE_APPLICATION_CREDENTIALS", ' {"private_key": "x"}', False, False, True),
     ("NVIDIA_API_KEY", "x", False, False, False),
     ("TF_VAR_db", "x", False, False, False),
     ("TORCH_HUB_TOKEN", "x", False, False, False),
     ("NVIDIA_VISIBLE_DEVICES", "all", True, False, False),
     ("TOKENIZERS_PARALLELISM", "false", True, False, False),
     ("LD_LIBRARY_PATH", "/opt/lib", True, False, False),
     ("AIRFLOW_HOME", "/opt/airflow", True, False, False),
     ("AIRFLOW__CORE__FERNET_KEY", "x", False, False, False),
     ("AIRFLOW_CTX_DAG_ID", "x", False, False, False)],
)  # fmt: skip
def test_each_variable_has_its_kind(monkeypatch, name, value, is_needed, is_place, is_secret):
    monkeypatch.setenv(name, value)
    assert (name in surroundings.needed()) is is_needed
    assert (name in surroundings.places_of_stores()) is is_place
    assert (name in surroundings.secrets_of_stores()) is is_secret


def test_what_was_lent_is_taken_back_and_what_was_there_put_back(monkeypatch):
    monkeypatch.setenv("KEPT_HERE", "mine")
    with contextlib.suppress(ValueError), surroundings.lent({"KEPT_HERE": "theirs", "LENT_HERE": "1"}):
        assert (os.environ["KEPT_HERE"], os.environ["LENT_HERE"]) == ("theirs", "1")
        int("x")
    assert os.environ["KEPT_HERE"] == "mine"
    assert "LENT_HERE" not in os.environ


def test_load_options_stand_in_no_command_line(tmp_path, monkeypatch):
    x = np.random.default_rng(1).normal(size=(100, 2))
    lgb.train({"verbose": -1}, lgb.Dataset(x, x[:, 0]), 2).save_model(tmp_path / "m.txt")
    commands = []
    start = subprocess.Popen.__init__

    def noting(self, command, *rest, **more):
        commands.append(command)
        start(self, command, *rest, **more)
        time.sleep(0.2)
        commands.append(Path(f"/proc/{self.pid}/cmdline").read_bytes())

    monkeypatch.setattr(subprocess.Popen, "__init__", noting)
    options = {"feature_names": [CANARY]}
    with pytest.raises(Exception, match="feature_names"):  # the child read them
        sandbox.load_in_subprocess(
            "lightgbm", "lightgbm-text", tmp_path / "m.txt", trusted=(), where="here", options=options
        )
    assert len(commands) == 2
    assert CANARY not in repr(commands)


def test_the_watch_says_a_name_once_and_leaves_the_rest_as_it_was():
    code = (
        "import logging, os\n"
        "logging.basicConfig(format='%(message)s')\n"
        "from airflow_batch_inference.processes.surroundings import watch\n"
        "watch(frozenset({'GONE', 'OTHER'}))\n"
        "assert os.getenv('GONE') is None and 'GONE' not in os.environ and os.environ.get('GONE', 1) == 1\n"
        "os.environ['GONE'] = 'back'\n"
        "assert os.environ['GONE'] == 'back' and dict(os.environ)['GONE'] == 'back' and os.environ.copy()\n"
        "import subprocess, sys\n"
        "print(subprocess.run(['printenv', 'GONE'], capture_output=True, text=True).stdout)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "back"
    assert done.stderr.count("GONE") == 1
    assert "OTHER" not in done.stderr
