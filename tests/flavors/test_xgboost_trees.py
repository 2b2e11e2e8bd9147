from __future__ import annotations

import json

import pytest
from suite import CASES

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.xgboost_trees import _Reader, require_followable


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.flavor == "xgboost"], ids=lambda case: case.name
)
def test_what_xgboost_writes_can_be_followed(library, case):
    content = library.saved(case.name).path.read_bytes()
    require_followable(content, is_json=case.format == "xgboost-json")
    if case.format == "xgboost-ubj":
        assert "learner" in _Reader(content).value(0)


def test_both_formats_say_the_same(library):
    ubj = _Reader(library.saved("xgb-classifier-ubj").path.read_bytes()).value(0)
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
        (lambda tree: tree.pop("left_children"), "Tree 1 .* are no lists of numbers"),
        (lambda tree: tree.update(left_children={"a": 1}), "Tree 1 .* are no lists of numbers"),
        (lambda tree: tree.update(left_children=[1 << 70]), "Tree 1 .* are no lists of numbers"),
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
    yes, no, nothing, array, text, more = _Reader(content).value(0)["a"]
    assert (yes, no, nothing, array.tolist(), text, more) == (True, False, None, [1, -1], "a", [7])
