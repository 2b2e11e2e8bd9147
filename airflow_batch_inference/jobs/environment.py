"""What a job was planned with: packages and versions that every process which scores its parts must have.

Invariants: two processes of one job compute with the same code, or the second one refuses before its first row.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from airflow_batch_inference import __version__
from airflow_batch_inference.exceptions import EnvironmentMismatchError

if TYPE_CHECKING:
    from collections.abc import Mapping


def environment_stamp(frameworks: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the versions of what this process computes with.

    Parameters
    ----------
    frameworks
        Those of the models' packages, where they are loaded.

    Examples
    --------
    >>> sorted(environment_stamp({"lightgbm": "4.6.0"}))
    ['airflow-batch-inference', 'lightgbm', 'numpy', 'pyarrow', 'python']
    """
    return {
        "airflow-batch-inference": __version__,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "pyarrow": pa.__version__,
        "numpy": np.__version__,
        **(frameworks or {}),
    }


def require_same_environment(planned: Mapping[str, str], frameworks: Mapping[str, str] | None = None) -> None:
    """Refuse to score where this process has other versions than the one that planned the job.

    Parameters
    ----------
    planned
        Its :func:`environment_stamp`.
    frameworks
        Versions of the models' packages in this process; None: they are not loaded yet, and not compared.

    Raises
    ------
    EnvironmentMismatchError
        Names the package, and both versions.
    """
    here = environment_stamp(frameworks)
    wanted = planned if frameworks is not None else {name: planned.get(name) for name in here}
    other = [
        f"{name} {here.get(name, 'missing')} (planned with {version or 'none'})"
        for name, version in wanted.items()
        if here.get(name) != version
    ]
    if other:
        message = (
            f"This process would score with other software than the job was planned with: {', '.join(other)}. Install "
            "the same versions where parts are scored, or plan the job there."
        )
        raise EnvironmentMismatchError(message)
