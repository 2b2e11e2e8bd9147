"""``preflight`` by hand."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def preflight(run, pinned, tmp_path):
    def preflight(*dataset, **options):
        flags = [
            part
            for name, value in options.items()
            for part in ([f"--{name}"] if value is True else [f"--{name}", value])
        ]
        return run("preflight", pinned[0], *dataset, *pinned[1:], "--artifact-root", tmp_path / "store", *flags)

    return preflight


def test_a_job_that_can_run_is_ready_and_nothing_was_written(preflight, batch, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    ended = preflight(batch)
    assert ended.status == 0
    assert [line.split()[0] for line in ended.out.splitlines()] == ["ok", "ok", "ok", "ok", "estimate", "ready"]
    assert sorted(tmp_path.rglob("*")) == before


def test_problems_are_listed_and_the_status_is_1(preflight, batch, frame, tmp_path):
    frame.drop(columns="b").to_parquet(tmp_path / "less.parquet")
    ended = preflight(tmp_path / "less.parquet", **{"passthrough-columns": "nope", "predict-method": "guess"})
    assert ended.status == 1
    problems = [line for line in ended.out.splitlines() if line.startswith("PROBLEM")]
    assert len(problems) == 3
    assert all(any(word in line for line in problems) for word in ("'guess'", "'nope'", "'b'"))


def test_the_output_is_looked_at_and_not_written(preflight, batch, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert preflight(batch, output=tmp_path / "scores.csv").status == 0
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "theirs.csv").write_text("somebody's")
    ended = preflight(batch, output=tmp_path / "theirs.csv")
    assert ended.status == 1
    assert "PROBLEM" in ended.out
    assert "no manifest says that this package published it" in ended.out


def test_a_format_without_an_output_is_refused(preflight, batch):
    text = str(preflight(batch, **{"output-format": "csv"}).status)
    assert "the prediction set itself is always Parquet. Give --output, or leave --output-format out" in text


def test_as_json_it_has_the_findings_and_the_estimate(preflight, batch):
    found = json.loads(preflight(batch, json=True).out)
    assert found["is_ready"]
    assert found["estimate"]["timed_rows"] == 400


def test_an_untrusted_model_and_a_missing_dataset_are_both_told(run, code_model):
    ended = run("preflight", code_model, "nowhere.parquet", "--artifact-root", "store")
    assert ended.status == 1
    assert [line.split()[1] for line in ended.out.splitlines()[:2]] == [
        "UntrustedModelError:",
        "ArtifactNotFoundError:",
    ]
