"""Which columns a result has: Wallaroo's dataset, dataset_exclude and dataset_separator."""

from __future__ import annotations

import pytest

from airflow_batch_inference.compat.wallaroo.result_columns import ColumnChoice, Leaf, leaves, require_different
from airflow_batch_inference.exceptions import ConfigurationError

THERE = leaves(["age", "zip.code"], ["risk"], ["odd"], with_errors=True)
DEFAULT = ["time", "in.age", "in.zip.code", "out.risk", "check_failures", "error"]
ANOMALY = ["anomaly.count", "anomaly.odd"]
METADATA = ["metadata.elapsed", "metadata.last_model", "metadata.pipeline_version"]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*"], [], DEFAULT),
        (["*", "metadata"], [], [*DEFAULT, *METADATA]),
        (["*", "metadata.*", "anomaly"], ["in", "error"], ["time", "out.risk", "check_failures", *ANOMALY, *METADATA]),
        (["*"], ["in"], ["time", "out.risk", "check_failures", "error"]),
        (["*", "in.age"], ["in"], ["time", "in.age", "out.risk", "check_failures", "error"]),
        (["*"], ["in.age"], ["time", "in.zip.code", "out.risk", "check_failures", "error"]),
        (["in"], ["in.age"], ["in.zip.code", "error"]),
        (["out", "time"], [], ["time", "out.risk", "error"]),
        (["out", "time"], ["error"], ["time", "out.risk"]),
        (["metadata.elapsed"], ["metadata"], ["error", "metadata.elapsed"]),
        (["*"], ["metadata", "anomaly.*"], DEFAULT),
        (["in.zip.code"], [], ["in.zip.code", "error"]),
    ],
)
def test_a_leaf_beats_an_excluded_parent_and_the_order_is_always_the_same(include, exclude, expected):
    choice = ColumnChoice(include=tuple(include), exclude=tuple(exclude))
    assert [leaf.path for leaf in choice.of(THERE)] == expected


@pytest.mark.parametrize(
    ("include", "exclude", "words"),
    [
        (["*", "in.agee"], [], "dataset names 'in.agee', .*did you mean 'in.age'"),
        (["*"], ["input"], "dataset_exclude names 'input'"),
        (["*"], ["*"], "dataset_exclude names '\\*'"),
        (["in.age"], ["in.age"], "both name 'in.age'"),
        (["in"], ["in.age", "in.zip.code"], "leaves no column"),
        ([], [], "leaves no column"),
    ],
)
def test_a_name_that_stands_for_nothing_is_an_error(include, exclude, words):
    with pytest.raises(ConfigurationError, match=words):
        ColumnChoice(include=tuple(include), exclude=tuple(exclude)).of(THERE)


def test_a_model_without_inputs_or_outputs_still_has_the_parents():
    assert [leaf.path for leaf in ColumnChoice(exclude=("in",)).of(leaves([], ["risk"]))] == [
        "time", "out.risk", "check_failures",
    ]  # fmt: skip


def test_two_columns_never_have_one_name():
    names = [leaf.named("_") for leaf in (Leaf("in", "a_b"), Leaf("in_a", "b"))]
    with pytest.raises(ConfigurationError, match="'in_a_b'"):
        require_different(names)
    require_different(["a", "b"])
