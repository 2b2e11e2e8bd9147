"""What scoring scripts see of the task's environment, in the worker's Python and in one of their own."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace

import fsspec
import pytest
from s3_server import s3_bucket
from secrets_of_task import CANARY, SECRETS, TELL

from airflow_batch_inference.processes.surroundings import needed_by_pip
from airflow_batch_inference.scripts.hosted_runner import clean_environment
from airflow_batch_inference.scripts.interpreter import ask
from airflow_batch_inference.scripts.job import run_script
from airflow_batch_inference.scripts.source import OwnPython

SCRIPT = (
    TELL
    + """
import subprocess

def init():
    tell(os.environ["TOLD"])

def run(mini_batch):
    tell(os.environ["TOLD"])
    with open(os.environ["TOLD"], "ab") as file:
        file.write(subprocess.run(["env"], capture_output=True).stdout)
    return [os.environ.get("OWN_KEY", "") for _ in mini_batch]
"""
)


@pytest.fixture
def secrets(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def run(bench, *, python=None, environment=None, storage=None, **arguments):
    bench.write_files(2)
    script = bench.script(SCRIPT, with_notes=False)
    told = bench.folder / "told"
    request = bench.request(script, environment={"TOLD": str(told), **(environment or {})}, **arguments)
    if python is not None:
        own = OwnPython(
            python=python, requirements=None, environments=bench.folder / "environments",
            variables=request.settings.environment_variables, storage=bench.storage,
        )  # fmt: skip
        request = replace(request, scorer=replace(request.scorer, own_python=own))
    _, record = run_script(request, storage=storage or bench.storage)
    (table,) = record.parts
    return told.read_text(), bench.storage.read_bytes(table.uri).decode()


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("python", [None, sys.executable])
def test_a_script_sees_no_secret_but_those_that_it_is_given(bench, python):
    told, answers = run(bench, python=python, environment={"OWN_KEY": "mine", "AWS_ACCESS_KEY_ID": "of-the-script"})
    assert CANARY not in told
    assert "'AWS_ACCESS_KEY_ID': 'of-the-script'" in told
    assert "'AZUREML_BI_OUTPUT_PATH':" in told
    assert "'OMP_NUM_THREADS':" in told
    assert answers == "predicted_label\nmine\nmine\n"


@pytest.mark.usefixtures("secrets")
def test_an_interpreter_that_is_asked_what_it_is_sees_no_secret(tmp_path):
    spy = tmp_path / "python"
    told = tmp_path / "told"
    spy.write_text(f'#!/bin/sh\nenv >> {told}\nexec {sys.executable} "$@"\n')
    spy.chmod(0o755)
    ask(str(spy), {"OWN": "mine"})
    assert CANARY not in told.read_text()
    assert "OWN=mine" in told.read_text()


@pytest.mark.usefixtures("secrets")
def test_pip_gets_its_settings_and_proxies_and_no_other_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    found = clean_environment(sys.executable, {}, needed_by_pip())
    with_canary = {name for name, value in found.items() if CANARY in value}
    assert with_canary == {"PIP_INDEX_URL", "HTTPS_PROXY"}
    assert found["PIP_FIND_LINKS"] == "/wheels"
    assert "PYTHONPATH" not in found


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    keys = {name: value for name, value in SECRETS.items() if name != "HTTPS_PROXY"}
    with s3_bucket("script-surroundings", monkeypatch, keys) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("python", [None, sys.executable])
def test_the_job_reaches_its_store_with_keys_that_the_script_does_not_see(bench, bucket, python, caplog):
    fs = fsspec.filesystem("s3")
    for name in ("a.txt", "b.txt"):
        fs.pipe_file(f"{bucket}/in/{name}", b"1")
    bench.root = f"s3://{bucket}/artifacts"
    with caplog.at_level(logging.INFO):
        told, answers = run(bench, python=python, dataset=f"s3://{bucket}/in", environment={"OWN_KEY": "mine"})
    assert CANARY not in told
    assert answers == "predicted_label\nmine\nmine\n"
    assert ("'AWS_DEFAULT_REGION':" in told) is (python is None)


@pytest.mark.slow
def test_a_script_that_opens_the_store_by_itself_does_not_get_the_jobs_login(bench, bucket):
    pytest.importorskip("s3fs")
    bench.root = f"s3://{bucket}/artifacts"
    bench.write_files(1)
    script = bench.script("""
        import fsspec

        def run(mini_batch):
            fs = fsspec.filesystem("s3")
            fs.connect()
            found = fs.s3._request_signer._credentials
            return [getattr(found, "access_key", None) for _ in mini_batch]
    """)
    own = {"AWS_ACCESS_KEY_ID": "of-the-script", "AWS_SECRET_ACCESS_KEY": "of-the-script"}
    _, record = bench.run(script, environment=own)
    assert bench.storage.read_bytes(record.parts[0].uri) == b"predicted_label\nof-the-script\n"
