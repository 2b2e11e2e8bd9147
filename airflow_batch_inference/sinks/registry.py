"""Which kinds of targets there are, and which of them a target is.

Built-in kinds stand in a table of strings, others register under the entry-point group
``airflow_batch_inference.sinks``; others are asked first, since any text can be a path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.registry import Registry
from airflow_batch_inference.sources.recorded import require_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.sinks.base import PlannedSet, PublishRequest, Sink, Target

GROUP = "airflow_batch_inference.sinks"

_SINKS = Registry(what="sink", group=GROUP, built_in={"files": "airflow_batch_inference.sinks.files:FileSink"})


def all_sinks() -> Iterator[Sink]:
    """Yield the kinds of targets in the order in which they are asked."""
    yield from _SINKS.create_all()


def check(planned: PlannedSet, target: Target) -> None:
    """Refuse, before the first row is scored, what could not be published; see :class:`~.base.Sink`.

    Raises
    ------
    ConfigurationError
        The rows are not kept, or the target does not take such a set.
    ArtifactConflictError
        As the sink says.
    """
    _require_kept(planned.kept, "The prediction set", target)
    sink = _sink(target)
    _require_format(sink, target)
    sink.check(planned, target)


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
    _require_kept(record.kept, f"Prediction set {record.name!r}", target)
    sink = _sink(target)
    if record.items is None:
        require_parquet(record, f"the prediction set {record.name!r}")
        _require_format(sink, target)
    else:
        _require_files(sink, record, target)
    return sink.publish(request)


def _sink(target: Target) -> Sink:
    return next(sink for sink in all_sinks() if sink.claims(target.name))


def _require_kept(kept: bool, which: str, target: Target) -> None:
    if not kept:
        message = (
            f"{which} is scored with log_result_set=False: there is nothing to publish to {target.name}. Set "
            "log_result_set=True, or leave out publish_to."
        )
        raise ConfigurationError(message)


def _require_format(sink: Sink, target: Target) -> None:
    formats = sink.capabilities.formats
    if target.output_format is None or target.output_format in formats:
        return
    what = f"which takes {', '.join(sorted(formats))}" if formats else "a table, which has no format of files"
    remedy = "Choose one of them with output_format, or leave it out" if formats else "Leave output_format out"
    message = f"publish_to is {target.name}, {what}, but output_format is {target.output_format}. {remedy}."
    raise ConfigurationError(message)


def _require_files(sink: Sink, record: PredictionSetRecord, target: Target) -> None:
    if not sink.capabilities.takes_files:
        message = f"publish_to is {target.name}, which takes tables, but a scoring script's files need not be one."
        raise ConfigurationError(message)
    if target.output_format not in (None, record.output_format):
        message = (
            f"output_format is {target.output_format}, but the files of a scoring script are published as it has made "
            f"them ({record.output_format}). Leave output_format out."
        )
        raise ConfigurationError(message)
