from __future__ import annotations

import re

import pytest

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.lightgbm_text import require_followable


@pytest.fixture(scope="module")
def text(library):
    return library.saved("text-categorical").path.read_text()


@pytest.mark.parametrize("name", ["text-binary", "text-multiclass", "text-regression", "text-categorical"])
def test_what_lightgbm_writes_can_be_followed(library, name):
    require_followable(library.saved(name).path.read_text())


@pytest.mark.parametrize(
    ("pattern", "replacement", "said"),
    [
        (r"num_leaves=\d+", "num_leaves=99", r"says that it has 99 leaves, but has \d+ splits"),
        (r"num_leaves=\d+", "num_leaves=x", "a number of it is none"),
        (r"num_leaves=", "num_leaves=3\nnum_leaves=", "a line of it is there twice"),
        (r"left_child=-?\d+", "left_child=0", "leads to none of its"),
        (r"right_child=-?\d+", "right_child=-99", "leads to none of its .* leaves"),
        (r"split_feature=\d+", "split_feature=6", "a split asks for input 6 of 6"),
        (r"cat_boundaries=0 \d+", "cat_boundaries=0 99", "no list of them"),
        (r"num_cat=\d+", "num_cat=0", "no list of them"),
    ],
)
def test_a_tree_that_cannot_is_refused_with_its_number(text, pattern, replacement, said):
    with_lists = text.index("cat_boundaries=")
    start = text.rindex("\nTree=", 0, with_lists)
    changed = text[:start] + re.sub(pattern, replacement, text[start:], count=1)
    assert changed != text
    with pytest.raises(ModelLoadError, match=rf"Tree \d+ of the LightGBM text is damaged: .*{said}"):
        require_followable(changed)
