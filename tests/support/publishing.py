"""Publishing, as the tests call it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_inference.sinks import registry
from airflow_batch_inference.sinks.base import PublishRequest
from airflow_batch_inference.sinks.manifest import Publisher

if TYPE_CHECKING:
    from airflow_batch_inference.records import PredictionSetRecord


def publish(record: PredictionSetRecord, target: str, *, publisher: Publisher | None = None, **request: Any) -> str:
    """Publish a prediction set; see :class:`~airflow_batch_inference.sinks.base.PublishRequest`."""
    publisher = publisher or Publisher()
    return registry.publish(PublishRequest(record=record, target=target, publisher=publisher, **request))


def put(bench: Any, record: PredictionSetRecord, target: object) -> str:
    """Publish a bench's prediction set to where its store reaches."""
    return publish(record, str(target), storage=bench.storage, target_storage=bench.storage)
