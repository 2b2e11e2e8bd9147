"""The pages of docs/operators/ have the arguments of the operators and of their groups: names, defaults, templates."""

from __future__ import annotations

import inspect
import re

import pytest
from document_blocks import DOCS

from airflow_batch_inference import operators
from airflow_batch_inference.operators.base import BatchInferenceOperator

FOLDER = DOCS / "operators"
PAGES = sorted(FOLDER.glob("*.md"))
COMMON = {"artifact_root", "artifact_conn_id"}
"""Arguments of all operators, which stand on the first page alone."""

REQUIRED = "required"


def sections(page):
    """Yield the headings of a page, with the rows of the arguments below each."""
    for part in re.split(r"^#+ ", page.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        rows = [line.strip("| ").split(" | ", 2) for line in text.splitlines() if line.startswith("| `")]
        yield heading, {name.strip("`"): (default.strip("`"), meaning) for name, default, meaning in rows}


def own_arguments(page):
    """Return the rows of an operator's own arguments: those below headings that name no group."""
    rows = [row for heading, found in sections(page) if not is_group(heading) for row in found.items()]
    assert len(rows) == len(dict(rows)), "an argument stands there twice"
    return dict(rows)


def is_group(heading):
    return heading.strip("`") in {group.__name__ for group in operators.GROUPS}


def arguments(operator):
    """Return an operator's arguments with their defaults, in the classes between it and Airflow's own."""
    found = {}
    for kind in operator.__mro__[: operator.__mro__.index(BatchInferenceOperator) + 1]:
        if "__init__" in vars(kind):
            given = inspect.signature(vars(kind)["__init__"]).parameters.values()
            found |= {each.name: each.default for each in given if each.kind is each.KEYWORD_ONLY}
    return found


def told(defaults, templated):
    """Return what a page has to say of arguments: the default, and whether it is a template."""
    return {
        name: (REQUIRED if value is inspect.Parameter.empty else repr(value), name in templated)
        for name, value in defaults.items()
    }


def said(rows):
    return {name: (default, "*(templated)*" in meaning) for name, (default, meaning) in rows.items()}


def page_of(operator):
    (page,) = [page for page in PAGES if page.read_text().startswith(f"# `{operator.__name__}`\n")]
    return page


@pytest.mark.parametrize("operator", operators.OPERATORS, ids=lambda operator: operator.__name__)
def test_a_page_has_the_arguments_of_its_operator(operator):
    expected = told(arguments(operator), operator.template_fields)
    assert said(own_arguments(page_of(operator))) == {k: v for k, v in expected.items() if k not in COMMON}


def test_the_first_page_has_the_arguments_of_all_operators():
    common = arguments(BatchInferenceOperator)
    assert common.keys() == COMMON
    (rows,) = [rows for heading, rows in sections(FOLDER / "index.md") if rows and heading != "Operators"]
    assert said(rows) == told(common, BatchInferenceOperator.template_fields)


@pytest.mark.parametrize("group", operators.GROUPS, ids=lambda group: group.__name__)
def test_every_group_has_its_arguments_wherever_it_stands(group):
    expected = told(
        {each.name: each.default for each in inspect.signature(group).parameters.values()}, group.template_fields
    )
    found = [rows for page in PAGES for heading, rows in sections(page) if heading == f"`{group.__name__}`"]
    assert found
    for rows in found:
        assert said(rows) == expected


@pytest.mark.parametrize("operator", operators.OPERATORS, ids=lambda operator: operator.__name__)
def test_every_group_that_an_operator_takes_stands_on_its_page(operator):
    page = page_of(operator)
    headings = {heading.strip("`") for heading, _ in sections(page) if is_group(heading)}
    linked = set(re.findall(r"\[`(\w+)`\]\(#\w+\)", page.read_text()))
    assert headings == linked
