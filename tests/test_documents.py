"""What the documents say of model files and of modules is what there is; the README leads, and is short."""

from __future__ import annotations

import ast
import re

import pytest
from document_blocks import REPOSITORY, blocks_of

from airflow_batch_inference.flavors.registry import _FLAVORS, get_flavor

DOCS = REPOSITORY / "docs"
FLAVORS = (DOCS / "flavors.md").read_text()
TITLES = {
    "sklearn": "scikit-learn",
    "lightgbm": "LightGBM",
    "xgboost": "XGBoost",
    "onnx": "ONNX",
    "keras": "Keras",
    "tensorflow": "TensorFlow",
    "torch": "PyTorch",
    "mlflow": "MLflow",
}


@pytest.mark.parametrize("name", _FLAVORS.built_in)
def test_every_format_has_a_row_with_its_trust_and_its_extra(name):
    flavor = get_flavor(name)
    rows = [line.split("|") for line in FLAVORS.splitlines() if line.startswith("| ")]
    for known in flavor.formats:
        (row,) = [row for row in rows if f"`{known.name}`" in row[2]]
        assert row[4].strip() == known.trust
        for suffix in known.suffixes if known.name in ("xgboost-json", "onnx", "keras", "torch-export") else ():
            assert f"`{suffix}`" in row[3]
        if flavor.extra is not None:
            assert flavor.extra in row[7] or "within" in row[7]


@pytest.mark.parametrize("name", _FLAVORS.built_in)
def test_every_flavor_has_an_example_of_saving_and_of_loading(name):
    section = FLAVORS.split(f"\n## {TITLES[name]}\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert len(blocks) >= 2
    assert any("LoadModelOperator(" in block for block in blocks)
    for block in blocks:
        ast.parse(block)


README = (REPOSITORY / "README.md").read_text()
MOST_WORDS, MOST_LINES_OF_A_DAG = 600, 20


def test_the_readme_is_short():
    """All of it counts: code, tables and addresses too."""
    assert len(README.split()) <= MOST_WORDS


def test_the_readme_has_one_picture_two_commands_and_one_short_dag():
    assert len(re.findall(r"!\[", README)) == 1
    assert re.findall(r"^make (\w+)", README, re.MULTILINE) == ["demo", "test"]
    (dag,) = [block for block in blocks_of("README.md") if block.language == "python"]
    assert dag.is_dag_file
    assert len(dag.code.splitlines()) <= MOST_LINES_OF_A_DAG


MENTIONED = re.compile(r"`([\w./-]+/(?:[\w-]+\.\w+)?|[\w-]+\.(?:py|md|yml|yaml|toml))`")
"""A file or a folder in a document of the code's structure; a form such as ``flavors/<name>/`` is none."""


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/how-it-works.md"])
def test_the_files_that_a_page_sends_its_reader_to_are_there(page):
    found = set(MENTIONED.findall((REPOSITORY / page).read_text()))
    assert len(found) > 15
    places = (REPOSITORY, REPOSITORY / "airflow_batch_inference")
    assert {name for name in found if not any((place / name).exists() for place in places)} == set()
