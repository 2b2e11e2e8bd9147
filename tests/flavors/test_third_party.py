"""The flavor that docs/flavors.md shows, installed as a package of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.models.loading import load_model
from airflow_batch_inference.storage.store import Storage

DOCUMENT = Path(__file__).parents[2] / "docs" / "flavors.md"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install the document's code as a package with its entry point."""
    section = DOCUMENT.read_text().split("## A flavor of your own", 1)[1]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)
    (point,) = re.findall(r"^linear = \"(.*)\"$", section, re.MULTILINE)
    module = point.partition(":")[0].split(".")
    site = tmp_path / "site"
    info = site / "my_package-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[airflow_batch_inference.flavors]\nlinear = {point}\n")
    folder = site.joinpath(*module[:-1])
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / f"{module[-1]}.py").write_text(code)
    monkeypatch.syspath_prepend(site)
    model = tmp_path / "house.linear.json"
    model.write_text(json.dumps({"rooms": 2.0, "age": -0.5}))
    return model


def test_the_documents_flavor_is_found_tried_in_a_child_and_scores(installed):
    verified = load_model(str(installed), storage=Storage())
    assert (verified.flavor, verified.format, verified.trust) == ("linear", "linear-json", "data")
    batch = pa.table({"rooms": [3.0, 1.0], "age": [2.0, 4.0]})
    assert verified.model.predict(batch).tolist() == [5.0, 0.0]


def test_it_refuses_options_that_it_does_not_know(installed):
    with pytest.raises(ConfigurationError, match=r"load_options has 'scale'.* It takes: none"):
        load_model(str(installed), storage=Storage(), options={"scale": 2})
