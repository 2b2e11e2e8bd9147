"""Parallel jobs of Azure ML: read into arguments, or refused key by key; and what their scripts may do."""

from __future__ import annotations

import pytest

from airflow_batch_inference.compat.azureml.deployment import arguments_of, read_deployment
from airflow_batch_inference.exceptions import ConfigurationError

JOB = """
type: parallel
compute: azureml:cpu-cluster
inputs:
  images: {type: uri_folder, path: ./images, mode: ro_mount}
  score_model: {type: uri_folder, path: ./iris-model, mode: download}
  top: 3
outputs:
  out: {type: uri_file}
mini_batch_size: "10"
mini_batch_error_threshold: 5
logging_level: "DEBUG"
input_data: ${{inputs.images}}
max_concurrency_per_instance: 2
resources: {instance_count: 2}
retry_settings: {max_retries: 2, timeout: 90}
environment_variables: {A: b}
task:
  type: run_function
  code: ./script
  entry_script: iris_prediction.py
  environment: {name: prs-env, image: some/image, conda_file: ./environment.yml}
  program_arguments: >-
    --model ${{inputs.score_model}} --top ${{ inputs.top }} --to ${{outputs.out}}
    --error_threshold 7
    --allowed_failed_percent=30
    --progress_update_timeout 600
    --copy_logs_to_parent True
  append_row_to: ${{outputs.out}}
"""


@pytest.fixture
def job(tmp_path):
    def write(text=JOB):
        path = tmp_path / "job.yml"
        path.write_text(text)
        return path

    return write


def test_a_parallel_job_becomes_arguments(job, tmp_path):
    found = read_deployment(job())
    assert found.arguments == {
        "mini_batch_size": 10,
        "mini_batch_error_threshold": 5,
        "logging_level": "debug",
        "max_concurrency_per_instance": 2,
        "max_attempts": 2,
        "mini_batch_timeout_s": 90,
        "environment_variables": {"A": "b"},
        "code": str(tmp_path / "script"),
        "scoring_script": "iris_prediction.py",
        "output_action": "append_row",
        "error_threshold": 7,
        "allowed_failed_percent": 30,
        "progress_timeout_s": 600,
        "program_arguments": ["--model", "${model}", "--top", "3", "--to", "${output}"],
        "model": str(tmp_path / "iris-model"),
    }
    assert found.instance_count == 2
    assert found.ignored == ("compute", "task.environment", "--copy_logs_to_parent")
    assert found.environment == "conda_file ./environment.yml, image some/image, name prs-env"


def test_what_is_not_said_is_as_in_azure(job):
    found = read_deployment(job("type: parallel\ntask: {code: src, entry_script: s.py}"))
    assert found.arguments["mini_batch_size"] == 1
    assert found.arguments["mini_batch_timeout_s"] == 60
    assert found.arguments["output_action"] == "summary_only"


@pytest.mark.parametrize(("said", "taken"), [("100kb", "100KiB"), ("1mb", "1MiB"), ("2 GB", "2 GiB"), ("3", 3)])
def test_mini_batches_by_bytes_are_azures(job, said, taken):
    found = read_deployment(job(JOB.replace('mini_batch_size: "10"', f'mini_batch_size: "{said}"')))
    assert str(found.arguments["mini_batch_size"]).lower() == str(taken).lower()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [("compute:", "computer:", "did you mean 'compute'"),
     ("  code:", "  codes:", "task has the key 'codes'.*did you mean 'code'"),
     ("  entry_script: iris_prediction.py\n", "", "task has no entry_script"),
     ("inputs:\n", "partition_keys: [store]\ninputs:\n", r"partition_keys is \['store'\].*files of their own"),
     ("type: uri_folder, path: ./images, mode: ro_mount", "type: mltable, path: ./images, mode: direct",
      "inputs.images is an mltable with the mode direct.*DataFrames.*@task.score"),
     ('mini_batch_size: "10"', "mini_batch_size: many", "mini_batch_size is 'many'; .*100kb"),
     ("max_retries: 2", "max_retries: 0", "retry_settings.max_retries is 0"),
     ("--error_threshold 7", "--error_threshold many", "program_arguments.error_threshold is 'many'"),
     ("${{inputs.score_model}}", "${{inputs.scores}}", "refers to inputs.scores, which is not known here"),
     ("${{inputs.score_model}}", "${{inputs.images}}", "which is the data"),
     ("{type: uri_folder, path: ./iris-model, mode: download}", "${{parent.inputs.model}}", "only a pipeline resolves"),
     ("--top ${{ inputs.top }}", "--top 'unfinished", "no line of a shell"),
     ("top: 3", "top: {path: ./other}", "two folders, and inputs.top is the second")],
)  # fmt: skip
def test_what_has_no_counterpart_is_refused_by_name(job, old, new, says):
    assert old in JOB
    with pytest.raises(ConfigurationError, match=says) as raised:
        read_deployment(job(JOB.replace(old, new)))
    assert "job.yml" in str(raised.value)


def test_what_only_a_pipeline_resolves_may_be_given_beside_the_file(job):
    text = JOB.replace("{type: uri_folder, path: ./iris-model, mode: download}", "${{parent.inputs.model}}")
    found = arguments_of(job(text), {"model": "/models/iris"})
    assert found["program_arguments"][:2] == ["--model", "${model}"]
    assert found["model"] == "/models/iris"


def test_arguments_reach_the_script_with_the_models_path(bench):
    model = bench.folder / "iris-model" / "model.txt"
    model.parent.mkdir()
    model.write_text("iris")
    bench.write_files(1)
    script = bench.script("""
        import argparse

        def init():
            global arguments, model
            parser = argparse.ArgumentParser()
            for name in ("--model", "--top", "--to"):
                parser.add_argument(name)
            arguments, _ = parser.parse_known_args()
            model = Path(arguments.model, "model.txt").read_text()

        def run(mini_batch):
            note("run", mini_batch)
            Path(arguments.to, "beside.txt").write_text("x")
            return [f"{model} {arguments.top}"]
    """)
    arguments = ("--model", "${model}", "--top", "3", "--to", "${output}")
    _, record = bench.run(script, model=str(model.parent), program_arguments=arguments)
    assert bench.output(record, "predictions.csv") == b"predicted_label\niris 3\n"
    assert bench.output(record, "beside.txt") == b"x"
    other, _ = bench.run(script, model=str(model.parent), program_arguments=(*arguments[:3], "4", *arguments[4:]))
    assert len(bench.notes("run")) == 2  # other arguments are another job
    with pytest.raises(ConfigurationError, match=r"program_arguments has \$\{model\}.*Give model="):
        bench.run(script, program_arguments=arguments)
    assert other


def test_mini_batches_by_bytes_hold_what_stays_within_them(bench):
    bench.input.mkdir()
    for name, size in (("a", 40), ("b", 60), ("c", 1), ("d", 250), ("e", 10), ("f", 0)):
        (bench.input / name).write_bytes(b"x" * size)
    bench.run(bench.script("def run(mini_batch):\n    note('run', mini_batch)\n    return mini_batch"),
              mini_batch_bytes=100)  # fmt: skip
    assert sorted(bench.calls()) == [["a", "b"], ["c"], ["d"], ["e", "f"]]


SHUTTING = """
def run(mini_batch):
    note("run", mini_batch)
    time.sleep(0.2)
    return mini_batch

def shutdown():
    note("shutdown")
    {body}
"""


def test_shutdown_is_called_once_in_each_process_at_its_end(bench):
    bench.write_files(8)
    bench.run(bench.script(SHUTTING.format(body="pass")), mini_batch_size=1, max_concurrency_per_instance=2)
    processes = [process for _, process, _ in bench.notes("shutdown")]
    assert len(processes) == len(set(processes)) == 2
    assert set(processes) == {process for _, process, _ in bench.notes("run")}
    assert [kind for kind, _, _ in bench.notes()][-2:] == ["shutdown", "shutdown"]


@pytest.mark.parametrize(
    ("body", "told"),
    [("raise ValueError('no')", "ValueError: no"), ("os._exit(1)", "its process ended in it"),
     ("time.sleep(60)", "took longer"),
     ("Path(os.environ['AZUREML_BI_OUTPUT_PATH'], 'late.txt').write_text('x')", "late.txt, which is not part")],
)  # fmt: skip
def test_what_goes_wrong_in_shutdown_is_told_and_changes_nothing(bench, caplog, body, told):
    bench.write_files(1)
    _, record = bench.run(bench.script(SHUTTING.format(body=body)), mini_batch_timeout_s=1)
    assert record.items.files_failed == 0
    assert [part.name for part in record.parts] == ["predictions.csv"]
    assert told in caplog.text
