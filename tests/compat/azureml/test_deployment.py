"""Azure's deployment files: every key is taken, ignored in words, or refused by name."""

from __future__ import annotations

import pytest

from airflow_batch_inference.compat.azureml.deployment import arguments_of, read_deployment
from airflow_batch_inference.exceptions import ConfigurationError


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "deployment.yml"
        path.write_text(text)
        return read_deployment(path)

    return read


def test_settings_stand_at_the_top_or_in_their_section(read):
    retry = "retry_settings: {max_retries: 2, timeout: 60}"
    top = read(f"mini_batch_size: 5\nerror_threshold: 3\noutput_action: SUMMARY_ONLY\n{retry}\n")
    nested = read(f"settings: {{mini_batch_size: 5, error_threshold: 3, output_action: summary_only, {retry}}}")
    expected = {
        "mini_batch_size": 5,
        "error_threshold": 3,
        "output_action": "summary_only",
        "max_attempts": 2,
        "mini_batch_timeout_s": 60,
    }
    assert top.arguments == nested.arguments == expected


def test_further_settings_of_the_engine_are_known(read):
    found = read("settings: {mini_batch_error_threshold: 4, allowed_failed_percent: 50, progress_update_timeout: 600}")
    assert found.arguments["mini_batch_error_threshold"] == 4
    assert found.arguments["allowed_failed_percent"] == 50
    assert found.arguments["progress_timeout_s"] == 600


def test_paths_are_relative_to_the_file_and_uris_stay(read, tmp_path):
    found = read("model: ./model\ncode_configuration: {code: ../src, scoring_script: score.py}")
    assert found.arguments["model"] == str(tmp_path / "model")
    assert found.arguments["code"] == str(tmp_path.parent / "src")
    assert found.arguments["scoring_script"] == "score.py"
    assert "output_schema" not in found.arguments
    alone = read("model: {path: 's3://models/churn'}\ncode_configuration: {scoring_script: score.py}")
    assert alone.arguments["model"] == "s3://models/churn"
    assert alone.arguments["scoring_script"] == str(tmp_path / "score.py")


def test_what_is_given_beside_the_file_wins(tmp_path):
    path = tmp_path / "deployment.yml"
    path.write_text("model: azureml:churn:3\nmini_batch_size: 5")
    assert arguments_of(path, {"model": "/m", "mini_batch_size": 7})["mini_batch_size"] == 7
    with pytest.raises(ConfigurationError, match=r"azureml:churn:3.*az ml model download"):
        arguments_of(path, {})


@pytest.mark.parametrize(
    ("text", "says"),
    [("mini_batch_sise: 5", "'mini_batch_sise' is not supported.*did you mean 'mini_batch_size'"),
     ("settings: {timeout: 5}", "settings has the key 'timeout', which is unknown"),
     ("retry_settings: {max_tries: 5}", "did you mean 'max_retries'"),
     ("partition_keys: [region]", "partition_keys.*Give the rows of each key files of their own"),
     ("settings: {partition_keys: [region]}", "settings.partition_keys is not supported.*files of their own"),
     ("type: pipeline", "only deployments of a model"),
     ("type: pipeline\njobs: {score: {type: parallel}}", r"parallel jobs .* in a file of their own.*\(score\)"),
     ("code_configuration: {code: src}", "has no scoring_script"),
     ("environment_variables: {DEBUG: true}", "put it in quotes"),
     ("environment_variables: [A]", "must be a mapping"),
     ("resources: {instance_count: 0}", "instance_count is 0"),
     ("model: 3", "model is 3"),
     ("mini_batch_size: [1]", "must be one value"),
     ("mini_batch_size: 1mb", r"deployment\.yml: mini_batch_size is '1mb'; .*number of files.*mini_batch_size='1mb'"),
     ("settings: {mini_batch_size: 0}", r"settings\.mini_batch_size is 0; .* at least 1"),
     ("settings: {mini_batch_size: 2.5}", r"settings\.mini_batch_size is 2\.5; .* whole number"),
     ("settings: {retry_settings: {max_retries: 0}}", r"settings\.retry_settings\.max_retries is 0; .* 1.*in all"),
     ("retry_settings: {timeout: 0}", r"retry_settings\.timeout is 0; .*seconds above 0"),
     ("retry_settings: {timeout: PT30S}", r"retry_settings\.timeout is 'PT30S'"),
     ("settings: {error_threshold: -2}", r"settings\.error_threshold is -2; .* at least -1"),
     ("settings: {allowed_failed_percent: 101}", "from 0 to 100"),
     ("settings: {output_action: append_rows}", r"settings\.output_action is 'append_rows'.*did you mean 'append_row'"),
     ("settings: {logging_level: loud}", "one of warning, info, debug"),
     ("settings: {output_file_name: a/b.csv}", r"settings\.output_file_name is 'a/b\.csv'; .*without a folder"),
     ("settings: {max_concurrency_per_instance: true}", "max_concurrency_per_instance is True"),
     ("settings: {instance_count: none}", "settings.instance_count is 'none'"),
     ("settings: {environment_variable: {A: b}}", "did you mean 'environment_variables'"),
     ("settings: {environment_variables: {A: true}}", r"settings\.environment_variables\.A is True; put it in quotes"),
     ("resources: {instance_counts: 1}", "did you mean 'instance_count'"),
     ("model: {paths: x}", "did you mean 'path'"),
     ("mini_batch_size: 5\nsettings: {mini_batch_size: 6}", "mini_batch_size is 5, and settings.mini_batch_size is 6"),
     ("resources: {instance_count: 2}\nsettings: {instance_count: 3}", "instance_count is 3, and .* is 2. Say it once"),
     ("- a list", "must be a mapping"),
     ("a: [", "cannot be read")],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_by_name(read, text, says):
    with pytest.raises(ConfigurationError, match=says):
        read(text)


def test_variables_and_machines_may_stand_in_the_settings(read):
    for text in ("settings: {environment_variables: {A: 1, B: x}, instance_count: 3}",
                 "environment_variables: {A: 1, B: x}\ninstance_count: 3",
                 "environment_variables: {A: 1, B: x}\ncompute: {target: azureml:c, instance_count: 3}",
                 "environment_variables: {A: 1, B: x}\nresources: {instance_count: 3}"):  # fmt: skip
        found = read(text)
        assert found.arguments["environment_variables"] == {"A": "1", "B": "x"}
        assert found.instance_count == 3


def test_a_value_that_is_given_beside_the_file_is_not_looked_at_there(tmp_path):
    path = tmp_path / "deployment.yml"
    path.write_text("settings: {mini_batch_size: 1mb, retry_settings: {max_retries: 0}}")
    found = arguments_of(path, {"mini_batch_size": "1mb", "max_attempts": 1, "model": "/m"})
    assert (found["mini_batch_size"], found["max_attempts"]) == ("1mb", 1)


def test_an_environment_is_told_with_what_to_give_here(tmp_path, caplog):
    path = tmp_path / "deployment.yml"
    path.write_text("environment: {name: torch, image: 'reg/torch:1', conda_file: env/conda.yaml}")
    with caplog.at_level("INFO"):
        arguments_of(path, {"model": "/m"})
    assert "environment (conda_file env/conda.yaml, image reg/torch:1, name torch) is not built" in caplog.text
    assert "requirements='/path/requirements.txt'" in caplog.text
    caplog.clear()
    with caplog.at_level("INFO"):
        arguments_of(path, {"model": "/m", "python": "/opt/env/bin/python"})
    assert "not built" not in caplog.text


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.yml cannot be read"):
        read_deployment(tmp_path / "none.yml")
