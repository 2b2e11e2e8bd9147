"""Frozen records that travel between tasks as JSON files in the artifact store.

A task returns the URI of one of these; the next task reads it. What must not be relaxed: decoding is strict (an
unknown key, a wrong type or another ``schema_version`` is an error, never a guess), counts must reconcile, and
no record holds credentials or a NaN.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from airflow_batch_inference.exceptions import ArtifactIntegrityError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SCHEMA_VERSION: Literal[1] = 1


class DriftStatus(StrEnum):
    """The verdict of a drift analysis, for one column or for a whole dataset."""

    NO_DRIFT = "NO_DRIFT"
    POSSIBLE_DRIFT = "POSSIBLE_DRIFT"
    DRIFT_DETECTED = "DRIFT_DETECTED"
    INSUFFICIENT = "INSUFFICIENT"
    """Too few rows to judge; never to be read as "no drift"."""
    NOT_ANALYSED = "NOT_ANALYSED"
    """Nothing to compare with, or the analysis was switched off."""


@cache
def _adapter(cls: type[Any]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Base of the records: strict JSON in, canonical JSON out."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

    schema_version: Literal[1] = 1

    @classmethod
    def from_json(cls, data: bytes | str, *, where: str) -> Self:
        """Decode strictly.

        Parameters
        ----------
        data
            The JSON text.
        where
            The URI it came from, for the error message.

        Raises
        ------
        ArtifactIntegrityError
            An unknown key, a wrong type, another schema version, or counts that do not reconcile.
        """
        from pydantic import ValidationError

        try:
            adapter: TypeAdapter[Self] = _adapter(cls)  # type: ignore[arg-type]  # mypy: a generic class is no Hashable
            record = adapter.validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the document"
            message = (
                f"{where} is not a valid {cls.__name__} (schema version {SCHEMA_VERSION}): "
                f"{place}: {first['msg']}. It was damaged, or written by another version of the package; "
                "run the task that wrote it again."
            )
            raise ArtifactIntegrityError(message) from error
        return record

    @classmethod
    def from_dict(cls, data: dict[str, Any], *, where: str = "the given dict") -> Self:
        """Decode a dict of plain JSON types as strictly as :meth:`from_json`."""
        return cls.from_json(json.dumps(data), where=where)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    def to_json(self) -> bytes:
        """Return the canonical JSON text: the same record always gives the same bytes."""
        text = json.dumps(self.to_dict(), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return text.encode() + b"\n"


def fingerprint(value: object) -> str:
    """Return the SHA-256 (64 hex digits) of a value of plain JSON types, in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskKey:
    """One task instance, whatever its try: the key of all that it writes."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One input file as it was when the run first looked at it."""

    uri: str
    size_bytes: int
    version: str
    """The store's etag, or the modification time in ns: what tells that a file was replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """A column's name and its Arrow type in Arrow's own notation (``double``, ``string``, …)."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord(Record):
    """A model that was resolved, verified, trusted and loaded once."""

    kind: Literal["model"] = "model"
    name: str
    model_uri: str
    conn_id: str | None
    sha256: str
    size_bytes: int
    flavor: str
    format: str
    trust: Literal["data", "allow-list", "sha256"]
    """Why it may be loaded: the format cannot hold code, its types were allowed, or its digest was pinned."""
    trusted_types: tuple[str, ...]
    inputs: tuple[ColumnSpec, ...] | None
    """The model's input columns in its order; None where the model has no names."""
    n_features: int | None
    output_names: tuple[str, ...] | None
    label_columns: tuple[str, ...] | None
    versions: dict[str, str]
    baseline_uri: str | None
    tag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One immutable output file of a prediction set."""

    uri: str
    rows: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A row that could not be scored."""

    uri: str
    row: int
    """Its number in the file, from 0."""
    stage: Literal["read", "schema", "predict", "check"]
    """Where it failed: in its file, as an input of the model, in the model, or as a prediction."""
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(Record):
    """One part, scored: written once, by whoever finishes the part first; a retry takes it as it is."""

    kind: Literal["receipt"] = "receipt"
    job_key: str
    index: int
    rows_in: int
    rows_out: int
    part: Part | None
    """The predictions; None where the result set is not kept."""
    quarantine: Part | None
    """The rejected rows; None where there are none."""
    rejections: tuple[Rejection, ...]
    """The first few of them."""
    row_hash_out: str
    """Sum of the hashes of the rows that were written (:mod:`~airflow_batch_inference.scoring.accounting`)."""
    row_hash_rejected: str
    seconds: dict[str, float]
    """Wall time of each phase in the worker, in seconds."""

    @property
    def rows_rejected(self) -> int:
        """How many rows were rejected."""
        return 0 if self.quarantine is None else self.quarantine.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The proof that every input row is in the output or among the rejects, exactly once.

    ``rows_in = rows_out + rows_rejected``, and the same holds for the row hashes (modulo 2^64).
    """

    rows_in: int
    rows_out: int
    rows_rejected: int
    row_hash_in: str
    """Sum of the hashes of all input rows, made from the files' names and numbers of rows alone."""
    row_hash_out: str
    row_hash_rejected: str

    def __post_init__(self) -> None:
        """Refuse numbers that do not add up."""
        if self.rows_in != self.rows_out + self.rows_rejected:
            message = f"{self.rows_in} rows went in, {self.rows_out} came out and {self.rows_rejected} were rejected"
            raise ValueError(message)
        if int(self.row_hash_in, 16) != (int(self.row_hash_out, 16) + int(self.row_hash_rejected, 16)) % 2**64:
            message = "the rows that came out or were rejected are not the rows that went in"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionSetRecord(Record):
    """The commit of a prediction set: once it exists, the output exists, complete.

    ``rows_in`` equals ``rows_out`` and the rejected rows; ``rows_out`` is the sum over ``parts`` (where the result
    set is kept).
    """

    kind: Literal["prediction-set"] = "prediction-set"
    name: str
    batch_id: str
    job_key: str
    task: TaskKey
    model_uri: str
    model_sha256: str
    model_flavor: str
    model_record_uri: str | None
    baseline_uri: str | None
    dataset: tuple[DataFile, ...]
    """The input files as they were."""
    dataset_uris: tuple[str, ...]
    """The dataset as it was given: files, folders or globs; empty for inline records."""
    output_format: str
    columns: tuple[ColumnSpec, ...]
    feature_columns: tuple[str, ...]
    label_columns: tuple[str, ...]
    dataset_rows: tuple[int, ...]
    """Rows of each of those files."""
    rows_in: int
    rows_out: int
    rows_rejected: int
    kept: bool
    """Whether the rows were written (``log_result_set``)."""
    parts: tuple[Part, ...]
    quarantine: tuple[Part, ...]
    """The rejected rows: file, row, stage, error, and the row's columns."""
    certificate: Certificate
    try_id: str
    """Id of the task instance's try; ids of later tries sort after those of earlier ones (UUID version 7)."""
    seconds: dict[str, float]
    """Wall time of each phase, in seconds."""
    versions: dict[str, str]

    def __post_init__(self) -> None:
        """Refuse a record whose rows do not add up."""
        in_parts = sum(part.rows for part in self.parts)
        rejected = sum(part.rows for part in self.quarantine)
        counts = (self.certificate.rows_in, self.certificate.rows_out, self.certificate.rows_rejected)
        if (
            counts != (self.rows_in, self.rows_out, rejected)
            or rejected != self.rows_rejected
            or (self.kept and in_parts != self.rows_out)
        ):
            message = (
                f"the rows of prediction set {self.name!r} do not add up: {self.rows_in} read, {self.rows_out} scored, "
                f"{in_parts} in its parts, {rejected} rejected"
            )
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericStatistics:
    """Statistics of a numeric column (dates and times: in seconds), over its finite values unless said otherwise."""

    kind: Literal["numeric"] = "numeric"
    name: str
    type: str
    rows: int
    """All rows, missing ones too."""
    missing: int
    """Nulls and NaN."""
    inf: int
    """Values that are plus or minus infinity."""
    mean: float | None
    std: float | None
    """Sample standard deviation (n - 1)."""
    min: float | None
    q25: float | None
    q50: float | None
    q75: float | None
    max: float | None
    edges: tuple[float, ...]
    """21 equal-width edges from min to max; empty where there is no finite value."""
    counts: tuple[int, ...]
    """20 counts on those edges; the last bin is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoricalStatistics:
    """Counts of a string, boolean or category column."""

    kind: Literal["categorical"] = "categorical"
    name: str
    type: str
    rows: int
    missing: int
    counts: tuple[tuple[str, int], ...]
    """The most frequent categories, most frequent first (ties by name)."""
    other: int
    """Rows of all further categories together."""
    distinct: int
    """How many categories there are in all."""


ColumnStatistics = NumericStatistics | CategoricalStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsRecord(Record):
    """Statistics of a dataset: a model's baseline (its reference), or a batch's own."""

    kind: Literal["statistics"] = "statistics"
    rows: int
    source: tuple[DataFile, ...]
    columns: tuple[ColumnStatistics, ...]
    skipped: dict[str, str]
    """Columns that could not be summarised, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """The comparison of one column; ``current`` against ``reference``."""

    name: str
    kind: Literal["numeric", "categorical", "none"]
    status: DriftStatus
    reason: str | None
    """Why there is no number, or what is odd, in words."""
    drift: float | None
    """(TVD + Hellinger) / 2, in [0, 1]."""
    tvd: float | None
    hellinger: float | None
    kld: float | None
    reference_missing_fraction: float | None
    current_missing_fraction: float | None
    reference_inf_fraction: float | None
    current_inf_fraction: float | None
    out_of_range_fraction: float | None
    """Share of the current finite values below the reference's min or above its max."""
    unseen_fraction: float | None
    """Share of the current values whose category is not among the reference's."""
    unseen: tuple[tuple[str, int], ...]
    """The most frequent unseen categories."""
    edges: tuple[float, ...]
    categories: tuple[str, ...]
    reference_counts: tuple[int, ...]
    current_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftResult(Record):
    """A drift analysis: verdict, reasons in words, parameters and every column's numbers."""

    kind: Literal["drift"] = "drift"
    status: DriftStatus
    reasons: tuple[str, ...]
    rule: str
    parameters: dict[str, float | str]
    drift_metric: float | None
    """(mean TVD + mean Hellinger) / 2 over the compared columns."""
    reference_rows: int | None
    current_rows: int
    columns: tuple[ColumnDrift, ...]
    missing_columns: tuple[str, ...]
    """In the reference, not in the current data."""
    extra_columns: tuple[str, ...]
    """In the current data, not in the reference."""
    baseline_uri: str | None
    dataset_uri: str | None
    batch_id: str | None
    model_sha256: str | None
    report_uri: str | None
    statistics_uri: str | None
    features_drift_uri: str | None
    """MLRun's ``features_drift_results``: a flat JSON of column name to drift."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry(Record):
    """One artifact under its name in the catalogue."""

    kind: Literal["catalog-entry"] = "catalog-entry"
    name: str
    artifact_kind: str
    uri: str
    tag: str
    task: TaskKey
    batch_id: str | None
    logged_at: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedArtifactsRecord(Record):
    """What one run registered, and where its prediction set was published."""

    kind: Literal["logged-artifacts"] = "logged-artifacts"
    task: TaskKey
    tag: str
    entries: dict[str, str]
    """Artifact name to URI."""
    published_uri: str | None
    rows: int | None
    model_sha256: str | None
    drift_status: DriftStatus | None
    drift_metric: float | None


RECORD_TYPES: dict[str, type[Record]] = {
    "model": ModelRecord,
    "prediction-set": PredictionSetRecord,
    "receipt": Receipt,
    "statistics": StatisticsRecord,
    "drift": DriftResult,
    "catalog-entry": CatalogEntry,
    "logged-artifacts": LoggedArtifactsRecord,
}


def decode_record(data: bytes, *, where: str) -> Record:
    """Decode a record of any kind by its ``kind`` key.

    Raises
    ------
    ArtifactIntegrityError
        Not JSON, not a record, or not a valid one.
    """
    try:
        document = json.loads(data)
    except (ValueError, UnicodeDecodeError) as error:
        message = f"{where} is not a record: not JSON ({error})."
        raise ArtifactIntegrityError(message) from error
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind not in RECORD_TYPES:
        message = f"{where} is not a record: its kind is {kind!r}, not one of {sorted(RECORD_TYPES)}."
        raise ArtifactIntegrityError(message)
    return RECORD_TYPES[kind].from_json(data, where=where)
