"""One frame that ``parallel_infer`` scores in pieces, and the answer put together again.

Invariants: as many rows come back as were given, in their order; a piece that fails as a whole costs
its own rows, whose outputs are null and whose ``error`` says why; and every column keeps its type.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.compat.wallaroo.result_columns import ERROR, INPUT, TIME, Leaf

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from airflow_batch_inference.inference.forms import Column

PIECE_ROWS = 1_000
"""Rows of a piece, where nobody says: small ones are joined while they are scored."""


def pieces_of(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    """Yield a table's rows, so many at a time; one piece without rows where it has none."""
    for start in range(0, max(1, table.num_rows), rows):
        yield table.slice(start, rows)


def put_together(
    answers: Sequence[dict[Leaf, Column] | Exception], sizes: Sequence[int], fields: Sequence[str]
) -> dict[Leaf, Column]:
    """Return the columns of the whole.

    Parameters
    ----------
    answers
        Of each piece: its columns, or why it has none.
    sizes
        How many rows each piece has.
    fields
        The request's; all that is left, with the errors, where every piece failed.
    """
    known = next((answer for answer in answers if not isinstance(answer, Exception)), None)
    if known is None:
        errors = [str(answer) for answer, rows in zip(answers, sizes, strict=True) for _ in range(rows)]
        return {Leaf(INPUT, name): name for name in fields} | {Leaf("", ERROR): pa.array(errors, pa.string())}
    return {leaf: _column(leaf, known[leaf], answers, sizes) for leaf in known}


def _column(
    leaf: Leaf, first: Column, answers: Sequence[dict[Leaf, Column] | Exception], sizes: Sequence[int]
) -> Column:
    if isinstance(first, str):
        return first
    if leaf == Leaf("", TIME) and len(first):
        return pa.repeat(first[0], sum(sizes))  # one value a request, which is the whole
    found = []
    for answer, rows in zip(answers, sizes, strict=True):
        if not isinstance(answer, Exception):
            found.append(answer[leaf])
        elif leaf == Leaf("", ERROR):
            found.append(pa.repeat(pa.scalar(str(answer)), rows))
        else:
            found.append(pa.nulls(rows))
    tables = [pa.table([each], names=["column"]) for each in found]
    whole = pa.concat_tables(tables, promote_options="permissive").column(0).combine_chunks()
    return whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)


class Answers(list[Any]):
    """Answers in their order; ``await`` gives them too, and there is nothing to wait for."""

    __hash__ = object.__hash__  # type: ignore[assignment]  # asyncio.gather keeps what it waits for in a dict

    def __await__(self) -> Generator[Any, None, Answers]:
        """Return itself."""
        return self
        yield  # what makes a generator of this


class Awaited:
    """The answer to one frame in an event loop, to be awaited: no data frame can be both itself and awaited."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    def __await__(self) -> Generator[Any, None, Any]:
        """Score in a thread, while the loop goes on, and return the answer."""
        return asyncio.to_thread(self._call).__await__()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # there is nothing to return
        """Say what to write."""
        message = f"The answer has no {name!r} yet: write 'await pipeline.parallel_infer(…)', or pipeline.infer(frame)."
        raise AttributeError(message)

    def __repr__(self) -> str:
        """Say what to write."""
        return "<an answer of parallel_infer that is to be awaited: found = await pipeline.parallel_infer(frame)>"


def in_event_loop() -> bool:
    """Say whether this thread runs an event loop, as notebooks do."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
