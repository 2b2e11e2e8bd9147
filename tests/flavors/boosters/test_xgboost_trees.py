from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from suite import CASES

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.boosters.ubjson import Reader
from airflow_batch_inference.flavors.boosters.xgboost_trees import require_followable, require_state_followable


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.flavor == "xgboost"], ids=lambda case: case.name
)
def test_what_xgboost_writes_can_be_followed(library, case):
    content = library.saved(case.name).path.read_bytes()
    require_followable(content, is_json=case.format == "xgboost-json")
    if case.format == "xgboost-ubj":
        assert "learner" in Reader(content).value(0)


def test_both_formats_say_the_same(library):
    ubj = Reader(library.saved("xgb-classifier-ubj").path.read_bytes()).value(0)
    plain = json.loads(library.saved("xgb-classifier").path.read_bytes())
    for one, other in zip(trees(ubj), trees(plain), strict=True):
        assert {name: list(one[name]) for name in ("left_children", "split_indices")} == {
            name: other[name] for name in ("left_children", "split_indices")
        }


def trees(document):
    return document["learner"]["gradient_booster"]["model"]["trees"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tree: tree["left_children"].__setitem__(0, 999), "Tree 1 .* leads to none of its"),
        (
            lambda tree: tree["right_children"].__setitem__(0, tree["left_children"][0]),
            "Tree 1 .* lead to the same one",
        ),
        (lambda tree: tree["split_indices"].__setitem__(0, 4), "Tree 1 .* asks for input 4 of 4"),
        (lambda tree: tree["split_indices"].pop(), "Tree 1 .* of different lengths"),
        (lambda tree: tree.pop("left_children"), "Tree 1 .* left_children is no list of numbers"),
        (lambda tree: tree.update(left_children={"a": 1}), "Tree 1 .* left_children is no list of numbers"),
        (lambda tree: tree.update(left_children=[1 << 70]), "Tree 1 .* left_children is no list of whole numbers"),
        (lambda tree: tree["left_children"].__setitem__(0, 1.5), "Tree 1 .* left_children is no list of whole numbers"),
        (lambda tree: tree["left_children"].__setitem__(0, -7), "Tree 1 .* leads to none of its"),
        (lambda tree: tree["parents"].__setitem__(1, 10**6), "Tree 1 .* parent is none of its nodes"),
        (lambda tree: tree["parents"].__setitem__(1, 2), "Tree 1 .* parent is not the one that leads to it"),
        (lambda tree: tree["parents"].__setitem__(0, 1), "Tree 1 .* its root has the parent 1"),
        *[
            (lambda tree, name=name: tree[name].pop(), "Tree 1 .* of different lengths")
            for name in ("parents", "split_conditions", "loss_changes", "sum_hessian", "default_left", "split_type")
        ],
        (lambda tree: tree["base_weights"].append(0.5), r"Tree 1 .* its base_weights are \d+, but it has \d+ nodes"),
        (lambda tree: tree.update(split_conditions=["a"]), "Tree 1 .* split_conditions is no list of numbers"),
        (lambda tree: tree.update(id=0), "Tree 1 .* its id is 0"),
        (lambda tree: tree["tree_param"].update(num_nodes="1"), "Tree 1 .* of different lengths than its 1 nodes"),
        (lambda tree: tree["tree_param"].update(num_nodes="-3"), "Tree 1 .* its num_nodes is '-3', which is no count"),
        (lambda tree: tree["tree_param"].update(num_nodes=7), "Tree 1 .* its num_nodes is '7', which is no count"),
        (lambda tree: tree["tree_param"].update(size_leaf_vector="3"), "Tree 1 .* of 3 numbers, but the model is of 1"),
        (lambda tree: tree["split_type"].__setitem__(0, 1), "Tree 1 .* sets are not those of its splits by categories"),
        (lambda tree: tree.update(set_of([-1])), "Tree 1 .* category -1 is none from 0 to 16,777,215"),
        (lambda tree: tree.update(set_of([1 << 24])), "Tree 1 .* category 16777216 is none from 0"),
        (lambda tree: tree.update(set_of([1], categories_sizes=[2])), "Tree 1 .* lies beyond its 1 categories"),
        (lambda tree: tree.update(set_of([1], categories_nodes=[999])), "Tree 1 .* is of none of its"),
        (lambda tree: tree.update(set_of([1], categories_segments=[])), "Tree 1 .* sets .* of different lengths"),
    ],
)
def test_a_tree_that_cannot_be_followed_is_refused_with_its_number(library, change, said):
    document = json.loads(library.saved("xgb-classifier").path.read_bytes())
    change(trees(document)[1])
    with pytest.raises(ModelLoadError, match=said):
        require_followable(json.dumps(document).encode(), is_json=True)


def set_of(codes, **changed):
    """Return a tree's entries of one set of categories."""
    return {"categories": codes, "categories_nodes": [0], "categories_segments": [0],
            "categories_sizes": [len(codes)], **changed}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("tree_info", lambda found: [*found[:-1], 1], "a tree adds to output 1 of 1"),
        ("tree_info", lambda found: [-1, *found[1:]], "a tree adds to output -1 of 1"),
        ("tree_info", lambda found: found[1:], r"tree_info is of \d+ trees, but there are \d+"),
        ("tree_info", lambda found: "none", "tree_info is no list of numbers"),
        ("iteration_indptr", lambda found: [*found[:-1], 99], "iteration_indptr does not lead from 0 to its"),
        ("iteration_indptr", lambda found: [0, 2, 1, *found[3:]], "iteration_indptr does not lead"),
    ],
)
def test_trees_out_of_order_are_refused(library, name, change, said):
    document = json.loads(library.saved("xgb-classifier").path.read_bytes())
    model = document["learner"]["gradient_booster"]["model"]
    model[name] = change(model[name])
    with pytest.raises(ModelLoadError, match=said):
        require_followable(json.dumps(document).encode(), is_json=True)


def changed(document, path, value):
    """Change what lies under a path; None removes it."""
    *way, last = path.split("/")
    for step in way:
        document = document[int(step) if isinstance(document, list) else step]
    if value is None:
        del document[last]
    else:
        document[last] = value(document[last]) if callable(value) else value


COUNTS = "learner/learner_model_param/"
MODEL = "learner/gradient_booster/model/"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (COUNTS + "num_class", "300", "its objective multi:softprob is of 3 classes, but its model is of 300"),
        (COUNTS + "num_class", "3x", "its num_class is '3x', which is no count"),
        (COUNTS + "num_class", "-1", "its num_class is '-1', which is no count"),
        (COUNTS + "num_class", "4294967299", "its num_class is '4294967299', which is no count"),
        (COUNTS + "num_class", None, "its num_class is 'None', which is no count"),
        (COUNTS + "num_target", "3", "it says that it has 3 classes and 3 targets"),
        (COUNTS + "num_feature", "2", "asks for input 3 of 2|asks for input 2 of 2"),
        (COUNTS + "base_score", "[5E-1,5E-1]", "its base_score is .* which is not of its 3 outputs"),
        (COUNTS + "base_score", "[nan,0,0]", "its base_score is .* which is not of its 3 outputs"),
        (COUNTS + "base_score", "", "its base_score is '', which is not of its 3 outputs"),
        ("learner/objective/softmax_multiclass_param/num_class", "0", "is of 0 classes, but its model is of 3"),
        ("learner/objective/softmax_multiclass_param/num_class", "9", "is of 9 classes, but its model is of 3"),
        ("learner/gradient_booster/name", "gblinear", "weights is no list of numbers"),
        ("learner/gradient_booster/name", "dart", "it has no list of trees"),
        ("learner/gradient_booster/name", "theirs", "its booster is 'theirs', which is not known"),
        ("learner/gradient_booster", None, "its booster is 'None', which is not known"),
        (MODEL + "gbtree_model_param/num_trees", "3", "it says that it has 3 trees, but there are 6"),
        (MODEL + "gbtree_model_param/num_parallel_tree", "0", "its num_parallel_tree is 0"),
        (MODEL + "trees", lambda trees: trees[:-1], "it says that it has 6 trees, but there are 5"),
        (MODEL + "trees", None, "it has no list of trees"),
        (MODEL + "tree_info", lambda found: [3, *found[1:]], "a tree adds to output 3 of 3"),
        (MODEL + "tree_info", None, "tree_info is no list of numbers"),
        (MODEL + "iteration_indptr", [], "iteration_indptr does not lead from 0"),
        (MODEL + "iteration_indptr", [0, 6.5], "iteration_indptr is no list of whole numbers"),
    ],
)
def test_counts_that_are_not_true_are_refused(path, value, said):
    document = document_of(trained("multi:softprob", num_class=3)[0])
    changed(document, path, value)
    with pytest.raises(ModelLoadError, match=said):
        require_followable(json.dumps(document).encode(), is_json=True)


@pytest.mark.parametrize(
    ("kind", "path", "value", "said"),
    [
        ("gblinear", MODEL + "weights", lambda found: found[:-1], "it has 4 weights, but should have 5"),
        ("gblinear", COUNTS + "num_feature", "40000", "it has 5 weights, but should have 40001"),
        ("dart", "learner/gradient_booster/weight_drop", [1.0], "its weight_drop are not of its 2 trees"),
        ("dart", "learner/gradient_booster/weight_drop", None, "weight_drop is no list of numbers"),
        ("dart", "learner/gradient_booster/gbtree/model/tree_info", [0, 9], "a tree adds to output 9 of 1"),
        ("vector", MODEL + "trees/0/leaf_weights", lambda found: found[:-1], r"leaves of 3 numbers have \d+"),
        ("vector", MODEL + "trees/0/leaf_weights", None, "leaf_weights is no list of numbers"),
        ("vector", MODEL + "trees/0/right_children", lambda found: [*found[:-1], 900], "two leaves are at the same pl"),
        ("vector", MODEL + "trees/0/right_children", lambda found: [*found[:-1], -1], "two leaves are at the same pl"),
        ("vector", MODEL + "trees/0/base_weights", lambda found: found[:-1], "and its nodes"),
        ("vector", MODEL + "trees/0/tree_param/size_leaf_vector", "2", "of 2 numbers, but the model is of 3"),
        ("vector", MODEL + "trees/0/tree_param/size_leaf_vector", "1", r"its base_weights are \d+, but it has"),
        ("sets", MODEL + "cats/enc/1/offsets", [0, 1, 900], "leads beyond its letters"),
        ("sets", MODEL + "cats/enc/1/offsets", [0, 2, 1], "leads beyond its letters"),
        ("sets", MODEL + "cats/enc", lambda found: found[:1], "not of its 2 inputs"),
        ("sets", MODEL + "cats/feature_segments", lambda found: [*found[:-1], 900], "not where it says"),
        ("sets", MODEL + "cats/feature_segments", [], "have no feature_segments"),
        ("sets", MODEL + "cats/sorted_idx", lambda found: [*found[:-1], 900], r"\(sorted_idx\) is none"),
        ("sets", MODEL + "trees/0/categories_nodes", lambda found: found[::-1], "not those of its splits"),
    ],
)
def test_boosters_of_other_kinds_are_looked_at_too(kind, path, value, said):
    document = document_of(KINDS[kind]()[0])
    require_followable(json.dumps(document).encode(), is_json=True)
    changed(document, path, value)
    with pytest.raises(ModelLoadError, match=said):
        require_followable(json.dumps(document).encode(), is_json=True)


def with_sets():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=300), "town": pd.Categorical(rng.choice(list("uvwxyz"), 300))})
    target = frame["town"].cat.codes % 3 + frame["a"]
    given = {"max_depth": 4, "max_cat_to_onehot": 1, "nthread": 1}
    data = xgb.DMatrix(frame, target, enable_categorical=True)
    return xgb.train(given, data, 3), data


KINDS = {
    "gblinear": lambda: trained(booster="gblinear"),
    "dart": lambda: trained(booster="dart", rate_drop=0.5),
    "vector": lambda: trained(targets=3, multi_strategy="multi_output_tree"),
    "several": lambda: trained(targets=3),
    "forest": lambda: trained(num_parallel_tree=3, subsample=0.5, colsample_bynode=0.5),
    "pruned": lambda: trained(tree_method="exact", gamma=2.0, max_depth=6),
    "lossguide": lambda: trained(grow_policy="lossguide", max_leaves=5, max_depth=0),
    "stumps": lambda: trained(gamma=1e9),
    "quantiles": lambda: trained("reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9]),
    "classes of their own": lambda: trained(num_class=3, objective="reg:squarederror", base_score=0.5, custom=True),
    "sets": with_sets,
}
OBJECTIVES = (
    "reg:squarederror", "reg:squaredlogerror", "reg:logistic", "reg:pseudohubererror", "reg:absoluteerror",
    "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "survival:cox", "survival:aft",
    "multi:softmax", "multi:softprob", "rank:ndcg", "rank:map", "rank:pairwise", "reg:gamma", "reg:tweedie",
)  # fmt: skip


def trained(objective="reg:squarederror", targets=1, custom=False, **given):
    rng = np.random.default_rng(2)
    data = rng.normal(size=(200, 4))
    label = np.abs(data[:, :targets] + data[:, 3:]) if targets > 1 else np.abs(data[:, 0] + data[:, 3])
    if objective.split(":")[0] in ("binary", "rank") or objective == "reg:logistic":
        label = (label > 1) * 1.0
    if objective.startswith("multi"):
        label, given = np.digitize(label, [0.5, 1.5]), {"num_class": 3, **given}
    matrix = xgb.DMatrix(data, label)
    if objective.startswith("rank"):
        matrix.set_group([20] * 10)
    if objective == "survival:aft":
        matrix.set_float_info("label_lower_bound", label + 0.1)
        matrix.set_float_info("label_upper_bound", label + 0.5)
    own = (lambda predicted, _: (predicted, np.ones_like(predicted))) if custom else None
    common = {"objective": objective, "max_depth": 3, "nthread": 1, "seed": 1, "verbosity": 0}
    return xgb.train({**common, **given}, matrix, 2, obj=own), matrix


def document_of(booster):
    return json.loads(bytes(booster.save_raw("json")))


def require_same(booster, matrix):
    """What XGBoost writes is followed in each of its forms, and predicts the same bits."""
    for form in ("json", "ubj"):
        content = bytes(booster.save_raw(form))
        require_followable(content, is_json=form == "json")
        again = xgb.Booster(model_file=bytearray(content))
        assert np.array_equal(again.predict(matrix), booster.predict(matrix), equal_nan=True)
    require_state_followable(bytes(booster.__getstate__()["handle"]))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_whatever_xgboost_trains_is_followed(objective):
    require_same(*trained(objective))


@pytest.mark.parametrize("kind", KINDS)
def test_boosters_of_every_kind_are_followed(kind):
    require_same(*KINDS[kind]())


def test_boosters_that_were_continued_or_cut_are_followed():
    booster, matrix = trained("multi:softprob")
    require_same(xgb.train({"objective": "multi:softprob", "num_class": 3}, matrix, 2, xgb_model=booster), matrix)
    require_same(booster[1:], matrix)


@pytest.mark.parametrize("kind", ["forest", "pruned"])
def test_a_file_of_an_older_xgboost_is_followed_and_predicts_the_same(kind):
    booster, matrix = KINDS[kind]()
    document = document_of(booster)
    model = document["learner"]["gradient_booster"]["model"]
    for name in ("cats", "iteration_indptr"):
        del model[name]
    for name in ("num_target", "boost_from_average"):
        del document["learner"]["learner_model_param"][name]
    document["learner"]["learner_model_param"]["base_score"] = document["learner"]["learner_model_param"][
        "base_score"
    ].strip("[]")
    for tree in model["trees"]:
        tree["default_left"] = [bool(each) for each in tree["default_left"]]
        for name in ("split_type", "categories", "categories_nodes", "categories_segments", "categories_sizes"):
            del tree[name]
    content = json.dumps(document).encode()
    require_followable(content, is_json=True)
    again = xgb.Booster(model_file=bytearray(content))
    assert np.array_equal(again.predict(matrix), booster.predict(matrix))


def ubj(value):
    """Write a value as XGBoost's reader takes it; an object may be given as pairs."""
    if isinstance(value, dict):
        value = list(value.items())
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        inner = b"".join(b"L" + len(name).to_bytes(8, "big") + name.encode() + ubj(each) for name, each in value)
        return b"{" + inner + b"}"
    if isinstance(value, list):
        return b"[" + b"".join(map(ubj, value)) + b"]"
    return b"S" + b"L" + len(value).to_bytes(8, "big") + value.encode()


def test_a_name_that_is_there_twice_is_refused_of_which_xgboost_takes_the_first():
    document = [("learner", {"learner_model_param": [("num_class", "3"), ("num_class", "1")]})]
    with pytest.raises(ModelLoadError, match="'num_class' is in it twice"):
        require_followable(ubj(document), is_json=False)
    with pytest.raises(ModelLoadError, match="'learner' is in it twice"):
        require_followable(b'{"learner": {}, "learner": {}}', is_json=True)


def test_what_follows_the_end_is_refused():
    content = bytes(trained()[0].save_raw("ubj"))
    with pytest.raises(ModelLoadError, match="something follows its end at byte"):
        require_followable(content + b"{}", is_json=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: changed(state, "Model/" + COUNTS + "num_class", "9"), "of 3 classes, but its model is of 9"),
        (lambda state: changed(state, "Model/" + MODEL + "tree_info", [9] * 6), "a tree adds to output 9 of 3"),
        (
            lambda state: changed(state, "Config/learner/objective/softmax_multiclass_param/num_class", "9"),
            "of 9 classes, but its model is of 3",
        ),
        (
            lambda state: changed(state, "Config/learner/objective/softmax_multiclass_param/num_class", "-1"),
            "its num_class is '-1', which is no count",
        ),
        (lambda state: changed(state, "Config/learner/objective/name", "reg:squarederror"), "of another objective"),
        (lambda state: changed(state, "Config", None), "its configuration is of another objective"),
        (lambda state: changed(state, "Model", None), "num_class is 'None', which is no count"),
    ],
)
def test_a_pickled_booster_is_looked_at_whole(change, said):
    state = as_json(Reader(bytes(trained("multi:softprob")[0].__getstate__()["handle"])).value(0))
    require_state_followable(json.dumps(state).encode())
    change(state)
    with pytest.raises(ModelLoadError, match=said):
        require_state_followable(json.dumps(state).encode())


def as_json(value):
    if isinstance(value, dict):
        return {name: as_json(each) for name, each in value.items()}
    if isinstance(value, list):
        return [as_json(each) for each in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "ends within"),
        (b"{", "its end is missing"),
        (b"{L" + (9).to_bytes(8, "big"), "starts something of length 9, but 10 bytes are there"),
        (b"{L" + (-1).to_bytes(8, "big", signed=True), "starts something of length -1"),
        (b"{i\x01a", "byte 1 is 'i' where 'L' must be"),
        (b"[$d#L" + (1).to_bytes(8, "big") + b"\0", "ends within what starts at byte 13"),
        (b"[" * 100, "nested more than 50 levels deep"),
        (b"x", "is no value"),
    ],
)
def test_ubjson_whose_lengths_lie_is_refused(content, said):
    with pytest.raises(ModelLoadError, match=said):
        require_followable(content, is_json=False)


def test_ubjson_of_every_kind_is_read():
    name = b"L" + (1).to_bytes(8, "big") + b"a"
    numbers = b"[$i#L" + (2).to_bytes(8, "big") + b"\x01\xff"
    content = b"{" + name + b"[TFZ" + numbers + b"S" + name + b"[#L" + (1).to_bytes(8, "big") + b"U\x07]}"
    yes, no, nothing, array, text, more = Reader(content).value(0)["a"]
    assert (yes, no, nothing, array.tolist(), text, more) == (True, False, None, [1, -1], "a", [7])
