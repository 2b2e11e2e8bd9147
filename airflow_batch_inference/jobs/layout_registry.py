"""Which output layouts there are, by name; light enough to be asked while a DAG is parsed.

Built-in ones stand in a table of strings, others register under the entry-point group
``airflow_batch_inference.layouts``.
"""

from __future__ import annotations

from airflow_batch_inference.registry import Registry

LAYOUTS = Registry(
    what="output layout",
    group="airflow_batch_inference.layouts",
    built_in={"wallaroo": "airflow_batch_inference.compat.wallaroo.layout:ResultLayout"},
)


def layout_names() -> tuple[str, ...]:
    """Return the names of all layouts but the ordinary one, built-in ones first; imports none of them."""
    return LAYOUTS.names()
