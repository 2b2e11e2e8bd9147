"""The examples in the package's docstrings compute what they say."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

import airflow_batch_inference

PACKAGE = Path(airflow_batch_inference.__file__).parent
EXAMPLE = re.compile(r"^ *>>> ", re.MULTILINE)


def with_examples():
    """Return the names of the modules that have examples, told by their text: nothing is imported for that."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if EXAMPLE.search(path.read_text()):
            yield ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("name", list(with_examples()))
def test_the_examples_of_a_module_hold(name):
    module = importlib.import_module(name)
    done = doctest.testmod(module)
    assert done.failed == 0, "pytest shows above what was computed"
    there = len(EXAMPLE.findall(Path(module.__file__).read_text()))
    assert done.attempted == there, "an example stands where none is looked for"
