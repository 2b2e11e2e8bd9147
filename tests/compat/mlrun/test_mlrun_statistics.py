"""MLRun's statistics as a baseline: its numbers come out to 1e-12, and what they do not say is not made up.

``stats_of`` is written from the form that MLRun's ``get_df_stats`` gives (pandas' ``describe`` and numpy's histogram);
the expected numbers are written from the contract, with numpy alone.
"""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airflow_batch_inference.compat.mlrun.statistics import read_statistics, statistics_baseline
from airflow_batch_inference.drift.analysis import Roles, analyse
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.drift.rules.registry import make_rule
from airflow_batch_inference.drift.wiring import problem
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.storage.store import Storage


def stats_of(frame, *, padded=False, bins=20):
    """The statistics that MLRun stores with a model that was trained on a frame."""
    found = {}
    for name, values in frame.describe(include="all", percentiles=[]).items():
        kept = {stat: value for stat, value in values.dropna().items() if stat != "50%"}
        plain = {stat: value.item() if hasattr(value, "item") else value for stat, value in kept.items()}
        if pd.api.types.is_numeric_dtype(frame[name]) and not frame[name].isna().any():
            counts, edges = np.histogram(frame[name].astype(float), bins=bins)
            plain["hist"] = [counts.tolist(), edges.tolist()]
            if padded:
                most = sys.float_info.max
                plain["hist"] = [[0, *plain["hist"][0], 0], [-most, *plain["hist"][1], most]]
        found[name] = plain
    return found


def contract(hist, count, inputs, edges):
    """TVD, Hellinger and KLD of one column, from a stored histogram."""
    counts, bins = (np.asarray(side, dtype=float) for side in hist)
    current, _ = np.histogram(inputs, bins=bins)
    if edges == "padded":
        counts = np.concatenate([[0], counts, [0]])
        current = np.concatenate([[(inputs < bins[0]).sum()], current, [(inputs > bins[-1]).sum()]])
    p, q = current / len(inputs), counts / count
    kld = 0.0
    for a, b in ((p, q), (q, p)):
        kld += sum(x * math.log(x / (y or 1e-4)) for x, y in zip(a, b, strict=True) if x)
    return np.abs(p - q).sum() / 2, math.sqrt(max(0.0, 1 - np.sqrt(p * q).sum())), kld


def judged(baseline, frame, **rule):
    table = pa.Table.from_pandas(frame, preserve_index=False)
    profiler = Profiler(baseline.columns)
    profiler.add(table)
    rule = make_rule(**{"name": "effect", **rule})
    result = analyse(baseline, profiler.profile(), column_names=table.column_names, rule=rule, roles=Roles())
    return result, problem(result, baseline, table.column_names, rule)


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "normal": rng.normal(size=3000),
            "skewed": rng.gamma(1.0, 20_000.0, 3000),
            "whole": rng.integers(0, 12, 3000),
            "constant": np.full(3000, 3.1),
            "flag": rng.random(3000) < 0.3,
            "short": rng.normal(size=3000).astype(np.float32),
        }
    )


@pytest.fixture(scope="module")
def inputs(sample):
    rng = np.random.default_rng(5)
    moved = sample.sample(800, random_state=1).reset_index(drop=True)
    return moved.assign(
        normal=moved["normal"] + 0.8, skewed=moved["skewed"] * 1.5, flag=rng.random(800) < 0.7, constant=3.3
    )


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("edges", ["padded", "open"])
def test_mlruns_numbers_come_out_of_its_histograms(sample, inputs, edges, padded):
    statistics = json.loads(json.dumps(stats_of(sample, padded=padded)))
    result, wrong = judged(statistics_baseline(statistics, where="x"), inputs, name="mlrun", edges=edges)
    assert wrong is None
    plain = stats_of(sample)
    found = {column.name: column.metrics for column in result.columns}
    assert set(found) == set(sample.columns)
    expected = {}
    for name, stored in plain.items():
        expected[name] = contract(stored["hist"], stored["count"], inputs[name].to_numpy(float), edges)
        tvd, distance, kld = expected[name]
        assert found[name]["mlrun_tvd"] == pytest.approx(tvd, abs=1e-12), name
        assert found[name]["mlrun_hellinger"] == pytest.approx(distance, abs=1e-12), name
        assert found[name]["mlrun_kld"] == pytest.approx(kld, abs=1e-12), name
    tvds, distances, _ = (np.mean(side) for side in zip(*expected.values(), strict=True))
    assert result.drift_metric == pytest.approx((tvds + distances) / 2, abs=1e-12)


def test_the_sample_set_itself_has_no_drift_under_either_rule(sample):
    baseline = statistics_baseline(stats_of(sample), where="x")
    for rule in ("mlrun", "effect"):
        result, _ = judged(baseline, sample, name=rule)
        assert str(result.status) == "NO_DRIFT", result.reasons
        assert all(column.metrics["mlrun_drift"] == 0 for column in result.columns)
    assert any("MLRun's statistics" in reason for reason in result.reasons)


@pytest.mark.parametrize("column", ["normal", "skewed", "whole", "short", "constant"])
def test_the_rule_effect_sees_a_moved_mean_and_says_no_more_than_is_known(sample, column):
    shift = sample[column].std() * 0.5 or 1.0
    result, _ = judged(
        statistics_baseline(stats_of(sample), where="x"), sample.assign(**{column: sample[column] + shift})
    )
    found = next(each for each in result.columns if each.name == column)
    assert str(found.status) == "DRIFT_DETECTED"
    assert "w1" not in found.metrics
    if column != "constant":
        assert found.metrics["w1_sd"] == pytest.approx(0.5, rel=1e-3)


def test_the_range_is_known_to_the_last_digit(sample):
    baseline = statistics_baseline(stats_of(sample), where="x")
    outside = sample.assign(normal=np.where(np.arange(3000) < 300, sample["normal"].max() + 1e-9, sample["normal"]))
    result, _ = judged(baseline, outside)
    found = {column.name: column.out_of_range_fraction for column in result.columns}
    assert found["normal"] == 0.1
    assert [found[name] for name in ("skewed", "whole", "constant", "short")] == [0, 0, 0, 0]


def test_columns_without_a_histogram_are_named_and_the_others_compared(sample):
    frame = sample[["normal"]].assign(town="x", day=pd.Timestamp("2026-01-01"), holes=[None, *sample["normal"][1:]])
    baseline = statistics_baseline(stats_of(frame), where="x")
    assert [column.profile.name for column in baseline.columns] == ["normal"]
    assert set(baseline.skipped) == {"town", "day", "holes"}
    result, _ = judged(baseline, frame, name="mlrun")
    assert any("town (in the reference: MLRun's statistics hold no histogram of it)" in each for each in result.reasons)


@pytest.mark.parametrize(
    ("hist", "said"),
    [
        ([[1, 2], [0.0, 1.0]], "one edge more than counts"),
        ([[1, 2], [0.0, 1.0, 1.0]], "increasing"),
        ([[0.25, 0.75], [0.0, 1.0, 2.0]], "shares"),
        ([[1, 1], [0.0, 1.0, 2.0]], "holds 2 of its 3 values"),
        ([[1, 1, 1, 0], [-sys.float_info.max, 0.0, 1.0, 2.0, sys.float_info.max]], "of scored data"),
        ("text", "one edge more"),
        ([[-1, 4], [0.0, 1.0, 2.0]], "no counts"),
    ],
)
def test_a_histogram_that_is_none_is_named(hist, said):
    good = {"count": 3.0, "mean": 1.0, "hist": [[1, 2], [0.0, 1.0, 2.0]]}
    baseline = statistics_baseline({"a": good, "b": {"count": 3.0, "hist": hist}}, where="x")
    assert said in baseline.skipped["b"]
    with pytest.raises(ConfigurationError, match="None of the columns"):
        statistics_baseline({"b": {"count": 3.0, "hist": hist}}, where="x")


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"feature_stats": s}, lambda s: {"spec": {"feature_stats": s}}]
)
def test_files_are_read_and_what_holds_the_statistics_is_unwrapped(sample, tmp_path, wrap):
    import yaml

    expected = statistics_baseline(stats_of(sample), where="x")
    (tmp_path / "stats.json").write_text(json.dumps(wrap(stats_of(sample))))
    (tmp_path / "model_spec.yaml").write_text(
        yaml.safe_dump(wrap(json.loads(json.dumps(stats_of(sample)))), sort_keys=False)
    )
    for name in ("stats.json", "model_spec.yaml"):
        assert read_statistics(str(tmp_path / name), Storage()).data_sha256 == expected.data_sha256


@pytest.mark.parametrize("document", [{}, {"a": [1, 2]}, {"a": {"x": 1}}, [1], {"feature_stats": {}}])
def test_what_holds_no_statistics_is_refused(document):
    with pytest.raises(ConfigurationError, match="neither a baseline nor MLRun's statistics"):
        statistics_baseline(document, where="x")
