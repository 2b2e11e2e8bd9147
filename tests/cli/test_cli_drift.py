"""``drift``: the verdict in words, and as an exit status."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from airflow_batch_inference.cli.drift import DRIFTED


@pytest.fixture
def shifted(frame, tmp_path):
    path = tmp_path / "shifted.parquet"
    frame.assign(a=frame["a"] + 3).to_parquet(path)
    return path


def test_the_same_data_have_not_drifted_and_the_status_is_0(run, batch):
    ended = run("drift", batch, batch)
    assert ended.status == 0
    assert ended.out.startswith("verdict  NO_DRIFT\n")


def test_drift_is_status_3_with_columns_numbers_and_words(run, batch, shifted):
    ended = run("drift", batch, shifted)
    assert ended.status == DRIFTED == 3
    assert "verdict  DRIFT_DETECTED" in ended.out
    assert "a: " in ended.out
    row = next(line.split() for line in ended.out.splitlines() if line.startswith("a  "))
    assert row[1] == "DRIFT_DETECTED"
    assert float(row[2]) > 2


def test_an_error_is_status_1(run, batch):
    assert str(run("drift", batch, "nowhere.parquet").status).startswith("ArtifactNotFoundError")


def test_the_report_is_a_page_where_it_was_asked_for(run, batch, shifted):
    ended = run("drift", batch, shifted, "--html", "report.html")
    assert Path("report.html").read_text().startswith("<!doctype html>")
    assert "report.html" in ended.out


def test_a_stored_baseline_is_a_reference(run, batch, shifted):
    uri = run("baseline", batch, "--output", "baselines").out.strip()
    found = json.loads(run("drift", uri, shifted, "--json").out)
    assert (found["status"], found["baseline_uri"]) == ("DRIFT_DETECTED", uri)


def test_prediction_sets_are_compared_with_each_other(run, pinned, batch, shifted):
    def scored(dataset, output):
        arguments = [pinned[0], dataset, *pinned[1:], "--output", output, "--artifact-root", "store", "--json"]
        return json.loads(run("score", *arguments).out)["prediction_set"]

    before, now = scored(batch, "1.parquet"), scored(shifted, "2.parquet")
    assert run("drift", before, before).status == 0
    found = json.loads(run("drift", before, now, "--json").out)
    assert found["status"] == "DRIFT_DETECTED"
    assert {"a", "predicted_label"} <= {
        column["name"] for column in found["columns"] if column["status"] == "DRIFT_DETECTED"
    }


def test_the_rule_and_its_limits_are_options(run, batch, shifted):
    found = json.loads(
        run(
            "drift",
            batch,
            shifted,
            "--rule",
            "mlrun",
            "--drift-threshold",
            "0.99",
            "--possible-drift-threshold",
            "0.9",
            "--json",
        ).out
    )
    assert (found["rule"], found["status"]) == ("mlrun", "NO_DRIFT")
    assert run("drift", batch, shifted, "--ignore-columns", "a").status == 0
    assert "--min-rows is 'few'" in str(run("drift", batch, shifted, "--min-rows", "few").status)


def test_a_record_that_is_no_reference_is_refused(run, batch, tmp_path):
    from airflow_batch_inference.records import StatisticsRecord
    from airflow_batch_inference.storage.store import Storage

    uri = Storage().put_record(str(tmp_path), "x", StatisticsRecord(rows=0, source=(), columns=(), skipped={}))
    assert "is neither a dataset, a prediction set" in str(run("drift", uri, batch).status)


def test_mlruns_statistics_are_a_reference(run, frame, batch, shifted):
    columns = ["a", "b"]
    statistics = {
        name: {
            "count": 400.0,
            "mean": frame[name].mean(),
            "std": frame[name].std(),
            "hist": [side.tolist() for side in np.histogram(frame[name], bins=20)],
        }
        for name in columns
    }
    Path("stats.json").write_text(json.dumps(statistics))
    assert run("drift", "stats.json", batch).status == 0
    found = json.loads(run("drift", "stats.json", shifted, "--rule", "mlrun", "--drift-threshold", "0.4", "--json").out)
    assert (found["status"], found["baseline_uri"]) == ("DRIFT_DETECTED", None)


def test_a_label_of_the_reference_is_named(run, frame, batch, tmp_path):
    frame.assign(churned=1).to_parquet(tmp_path / "train.parquet")
    assert "churned" in run("drift", "train.parquet", batch).out
    assert "churned" not in run("drift", "train.parquet", batch, "--target-column", "churned").out


def test_data_and_a_reference_that_share_no_column_are_an_error(run, frame, batch, tmp_path):
    frame.rename(columns=str.upper).to_parquet(tmp_path / "other.parquet")
    assert "share no column" in str(run("drift", batch, "other.parquet").status)
