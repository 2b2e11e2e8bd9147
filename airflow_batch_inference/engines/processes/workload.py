"""What a supervisor's processes work on: the port between it and what is special of rows, or of scripts.

Invariants: a workload decides and never touches a process; the supervisor acts and knows neither a unit of work nor a
message. What a workload has decided is what its members return, or raise, and nothing else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Unit = TypeVar("Unit")
State = TypeVar("State")
Result = TypeVar("Result")

Message: TypeAlias = tuple[Any, ...]
"""What goes over a pipe: a word, and what belongs to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(Generic[State]):
    """How a worker process begins.

    Attributes
    ----------
    module
        What it runs (:func:`~airflow_batch_inference.processes.child.start_process`).
    first
        What it is told first.
    state
        What the workload remembers of it; it may change.
    environment
        Variables beyond those that every child gets.
    is_leader
        Whether it leads a process group, and is ended with all that it has started.
    reaches_stores
        Whether it is lent what lets this process into remote stores.
    clean_up
        Called once the process has ended, whatever ended it.
    """

    module: str
    first: Message
    state: State
    environment: Mapping[str, str] = field(default_factory=dict)
    is_leader: bool = False
    reaches_stores: bool = False
    clean_up: Callable[[], None] = lambda: None


@dataclass(slots=True, eq=False)
class Worker(Generic[Unit, State]):
    """A worker process as a workload sees it: only the supervisor changes it, but for its ``state``.

    Attributes
    ----------
    state
        What the workload remembers of it.
    unit
        What it works on; None: nothing.
    unit_since
        When it was given that, by the monotonic clock.
    heard
        When it last said anything, was given something or was started.
    is_ready
        Whether it has said so.
    is_late
        Whether the supervisor has ended it, as it was over its time.
    """

    state: State
    unit: Unit | None = None
    unit_since: float = 0.0
    heard: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Generic[Result]):
    """What follows from a message.

    Attributes
    ----------
    is_ready
        Whether the worker has got ready.
    is_over
        Whether its unit is over, and it can be given another one.
    restart
        Whether it is ended, and a fresh process takes its place; its unit is the workload's again.
    result
        What the job gets.
    """

    is_ready: bool = False
    is_over: bool = False
    restart: bool = False
    result: Result | None = None


class Workload(Protocol[Unit, State, Result]):
    """What the processes of a supervisor do. What it raises ends all of them."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to wait for."""

    @property
    def needs_worker(self) -> bool:
        """Whether a fresh process takes the place of one that has died; asked when the others have got work."""

    def check(self, workers: Sequence[Worker[Unit, State]]) -> None:
        """Raise where the job is to stop, or does not get on; called a few times a second."""

    def start(self) -> Start[State]:
        """Say how the next process begins."""

    def take(self, worker: Worker[Unit, State]) -> Unit | None:
        """Return what a worker that has no unit works on next; None: nothing now, and it will be asked again."""

    def messages(self, worker: Worker[Unit, State], unit: Unit) -> Sequence[Message]:
        """Return what a worker is told of a unit that it was given."""

    def received(self, worker: Worker[Unit, State], message: Message) -> Step[Result]:
        """Say what a message means."""

    def died(self, worker: Worker[Unit, State], how: str) -> Result | None:
        """Say what the job gets after the death of a worker, which still has its unit; ``how`` is a word or two."""

    def due(self, worker: Worker[Unit, State]) -> float | None:
        """Return when a worker is over its time, by the monotonic clock; None: it may take as long as it likes."""
