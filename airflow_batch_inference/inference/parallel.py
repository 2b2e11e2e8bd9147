"""Many requests: neighbours of one schema are scored as one, each within its time, and the answers come in order.

Joining small requests is what makes them cheap: a model call costs much the same for 1,000 rows as for 10.

Invariants: what happens to a request depends on that request alone (one that is joined with others and fails is tried
again by itself); the call returns whatever a model does, since each model call runs in a thread that is left behind
when its time is over; and no more than a few requests are held at a time.
"""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.inference.scored import BATCH_BYTES, BATCH_ROWS
from airflow_batch_inference.inference.threads import MOST_LEFT_BEHIND, WorkThread, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from airflow_batch_inference.inference.forms import Form

_PARALLEL = 1
"""A model's own threads use all cores already, and two calls at once would get in each other's way."""
_SECONDS = 15.0
_SHARE_OF_TIME = 0.1
_MOST_ITEMS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelOptions:
    """How many requests are scored.

    Attributes
    ----------
    timeout
        Seconds that a request may take.
    num_parallel
        How many calls run at once.
    retries
        How often a request that failed is tried again.
    batch_size
        How many rows are joined for one call of the model at most; None: as many as come back in good time.
    """

    timeout: float
    num_parallel: int
    retries: int
    batch_size: int | None = None

    @classmethod
    def of(
        cls, *, timeout: object, num_parallel: object, retries: object, batch_size: object = None
    ) -> ParallelOptions:
        """Check the arguments.

        Raises
        ------
        ConfigurationError
            A number that is none, or out of range.
        """
        parallel = _PARALLEL if num_parallel is None else num_parallel
        return cls(
            timeout=_SECONDS if timeout is None else seconds("timeout", timeout),
            num_parallel=_whole("num_parallel", parallel, low=1),
            retries=0 if retries is None else _whole("retries", retries, low=0),
            batch_size=None if batch_size is None else _whole("batch_size", batch_size, low=1),
        )


def _whole(name: str, value: object, *, low: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        message = f"{name} is {value!r}; it must be a whole number from {low}."
        raise ConfigurationError(message)
    return value


class Answers(Protocol):
    """Scores requests that go with each other as one."""

    def __call__(self, forms: Sequence[Form[Any]], names: Sequence[str], *, bisects: bool) -> list[Any]:
        """Return one answer each, or raise."""


def stream(
    items: Iterable[Any], take: Callable[[Any], Form[Any]], answers: Answers, options: ParallelOptions
) -> Iterator[Any]:
    """Yield the answer, or the error, of each item, in their order.

    Parameters
    ----------
    items
        Requests; taken as they are needed.
    take
        Returns a request in its form, or raises.
    answers
        Scores them.
    options
        How.
    """
    run = _Run(answers, options)
    batches = _Batches(items, take)
    running: deque[_Call] = deque()
    try:
        batch = batches.next(run.most_rows)
        while batch is not None or running:
            if batch is not None and len(running) < run.slots:
                running.append(run.start(batch))
                batch = batches.next(run.most_rows) if run.most_rows is not None else None
                continue  # the next one is joined while this one is scored
            if running:
                yield from run.finish(running.popleft())
            if batch is None:
                batch = batches.next(run.most_rows)
        if batches.error is not None:
            raise batches.error
    finally:
        run.close(running)


@dataclass(slots=True)
class _Batch:
    """Neighbours that are scored as one; or one item that has an error already."""

    forms: list[Form[Any]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    error: Exception | None = None

    @property
    def rows(self) -> int:
        return sum(form.rows for form in self.forms)


class _Batches:
    """Takes items, and joins neighbours that go with each other."""

    def __init__(self, items: Iterable[Any], take: Callable[[Any], Form[Any]]) -> None:
        self._items = iter(items)
        self._to_form = take
        self._number = 0
        self._ahead: _Batch | None = None
        self.error: BaseException | None = None
        """What the iterable itself raised, which ended it."""
        self._is_over = False

    def next(self, most_rows: int | None) -> _Batch | None:
        """Return the next batch, of about so many rows at most (None: one item); None where nothing is left."""
        batch = self._take()
        if batch is None or batch.error is not None or most_rows is None:
            return batch
        rows, size = batch.rows, batch.forms[0].size_bytes
        while len(batch.forms) < _MOST_ITEMS and rows < most_rows:
            other = self._take()
            if other is None:
                break
            if rows + other.rows > most_rows or not _go_together(batch, other, BATCH_BYTES - size):
                self._ahead = other
                break
            batch.forms += other.forms
            batch.names += other.names
            rows += other.rows
            size += other.forms[0].size_bytes
        return batch

    def _take(self) -> _Batch | None:
        if self._ahead is not None:
            batch, self._ahead = self._ahead, None
            return batch
        if self._is_over:
            return None
        try:
            item = next(self._items)
        except StopIteration:
            self._is_over = True
            return None
        except BaseException as error:  # noqa: BLE001  # raised once the answers before it are given
            self._is_over, self.error = True, error
            return None
        name = f"item {self._number}"
        self._number += 1
        try:
            return _Batch([self._to_form(item)], [name])
        except Exception as error:  # noqa: BLE001  # stands in the item's place
            return _Batch(error=error)


def _go_together(batch: _Batch, other: _Batch, most_bytes: int) -> bool:
    """Say whether another item may be scored with those of a batch; one that cannot be told is scored alone."""
    if other.error is not None:
        return False
    try:
        return batch.forms[0].goes_with(other.forms[0]) and other.forms[0].size_bytes <= most_bytes
    except Exception:  # noqa: BLE001  # its own error comes when it is scored
        return False


@dataclass(slots=True)
class _Call:
    """A batch that is being scored."""

    batch: _Batch
    thread: WorkThread | None
    future: Future[list[Any]] | None
    started: float


class _Run:
    """The threads of a stream, and how fast the model has been."""

    def __init__(self, answers: Answers, options: ParallelOptions) -> None:
        self._answers = answers
        self._options = options
        self._idle: list[WorkThread] = []
        self._left_behind: list[WorkThread] = []
        self.most_rows: int | None = None
        """How many rows may be joined; None before the first item has shown how long it takes."""

    @property
    def slots(self) -> int:
        """How many calls may run now."""
        return 1 if self.most_rows is None else self._options.num_parallel

    def start(self, batch: _Batch) -> _Call:
        """Begin to score a batch."""
        self._left_behind = [thread for thread in self._left_behind if thread.is_alive()]
        if batch.error is not None or len(self._left_behind) >= MOST_LEFT_BEHIND:
            return _Call(batch, None, None, 0.0)
        thread = self._idle.pop() if self._idle else WorkThread()
        bisects = len(batch.forms) == 1
        future = thread.run(lambda: self._answers(batch.forms, batch.names, bisects=bisects))
        return _Call(batch, thread, future, time.monotonic())

    def finish(self, call: _Call) -> list[Any]:
        """Wait for a batch, and return an answer or an error for each of its items."""
        batch = call.batch
        if batch.error is not None:
            return [batch.error]
        found, error = self._outcome(call)
        if found is not None:
            return found
        alone = len(batch.forms) == 1
        return [
            self._tried_again(form, name, error if alone else None)
            for form, name in zip(batch.forms, batch.names, strict=True)
        ]

    def _tried_again(self, form: Form[Any], name: str, error: Exception | None) -> Any:  # noqa: ANN401  # an answer or an error
        """Try one item by itself; ``error`` is that of its first try, if it has had one."""
        tries = self._options.retries + (1 if error is None else 0)
        for _ in range(tries):
            found, error = self._outcome(self.start(_Batch([form], [name])))
            if found is not None:
                return found[0]
        return error

    def _outcome(self, call: _Call) -> tuple[list[Any] | None, Exception | None]:
        """Wait for a call; return what came of it, or why nothing did."""
        if call.thread is None or call.future is None:
            message = (
                f"{call.batch.names[0]} was not scored: {MOST_LEFT_BEHIND} calls of the model have not come back "
                f"within {self._options.timeout:g} s, and no more are begun."
            )
            return None, TimeoutError(message)
        wait([call.future], timeout=max(0.0, call.started + self._options.timeout - time.monotonic()))
        if not call.future.done():
            self._left_behind.append(call.thread)
            call.thread.end()
            return None, TimeoutError(f"{call.batch.names[0]} was not scored within {self._options.timeout:g} s.")
        self._idle.append(call.thread)
        error = call.future.exception()
        if error is not None:
            if not isinstance(error, Exception):
                raise error
            return None, error
        self._learn(call.batch.rows, time.monotonic() - call.started)
        return call.future.result(), None

    def _learn(self, rows: int, seconds: float) -> None:
        """Join as many rows as take a tenth of an item's time."""
        fitting = int(rows / max(seconds, 1e-6) * self._options.timeout * _SHARE_OF_TIME)
        self.most_rows = min(BATCH_ROWS, max(1, fitting), self._options.batch_size or BATCH_ROWS)

    def close(self, running: Iterable[_Call]) -> None:
        """End the threads that wait for work; those that still run end with their calls."""
        for thread in [*self._idle, *(call.thread for call in running if call.thread is not None)]:
            thread.end()
