"""The records that a task is given by URI: read, and refused by name where they are of another kind."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from airflow_batch_inference import records
from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError, UntrustedModelError
from airflow_batch_inference.models.aliases import parse_alias, resolve_alias
from airflow_batch_inference.operators.arguments import moment
from airflow_batch_inference.operators.stores import artifact_root, trusted_digests
from airflow_batch_inference.records import Record, kind_in_words
from airflow_batch_inference.storage.uris import is_record_uri, normalize_uri

if TYPE_CHECKING:
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_NAMES = {
    "ModelRecord": ("model record", "Give the output of a LoadModelOperator"),
    "PredictionSetRecord": ("prediction set", "Give the output of a PredictOperator"),
    "DriftResult": ("drift result", "Give the output of a DriftAnalysisOperator"),
    "EvaluationRecord": ("evaluation", "Give the output of an EvaluateModelOperator"),
    "BaselineRecord": (
        "baseline",
        "Run the task that loads the model again, or give the output of `airflow batch-inference baseline`",
    ),
    "ProfileRecord": ("profile", "Run the task that scored the data again"),
}

R = TypeVar("R", bound=Record)


def resolve_model(model: str, as_of: object, *, root: str, storage: Storage) -> str:
    """Return what a model argument means: the record of ``models/<name>@<alias>``, any other URI as it is.

    Raises
    ------
    ConfigurationError
        ``as_of`` is no time, or is given where there is no alias.
    ArtifactNotFoundError
        There is no such alias, or none at that time.
    """
    time = moment("as_of", as_of)
    found = parse_alias(model)
    if found is None:
        if time is not None:
            message = (
                f"as_of is {time.isoformat()}, but {model} is no alias (models/<name>@<alias>): only an alias has "
                "meant several versions. Leave out as_of."
            )
            raise ConfigurationError(message)
        return model
    entry = resolve_alias(*found, root=root, storage=storage, as_of=time)
    record = storage.read_record(entry.model_record_uri)
    if not isinstance(record, records.ModelRecord) or record.sha256 != entry.model_sha256:
        message = (
            f"{model} means {entry.model_record_uri}, but that is not the model record that it was set to (sha256 "
            f"{entry.model_sha256}). Find out who changed the alias, and set it again."
        )
        raise ArtifactIntegrityError(message)
    log.info(
        "%s%s is version %d, sha256 %s, live since %s: %s",
        *(model, f" as of {time.isoformat()}" if time else "", entry.number, entry.model_sha256, entry.since),
        entry.model_record_uri,
    )
    return entry.model_record_uri


def read_model(argument: str, uri: str, *, root: str, storage: Storage) -> ModelRecord:
    """Return a model record; what it says of trust is believed if it lies in the artifact store, and nowhere else.

    That somebody vouched for a file whose format cannot run code is not believed elsewhere either: it is tried out.

    Raises
    ------
    ConfigurationError
        It is no model record.
    UntrustedModelError
        It says that somebody trusted the model, but lies elsewhere; or the digest in the config that trusted it is
        not there any more.
    """
    from airflow_batch_inference.models.trust import BY_CONFIG, is_vouched

    record = read(records.ModelRecord, argument, uri, storage)
    in_store = any(
        normalize_uri(uri).startswith(f"{store.rstrip('/')}/") for store in (normalize_uri(root), artifact_root())
    )
    vouched = (
        record.trust in ("sha256", "signature") or bool(record.trusted_types) or "model_class" in record.load_options
    )
    if record.sha256 in trusted_digests():
        return replace(record, trusted_by=record.trusted_by or BY_CONFIG)
    if record.trust != "config" and (in_store or not vouched):
        is_claim = not in_store or record.trusted_by == BY_CONFIG
        return replace(record, trusted_by=None) if is_claim and is_vouched(record) else record
    if record.trust == "config":
        why = "trusted_sha256 in the config had its digest, which is not there any more"
    else:
        why = f"the record says so ({record.trusted_by or record.trust}), but does not lie in the artifact store"
    message = (
        f"{argument} is {uri}: the model {record.name} (sha256 {record.sha256}) was trusted because {why}. Load it "
        "with a LoadModelOperator of the same artifact_root, or have its digest listed in trusted_sha256."
    )
    raise UntrustedModelError(message)


def read(kind: type[R], argument: str, uri: str, storage: Storage) -> R:
    """Return the record of a kind that an argument names.

    Raises
    ------
    ConfigurationError
        It is of another kind, or no record at all.
    """
    record = storage.read_record(uri) if is_record_uri(uri) else None
    if not isinstance(record, kind):
        name, advice = _NAMES[kind.__name__]
        found = "no record of this package" if record is None else kind_in_words(record)
        message = f"{argument} is {uri} ({found}), which is no {name}. {advice}."
        raise ConfigurationError(message)
    return record
