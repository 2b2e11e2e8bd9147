"""What each of several models has done: counted part by part, added up in the commit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from airflow_batch_inference.predictors.challengers.disagreement_counts import added_pairs
from airflow_batch_inference.records import ChainRows


@dataclass(slots=True)
class ChainTotals:
    """What each chain has done in all parts, which are added in the order of their indices."""

    _found: dict[str, ChainRows] = field(default_factory=dict)
    _mixed: set[str] = field(default_factory=set)
    """Chains of which some part was counted otherwise than the others: they are not compared."""

    def add(self, chain: ChainRows) -> None:
        """Add what a chain has done in one more part."""
        name, known = chain.name, self._found.get(chain.name)
        if known is None:
            self._found[name] = chain
            return
        if chain.rows and known.rows and len(chain.outputs) != len(known.outputs):
            self._mixed.add(name)
        outputs = chain.outputs if chain.rows and not known.rows else known.outputs
        if name not in self._mixed and chain.rows and known.rows:
            outputs = tuple(map(added_pairs, zip(known.outputs, chain.outputs, strict=True)))
        self._found[name] = ChainRows(
            name=name,
            rows=known.rows + chain.rows,
            rows_failed=known.rows_failed + chain.rows_failed,
            seconds=known.seconds + chain.seconds,
            error=chain.error if known.error is None else known.error,
            outputs=outputs,
            not_compared=chain.not_compared if known.not_compared is None else known.not_compared,
        )

    def whole(self) -> dict[str, ChainRows]:
        """Return what each chain has done, by its name."""
        return {
            name: replace(
                chain,
                seconds=round(chain.seconds, 3),
                outputs=() if name in self._mixed or not chain.rows else chain.outputs,
            )
            for name, chain in self._found.items()
        }
