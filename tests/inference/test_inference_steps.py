"""``infer`` with several models behind one another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from airflow_batch_inference import infer, parallel_infer
from airflow_batch_inference.exceptions import ConfigurationError


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps")
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(rng.normal(5, 3, (200, 3)), columns=["a", "b", "c"])
    first = LinearRegression().fit(frame, frame.to_numpy() @ rng.normal(size=(3, 2)))
    second = LinearRegression().fit(first.predict(frame), rng.normal(size=200))
    paths = [folder / "first.skops", folder / "second.skops"]
    for path, model in zip(paths, (first, second), strict=True):
        skops.io.dump(model, path)
    return [str(path) for path in paths], (first, second), frame


def test_conformance_7_two_steps_give_what_the_two_models_give_by_hand(steps):
    paths, (first, second), frame = steps
    answer = infer(paths, frame)
    assert answer["out.predicted_label"].to_numpy() == pytest.approx(second.predict(first.predict(frame)), rel=1e-12)
    assert answer.columns.tolist() == ["time", "in.a", "in.b", "in.c", "out.predicted_label", "check_failures"]


def test_conformance_4_elapsed_has_an_entry_for_the_input_and_for_each_step(steps):
    paths, _, frame = steps
    (elapsed,) = {tuple(each) for each in infer(paths, frame, dataset=["metadata.elapsed"])["metadata.elapsed"]}
    assert len(elapsed) == 3
    assert all(each > 0 for each in elapsed)


def test_the_last_model_is_named_and_the_version_is_that_of_all(steps):
    paths, _, frame = steps
    asked = ["metadata.last_model", "metadata.pipeline_version"]
    both, alone = (infer(model, data, dataset=asked) for model, data in ((paths, frame), (paths[0], frame)))
    assert both["metadata.last_model"][0]["model_name"] == "second"
    assert both["metadata.pipeline_version"][0] != alone["metadata.pipeline_version"][0]


def test_many_requests_and_bad_rows_go_through_the_steps_too(steps):
    paths, _, frame = steps
    one, other = frame[:3], pd.DataFrame({"a": ["1", "x"], "b": [1.0, 2.0], "c": [0.0, 0.0]})
    first, second = parallel_infer(paths, [one, other])
    assert first["out.predicted_label"].notna().all()
    assert second["out.predicted_label"].isna().tolist() == [False, True]
    assert "'x'" in second["error"][1]


def test_a_list_that_holds_no_models_is_refused(steps):
    paths, _, frame = steps
    with pytest.raises(ConfigurationError, match="must not be empty"):
        infer([], frame)
    with pytest.raises(ConfigurationError, match="Give records of models"):
        infer(paths, frame, sha256="0" * 64)
    with pytest.raises(TypeError, match="one is a StandardScaler"):
        infer([paths[0], StandardScaler()], frame)
