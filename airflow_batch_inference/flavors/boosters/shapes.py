"""The shape of what a native library returned, compared with what its model must return before it is used.

Invariants: a library that believes a damaged model can return an array whose numbers are other memory; an array of
another shape than asked for is no prediction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import RowAlignmentError

if TYPE_CHECKING:
    import numpy as np


def require_shape(answer: np.ndarray, rows: int, outputs: int | None) -> None:
    """Refuse an answer that is not of each row, and of each output.

    Parameters
    ----------
    answer
        What was returned.
    rows
        How many rows were asked for.
    outputs
        How many numbers each row must have; None where that depends on what was asked for.

    Raises
    ------
    RowAlignmentError
        It has another shape.

    Examples
    --------
    >>> import numpy as np
    >>> require_shape(np.zeros((2, 3)), 2, 3)
    >>> require_shape(np.zeros(2), 2, 1)
    """
    shape = tuple(answer.shape)
    wanted = (rows,) if outputs in (None, 1) else (rows, outputs)
    fits = shape[:1] == wanted if outputs is None else shape in (wanted, (rows, outputs))
    if not fits:
        message = (
            f"The model returned an array of shape {shape} for {rows} rows; it must be {wanted}. The model is damaged, "
            "or another version of its library wrote it: save it again."
        )
        raise RowAlignmentError(message)
