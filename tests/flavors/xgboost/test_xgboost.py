from __future__ import annotations

import json
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
import xgboost as xgb

from airflow_batch_inference.exceptions import ConfigurationError, ModelLoadError
from airflow_batch_inference.flavors.boosters.xgboost_trees import require_followable
from airflow_batch_inference.flavors.registry import recognise
from airflow_batch_inference.flavors.sklearn.flavor import SKOPS, SklearnFlavor, describe
from airflow_batch_inference.flavors.xgboost.flavor import JSON, UBJ, XGBoostFlavor

ROWS = 120
TOWNS = ["Bern", "Bonn", "Oslo", "Ulm"]


def load(booster, path, **options):
    booster.save_model(path)
    model_format = recognise(path, flavor="xgboost")[1]
    return XGBoostFlavor().load(path, model_format=model_format, trusted=(), options=options)


def in_towns(towns, kind=None):
    """Train on a town's category and one number; the town decides."""
    rng = np.random.default_rng(1)
    town = rng.choice(towns, ROWS)
    data = pd.DataFrame(
        {"a": rng.normal(size=ROWS), "town": pd.Categorical(town, categories=kind or sorted(set(towns)))}
    )
    target = data["town"].cat.codes * 10.0
    parameters = {"max_cat_to_onehot": 1, "max_depth": 4, "nthread": 1}
    return xgb.train(parameters, xgb.DMatrix(data, target, enable_categorical=True), 8), data


def table(data):
    return pa.table({name: data[name].tolist() for name in data})


@pytest.fixture
def numbers():
    return pd.DataFrame(np.random.default_rng(2).normal(size=(ROWS, 3)), columns=["a", "b", "c"])


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"learner":{"attributes":', JSON),
        (b' {\n  "learner" : {', JSON),
        (b"{L\0\0\0\0\0\0\0\x07learner{L", UBJ),
        (b"{i\x07learner{", UBJ),
        (b'{"class_name": "Sequential", "config": {', None),
        (b'[{ "nodeid": 0, "depth": 0', None),
        (b'{"learner":[', None),
        (b"binf\0\0\0", None),
        (b"{L\0\0\0\0\0\0\0\x07Learner{", None),
        (b"", None),
    ],
)
def test_a_model_is_told_from_other_json_by_its_first_key(tmp_path, head, expected):
    assert XGBoostFlavor().recognise(tmp_path / "model.json", head) is expected


def test_both_formats_hold_the_same_model_whatever_the_ending_says(numbers, tmp_path):
    booster = xgb.train({"nthread": 1}, xgb.DMatrix(numbers, numbers["a"]), 4)
    expected = booster.predict(xgb.DMatrix(numbers))
    for name, kind in (("m.xgb", "json"), ("m.model", "json"), ("n.xgb", "ubj")):
        path = tmp_path / name
        path.write_bytes(booster.save_raw(kind))
        flavor, model_format = recognise(path)
        model = flavor.load(path, model_format=model_format, trusted=(), options={})
        assert model_format.name == f"xgboost-{kind}"
        np.testing.assert_array_equal(model.predict(table(numbers)), expected)


def test_input_types_are_those_of_training(tmp_path, numbers):
    data = numbers.assign(n=np.arange(ROWS), t=numbers["a"] > 0)
    model = load(xgb.train({}, xgb.DMatrix(data, data["b"]), 3), tmp_path / "m.json")
    assert [spec.type for spec in model.inputs] == ["double", "double", "double", "int64", "bool"]
    batch = pa.table({"a": [0.5, None], "b": [None, 1.0], "c": [1.0, 2.0], "n": [None, 3], "t": [True, None]})
    expected = np.array([[0.5, np.nan, 1, np.nan, 1], [np.nan, 1, 2, 3, np.nan]])
    np.testing.assert_array_equal(model.predict(batch), model.booster.inplace_predict(expected))


@pytest.mark.parametrize("kwargs", [{"iteration_range": (0, 2)}, {"pred_interactions": True}, {"strict_shape": True}])
def test_arguments_of_predict_reach_the_booster(numbers, tmp_path, kwargs):
    booster = xgb.train({}, xgb.DMatrix(numbers, numbers["a"]), 5)
    found = load(booster, tmp_path / "m.json").predict(table(numbers), kwargs=kwargs)
    np.testing.assert_array_equal(found, booster.predict(xgb.DMatrix(numbers), **kwargs))
    plain = booster.predict(xgb.DMatrix(numbers))
    assert found.shape != plain.shape or not np.array_equal(found, plain)


@pytest.mark.parametrize("bounds", [(0, -4), (-3, 2), (0, -(2**31)), (0, 2**31), (0, 1.5), 3, "03", (0, 1, 2)])
def test_iterations_before_the_first_one_are_refused(numbers, tmp_path, bounds):
    model = xgb.XGBRegressor(n_estimators=3).fit(numbers, numbers["a"])
    for loaded in (load(model.get_booster(), tmp_path / "m.json"), describe(model)):
        loaded.predict(table(numbers), kwargs={"iteration_range": (0, 2)})
        with pytest.raises(ConfigurationError, match="must be two whole numbers that are not negative"):
            loaded.predict(table(numbers), kwargs={"iteration_range": bounds})


@pytest.mark.parametrize("best", ["-2", "-2147483648", "-5"])
def test_a_best_iteration_before_the_first_one_is_refused(numbers, tmp_path, best):
    model = xgb.XGBRegressor(n_estimators=3).fit(numbers, numbers["a"])
    booster = model.get_booster()
    booster.set_attr(scikit_learn="{}", best_iteration="1")
    assert load(booster, tmp_path / "m.json").iteration_range == (0, 2)
    booster.set_attr(best_iteration=best)
    with pytest.raises(ModelLoadError, match=r"best_iteration is .*, which is no count"):
        load(booster, tmp_path / "m.json")
    for form in ("json", "ubj"):
        with pytest.raises(ModelLoadError, match=r"its best_iteration is .*, which is no count"):
            require_followable(bytes(booster.save_raw(form)), is_json=form == "json")
    skops.io.dump(model, tmp_path / "m.skops")
    with pytest.raises(ModelLoadError, match="its best_iteration is"):
        SklearnFlavor().load(tmp_path / "m.skops", model_format=SKOPS, trusted=(), options={})


def test_a_booster_that_stopped_early_uses_all_its_trees_as_xgboost_itself_does_and_says_so(numbers, tmp_path, caplog):
    train, other = xgb.DMatrix(numbers, numbers["a"]), xgb.DMatrix(numbers, -numbers["a"])
    booster = xgb.train({}, train, 20, evals=[(other, "other")], early_stopping_rounds=3, verbose_eval=False)
    assert booster.best_iteration + 1 < booster.num_boosted_rounds()
    with caplog.at_level(logging.INFO):
        model = load(booster, tmp_path / "m.json")
    best = (0, booster.best_iteration + 1)
    assert f"iteration_range=(0, {best[1]})" in caplog.text
    np.testing.assert_array_equal(model.predict(table(numbers)), booster.predict(train))
    kwargs = {"iteration_range": best}
    expected = booster.predict(train, iteration_range=best)
    np.testing.assert_array_equal(model.predict(table(numbers), kwargs=kwargs), expected)


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_targets_are_a_column_each(numbers, tmp_path, strategy):
    model = xgb.XGBRegressor(n_estimators=3, multi_strategy=strategy).fit(numbers, numbers[["a", "b"]])
    loaded = load(model, tmp_path / "m.json")
    assert loaded.classes is None
    assert "predict_proba" not in loaded.methods
    assert ("contributions" in loaded.methods) == (strategy == "one_output_per_tree")
    np.testing.assert_array_equal(loaded.predict(table(numbers)), model.predict(numbers))
    assert loaded.predict(table(numbers)).shape == (ROWS, 2)


def test_a_linear_booster_has_no_leaves_and_no_gain(numbers, tmp_path):
    model = load(xgb.train({"booster": "gblinear"}, xgb.DMatrix(numbers, numbers["a"]), 3), tmp_path / "m.json")
    assert model.methods == ("predict", "raw_score", "contributions")
    assert model.importances is None


def test_importances_are_the_mean_gain_of_every_input(numbers, tmp_path):
    booster = xgb.train({"max_depth": 1}, xgb.DMatrix(numbers, numbers["b"]), 1)
    model = load(booster, tmp_path / "m.json")
    assert model.importances == {"a": 0.0, "b": pytest.approx(booster.get_score(importance_type="gain")["b"]), "c": 0.0}
    unnamed = xgb.train({}, xgb.DMatrix(numbers.to_numpy(), numbers["b"]), 1)
    assert load(unnamed, tmp_path / "n.json").importances is None


@pytest.mark.parametrize("kind", ["json", "ubj"])
def test_categories_are_found_by_their_value_whatever_comes_first(tmp_path, kind):
    booster, data = in_towns(TOWNS)
    model = load(booster, tmp_path / f"m.{kind}")
    assert [spec.type for spec in model.inputs] == ["double", "string"]
    expected = booster.predict(xgb.DMatrix(data, enable_categorical=True))
    np.testing.assert_array_equal(model.predict(table(data)), expected)
    few = data[data["town"] == "Ulm"]
    np.testing.assert_array_equal(model.predict(table(few)), expected[(data["town"] == "Ulm").to_numpy()])


def test_an_unseen_category_is_an_error_or_missing_and_never_another_one(tmp_path):
    booster, _ = in_towns(TOWNS)
    batch = pa.table({"a": [0.1, 0.1, 0.1], "town": ["Ulm", None, "Paris"]})
    with pytest.raises(ValueError, match=r"column 'town', row 2 of the batch: the model never saw .* 'Paris'"):
        load(booster, tmp_path / "m.json").predict(batch)
    found = load(booster, tmp_path / "m.json", unseen_categories="missing").predict(batch)
    assert found[2] == found[1]
    with pytest.raises(ConfigurationError, match="unseen_categories 'other'; it must be"):
        load(booster, tmp_path / "m.json", unseen_categories="other")


def test_categories_beyond_ascii_need_the_list_that_xgboost_cuts_wrongly(tmp_path):
    towns = ["Bern", "Köln", "Mülheim", "Ulm"]
    booster, data = in_towns(towns)
    assert booster.get_categories(export_to_arrow=True).to_arrow()[1][1].to_pylist() != towns, "XGBoost was mended"
    with pytest.raises(ModelLoadError, match=r"categories of 'town' .*beyond ASCII.*load_options=\{'categories'"):
        load(booster, tmp_path / "m.json")
    model = load(booster, tmp_path / "m.json", categories={"town": towns})
    expected = booster.predict(xgb.DMatrix(data, enable_categorical=True))
    np.testing.assert_array_equal(model.predict(table(data)), expected)
    for wrong in (towns[::-1], towns[:3], [*towns, "Rom"], ["Bern", "Köln", "Ulm", "Mülheim"], [1, 2, 3, 4]):
        with pytest.raises(ConfigurationError, match="are not the 4 that the model was trained on"):
            load(booster, tmp_path / "m.json", categories={"town": wrong})


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ({"a": [1]}, "'a', which is no category column of the model: town"),
        ({"town": "Ulm"}, "must be a dictionary of column name to list"),
        (["Ulm"], "must be a dictionary of column name to list"),
        ({"town": ["Ulm", 1, "x", "y"]}, "several types"),
    ],
)
def test_lists_of_categories_that_make_no_sense_are_refused(tmp_path, categories, message):
    with pytest.raises(ConfigurationError, match=message):
        load(in_towns(TOWNS)[0], tmp_path / "m.json", categories=categories)


def test_a_model_without_lists_takes_whole_codes_only(tmp_path):
    rng = np.random.default_rng(3)
    values = np.column_stack([rng.normal(size=ROWS), rng.integers(0, 4, ROWS)])
    matrix = xgb.DMatrix(values, values[:, 1] * 5, feature_names=["a", "k"], feature_types=["q", "c"])
    booster = xgb.train({"nthread": 1}, matrix, 4)
    model = load(booster, tmp_path / "m.json")
    assert [spec.type for spec in model.inputs] == ["double", "int64"]
    batch = pa.table({"a": values[:, 0], "k": values[:, 1]})
    np.testing.assert_array_equal(model.predict(batch), booster.predict(matrix))
    for wrong in (1.5, -1.0, 2.0**24, float("inf")):
        with pytest.raises(ValueError, match=r"column 'k', row 1 of the batch: .* is no category code"):
            model.predict(pa.table({"a": [0.0, 0.0], "k": [1.0, wrong]}))
    missing = model.predict(pa.table({"a": [0.0, 0.0], "k": [float("nan"), None]}))
    assert missing[0] == missing[1] == booster.inplace_predict(np.array([[0.0, np.nan]]))[0]
    named = load(booster, tmp_path / "m.json", categories={"k": ["w", "x", "y", "z"]})
    words = pa.table({"a": values[:, 0], "k": np.array(["w", "x", "y", "z"])[values[:, 1].astype(int)].tolist()})
    np.testing.assert_array_equal(named.predict(words), booster.predict(matrix))


def test_numbers_too_large_for_float32_are_infinite_as_xgboost_makes_them(numbers, tmp_path):
    model = load(xgb.train({}, xgb.DMatrix(numbers, numbers["a"]), 3), tmp_path / "m.json")
    values = np.array([[1e39, -1e39, 0.0], [np.inf, -np.inf, 0.0]])
    batch = pa.table({name: values[:, at] for at, name in enumerate("abc")})
    np.testing.assert_array_equal(model.predict(batch), model.booster.inplace_predict(values))


@pytest.mark.parametrize("kind", ["json", "ubj"])
def test_a_file_without_its_last_brace_is_refused_before_xgboost_sees_it(numbers, tmp_path, monkeypatch, kind):
    path = tmp_path / f"m.{kind}"
    xgb.train({}, xgb.DMatrix(numbers, numbers["a"]), 3).save_model(path)
    path.write_bytes(path.read_bytes()[:-1].rstrip(b"}"))
    monkeypatch.setattr(xgb.Booster, "load_model", None)  # its parser may read on past the end
    with pytest.raises(ModelLoadError, match=f"xgboost-{kind} model is cut off"):
        XGBoostFlavor().load(path, model_format=recognise(path)[1], trusted=(), options={})


def test_names_of_another_number_than_the_inputs_are_refused(numbers, tmp_path):
    path = tmp_path / "m.json"
    xgb.train({}, xgb.DMatrix(numbers, numbers["a"]), 3).save_model(path)
    document = json.loads(path.read_text())
    document["learner"]["feature_names"] = ["a", "b"]
    path.write_text(json.dumps(document))
    with pytest.raises(ModelLoadError, match="takes 3 inputs but has 2 names"):
        XGBoostFlavor().load(path, model_format=JSON, trusted=(), options={})


def test_an_option_that_it_does_not_take_is_refused(numbers, tmp_path):
    booster = xgb.train({}, xgb.DMatrix(numbers, numbers["a"]), 1)
    with pytest.raises(ConfigurationError, match="takes: categories, missing, unseen_categories"):
        load(booster, tmp_path / "m.json", providers=[])


def gappy(missing, kind="float64"):
    """Three columns in which a number stands for a missing value, beside NaN, and a target of those gaps."""
    rng = np.random.default_rng(6)
    data = pd.DataFrame(rng.integers(-3, 4, size=(ROWS, 3)) / 4, columns=["a", "b", "c"])
    target = ((data["a"] > 0) ^ (rng.random(ROWS) < 0.3)).astype(int)
    for column, step in (("a", 3), ("b", 4), ("c", 5)):
        data.loc[data.index[::step], column] = missing
        data.loc[data.index[1::7], column] = np.nan
    return data.astype(kind), target


@pytest.mark.parametrize("suffix", ["json", "ubj"])
@pytest.mark.parametrize("missing", [-999, 0, 0.1, np.inf])
@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_a_number_stands_for_missing_values_where_the_load_options_say_so(tmp_path, missing, suffix, booster):
    data, target = gappy(missing)
    if booster == "gblinear" and missing == np.inf:
        pytest.skip("a linear booster has no missing values")
    wrapper = xgb.XGBClassifier(n_estimators=6, missing=missing, booster=booster, n_jobs=1).fit(data, target)
    model = load(wrapper, tmp_path / f"m.{suffix}", missing=missing)
    expected = wrapper.predict_proba(data)
    rows = pa.Table.from_pandas(data, preserve_index=False)
    np.testing.assert_array_equal(model.predict(rows, method="predict_proba"), expected)
    found = [model.predict(rows.slice(row, 1), method="predict_proba") for row in range(ROWS)]
    np.testing.assert_array_equal(np.concatenate(found), expected)
    leaves = model.predict(rows, method="leaf_index") if booster != "gblinear" else None
    if leaves is not None:
        np.testing.assert_array_equal(leaves, wrapper.apply(data))
    plain = load(wrapper, tmp_path / f"other.{suffix}")
    if booster != "gblinear" and missing != np.inf:  # XGBoost itself refuses infinite numbers then
        assert not np.array_equal(plain.predict(rows, method="predict_proba"), expected)


def test_a_category_is_missing_by_its_position_as_in_xgboost(tmp_path):
    data, target = gappy(0)
    data["town"] = pd.Categorical(np.resize(TOWNS, ROWS), categories=TOWNS)
    target = target ^ (data["town"] == "Bern")
    wrapper = xgb.XGBClassifier(n_estimators=6, missing=0, enable_categorical=True, n_jobs=1).fit(data, target)
    model = load(wrapper, tmp_path / "m.json", missing=0)
    np.testing.assert_array_equal(model.predict(table(data), method="predict_proba"), wrapper.predict_proba(data))


@pytest.mark.parametrize("wrong", ["-999", None, True, [0]])
def test_what_stands_for_missing_must_be_a_number(tmp_path, numbers, wrong):
    booster = xgb.train({"nthread": 1}, xgb.DMatrix(numbers, numbers["a"]), 2)
    with pytest.raises(ConfigurationError, match="must be the number that stood for missing values"):
        load(booster, tmp_path / "m.json", missing=wrong)
