"""The limits of compare.py, for its narrow table: decoding alone, predicting alone and encoding alone, on all cores.

Each core has half of the values, in a process or a thread of its own; the clock starts when all are ready. Decoding is
split by columns, which halves it for any number of row groups. Predicting and encoding go round a block of up to
`tables.NARROW.chunk` rows of the file, so that memory does not limit the number of rows.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from typing import TYPE_CHECKING, Any

import peers
import tables
import workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GROUP_ROWS = 65_536  # a row group of ours
STAGES = ("decode", "predict", "encode")
MEANS = ("processes", "threads")


def limit(stage: str, means: str, model: Path, data: Path, target: Path) -> float:
    """Return the seconds from the first start to the last end."""
    contexts: dict[str, Any] = {"processes": multiprocessing.get_context("spawn"), "threads": threading}
    context = contexts[means]
    worker = context.Process if means == "processes" else context.Thread
    barrier = context.Barrier(peers.CORES)
    paths = [target / f"{core}.seconds" for core in range(peers.CORES)]
    # A spawned process reads its own copy; threads share nothing but the barrier.
    workers = [worker(target=_run, args=(stage, core, model, data, path, barrier)) for core, path in enumerate(paths)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    spans = [tuple(map(float, path.read_text().split())) for path in paths]
    return max(end for _, end in spans) - min(begin for begin, _ in spans)


def _run(stage: str, core: int, model: Path, data: Path, path: Path, barrier: Any) -> None:  # noqa: ANN401
    try:
        work = {"decode": _decode, "predict": _predict, "encode": _encode}[stage](core, model, data, path)
    except BaseException:
        barrier.abort()
        raise
    barrier.wait()
    begin = time.monotonic()
    work()
    path.write_text(f"{begin} {time.monotonic()}")


def _decode(core: int, _model: Path, data: Path, _path: Path) -> Callable[[], None]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(data)
    columns = file.schema_arrow.names[core :: peers.CORES]

    def work() -> None:
        for _ in file.iter_batches(peers.BATCH_ROWS, columns=columns, use_threads=False):
            pass

    return work


def _predict(_core: int, model: Path, data: Path, _path: Path) -> Callable[[], None]:
    import numpy as np
    import pandas as pd

    rows, block = _block(data)
    # Each in the form that it takes fastest, made before the clock starts.
    if workload.is_booster(str(model)):
        values: Any = np.ascontiguousarray(block.to_pandas().to_numpy())
        batches = [values[start : start + peers.BATCH_ROWS] for start in range(0, len(values), peers.BATCH_ROWS)]
    else:
        values = block.to_pandas()
        # A slice of a frame is no block of its own.
        batches = [
            pd.DataFrame(values.iloc[start : start + peers.BATCH_ROWS].to_numpy(copy=True), columns=values.columns)
            for start in range(0, len(values), peers.BATCH_ROWS)
        ]
    predict = workload.load(str(model)).predict
    predict(batches[0][:100])

    def work() -> None:
        for length, batch in _around(rows, batches):
            predict(batch[:length])

    return work


def _encode(_core: int, model: Path, data: Path, path: Path) -> Callable[[], None]:
    from airflow_batch_inference.formats.writers import PartWriter

    rows, block = _block(data)
    block = workload.with_prediction(block, str(model)).combine_chunks()
    groups = [block.slice(start, GROUP_ROWS).combine_chunks() for start in range(0, len(block), GROUP_ROWS)]

    def work() -> None:
        with PartWriter(path.with_suffix(".bin"), "parquet", block.schema, {}) as writer:
            for length, group in _around(rows, groups):
                writer.write(group.slice(0, length))

    return work


def _block(data: Path) -> tuple[int, Any]:
    """Return how many rows are one core's share, and the file's first rows to stand for them."""
    import pyarrow.parquet as pq

    file = pq.ParquetFile(data)
    rows = file.metadata.num_rows // peers.CORES
    return rows, file.read_row_group(0, use_threads=False).slice(0, min(rows, tables.NARROW.chunk))


def _around(rows: int, batches: list[Any]) -> Iterator[tuple[int, Any]]:
    """Go round the batches until that many rows are done."""
    done = 0
    while done < rows:
        for batch in batches:
            if done >= rows:
                return
            length = min(len(batch), rows - done)
            yield length, batch
            done += length
