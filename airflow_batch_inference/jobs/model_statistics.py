"""What each of several models has done: counted part by part, added up in the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.predictors.challengers.disagreement_counts import added_pairs
from airflow_batch_inference.records import ChainRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.records import Receipt


def added_chains(receipts: Iterable[Receipt]) -> dict[str, ChainRows]:
    """Add up what the parts have counted of each chain, by its name."""
    found: dict[str, list[ChainRows]] = {}
    for receipt in sorted(receipts, key=lambda receipt: receipt.index):
        for chain in receipt.chains:
            found.setdefault(chain.name, []).append(chain)
    return {name: _added(counts) for name, counts in found.items()}


def _added(counts: Sequence[ChainRows]) -> ChainRows:
    counted = [each.outputs for each in counts if each.rows]
    is_whole = bool(counted) and len({len(outputs) for outputs in counted}) == 1
    return ChainRows(
        name=counts[0].name,
        rows=sum(each.rows for each in counts),
        rows_failed=sum(each.rows_failed for each in counts),
        seconds=round(sum(each.seconds for each in counts), 3),
        error=next((each.error for each in counts if each.error is not None), None),
        outputs=tuple(map(added_pairs, zip(*counted, strict=True))) if is_whole else (),
        not_compared=next((each.not_compared for each in counts if each.not_compared is not None), None),
    )
