"""What the documents say of model files is what there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from airflow_batch_inference.flavors.registry import _FLAVORS, get_flavor

DOCS = Path(__file__).parents[1] / "docs"
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
