"""The ordinary output: which names its predictions get, and the rows with the predictions beside them.

Invariants: no name stands twice; a prediction has the type that the first rows had, or is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError, PredictionError
from airflow_batch_inference.predictors.outputs import DEFAULT_LABEL
from airflow_batch_inference.schema.casts import cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.sources.batches import MiniBatch


def default_names(number: int) -> list[str]:
    """Return the names of so many predictions a row.

    Examples
    --------
    >>> default_names(1), default_names(2)
    (['predicted_label'], ['predicted_label_0', 'predicted_label_1'])
    """
    return [DEFAULT_LABEL] if number == 1 else [f"{DEFAULT_LABEL}_{position}" for position in range(number)]


def label_names(given: Sequence[str] | None, known: Sequence[str] | None, default: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the prediction columns.

    Parameters
    ----------
    given
        The user's; their number must be that of the columns.
    known
        The model's own output names, used where they fit.
    default
        The name that each column has else.

    Examples
    --------
    >>> label_names(None, ["risk"], ["predicted_label"]), label_names(None, ["risk"], ["a", "b"])
    (('risk',), ('a', 'b'))
    """
    number = len(default)
    if given is not None:
        if len(given) != number:
            message = (
                f"label_columns names {len(given)} column(s) ({', '.join(given)}), but the model returns {number}: "
                f"give {number} name(s)."
            )
            raise ConfigurationError(message)
        return tuple(given)
    if known is not None and len(known) == number:
        return tuple(known)
    return tuple(default)


def require_new_names(labels: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse labels that stand twice or that the output has already as input columns.

    Raises
    ------
    ConfigurationError
        Names the column.
    """
    taken = [label for position, label in enumerate(labels) if label in columns or label in labels[:position]]
    if taken:
        message = (
            f"The prediction column(s) {', '.join(map(repr, taken))} would stand twice in the output. Choose other "
            "label_columns, or leave the input's column out with drop_columns."
        )
        raise ConfigurationError(message)


def assemble(
    batch: MiniBatch, passthrough: Sequence[str], predicted: Sequence[pa.Array], schema: pa.Schema
) -> pa.Table:
    """Put the passed-through columns and the predictions side by side, in the output's schema.

    Without a single row ``predicted`` may be empty.

    Raises
    ------
    PredictionError
        A prediction does not fit the type that the first rows had.
    """
    if batch.table.num_rows == 0:
        return schema.empty_table()
    try:
        labels = [
            values if values.type == field.type else values.cast(field.type)
            for values, field in zip(predicted, list(schema)[len(passthrough) :], strict=True)
        ]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        message = f"The predictions for {batch.describe()} differ from those of the first rows: {error}."
        raise PredictionError(message) from error
    passed = [cast(batch.table.column(name), schema.field(name).type, name) for name in passthrough]
    return pa.Table.from_arrays([*passed, *labels], schema=schema)
