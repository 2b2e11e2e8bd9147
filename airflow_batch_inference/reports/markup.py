"""Texts on a report: escaped, and without what may be secret in the URIs that they quote."""

from __future__ import annotations

from html import escape as _escape

from airflow_batch_inference.wording.texts import without_secrets


def escape(text: str) -> str:
    """Return a text as markup that shows it.

    Examples
    --------
    >>> escape("<b> of s3://me:key@bucket/a")
    '&lt;b&gt; of s3://…@bucket/a'
    """
    return _escape(without_secrets(text))
