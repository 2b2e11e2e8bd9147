"""What the parts of a job have counted, added up in the order of the parts.

Invariants: the sums hang on the receipts alone and never on the order in which they came, to the last digit; memory
does not grow with the parts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_batch_inference.checks.checks import added
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.jobs.details import read_details
from airflow_batch_inference.jobs.model_statistics import ChainTotals
from airflow_batch_inference.records import PartDetails
from airflow_batch_inference.storage.parallel import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_batch_inference.drift.profile import ColumnArrays
    from airflow_batch_inference.records import CheckCount, ColumnBaseline, Profile, Receipt
    from airflow_batch_inference.storage.store import Storage

_MOST_IN_A_BATCH = 32
_THREADS = 16
"""They read ahead while one adds: adding takes as long as some of them read."""
_BATCH_BYTES = 1 << 20
"""Of files that one thread reads before it hands them over: a wide table's have megabytes each."""
_NO_DETAILS = PartDetails()


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
    profiler = None if columns is None else Profiler(columns)

    def read(receipt: Receipt) -> tuple[PartDetails, list[ColumnArrays]]:
        return (_NO_DETAILS, []) if receipt.details is None else read_details(receipt.details, storage)

    storage = storage.steady(receipt.details.uri for receipt in receipts if receipt.details is not None)
    largest = max((receipt.details.size_bytes for receipt in receipts if receipt.details is not None), default=0)
    found = in_order(
        read,
        receipts,
        threads=_THREADS if largest else 1,
        most_in_a_batch=min(_MOST_IN_A_BATCH, max(1, _BATCH_BYTES // max(1, largest))),
        raise_if_stopped=raise_if_stopped,
    )
    for receipt, (details, arrays) in zip(receipts, found, strict=True):
        totals.add(receipt)
        totals.add(details)
        if profiler is not None and details.profile is not None:
            profiler.merge(details.profile, arrays)
    totals.profile = None if profiler is None else profiler.profile()
    return totals
