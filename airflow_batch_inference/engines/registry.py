"""Which engines there are, by name.

Built-in engines stand in a table of strings, others register under the entry-point group
``airflow_batch_inference.engines``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.registry import Registry

if TYPE_CHECKING:
    from airflow_batch_inference.engines.base import Engine

GROUP = "airflow_batch_inference.engines"

_ENGINES = Registry(
    what="engine",
    group=GROUP,
    built_in={
        "in_process": "airflow_batch_inference.engines.in_process:InProcessEngine",
        "threads": "airflow_batch_inference.engines.threads:ThreadsEngine",
        "processes": "airflow_batch_inference.engines.processes.engine:ProcessesEngine",
    },
)


def engine_names() -> tuple[str, ...]:
    """Return the names of all engines, built-in ones first."""
    return _ENGINES.names()


def create_engine(name: str) -> Engine:
    """Return the engine that has a name.

    Raises
    ------
    ConfigurationError
        There is none, or it cannot be imported.
    """
    engine: Engine = _ENGINES.create(name)
    return engine
