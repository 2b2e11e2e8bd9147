"""From a model file to a model record: verify, load once, describe, and store the baseline of a sample set."""

from __future__ import annotations

import logging
import posixpath
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_batch_inference import __version__
from airflow_batch_inference.datasets.dataset import open_dataset
from airflow_batch_inference.datasets.readers import dictionary_columns
from airflow_batch_inference.exceptions import ConfigurationError, UncertainColumnsError
from airflow_batch_inference.flavors.base import CATEGORY_COLUMNS, unnamed_columns
from airflow_batch_inference.flavors.categories import OF_SAMPLE_SET
from airflow_batch_inference.loading import TrustRequest, load_model
from airflow_batch_inference.records import BaselineRecord, ModelRecord, ReadOptions, fingerprint
from airflow_batch_inference.reference import (
    ReferenceOptions,
    input_names,
    model_baseline,
    open_sample_set,
    plain_baseline,
)
from airflow_batch_inference.scoring.contract import contract_of
from airflow_batch_inference.scoring.golden import put_golden
from airflow_batch_inference.scoring.reading import model_reading
from airflow_batch_inference.signature import refine_inputs, stated_inputs
from airflow_batch_inference.uris import join_uri, model_folder, normalize_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.datasets.dataset import Dataset
    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.storage import Storage


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """A model as it is asked for.

    Attributes
    ----------
    model_uri
        The file.
    conn_id
        The Airflow connection that reaches it; kept in the record for the tasks that load the model again.
    flavor
        The framework; None: told by the file.
    trust
        Why the file may be loaded.
    load_options
        Passed to the flavor.
    class_names
        What the output calls a classifier's classes, in the model's order.
    label_columns
        Names of the prediction columns.
    name, tag
        The model's name (None: the file's stem), and a free tag.
    signature
        Input to the name of its Arrow type, where the model does not know it or is to be corrected.
    predict_kwargs
        What its methods will be called with, where that is known: it is tried out with them too.
    """

    model_uri: str
    conn_id: str | None = None
    flavor: str | None = None
    trust: TrustRequest = field(default_factory=TrustRequest)
    load_options: Mapping[str, Any] = field(default_factory=dict)
    class_names: tuple[str, ...] | None = None
    label_columns: tuple[str, ...] | None = None
    name: str | None = None
    tag: str | None = None
    signature: Mapping[str, str] = field(default_factory=dict)
    predict_kwargs: Mapping[str, Any] = field(default_factory=dict)


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


def describe_model(request: ModelRequest, *, storage: Storage, apart: bool = True) -> tuple[LoadedModel, ModelRecord]:
    """Load a model once, with every check, and return it with its record (which has no baseline).

    Parameters
    ----------
    request, storage
        The model, and what reaches it.
    apart
        As for :func:`~airflow_batch_inference.loading.load_model`.

    Raises
    ------
    ArtifactError, ModelError
        See :func:`~airflow_batch_inference.loading.load_model`.
    ConfigurationError
        The signature does not go with the model.
    """
    verified = load_model(
        request.model_uri,
        storage=storage,
        flavor=request.flavor,
        trust=request.trust,
        options=request.load_options,
        kwargs=request.predict_kwargs,
        apart=apart,
    )
    unnamed = getattr(verified.model, "unnamed", None)
    if unnamed is not None and verified.model.inputs is None and not request.signature:
        raise ConfigurationError(f"{request.model_uri}: {unnamed_columns(unnamed)}")
    uri = normalize_uri(request.model_uri)
    classes = getattr(verified.model, "classes", None)
    return verified.model, ModelRecord(
        name=request.name or posixpath.basename(uri).split(".", 1)[0],
        model_uri=uri,
        conn_id=request.conn_id,
        sha256=verified.sha256,
        size_bytes=verified.size_bytes,
        flavor=verified.flavor,
        format=verified.format,
        trust=verified.trust,
        trusted_by=verified.trusted_by,
        trusted_types=verified.trusted_types,
        load_options=dict(verified.options),
        inputs=stated_inputs(verified.model.inputs, request.signature, n_features=verified.model.n_features),
        n_features=verified.model.n_features,
        output_names=verified.model.output_names,
        classes=classes,
        class_names=_class_names(request.class_names, classes, uri),
        label_columns=request.label_columns,
        versions=dict(verified.model.versions),
        baseline_uri=None,
        golden_uri=None,
        tag=request.tag,
    )


def _class_names(
    names: tuple[str, ...] | None, classes: tuple[object, ...] | None, where: str
) -> tuple[str, ...] | None:
    """Return the names of the classes, if there is one for each.

    Raises
    ------
    ConfigurationError
        There is not, or two are the same.
    """
    if names is None:
        return None
    if classes is None or len(names) != len(classes) or len(set(names)) != len(names):
        there = "no classes" if classes is None else f"{len(classes)} classes: {', '.join(map(str, classes))}"
        message = f"class_names is {list(names)}, but {where} has {there}. Give one name for each, in that order."
        raise ConfigurationError(message)
    return names


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
        The reference, as :func:`~airflow_batch_inference.datasets.dataset.open_dataset` takes it.
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
