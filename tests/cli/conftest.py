"""A model file, datasets, and what runs a command through either entrance of the command line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_batch_inference.cli import main
from airflow_batch_inference.get_provider_info import _commands


@dataclass
class Ended:
    """How a command ended, and what it wrote where."""

    status: int | str
    out: str
    err: str


def through_airflow(arguments):
    from airflow.cli import cli_parser

    parsed = cli_parser.get_parser().parse_args(["batch-inference", *arguments])
    parsed.func(parsed)


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """``run("score", …)``: how the command ended; it runs in the test's folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, entrance=main):
        capsys.readouterr()
        status = 0
        try:
            entrance([str(each) for each in arguments])
        except SystemExit as ended:
            status = ended.code
        captured = capsys.readouterr()
        return Ended(status, captured.out, captured.err)

    return run


@pytest.fixture(params=["python -m", "airflow"])
def either_entrance(request):
    """This package's own entrance, then Airflow's where it has one for providers."""
    if request.param == "airflow" and not _commands():
        pytest.skip("this Airflow takes no commands of providers")
    return main if request.param == "python -m" else through_airflow


@pytest.fixture(scope="session")
def frame():
    rng = np.random.default_rng(3)
    return pd.DataFrame({"key": [f"k{i}" for i in range(400)], "a": rng.normal(size=400), "b": rng.normal(size=400)})


@pytest.fixture(scope="session")
def model_text(frame):
    parameters = {"objective": "binary", "num_leaves": 4, "num_threads": 1, "verbose": -1, "seed": 0}
    data = lightgbm.Dataset(frame[["a", "b"]], (frame["a"] + frame["b"] > 0).astype(int))
    return lightgbm.train(parameters, data, num_boost_round=5).model_to_string()


@pytest.fixture
def model(tmp_path, model_text):
    path = tmp_path / "risk.txt"
    path.write_text(model_text)
    return path


@pytest.fixture
def pinned(model):
    """The arguments that name the model and its digest: then it needs no trial in a child process."""
    return [str(model), "--sha256", hashlib.sha256(model.read_bytes()).hexdigest()]


@pytest.fixture
def code_model(tmp_path, frame):
    path = tmp_path / "risk.joblib"
    joblib.dump(LogisticRegression().fit(frame[["a", "b"]], frame["a"] > 0), path)
    return path


@pytest.fixture
def batch(tmp_path, frame):
    folder = tmp_path / "in"
    folder.mkdir()
    frame.iloc[:150].to_parquet(folder / "1.parquet")
    frame.iloc[150:].to_parquet(folder / "2.parquet")
    return folder
