"""What a function's mini-batch is, told by its annotation alone."""

from __future__ import annotations

import pathlib
from pathlib import Path
from typing import List  # noqa: UP035  # people still write it

import pandas as pd
import pyarrow as pa
import pytest
from pandas import DataFrame
from pyarrow import Table

from airflow_batch_inference.decorators.annotations import form_of
from airflow_batch_inference.exceptions import ConfigurationError


def annotated(annotation, **names):
    """Return a function with an annotation, in a file that knows some names."""
    scope = dict(names)
    exec("def risk(batch, factor=1): pass", scope)
    scope["risk"].__annotations__["batch"] = annotation
    return scope["risk"]


@pytest.mark.parametrize(
    ("annotation", "form"),
    [
        (pd.DataFrame, "pandas"),
        (pa.Table, "arrow"),
        (list[str], "texts"),
        (list[Path], "paths"),
        (List[str], "texts"),  # noqa: UP006
        ("pd.DataFrame", "pandas"),
        ("pandas.DataFrame", "pandas"),
        ("DataFrame", "pandas"),
        ("pa.Table", "arrow"),
        ("pyarrow.Table", "arrow"),
        ("Table", "arrow"),
        ("list[str]", "texts"),
        ("list[Path]", "paths"),
        ("list[pathlib.Path]", "paths"),
        ("'pd.DataFrame'", "pandas"),
    ],
)
def test_annotations_that_are_taken_also_as_text_that_nothing_explains(annotation, form):
    assert form_of(annotated(annotation)) == form


def test_text_is_understood_by_what_the_file_has_imported():
    assert form_of(annotated("frames.DataFrame", frames=pd)) == "pandas"
    assert form_of(annotated("Frame", Frame=DataFrame)) == "pandas"
    assert form_of(annotated("arrow.Table", arrow=pa)) == "arrow"
    assert form_of(annotated("Rows", Rows=Table)) == "arrow"


def test_another_modules_class_of_the_same_name_is_not_taken():
    with pytest.raises(ConfigurationError, match=r"is a pd\.DataFrame; it must be pandas\.DataFrame, pyarrow\.Table"):
        form_of(annotated("pd.DataFrame", pd=pathlib))


@pytest.mark.parametrize(
    "annotation", [dict, "dict", list, list[int], "list[float]", "pl.DataFrame", int, "np.ndarray"]
)
def test_other_annotations_are_refused_with_what_is_accepted(annotation):
    with pytest.raises(
        ConfigurationError, match=r"'batch' of risk is a .*; it must be pandas\.DataFrame, .*list\[Path\]"
    ):
        form_of(annotated(annotation))


def test_no_annotation_no_parameter_and_a_coroutine_are_refused():
    def bare(batch): ...

    def nothing(): ...

    def keywords(*, batch: pd.DataFrame): ...

    async def later(batch: pd.DataFrame): ...

    for function, text in (
        (bare, "has no annotation"),
        (nothing, "has no first parameter"),
        (keywords, "has no first parameter"),
        (later, "is a coroutine"),
    ):
        with pytest.raises(ConfigurationError, match=text):
            form_of(function)
