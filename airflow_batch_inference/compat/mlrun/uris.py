"""URIs of MLRun's artifact store (``store://models/churn/model#0:latest``), which nobody else resolves."""

from __future__ import annotations

import re

_OWN = re.compile(r"store://", re.IGNORECASE)


def advice_for(uri: str) -> str | None:
    """Return what such a URI is, and what to give in its place; None for others.

    Examples
    --------
    >>> advice_for("store://models/churn")[:38], advice_for("store")
    ("it is a name in another platform's sto", None)
    """
    if _OWN.match(uri) is None:
        return None
    return (
        "it is a name in another platform's store. Give the URI of the file itself, which is called the artifact's "
        "target_path (s3://…, or a mounted path); a model's statistics there are what baseline= takes"
    )
