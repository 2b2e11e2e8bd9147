"""The kernel stands in for the library once it has given the same bits, and steps aside at the first that differs."""

from __future__ import annotations

import re
import threading

import lightgbm
import lightgbm_models as models
import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.forests.forest import ZERO_NAN_RIGHT
from airflow_batch_inference.flavors.lightgbm import forest as lightgbm_forest
from airflow_batch_inference.flavors.registry import trees_of
from airflow_batch_inference.flavors.sklearn.model import describe
from airflow_batch_inference.trees import compiled, fast_model, scorer
from airflow_batch_inference.trees.fast_model import FastModel, accelerated, for_call, require_choice, why_slow
from airflow_batch_inference.trees.scorer import TreeScorer


@pytest.fixture(scope="module")
def data():
    return models.training_rows(np.random.default_rng(0), 500, 4, missing="nan")


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    label = models.target(np.random.default_rng(1), data, "binary")
    given = {"objective": "binary", "verbose": -1, "num_threads": 1}
    return models.load(lightgbm.train(given, lightgbm.Dataset(data, label), 10), tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _few_rows_are_worth_it(monkeypatch):
    monkeypatch.setattr(fast_model, "_WORTH", 100 * 10)  # rows times trees


@pytest.fixture
def wrong_reader(monkeypatch):
    """Let the reader take missing values to the right, wherever the library takes them."""
    rules = lightgbm_forest._RULES.copy()
    rules[2] = ZERO_NAN_RIGHT
    monkeypatch.setattr(lightgbm_forest, "_RULES", rules)


def test_few_rows_are_left_to_the_library(model, data, monkeypatch):
    monkeypatch.setattr(fast_model, "_WORTH", 1_000_000)
    fast = accelerated(model, "auto")
    batch = models.table(model, data)

    np.testing.assert_array_equal(fast.predict(batch), model.predict(batch))
    assert why_slow(fast) == "there were too few rows to pay for it"


def test_enough_rows_are_scored_by_the_kernel_with_the_same_bits(model, data):
    fast, batch = accelerated(model, "auto"), models.table(model, data)
    for _ in range(3):
        found = fast.predict_all(batch, methods=("predict", "raw_score", "predict_proba"))
        for method, values in found.items():
            np.testing.assert_array_equal(values, model.predict(batch, method=method))
    assert why_slow(fast) == ""


def test_the_library_is_not_asked_any_more_once_all_is_compared(model, data, monkeypatch):
    monkeypatch.setattr(fast_model, "_COMPARED_ROWS", len(data))
    fast, batch = accelerated(model, "auto"), models.table(model, data)
    fast.predict(batch)
    monkeypatch.setattr(lightgbm.Booster, "predict", None)

    assert fast.predict(batch).shape == (len(data),)


def test_methods_that_no_sum_answers_and_arguments_are_the_librarys(model, data):
    fast, batch = accelerated(model, "auto"), models.table(model, data)
    found = fast.predict_all(batch, methods=("predict", "leaf_index"))
    np.testing.assert_array_equal(found["leaf_index"], model.predict(batch, method="leaf_index"))
    np.testing.assert_array_equal(found["predict"], model.predict(batch))
    some = fast.predict(batch, kwargs={"num_iteration": 3})
    np.testing.assert_array_equal(some, model.predict(batch, kwargs={"num_iteration": 3}))


def test_it_looks_like_the_model_behind_it(model):
    fast = accelerated(model, "auto")
    for name in ("feature_names", "n_features", "inputs", "output_names", "methods", "versions", "classes"):
        assert getattr(fast, name) == getattr(model, name)
    assert fast.importances == model.importances
    assert not fast.names_outputs


def test_a_wrong_reading_is_seen_on_rows_made_from_the_trees(model, data, wrong_reader, caplog):
    fast, batch = accelerated(model, "auto"), models.table(model, data)

    np.testing.assert_array_equal(fast.predict(batch), model.predict(batch))
    assert why_slow(fast).startswith("it differs from the library on rows made from its trees: row ")
    assert len(caplog.records) == 1


def test_a_wrong_reading_is_seen_on_the_first_rows_too(model, data, wrong_reader, monkeypatch):
    monkeypatch.setattr(TreeScorer, "difference", lambda self, source, methods: None)
    fast, batch = accelerated(model, "auto"), models.table(model, data)

    np.testing.assert_array_equal(fast.predict(batch), model.predict(batch))
    assert why_slow(fast).startswith("it differs from the library on the first rows: row ")


def test_rows_that_came_before_it_was_worth_it_are_compared(model, data, wrong_reader, monkeypatch):
    monkeypatch.setattr(TreeScorer, "difference", lambda self, source, methods: None)
    fast = accelerated(model, "auto")
    fast.predict(models.table(model, data[:50]))  # these have missing values
    whole = models.table(model, np.nan_to_num(data))

    np.testing.assert_array_equal(fast.predict(whole), model.predict(whole))
    assert why_slow(fast).startswith("it differs from the library on the first rows")


def test_a_large_first_mini_batch_is_compared_on_rows_from_all_over_it(model, data, monkeypatch):
    monkeypatch.setattr(fast_model, "_COMPARED_ROWS", 7)
    seen = []
    ask = fast_model.ask
    monkeypatch.setattr(
        fast_model, "ask", lambda model, batch, methods: seen.append(batch) or ask(model, batch, methods)
    )
    numbered = np.nan_to_num(data)
    numbered[:, 0] = np.arange(len(data))
    accelerated(model, "auto").predict(models.table(model, numbered))

    assert [len(batch) for batch in seen] == [7]
    places = seen[0].column(0).to_pylist()
    assert (places[0], places[-1], np.ptp(np.diff(places)) <= 1) == (0, len(data) - 1, True)


def test_rows_that_only_the_library_can_score_do_not_count_as_compared(model, data, monkeypatch):
    monkeypatch.setattr(fast_model, "_COMPARED_ROWS", len(data))
    fast, batch = accelerated(model, "auto"), models.table(model, data)
    right = TreeScorer.score
    monkeypatch.setattr(TreeScorer, "score", lambda self, batch, methods: None)
    fast.predict(batch)
    monkeypatch.setattr(
        TreeScorer,
        "score",
        lambda self, batch, methods: {name: found + 1.0 for name, found in right(self, batch, methods).items()},
    )

    np.testing.assert_array_equal(fast.predict(batch), model.predict(batch))
    assert why_slow(fast).startswith("it differs from the library on the first rows: row ")


def test_what_is_required_is_tried_at_once(model, wrong_reader):
    with pytest.raises(ConfigurationError, match=r"accelerate is 'require'.*differs from the library"):
        accelerated(model, "require")


@pytest.mark.parametrize(
    ("method", "kwargs", "problem"),
    [
        ("predict", {"num_iteration": 3}, r"predict_kwargs were given \(num_iteration\)"),
        ("contributions", {}, r"no method that it covers was asked for \(contributions\)"),
    ],
)
def test_calls_that_the_kernel_has_no_part_in_cannot_be_required_and_are_named(model, data, method, kwargs, problem):
    batch = models.table(model, data)
    with pytest.raises(ConfigurationError, match=problem):
        accelerated(model, "require").predict(batch, method=method, kwargs=kwargs)

    fast = accelerated(model, "auto")
    fast.predict(batch, method=method, kwargs=kwargs)
    assert re.match(problem, why_slow(fast))
    fast.predict(batch.slice(0, 1))
    assert why_slow(fast) == "there were too few rows to pay for it"


def test_what_is_asked_beside_the_predictions_is_the_librarys(model):
    fast = accelerated(model, "require")
    assert for_call(fast, ("contributions",), {}) is model
    assert for_call(fast, ("predict", "contributions"), {}) is fast
    assert for_call(model, ("contributions",), {}) is model


def test_a_required_kernel_that_was_found_wrong_is_an_error_each_time(model, data, monkeypatch):
    fast, batch = accelerated(model, "require"), models.table(model, data)
    walk = scorer.raw_scores
    monkeypatch.setattr(scorer, "raw_scores", lambda *given: walk(*given) + 1e-9)

    for _ in range(2):
        with pytest.raises(ConfigurationError, match="differs from the library"):
            fast.predict(batch)


def test_a_required_kernel_has_nothing_to_say_before_there_are_rows(model, data):
    fast = accelerated(model, "require")
    assert why_slow(fast) == ""
    assert len(fast.predict(models.table(model, data[:0]))) == 0
    assert why_slow(fast) == ""


def test_a_model_that_is_no_tree_ensemble_cannot_be_required(data):
    linear = describe(LinearRegression().fit(np.nan_to_num(data), np.arange(len(data))))
    assert accelerated(linear, "auto") is linear
    with pytest.raises(ConfigurationError, match="no tree ensemble"):
        accelerated(linear, "require")


def test_off_is_the_model_itself(model):
    assert accelerated(model, "off") is model


def test_without_llvmlite_the_library_scores(model, data, monkeypatch):
    monkeypatch.setattr(fast_model, "is_installed", lambda: False)
    fast, batch = accelerated(model, "auto"), models.table(model, data)

    np.testing.assert_array_equal(fast.predict(batch), model.predict(batch))
    assert "pip install llvmlite" in why_slow(fast)


def test_a_small_batch_says_too_that_llvmlite_is_missing(model, data, monkeypatch):
    monkeypatch.setattr(fast_model, "_WORTH", 1_000_000)
    monkeypatch.setattr(fast_model, "is_installed", lambda: False)
    fast = accelerated(model, "auto")
    fast.predict(models.table(model, data))

    assert why_slow(fast) == "llvmlite is not installed; pip install llvmlite"


@pytest.mark.parametrize("error", [OSError("libLLVM.so: cannot open"), ImportError("no llvmlite"), RuntimeError("x")])
def test_a_kernel_that_cannot_be_compiled_leaves_all_to_the_library(model, data, monkeypatch, error):
    def broken(*_):
        raise error

    monkeypatch.setattr(compiled, "_kernels", [])
    monkeypatch.setattr(compiled, "compile_for", broken)
    fast, batch = accelerated(model, "auto"), models.table(model, data)

    np.testing.assert_array_equal(fast.predict(batch), model.predict(batch))
    assert str(error) in why_slow(fast)
    with pytest.raises(ConfigurationError, match="accelerate is 'require'"):
        accelerated(model, "require")


def test_what_fails_after_it_was_compared_turns_the_kernel_off(model, data, monkeypatch):
    def broken(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(fast_model, "_COMPARED_ROWS", len(data))
    fast, batch = accelerated(model, "auto"), models.table(model, data)
    fast.predict(batch)
    monkeypatch.setattr("airflow_batch_inference.trees.scorer.raw_scores", broken)

    np.testing.assert_array_equal(fast.predict(batch), model.predict(batch))
    assert why_slow(fast) == "the kernel failed: RuntimeError: can't start new thread"


def test_whatever_goes_wrong_the_library_scores(model, data, monkeypatch):
    def broken(*_):
        raise MemoryError

    monkeypatch.setattr("airflow_batch_inference.trees.scorer.raw_scores", broken)
    fast, batch = accelerated(model, "auto"), models.table(model, data)

    np.testing.assert_array_equal(fast.predict(batch), model.predict(batch))
    assert why_slow(fast).startswith("the kernel failed: MemoryError")


def test_an_unknown_choice_is_refused():
    with pytest.raises(ConfigurationError, match="accelerate is 'yes'"):
        require_choice("yes")


def test_a_mini_batch_of_another_width_is_the_librarys(model, data):
    fast = accelerated(model, "require")
    with pytest.raises(lightgbm.basic.LightGBMError):
        fast.predict(pa.table({"f0": data[:, 0]}))


def test_several_threads_share_the_rows_and_the_bits(model, data, monkeypatch):
    batch = models.table(model, np.tile(data, (20, 1)))
    expected = model.predict(batch)
    fast = accelerated(model, "require")
    for threads in (1, 2, 5):
        monkeypatch.setattr(compiled, "native_threads", lambda threads=threads: threads)
        np.testing.assert_array_equal(fast.predict(batch), expected)


def test_several_callers_at_once_get_the_same_bits(model, data):
    fast, batch = accelerated(model, "auto"), models.table(model, data)
    expected, found = model.predict(batch), []
    callers = [threading.Thread(target=lambda: found.append(fast.predict(batch))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert [np.array_equal(each, expected) for each in found] == [True] * 4


def test_a_failing_encoder_is_the_flavors_to_report(model, data):
    fast = FastModel(model, trees_of(model), is_required=True)
    with pytest.raises(pa.ArrowInvalid):
        fast.predict(pa.table([pa.array(["x"])] * 4, names=list("abcd")))
