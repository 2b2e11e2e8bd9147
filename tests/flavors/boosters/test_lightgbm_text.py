from __future__ import annotations

import itertools
import re

import lightgbm
import numpy as np
import pytest

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.boosters.lightgbm_text import read_text, require_followable
from airflow_batch_inference.flavors.lightgbm.flavor import TEXT, LightGBMFlavor

ROWS = 200
OBJECTIVES = {
    "regression": {}, "regression_l1": {}, "huber": {}, "fair": {}, "poisson": {}, "quantile": {"alpha": 0.3},
    "mape": {}, "gamma": {}, "tweedie": {}, "binary": {"sigmoid": 0.7}, "multiclass": {"num_class": 3},
    "multiclassova": {"num_class": 3, "sigmoid": 1.5}, "cross_entropy": {}, "cross_entropy_lambda": {},
    "lambdarank": {}, "rank_xendcg": {},
}  # fmt: skip
KINDS = {
    "gbdt": {},
    "dart": {"boosting": "dart", "drop_rate": 0.5},
    "rf": {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
    "goss": {"data_sample_strategy": "goss"},
    "linear": {"linear_tree": True},
    "categories": {"categorical_feature": [1], "min_data_per_group": 1, "cat_smooth": 1.0, "max_cat_to_onehot": 1},
    "monotone": {"monotone_constraints": [1, 0, -1, 0], "monotone_constraints_method": "intermediate"},
    "extra": {"extra_trees": True, "path_smooth": 1.0, "interaction_constraints": [[0, 1], [2, 3]]},
    "root": {"reg_sqrt": True, "use_quantized_grad": True, "zero_as_missing": True},
    "stumps": {"min_gain_to_split": 1e9},
}


def data_of(objective):
    rng = np.random.default_rng(3)
    data = rng.normal(size=(ROWS, 4))
    data[:, 1] = rng.integers(0, 40, size=ROWS)
    total = data[:, 0] + data[:, 1] / 20
    if objective == "binary":
        return data, (total > 1).astype(int)
    if objective.startswith("multiclass"):
        return data, np.digitize(total, [0.5, 1.5])
    if objective.startswith("cross"):
        return data, 1 / (1 + np.exp(-total))
    if objective in ("lambdarank", "rank_xendcg"):
        return data, np.clip(np.round(total), 0, 3)
    return data, np.abs(total) + 0.1


def trained(objective="binary", rounds=4, more=None, *, categorical_feature=(), **given):
    data, label = data_of(objective)
    common = {"verbose": -1, "num_leaves": 6, "min_data_in_leaf": 4, "num_threads": 1, "objective": objective}
    groups = [20] * 10 if objective in ("lambdarank", "rank_xendcg") else None
    dataset = lightgbm.Dataset(data, label, group=groups, categorical_feature=list(categorical_feature))
    return lightgbm.train({**common, **OBJECTIVES.get(objective, {}), **given}, dataset, rounds, **(more or {})), data


def require_same(booster, data, folder):
    """Load a booster's text as a trial does; it predicts what the booster in memory does, bit by bit."""
    path = folder / "model.txt"
    booster.save_model(path)
    LightGBMFlavor().require_followable(path, TEXT, {})
    model = LightGBMFlavor().load(path, model_format=TEXT, trusted=(), options={})
    assert np.array_equal(model.booster.predict(data), booster.predict(data), equal_nan=True)
    assert len(read_text(path.read_text()).trees) == booster.num_trees()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_whatever_lightgbm_trains_is_followed_and_predicts_the_same(tmp_path, objective, kind):
    try:
        booster, data = trained(objective, **KINDS[kind])
    except lightgbm.basic.LightGBMError:
        pytest.skip("LightGBM does not train it")
    require_same(booster, data, tmp_path)


def test_models_that_were_continued_refitted_cut_or_stopped_early_are_followed(tmp_path):
    booster, data = trained("multiclass", rounds=3)
    longer, _ = trained("multiclass", rounds=3, more={"init_model": booster})
    assert longer.num_trees() == 18
    require_same(longer, data, tmp_path)
    require_same(booster.refit(*data_of("multiclass")), data, tmp_path)
    path = tmp_path / "cut.txt"
    longer.save_model(path, start_iteration=1, num_iteration=2)
    assert len(read_text(path.read_text()).trees) == 6
    linear, data = trained("regression", rounds=3, linear_tree=True)
    require_same(linear.refit(*data_of("regression")), data, tmp_path)
    valid = lightgbm.Dataset(*data_of("binary"))
    stopped, data = trained("binary", 30, {"valid_sets": [valid], "callbacks": [lightgbm.early_stopping(1)]})
    require_same(stopped, data, tmp_path)


def test_a_text_of_lightgbm_3_is_followed_and_predicts_the_same():
    booster, data = trained("multiclass", categorical_feature=[1], min_data_per_group=1)
    old = resized(booster.model_to_string().replace("version=v4", "version=v3").replace("is_linear=0\n", ""))
    assert "is_linear" not in old
    require_followable(old)
    require_followable(re.sub(r"^tree_sizes=.*\n", "", old, flags=re.MULTILINE))
    assert np.array_equal(lightgbm.Booster(model_str=old).predict(data), booster.predict(data))


def test_a_custom_objective_of_several_classes_is_followed(tmp_path):
    def gradients(predicted, dataset):
        return predicted - np.eye(3)[dataset.get_label().astype(int)].ravel("F").reshape(predicted.shape, order="F"), (
            np.ones_like(predicted)
        )

    data, label = data_of("multiclass")
    given = {"objective": gradients, "num_class": 3, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(given, lightgbm.Dataset(data, label), 3)
    require_same(booster, data, tmp_path)


def test_forced_splits_and_odd_names_are_followed(tmp_path):
    forced = tmp_path / "forced.json"
    forced.write_text('{"feature": 0, "threshold": 0.1, "right": {"feature": 2, "threshold": 0.0}}')
    require_same(*trained(forcedsplits_filename=str(forced)), tmp_path)
    data, label = data_of("binary")
    for names in (["a=b", "Tree=1", "num_class=3", "größe"], ["end of trees", "x y", "\u2028", "😀\x0b"]):
        dataset = lightgbm.Dataset(data, label, feature_name=names)
        require_same(lightgbm.train({"objective": "binary", "verbose": -1}, dataset, 2), data, tmp_path)


@pytest.fixture(scope="module")
def text(library):
    return library.saved("text-categorical").path.read_text()


@pytest.mark.parametrize("name", ["text-binary", "text-multiclass", "text-regression", "text-categorical"])
def test_what_lightgbm_writes_can_be_followed(library, name):
    require_followable(library.saved(name).path.read_text())


def resized(text):
    """Correct the sizes of the trees after a change, as somebody would who means harm."""
    body = text[text.index("\nTree=") + 1 : text.index("\nend of trees") + 1]
    sizes = [len("Tree=") + len(part) for part in re.split("^Tree=", body, flags=re.MULTILINE)[1:]]
    return re.sub(r"^tree_sizes=.*$", f"tree_sizes={' '.join(map(str, sizes))}", text, count=1, flags=re.MULTILINE)


def change_in_tree(text, pattern, replacement):
    """Change the first match within the first tree that has sets of categories, or else within the first tree."""
    start = text.rindex("\nTree=", 0, text.index("cat_boundaries=")) if "cat_boundaries=" in text else 0
    changed = text[:start] + re.sub(pattern, replacement, text[start:], count=1, flags=re.MULTILINE)
    assert changed != text
    return resized(changed)


@pytest.mark.parametrize(
    ("pattern", "replacement", "said"),
    [
        (r"num_leaves=\d+", "num_leaves=99", r"says that it has 99 leaves, but has \d+ splits"),
        (r"num_leaves=\d+", "num_leaves=x", "its num_leaves is 'x', which is no count"),
        (r"num_leaves=\d+", "num_leaves=-3", "its num_leaves is '-3', which is no count"),
        (r"num_leaves=", "num_leaves=3\nnum_leaves=", "its line 'num_leaves' is there twice"),
        (r"num_leaves=", "their_line=3\nnum_leaves=", "the line 'their_line', which LightGBM does not write"),
        (r"left_child=-?\d+", "left_child=0", "leads to none of its"),
        (r"left_child=-?\d+", "left_child=-3000", "leads to none of its"),
        (r"left_child=-?\d+", "left_child=1_0", "a number of its left_child is none"),
        (r"left_child=-?\d+", "left_child=4294967297", "a number of its left_child is too large"),
        (r"right_child=-?\d+", "right_child=-99", "leads to none of its .* leaves"),
        (r"split_feature=\d+", "split_feature=6", "a split asks for input 6 of 6"),
        (r"split_feature=\d+", "split_feature=-1", "a split asks for input -1 of 6"),
        (r"cat_boundaries=0 \d+", "cat_boundaries=0 99", "no list of them"),
        (r"cat_boundaries=0 \d+", "cat_boundaries=0 -1", "no list of them"),
        (r"num_cat=\d+", "num_cat=0", "no list of them"),
        (r"num_cat=\d+", "num_cat=2000000", "no list of them"),
        (r"cat_threshold=\d+", "cat_threshold=4294967296", "a number of its cat_threshold is too large"),
        (r"cat_threshold=\d+", "cat_threshold=-1", "a number of its cat_threshold is too large"),
        (r"leaf_value=\S+ ", "leaf_value=", r"its leaf_value are \d+, but should be \d+"),
        (r"^leaf_value=.*\n", "", r"its leaf_value are 0, but should be"),
        (r"leaf_value=\S+ ", "leaf_value=0x10 ", "a number of its leaf_value is none"),
        (r"leaf_count=\S+ ", "leaf_count=", "its leaf_count are"),
        (r"internal_count=\S+ ", "internal_count=", "its internal_count are"),
        (r"threshold=\S+ ", "threshold=", "its threshold are"),
        (r"decision_type=\d+ ", "decision_type=", "its decision_type are"),
        (r"decision_type=\d+", "decision_type=12", r"of a kind \(decision_type\) that is not known"),
        (r"is_linear=0", "is_linear=2", "is_linear=2"),
        (r"is_linear=0", "is_linear=1", "its leaf_const are 0, but should be"),
    ],
)
def test_a_tree_that_cannot_be_followed_is_refused_with_its_number(text, pattern, replacement, said):
    with pytest.raises(ModelLoadError, match=rf"Tree \d+ of the LightGBM text is damaged: .*{said}"):
        require_followable(change_in_tree(text, pattern, replacement))


@pytest.mark.parametrize(
    ("pattern", "replacement", "said"),
    [
        (r"leaf_features=", "leaf_features=3000 ", "inputs, but name"),
        (r"leaf_features=( *)\d", r"leaf_features=\g<1>3000", "a linear leaf asks for input 3000 of 4"),
        (r"leaf_features=( *)\d", r"leaf_features=\g<1>-1", "a linear leaf asks for input -1 of 4"),
        (r"num_features=\d+", "num_features=7", "linear leaves say that they have"),
        (r"num_features=\d+", "num_features=-1", "linear leaves say that they have"),
        (r"num_features=\d+ ", "num_features=", "its num_features are"),
        (r"leaf_const=\S+ ", "leaf_const=", "its leaf_const are"),
        (r"leaf_coeff= *\S+ ", "leaf_coeff=", "linear leaves say that they have"),
        (r"^leaf_features=.*\n", "", "its leaf_features are missing"),
        (r"^num_features=.*\n", "", "its num_features are 0"),
    ],
)
def test_linear_leaves_that_ask_for_what_is_not_there_are_refused(pattern, replacement, said):
    text = trained("regression", linear_tree=True)[0].model_to_string()
    start = text.index("\nTree=1")
    text = resized(text[:start] + re.sub(pattern, replacement, text[start:], count=1, flags=re.MULTILINE))
    with pytest.raises(ModelLoadError, match=rf"Tree 1 of the LightGBM text is damaged: .*{said}"):
        require_followable(text)


HEADERS = [
    ("num_class=3", "num_class=1", "1 classes .* but 3 trees an iteration"),
    ("num_tree_per_iteration=3", "num_tree_per_iteration=1", "3 classes .* but 1 trees an iteration"),
    ("num_tree_per_iteration=3", "num_tree_per_iteration=64", "3 classes .* but 64 trees an iteration"),
    ("num_tree_per_iteration=3", "num_tree_per_iteration=0", "but 0 trees an iteration"),
    ("num_tree_per_iteration=3", "num_tree_per_iteration=-3", "its num_tree_per_iteration is '-3', which is no count"),
    ("num_tree_per_iteration=3", "num_tree_per_iteration=3\nnum_class=3", "has the line 'num_class' twice"),
    ("num_class=3\n", "num_class=3\nnew_line=1\n", "the line 'new_line', which LightGBM does not write"),
    ("num_class:3", "num_class:300", "its objective is 'multiclass num_class:300', but it has 3 classes"),
    ("num_class:3", "num_class:3 num_class:9", "but it has 3 classes"),
    ("num_class:3", "", "but it has 3 classes"),
    ("objective=multiclass num_class:3", "objective=multiclassova num_class:9 sigmoid:1", "but it has 3 classes"),
    ("objective=multiclass num_class:3", "objective=binary sigmoid:1", "binary is of one number, but it has 3 trees"),
    ("objective=multiclass num_class:3", "objective=softmax", "which is not known"),
    ("max_feature_idx=3", "max_feature_idx=2", "takes 3 inputs .* its feature_names are of 4"),
    ("max_feature_idx=3", "max_feature_idx=4000000000", "which is no count"),
    ("max_feature_idx=3", "max_feature_idx=", "which is no count"),
    ("feature_infos=", "feature_infos=[0:1] ", "its feature_infos are of 5"),
    ("feature_names=", "feature_names=a ", "its feature_names are of 5"),
    ("label_index=0\n", "", "has no line 'label_index'"),
    ("label_index=0\n", "label_index=0\naverage_output=1\n", "'average_output' is not as LightGBM writes it"),
    ("version=v4", "version=v9", "its version is 'v9', and v2, v3, v4 are known"),
    ("tree_sizes=", "tree_sizes=9", "not of the sizes that its header says"),
    ("Tree=1\n", "Tree=7\n", "tree '7' stands where tree 1 belongs"),
    ("Tree=1\n", "\nTree=1\n", "not of the sizes that its header says"),
    ("Tree=1\nnum_leaves", "Tree=1\n\nnum_leaves", "it has the line ''"),
    ("\nsplit_gain", "\n\nsplit_gain", "tree 0 does not end where the next one begins"),
    ("feature_names=", "feature_names=\0", "it holds a zero byte"),
    ("\nend of trees\n", "\n", "it has no end of trees|does not end"),
]


@pytest.mark.parametrize(
    ("given", "changed", "said"), HEADERS, ids=[f"{i}: {c[1][:30]!r}" for i, c in enumerate(HEADERS)]
)
def test_a_header_that_is_not_true_is_refused(given, changed, said):
    text = trained("multiclass")[0].model_to_string()
    assert given in text
    with pytest.raises(ModelLoadError, match=rf"LightGBM text is damaged: .*({said})"):
        require_followable(text.replace(given, changed, 1))


def test_trees_that_are_no_whole_iterations_are_refused():
    text = trained("multiclass")[0].model_to_string()
    last = text.index("Tree=11\n")
    with pytest.raises(ModelLoadError, match="its 11 trees cannot be of iterations of 3 trees each"):
        require_followable(resized(text[:last] + text[text.index("end of trees") :]))


def test_no_changed_digit_of_a_text_is_followed_into_other_memory():
    """Whatever passes the check has children, inputs, sets and leaves within their arrays."""
    rng = np.random.default_rng(0)
    text = trained("multiclass", categorical_feature=[1], min_data_per_group=1, rounds=2)[0].model_to_string()
    end, passed = text.index("end of trees"), 0
    digits = [place for place in range(end) if text[place].isdigit()]
    for place, digit in itertools.product(rng.choice(digits, 150, replace=False), "9-"):
        changed = text[:place] + digit + text[place + 1 :]
        try:
            trees = read_text(changed).trees
        except ModelLoadError:
            continue
        passed += 1
        for tree in trees:
            leaves = len(tree["leaf_value"])
            for side in ("left_child", "right_child"):
                assert len(tree[side]) == leaves - 1
                assert tree[side].min(initial=0) >= -leaves
                assert tree[side].max(initial=0) < max(1, leaves - 1)
            assert ((tree["split_feature"] >= 0) & (tree["split_feature"] < 4)).all()
            assert tree["cat_boundaries"].max(initial=0) <= len(tree["cat_threshold"])
    assert passed > 20
