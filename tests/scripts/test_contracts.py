"""Contracts of scripts: what is known holds for every script, and others register their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed_package import install

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.scripts.advice import Place, advice_on
from airflow_batch_inference.scripts.contracts import contracts, model_variables, output_variables, told
from airflow_batch_inference.scripts.model_folder import model_folder
from airflow_batch_inference.scripts.plan import list_items
from airflow_batch_inference.scripts.settings import ScriptSettings
from airflow_batch_inference.storage.store import Storage

TOY = """
class Toy:
    model_variable = "TOY_MODEL"
    output_variable = "TOY_OUTPUT"

    def listed(self, files, storage):
        return [file for file in files if not file.uri.endswith(".toy")]

    def advice(self, error, lines):
        return "Leave toys out." if "toy" in error else None
"""


@pytest.fixture
def installed(monkeypatch, tmp_path):
    module = tmp_path / "toy_contract.py"
    module.write_text(TOY)
    install(monkeypatch, tmp_path / "site", "airflow_batch_inference.script_contracts", "toy", module, attribute="Toy")


def test_the_built_in_ones_come_first(installed):
    assert [type(each).__name__ for each in contracts()] == ["AzureMLScripts", "Toy"]
    assert model_variables()[1:] == ("TOY_MODEL",)
    assert told(output_variables()).endswith(" or TOY_OUTPUT")


def test_all_of_them_hold_at_once(installed, tmp_path):
    for name in ("a.csv", "b.toy"):
        (tmp_path / name).write_text("1")
    listed = list_items([str(tmp_path / "a.csv"), str(tmp_path / "b.toy")], Storage(), recursive=False, on_empty="fail")
    assert [item.name for item in listed] == ["a.csv"]
    copy = Path(tmp_path, "copy", "model.bin")
    assert model_folder(copy, ()).variables == dict.fromkeys(model_variables(), str(copy.parent))
    assert advice_on("ValueError: no toy", "", Place()) == " Leave toys out."
    assert "TOY_MODEL is set where a model is given" in advice_on("KeyError: 'TOY_MODEL'", "", Place())


@pytest.mark.parametrize("name", ["TOY_MODEL", "TOY_OUTPUT", "AZUREML_MODEL_DIR"])
def test_no_environment_sets_what_tells_a_script_its_folders(installed, name):
    with pytest.raises(ConfigurationError, match=f"sets {name}, which tells the script its folders"):
        ScriptSettings(environment_variables={name: "/x"})
