"""The kernel gives LightGBM's own bits, whatever kind of model it is; what it does not cover is refused by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

import lightgbm
import lightgbm_models as models
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from same_bits import difference, difference_on, scorer_of

from airflow_batch_inference.flavors.forests import forest
from airflow_batch_inference.flavors.forests.forest import NotCoveredError
from airflow_batch_inference.flavors.lightgbm.forest import read_trees
from airflow_batch_inference.flavors.lightgbm.trees import lightgbm_source
from airflow_batch_inference.trees.compiled import apply_link

SEEDS = range(12)
LONG_SEEDS = range(1000, 1300)


def require_same(seed, folder, objective=None, rows=2000):
    booster, data = models.random_booster(seed, objective)
    model = models.load(booster, folder)
    batch = models.table(model, models.odd_rows(np.random.default_rng(seed), data, rows))
    assert difference(model, batch) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_each_objective_has_the_same_bits(seed, tmp_path):
    require_same(seed, tmp_path, models.OBJECTIVES[seed % len(models.OBJECTIVES)])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_three_hundred_random_models_have_the_same_bits(tmp_path):
    for seed in LONG_SEEDS:
        require_same(seed, tmp_path)


@pytest.mark.parametrize("missing", ["none", "nan", "zero"])
@pytest.mark.parametrize("boosting", ["gbdt", "dart", "rf"])
def test_missing_values_and_modes_have_the_same_bits(missing, boosting, tmp_path):
    rng = np.random.default_rng(7)
    data = models.training_rows(rng, 500, 5, missing=missing)
    given = {"objective": "binary", "boosting": boosting, "bagging_freq": 1, "bagging_fraction": 0.5, "verbose": -1,
             "zero_as_missing": missing == "zero", "use_missing": missing != "none", "num_threads": 1}  # fmt: skip
    label = models.target(rng, data, "binary")
    model = models.load(lightgbm.train(given, lightgbm.Dataset(data, label), 15), tmp_path)

    assert difference(model, models.table(model, models.odd_rows(rng, data, 3000))) is None


def test_a_split_by_a_set_of_categories_has_the_same_bits(tmp_path):
    booster, data = models.random_booster(3, "regression", with_categories=True)
    model = models.load(booster, tmp_path)

    assert scorer_of(model)[0].ensemble.sets is not None
    assert difference(model, models.table(model, models.odd_rows(np.random.default_rng(0), data, 5000))) is None


def test_pandas_categories_and_nulls_have_the_same_bits(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"city": rng.choice(["Aachen", "Bonn", "Celle"], size=400), "x": rng.normal(size=400)})
    frame["city"] = frame["city"].astype("category")
    label = (frame["city"] == "Bonn") * 2.0 + frame["x"]
    dataset = lightgbm.Dataset(frame, label, categorical_feature=["city"])
    booster = lightgbm.train({"objective": "regression", "verbose": -1, "min_data_per_group": 5}, dataset, 20)
    model = models.load(booster, tmp_path)
    batch = pa.table({"city": ["Bonn", "Celle", None, "Dresden"], "x": [0.5, None, 1.0, 2.0]})

    assert difference(model, batch) is None


def test_integers_booleans_and_single_numbers_are_taken_as_the_flavor_takes_them(tmp_path):
    booster, data = models.random_booster(5, "regression", with_categories=False)
    model = models.load(booster, tmp_path)
    whole = np.nan_to_num(data[:300]).round()
    columns = [pa.array(column) for column in whole.T]
    columns[0] = columns[0].cast(pa.float32())
    columns[1] = columns[1].cast(pa.int32())
    columns[2] = pa.array(whole[:, 2] > 0)
    batch = pa.table(columns, names=[f"f{place}" for place in range(len(columns))])

    assert difference(model, batch) is None
    assert difference(model, pa.concat_tables([batch.slice(0, 100), batch.slice(100)])) is None


def test_a_tree_of_one_leaf_has_the_same_bits(tmp_path):
    booster = lightgbm.train(
        {"objective": "regression", "verbose": -1}, lightgbm.Dataset(np.zeros((60, 2)), np.arange(60.0)), 3
    )
    model = models.load(booster, tmp_path)

    assert difference(model, pa.table({"a": [1.0, None], "b": [2.0, 3.0]})) is None


def test_a_line_of_the_header_that_is_not_known_is_refused_by_name(tmp_path):
    booster, _ = models.random_booster(5, "regression_l1", with_categories=False)
    text = booster.model_to_string()
    with pytest.raises(NotCoveredError, match="'something_new'"):
        read_trees(text.replace("label_index=0", "label_index=0\nsomething_new=1"))


def test_an_objective_that_is_not_known_is_refused_by_name(tmp_path):
    model = models.load(models.random_booster(5, "fair")[0], tmp_path)
    text = model.booster.model_to_string().replace("objective=fair", "objective=theirs")
    with pytest.raises(NotCoveredError, match="objective is 'theirs'"):
        lightgbm_source(replace(model, booster=FakeBooster(text)), apply_link)


@dataclass
class FakeBooster:
    """A booster of which only the text is asked."""

    text: str

    def model_to_string(self, num_iteration):
        return self.text


def test_sets_that_are_too_large_are_refused_by_name(tmp_path, monkeypatch):
    model = models.load(models.random_booster(3, "regression", with_categories=True)[0], tmp_path)
    words = sum(map(len, scorer_of(model)[1].forest.sets))
    monkeypatch.setattr(forest, "_MOST_WORDS", words)
    assert difference(model) is None
    monkeypatch.setattr(forest, "_MOST_WORDS", words - 1)

    with pytest.raises(NotCoveredError, match=f"sets of categories take {words} words"):
        scorer_of(model)


def test_linear_leaves_are_refused_by_name(tmp_path):
    data = np.random.default_rng(0).normal(size=(200, 3))
    given = {"objective": "regression", "linear_tree": True, "verbose": -1}
    model = models.load(lightgbm.train(given, lightgbm.Dataset(data, data.sum(axis=1)), 3), tmp_path)

    with pytest.raises(NotCoveredError, match="linear"):
        scorer_of(model)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(*[st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([1e-35, -1e-35, 0.0, 31.0])] * 3),
        min_size=1,
        max_size=40,
    )
)
def test_any_numbers_have_the_same_bits(rows, some_model):
    model, scorer = some_model
    assert difference_on(scorer, models.table(model, np.array(rows)), ("predict", "predict_proba")) is None


@pytest.fixture(scope="module")
def some_model(tmp_path_factory):
    rng = np.random.default_rng(0)
    data = models.training_rows(rng, 300, 3, missing="zero")
    given = {"objective": "multiclass", "num_class": 3, "zero_as_missing": True, "verbose": -1, "num_leaves": 6}
    dataset = lightgbm.Dataset(data, models.target(rng, data, "multiclass"), categorical_feature=[1])
    model = models.load(lightgbm.train(given, dataset, 3), tmp_path_factory.mktemp("model"))
    return model, scorer_of(model)[0]
