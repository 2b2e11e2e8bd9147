"""Who scored tree ensembles: the kernel or the model's own library, told of each part and of the whole job.

Invariants: where the kernel gave other bits in one process, nothing that it has scored in others is kept.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from airflow_batch_inference.ledger.bundles import forget_receipt
from airflow_batch_inference.storage.parallel import in_order, threads_for
from airflow_batch_inference.trees.fast_model import DIFFERS, why_slow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_batch_inference.predictors.graphs.loaded import LoadedModels
    from airflow_batch_inference.records import Receipt
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)


def tree_kernel(models: LoadedModels) -> dict[str, str]:
    """Return, by model, why its own library has scored it; empty where the kernel has.

    Models that are no tree ensembles, and those that were not to be accelerated, are left out. Of several models of
    one name (two versions of one) the second is called ``name (2)``, and so on, in the order of the graph.
    """
    found: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for step in models.steps():
        name = step.record.name
        seen[name] += 1
        reason = why_slow(step.model)
        if reason is not None:
            found[name if seen[name] == 1 else f"{name} ({seen[name]})"] = reason
    return found


def of_all_parts(receipts: Iterable[Receipt]) -> dict[str, str]:
    """Join what each part says: a model that the kernel has scored in one part was not left to its library."""
    found: dict[str, str] = {}
    for receipt in receipts:
        for name, reason in receipt.tree_kernel.items():
            found[name] = reason and found.get(name, reason)
    return found


def drop_suspects(receipts: dict[int, Receipt], folder: str, storage: Storage) -> dict[str, str]:
    """Forget parts that the kernel has scored, where it was found wrong in any one, for whichever model.

    Returns
    -------
    dict
        By model, what was found; empty where nothing is to be scored again.
    """
    told = [said for receipt in receipts.values() for said in receipt.tree_kernel.items()]
    wrong = {name: reason for name, reason in told if reason.startswith(DIFFERS)}
    suspects = [receipt for receipt in receipts.values() if "" in receipt.tree_kernel.values()]
    if not suspects or not wrong:
        return {}
    log.warning("%d part(s) that the kernel for tree ensembles has scored are scored again without it", len(suspects))
    for receipt in suspects:
        del receipts[receipt.index]

    def remove(receipt: Receipt) -> None:
        forget_receipt(folder, receipt.job_key, receipt.index, storage)
        for part in receipt.files:
            storage.remove(part.uri)

    for _ in in_order(remove, suspects, threads=threads_for(storage.filesystem(folder)[0])):
        pass
    return wrong
