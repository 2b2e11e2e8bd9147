"""Publishing, as the tests call it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_inference.sinks import registry
from airflow_batch_inference.sinks.base import PublishRequest, Target
from airflow_batch_inference.sinks.manifest import Publisher

if TYPE_CHECKING:
    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.storage.store import Storage


def publish(
    record: PredictionSetRecord,
    target: str,
    *,
    storage: Storage,
    target_storage: Storage,
    publisher: Publisher | None = None,
    **how: Any,
) -> str:
    """Publish a prediction set; ``how`` is the rest of a :class:`~airflow_batch_inference.sinks.base.Target`."""
    to = Target(name=target, storage=target_storage, **how)
    return registry.publish(
        PublishRequest(record=record, target=to, storage=storage, publisher=publisher or Publisher())
    )


def put(bench: Any, record: PredictionSetRecord, target: object) -> str:
    """Publish a bench's prediction set to where its store reaches."""
    return publish(record, str(target), storage=bench.storage, target_storage=bench.storage)
