"""What the parts of a job have counted, added up in the order of the parts.

What lies beside the receipts is added up by chunks, the parts of a bundle of receipts each, and then the chunks. The
sum of a chunk is put into the store when its last part has come, so that a commit reads some hundred files in place of
a hundred thousand.

Invariants: the sums hang on the receipts alone and never on the order in which they came, nor on what was put, to the
last digit; memory does not grow with the parts.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from airflow_batch_inference.checks.checks import added
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.exceptions import ArtifactNotFoundError
from airflow_batch_inference.jobs.details import DETAILS_SUFFIX, decode_details, encode_details, read_details
from airflow_batch_inference.jobs.model_statistics import ChainTotals
from airflow_batch_inference.ledger import bundles
from airflow_batch_inference.records import PartDetails
from airflow_batch_inference.storage.parallel import in_order
from airflow_batch_inference.storage.uris import join_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from airflow_batch_inference.drift.profile import ColumnArrays
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.records import CheckCount, ColumnBaseline, Profile, Receipt
    from airflow_batch_inference.storage.store import Storage

_MOST_IN_A_BATCH = 32
_THREADS = 16
"""They read ahead while one adds: adding takes as long as some of them read."""
_BATCH_BYTES = 1 << 20
"""Of files that one thread reads before it hands them over: a wide table's have megabytes each."""
_NO_DETAILS = PartDetails()
_DIGEST_BYTES = hashlib.sha256().digest_size
Counted: TypeAlias = "tuple[PartDetails, list[ColumnArrays]]"
"""What lies beside a receipt, and the arrays of its profile's columns."""


@dataclass(slots=True)
class JobTotals:
    """Sums over all parts.

    Attributes
    ----------
    nulled
        Column to how many of its values became null for the model.
    checks
        How many rows each check marked.
    chains
        What each of several models has done.
    profile
        All rows, counted on the baseline; None: they were not counted.
    """

    nulled: Counter[str] = field(default_factory=Counter)
    checks: tuple[CheckCount, ...] = ()
    chains: ChainTotals = field(default_factory=ChainTotals)
    profile: Profile | None = None

    def add(self, counted: Receipt | PartDetails) -> None:
        """Add what a receipt, or the file beside it, has counted."""
        self.nulled.update(counted.nulled)
        self.checks = added(self.checks, counted.checks)
        for chain in counted.chains:
            self.chains.add(chain)


def counted_columns(request: ScoringRequest) -> Sequence[ColumnBaseline] | None:
    """Return the columns of the baseline that a job's rows are counted on for its profile; None: it has no profile."""
    if request.baseline is None or request.record.baseline_uri is None:
        return None
    return request.baseline.columns


def add_up(
    receipts: Sequence[Receipt],
    storage: Storage,
    columns: Sequence[ColumnBaseline] | None,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> JobTotals:
    """Add up what the parts of a job have counted.

    Parameters
    ----------
    receipts
        Of all parts, in the order of their indices.
    storage
        Reads the files beside them.
    columns
        The baseline's, where the rows were counted on one; None: no profile is made.
    raise_if_stopped
        Called several times a second; raises to stop.

    Raises
    ------
    ArtifactNotFoundError, ArtifactIntegrityError
        A file beside a receipt is gone, or was changed.
    """
    totals = JobTotals()
    for receipt in receipts:
        totals.add(receipt)
    if all(receipt.details is None for receipt in receipts):
        totals.profile = None if columns is None else Profiler(columns).profile()
        return totals
    storage = storage.steady(receipt.details.uri for receipt in receipts if receipt.details is not None)
    chunks = [receipts[start : start + bundles.PARTS] for start in range(0, len(receipts), bundles.PARTS)]
    if len(chunks) == 1:
        return _added(totals, _details(chunks[0], storage, raise_if_stopped), columns)
    put = in_order(
        lambda chunk: _read_sum(chunk, storage),
        chunks,
        threads=_THREADS,
        most_in_a_batch=_most_in_a_batch(receipts),
        raise_if_stopped=raise_if_stopped,
    )

    def sums() -> Iterator[Counted]:
        for chunk, known in zip(chunks, put, strict=True):
            yield known or decode_details(_sum(chunk, storage, columns, raise_if_stopped), where="a chunk's sum")

    return _added(totals, sums(), columns)


def put_sum(chunk: Sequence[Receipt], storage: Storage, columns: Sequence[ColumnBaseline] | None) -> None:
    """Put what the parts of a chunk have told beside their receipts, added up; nothing where they have told nothing.

    Parameters
    ----------
    chunk
        Their receipts, in the order of their indices.
    storage, columns
        As for :func:`add_up`.
    """
    if any(receipt.details is not None for receipt in chunk):
        data = _sum(chunk, storage, columns)
        storage.put(sum_uri(chunk), hashlib.sha256(data).digest() + data)


def sum_uri(chunk: Sequence[Receipt]) -> str:
    """Return where the sum of a chunk lies: its name says of which files it is the sum."""
    named = [receipt.details for receipt in chunk if receipt.details is not None]
    digest = hashlib.sha256("".join(each.sha256 for each in named).encode()).hexdigest()
    name = f"chunk-{chunk[0].index // bundles.PARTS:05d}-{digest[:32]}{DETAILS_SUFFIX}"
    return join_uri(named[0].uri.rpartition("/")[0], name)


def _read_sum(chunk: Sequence[Receipt], storage: Storage) -> Counted | None:
    """Return the sum of a chunk; None where none was put, or what lies there is damaged."""
    if all(receipt.details is None for receipt in chunk):
        return _NO_DETAILS, []
    uri = sum_uri(chunk)
    try:
        content = storage.read_bytes(uri)
    except ArtifactNotFoundError:
        return None
    digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return decode_details(data, where=uri) if hashlib.sha256(data).digest() == digest else None


def _sum(
    chunk: Sequence[Receipt],
    storage: Storage,
    columns: Sequence[ColumnBaseline] | None,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> bytes:
    totals = _added(JobTotals(), _details(chunk, storage, raise_if_stopped), columns)
    found = PartDetails(
        profile=totals.profile,
        nulled=dict(totals.nulled),
        checks=totals.checks,
        chains=tuple(totals.chains.whole().values()),
    )
    return encode_details(found)


def _details(receipts: Sequence[Receipt], storage: Storage, raise_if_stopped: Callable[[], None]) -> Iterator[Counted]:
    """Read what lies beside receipts, in their order."""
    named = [receipt.details for receipt in receipts if receipt.details is not None]
    return in_order(
        lambda part: read_details(part, storage),
        named,
        threads=_THREADS,
        most_in_a_batch=_most_in_a_batch(receipts),
        raise_if_stopped=raise_if_stopped,
    )


def _most_in_a_batch(receipts: Sequence[Receipt]) -> int:
    """Return how many files a thread reads before it hands them over: those of wide tables are large."""
    largest = max((receipt.details.size_bytes for receipt in receipts if receipt.details is not None), default=1)
    return min(_MOST_IN_A_BATCH, max(1, _BATCH_BYTES // max(1, largest)))


def _added(totals: JobTotals, counted: Iterable[Counted], columns: Sequence[ColumnBaseline] | None) -> JobTotals:
    profiler = None if columns is None else Profiler(columns)
    for details, arrays in counted:
        totals.add(details)
        if profiler is not None and details.profile is not None:
            profiler.merge(details.profile, arrays)
    totals.profile = None if profiler is None else profiler.profile()
    return totals
