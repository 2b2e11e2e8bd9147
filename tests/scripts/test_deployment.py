"""Azure's deployment files: every key is taken, ignored in words, or refused by name."""

from __future__ import annotations

import pytest

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.scripts.deployment import arguments_of, read_deployment


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
        "output_schema": "azure",
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
     ("type: pipeline", "only deployments of a model"),
     ("code_configuration: {code: src}", "has no scoring_script"),
     ("environment_variables: {DEBUG: true}", "put it in quotes"),
     ("environment_variables: [A]", "must be a mapping"),
     ("resources: {instance_count: 0}", "instance_count is 0"),
     ("model: 3", "model is 3"),
     ("mini_batch_size: [1]", "must be one value"),
     ("- a list", "must be a mapping"),
     ("a: [", "cannot be read")],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused_by_name(read, text, says):
    with pytest.raises(ConfigurationError, match=says):
        read(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.yml cannot be read"):
        read_deployment(tmp_path / "none.yml")
