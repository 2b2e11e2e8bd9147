from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.categories import pandas_categories
from airflow_batch_inference.flavors.lightgbm.flavor import TEXT, LightGBMFlavor

PARAMETERS = {
    "objective": "binary",
    "verbose": -1,
    "num_leaves": 6,
    "min_data_in_leaf": 4,
    "min_data_per_group": 1,
    "cat_smooth": 1,
    "num_threads": 1,
}
ROWS = 150


def train(data, target=None, parameters=PARAMETERS, **dataset):
    target = np.tile([0, 0, 1], len(data) // 3) if target is None else target
    return lgb.train(parameters, lgb.Dataset(data, target, **dataset), 6)


def load(booster, path):
    booster.save_model(path)
    return LightGBMFlavor().load(path, model_format=TEXT, trusted=(), options={})


@pytest.fixture
def numbers():
    return pd.DataFrame(np.random.default_rng(1).normal(size=(ROWS, 3)), columns=["a", "b", "c"])


@pytest.fixture
def towns():
    rng = np.random.default_rng(2)
    town = rng.choice(["Ulm", "Köln", "Bonn, Rhein"], ROWS)
    data = pd.DataFrame({"a": rng.normal(size=ROWS), "town": pd.Categorical(town)})
    return data, (town == "Ulm").astype(int)


def test_blanks_in_names_are_the_underscores_that_lightgbm_writes(numbers, tmp_path):
    booster = train(numbers.rename(columns={"a": "net price"}))
    assert load(booster, tmp_path / "m.txt").feature_names == ("net_price", "b", "c")


@pytest.mark.parametrize(
    "kwargs",
    [{"raw_score": True}, {"num_iteration": 2}, {"pred_leaf": True}, {"pred_contrib": True}],
    ids=lambda kwargs: next(iter(kwargs)),
)
def test_arguments_of_predict_reach_the_booster(numbers, tmp_path, kwargs):
    booster = train(numbers, (numbers["a"] > 0).astype(int))
    model = load(booster, tmp_path / "m.txt")
    batch = pa.Table.from_pandas(numbers, preserve_index=False)
    expected = booster.predict(numbers, **kwargs)
    np.testing.assert_array_equal(model.predict(batch, kwargs=kwargs), expected)
    assert not np.array_equal(expected, booster.predict(numbers))


def test_integers_booleans_and_nulls_are_numbers_to_a_model_without_types(numbers, tmp_path):
    data = pd.DataFrame({"i": np.arange(ROWS) % 9, "f": numbers["a"], "t": numbers["b"] > 0})
    booster = train(data.to_numpy(dtype=float), (data["f"] > 0).astype(int))
    batch = pa.table({"i": [1, None, 3], "f": [0.5, -0.5, None], "t": [True, False, None]})
    model = load(booster, tmp_path / "m.txt")
    expected = booster.predict(np.array([[1, 0.5, 1], [np.nan, -0.5, 0], [3, np.nan, np.nan]]))
    np.testing.assert_array_equal(model.predict(batch), expected)


def test_probabilities_are_refused_where_the_objective_has_none(numbers, tmp_path):
    booster = train(numbers, numbers["a"], PARAMETERS | {"objective": "regression"})
    with pytest.raises(
        ConfigurationError,
        match=r"no method 'predict_proba'. Choose one of: predict, raw_score, leaf_index, contr",
    ):
        load(booster, tmp_path / "m.txt").predict(
            pa.Table.from_pandas(numbers, preserve_index=False), method="predict_proba"
        )


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_missing_and_unseen_categories_score_as_in_lightgbm_itself(towns, tmp_path, kind):
    booster = train(*towns)
    model = load(booster, tmp_path / "m.txt")
    assert [(spec.name, spec.type) for spec in model.inputs] == [("a", "double"), ("town", "string")]
    values = ["Ulm", None, "Paris", "Köln", "Bonn, Rhein", "ulm"]
    numbers = np.linspace(-1, 1, len(values))
    expected = booster.predict(pd.DataFrame({"a": numbers, "town": pd.Categorical(values)}))
    predicted = model.predict(pa.table({"a": numbers, "town": pa.array(values, pa.string()).cast(kind)}))
    np.testing.assert_array_equal(predicted, expected)
    assert predicted[0] > predicted[1]


@pytest.mark.parametrize(
    ("categories", "arrow"),
    [([30, 7, 110], "int64"), ([True, False], "bool"), ([0.5, 1.5, -2.0], "double")],
    ids=["int", "bool", "float"],
)
def test_categories_that_are_no_strings_keep_their_type(tmp_path, categories, arrow):
    values = np.random.default_rng(3).choice(categories, ROWS)
    data = pd.DataFrame({"x": np.linspace(0, 1, ROWS), "c": pd.Categorical(values)})
    booster = train(data, (values == categories[0]).astype(int))
    model = load(booster, tmp_path / "m.txt")
    assert model.inputs[1].type == arrow
    predicted = model.predict(pa.table({"x": data["x"].to_numpy(), "c": values}))
    np.testing.assert_array_equal(predicted, booster.predict(data))
    assert len(np.unique(predicted)) > 1


def test_a_numeric_column_marked_as_categorical_stays_a_number(numbers, tmp_path):
    data = numbers.assign(k=np.arange(ROWS) % 4)
    booster = train(data, (data["k"] == 2).astype(int), categorical_feature=["k"])
    model = load(booster, tmp_path / "m.txt")
    assert [spec.type for spec in model.inputs] == ["double"] * 4
    batch = pa.Table.from_pandas(data.astype(float), preserve_index=False)
    np.testing.assert_array_equal(model.predict(batch), booster.predict(data))


def test_ordered_categories_are_refused_because_the_file_does_not_say_where_they_are(towns, tmp_path):
    data, target = towns
    data = data.assign(size=pd.Categorical(np.resize(["S", "M"], ROWS), categories=["S", "M"], ordered=True))
    with pytest.raises(ModelLoadError, match=r"2 pandas category column\(s\), but marks 1 column"):
        load(train(data, target), tmp_path / "m.txt")


@pytest.mark.parametrize("stores", [[101, 102, 103], ["1", "2", "3"], [0.5, 1.5]], ids=["int", "digits", "float"])
@pytest.mark.parametrize("is_ordered", [True, False])
def test_another_column_marked_by_categorical_feature_is_not_taken_for_the_category(
    numbers, tmp_path, stores, is_ordered
):
    store = np.resize(stores, ROWS)
    data = numbers.assign(region=np.arange(ROWS) % len(stores), store=pd.Categorical(store, ordered=is_ordered))
    booster = train(data, (store == stores[0]).astype(int), categorical_feature=["region"])
    with pytest.raises(ModelLoadError, match=r"'store' may be one of the former.*category_columns"):
        load(booster, tmp_path / "m.txt")
    told = LightGBMFlavor().load(
        tmp_path / "m.txt", model_format=TEXT, trusted=(), options={"category_columns": ["store"]}
    )
    predicted = told.predict(pa.table({**numbers, "region": data["region"].to_numpy(), "store": store}))
    np.testing.assert_array_equal(predicted, booster.predict(data))
    assert len(np.unique(predicted)) > 1


def test_lists_of_numbers_that_all_moved_by_one_column_are_not_believed(tmp_path):
    store, zone = np.resize([7, 8, 9], ROWS), np.resize([40, 50, 60], ROWS)[::-1]
    data = pd.DataFrame({"k": np.arange(ROWS) % 3, "store": pd.Categorical(store), "zone": pd.Categorical(zone)})
    booster = train(data, (store == 7).astype(int), categorical_feature=["k", "store"])
    with pytest.raises(ModelLoadError, match="'store' may be"):
        load(booster, tmp_path / "m.txt")


def test_a_flag_that_has_no_place_among_the_lists_leaves_no_doubt(tmp_path):
    store, town = np.resize([7, 8], ROWS), np.resize(["Ulm", "Bonn"], ROWS)
    flag = np.arange(ROWS) // 2 % 2
    data = pd.DataFrame({"store": pd.Categorical(store), "town": pd.Categorical(town), "flag": flag})
    booster = train(data, (store == 7).astype(int) + flag)
    predicted = load(booster, tmp_path / "m.txt").predict(pa.table({"store": store, "town": town, "flag": flag}))
    np.testing.assert_array_equal(predicted, booster.predict(data))
    assert len(np.unique(predicted)) > 1


@pytest.mark.parametrize("stores", [[True, False], [0, 1]], ids=["bool", "int"])
@pytest.mark.parametrize("marked", ["auto", ["region"]], ids=["auto", "other"])
def test_a_list_of_each_number_at_its_own_position_is_right_wherever_it_is(numbers, tmp_path, stores, marked):
    store = np.resize(stores, ROWS)
    data = numbers.assign(region=np.arange(ROWS) // 2 % 2, store=pd.Categorical(store))
    booster = train(data, (store == stores[0]).astype(int) + data["region"], categorical_feature=marked)
    batch = pa.table({**numbers, "region": data["region"].to_numpy(), "store": store})
    predicted = load(booster, tmp_path / "m.txt").predict(batch)
    np.testing.assert_array_equal(predicted, booster.predict(data))
    assert len(np.unique(predicted)) > 1


def test_a_scaled_number_beside_categories_that_are_numbers_leaves_no_doubt(tmp_path):
    x, store = np.linspace(0, 1, ROWS), np.resize([1, 2, 3], ROWS)
    booster = train(pd.DataFrame({"x": x, "store": pd.Categorical(store)}), (x > 0.3).astype(int) + (store == 2))
    model = load(booster, tmp_path / "m.txt")
    assert [spec.type for spec in model.inputs] == ["double", "int64"]


def test_a_flag_beside_categories_of_text_leaves_no_doubt(towns, tmp_path):
    data, target = towns
    model = load(train(data.assign(flag=np.arange(ROWS) % 2), target), tmp_path / "m.txt")
    assert [spec.type for spec in model.inputs] == ["double", "string", "double"]


def test_codes_that_no_list_of_categories_has_are_refused(towns):
    text = train(*towns).model_to_string().replace('["Bonn, Rhein", ', "[").replace('"Köln", ', "")
    short = text.rpartition("\npandas_categorical:")[0] + '\npandas_categorical:[["Ulm"]]\n'
    with pytest.raises(ModelLoadError, match="not certain which is which"):
        pandas_categories(short)


@pytest.mark.parametrize("keep", ["\nend of trees", "\nparameters:", "\nend of param", "\npandas_cat"])
def test_a_text_cut_off_is_refused_before_lightgbm_sees_it(towns, tmp_path, monkeypatch, keep):
    text = train(*towns).model_to_string()
    path = tmp_path / "m.txt"
    path.write_text(text[: text.rindex(keep) + len(keep)], encoding="utf-8")
    monkeypatch.setattr(lgb, "Booster", None)  # its parser may read on past the end, and crash or never return
    with pytest.raises(ModelLoadError, match="cut off"):
        LightGBMFlavor().load(path, model_format=TEXT, trusted=(), options={})


def test_categories_that_training_did_not_see_are_allowed_for(numbers, tmp_path):
    store = pd.Categorical(np.resize([1, 2, 3], ROWS), categories=[1, 2, 3, 4])
    data = numbers.assign(region=np.arange(ROWS) % 2, store=store)
    with pytest.raises(ModelLoadError, match="'store' may be"):
        load(train(data, (store == 1).astype(int), categorical_feature=["region"]), tmp_path / "m.txt")
