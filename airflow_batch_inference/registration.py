"""From a model file to a model record: verify, load once, describe, and store the baseline of a sample set."""

from __future__ import annotations

import logging
import posixpath
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_batch_inference.datasets.dataset import Dataset, open_dataset
from airflow_batch_inference.drift.statistics import dataset_statistics
from airflow_batch_inference.exceptions import EmptyDatasetError
from airflow_batch_inference.loading import load_model
from airflow_batch_inference.records import ModelRecord
from airflow_batch_inference.signature import refine_inputs
from airflow_batch_inference.storage import encode_segment, join_uri, normalize_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    sha256
        The digest that the file must have; what allows a format that can run code.
    trusted
        Types that a skops file may hold beyond our own list.
    label_columns
        Names of the prediction columns.
    name, tag
        The model's name (None: the file's stem), and a free tag.
    """

    model_uri: str
    conn_id: str | None = None
    flavor: str | None = None
    sha256: str | None = None
    trusted: Sequence[str] | None = None
    label_columns: tuple[str, ...] | None = None
    name: str | None = None
    tag: str | None = None


def describe_model(request: ModelRequest, *, storage: Storage) -> tuple[LoadedModel, ModelRecord]:
    """Load a model once, with every check, and return it with its record (which has no baseline).

    Raises
    ------
    ArtifactError, ModelError
        See :func:`~airflow_batch_inference.loading.load_model`.
    """
    verified = load_model(
        request.model_uri, storage=storage, flavor=request.flavor, sha256=request.sha256, trusted=request.trusted
    )
    uri = normalize_uri(request.model_uri)
    return verified.model, ModelRecord(
        name=request.name or posixpath.basename(uri).split(".", 1)[0],
        model_uri=uri,
        conn_id=request.conn_id,
        sha256=verified.sha256,
        size_bytes=verified.size_bytes,
        flavor=verified.flavor,
        format=verified.format,
        trust=verified.trust,
        trusted_types=verified.trusted_types,
        inputs=verified.model.inputs,
        n_features=verified.model.n_features,
        output_names=verified.model.output_names,
        label_columns=request.label_columns,
        versions=dict(verified.model.versions),
        baseline_uri=None,
        tag=request.tag,
    )


def register_model(
    request: ModelRequest, *, root: str, sample_set: object = None, storage: Storage, model_storage: Storage
) -> tuple[str, ModelRecord]:
    """Store a model's record, and its baseline where a sample set is given; return the record's URI and the record.

    Parameters
    ----------
    request
        The model.
    root
        The artifact store.
    sample_set
        A dataset (URIs or inline records) that later data are compared with; None: no baseline. It also tells the
        types of those inputs whose types the model itself does not know.
    storage, model_storage
        Reach the artifact store, and the model and sample set.

    Raises
    ------
    ArtifactError, ModelError, DataError
        Whatever is wrong with the file or the sample set; nothing is stored.
    """
    storage.require_writable(root)
    _, record = describe_model(request, storage=model_storage)
    folder = join_uri(normalize_uri(root), "models", encode_segment(record.name))
    if sample_set is not None:
        sample = open_sample_set(sample_set, model_storage, names=input_names(record))
        _warn_of_gaps(record, sample)
        statistics = dataset_statistics(sample.columns(), rows=sample.count_rows(), source=sample.snapshot)
        baseline_uri = storage.put_record(folder, "baseline", statistics)
        record = replace(record, baseline_uri=baseline_uri, inputs=refine_inputs(record.inputs, sample.schema))
    return storage.put_record(folder, "model", record), record


def _warn_of_gaps(record: ModelRecord, sample: Dataset) -> None:
    """Say which of the model's columns the baseline lacks: nothing will ever compare them."""
    there = {re.sub(r"\s", "_", name) for name in sample.schema.names}
    wanted = [*(input_names(record) or ()), *(record.label_columns or ())]
    lacking = [name for name in wanted if re.sub(r"\s", "_", name) not in there]
    if lacking:
        log.warning(
            "The sample set %s lacks %s, which the model takes or gives: their drift will never be seen",
            sample.name,
            ", ".join(map(repr, lacking)),
        )


def input_names(record: ModelRecord | None) -> list[str] | None:
    """Return the names of a model's inputs, where there is a model and it has names."""
    return None if record is None or record.inputs is None else [spec.name for spec in record.inputs]


def open_sample_set(sample_set: object, storage: Storage, *, names: Sequence[str] | None = None) -> Dataset:
    """Open a sample set; ``names`` are for inline lists.

    Raises
    ------
    EmptyDatasetError
        It has no rows: nothing could ever be compared with it.
    """
    sample = open_dataset(sample_set, storage, model_names=names)
    if next(sample.mini_batches(1), None) is None:
        message = f"The sample set {sample.name} has no rows, so nothing can be compared with it. Give another."
        raise EmptyDatasetError(message)
    return sample
