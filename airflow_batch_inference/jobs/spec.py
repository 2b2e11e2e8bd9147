"""A job as every process can have it: its description in the artifact store.

Invariants: a description holds no secret, no live object and no code; its name holds its digest; and what a process
reads of it is what the process that planned the job had.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.exceptions import ArtifactIntegrityError, NotDescribableError
from airflow_batch_inference.jobs.encoding import Decoder, Encoder
from airflow_batch_inference.ledger.receipts import work_folder
from airflow_batch_inference.storage.origins import connection_of, storage_at
from airflow_batch_inference.storage.uris import plain_uris
from airflow_batch_inference.wording.uris import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.jobs.plan import PartPlan
    from airflow_batch_inference.jobs.prepare import PreparedJob
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

_NAME = re.compile(r"/job-(?P<digest>[0-9a-f]{64})\.json$")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A planned job.

    Attributes
    ----------
    request
        What was asked for, without the values of environment variables.
    job
        What was found out before the first row.
    plans
        Its parts.
    environment
        The versions that it was planned with (:func:`~.environment.environment_stamp`).
    storage
        Reaches the artifact store.
    variables
        Names of the environment variables that the models need to be loaded.
    whole
        The dataset as it was opened, where the job's is another one; see :attr:`opened`.
    """

    request: ScoringRequest
    job: PreparedJob
    plans: tuple[PartPlan, ...]
    environment: dict[str, str]
    storage: Storage
    variables: tuple[str, ...] = ()
    whole: Dataset | None = None

    @property
    def opened(self) -> Dataset:
        """The dataset with the rows that were planned."""
        return self.job.dataset if self.whole is None else self.whole

    @property
    def work(self) -> str:
        """The folder of the description and of the receipts."""
        return work_folder(self.request.destination.folder, self.job.key)

    def reached_by(self, storage: Storage | None) -> JobSpec:
        """Return it with what reaches the artifact store in this process; None: as the job says."""
        return self if storage is None else replace(self, storage=storage)

    def without(self, settled: Sequence[int]) -> list[PartPlan]:
        """Return the parts that are not among those."""
        known = set(settled)
        return [plan for plan in self.plans if plan.index not in known]


def make_spec(
    request: ScoringRequest,
    job: PreparedJob,
    opened: Dataset,
    plans: tuple[PartPlan, ...],
    environment: dict[str, str],
    storage: Storage,
) -> JobSpec:
    """Return a planned job as it is in this process."""
    return JobSpec(
        request=request,
        job=job,
        plans=plans,
        environment=environment,
        storage=storage,
        variables=tuple(request.environment),
        whole=None if opened.identity == job.dataset.identity else opened,
    )


def described(request: ScoringRequest, *, is_inline: bool) -> ScoringRequest:
    """Return a request as other processes can have it.

    It is without rows, which are in the dataset that was opened, and without the values of environment variables.
    """
    return replace(request, dataset=None if is_inline else plain_uris(request.dataset), environment={})


def require_describable(request: ScoringRequest, opened: Dataset, storage: Storage) -> None:
    """Refuse a job that only processes of this task could score, before it is planned for others.

    Raises
    ------
    NotDescribableError
        A model has no file, or a store is reached by what was made by hand.
    """
    stores = {"the artifact store": storage, opened.name: opened.source.storage}
    for source in request.models.sources():
        if source.storage is None:
            message = (
                f"The model {source.record.name} has no file that another process could load: it is a function, or was "
                "given in memory. Give a model that LoadModelOperator has registered, or leave the engine to the task."
            )
            raise NotDescribableError(message)
        stores[f"the model {source.record.name}"] = source.storage
    for what, reached in stores.items():
        if reached is not None and reached.known_origin is None:
            message = (
                f"Other processes cannot reach {what} as this one does: its file system was made by hand. Name an "
                "Airflow connection (conn_id), or let the environment say how it is reached."
            )
            raise NotDescribableError(message)
    root = request.destination.root
    own, others = connection_of(storage), connection_of(storage_at(root))
    if own != others and not root.startswith(("file:", "/")):
        message = (
            f"The artifact store {redact(root)} is reached by {own or 'no connection'} here, and other processes would "
            f"look for the job by {others or 'no connection'}: they know its URI alone. Set [batch_inference] "
            "artifact_conn_id in Airflow's config to the connection that leads there."
        )
        raise NotDescribableError(message)


def resolved_store(storage: Storage, request: ScoringRequest) -> Storage:
    """Return what reaches the artifact store with its file systems in place, for a process without connections."""
    golden = [source.record.golden_uri for source in request.models.sources()]
    return storage.resolved(request.destination.root, *filter(None, golden))


def put_spec(spec: JobSpec, *, storage: Storage | None = None) -> str:
    """Store a job's description, with a dataset that came with the request, and return its URI.

    Parameters
    ----------
    spec
        The job.
    storage
        Writes it; None: the job's own.

    Raises
    ------
    NotDescribableError
        Some of it would have to be handed over.
    """
    store = storage or spec.storage

    def put_table(table: pa.Table) -> str:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return store.put_content(spec.work, "input", ".arrow", sink.getvalue().to_pybytes())

    request = described(spec.request, is_inline=spec.opened.source.is_inline)
    encoder = Encoder(put_table=put_table, hands_over="nothing")
    text = encoder.encode(replace(spec, request=request))
    return store.put_content(spec.work, "job", ".json", text.encode())


def read_spec(uri: str, storage: Storage | None) -> JobSpec:
    """Read a job's description.

    Parameters
    ----------
    uri
        Where it lies.
    storage
        Reaches it; None: as Airflow's config says, or this process's environment.

    Raises
    ------
    ArtifactNotFoundError, ArtifactIntegrityError
        It is missing, was changed, or is of another version of the package.
    ConfigurationError
        Only processes of the task that planned it can have some of it.
    """
    store = storage or storage_at(uri)
    data = store.read_bytes(uri)
    named = _NAME.search(uri)
    if named is None or hashlib.sha256(data).hexdigest() != named["digest"]:
        message = f"{uri} is not the description of a job that was put there: its SHA-256 is not the one in its name."
        raise ArtifactIntegrityError(message)

    def read_table(table_uri: str) -> pa.Table:
        return pa.ipc.open_file(pa.py_buffer(store.read_bytes(table_uri))).read_all()

    spec = Decoder(read_table=read_table).decode(data, where=uri)
    if not isinstance(spec, JobSpec):
        message = f"{uri} describes no job, but a {type(spec).__name__}."
        raise ArtifactIntegrityError(message)
    return spec
