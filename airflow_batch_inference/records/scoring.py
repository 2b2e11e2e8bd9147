"""Records of a model, of the parts of a scoring job, and of the prediction set that they make."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from airflow_batch_inference.records.base import ColumnSpec, DataFile, Record, TaskKey
from airflow_batch_inference.records.challengers import ChainRows, UsedModel
from airflow_batch_inference.records.items import ItemAccount, ScriptSource
from airflow_batch_inference.records.profiles import Profile
from airflow_batch_inference.records.reading import ReadOptions

TrustReason: TypeAlias = Literal["data", "allow-list", "sha256", "config", "signature", "dag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnContract:
    """What an input was like in the data that the model was trained on."""

    name: str
    """The model's."""
    type: str
    """Arrow type in the training data."""
    minimum: float | None
    """Of numbers, dates and times (in seconds, since 1970 in UTC); None: not known, or infinite."""
    maximum: float | None
    categories: tuple[str, ...] | None
    """All categories of text and booleans, most frequent first, their first 200 characters; None: too many to tell."""
    null_fraction: float
    """Share of nulls and NaN."""


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
    trust: TrustReason
    """Why it may be loaded: the format cannot hold code, its types were allowed, its digest was pinned by the task or
    in the config, a signature was verified, or it is a function of the DAG itself."""
    trusted_by: str | None
    """Who vouched for it; None where nobody had to."""
    trusted_types: tuple[str, ...]
    load_options: dict[str, Any]
    """What the flavor was given beside the file."""
    inputs: tuple[ColumnSpec, ...] | None
    """The model's input columns in its order; None where the model has no names."""
    n_features: int | None
    output_names: tuple[str, ...] | None
    classes: tuple[str | int | float | bool, ...] | None
    """A classifier's labels, in the order of its probabilities."""
    class_names: tuple[str, ...] | None
    """What the output calls them."""
    label_columns: tuple[str, ...] | None
    versions: dict[str, str]
    baseline_uri: str | None
    golden_uri: str | None
    """Rows whose predictions are checked at each load."""
    tag: str | None
    contract: tuple[ColumnContract, ...] = ()
    """Of the inputs that the baseline has."""
    releases_gil: bool = False
    """Whether threads of one process can predict with it side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenRecord(Record):
    """Rows with the predictions that a model made for them when they were stored."""

    kind: Literal["golden"] = "golden"
    model_sha256: str
    inputs_sha256: str
    """Of the rows' values and types."""
    data_uri: str
    """A Parquet file: the model's inputs as ``input.…``, its predictions as ``expected.…``."""
    data_sha256: str
    rows: int
    methods: tuple[str, ...]
    predict_kwargs: dict[str, Any]
    tolerance: float
    """How far a prediction may move, relative to its size (to 1 for small ones)."""
    versions: dict[str, str]
    """Of the packages that made the predictions."""
    pointer_uri: str
    """The file that says which golden set a model has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One immutable output file of a prediction set."""

    uri: str
    rows: int
    size_bytes: int
    sha256: str
    name: str | None = None
    """The path within the prediction set that it is published under; None: a name is made of its number."""


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
class CheckCount:
    """How many rows a validation check marked, and where the first of them lie."""

    name: str
    rows: int
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What came of a validation check over the whole input."""

    name: str
    expression: str
    rows: int
    """How many rows it marked; those of a ``quarantine`` check are among the rejected ones."""
    max_rate: float | None
    action: Literal["fail", "alert", "quarantine"] | None
    is_exceeded: bool
    """Whether they are more than it may mark."""
    first: tuple[str, ...] = ()
    """The first of them: file and row."""


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
    """The first few of them, their errors cut; the quarantine has all."""
    row_hash_out: str
    """Sum of the hashes of the rows that were written (:mod:`~airflow_batch_inference.ledger.accounting`)."""
    row_hash_rejected: str
    seconds: dict[str, float]
    """Wall time of each phase in the worker, in seconds."""
    details: Part | None = None
    """A file with the profile, and with those of the following counts that are too large for a receipt."""
    nulled: dict[str, int] = field(default_factory=dict)
    """Column to how many of its values became null for the model, because they did not fit."""
    checks: tuple[CheckCount, ...] = ()
    """Of the rows that were scored."""
    rows_set_aside: int = 0
    """How many of the rejected rows were scored, and set aside by a check."""
    chains: tuple[ChainRows, ...] = ()
    """What each challenger, or each model of a split, has done."""
    tree_kernel: dict[str, str] = field(default_factory=dict)
    """Tree ensemble to why its own library has scored it; empty where the kernel has."""
    versions_digest: str = ""
    """Of the versions of the input files that it was made from, as they were before and after they were read."""
    rows_digest: str = ""
    """Of the rows that were read (:mod:`~airflow_batch_inference.sources.read_digest`)."""

    @property
    def rows_rejected(self) -> int:
        """How many rows were rejected."""
        return 0 if self.quarantine is None else self.quarantine.rows

    @property
    def files(self) -> tuple[Part, ...]:
        """All files that it names."""
        return tuple(part for part in (self.part, self.quarantine, self.details) if part is not None)

    def to_json(self) -> bytes:
        """Return the canonical JSON text, without blanks and what is empty anyway: there is one a part."""
        told = {name: value for name, value in asdict(self).items() if value or name not in _EMPTY}
        for part in filter(None, map(told.get, ("part", "quarantine", "details"))):
            del part["name"]
        return json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


_EMPTY = frozenset({"details", "nulled", "checks", "chains", "tree_kernel"})
"""What most receipts have none of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDetails(Record):
    """What lies beside a receipt (:mod:`~airflow_batch_inference.jobs.details`), as it is too large for it.

    Counts of the same names stand either here or in the receipt.
    """

    kind: Literal["part-details"] = "part-details"
    profile: Profile | None = None
    """The part's rows counted on the model's baseline, where it has one."""
    nulled: dict[str, int] = field(default_factory=dict)
    checks: tuple[CheckCount, ...] = ()
    chains: tuple[ChainRows, ...] = ()


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
    set is kept, in the table of what was returned). Where a scoring script got files, nobody knows the rows that went
    in: ``rows_in`` is ``rows_out`` then, the number of elements that the script returned, and ``items`` accounts for
    the files.
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
    profile_uri: str | None
    """The rows counted on that baseline, while they were scored."""
    dataset: tuple[DataFile, ...]
    """The input files as they were."""
    dataset_uris: tuple[str, ...]
    """The dataset as it was given: files, folders or globs; empty for inline records."""
    output_format: str
    """Of its parts: Parquet, or what a scoring script has made (``items``); publications may have another."""
    columns: tuple[ColumnSpec, ...]
    feature_columns: tuple[str, ...]
    label_columns: tuple[str, ...]
    dataset_rows: tuple[int, ...]
    """Rows of each of those files."""
    reading: ReadOptions | None = None
    """How those files are read, where they are text or their folders are columns."""
    rows_in: int
    rows_out: int
    rows_rejected: int
    predict_methods: tuple[str, ...] = ("predict",)
    decision_threshold: float | None = None
    kept: bool
    """Whether the rows were written (``log_result_set``)."""
    parts: tuple[Part, ...]
    quarantine: tuple[Part, ...]
    """The rejected rows: file, row, stage, error, and the row's columns."""
    certificate: Certificate | None
    """None where files were scored, and not rows: see ``items``."""
    try_id: str
    """Id of the task instance's try; ids of later tries sort after those of earlier ones (UUID version 7)."""
    seconds: dict[str, float]
    """Wall time of each phase, in seconds."""
    versions: dict[str, str]
    nulled: dict[str, int] = field(default_factory=dict)
    """Column to how many of its values became null for the model, because they did not fit."""
    items: ItemAccount | None = None
    """Where files were scored, what became of each; then ``rows_out`` counts what was returned for them."""
    script: ScriptSource | None = None
    """The scoring script, where one was run."""
    mini_batches_uri: str | None = None
    """JSON lines with the files, the attempts, the seconds and the errors of each mini-batch of files."""
    checks: tuple[CheckResult, ...] = ()
    """What came of the validation checks."""
    rows_set_aside: int = 0
    """How many of the rejected rows were scored, and set aside by a check."""
    input_names: dict[str, str] = field(default_factory=dict)
    """Written column to its name in the input, or to what the model's own data call that prediction, where the output
    has another name for it (``in.age``: ``age``)."""
    models: tuple[UsedModel, ...] = ()
    """All models, where there are several; the one above is the champion, the last step, or a split's first."""
    challengers_uri: str | None = None
    """How challengers differ from the champion."""
    added_columns: tuple[str, ...] = ()
    """Columns that come neither from the input nor are predictions: explanations, challengers', ``scored_by``."""
    tree_kernel: dict[str, str] = field(default_factory=dict)
    """Tree ensemble to why its own library has scored it (:mod:`~airflow_batch_inference.trees`); empty where
    the kernel has. Other models, and those that were not to be accelerated, are not in it."""

    def __post_init__(self) -> None:
        """Refuse a record whose rows do not add up."""
        in_parts = sum(part.rows for part in self.parts)
        rejected = sum(part.rows for part in self.quarantine)
        counts = self._counts()
        if (
            counts != (self.rows_in, self.rows_out, rejected)
            or rejected != self.rows_rejected
            or (self.has_table and in_parts != self.rows_out)
            or not 0 <= self.rows_set_aside <= rejected
        ):
            message = (
                f"the rows of prediction set {self.name!r} do not add up: {self.rows_in} read, {self.rows_out} scored, "
                f"{in_parts} in its parts, {rejected} rejected"
            )
            raise ValueError(message)
        by_model = [model.rows for model in self.models if model.role == "variant" and model.step == 1]
        challenged = {model.rows + model.rows_failed for model in self.models if model.role == "challenger"}
        scored = self.rows_out + self.rows_set_aside
        if (by_model and sum(by_model) != scored) or not challenged <= {scored}:
            message = f"the models of prediction set {self.name!r} scored {by_model or challenged} rows, not {scored}"
            raise ValueError(message)

    @property
    def has_table(self) -> bool:
        """Whether its parts are the rows that were predicted, and not files that a scoring script made by itself."""
        return self.kept and (self.items is None or self.items.output_action == "append_row")

    @property
    def is_nested(self) -> bool:
        """Whether its columns hold the fields of a parent, such as ``in`` and ``out``."""
        return not set(self.input_names) <= {column.name for column in self.columns}

    @property
    def trees_by(self) -> list[str]:
        """Who scored the tree ensembles, a line for each; none where there is none, or no kernel was asked for."""
        return [
            f"{name}: {f'its own library, since {reason}' if reason else 'the kernel'}"
            for name, reason in self.tree_kernel.items()
        ]

    @property
    def table(self) -> tuple[Part, ...]:
        """The parts that hold rows."""
        return self.parts[: 1 if self.has_table else 0] if self.items is not None else self.parts

    def _counts(self) -> tuple[int, int, int]:
        """Return the rows that were read, written and rejected, as they are proven.

        Raises
        ------
        ValueError
            Nothing proves them.
        """
        if self.items is not None:
            return (self.items.returned, self.items.returned, 0)
        if self.certificate is None:
            message = f"prediction set {self.name!r} has neither a certificate of its rows nor an account of its files"
            raise ValueError(message)
        return (self.certificate.rows_in, self.certificate.rows_out, self.certificate.rows_rejected)
