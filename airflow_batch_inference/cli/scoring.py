"""What ``score`` and ``preflight`` have in common: a scoring job as the command line asks for it."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from airflow_batch_inference.cli.command import ARTIFACT_ROOT, CSV_OPTIONS, absolute, absolutes, listed, require_alone
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.storage.uris import is_record_uri

if TYPE_CHECKING:
    import argparse

    from airflow_batch_inference.cli.command import Argument
    from airflow_batch_inference.engines.local import Resources
    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.jobs.request import Destination, RowPolicy, ScoringOptions, ScoringRequest
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.sinks.base import Target
    from airflow_batch_inference.storage.store import Storage

OWNER = "command line"
"""Stands where a DAG's name would. None has a blank in its name: neither takes the other's output for its own."""
OUTPUT = "file (its name says the format) or folder of the predictions"
MODEL_ARGUMENTS: tuple[Argument, ...] = (
    ("--sha256", {"help": "digest that the model file must have (formats that can run code need it)"}),
    ("--flavor", {"help": "the model's framework (told by the file)"}),
)
SCORING_ARGUMENTS: tuple[Argument, ...] = (
    ("model", {"help": "model file or folder, model record, or models/<name>@<alias>"}),
    ("dataset", {"help": "files, folder or glob of Parquet, CSV, Arrow or JSON lines", "nargs": "+"}),
    *MODEL_ARGUMENTS,
    ("--label-columns", {"help": "names of the prediction columns, separated by commas"}),
    ("--predict-method", {"help": "predict, predict_proba, …; several, separated by commas (predict)"}),
    ("--decision-threshold", {"help": "the positive class of two is predicted from this probability on"}),
    ("--passthrough-columns", {"help": "input columns of the output: all, none, or names, separated by commas (all)"}),
    ("--drop-columns", {"help": "columns to leave out of the inputs and the output, separated by commas"}),
    (
        "--on-mismatch",
        {"help": "what a value that does not fit does: cast, fail, null or quarantine; or age=null,*=fail (cast)"},
    ),
    ("--error-threshold", {"help": "how many rows may be rejected; -1: any number (none)"}),
    ("--max-rejected-fraction", {"help": "which share of the rows may be rejected, from 0 to 1"}),
    ("--allow-nan", {"help": "a prediction may be NaN or missing", "action": "store_true"}),
    ("--output-format", {"help": "of --output: parquet, csv, arrow or jsonl (what its name says, or parquet)"}),
    ("--mini-batch-rows", {"help": "rows a predict call (auto)", "default": "auto"}),
    (
        "--engine",
        {
            "help": "threads of this process, or worker processes (auto: what the model allows)",
            "choices": ("auto", "threads", "processes"),
            "default": "auto",
        },
    ),
    ("--max-workers", {"help": "most threads or worker processes (one a core)"}),
    ("--max-memory", {"help": "memory for all of them, such as 2GiB"}),
    (
        "--accelerate",
        {
            "help": "a compiled kernel for tree ensembles (auto)",
            "choices": ("auto", "off", "require"),
            "default": "auto",
        },
    ),
    CSV_OPTIONS,
    ARTIFACT_ROOT,
    ("--conn-id", {"help": "Airflow connection that reaches the model, the dataset and the output"}),
)
_ALIGNMENT_CHECK_ROWS = 4


def artifact_store(arguments: argparse.Namespace) -> tuple[str, Storage]:
    """Return the artifact store's canonical URI, and what reaches it."""
    from airflow_batch_inference.operators.stores import artifact_root, storage_for
    from airflow_batch_inference.storage.uris import normalize_uri

    given = arguments.artifact_root
    return normalize_uri(absolute(given)) if given else artifact_root(), storage_for(arguments.conn_id)


def model_of(
    arguments: argparse.Namespace, root: str, storage: Storage
) -> tuple[LoadedModel | None, ModelRecord, str | None]:
    """Return a model's record, with its URI; a model that is given by its file is loaded and described.

    Raises
    ------
    ConfigurationError
        What belongs to a file is given with a record.
    ModelError, ArtifactError
        As :func:`~airflow_batch_inference.models.loading.load_model` says.
    """
    from airflow_batch_inference.models.describe import ModelRequest, describe_model
    from airflow_batch_inference.models.trust import TrustRequest
    from airflow_batch_inference.operators.inputs import read_model, resolve_model
    from airflow_batch_inference.operators.stores import trusted_digests

    uri = resolve_model(absolute(arguments.model), None, root=root, storage=storage)
    if is_record_uri(uri):
        require_alone(
            arguments, ("sha256", "flavor"), "belongs to a model's file, and the record says it. Leave it out."
        )
        return None, read_model("model", uri, root=root, storage=storage), uri
    trust = TrustRequest(sha256=arguments.sha256, config_sha256=trusted_digests(), asked_by=f"the {OWNER}")
    request = ModelRequest(model_uri=uri, conn_id=arguments.conn_id, flavor=arguments.flavor, trust=trust)
    return *describe_model(request, storage=storage), None


def scoring_request(arguments: argparse.Namespace) -> ScoringRequest:
    """Return the scoring job that the arguments ask for.

    Raises
    ------
    BatchInferenceError
        An argument can never work, or the model cannot be loaded.
    """
    from airflow_batch_inference.jobs.plan import batch_bytes
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.operators.stores import storage_for
    from airflow_batch_inference.predictors.graphs.chain import single_model

    root, storage = artifact_store(arguments)
    options, policy, resources = _options(arguments), _policy(arguments), resources_of(arguments)
    model, record, record_uri = model_of(arguments, root, storage)
    return ScoringRequest(
        models=single_model(record, model=model, storage=storage_for(record.conn_id), record_uri=record_uri),
        dataset=absolutes(arguments.dataset),
        options=options,
        destination=_destination(arguments, root, options, policy),
        rows_per_batch=arguments.mini_batch_rows,
        policy=policy,
        alignment_check_rows=_ALIGNMENT_CHECK_ROWS,
        batch_bytes=batch_bytes(resources.max_memory),
        accelerate=arguments.accelerate,
    )


def resources_of(arguments: argparse.Namespace) -> Resources:
    """Return the processes and memory that the job may use."""
    from airflow_batch_inference.engines.local import Resources
    from airflow_batch_inference.operators.arguments import byte_size, optional_whole_number

    return Resources(
        max_workers=optional_whole_number("--max-workers", arguments.max_workers, low=1),
        max_memory=None if arguments.max_memory is None else byte_size("--max-memory", arguments.max_memory),
        means=arguments.engine,
    )


def _destination(arguments: argparse.Namespace, root: str, options: ScoringOptions, policy: RowPolicy) -> Destination:
    """Return a place that the same question always has: the same command finds what it has finished.

    Where the output goes is not part of it: a set that could not be published is not scored again for another place.
    """
    from airflow_batch_inference.jobs.request import Destination
    from airflow_batch_inference.records import TaskKey, fingerprint

    where = [absolute(arguments.model), absolutes(arguments.dataset)]
    asked = fingerprint([*where, asdict(options), asdict(policy)])
    attempt = secrets.token_hex(6)
    return Destination(
        root=root,
        task=TaskKey(dag_id=OWNER, run_id=asked[:16], task_id="score"),
        attempt=attempt,
        try_id=f"{time.time_ns():020d}-{attempt}",
        batch_id=asked[:16],
    )


def _options(arguments: argparse.Namespace) -> ScoringOptions:
    from airflow_batch_inference.jobs.request import ScoringOptions
    from airflow_batch_inference.operators.arguments import csv_options, names, number

    kept = arguments.passthrough_columns or "all"
    columns: Literal["all"] | tuple[str, ...] | None = "all" if kept == "all" else tuple(listed(kept) or ())
    decision = arguments.decision_threshold
    return ScoringOptions(
        drop_columns=names("--drop-columns", listed(arguments.drop_columns)) or (),
        label_columns=names("--label-columns", listed(arguments.label_columns)),
        passthrough_columns=None if kept == "none" else columns,
        predict_method=_method(listed(arguments.predict_method)),
        decision_threshold=None if decision is None else number("--decision-threshold", decision, low=0, high=1),
        on_mismatch=_on_mismatch(arguments.on_mismatch),
        csv=csv_options(arguments.csv_options),
    )


def _method(given: list[str] | None) -> str | tuple[str, ...]:
    methods = given or ["predict"]
    return methods[0] if len(methods) == 1 else tuple(methods)


def _on_mismatch(given: str | None) -> dict[str, str]:
    """Return column to word; one word alone is that of all."""
    from airflow_batch_inference.predictors.input_validation import OTHERS, require_policy

    words: dict[str, str] = {}
    for item in listed(given) or ():
        column, _, word = item.rpartition("=")
        words[column or OTHERS] = require_policy(word)
    return {} if words == {OTHERS: "cast"} else words


def _policy(arguments: argparse.Namespace) -> RowPolicy:
    from airflow_batch_inference.jobs.request import RowPolicy
    from airflow_batch_inference.operators.arguments import number, optional_whole_number

    fraction = arguments.max_rejected_fraction
    return RowPolicy(
        error_threshold=optional_whole_number("--error-threshold", arguments.error_threshold, low=-1),
        max_rejected_fraction=None if fraction is None else number("--max-rejected-fraction", fraction, low=0, high=1),
        allow_nan=arguments.allow_nan,
    )


def target_of(arguments: argparse.Namespace) -> tuple[Target, ...]:
    """Return where the predictions are to be published; none without ``--output``.

    Raises
    ------
    ConfigurationError
        The output's name and ``--output-format`` contradict each other, there is no such format, or nothing is to be
        written in it.
    """
    from airflow_batch_inference.formats.names import PART_FORMAT, format_written
    from airflow_batch_inference.operators.stores import storage_for
    from airflow_batch_inference.sinks.base import Target
    from airflow_batch_inference.storage.uris import normalize_uri

    output, wanted = arguments.output, arguments.output_format
    format_written(output or "", wanted)
    if output is None:
        if wanted not in (None, PART_FORMAT):
            message = (
                f"--output-format is {wanted}, and nothing is published: the prediction set itself is always Parquet. "
                "Give --output, or leave --output-format out."
            )
            raise ConfigurationError(message)
        return ()
    name, storage = normalize_uri(absolute(output)), storage_for(arguments.conn_id)
    storage.require_allowed(name)
    return (Target(name=name, storage=storage, output_format=wanted),)
