"""A worker process of a scoring script: ``init()`` once, then ``run()`` for each mini-batch that it is sent.

Invariants: it dies with its parent and never commits; its output folder is its own; and a receipt is put only for a
mini-batch that succeeded, after its files.

Messages to it: the setup, then ``("mini-batch", batch, attempt, is_last)``, ``("shutdown",)``. Messages from it:
``("ready",)`` or ``("unready", exception)``, ``("running",)`` and ``("ran",)`` around each ``run()``, ``("done",
receipt)``, ``("failed", failure, receipt or None)``, ``("error", exception)``, ``("shut", error or None)``.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, ScriptError
from airflow_batch_inference.formats.names import OUTPUT_SUFFIXES
from airflow_batch_inference.jobs.encoding import Decoder
from airflow_batch_inference.ledger.accounting import as_text
from airflow_batch_inference.ledger.receipts import put_receipt
from airflow_batch_inference.ledger.retries import retrying
from airflow_batch_inference.processes.child import for_transport, pipe_to_parent, received_first
from airflow_batch_inference.processes.surroundings import connect, lent
from airflow_batch_inference.records import ColumnSpec, MiniBatchReceipt, Part
from airflow_batch_inference.scripts.advice import advice_on
from airflow_batch_inference.scripts.contracts import output_variables, told
from airflow_batch_inference.scripts.failures import Failure, failure_of
from airflow_batch_inference.scripts.hosted.script import openings
from airflow_batch_inference.scripts.hosted_runner import HostedError
from airflow_batch_inference.scripts.output_folder import OutputFolder, overwritten
from airflow_batch_inference.scripts.plan import file_hash
from airflow_batch_inference.scripts.processes.inputs import local_files, require_same_code, require_unchanged
from airflow_batch_inference.scripts.run_result import as_frame, complex_values, count_elements, write_rows
from airflow_batch_inference.scripts.settings import OUTPUT
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.uris import encode_segment, join_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.scripts.plan import MiniBatch
    from airflow_batch_inference.scripts.runner import Runner
    from airflow_batch_inference.scripts.settings import ScriptSettings
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """All that the mini-batches of a job have in common; it goes to each worker process.

    Attributes
    ----------
    runner
        Scores.
    settings
        How.
    work_key
        Under which receipts and files lie.
    folder
        The task instance's.
    attempt
        The try's; part of the names of its files.
    storage, data_storage
        Reach the artifact store, and the input.
    code
        The files of code that is run where it lies, as they were when the job began.
    """

    runner: Runner
    settings: ScriptSettings
    work_key: str
    folder: str
    attempt: str
    storage: Storage
    data_storage: Storage
    code: tuple[DataFile, ...] = ()


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A call of ``run()`` that ended well, or with too few elements."""

    returned: int
    frame: pd.DataFrame | None
    written: dict[str, Path]
    seconds: float
    openings: dict[str, int]


class _FailedError(Exception):
    """An attempt failed; the job goes on."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def main(arguments: Sequence[str]) -> int:
    """Run a worker; ``arguments`` are the pipe's file descriptor and the parent's process id."""
    pipe = pipe_to_parent(arguments)
    if pipe is None:
        return 1
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is done, or gone
        borrowed, (text, objects, output_folder) = received_first(pipe)
        with lent(borrowed):
            setup = Decoder(objects).decode(text, where="the pipe")
        worker = _Worker(pipe, setup, OutputFolder(Path(output_folder)))
        try:
            with lent(borrowed):
                connect(setup.storage, setup.data_storage, *setup.runner.storages, alone=True)
            worker.prepare()
        except BaseException as error:  # noqa: BLE001  # told to the parent, which raises it
            pipe.send(("unready", for_transport(error)))
            return 0
        worker.serve()
    return 0


@dataclass(slots=True)
class _Worker:
    pipe: Any
    setup: WorkerSetup
    outputs: OutputFolder
    has_warned: bool = False

    def prepare(self) -> None:
        """Set up what the script sees, and call its ``init()``."""
        settings = self.setup.settings
        for stream in (sys.stdout, sys.stderr):
            # What a script prints must not be lost with a process that is killed.
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # both are text files here
        # Airflow takes what comes on stderr for errors.
        level = settings.logging_level.upper()
        logging.basicConfig(stream=sys.stdout, level=level, format=_LOG_FORMAT, force=True)
        openings.watch(str(self.outputs.path))
        arguments = tuple(each.replace(OUTPUT, str(self.outputs.path)) for each in settings.program_arguments)
        self.setup.runner.init(replace(settings, program_arguments=arguments))
        openings.taken()
        stray = self.outputs.set_aside()
        if stray:
            log.warning(
                "init() wrote %d file(s) to %s, such as %s; they are not part of the output, as each process writes "
                "its own. Write output in run()",
                *(len(stray), told(output_variables()), stray[0]),
            )
        self.pipe.send(("ready",))

    def serve(self) -> None:
        """Score mini-batches until the parent closes the pipe."""
        while True:
            kind, *values = self.pipe.recv()
            if kind == "shutdown":
                self.pipe.send(("shut", self._shut_down()))
                continue
            batch, attempt, is_last = values
            try:
                answer: tuple[Any, ...] = self._score(batch, attempt, is_last=is_last)
            except _FailedError as error:
                answer = ("failed", error.failure, None)
            except BaseException as error:  # noqa: BLE001  # told to the parent, which raises it
                answer = ("error", for_transport(error))
            finally:
                self.outputs.discard()
            self.pipe.send(answer)

    def _shut_down(self) -> str | None:
        """Let the script clean up; what it raises is told, and changes nothing."""
        try:
            self.setup.runner.shutdown()
        except ScriptError as error:
            return str(error)
        stray = self.outputs.written()
        return f"shutdown() wrote {next(iter(stray))}, which is not part of the output" if stray else None

    def _score(self, batch: MiniBatch, attempt: int, *, is_last: bool) -> tuple[Any, ...]:
        """Run a mini-batch and store what came of it; one with too few elements only if it is not tried again."""
        made = self._run(batch)
        missing = len(batch.items) - made.returned if self.setup.runner.one_each else 0
        lost = overwritten([item.name for item in batch.items], made.returned, list(made.written), made.openings)
        if lost is not None:
            failure = Failure(kind="overwritten", error=lost.error, seconds=made.seconds, lost=lost.number)
            return ("failed", failure, self._stored(batch, made, attempt))
        if missing <= 0:
            receipt = self._stored(batch, made, attempt)
            return ("done", put_receipt(receipt, self.setup.folder, self.setup.storage))
        failure = Failure(
            kind="returned",
            error=f"run() returned {made.returned} elements for {len(batch.items)} files",
            seconds=made.seconds,
        )
        return ("failed", failure, self._stored(batch, made, attempt) if is_last else None)

    def _run(self, batch: MiniBatch) -> _Attempt:
        runner, settings = self.setup.runner, self.setup.settings
        with local_files(batch, self.setup.data_storage) as paths:
            require_unchanged(batch, self.setup.data_storage)
            names = [item.name for item in batch.items]
            openings.taken()
            self.pipe.send(("running",))
            started = time.monotonic()
            try:
                result = runner.run(paths, names)
            except runner.fatal:
                raise
            except BaseException as error:
                seconds = time.monotonic() - started
                raise _FailedError(_failure(error, runner, seconds)) from error
            finally:
                self.pipe.send(("ran",))
            seconds = time.monotonic() - started
            require_unchanged(batch, self.setup.data_storage)
        require_same_code(self.setup.code)
        with _failing("returned", seconds):
            returned = count_elements(result)
            frame = as_frame(result, settings.label_columns, self._warn_once) if settings.keeps_rows else None
        if frame is not None and settings.table_format == "csv":
            self._warn_once(None if self.has_warned else complex_values(frame))
        with _failing("written", seconds):
            return _Attempt(returned, frame, self.outputs.written(), seconds, openings.taken())

    def _warn_once(self, message: str | None) -> None:
        """Say, once in each process, that values are written as their text."""
        if message is not None and not self.has_warned:
            self.has_warned = True
            log.warning("%s", message)

    def _stored(self, batch: MiniBatch, made: _Attempt, attempt: int) -> MiniBatchReceipt:
        """Put the files of a mini-batch; each put is tried again where it may pass by itself."""
        where = f"Mini-batch {batch.index}"
        rows: Part | None = None
        columns: tuple[ColumnSpec, ...] = ()
        frame = made.frame
        if frame is not None:
            rows, columns = retrying(where, lambda: self._put_rows(batch, frame, made.seconds, attempt))
        return MiniBatchReceipt(
            job_key=self.setup.work_key,
            index=batch.index,
            items=len(batch.items),
            file_hash=as_text(file_hash(batch.items)),
            returned=made.returned,
            columns=columns,
            rows=rows,
            written=tuple(
                retrying(where, lambda name=name, path=path: self._put_written(batch, name, path, attempt))  # type: ignore[misc]  # mypy: defaults in a lambda
                for name, path in made.written.items()
            ),
            attempts=attempt,
            seconds=round(made.seconds, 3),
        )

    def _uri(self, batch: MiniBatch, attempt: int, *names: str) -> str:
        stem = f"mini-batch-{batch.index:05d}-{encode_segment(self.setup.attempt)}-{attempt}"
        parts = [stem + names[0]] if names[0].startswith(".") else [stem, *names]
        return join_uri(self.setup.folder, "data", self.setup.work_key[:16], *parts)

    def _put_rows(
        self, batch: MiniBatch, frame: pd.DataFrame, seconds: float, attempt: int
    ) -> tuple[Part, tuple[ColumnSpec, ...]]:
        settings = self.setup.settings
        kind = settings.table_format
        uri = self._uri(batch, attempt, OUTPUT_SUFFIXES["csv" if kind == "csv" else "parquet"])
        with self.setup.storage.writing(uri) as path:
            with _failing("returned", seconds):
                columns = write_rows(frame, path, kind, has_header=settings.has_header)
            part = Part(uri=uri, rows=len(frame), size_bytes=path.stat().st_size, sha256=sha256_of(path))
        return part, columns

    def _put_written(self, batch: MiniBatch, name: str, source: Path, attempt: int) -> Part:
        uri = self._uri(batch, attempt, "files", *(encode_segment(segment) for segment in name.split("/")))
        with self.setup.storage.writing(uri) as path:
            shutil.copyfile(source, path)  # the script may hold its own file open
            return Part(uri=uri, rows=0, size_bytes=path.stat().st_size, sha256=sha256_of(path), name=name)


def _failure(error: BaseException, runner: Runner, seconds: float) -> Failure:
    """Describe what ``run()`` raised, here or in an interpreter of its own, with what to do where that is known."""
    if isinstance(error, HostedError):
        failure = Failure(kind="exception", **error.described, seconds=seconds)
    else:
        failure = failure_of(error, runner.folder, seconds=seconds)
    advice = advice_on(failure.error, failure.traceback, runner.place)
    return replace(failure, error=f"{failure.error}.{advice}") if advice else failure


@contextlib.contextmanager
def _failing(kind: str, seconds: float) -> Iterator[None]:
    """Let what is wrong with a script's output fail the attempt, but not what the system or the settings do."""
    try:
        yield
    except (ConfigurationError, OSError, MemoryError):
        raise
    except ScriptError as error:
        raise _FailedError(Failure(kind=kind, error=str(error), seconds=seconds)) from error
    except Exception as error:
        message = f"what the script made cannot be written: {type(error).__name__}: {error}"
        raise _FailedError(Failure(kind=kind, error=message, seconds=seconds)) from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
