"""What to do here about scripts that were written for Azure ML, told where they fail."""

from __future__ import annotations

import pytest

from airflow_batch_inference.exceptions import ScriptError, TooManyFailedItemsError
from airflow_batch_inference.scripts.advice import Place, advice_on


@pytest.mark.parametrize(
    ("line", "told"),
    [("from azureml.core import Run", "there is no run to ask.*environment_variables and program_arguments"),
     ("from azureml.core.run import Run\nRun.get_context()", "there is no run to ask"),
     ("from azureml.core.model import Model", r"os\.environ\['AZUREML_MODEL_DIR'\] is the model's folder"),
     ("from azureml_user.parallel_run import EntryScript", r"AZUREML_BI_OUTPUT_PATH"),
     ("from azureml.core import Workspace", "there is no workspace"),
     ("import azureml.fsspec", "run\\(\\) is given the paths"),
     ("from azure.ai.ml import MLClient", "there is no workspace"),
     ("import mltable", "run\\(\\) is given the paths"),
     ("import azureml", "a model is given by model=")],
)  # fmt: skip
def test_imports_of_azure_ml_are_told_what_to_do_here(bench, line, told):
    bench.write_files(1)
    with pytest.raises(ScriptError, match=told) as raised:
        bench.run(bench.script(f"{line}\ndef run(mini_batch):\n    return mini_batch", with_notes=False))
    assert "No module named" in str(raised.value)
    assert line.splitlines()[0] in str(raised.value)  # with the script's own line


def test_an_import_within_run_is_told_too(bench):
    bench.write_files(1)
    script = bench.script("""
        def run(mini_batch):
            from azureml.core import Run
            return [Run.get_context().id]
    """)
    with pytest.raises(TooManyFailedItemsError, match=r"No module named 'azureml'.*there is no run to ask"):
        bench.run(script, max_attempts=1)


def test_a_run_that_is_none_is_told():
    found = advice_on("AttributeError: '_OfflineRun' object has no attribute 'experiment'",
                      "run = Run.get_context()\n    run.experiment.workspace", Place())  # fmt: skip
    assert "there is no run to ask" in found
