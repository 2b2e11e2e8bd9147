"""From a model file to a model record: verify, load once, describe, and store the baseline of a sample set."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from airflow_batch_inference import __version__
from airflow_batch_inference.exceptions import ConfigurationError, UncertainColumnsError
from airflow_batch_inference.flavors.base import CATEGORY_COLUMNS
from airflow_batch_inference.flavors.categories import OF_SAMPLE_SET
from airflow_batch_inference.formats.readers import dictionary_columns
from airflow_batch_inference.jobs.input_types import model_reading
from airflow_batch_inference.models.describe import ModelRequest, describe_model
from airflow_batch_inference.predictors.golden import put_golden
from airflow_batch_inference.predictors.input_contract import contract_of
from airflow_batch_inference.records import BaselineRecord, ModelRecord, ReadOptions, fingerprint
from airflow_batch_inference.schema.signature import refine_inputs
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.uris import join_uri, model_folder, normalize_uri
from airflow_batch_inference.workflows.build_baseline import (
    ReferenceOptions,
    input_names,
    model_baseline,
    open_sample_set,
    plain_baseline,
)

if TYPE_CHECKING:
    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenRequest:
    """A golden set as it is asked for.

    Attributes
    ----------
    dataset
        URIs, or inline records.
    tolerance
        How far a prediction may move, relative to its size (to 1 for small ones).
    """

    dataset: object
    tolerance: float = 1e-6


def register_model(
    request: ModelRequest,
    *,
    root: str,
    sample_set: object = None,
    options: ReferenceOptions | None = None,
    baseline: tuple[str | None, BaselineRecord] | None = None,
    golden: GoldenRequest | None = None,
    storage: Storage,
    model_storage: Storage,
) -> tuple[str, ModelRecord]:
    """Store a model's record, with a baseline where there is a reference; return the record's URI and the record.

    Parameters
    ----------
    request
        The model.
    root
        The artifact store.
    sample_set
        A dataset (URIs or inline records) that later data are compared with; None: see ``baseline``. It also tells the
        types of those inputs whose types the model itself does not know.
    options
        How the sample set is read.
    baseline
        URI and record of a baseline that was made before (stored here, where it has no URI yet); not together with a
        sample set.
    golden
        Rows whose predictions are stored, and checked at each load from then on.
    storage, model_storage
        Reach the artifact store, and the model and sample set.

    Raises
    ------
    ArtifactError, ModelError, DataError, ConfigurationError
        Whatever is wrong with the file, the sample set or the baseline; nothing is stored.
    """
    storage.require_writable(root)
    model, record = _described(request, sample_set, model_storage)
    folder = model_folder(root, record.name)
    options = options or ReferenceOptions()
    if options.target_column is not None and sample_set is None:
        message = f"target_column is {options.target_column!r}, but there is no sample_set to find it in. Give one."
        raise ConfigurationError(message)
    if baseline is not None:
        made = baseline[1]
        record = replace(
            record,
            baseline_uri=_fitting(baseline, record, sample_set) or storage.put_record(folder, "baseline", made),
            contract=contract_of(made, input_names(record)),
        )
    elif sample_set is not None:
        reading = model_reading(record, options.csv)
        sample = open_sample_set(sample_set, model_storage, names=input_names(record), reading=reading)
        baseline_uri, made = _baseline_of(sample, record, model, options, folder, storage)
        record = replace(
            record,
            baseline_uri=baseline_uri,
            inputs=refine_inputs(record.inputs, sample.schema),
            contract=contract_of(made, input_names(record)),
        )
    if golden is not None:
        rows = open_dataset(
            golden.dataset,
            model_storage,
            model_names=input_names(record),
            reading=model_reading(record, options.csv),
        )
        uri = put_golden(
            rows,
            record,
            model,
            methods=(options.predict_method,),
            kwargs=options.predict_kwargs,
            tolerance=golden.tolerance,
            root=root,
            storage=storage,
        )
        record = replace(record, golden_uri=uri)
    return storage.put_record(folder, "model", record), record


def _described(request: ModelRequest, sample_set: object, storage: Storage) -> tuple[LoadedModel, ModelRecord]:
    """Describe a model; where only its sample set tells which columns were categories, let it tell."""
    try:
        return describe_model(request, storage=storage)
    except UncertainColumnsError as error:
        files = () if sample_set is None else open_dataset(sample_set, storage).files
        columns = dictionary_columns(files[0].file.uri, storage) if files else ()
        if not columns or CATEGORY_COLUMNS in request.load_options:
            raise
        log.info("The sample set says which columns the model knows as categories: %s", ", ".join(columns))
        stated = {**request.load_options, CATEGORY_COLUMNS: {OF_SAMPLE_SET: list(columns)}}
        try:
            return describe_model(replace(request, load_options=stated), storage=storage)
        except ConfigurationError:
            message = f"{error} The sample set has it in {', '.join(columns)}: these cannot be all of them."
            raise UncertainColumnsError(message) from error


def _baseline_of(
    sample: Dataset, record: ModelRecord, model: LoadedModel, options: ReferenceOptions, folder: str, storage: Storage
) -> tuple[str, BaselineRecord]:
    """Return the sample set's baseline and its URI: made before of the same files, model and options, or made now."""
    versions = {"package": __version__, **record.versions}
    made_of = [asdict(file) for file in sample.snapshot]
    inputs = None if record.inputs is None else [asdict(spec) for spec in record.inputs]
    key = fingerprint([record.sha256, record.label_columns, inputs, made_of, asdict(options), versions])
    known = join_uri(folder, f"baseline-of-{key[:32]}.txt")
    if sample.snapshot and storage.exists(known):
        uri = storage.read_bytes(known).decode()
        if storage.exists(uri):
            log.info("The baseline of %s was made before: %s", sample.name, uri)
            return uri, BaselineRecord.from_json(storage.read_bytes(uri), where=uri)
    started = time.monotonic()
    made = model_baseline(sample, record, model, options)
    uri = storage.put_record(folder, "baseline", made)
    storage.put(known, uri.encode())
    log.info(
        "Baseline of %s: %s rows, %d columns, %.1f s",
        sample.name,
        f"{made.rows:,}",
        len(made.columns),
        time.monotonic() - started,
    )
    return uri, made


def register_baseline(
    dataset: object, model: ModelRequest | None, *, options: ReferenceOptions, folder: str, storage: Storage
) -> tuple[str, BaselineRecord]:
    """Store the baseline of a dataset, with a model's predictions where one is given; return its URI and the baseline.

    Parameters
    ----------
    dataset
        The reference, as :func:`~airflow_batch_inference.sources.registry.open_dataset` takes it.
    model
        It scores the dataset; None: the data alone.
    options
        How the dataset is read.
    folder
        Where to.
    storage
        Reaches all of them.

    Raises
    ------
    ArtifactError, ModelError, DataError, ConfigurationError
        Whatever is wrong with the model or the dataset; nothing is stored.
    """
    target = normalize_uri(folder)
    storage.require_writable(target)
    if model is None:
        if options.target_column is not None:
            message = "target_column needs a model, whose probabilities go with the true labels. Give one."
            raise ConfigurationError(message)
        baseline = plain_baseline(open_sample_set(dataset, storage, reading=ReadOptions(csv=options.csv)))
    else:
        loaded, record = _described(model, dataset, storage)
        reading = model_reading(record, options.csv)
        sample = open_sample_set(dataset, storage, names=input_names(record), reading=reading)
        baseline = model_baseline(sample, record, loaded, options)
    return storage.put_record(target, "baseline", baseline), baseline


def _fitting(baseline: tuple[str | None, BaselineRecord], record: ModelRecord, sample_set: object) -> str | None:
    """Return a baseline's URI, if it is one of this model; None where it has none yet."""
    uri, made = baseline
    if sample_set is not None:
        message = f"baseline is {uri or 'given'}, and a sample_set is given too. Give one of them."
        raise ConfigurationError(message)
    if made.model_sha256 is not None and made.model_sha256 != record.sha256:
        message = (
            f"The baseline {uri} is that of another model (sha256 {made.model_sha256}); {record.model_uri} has "
            f"{record.sha256}. Make one with this model, or with none."
        )
        raise ConfigurationError(message)
    return uri
