"""Files that are scored with a scoring script, with a deployment's file, and with a model once a file."""

from __future__ import annotations

import json
import sys
import venv
from pathlib import Path

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import Asset
from grouped import grouped

from airflow_batch_inference.exceptions import ConfigurationError, TooManyFailedItemsError
from airflow_batch_inference.operators import (
    DriftAnalysisOperator,
    ErrorLimits,
    LoadModelOperator,
    LogArtifactsOperator,
    ScoringScriptOperator,
    ScriptEnvironment,
    ScriptSettings,
)
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

SCRIPT = """
import os
import pandas as pd

def init():
    global factor
    factor = float(os.environ.get("FACTOR", "1"))

def run(mini_batch):
    return pd.DataFrame({"file": [os.path.basename(path) for path in mini_batch],
                         "score": [factor * float(open(path).read()) for path in mini_batch]})
"""
WRITING = """
import os

def init():
    pass

def run(mini_batch):
    for path in mini_batch:
        folder = os.path.join(os.environ["AZUREML_BI_OUTPUT_PATH"], "day=1")
        os.makedirs(folder, exist_ok=True)
        with open(path) as source, open(os.path.join(folder, os.path.basename(path) + ".out"), "w") as target:
            target.write(source.read())
    return mini_batch
"""


@pytest.fixture
def numbers(tmp_path):
    """Five files of one number each, and the two scripts."""
    folder = tmp_path / "numbers"
    folder.mkdir()
    for i in range(5):
        (folder / f"{i}.txt").write_text(str(i))
    (tmp_path / "score.py").write_text(SCRIPT)
    (tmp_path / "writing.py").write_text(WRITING)
    return folder


def record_of(uri):
    return Storage().read_record(uri)


def local(uri):
    return Path(uri.removeprefix("file://"))


def test_a_script_is_run_and_counts_are_pushed(runner, numbers):
    runner.params = {"size": 2, "factor": 3}
    operator = ScoringScriptOperator(
        task_id="predict",
        scoring_script="{{ params.script or '' }}" + str(numbers.parent / "score.py"),
        dataset=str(numbers),
        settings=ScriptSettings(
            mini_batch_size="{{ params.size }}", environment_variables={"FACTOR": "{{ params.factor }}"}, header="false"
        ),
    )
    uri = runner(operator)
    record = record_of(uri)
    assert local(record.parts[0].uri).read_text() == "0.txt,0.0\n1.txt,3.0\n2.txt,6.0\n3.txt,9.0\n4.txt,12.0\n"
    pushed = runner.xcoms["predict"]
    assert (pushed["rows"], pushed["items"], pushed["items_failed"]) == (5, 5, 0)
    assert record.items.mini_batches == 3
    assert runner(operator, try_number=2) == uri


@pytest.fixture
def own_python(tmp_path):
    """Return the Python of an environment that has no package."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    return tmp_path / "env" / "bin" / "python"


BARE = """
import sys

def init():
    pass

def run(mini_batch):
    return [f"{sys.prefix} {' '.join(sys.argv[1:])}" for path in mini_batch]
"""


def test_a_script_runs_in_a_python_of_its_own(runner, numbers, own_python):
    (numbers.parent / "bare.py").write_text(BARE)
    runner.params = {"python": str(own_python)}
    operator = ScoringScriptOperator(
        task_id="predict",
        scoring_script=str(numbers.parent / "bare.py"),
        dataset=str(numbers),
        program_arguments="--name 'a b' --top 3",
        environment=ScriptEnvironment(python="{{ params.python }}"),
        settings=ScriptSettings(mini_batch_size="1kB"),
    )
    record = record_of(runner(operator))
    assert local(record.parts[0].uri).read_text().splitlines()[1] == f"{own_python.parents[1]} --name a b --top 3"
    assert record.items.mini_batches == 1
    assert record.versions["python"] == ".".join(map(str, sys.version_info[:3]))


def test_environments_are_kept_where_the_config_says(monkeypatch, tmp_path):
    from airflow_batch_inference.operators.stores import environments_folder

    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert environments_folder() == tmp_path / "batch_inference_environments"
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ENVIRONMENTS", "/var/cache/environments")
    assert environments_folder() == Path("/var/cache/environments")
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ENVIRONMENTS", "s3://bucket/environments")
    with pytest.raises(ConfigurationError, match="must be a folder of this machine"):
        environments_folder()


def test_numbers_as_environment_variables_are_text(runner, numbers):
    arguments = {"scoring_script": str(numbers.parent / "score.py"), "dataset": str(numbers)}
    record = record_of(
        runner(
            ScoringScriptOperator(
                task_id="p", **arguments, settings=ScriptSettings(environment_variables={"FACTOR": 2})
            )
        )
    )
    assert pd.read_csv(local(record.parts[0].uri))["score"].tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]


def test_failed_files_fail_the_task_so_that_airflow_tries_again(runner, numbers):
    (numbers / "3.txt").write_text("no number")
    operator = ScoringScriptOperator(
        task_id="p",
        scoring_script=str(numbers.parent / "score.py"),
        dataset=str(numbers),
        limits=ErrorLimits(error_threshold=0),
    )
    with pytest.raises(TooManyFailedItemsError, match="ValueError: could not convert string to float"):
        runner(operator)


def test_no_files_skip_the_task_where_that_is_asked(runner, tmp_path, numbers):
    (tmp_path / "empty").mkdir()
    arguments = {"scoring_script": str(numbers.parent / "score.py"), "dataset": str(tmp_path / "empty")}
    with pytest.raises(AirflowSkipException):
        runner(ScoringScriptOperator(task_id="p", on_empty="skip", **arguments))
    with pytest.raises(AirflowFailException, match="EmptyDatasetError"):
        runner(ScoringScriptOperator(task_id="p", **arguments))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"model": ["/a", "/b"]}, r"model is .*it must be one model"),
     ({"model": {"a": "/a"}, "scoring_script": "/s.py"}, "it must be one model"),
     ({"scoring_script": "/s.py", "csv_options": {"separator": ";"}}, "csv_options cannot be given here"),
     ({"model": "/m", "code": "/c"}, "code cannot be given here"),
     ({}, "Neither scoring_script nor model is given"),
     ({"scoring_script": "/s.py", "mini_batch_size": "0"}, "mini_batch_size is '0'"),
     ({"scoring_script": "/s.py", "mini_batch_size": "some b"}, "mini_batch_size is 'some b'"),
     ({"scoring_script": "/s.py", "program_arguments": "--a 'b"}, "no line of a shell"),
     ({"scoring_script": "/s.py", "program_arguments": {"a": 1}}, "text as in a shell, or a list"),
     ({"scoring_script": "/s.py", "requirements": {"a": 1}}, "requirements is .*path of a requirements file"),
     ({"model": "/m", "python": "/p", "requirements": "/r"}, "environment cannot be given here"),
     ({"model": "/m", "program_arguments": "x"}, "program_arguments cannot be given here"),
     ({"model": "/m", "label_columns": "x"}, "label_columns cannot be given here"),
     ({"scoring_script": "/s.py", "output_action": "append"}, "did you mean 'append_row'"),
     ({"scoring_script": "/s.py", "output_file_name": "a/b.csv"}, "a file's name without a folder"),
     ({"scoring_script": "/s.py", "error_threshold": -2}, "error_threshold is -2"),
     ({"scoring_script": "/s.py", "environment_variables": {"A": True}}, "names and values must be text"),
     ({"scoring_script": "/s.py", "environment_variables": {"AZUREML_MODEL_DIR": "x"}}, "AZUREML_MODEL_DIR"),
     ({"scoring_script": "score.py"}, "give an absolute path"),
     ({"scoring_script": "/elsewhere/s.py", "code": "/tmp"}, "does not lie in code"),
     ({"scoring_script": "/no/such/script.py"}, "Nothing lies at")],
)  # fmt: skip
def test_arguments_that_cannot_work_are_refused_by_name(runner, numbers, arguments, named):
    groups = {"settings": ScriptSettings, "limits": ErrorLimits, "environment": ScriptEnvironment}
    with pytest.raises(Exception, match=named):
        runner(ScoringScriptOperator(task_id="p", dataset=str(numbers), **grouped(arguments, **groups)))


def test_a_stop_reaches_the_script(runner, numbers):
    operator = ScoringScriptOperator(task_id="p", scoring_script=str(numbers.parent / "score.py"), dataset=str(numbers))
    operator.on_kill()
    with pytest.raises(InterruptedError):
        runner(operator)


def test_a_model_record_gives_the_script_its_files(runner, numbers, model_file, digest):
    load = runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest))
    script = numbers.parent / "model.py"
    script.write_text(
        "import os\ndef init():\n    pass\n"
        "def run(b):\n    return [os.listdir(os.environ['AZUREML_MODEL_DIR'])[0] for _ in b]\n"
    )
    record = record_of(
        runner(ScoringScriptOperator(task_id="p", model=load, scoring_script=str(script), dataset=str(numbers)))
    )
    assert local(record.parts[0].uri).read_text().split() == ["predicted_label", *["model.txt"] * 5]
    assert (record.model_sha256, record.model_record_uri) == (digest, load)


def test_a_table_is_published_as_one_file_or_in_a_folder_and_verified(runner, numbers, tmp_path):
    script = str(numbers.parent / "score.py")
    predict = runner(ScoringScriptOperator(task_id="p", scoring_script=script, dataset=str(numbers)))
    out = tmp_path / "out"
    runner(LogArtifactsOperator(task_id="l1", artifacts=[predict], publish_to=str(out / "all.csv")))
    asset = Asset("scores")
    runner(LogArtifactsOperator(task_id="l2", artifacts=[predict], publish_to=str(out / "day"), outlets=[asset]))
    expected = local(record_of(predict).parts[0].uri).read_bytes()
    assert (out / "all.csv").read_bytes() == (out / "day" / "predictions.csv").read_bytes() == expected
    assert runner.events[asset].extra["items"]["files_in"] == 5
    assert runner.events[asset].extra["certificate"] is None
    with pytest.raises(AirflowFailException, match=r"end it with \.csv"):
        runner(LogArtifactsOperator(task_id="l3", artifacts=[predict], publish_to=str(out / "all.parquet")))
    found = verify(predict, Storage(), inputs=Storage())
    assert (found.problems, len(found.checks)) == ([], 3)


def test_files_that_a_script_wrote_are_published_under_their_own_paths(runner, numbers, tmp_path):
    operator = ScoringScriptOperator(
        task_id="p",
        scoring_script=str(numbers.parent / "writing.py"),
        dataset=str(numbers),
        settings=ScriptSettings(output_action="summary_only"),
    )
    predict = runner(operator)
    target = tmp_path / "out"
    log = LogArtifactsOperator(task_id="l", artifacts=[predict], publish_to=str(target))
    runner(log)
    runner(log)
    assert {path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*.out")} == {
        f"day=1/{i}.txt.out": str(i) for i in range(5)
    }
    (numbers / "4.txt").unlink()
    runner(LogArtifactsOperator(task_id="l", artifacts=[runner(operator)], publish_to=str(target)))
    assert len(list(target.rglob("*.out"))) == 4, "the folder is replaced as a whole"
    (target / "day=1" / "theirs").write_text("x")
    (numbers / "3.txt").unlink()
    with pytest.raises(AirflowFailException, match="day=1/theirs"):
        runner(LogArtifactsOperator(task_id="l", artifacts=[runner(operator)], publish_to=str(target)))
    with pytest.raises(AirflowFailException, match="several files: give a folder"):
        runner(LogArtifactsOperator(task_id="l", artifacts=[predict], publish_to=str(tmp_path / "one.csv")))


def test_drift_is_analysed_on_a_table_with_a_header_and_on_nothing_else(runner, numbers, tmp_path):
    arguments = {"scoring_script": str(numbers.parent / "score.py"), "dataset": str(numbers)}
    sample = tmp_path / "sample.csv"
    pd.DataFrame({"score": range(50), "file": ["x"] * 50}).to_csv(sample, index=False)
    predict = runner(ScoringScriptOperator(task_id="p", **arguments))
    drift = record_of(runner(DriftAnalysisOperator(task_id="d", dataset=predict, sample_set=str(sample))))
    assert {column.name for column in drift.columns} == {"score", "file"}
    bare = runner(ScoringScriptOperator(task_id="p2", settings=ScriptSettings(header=False), **arguments))
    with pytest.raises(AirflowFailException, match="no table with column names"):
        runner(DriftAnalysisOperator(task_id="d2", dataset=bare, sample_set=str(sample)))


DEPLOYMENT = """
$schema: https://azuremlschemas.azureedge.net/latest/modelBatchDeployment.schema.json
name: scores
endpoint_name: nightly
type: model
model:
  path: models/v3
code_configuration:
  code: code
  scoring_script: batch_driver.py
environment:
  image: mcr.example/base
compute: azureml:cpu-cluster
resources:
  instance_count: 2
settings:
  max_concurrency_per_instance: 2
  mini_batch_size: 2
  output_action: append_row
  output_file_name: scores.csv
  retry_settings:
    max_retries: 3
    timeout: 300
  error_threshold: -1
  logging_level: Info
environment_variables:
  FACTOR: 2
"""


def test_10_a_deployments_file_makes_an_operator_that_runs(runner, numbers, tmp_path, caplog):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "batch_driver.py").write_text(SCRIPT)
    (tmp_path / "models" / "v3").mkdir(parents=True)
    (tmp_path / "models" / "v3" / "weights.bin").write_bytes(b"1")
    path = tmp_path / "deployment.yml"
    path.write_text(DEPLOYMENT)
    with caplog.at_level("INFO"):
        operator = ScoringScriptOperator.from_azure_deployment(path, task_id="p", dataset=str(numbers), header=False)
    assert "resources.instance_count is 2" in caplog.text
    assert "ignored on Airflow: $schema, name, endpoint_name, environment, compute" in caplog.text
    assert (operator.limits.max_attempts, operator.limits.mini_batch_timeout_s) == (3, 300)
    assert operator.settings.output_file_name == "scores.csv"
    record = record_of(runner(operator))
    assert local(record.parts[0].uri).read_text() == "0.txt,0.0\n1.txt,2.0\n2.txt,4.0\n3.txt,6.0\n4.txt,8.0\n"
    assert record.parts[0].name == "scores.csv"


def test_10_a_deployment_without_a_script_predicts_once_a_file(runner, tmp_path, batch, model_file, rng_frame):
    path = tmp_path / "deployment.yml"
    path.write_text("model: azureml:churn@latest\nmini_batch_size: 1\n")
    with pytest.raises(ConfigurationError, match="only Azure ML can resolve"):
        ScoringScriptOperator.from_azure_deployment(path, task_id="p", dataset=str(batch))
    operator = ScoringScriptOperator.from_azure_deployment(path, task_id="p", dataset=str(batch), model=str(model_file))
    record = record_of(runner(operator))
    frame = pd.read_csv(local(record.parts[0].uri))
    assert list(frame) == ["row", "prediction", "file_name"]
    assert frame["row"].tolist() == [*range(150), *range(250)]
    assert frame["file_name"].tolist() == ["1.parquet"] * 150 + ["2.parquet"] * 250
    import lightgbm

    expected = lightgbm.Booster(model_file=str(model_file)).predict(rng_frame)
    assert frame["prediction"].tolist() == pytest.approx(expected.tolist())
    assert record.model_flavor == "lightgbm"


def test_a_file_that_cannot_be_read_fails_the_file_wise_job_with_its_path(runner, batch, model_file, digest):
    load = runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest))
    arguments = {"model": load, "dataset": str(batch)}
    (batch / "3.txt").write_text("no table")
    with pytest.raises(AirflowFailException, match=r"DataError: 3\.txt .* ends with none of \.csv"):
        runner(ScoringScriptOperator(task_id="p", **arguments))
    (batch / "3.txt").rename(batch / "3.pqt")
    with pytest.raises(AirflowFailException, match=r"3\.pqt"):
        runner(ScoringScriptOperator(task_id="p", **arguments))
    (batch / "3.pqt").unlink()
    pd.DataFrame({"a": ["x"], "b": [1.0]}).to_csv(batch / "3.csv", index=False)
    with pytest.raises(AirflowFailException, match=r"3\.csv"):
        runner(ScoringScriptOperator(task_id="p", **arguments))
    pd.DataFrame({"a": [1], "b": [2]}).to_csv(batch / "3.csv", index=False)
    pd.DataFrame({"a": pd.Series([], dtype=float), "b": pd.Series([], dtype=float)}).to_parquet(batch / "4.parquet")
    record = record_of(runner(ScoringScriptOperator(task_id="p", **arguments)))
    assert (record.items.files_in, record.items.files_failed, record.rows_out) == (4, 0, 401)


def test_the_record_of_the_mini_batches_is_an_artifact(runner, numbers):
    predict = runner(
        ScoringScriptOperator(task_id="p", scoring_script=str(numbers.parent / "score.py"), dataset=str(numbers))
    )
    log = record_of(runner(LogArtifactsOperator(task_id="l", artifacts=[predict])))
    (entry,) = [json.loads(line) for line in local(log.entries["mini_batches"]).read_text().splitlines()]
    assert (entry["outcome"], len(entry["files"])) == ("succeeded", 5)
