"""MLRun's statistics of a sample set (``feature_stats`` of a model, ``sample_set_statistics``) as a baseline.

Their form, as MLRun's ``get_df_stats`` makes it: column to ``count``, ``mean``, ``std``, ``min``, ``max`` and, of
numbers and booleans without a missing value, ``hist``: ``[counts, edges]``; of all other columns no distribution is
kept. From MLRun 1.5 on the histograms may be padded with two bins that reach to the largest floats.

Invariants: counts and edges are taken as they are, so that MLRun's numbers come out as MLRun's; and what
the statistics do not say is never made up.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_batch_inference.drift.baseline import baseline_of, with_far_edges
from airflow_batch_inference.drift.bins import closed
from airflow_batch_inference.drift.packing import pack
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import (
    CategoricalBaseline,
    CategoricalProfile,
    NumericBaseline,
    NumericProfile,
)
from airflow_batch_inference.sources.recorded import is_statistics, small_document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_batch_inference.records import BaselineRecord, ColumnBaseline
    from airflow_batch_inference.storage.store import Storage

SUFFIXES = (".json", ".yaml", ".yml")
_WITHIN = ("spec", "status", "feature_stats", "sample_set_statistics")
_MADE_OF = "MLRun's statistics, 20 bins a column and no rows"
_FORM = "column to count, mean, std, min, max and hist: [counts, edges]"


class _UnusableError(ValueError):
    """Why a column's statistics cannot be compared with."""


def read_statistics(uri: str, storage: Storage) -> BaselineRecord:
    """Return the baseline of a JSON or YAML file of MLRun's, such as the ``model_spec.yaml`` beside a model.

    Raises
    ------
    ConfigurationError
        It holds no statistics.
    ArtifactNotFoundError
        Nothing lies there.
    """
    import yaml

    data = storage.read_bytes(uri)
    try:
        document = json.loads(data) if uri.lower().endswith(".json") else yaml.safe_load(data)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        message = f"{uri} can be read neither as a baseline nor as MLRun's statistics: {error}."
        raise ConfigurationError(message) from error
    return statistics_baseline(document, where=uri)


def holds_statistics(uri: str, storage: Storage) -> bool:
    """Say whether a file holds MLRun's statistics; no data are in YAML, and in JSON they look otherwise."""
    if not uri.lower().endswith(SUFFIXES) or not storage.exists(uri):
        return False
    return not uri.lower().endswith(".json") or are_statistics(small_document(uri, storage))


def statistics_baseline(document: object, *, where: str) -> BaselineRecord:
    """Return the baseline that MLRun's statistics make.

    Parameters
    ----------
    document
        Column to its statistics; or what holds them, such as a model's spec.
    where
        What to call it in messages.

    Raises
    ------
    ConfigurationError
        It holds no statistics, or no column of them has a histogram.
    """
    statistics = _unwrapped(document)
    if not is_statistics(statistics):
        message = f"{where} holds neither a baseline nor MLRun's statistics ({_FORM}). Give one of them."
        raise ConfigurationError(message)
    columns: list[ColumnBaseline] = []
    skipped: dict[str, str] = {}
    for name, found in statistics.items():
        try:
            columns.append(_column(str(name), found))
        except _UnusableError as error:
            skipped[str(name)] = str(error)
    if not columns:
        why = "; ".join(f"{name}: {reason}" for name, reason in list(skipped.items())[:3])
        message = f"None of the columns of MLRun's statistics {where} can be compared with: {why}. Give a sample_set."
        raise ConfigurationError(message)
    return baseline_of(columns, skipped, rows=max(column.profile.rows for column in columns), made_of=_MADE_OF)


def _unwrapped(document: object) -> dict[str, Any]:
    """Return the statistics of a document that holds them somewhere, as MLRun's model artifacts do."""
    for key in _WITHIN:
        if isinstance(document, Mapping) and isinstance(inner := document.get(key), Mapping) and "count" not in inner:
            return _unwrapped(inner)
    return dict(document) if isinstance(document, Mapping) else {}


def _column(name: str, found: Mapping[str, Any]) -> ColumnBaseline:
    counts, edges = _histogram(found)
    total = int(counts.sum())
    said = _number(found, "count")
    if said is not None and said != total:
        reason = f"MLRun's histogram of it holds {total} of its {said:g} values"
        raise _UnusableError(reason)
    if not total:
        reason = "MLRun's statistics count no value of it"
        raise _UnusableError(reason)
    if str(found.get("top")) in ("True", "False"):
        return _flags(name, found, total)
    return _numbers(name, found, counts, edges)


def _histogram(found: Mapping[str, Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the counts and edges of a histogram, without padding."""
    histogram = found.get("hist")
    if histogram is None:
        reason = "MLRun's statistics hold no histogram of it"
        raise _UnusableError(reason)
    try:
        counts, edges = (np.asarray(side, dtype=np.float64) for side in histogram)
    except (TypeError, ValueError):
        counts, edges = np.empty(0), np.empty(0)
    if len(edges) > len(counts) > 2 and -edges[0] >= sys.float_info.max and edges[-1] >= sys.float_info.max:
        if counts[0] or counts[-1]:
            reason = "MLRun's histogram of it has values beyond its edges: it is of scored data, not of a sample set"
            raise _UnusableError(reason)
        counts, edges = counts[1:-1], edges[1:-1]
    is_one = counts.ndim == edges.ndim == 1 and len(edges) == len(counts) + 1 > 1
    if not is_one or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        reason = "MLRun's histogram of it is not [counts, edges] with one edge more than counts, increasing"
        raise _UnusableError(reason)
    if not (np.isfinite(counts).all() and (counts >= 0).all() and (counts == np.round(counts)).all()):
        reason = "MLRun's histogram of it holds shares, or other numbers that are no counts"
        raise _UnusableError(reason)
    return counts.astype(np.int64), edges


def _numbers(
    name: str, found: Mapping[str, Any], counts: NDArray[np.int64], histogram_edges: NDArray[np.float64]
) -> NumericBaseline:
    edges = with_far_edges(closed(histogram_edges))
    low, high = float(histogram_edges[0]), float(histogram_edges[-1])
    constant = _number(found, "min")
    if constant is not None and constant == _number(found, "max"):
        low = high = constant
        edges = np.union1d(edges, [constant, math.nextafter(constant, math.inf)])
        counts_on = np.zeros(len(edges) + 1, dtype=np.int64)
        counts_on[int(np.searchsorted(edges, constant, side="right"))] = counts.sum()
    else:
        counts_on = np.zeros(len(edges) + 1, dtype=np.int64)
        first = int(np.searchsorted(edges, histogram_edges[0])) + 1
        counts_on[first : first + len(counts)] = counts
    rows, std = int(counts.sum()), _number(found, "std")
    return NumericBaseline(
        profile=NumericProfile(
            name=name,
            type="double",
            rows=rows,
            missing=0,  # a column with a missing value gets no histogram there
            negative_inf=0,
            positive_inf=0,
            min=low,
            max=high,
            mean=_number(found, "mean"),
            m2=None if std is None else std * std * (rows - 1),
            counts=pack(counts_on),
            sums=pack(np.full(len(counts_on), math.nan)),  # nobody knows them
        ),
        edges=pack(edges),
        histogram_edges=tuple(histogram_edges.tolist()),
    )


def _number(found: Mapping[str, Any], key: str) -> float | None:
    try:
        value = float(found.get(key, math.nan))  # YAML leaves 1e-05 as text
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _flags(name: str, found: Mapping[str, Any], total: int) -> CategoricalBaseline:
    """Return a column of booleans, of which MLRun says the more frequent one and how often it is."""
    often = int(found.get("freq") or 0)
    if not 0 < often <= total:
        reason = f"MLRun's statistics say that {often} of its {total} values are {found['top']}"
        raise _UnusableError(reason)
    top = str(found["top"]).lower()
    other = "false" if top == "true" else "true"
    named = [(top, often), *([(other, total - often)] if total > often else [])]
    return CategoricalBaseline(
        profile=CategoricalProfile(
            name=name,
            type="bool",
            rows=total,
            missing=0,
            counts=pack(np.array([count for _, count in named], dtype=np.int64)),
            other=0,
            unseen=(),
        ),
        categories=tuple(category for category, _ in named),
        distinct=len(named),
    )


def are_statistics(given: object) -> bool:
    """Say whether a value is a dict of MLRun's statistics, or of what holds them."""
    return isinstance(given, Mapping) and is_statistics(_unwrapped(given))
