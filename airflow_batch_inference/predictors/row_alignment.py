"""A test of the model: some rows are scored a second time, and each prediction must be of its own row.

Invariants: only numbers may differ, by 1e-4 of their size; and a model that is meant to be random is not tested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from airflow_batch_inference.exceptions import RowAlignmentError
from airflow_batch_inference.predictors.outputs import equal_rows
from airflow_batch_inference.schema.arrays import from_numpy
from airflow_batch_inference.sources.batches import Origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from airflow_batch_inference.predictors.base import Predictor
    from airflow_batch_inference.sources.batches import MiniBatch

_SHUFFLED_ROWS = 64
_RELATIVE_TOLERANCE = 1e-4
_ABSOLUTE_TOLERANCE = 1e-7


def check_row_alignment(
    predictor: Predictor, batch: MiniBatch, predicted: Sequence[pa.Array], *, rows: int, seed: int
) -> None:
    """Score some rows again, one at a time and in another order, and compare: each prediction is of its own row.

    Numbers may differ by 1e-4 of their size, since libraries add up in another order in batches of another size.

    Parameters
    ----------
    predictor, batch, predicted
        The model, a mini-batch, and what the model returned for it.
    rows
        How many random rows are scored one at a time; up to 64 more in a shuffled sample.
    seed
        Of the choice.

    Raises
    ------
    RowAlignmentError
        A prediction depends on the rows around its own, or belongs to another row.
    """
    rng = np.random.default_rng(seed)
    count = batch.table.num_rows
    for row in sorted(rng.choice(count, size=min(rows, count), replace=False).tolist()):
        alone = predictor.predict(batch.slice(row, 1))
        _require_same([column.slice(row, 1) for column in predicted], alone, batch, [row], "scored alone")
    order = rng.permutation(count)[:_SHUFFLED_ROWS]
    places = tuple(Origin(*batch.locate(row), 1) for row in order.tolist())
    shuffled = predictor.predict(type(batch)(batch.table.take(from_numpy(order)), places))
    expected = [column.take(from_numpy(order)) for column in predicted]
    _require_same(expected, shuffled, batch, order.tolist(), "scored in another order")


def _require_same(
    expected: Sequence[pa.Array], found: Sequence[pa.Array], batch: MiniBatch, rows: Sequence[int], how: str
) -> None:
    for first, second in zip(expected, found, strict=True):
        same = equal_rows(first, second, relative=_RELATIVE_TOLERANCE, absolute=_ABSOLUTE_TOLERANCE)
        if not same.all():
            at = int(np.flatnonzero(~same)[0])
            uri, row = batch.locate(rows[at])
            message = (
                f"The prediction for {uri}, row {row} (from 0) is {first[at].as_py()!r} in its mini-batch, but "
                f"{second[at].as_py()!r} when it is {how}: it depends on the rows around it, or belongs to another "
                "row. Mend the model; if it is meant to be so (a random one), set alignment_check_rows=0."
            )
            raise RowAlignmentError(message)
