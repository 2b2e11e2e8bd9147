"""Where other platforms may be named, by what ``tools/structure.py`` leaves of a module's text."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "structure.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("structure_tool", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "text",
    [
        'TABLE = Registry(what="rule", group="rules", built_in={\n    "é": "x:Y",\n    "mlrun": "a.mlrun:Rule",\n})\n',
        "from airflow_batch_inference.compat.wallaroo.layout import ResultLayout\n",
        "if True:\n    from airflow_batch_inference.compat.azureml.uris import (\n        advice_for,\n    )\n",
        'PLACES = ("AZURE_CLIENT_ID", "AZURE_")\n',
        "x = 1\n",
    ],
)
def test_what_may_name_another_platform(tool, text):
    assert tool.PLATFORMS.search(tool.own_words(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        '"""As Wallaroo does."""\n',
        "x = 1  # as MLRun's\n",
        'VARIABLE = "AZUREML_MODEL_DIR"\n',
        'is_wallaroo = schema == "wallaroo"\n',
        'TABLE = Registry(what="an mlrun rule", group="rules", built_in={"x": "y:Z"})\n',
        'TABLE = dict(built_in={"mlrun": "y:Z"})\n',
        'TABLE = Registry(what="rule", group=None, built_in={"é": "x:Y"}); x = "mlrun"\n',
        "from airflow_batch_inference.compat.wallaroo.layout import ResultLayout; x = wallaroo\n",
        "from airflow_batch_inference.operators import WallarooLayout\n",
    ],
)
def test_what_may_not(tool, text):
    assert tool.PLATFORMS.search(tool.own_words(text)) is not None


def test_nothing_else_names_another_platform(tool):
    assert tool.strangers() == []
