"""Frozen records that travel between tasks as JSON files in the artifact store.

A task returns the URI of one of these; the next task reads it.

Invariants: decoding is strict (an unknown key, a wrong type or another ``schema_version`` is an error, never a guess),
counts must reconcile, and no record holds credentials or a NaN. A record's module is imported when one of its names is
asked for: DAG files, which are parsed all the time, need none of them.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ArtifactIntegrityError
from airflow_batch_inference.records.base import SCHEMA_VERSION, ColumnSpec, DataFile, Record, TaskKey, fingerprint

if TYPE_CHECKING:
    from airflow_batch_inference.records.catalog import AliasRecord, CatalogEntry, LoggedArtifactsRecord
    from airflow_batch_inference.records.challengers import (
        OTHER_LABELS,
        ChainRows,
        ChallengerResult,
        ChallengersRecord,
        DisagreeingRow,
        Disagreements,
        NumberDifferences,
        NumberPairs,
        OutputDisagreements,
        OutputPairs,
        UsedModel,
    )
    from airflow_batch_inference.records.drift import (
        Check,
        ColumnDrift,
        ColumnSummary,
        DriftResult,
        DriftStatus,
        Histogram,
        HistoryEntry,
    )
    from airflow_batch_inference.records.evaluation import (
        CalibrationBin,
        ClassEvaluation,
        Confusion,
        Curve,
        EvaluationRecord,
        MetricVerdict,
        OutputEvaluation,
        Problem,
        Residuals,
    )
    from airflow_batch_inference.records.items import ItemAccount, ScriptSource
    from airflow_batch_inference.records.profiles import (
        BaselineRecord,
        Calibration,
        CategoricalBaseline,
        CategoricalProfile,
        CategoricalStatistics,
        ColumnBaseline,
        ColumnProfile,
        ColumnStatistics,
        NumericBaseline,
        NumericProfile,
        NumericStatistics,
        Profile,
        ProfileRecord,
        StatisticsRecord,
    )
    from airflow_batch_inference.records.reading import CsvOptions, ReadOptions
    from airflow_batch_inference.records.scoring import (
        Certificate,
        CheckCount,
        CheckResult,
        ColumnContract,
        GoldenRecord,
        ModelRecord,
        Part,
        PartDetails,
        PredictionSetRecord,
        Receipt,
        Rejection,
    )
    from airflow_batch_inference.records.scripts import MiniBatchReceipt

__all__ = [
    "OTHER_LABELS",
    "SCHEMA_VERSION",
    "AliasRecord",
    "BaselineRecord",
    "Calibration",
    "CalibrationBin",
    "CatalogEntry",
    "CategoricalBaseline",
    "CategoricalProfile",
    "CategoricalStatistics",
    "Certificate",
    "ChainRows",
    "ChallengerResult",
    "ChallengersRecord",
    "Check",
    "CheckCount",
    "CheckResult",
    "ClassEvaluation",
    "ColumnBaseline",
    "ColumnContract",
    "ColumnDrift",
    "ColumnProfile",
    "ColumnSpec",
    "ColumnStatistics",
    "ColumnSummary",
    "Confusion",
    "CsvOptions",
    "Curve",
    "DataFile",
    "DisagreeingRow",
    "Disagreements",
    "DriftResult",
    "DriftStatus",
    "EvaluationRecord",
    "GoldenRecord",
    "Histogram",
    "HistoryEntry",
    "ItemAccount",
    "LoggedArtifactsRecord",
    "MetricVerdict",
    "MiniBatchReceipt",
    "ModelRecord",
    "NumberDifferences",
    "NumberPairs",
    "NumericBaseline",
    "NumericProfile",
    "NumericStatistics",
    "OutputDisagreements",
    "OutputEvaluation",
    "OutputPairs",
    "Part",
    "PartDetails",
    "PredictionSetRecord",
    "Problem",
    "Profile",
    "ProfileRecord",
    "ReadOptions",
    "Receipt",
    "Record",
    "Rejection",
    "Residuals",
    "ScriptSource",
    "StatisticsRecord",
    "TaskKey",
    "UsedModel",
    "decode_record",
    "fingerprint",
    "is_record",
    "kind_in_words",
]

_NAMES = {
    "catalog": "AliasRecord CatalogEntry LoggedArtifactsRecord",
    "challengers": (
        "OTHER_LABELS ChainRows ChallengerResult ChallengersRecord DisagreeingRow Disagreements "
        "NumberDifferences NumberPairs OutputDisagreements OutputPairs UsedModel"
    ),
    "drift": "Check ColumnDrift ColumnSummary DriftResult DriftStatus Histogram HistoryEntry",
    "evaluation": (
        "CalibrationBin ClassEvaluation Confusion Curve EvaluationRecord MetricVerdict OutputEvaluation "
        "Problem Residuals"
    ),
    "items": "ItemAccount ScriptSource",
    "profiles": (
        "BaselineRecord Calibration CategoricalBaseline CategoricalProfile CategoricalStatistics "
        "ColumnBaseline ColumnProfile ColumnStatistics NumericBaseline NumericProfile NumericStatistics "
        "Profile ProfileRecord StatisticsRecord"
    ),
    "reading": "CsvOptions ReadOptions",
    "scoring": (
        "Certificate CheckCount CheckResult ColumnContract GoldenRecord ModelRecord Part PartDetails "
        "PredictionSetRecord Receipt Rejection"
    ),
    "scripts": "MiniBatchReceipt",
}
"""Module to what it has."""
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
_TYPES = {
    "model": "ModelRecord",
    "prediction-set": "PredictionSetRecord",
    "golden": "GoldenRecord",
    "receipt": "Receipt",
    "part-details": "PartDetails",
    "mini-batch-receipt": "MiniBatchReceipt",
    "statistics": "StatisticsRecord",
    "baseline": "BaselineRecord",
    "profile": "ProfileRecord",
    "drift": "DriftResult",
    "drift-history": "HistoryEntry",
    "evaluation": "EvaluationRecord",
    "challengers": "ChallengersRecord",
    "alias": "AliasRecord",
    "catalog-entry": "CatalogEntry",
    "logged-artifacts": "LoggedArtifactsRecord",
}
"""Kind to the record's name."""

_IN_WORDS: dict[str, str] = {
    "model": "a model record",
    "golden": "a golden set's record",
    "receipt": "a receipt of a part",
    "part-details": "what a part has counted",
    "mini-batch-receipt": "a receipt of a mini-batch",
    "statistics": "a record of statistics",
    "drift": "a drift result",
    "drift-history": "an entry of the drift history",
    "evaluation": "an evaluation",
    "challengers": "a comparison of challengers",
    "alias": "an entry of an alias",
    "catalog-entry": "an entry of the catalogue",
    "logged-artifacts": "the list of what a run logged",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  # PEP 562
    if name not in _MODULES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    found = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def _type_of(kind: str) -> type[Record]:
    found: type[Record] = __getattr__(_TYPES[kind])
    return found


def kind_in_words(record: Record) -> str:
    """Return what a record is, for messages.

    Examples
    --------
    >>> from airflow_batch_inference.records import Profile, ProfileRecord
    >>> kind_in_words(ProfileRecord(baseline_uri="", profile=Profile(rows=0, columns=(), changed={}, skipped={})))
    'a profile'
    """
    kind = str(getattr(record, "kind", "record"))
    return _IN_WORDS.get(kind, f"a {kind.replace('-', ' ')}")


def is_record(document: object) -> bool:
    """Say whether a JSON document is a record, by its kind and all the keys that records of that kind have.

    A document of somebody else's, that happens to have a key named ``kind``, is none.
    """
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(kind, str) or kind not in _TYPES:
        return False
    needed = (
        field.name for field in fields(_type_of(kind)) if field.default is MISSING and field.default_factory is MISSING
    )
    return "schema_version" in document and all(name in document for name in needed)


def decode_record(data: bytes, *, where: str) -> Record:
    """Decode a record of any kind by its ``kind`` key.

    Raises
    ------
    ArtifactIntegrityError
        Not JSON, not a record, or not a valid one.
    """
    try:
        document = json.loads(data)
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        message = f"{where} is not a record: not JSON ({error})."
        raise ArtifactIntegrityError(message) from error
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind not in _TYPES:
        message = f"{where} is not a record: its kind is {kind!r}, not one of {sorted(_TYPES)}."
        raise ArtifactIntegrityError(message)
    return _type_of(kind).from_json(data, where=where)
