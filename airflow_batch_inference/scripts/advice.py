"""What to do here about errors of scripts that were written for Azure ML, or for another Python.

Invariants: the script's own error stays as it is; the advice stands behind it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

MODEL_DIR = "AZUREML_MODEL_DIR"
_MISSING = re.compile(r"No module named '([^']+)'")
_AZURE = re.compile(r"^(azureml|azure\.ai\.ml|azureml_user|mltable)(\.|_|$)")
_OFFLINE = re.compile(r"_OfflineRun|OfflineRun|RunEnvironmentException|azureml\.|ModelNotFoundException")
_COUNTERPARTS = (
    (r"get_model_path|azureml\.core\.model|\bModel\b", f"os.environ['{MODEL_DIR}'] is the model's folder (model=)"),
    (
        r"get_context|\bRun\b",
        "there is no run to ask: values come by environment_variables and program_arguments, and print and logging log",
    ),
    (r"EntryScript|azureml_user", "logging.getLogger() logs, and os.environ['AZUREML_BI_OUTPUT_PATH'] is the output"),
    (r"Workspace|MLClient", "there is no workspace: give model=, dataset= and conn_id="),
    (r"Dataset|Datastore|mltable|fsspec", "run() is given the paths of dataset='s files"),
)
_EVERYTHING = (
    f"a model is given by model= and lies in os.environ['{MODEL_DIR}'], other values come by environment_variables and "
    "program_arguments"
)


@dataclass(frozen=True, slots=True)
class Place:
    """The Python that a script runs in.

    Attributes
    ----------
    python
        Its path.
    origin
        The argument that it comes from: ``python`` or ``requirements``; None: it is the worker's own.
    """

    python: str = sys.executable
    origin: str | None = None

    def install(self, package: str) -> str:
        """Say how a package gets there."""
        if self.origin == "requirements":
            return f"Add the package of {package!r} to requirements, or leave the import out."
        if self.origin == "python":
            return f"Install it there: {self.python} -m pip install <the package of {package!r}>."
        return (
            f"The script runs in the worker's own Python, {self.python}. Install the package of {package!r} there, or "
            "give the script an interpreter of its own: python='/path/bin/python', or "
            "requirements='/path/requirements.txt'."
        )


def advice_on(error: str, lines: str, place: Place) -> str:
    """Return what to do, with a blank before it; nothing where there is nothing to say.

    Parameters
    ----------
    error
        The exception's text, with its type.
    lines
        The script's own lines that led to it.
    place
        Where it runs.

    Examples
    --------
    >>> advice_on("ValueError: x", "", Place())
    ''
    """
    missing = _MISSING.search(error)
    is_azure = missing is not None and (_AZURE.match(missing[1]) or (missing[1] == "azure" and "azure.ai.ml" in lines))
    if missing is not None and not is_azure:
        return f" {place.install(missing[1].partition('.')[0])}"
    if missing is not None or _OFFLINE.search(error):
        found = [what for pattern, what in _COUNTERPARTS if re.search(pattern, lines)] or [_EVERYTHING]
        return f" Scripts run without Azure ML's own packages here: {'; '.join(found)}. Leave the import out."
    if MODEL_DIR in error and "KeyError" in error:
        return f" {MODEL_DIR} is set where a model is given: model='/path/of/the/model'."
    return ""
