"""A prediction set's URI where a command takes data."""

from __future__ import annotations

import json

import pandas as pd
import pytest


@pytest.fixture
def scored(run, pinned):
    """``scored(dataset, output)``: the URI of its prediction set."""

    def scored(dataset, output, *more):
        arguments = [pinned[0], dataset, *pinned[1:], "--output", output, "--artifact-root", "store", "--json", *more]
        ended = run("score", *arguments)
        assert ended.status == 0, ended
        return json.loads(ended.out)["prediction_set"]

    return scored


@pytest.fixture
def moved(frame, tmp_path):
    path = tmp_path / "moved.parquet"
    frame.assign(a=frame["a"] * 100, b=frame["b"] * 100).to_parquet(path)
    return path


def test_it_is_scored_again(scored, batch):
    first = scored(batch, "1.parquet")
    scored(first, "2.parquet", "--label-columns", "second")
    before, after = pd.read_parquet("1.parquet"), pd.read_parquet("2.parquet")
    pd.testing.assert_frame_equal(after[list(before.columns)], before)
    assert after["second"].tolist() == before["predicted_label"].tolist()


def test_it_is_a_reference_and_what_is_compared_by_uri_or_path(run, scored, batch, moved):
    before, now = scored(batch, "1.parquet"), scored(moved, "2.parquet")
    for reference in (before, before.removeprefix("file://")):
        for current in (now, now.removeprefix("file://"), moved):
            assert run("drift", reference, current).status == 3
        assert run("drift", reference, before).status == 0


def test_a_baseline_is_made_of_it_and_a_job_tried_out_on_it(run, scored, pinned, batch):
    first = scored(batch, "1.parquet")
    assert "400 rows, 4 columns" in run("baseline", first, "--output", "baselines").err
    arguments = [pinned[0], first, *pinned[1:], "--label-columns", "second", "--artifact-root", "store", "--json"]
    assert json.loads(run("preflight", *arguments).out)["rows"] == 400


def test_its_text_is_verified_as_it_was_written(run, scored, tmp_path):
    frame = pd.DataFrame({"a": [0.5, 1.0], "b": [1.0, 2.0], "code": ["007", "08"]})
    frame.to_parquet(tmp_path / "in.parquet")
    first = scored(tmp_path / "in.parquet", "1.csv")
    second = scored(first, "2.parquet", "--label-columns", "second")
    assert pd.read_parquet("2.parquet")["code"].tolist() == ["007", "08"]
    ended = run("verify", second, "--inputs")
    assert ended.status == 0, ended


def test_other_records_are_refused_by_name(run, scored, pinned, batch):
    baseline = run("baseline", batch, "--output", "baselines").out.strip()
    for arguments in (
        ["score", pinned[0], baseline, *pinned[1:], "--output", "x.parquet"],
        ["baseline", baseline, "--output", "baselines"],
        ["drift", batch, baseline],
    ):
        ended = run(*arguments)
        assert "baseline" in str(ended.status)
        assert "prediction set" in str(ended.status)
