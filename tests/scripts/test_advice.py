"""What to do here about errors of scripts, told where they fail."""

from __future__ import annotations

import pytest

from airflow_batch_inference.scripts.advice import Place, advice_on


def test_other_packages_are_told_where_they_are_missing():
    error = "ModuleNotFoundError: No module named 'torch.nn'"
    assert "python='/path/bin/python', or requirements='/path/requirements.txt'" in advice_on(error, "", Place())
    assert "/e/bin/python -m pip install" in advice_on(error, "", Place("/e/bin/python", "python"))
    assert "Add the package of 'torch' to requirements" in advice_on(error, "", Place("/e", "requirements"))


@pytest.mark.parametrize("error", ["ValueError: Run", "KeyError: 'Model'", "TypeError: Workspace", "x"])
def test_other_errors_get_no_advice(error):
    assert advice_on(error, "Model Run Workspace", Place()) == ""
