"""``inspect``: what a model, a prediction set, a drift result or any other record is.

Invariants: a file that can run code is not loaded unless its digest is given or configured; what can be told of it
without loading it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_inference.cli.command import ARTIFACT_ROOT, AS_JSON, Command, absolute, require_alone, show_json
from airflow_batch_inference.cli.descriptions import show_model, show_record
from airflow_batch_inference.cli.scoring import MODEL_ARGUMENTS, artifact_store
from airflow_batch_inference.storage.uris import is_record_uri

if TYPE_CHECKING:
    import argparse

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.storage.store import Storage


def _run(arguments: argparse.Namespace) -> int:
    """Print what lies there."""
    from airflow_batch_inference.operators.inputs import resolve_model
    from airflow_batch_inference.records import ModelRecord

    root, storage = artifact_store(arguments)
    uri = resolve_model(absolute(arguments.uri), None, root=root, storage=storage)
    if not is_record_uri(uri):
        document = _model_file(uri, arguments, storage)
    else:
        require_alone(arguments, ("sha256", "flavor"), "belongs to a model's file, and this is a record. Leave it out.")
        record = storage.read_record(uri)
        if not isinstance(record, ModelRecord):
            if arguments.as_json:
                show_json(record.to_dict())
            else:
                show_record(record)
            return 0
        document = _described(record, None) | {"record_uri": uri}
    if arguments.as_json:
        show_json(document)
    else:
        show_model(document)
    return 0


def _model_file(uri: str, arguments: argparse.Namespace, storage: Storage) -> dict[str, Any]:
    """Describe a model's file: loaded, where that is safe or somebody vouches for it."""
    from airflow_batch_inference.models.describe import ModelRequest, describe_model
    from airflow_batch_inference.models.recognition import look_at
    from airflow_batch_inference.models.trust import TrustRequest
    from airflow_batch_inference.operators.stores import trusted_digests
    from airflow_batch_inference.storage.uris import normalize_uri

    found = look_at(uri, storage=storage, flavor=arguments.flavor)
    if found.trust == "code" and arguments.sha256 is None and found.sha256 not in trusted_digests():
        return {
            "name": normalize_uri(uri).rsplit("/", 1)[-1].split(".", 1)[0],
            "model_uri": normalize_uri(uri),
            "flavor": found.flavor,
            "format": found.format,
            "trust": None,
            "sha256": found.sha256,
            "size_bytes": found.size_bytes,
            "is_loaded": False,
            "imports": list(found.imports),
            "safer": found.safer,
        }
    trust = TrustRequest(sha256=arguments.sha256, config_sha256=trusted_digests(), asked_by="the command line")
    request = ModelRequest(model_uri=uri, conn_id=arguments.conn_id, flavor=arguments.flavor, trust=trust)
    model, record = describe_model(request, storage=storage)
    return _described(record, model)


def _described(record: ModelRecord, model: LoadedModel | None) -> dict[str, Any]:
    """Return a model record with what only the loaded model tells."""
    return {
        **record.to_dict(),
        "is_loaded": model is not None,
        "methods": None if model is None else list(model.methods),
    }


COMMAND = Command(
    name="inspect",
    help="show what a model is, without scoring anything; or a prediction set, drift result, evaluation or baseline",
    arguments=(
        ("uri", {"help": "model file or folder, models/<name>@<alias>, or the URI of a record"}),
        *MODEL_ARGUMENTS,
        ARTIFACT_ROOT,
        ("--conn-id", {"help": "Airflow connection that reaches it"}),
        AS_JSON,
    ),
    run=_run,
)
