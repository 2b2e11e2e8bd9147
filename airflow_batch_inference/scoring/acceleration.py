"""Who walked the trees: the kernel or the model's own library, told of each part and of the whole job.

What must not be relaxed: where the kernel gave other bits in one process, nothing that it has scored in others is kept.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_batch_inference.scoring.loaded_lineup import LoadedLineup
from airflow_batch_inference.scoring.receipts import receipt_uri
from airflow_batch_inference.trees.fast_model import DIFFERS, why_slow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.records import ModelRecord, Receipt
    from airflow_batch_inference.storage import Storage

log = logging.getLogger(__name__)


def tree_kernel(model: LoadedModel, record: ModelRecord) -> dict[str, str]:
    """Return, by model, why its own library has walked its trees; empty where the kernel has.

    Models that are no tree ensembles, and those that were not to be accelerated, are left out.
    """
    found = {name: why_slow(each) for name, each in _models(model, record)}
    return {name: reason for name, reason in found.items() if reason is not None}


def _models(model: LoadedModel, record: ModelRecord) -> Iterator[tuple[str, LoadedModel]]:
    if not isinstance(model, LoadedLineup):
        yield record.name, model
        return
    lines = (*model.challengers, *model.arms)
    for step in (*model.steps, *(step for line in lines for step in line.steps)):
        yield step.record.name, step.model


def of_all_parts(receipts: Iterable[Receipt]) -> dict[str, str]:
    """Join what each part says: a model whose trees the kernel has walked in one part was not left to its library."""
    found: dict[str, str] = {}
    for receipt in receipts:
        for name, reason in receipt.tree_kernel.items():
            found[name] = reason and found.get(name, reason)
    return found


def drop_suspects(receipts: dict[int, Receipt], folder: str, storage: Storage) -> bool:
    """Forget parts that the kernel has scored, where it was found wrong in another one; say whether there are any."""
    reasons = [reason for receipt in receipts.values() for reason in receipt.tree_kernel.values()]
    suspects = [receipt for receipt in receipts.values() if "" in receipt.tree_kernel.values()]
    if not suspects or not any(reason.startswith(DIFFERS) for reason in reasons):
        return False
    log.warning("%d part(s) that the kernel for tree ensembles has scored are scored again without it", len(suspects))
    for receipt in suspects:
        storage.remove(receipt_uri(folder, receipt.job_key, receipt.index))
        for part in receipt.files:
            storage.remove(part.uri)
        del receipts[receipt.index]
    return True
