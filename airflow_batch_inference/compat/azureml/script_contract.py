"""What scripts of Azure ML's batch deployments and parallel jobs expect, and what to do here where they fail.

Invariants: the script's own error stays as it is; the advice stands behind it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.storage.store import Storage

MODEL_DIR = "AZUREML_MODEL_DIR"
OUTPUT_PATH = "AZUREML_BI_OUTPUT_PATH"
_MISSING = re.compile(r"No module named '([^']+)'")
_AZURE = re.compile(r"^(azureml|azure\.ai\.ml|azureml_user|mltable)(\.|_|$)")
_OFFLINE = re.compile(r"_OfflineRun|OfflineRun|RunEnvironmentException|azureml\.|ModelNotFoundException")
_COUNTERPARTS = (
    (r"get_model_path|azureml\.core\.model|\bModel\b", f"os.environ['{MODEL_DIR}'] is the model's folder (model=)"),
    (
        r"get_context|\bRun\b",
        "there is no run to ask: values come by environment_variables and program_arguments, and print and logging log",
    ),
    (r"EntryScript|azureml_user", f"logging.getLogger() logs, and os.environ['{OUTPUT_PATH}'] is the output"),
    (r"Workspace|MLClient", "there is no workspace: give model=, dataset= and conn_id="),
    (r"Dataset|Datastore|mltable|fsspec", "run() is given the paths of dataset='s files"),
)
_EVERYTHING = (
    f"a model is given by model= and lies in os.environ['{MODEL_DIR}'], other values come by environment_variables and "
    "program_arguments"
)


class AzureMLScripts:
    """See :class:`~airflow_batch_inference.scripts.contracts.ScriptContract`."""

    model_variable = MODEL_DIR
    output_variable = OUTPUT_PATH

    def listed(self, files: Sequence[DataFile], storage: Storage) -> Sequence[DataFile]:
        """Put what ``MLTable`` files name in the place of all that lies beside them."""
        from airflow_batch_inference.compat.azureml.mltable import without_mltables

        return without_mltables(files, storage)

    def advice(self, error: str, lines: str) -> str | None:
        """Say what stands here for the packages that only Azure ML's machines have."""
        missing = _MISSING.search(error)
        if missing is None and not _OFFLINE.search(error):
            return None
        if missing is not None and not (_AZURE.match(missing[1]) or (missing[1] == "azure" and "azure.ai.ml" in lines)):
            return None
        found = [what for pattern, what in _COUNTERPARTS if re.search(pattern, lines)] or [_EVERYTHING]
        return f"Scripts run without Azure ML's own packages here: {'; '.join(found)}. Leave the import out."
