"""The second step of a scoring job: have the parts scored that have no receipt, by whatever engine.

Invariants: a part that has a receipt is not scored again; and no more rows are rejected than the job allows.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_batch_inference.engines.base import Limits
from airflow_batch_inference.engines.in_process import InProcessEngine
from airflow_batch_inference.exceptions import ArtifactError
from airflow_batch_inference.jobs.open_job import require_parts
from airflow_batch_inference.jobs.resume import finished_parts, require_own
from airflow_batch_inference.jobs.spec import read_spec
from airflow_batch_inference.jobs.totals import counted_columns, put_sum
from airflow_batch_inference.ledger.bundles import Bundler
from airflow_batch_inference.workflows.rejects import RejectedRows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from airflow_batch_inference.engines.base import Engine
    from airflow_batch_inference.jobs.spec import JobSpec
    from airflow_batch_inference.records import Receipt
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)


def score_parts(
    job_uri: str,
    indices: Iterable[int] | None = None,
    *,
    storage: Storage | None = None,
    engine: Engine | None = None,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> Iterator[Receipt]:
    """Score parts of a planned job that have not been scored yet, and yield their receipts as they come.

    Parameters
    ----------
    job_uri
        What :func:`~airflow_batch_inference.workflows.plan_job.plan_job` returned.
    indices
        The parts; None: all. Those that have a receipt are passed over, and each is scored once.
    storage
        Reaches the job's description; None: as Airflow's config says, or this process's environment.
    engine
        Scores them; None: this process, one after the other.
    raise_if_stopped
        Called several times a second; raises to stop.

    Raises
    ------
    ConfigurationError
        The job has no such part, or cannot be scored here.
    TooManyRejectedRowsError
        More rows were rejected than the job allows.
    EngineError
        The engine gave the receipt of another job.
    DataError, PredictionError, ModelError, ArtifactError
        As their messages say. Parts that were finished stay.
    """
    spec = read_spec(job_uri, storage).reached_by(storage)
    wanted = list(dict.fromkeys(range(len(spec.plans)) if indices is None else indices))
    require_parts(spec, wanted)
    receipts = finished_parts(spec, raise_if_stopped)
    missing = [index for index in wanted if index not in receipts]
    chosen = InProcessEngine(storage=storage) if engine is None else engine
    yield from run_engine(chosen, spec, job_uri, missing, receipts, raise_if_stopped)


def run_engine(
    engine: Engine,
    spec: JobSpec,
    job_uri: str,
    missing: Sequence[int],
    receipts: dict[int, Receipt],
    raise_if_stopped: Callable[[], None],
) -> Generator[Receipt, None, None]:
    """Let an engine score parts, add their receipts to those that are there, and yield each once; then stop it.

    Parameters
    ----------
    engine
        Scores them.
    spec, job_uri
        The job, and where its description lies; empty: nowhere, and the engine has it in memory.
    missing
        The parts.
    receipts
        Those of other parts, by index; the new ones are put here.
    raise_if_stopped
        Called several times a second; raises to stop.

    Raises
    ------
    EngineError
        The engine gave the receipt of another job.
    TooManyRejectedRowsError
        More rows were rejected than the job allows.
    BatchInferenceError, OSError
        Whatever scoring a part raised.
    """
    rejected = RejectedRows(spec, receipts.values())
    rejected.require_allowed()  # parts that were scored side by side may be too many together, and none be missing
    limits = Limits(allowed=rejected.left, raise_if_stopped=raise_if_stopped)
    bundler = Bundler(spec.request.destination.folder, spec.job.key, len(spec.plans), receipts, spec.storage)
    try:
        for receipt in engine.run(job_uri, missing, limits):
            require_own(spec, receipt)
            if receipt.index in receipts:
                continue  # it was scored twice, which changes nothing
            receipts[receipt.index] = receipt
            rejected.add(receipt)
            if chunk := bundler.add(receipt.index):
                _put_sum(spec, chunk)
            rejected.require_allowed()
            yield receipt
    finally:
        engine.stop()


def _put_sum(spec: JobSpec, chunk: Sequence[Receipt]) -> None:
    """Add up what a chunk has told beside its receipts; where that fails, the commit does, or says why it cannot."""
    try:
        put_sum(chunk, spec.storage, counted_columns(spec.request))
    except (OSError, ArtifactError) as error:
        log.warning("The sum of the parts up to %d was not put (%s)", chunk[-1].index, error)
