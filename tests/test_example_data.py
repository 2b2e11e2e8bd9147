"""The data that the example DAGs bring along."""

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from airflow_batch_inference.example_data import CLASSES, PREDICTION, TRUTH, make_example_data


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return make_example_data(str(tmp_path_factory.mktemp("example")))


def local(uri):
    return Path(uri.removeprefix("file://"))


def test_the_digest_is_that_of_the_model_file(example):
    assert hashlib.sha256(local(example["model_uri"]).read_bytes()).hexdigest() == example["model_sha256"]


def test_made_twice_in_two_places_it_is_the_same_bytes(example, tmp_path):
    again = make_example_data(str(tmp_path))
    assert again["model_sha256"] == example["model_sha256"]
    for key in ("model_uri", "challenger_uri", "sample_set", "ordinary", "drifted", "labelled"):
        assert local(again[key]).read_bytes() == local(example[key]).read_bytes()


def test_what_lies_there_is_never_replaced_and_what_is_missing_is_made(tmp_path):
    first = make_example_data(str(tmp_path))
    local(first["model_uri"]).write_bytes(b"a model of my own")
    local(first["ordinary"]).unlink()
    second = make_example_data(str(tmp_path))
    assert local(second["model_uri"]).read_bytes() == b"a model of my own"
    assert second["model_sha256"] == hashlib.sha256(b"a model of my own").hexdigest()
    assert local(second["ordinary"]).exists()


def test_the_sample_set_has_the_batches_columns_and_the_prediction(example):
    sample = pd.read_parquet(local(example["sample_set"]))
    for batch in ("ordinary", "drifted"):
        assert [*pd.read_parquet(local(example[batch])), PREDICTION] == list(sample)
    assert sample[PREDICTION].between(0, 1).all()


def test_no_row_is_in_both_the_sample_set_and_the_ordinary_batch(example):
    sample, ordinary = (pd.read_parquet(local(example[key])) for key in ("sample_set", "ordinary"))
    assert len(sample) + len(ordinary) == 569
    assert sample.drop(columns=PREDICTION).merge(ordinary, how="inner").empty


def test_the_labelled_set_is_the_ordinary_batch_with_the_truth(example):
    labelled, ordinary = (pd.read_parquet(local(example[key])) for key in ("labelled", "ordinary"))
    assert labelled.drop(columns=TRUTH).equals(ordinary)
    assert labelled[TRUTH].value_counts().to_dict() == {"benign": 174, "malignant": 110}
    assert set(CLASSES) == set(labelled[TRUTH])
