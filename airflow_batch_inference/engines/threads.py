"""The engine that is this very process: as many threads as there are cores, each with a part of its own.

Decoding, encoding and the predict calls of models that release Python's lock run side by side, and nothing has to be
started, imported or loaded twice.

Invariants: a thread looks before each mini-batch whether it is to stop, and none keeps the caller from going on: what
hangs in a model's own code is left behind, and ends with the process; the cores are used once, by these threads or by
those that a library starts itself; and models of which nobody knows that threads can share them are called by one
thread at a time.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
import time
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from airflow_batch_inference.engines.base import EngineCapabilities
from airflow_batch_inference.engines.processes.queue import PartQueue
from airflow_batch_inference.jobs.open_job import open_job, require_parts
from airflow_batch_inference.processes.threads import (
    cores_shared_by,
    kept_filters,
    limited_blas,
    limited_openmp,
    usable_cores,
)
from airflow_batch_inference.sources.cursor import Cursor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_batch_inference.engines.base import Limits
    from airflow_batch_inference.jobs.open_job import OpenJob
    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.records import Receipt
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_POLL_S = 0.1
_GRACE_S = 5.0
"""How long to wait for threads that were told to stop: a mini-batch takes a fraction of a second."""


class ThreadsEngine:
    """Scores in threads of this process; see :class:`~.base.Engine`.

    Parameters
    ----------
    job
        The job with its models in memory; None: it is read and loaded by its URI.
    storage
        Reaches the job by its URI; None: as this process's environment says.
    max_workers
        Most threads; None: one a core.
    """

    def __init__(
        self, job: OpenJob | None = None, *, storage: Storage | None = None, max_workers: int | None = None
    ) -> None:
        self._job = job
        self._storage = storage
        self._most = max_workers or usable_cores()
        self._running: list[_Crew] = []

    @property
    def capabilities(self) -> EngineCapabilities:
        """Nothing beyond what any engine can do, but what is in memory is at hand."""
        return EngineCapabilities(is_elsewhere=self._job is None)

    def run(self, job_uri: str, indices: Sequence[int], limits: Limits) -> Iterator[Receipt]:
        """Score parts, as many at a time as there are threads."""
        if not indices:
            return
        number = min(self._most, len(indices))
        with cores_shared_by(number):
            job = self._job or open_job(job_uri, storage=self._storage, raise_if_stopped=limits.raise_if_stopped)
        require_parts(job.spec, list(indices))
        crew = _Crew(job=job, queue=PartQueue([job.spec.plans[index] for index in indices]), left=len(indices))
        self._running.append(crew)
        with limited_blas(), kept_filters():
            try:
                crew.start(number, limits)
                yield from crew.receipts(limits)
            finally:
                self._running.remove(crew)
                crew.end()

    def stop(self) -> None:
        """End all runs that are not over; whoever waits for one of them gets an InterruptedError."""
        for crew in list(self._running):
            crew.ending.set()


@dataclass(slots=True, kw_only=True, eq=False)
class _Crew:
    """The threads of one run, and what they have to tell."""

    job: OpenJob
    queue: PartQueue
    left: int
    ending: threading.Event = field(default_factory=threading.Event)
    allowed: int | None = None
    told: SimpleQueue[Receipt | BaseException] = field(default_factory=SimpleQueue)
    threads: list[threading.Thread] = field(default_factory=list)
    turn: threading.Lock = field(default_factory=threading.Lock)
    turn_of_models: contextlib.AbstractContextManager[object] = field(default_factory=contextlib.nullcontext)

    def start(self, number: int, limits: Limits) -> None:
        """Start so many threads."""
        self.allowed = limits.allowed()
        sources = self.job.scorer.request.models.sources()
        if number > 1 and not all(source.may_share_process for source in sources):
            self.turn_of_models = threading.RLock()
        for place in range(number):
            with cores_shared_by(number):
                work = contextvars.copy_context().run
            thread = threading.Thread(target=work, args=(self._work, place), name=f"score-{place}", daemon=True)
            thread.start()
            self.threads.append(thread)

    def receipts(self, limits: Limits) -> Iterator[Receipt]:
        """Yield receipts as they come.

        Raises
        ------
        BatchInferenceError, OSError
            Whatever a thread raised.
        InterruptedError
            The engine was stopped.
        """
        while self.left:
            self.raise_if_ending()
            limits.raise_if_stopped()
            try:
                told = self.told.get(timeout=_POLL_S)
            except Empty:
                continue
            if isinstance(told, BaseException):
                raise told
            self.left -= 1
            yield told
            self.allowed = limits.allowed()

    def raise_if_ending(self) -> None:
        if self.ending.is_set():
            message = "The engine was stopped."
            raise InterruptedError(message)

    def end(self) -> None:
        """Tell the threads to stop, and wait for them, but not for long."""
        self.ending.set()
        deadline = time.monotonic() + _GRACE_S
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        stuck = sum(thread.is_alive() for thread in self.threads)
        if stuck:
            log.warning(
                "%d of %d scoring threads are still at work in a mini-batch after %g s, and are left behind: they end "
                "with this process, and nothing that they write counts.",
                stuck,
                len(self.threads),
                _GRACE_S,
            )

    def _work(self, place: int) -> None:
        """Score one part after the other."""
        try:
            scorer = replace(
                self.job.scorer, cursor=Cursor(), raise_if_stopped=self.raise_if_ending, turn=self.turn_of_models
            )
            with limited_openmp():
                while not self.ending.is_set() and (plan := self._take(place)) is not None:
                    self.told.put(scorer.score(plan, allowed=self.allowed, failing={}))
        except BaseException as error:  # noqa: BLE001  # raised where the receipts are waited for
            self.told.put(error)

    def _take(self, place: int) -> PartPlan | None:
        with self.turn:
            return self.queue.take(place)
