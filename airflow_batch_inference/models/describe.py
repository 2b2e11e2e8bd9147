"""A model file as it is asked for, and its record: what the model says of itself once it is loaded."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.flavors.base import unnamed_columns
from airflow_batch_inference.models.loading import load_model
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.records import ModelRecord
from airflow_batch_inference.schema.signature import stated_inputs
from airflow_batch_inference.storage.uris import normalize_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.storage.store import Storage


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


def describe_model(request: ModelRequest, *, storage: Storage, apart: bool = True) -> tuple[LoadedModel, ModelRecord]:
    """Load a model once, with every check, and return it with its record (which has no baseline).

    Parameters
    ----------
    request, storage
        The model, and what reaches it.
    apart
        As for :func:`~airflow_batch_inference.models.loading.load_model`.

    Raises
    ------
    ArtifactError, ModelError
        See :func:`~airflow_batch_inference.models.loading.load_model`.
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
    unnamed = verified.model.unnamed
    if unnamed is not None and verified.model.inputs is None and not request.signature:
        raise ConfigurationError(f"{request.model_uri}: {unnamed_columns(unnamed)}")
    uri = normalize_uri(request.model_uri)
    classes = verified.model.classes
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
        releases_gil=bool(verified.model.releases_gil),
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
