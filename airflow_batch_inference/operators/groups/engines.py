"""How a job is run: on how many processes, with how much memory. What it computes does not depend on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean
from airflow_batch_inference.operators.arguments import (
    boolean,
    choice,
    optional_byte_size,
    optional_number,
    optional_whole_number,
    whole_number,
    worker_variables,
)
from airflow_batch_inference.operators.groups.base import ArgumentGroup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.engines.base import Engine
    from airflow_batch_inference.engines.local import Means, Resources
    from airflow_batch_inference.jobs.request import ScoringRequest

AUTO: Final = "auto"


def _mini_batch_rows(name: str, value: object) -> int | str:
    """Return rows a predict call, or ``"auto"``."""
    return AUTO if value == AUTO else whole_number(name, value, low=1)


@dataclass(frozen=True, kw_only=True)
class ThisMachine(ArgumentGroup):
    """What threads and worker processes of this machine have in common."""

    max_workers: int | str | None = None
    max_memory: int | str | None = None
    mini_batch_rows: int | str = AUTO
    accelerate: str = AUTO

    means: ClassVar[Means] = AUTO
    environment_variables: ClassVar[Mapping[str, str] | None] = None
    parsers: ClassVar[Mapping[str, Any]] = {
        "max_workers": partial(optional_whole_number, low=1),
        "max_memory": optional_byte_size,
        "mini_batch_rows": _mini_batch_rows,
        "accelerate": partial(choice, allowed=(AUTO, "require", "off")),
    }

    def resources(self) -> Resources:
        """Return the threads or processes, and the memory, that a job may use."""
        from airflow_batch_inference.engines.local import Resources

        return Resources(max_workers=self.parse("max_workers"), max_memory=self.parse("max_memory"), means=self.means)

    def applied_to(self, request: ScoringRequest) -> ScoringRequest:
        """Return a scoring job that is run in this way."""
        from airflow_batch_inference.jobs.plan import batch_bytes

        return replace(
            request,
            rows_per_batch=self.parse("mini_batch_rows"),
            batch_bytes=batch_bytes(self.parse("max_memory")),
            accelerate=self.parse("accelerate"),
        )

    def create(self) -> Engine | None:
        """Return what scores the parts; None: this machine."""
        return None


@dataclass(frozen=True, kw_only=True)
class Threads(ThisMachine):
    """Threads of the task's own process, also for models that hold Python's lock.

    What nobody has pinned, and functions, are scored in worker processes all the same; so is a job whose last try has
    died while it scored in the task's own process.

    :param max_workers: most threads; None: one a core. (templated)
    :param max_memory: memory for all of them: bytes, or text such as ``"2GiB"``. (templated)
    :param mini_batch_rows: rows a predict call, or ``"auto"``. (templated)
    :param accelerate: as for :class:`Processes`. (templated)
    """

    means: ClassVar[Means] = "threads"


@dataclass(frozen=True, kw_only=True)
class Processes(ThisMachine):
    """Worker processes of this machine.

    :param max_workers: most worker processes; None: one a core, where there are some million rows or more. (templated)
    :param max_memory: memory for all of them: bytes, or text such as ``"2GiB"``. (templated)
    :param mini_batch_timeout_s: after so many seconds without a sign of life, a worker process is killed and its
        mini-batch tried again, then bisected. Models that nobody has pinned have a limit of 300 s without it.
        (templated)
    :param isolate: score in a worker process even where one is enough, for models that may crash. (templated)
    :param mini_batch_rows: rows a predict call, or ``"auto"``. (templated)
    :param accelerate: whether a compiled kernel scores tree ensembles (LightGBM, XGBoost, scikit-learn) in place of
        their own library: ``auto``, where the ensemble is covered and there are rows
        enough (40,000 of 100 trees); ``require``: or the task fails; ``off``. It is compared with the library first,
        and left out at the first bit that differs. (templated)
    :param environment_variables: set in every worker process before the model is loaded, which then is loaded nowhere
        else. A worker gets none of the task's own variables but those that programs need: no connections, no Airflow
        settings, no keys. (templated)
    """

    mini_batch_timeout_s: float | str | None = None
    isolate: bool | str = False
    environment_variables: Mapping[str, str] | None = None  # type: ignore[misc]  # each has its own here

    means: ClassVar[Means] = "processes"
    parsers: ClassVar[Mapping[str, Any]] = {
        **ThisMachine.parsers,
        "mini_batch_timeout_s": partial(optional_number, low=0.001),
        "isolate": boolean,
        "environment_variables": worker_variables,
    }

    def resources(self) -> Resources:
        """Return the processes and memory that a job may use."""
        return replace(super().resources(), timeout_s=self.parse("mini_batch_timeout_s"), isolate=self.parse("isolate"))

    def applied_to(self, request: ScoringRequest) -> ScoringRequest:
        """Return a scoring job that is run in this way."""
        return replace(super().applied_to(request), environment=self.parse("environment_variables"))


@dataclass(frozen=True, slots=True)
class NamedEngine:
    """An engine that is no other argument object, by the name of its entry point."""

    name: str
    environment_variables: None = None
    """Whoever sets up its processes sets theirs."""

    def resources(self) -> Resources:
        """Return what this machine may use to plan the job."""
        from airflow_batch_inference.engines.local import Resources

        return Resources()

    def applied_to(self, request: ScoringRequest) -> ScoringRequest:
        """Return the scoring job as it is."""
        return request

    def create(self) -> Engine:
        """Return the engine.

        Raises
        ------
        ConfigurationError
            It is not installed, or cannot be imported.
        """
        from airflow_batch_inference.engines.registry import create_engine

        return create_engine(self.name)


_OF_THIS_MACHINE: dict[str, ThisMachine] = {
    AUTO: ThisMachine(),
    "threads": Threads(),
    "in_process": Threads(max_workers=1),
    "processes": Processes(isolate=True),
}


def require_engine(engine: object) -> ThisMachine | NamedEngine:
    """Return the engine that an argument means.

    Raises
    ------
    ConfigurationError
        It is none.
    """
    if isinstance(engine, ThisMachine):
        return engine
    if engine is None or engine in _OF_THIS_MACHINE:
        return _OF_THIS_MACHINE[engine or AUTO]
    from airflow_batch_inference.engines.registry import engine_names

    names = (AUTO, *engine_names())
    if not isinstance(engine, str) or engine not in names:
        there = ", ".join(map(repr, names))
        hint = did_you_mean(engine, names) if isinstance(engine, str) else ""
        message = f"engine is {engine!r}; it must be one of {there}, Threads(…) or Processes(…){hint}."
        raise ConfigurationError(message)
    return NamedEngine(engine)
