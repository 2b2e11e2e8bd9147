"""The input contract: what each of a model's inputs was like in its training data, and which values break it.

Invariants: a contract says only what the whole training sample has shown; values are compared as the
baseline counted them, so that no value of the sample itself ever breaks its contract.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.drift.values import MAX_CATEGORY_CHARACTERS, as_doubles, family
from airflow_batch_inference.records import CategoricalBaseline, ColumnContract
from airflow_batch_inference.schema.column_types import is_text
from airflow_batch_inference.schema.names import known_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow_batch_inference.records import BaselineRecord, ColumnBaseline, Profile

log = logging.getLogger(__name__)

MOST_CATEGORIES = 200
_SHOWN = 3
_MORE_NULLS = 2.0
_MARGIN = 0.05
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def contract_of(baseline: BaselineRecord, inputs: Sequence[str] | None) -> tuple[ColumnContract, ...]:
    """Return the contract of a model's inputs, as far as a baseline has them.

    Parameters
    ----------
    baseline
        Of the training data.
    inputs
        The model's names, in its order; None where it has none: then those columns of the baseline that it takes.
    """
    known = {column.profile.name: column for column in baseline.columns}
    as_known = known_names(known)
    wanted = (baseline.inputs or ()) if inputs is None else inputs
    return tuple(_contract(name, known[as_known(name)]) for name in wanted if as_known(name) in known)


def _contract(name: str, column: ColumnBaseline) -> ColumnContract:
    profile = column.profile
    null_fraction = profile.missing / profile.rows if profile.rows else 0.0
    if isinstance(column, CategoricalBaseline):
        is_complete = column.profile.other == 0 and column.distinct == len(column.categories) <= MOST_CATEGORIES
        return ColumnContract(
            name=name,
            type=profile.type,
            minimum=None,
            maximum=None,
            categories=column.categories if is_complete else None,
            null_fraction=null_fraction,
        )
    return ColumnContract(
        name=name,
        type=profile.type,
        minimum=None if column.profile.negative_inf else column.profile.min,
        maximum=None if column.profile.positive_inf else column.profile.max,
        categories=None,
        null_fraction=null_fraction,
    )


@dataclass(frozen=True, slots=True)
class Breach:
    """Values of a column that break its contract in one way."""

    rows: np.ndarray
    """Shape (n,), bool: which they are."""
    limit: str
    """What they should have been, in words."""
    is_missing: bool = False
    """Whether they are nulls where there should be none."""


def is_comparable(contract: ColumnContract, kind: pa.DataType) -> bool:
    """Say whether values of a type can be held against a contract; nulls alone always can."""
    return pa.types.is_null(kind) or contract.type == "null" or family(_plain(kind)) == family(contract.type)


def _plain(kind: pa.DataType) -> str:
    return "string" if is_text(kind) else str(kind)


def breaches(contract: ColumnContract, values: pa.ChunkedArray) -> Iterator[Breach]:
    """Yield what is wrong with a column's values, each way once; nothing where all is well."""
    if contract.null_fraction == 0:
        missing = pc.is_null(values, nan_is_null=True).to_numpy()
        if missing.any():
            yield Breach(missing, "the training sample has no null", is_missing=True)
    if values.null_count == len(values):
        return
    if contract.categories is not None:
        unseen = _unseen(values, contract.categories)
        if unseen.any():
            yield Breach(unseen, f"the training sample has only {_listed(contract.categories)}")
    elif contract.minimum is not None or contract.maximum is not None:
        outside = _outside(values, contract)
        if outside.any():
            yield Breach(outside, f"the training sample has {_range(contract)}")


def _unseen(values: pa.ChunkedArray, categories: Sequence[str]) -> np.ndarray:
    text = values.cast(pa.large_string())
    known = pa.array(categories, pa.large_string())
    seen = pc.is_in(text, value_set=known)
    if not pc.all(seen).as_py():  # long text is told by its beginning; nothing else needs to be cut
        text = pc.utf8_slice_codeunits(text, start=0, stop=MAX_CATEGORY_CHARACTERS)
        seen = pc.or_(pc.is_in(text, value_set=known), pc.is_null(text))
    unseen: np.ndarray = pc.invert(seen).to_numpy()
    return unseen


def _outside(values: pa.ChunkedArray, contract: ColumnContract) -> np.ndarray:
    doubles, lowest, highest = as_doubles(values), contract.minimum, contract.maximum
    if "float" in (contract.type, str(values.type)):  # 0.1 written as float32 is still 0.1
        doubles = doubles.cast(pa.float32())
        lowest, highest = (None if limit is None else pa.scalar(limit, pa.float32()) for limit in (lowest, highest))
    found = np.zeros(len(doubles), dtype=bool)
    extremes = pc.min_max(doubles)
    if lowest is not None and pc.less(extremes["min"], lowest).as_py():
        found |= pc.fill_null(pc.less(doubles, lowest), fill_value=False).to_numpy()
    if highest is not None and pc.greater(extremes["max"], highest).as_py():
        found |= pc.fill_null(pc.greater(doubles, highest), fill_value=False).to_numpy()
    return found


def _listed(categories: Sequence[str]) -> str:
    more = f" and {len(categories) - _SHOWN} more" if len(categories) > _SHOWN else ""
    return ", ".join(map(repr, categories[:_SHOWN])) + more


def _range(contract: ColumnContract) -> str:
    low, high = (
        None if limit is None else _shown(limit, contract.type) for limit in (contract.minimum, contract.maximum)
    )
    if low is None:
        return f"nothing over {high}"
    return f"nothing under {low}" if high is None else f"{low} to {high}"


def _shown(limit: float, kind: str) -> str:
    """Write a limit as the values of its type are written."""
    if kind.startswith(("timestamp", "date")):
        try:
            moment = _EPOCH + timedelta(seconds=limit)
        except OverflowError:
            return f"{limit} s"
        if kind.startswith("date"):
            return moment.date().isoformat()
        return (moment if "tz=" in kind else moment.replace(tzinfo=None)).isoformat(" ")
    if kind.startswith(("time", "duration")):
        return f"{limit} s"
    return str(int(limit)) if kind.startswith(("int", "uint")) else repr(limit)


def warn_of_nulls(contract: Iterable[ColumnContract], profile: Profile) -> None:
    """Log the inputs of which more is missing than twice the training sample's share and 5 %."""
    known = {column.name: column for column in profile.columns}
    as_known = known_names(known)
    for column in contract:
        found = known.get(as_known(column.name))
        share = found.missing / found.rows if found is not None and found.rows else 0.0
        if share > _MORE_NULLS * column.null_fraction + _MARGIN:
            log.warning(
                "%.1f %% of column %r is null; in the training sample it was %.1f %%. Look at what fills it",
                *(100 * share, column.name, 100 * column.null_fraction),
            )
