"""What to do here about errors of scripts that were written for another platform, or for another Python.

Invariants: the script's own error stays as it is; the advice stands behind it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from airflow_batch_inference.scripts.contracts import contracts, model_variables

_MISSING = re.compile(r"No module named '([^']+)'")


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
    for contract in contracts():
        found = contract.advice(error, lines)
        if found is not None:
            return f" {found}"
    missing = _MISSING.search(error)
    if missing is not None:
        return f" {place.install(missing[1].partition('.')[0])}"
    for name in model_variables() if "KeyError" in error else ():
        if name in error:
            return f" {name} is set where a model is given: model='/path/of/the/model'."
    return ""
