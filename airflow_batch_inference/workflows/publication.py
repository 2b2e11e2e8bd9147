"""What is known of a prediction set before its first row is scored, and whether its targets will take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.sinks.base import PlannedSet
from airflow_batch_inference.sinks.registry import check

if TYPE_CHECKING:
    from airflow_batch_inference.jobs.prepare import PreparedJob
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.predictors.graphs.base import ModelGraph
    from airflow_batch_inference.sinks.base import Target


def check_target(job: PreparedJob, request: ScoringRequest, target: Target) -> None:
    """Refuse a target to which this job's prediction set could not be published; nothing is written.

    Raises
    ------
    ConfigurationError, ArtifactConflictError
        As :func:`~airflow_batch_inference.sinks.registry.check` says.
    """
    destination = request.destination
    planned = PlannedSet(
        schema=job.schema,
        dag_id=destination.task.dag_id,
        batch_id=destination.batch_id,
        models=_digests(request.models),
        kept=request.options.keep,
    )
    check(planned, target)


def _digests(models: ModelGraph) -> tuple[str, ...]:
    """Return the digests of all models that make the predictions: of all but challengers."""
    others = (chain for chain in models.beside if chain.name not in models.challenger_names)
    return tuple(source.record.sha256 for chain in (models.main, *others) for source in chain.sources)
