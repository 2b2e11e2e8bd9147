from __future__ import annotations

import functools

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from airflow_batch_inference.exceptions import ModelLoadError, UntrustedModelError
from airflow_batch_inference.flavors.sklearn.objects import require_harmless

X = np.random.default_rng(4).normal(size=(40, 2))
Y = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_leaf_nodes=5),
        RandomForestClassifier(3),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2),
        make_pipeline(FunctionTransformer(np.abs), RandomForestClassifier(2)),
        LogisticRegression(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_scikit_learn_fits_is_harmless(model):
    require_harmless(model.fit(X, Y))


def test_categories_of_histogram_trees_are_harmless():
    towns = np.random.default_rng(5).integers(0, 5, size=(60, 1))
    model = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2, categorical_features=[0])
    require_harmless(model.fit(towns, np.isin(towns[:, 0], [0, 3])))


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer])
@pytest.mark.parametrize("given", ["filename", "file"])
def test_a_vectorizer_of_files_is_refused_wherever_it_hides(kind, given):
    hidden = kind(input=given)
    pipeline = make_pipeline(FunctionTransformer(functools.partial(print, [{"a": (hidden,)}])), LogisticRegression())
    array = LogisticRegression()
    array.notes_ = np.array([{hidden: 1}], dtype=object)
    for model in (make_pipeline(hidden), pipeline, array, FunctionTransformer(hidden.fit)):
        with pytest.raises(
            UntrustedModelError, match=f"{kind.__name__} has input='{given}', so it would open the files"
        ):
            require_harmless(model)
    require_harmless(make_pipeline(kind()))


def changed(tree, field, value):
    """Change the first node of a fitted tree, as a file could have it."""
    _, arguments, state = tree.tree_.__reduce__()
    state["nodes"][field][0] = value
    tree.tree_ = type(tree.tree_)(*arguments)
    tree.tree_.__setstate__(state)
    return tree


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("left_child", 10**6, "points to none of the 3 nodes after it"),
        ("right_child", 0, "points to none of the 3 nodes after it"),
        ("left_child", -1, "points to none of the 3 nodes after it"),
        ("feature", 2, "asks for an input beyond the 2"),
        ("feature", -7, "asks for an input beyond the 2"),
    ],
)
def test_a_tree_that_cannot_be_followed_is_refused(field, value, said):
    tree = changed(DecisionTreeClassifier(max_depth=1).fit(X, Y), field, value)
    forest = RandomForestClassifier(1).fit(X, Y)
    forest.estimators_ = [tree]
    for model in (tree, forest, make_pipeline(tree)):
        with pytest.raises(ModelLoadError, match=f"DecisionTreeClassifier is damaged: a node of its tree {said}"):
            require_harmless(model)


@pytest.mark.parametrize("count", [0, -1])
def test_a_tree_without_nodes_is_refused(count):
    tree = DecisionTreeClassifier(max_depth=1).fit(X, Y)
    _, arguments, state = tree.tree_.__reduce__()
    tree.tree_ = type(tree.tree_)(*arguments)
    tree.tree_.__setstate__({**state, "node_count": count})
    with pytest.raises(ModelLoadError, match=f"says that it has {count} nodes, but keeps 3"):
        require_harmless(tree)


def test_a_tree_of_more_inputs_than_those_around_it_is_refused():
    wide = DecisionTreeClassifier().fit(np.hstack([X, X]), Y)
    forest = RandomForestClassifier(1).fit(X, Y)
    forest.estimators_ = [wide]
    boosted = GradientBoostingClassifier(n_estimators=1).fit(X, Y)
    boosted.estimators_ = np.array([[wide]], dtype=object)
    for model in (forest, boosted):
        with pytest.raises(ModelLoadError, match="takes 2 inputs, but its trees take others"):
            require_harmless(model)
    wide.n_features_in_ = 2
    with pytest.raises(ModelLoadError, match="takes 2 inputs, but its tree takes 4"):
        require_harmless(wide)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("left", 10**6, "points to none"),
        ("right", 0, "points to none"),
        ("feature_idx", 2, "asks for an input"),
        ("is_categorical", 1, "no list of them"),
    ],
)
def test_a_histogram_tree_that_cannot_be_followed_is_refused(field, value, said):
    model = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2).fit(X, Y)
    model._predictors[1][0].nodes[field][0] = value
    with pytest.raises(ModelLoadError, match=rf"HistGradientBoostingClassifier is damaged: .*{said}"):
        require_harmless(model)
