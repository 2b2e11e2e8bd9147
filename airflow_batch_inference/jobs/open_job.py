"""A job in the memory of a process that scores its parts, whoever started that process.

Invariants: the models are loaded once a process; and nothing of a part depends on the process that scores it but the
name of its files.
"""

from __future__ import annotations

import numbers
import os
import secrets
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.jobs.environment import require_same_environment
from airflow_batch_inference.jobs.part import PartScorer
from airflow_batch_inference.jobs.spec import JobSpec, read_spec
from airflow_batch_inference.processes.threads import limited_blas
from airflow_batch_inference.records import fingerprint

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Mapping

    from airflow_batch_inference.predictors.graphs.loaded import LoadedModels
    from airflow_batch_inference.records import Receipt
    from airflow_batch_inference.storage.store import Storage

_OPEN: dict[str, tuple[Storage | None, OpenJob]] = {}
"""The last job that this process has scored a part of, and what reached it, by its URI."""
_INHERITED: list[object] = []
"""What a process that was forked has of its parent's: kept, as to let go of it would end processes of the parent's."""
_LOCKS = {"turn": threading.RLock()}
"""Held while a job is opened."""


def _begin_anew() -> None:
    """Let a process that was forked open the job itself: it must not read on in its parent's files."""
    _INHERITED.append(dict(_OPEN))
    _OPEN.clear()
    _LOCKS["turn"] = threading.RLock()


os.register_at_fork(after_in_child=_begin_anew)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJob:
    """A job whose parts can be scored in this process.

    Attributes
    ----------
    spec
        Its description.
    scorer
        Has the models in memory.
    turn
        Held while a part is scored: the parts of one open job share its models and a place in a file.
    """

    spec: JobSpec
    scorer: PartScorer
    turn: contextlib.AbstractContextManager[object] = field(default_factory=threading.RLock, repr=False, compare=False)

    def score(
        self,
        index: int,
        *,
        allowed: int | None,
        failing: Mapping[tuple[int, int], str] | None = None,
        excluded: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Score a part by its index; see :meth:`~.part.PartScorer.score`."""
        plan = self.spec.plans[index]
        with self.turn:
            return self.scorer.score(plan, allowed=allowed, failing=failing or {}, excluded=excluded)


def load_models(spec: JobSpec) -> LoadedModels:
    """Load a job's models in this process, which must be as the one that planned it.

    Raises
    ------
    EnvironmentMismatchError
        It has other versions.
    ConfigurationError
        It lacks environment variables that the models need, or has others.
    ModelError, ArtifactError
        A model cannot be loaded.
    """
    require_same_environment(spec.environment)
    variables_of(spec)
    models = spec.request.models.load(spec.storage, spec.request.accelerate)
    require_same_environment(spec.environment, models.versions)
    return models


def open_job(
    job_uri: str,
    *,
    storage: Storage | None = None,
    attempt: str | None = None,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> OpenJob:
    """Read a job's description and load its models, once a process; it may be called by several threads.

    Parameters
    ----------
    job_uri
        What :func:`~airflow_batch_inference.workflows.plan_job.plan_job` returned.
    storage
        Reaches it; None: as Airflow's config says, or this process's environment.
    attempt
        Is part of the names of the files that this process writes; None: a word of its own.
    raise_if_stopped
        Called before each mini-batch; raises to stop.

    Raises
    ------
    ArtifactError, ModelError, ConfigurationError
        As :func:`~.spec.read_spec` and :func:`load_models` say.
    """
    with _LOCKS["turn"]:
        reached, known = _OPEN.get(job_uri, (None, None))
        if known is None or reached != storage:
            known = _read_job(job_uri, storage)
            _OPEN.clear()
            _OPEN[job_uri] = (storage, known)
    request = known.scorer.request
    if attempt is not None:
        request = replace(request, destination=replace(request.destination, attempt=attempt))
    return replace(known, scorer=replace(known.scorer, request=request, raise_if_stopped=raise_if_stopped))


def _read_job(job_uri: str, storage: Storage | None) -> OpenJob:
    spec = read_spec(job_uri, storage).reached_by(storage)
    models = load_models(spec)
    request = replace(spec.request, destination=replace(spec.request.destination, attempt=attempt_word(spec)))
    return OpenJob(spec=spec, scorer=PartScorer(job=spec.job, request=request, models=models, storage=spec.storage))


def score_part(
    job_uri: str,
    index: int,
    *,
    storage: Storage | None = None,
    allowed: int | None = None,
    attempt: str | None = None,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> Receipt:
    """Score one part of a planned job, and put its files and its receipt into the artifact store.

    Any process with this package and access to the stores can do so, at any time, any number of times: of several
    that score one part, the first receipt counts.

    Parameters
    ----------
    job_uri, storage, attempt, raise_if_stopped
        See :func:`open_job`.
    index
        The part's, from 0.
    allowed
        How many of its rows may be rejected; None: any number.

    Raises
    ------
    ConfigurationError
        The job has no such part, or cannot be scored by this process.
    DataError, PredictionError, ModelError, ArtifactError
        As their messages say.
    """
    job = open_job(job_uri, storage=storage, attempt=attempt, raise_if_stopped=raise_if_stopped)
    require_parts(job.spec, [index])
    with limited_blas():
        return job.score(index, allowed=allowed)


def attempt_word(spec: JobSpec) -> str:
    """Return what is part of the names of the files that a process writes, and of no other's."""
    return f"{spec.request.destination.attempt}-{secrets.token_hex(4)}"


def require_parts(spec: JobSpec, indices: list[int]) -> None:
    """Refuse indices of parts that a job does not have.

    Raises
    ------
    ConfigurationError
        Names the first one.
    """
    for index in indices:
        if not isinstance(index, numbers.Integral) or not 0 <= index < len(spec.plans):
            message = f"The job has no part {index!r}: it has {len(spec.plans)} part(s), numbered from 0."
            raise ConfigurationError(message)


def variables_of(spec: JobSpec) -> dict[str, str]:
    """Return the environment variables that the job was planned with, as this process has them.

    Raises
    ------
    ConfigurationError
        It lacks some, or has other values.
    """
    missing = [name for name in spec.variables if name not in os.environ]
    values = {name: os.environ.get(name, "") for name in spec.variables}
    if missing or (values and fingerprint([values]) != spec.job.fingerprint["environment"]):
        what = f"lacks {', '.join(missing)}" if missing else f"has other values of {', '.join(spec.variables)}"
        message = (
            "The job was planned with environment_variables, whose values are stored nowhere, and this process "
            f"{what}. Set them where its parts are scored, or leave the engine to the task."
        )
        raise ConfigurationError(message)
    return values
