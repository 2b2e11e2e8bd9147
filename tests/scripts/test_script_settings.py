"""The settings have Azure's defaults, and refuse what can never work."""

from __future__ import annotations

import json

import pytest

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.scripts.settings import ScriptSettings, table_format


def test_the_defaults_are_those_of_azure():
    settings = ScriptSettings()
    assert (settings.mini_batch_size, settings.max_concurrency_per_instance, settings.error_threshold) == (10, 1, -1)
    assert (settings.max_attempts, settings.mini_batch_timeout_s, settings.logging_level) == (3, 30, "info")
    assert (settings.output_action, settings.output_file_name) == ("append_row", "predictions.csv")


@pytest.mark.parametrize(
    ("setting", "says"),
    [({"mini_batch_size": 0}, "mini_batch_size is 0; it must be a whole number of at least 1"),
     ({"mini_batch_size": True}, "mini_batch_size is True"),
     ({"error_threshold": -2}, "or -1 for any number"),
     ({"max_attempts": 0}, "max_attempts is 0"),
     ({"mini_batch_timeout_s": 0}, "seconds above 0"),
     ({"progress_timeout_s": float("inf")}, "seconds above 0"),
     ({"allowed_failed_percent": 101}, "from 0 to 100"),
     ({"logging_level": "verbose"}, "'warning', 'info', 'debug'"),
     ({"output_file_name": "a/b.csv"}, "without a folder"),
     ({"output_file_name": ".."}, "without a folder"),
     ({"output_file_name": "out.csv.gz"}, "compressed"),
     ({"environment_variables": {"A=B": "1"}}, "'A=B'"),
     ({"environment_variables": {"A": "\0"}}, "'A'")],
)  # fmt: skip
def test_what_can_never_work_is_refused(setting, says):
    with pytest.raises(ConfigurationError, match=says):
        ScriptSettings(**setting)


def test_only_text_may_be_without_a_header():
    assert not ScriptSettings(header=False).has_header
    assert ScriptSettings(header=False, output_file_name="out.parquet").has_header


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.PARQUET", "parquet"),
        ("a.arrow", "arrow"),
        ("a.jsonl", "jsonl"),
        ("a.txt", "csv"),
        ("a", "csv"),
        ("x.json", "jsonl"),
        ("x.ndjson", "jsonl"),
        ("x.pq", "parquet"),
        ("x.feather", "arrow"),
        ("x.tsv", "csv"),
    ],
)
def test_the_suffix_says_the_format(name, kind):
    assert table_format(name) == kind


def test_the_document_says_the_format_of_every_suffix():
    import re
    from pathlib import Path

    from airflow_batch_inference.formats.names import SUFFIXES

    page = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith("| `output_file_name`")]
    csv, parquet, arrow, rest = row.partition("format: ")[2].split("; ", 3)
    said = {"csv": csv, "parquet": parquet, "arrow": arrow, "jsonl": rest.partition(";")[0]}
    found = {suffix: kind for kind, text in said.items() for suffix in re.findall(r"`(\.\w+)`", text)}
    # What is only read under its name: tabs between values, and a stream.
    assert found == {suffix: kind for suffix, kind in SUFFIXES.items() if suffix not in (".tsv", ".arrows")}


@pytest.mark.parametrize("name", ["scores.csv.gz", "SCORES.ARROWS"])
def test_what_is_only_read_under_a_name_is_not_written_under_it(name):
    with pytest.raises(ConfigurationError, match=r"a compressed file or a stream\. End it with one of \.parquet"):
        table_format(name)


def test_a_file_named_json_holds_json_lines(bench):
    bench.write_files(2)
    script = bench.script("def run(mini_batch):\n    return [{'a': 1, 'b': 'x'} for _ in mini_batch]")
    _, record = bench.run(script, output_file_name="x.json")
    assert [json.loads(line) for line in bench.output(record).splitlines()] == [{"a": 1, "b": "x"}] * 2
    assert record.parts[0].name == "x.json"
