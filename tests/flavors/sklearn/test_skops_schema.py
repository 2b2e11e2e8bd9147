from __future__ import annotations

import json
import zipfile

import pytest
from suite import CASES

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.sklearn.flavor import _CALLED, SAFE_TYPES
from airflow_batch_inference.flavors.sklearn.skops_schema import called_names


def saved(path, schema):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("schema.json", schema if isinstance(schema, str) else json.dumps(schema))
    return path


def node(loader, module="acme", name="Type", **more):
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.format == "skops"], ids=lambda case: case.name
)
def test_what_skops_writes_calls_none_of_our_types(library, case):
    assert not called_names(library.saved(case.name).path) & (SAFE_TYPES - _CALLED)


@pytest.mark.parametrize(
    "loader", ["ConstructorFromReduceNode", "TypeNode", "FunctionNode", "LossNode", "ListNode", "New"]
)
def test_a_type_that_is_called_or_handed_out_is_named_wherever_it_stands(tmp_path, loader):
    schema = node("ObjectNode", content={"deep": [node("DictNode", name="Holder", content=node(loader))]})
    assert called_names(saved(tmp_path / "m.skops", schema)) == {"acme.Type"}


@pytest.mark.parametrize("loader", ["ObjectNode", "DictNode", "TreeNode", "PartialNode", "RandomStateNode"])
def test_a_type_that_is_built_from_its_state_is_not(tmp_path, loader):
    assert called_names(saved(tmp_path / "m.skops", node(loader))) == set()


def test_a_function_of_the_first_version_is_named_too(tmp_path):
    content = {"module_path": "os", "function": "system"}
    assert "os.system" in called_names(saved(tmp_path / "m.skops", node("FunctionNode", content=content)))


@pytest.mark.parametrize("schema", ["{", "[" * 100_000, "\ud800".encode("utf-8", "replace").decode() + "x"])
def test_a_schema_that_cannot_be_read_is_refused(tmp_path, schema):
    with pytest.raises(ModelLoadError, match=r"schema\.json in m\.skops cannot be read"):
        called_names(saved(tmp_path / "m.skops", schema))


def test_a_file_without_a_schema_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.skops", "w") as archive:
        archive.writestr("other.json", "{}")
    with pytest.raises(ModelLoadError, match=r"schema\.json in m\.skops is missing"):
        called_names(tmp_path / "m.skops")
