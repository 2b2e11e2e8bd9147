"""Which kinds of targets there are, and which of them a target is.

Built-in kinds stand in a table of strings, others register under the entry-point group
``airflow_batch_inference.sinks``; others are asked first, since any text can be a path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.sinks.base import PublishRequest, Sink

GROUP = "airflow_batch_inference.sinks"

_SINKS = Registry(what="sink", group=GROUP, built_in={"files": "airflow_batch_inference.sinks.files:FileSink"})


def all_sinks() -> Iterator[Sink]:
    """Yield the kinds of targets in the order in which they are asked."""
    yield from _SINKS.create_all()


def publish(request: PublishRequest) -> str:
    """Publish a committed prediction set to whatever kind of target it is; see :class:`~.base.Sink`.

    Raises
    ------
    ConfigurationError
        The rows were not kept, or the target does not take such a set.
    ArtifactConflictError, ArtifactBusyError
        As the sink says.
    """
    record, target = request.record, request.target
    if not record.kept:
        message = (
            f"Prediction set {record.name!r} was scored with log_result_set=False: there is nothing to publish to "
            f"{target}. Set log_result_set=True, or leave out publish_to."
        )
        raise ConfigurationError(message)
    sink = next(sink for sink in all_sinks() if sink.claims(target))
    _require_able(sink, record, target)
    return sink.publish(request)


def _require_able(sink: Sink, record: PredictionSetRecord, target: str) -> None:
    able = sink.capabilities
    if record.items is not None and not able.takes_files:
        message = f"publish_to is {target}, which takes tables, but a scoring script's files need not be one."
        raise ConfigurationError(message)
    if able.formats is not None and record.output_format not in able.formats:
        message = (
            f"publish_to is {target}, which takes {', '.join(sorted(able.formats))}, but the prediction set is "
            f"{record.output_format}. Choose one of them with output_format."
        )
        raise ConfigurationError(message)
