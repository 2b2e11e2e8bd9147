"""URIs of Azure ML's workspaces (``azureml://datastores/…``, ``azureml:churn:3``), which nobody else resolves."""

from __future__ import annotations

import re

_OWN = re.compile(r"azureml:", re.IGNORECASE)


def advice_for(uri: str) -> str | None:
    """Return what such a URI is, and what to give in its place; None for others.

    Examples
    --------
    >>> advice_for("azureml:churn:3")[:35], advice_for("azureml")
    ('it is a name in an Azure ML workspa', None)
    """
    if _OWN.match(uri) is None:
        return None
    return (
        "it is a name in an Azure ML workspace. Give the URI of the file itself (abfss://container/…; an Airflow "
        "connection names the account), or a mounted path"
    )
