"""Which of a dataset's columns a job takes, and how they are matched with the first model's inputs.

Invariants: a column is dropped, passed through or matched by its name, or the job stops before its first row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from airflow_batch_inference.exceptions import ConfigurationError, SignatureMismatchError
from airflow_batch_inference.formats.csv.numbers import number_hint
from airflow_batch_inference.schema.column_types import is_text
from airflow_batch_inference.schema.inputs import InputPlan, plan_inputs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.records import ColumnSpec, ModelRecord
    from airflow_batch_inference.sources.dataset import Dataset

_NUMBER_TYPES = frozenset({"double", "float", "int64", "int32", "int16", "int8"})


def match_columns(
    dataset: Dataset, record: ModelRecord, model: LoadedModel, *, tolerant: bool, coerced: Collection[str]
) -> InputPlan:
    """Match columns; where text stands for a number and no row may be rejected, say which value is the first one."""
    there = set(dataset.schema.names)
    for spec in () if tolerant else record.inputs or ():
        if spec.type in _NUMBER_TYPES and spec.name in there and spec.name not in coerced:
            _refuse_text(dataset, spec)
    # Positional models take what there is: a dataset without files has no columns to count.
    n_features = record.n_features if dataset.schema.names else None
    plan = plan_inputs(
        dataset.schema,
        inputs=record.inputs,
        n_features=n_features,
        where=dataset.name,
        parses_text=tolerant,
        coerced=coerced,
        takes_lists=model.takes_lists,
        tensor=model.tensor,
    )
    require_everywhere(dataset, plan.columns)
    return plan


def require_everywhere(dataset: Dataset, columns: Iterable[str]) -> None:
    """Refuse columns that one of a dataset's files lacks.

    Raises
    ------
    SignatureMismatchError
        Names the file and the column.
    """
    for column in columns:
        if column in dataset.absent:
            message = (
                f"{dataset.absent[column]} lacks the column {column!r}, which the model needs and other files of the "
                "dataset have. Write that file again, or leave it out."
            )
            raise SignatureMismatchError(message)


def _refuse_text(dataset: Dataset, spec: ColumnSpec) -> None:
    kind = dataset.schema.field(spec.name).type
    if not is_text(kind) or pa.types.is_null(kind):
        return
    found, hint = dataset.first_unreadable_number(spec.name), ""
    if found is None:
        detail = f"Column {spec.name!r} of {dataset.name} holds numbers written as text"
    else:
        uri, row, value = found
        detail = f"Column {spec.name!r} of {uri} holds text: row {row} (from 0) is {value!r}"
        hint = "" if dataset.options is None else number_hint(uri, value, dataset.options.csv)
    message = (
        f"{detail}, but the model takes {spec.type}. {hint}Correct it where the dataset is made; or let such rows be "
        "rejected (error_threshold, max_rejected_fraction) or such values be null (on_mismatch)."
    )
    raise SignatureMismatchError(message)


def kept_columns(names: Sequence[str], drop: Sequence[str | int], where: str) -> list[str]:
    """Return the columns that ``drop_columns`` (names, or positions from 0) leaves."""
    dropped, there = set(), set(names)
    for column in drop:
        if isinstance(column, int) and 0 <= column < len(names):
            dropped.add(names[column])
        elif column in there:
            dropped.add(str(column))
        else:
            message = f"drop_columns names {column!r}, which {where} does not have. Its columns: {', '.join(names)}."
            raise ConfigurationError(message)
    return [name for name in names if name not in dropped]


def passed_columns(
    wanted: Literal["all"] | Sequence[str] | None, kept: Sequence[str], dataset: Dataset
) -> tuple[str, ...]:
    """Return the columns that ``passthrough_columns`` asks for."""
    if wanted == "all":
        return tuple(kept)
    there = set(dataset.schema.names)
    unknown = [name for name in wanted or () if name not in there]
    if unknown:
        message = (
            f"passthrough_columns names {unknown[0]!r}, which {dataset.name} does not have. "
            f"Its columns: {', '.join(dataset.schema.names)}."
        )
        raise ConfigurationError(message)
    return tuple(dict.fromkeys(wanted or ()))
