"""A retry policy for Airflow 3.3 and later that knows which errors pass by themselves, and after how long.

Errors of this package that a retry cannot mend end the task at once without it: see :mod:`.base`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk.definitions.retry_policy import RetryPolicy

_SOON = timedelta(seconds=30)
_LATER = timedelta(minutes=5)


def batch_inference_retry_policy() -> RetryPolicy:
    """Return a policy for ``retry_policy=`` of the operators; the task's ``retries`` still limits the number.

    Examples
    --------
    ::

        PredictOperator(task_id="predict", retries=3, retry_policy=batch_inference_retry_policy(), ...)

    Raises
    ------
    ImportError
        Airflow is older than 3.3, which brought retry policies.
    """
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

    package = "airflow_batch_inference.exceptions"
    return ExceptionRetryPolicy(
        rules=[
            RetryRule(f"{package}.ArtifactNotFoundError", retry_delay=_LATER, reason="the file may still arrive"),
            RetryRule(f"{package}.WorkerError", retry_delay=_SOON, reason="worker processes died; parts are resumed"),
            RetryRule([PermissionError], action=RetryAction.FAIL, reason="a right is missing: a retry cannot give it"),
            RetryRule([ImportError, TypeError, AttributeError], action=RetryAction.FAIL, reason="an error in the code"),
            RetryRule([MemoryError], retry_delay=_LATER, reason="out of memory; parts are resumed"),
            RetryRule([OSError, ConnectionError, TimeoutError], retry_delay=_SOON, reason="network or storage"),
        ]
    )
