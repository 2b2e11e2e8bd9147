"""From a URI to a model in memory: resolve, verify the digest, decide trust, construct; in that order.

Invariants: the file is copied once into a private folder and that copy is hashed, judged and loaded, so nobody can
change it in between; trust comes from the caller's arguments, never from a file beside the model; a format that can run
code is refused unless the caller pinned its digest; what nobody vouches for is read in a child process only, until it
has been tried out there, and loaded in processes that may end of it afterwards too; and no refusal falls back to
another way of loading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError, UntrustedModelError
from airflow_batch_inference.flavors.construction import construct, find_format, require_format
from airflow_batch_inference.flavors.registry import get_flavor, recognise
from airflow_batch_inference.flavors.sandbox.load import load_in_subprocess, recognise_in_subprocess
from airflow_batch_inference.flavors.tried import note_tried, trying
from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.models.process import ModelProcess
from airflow_batch_inference.models.shared_copy import shared_copy
from airflow_batch_inference.models.signing import verify_signature
from airflow_batch_inference.models.trust import TrustRequest, decide_trust, is_vouched, parse_trusted, trusted_by
from airflow_batch_inference.processes.child import is_worker
from airflow_batch_inference.storage.digests import parse_sha256
from airflow_batch_inference.storage.uris import normalize_uri
from airflow_batch_inference.wording.uris import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_batch_inference.flavors.base import LoadedModel, ModelFormat
    from airflow_batch_inference.models.local_copy import ModelCopy
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.records.scoring import TrustReason
    from airflow_batch_inference.storage.store import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedModel:
    """A model in memory, and what is known of its file.

    Attributes
    ----------
    model
        Ready to predict.
    sha256, size_bytes
        Of the bytes that were loaded.
    flavor, format
        What the file is, by name.
    trust
        Why it was loaded: the format cannot hold code, all its types were allowed, its digest was pinned by the caller
        or in the config, or a signature proves whose it is.
    trusted_by
        Who vouched for it; None where nobody had to.
    trusted_types
        What the caller allowed beyond the flavor's own list.
    options
        The load options.
    """

    model: LoadedModel
    sha256: str
    size_bytes: int
    flavor: str
    format: str
    trust: TrustReason
    trusted_by: str | None
    trusted_types: tuple[str, ...]
    options: Mapping[str, Any]


def load_model(
    uri: str,
    *,
    storage: Storage,
    flavor: str | None = None,
    trust: TrustRequest | None = None,
    options: Mapping[str, Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    apart: bool = True,
) -> VerifiedModel:
    """Load a model file or folder with every check.

    Parameters
    ----------
    uri
        A path or a URI.
    storage
        Reaches it.
    flavor
        The framework's name; None: told by the file's name and content. It never overrides what the file is.
    trust
        Why it may be loaded. A format that can run code needs a pinned digest or a signature; for others a pinned
        digest also saves the trial in a child process.
    options
        Passed to the flavor.
    kwargs
        What the model's methods will be called with, for the trial.
    apart
        Whether a file that nobody vouches for is loaded in a process of its own, unless this is a worker process: what
        it may do on some rows, no trial can find.

    Raises
    ------
    ConfigurationError
        An argument can never work.
    ArtifactNotFoundError
        Nothing lies there.
    ArtifactIntegrityError
        Another digest than the pinned one, or an empty file.
    FlavorNotFoundError, FlavorNotInstalledError
        Nothing here loads such a file.
    UntrustedModelError
        It could run code, holds types that nobody allowed, or does not have the signature that it must have.
    ModelLoadError
        It is damaged, or was saved by another version.
    WorkerError
        Its trial was ended from outside, which says nothing of it.
    """
    asked = trust or TrustRequest()
    pinned = None if asked.sha256 is None else parse_sha256(asked.sha256)
    types = parse_trusted(asked.trusted)
    with private_copy(uri, storage) as copy:
        where = redact(normalize_uri(uri))
        _require_pinned(copy, pinned, where)
        signer = _signer(copy, asked, storage, where)
        is_pinned = pinned is not None or signer is not None or copy.sha256 in asked.config_sha256
        imports: tuple[str, ...] = ()
        if is_pinned:
            adapter, found = recognise(copy.path, flavor=flavor, where=where, options=options)
        else:
            more: dict[str, Any] = {"tries": True, "trusted": types, "kwargs": kwargs}
            told = recognise_in_subprocess(copy.path, flavor=flavor, where=where, options=options, **more)
            adapter, found = get_flavor(told.flavor), find_format(told.flavor, told.format, where=where)
            imports = told.imports
        _require_types_named(types, found, where)
        reason = decide_trust(found, copy, asked, adapter, imports, where=where)
        if not is_pinned:
            note_tried(copy.sha256, adapter.name, found.name, types, options or {})
        load = construct if is_pinned else _loader(apart=apart)
        model = load(adapter.name, found.name, copy.path, trusted=types, where=where, options=options or {})
    return VerifiedModel(
        model=model,
        sha256=copy.sha256,
        size_bytes=copy.size_bytes,
        flavor=adapter.name,
        format=found.name,
        trust=reason,
        trusted_by=trusted_by(reason, copy.sha256, asked, signer),
        trusted_types=types,
        options=dict(options or {}),
    )


def _signer(copy: ModelCopy, asked: TrustRequest, storage: Storage, where: str) -> str | None:
    """Return whose signature the file has, where it must have one."""
    return (
        None if asked.signature is None else verify_signature(copy.path, asked.signature, storage=storage, where=where)
    )


def _require_pinned(copy: ModelCopy, pinned: str | None, where: str) -> None:
    """Refuse another file than the one that was pinned.

    Raises
    ------
    ArtifactIntegrityError
        It has another digest.
    """
    if pinned is not None and copy.sha256 != pinned:
        message = (
            f"{where} is not the file that was pinned: its SHA-256 is {copy.sha256}, sha256= says {pinned}. Find "
            "out who replaced it before you pin another."
        )
        raise ArtifactIntegrityError(message)


def _require_types_named(types: tuple[str, ...], found: ModelFormat, where: str) -> None:
    """Refuse ``trusted=`` for a format that names no types.

    Raises
    ------
    ConfigurationError
        It does not.
    """
    if types and found.trust != "allow-list":
        message = f"trusted= is for skops files, whose types can be named, but {where} is {found.name}. Leave it out."
        raise ConfigurationError(message)


def load_recorded(record: ModelRecord, *, storage: Storage, apart: bool = True) -> LoadedModel:
    """Load the model of a record again, to score with it.

    A record is believed as far as its digest and the file's own bytes go: the file must have the digest, and be of the
    format. Where the record names nobody who vouched for the file, it is tried out in a child process first, unless
    that was done on this machine before (:mod:`~airflow_batch_inference.flavors.tried`).

    Parameters
    ----------
    record, storage
        The model's record, and what reaches its file.
    apart
        As for :func:`load_model`.

    Raises
    ------
    ArtifactNotFoundError, ArtifactIntegrityError
        The file is gone, or no longer the one that was recorded.
    UntrustedModelError
        The record says that the file can do less than it can.
    ModelError
        It loaded when it was recorded, but does not here: other packages or versions.
    WorkerError
        Its trial was ended from outside, which says nothing of it.
    """
    with shared_copy(record.model_uri, storage, record.sha256) as copy:
        where = redact(record.model_uri)
        if copy.sha256 != record.sha256:
            message = (
                f"{where} was replaced since load_model ran: its SHA-256 is {copy.sha256}, the record says "
                f"{record.sha256}. Run the task that loads the model again."
            )
            raise ArtifactIntegrityError(message)
        known = find_format(record.flavor, record.format, where=where)
        if known.trust == "code" and record.trust in ("data", "allow-list"):
            message = f"The record of {where} says trust {record.trust!r}, but a {known.name} file can run code."
            raise UntrustedModelError(message)
        options = record.load_options
        if not is_vouched(record):
            with trying(record.sha256, record.flavor, record.format, record.trusted_types, options) as is_tried:
                if not is_tried:
                    load_in_subprocess(
                        record.flavor,
                        record.format,
                        copy.path,
                        trusted=record.trusted_types,
                        where=where,
                        options=options,
                        recognises=True,
                    )
                    note_tried(record.sha256, record.flavor, record.format, record.trusted_types, options)
        else:
            _, found = recognise(copy.path, flavor=record.flavor, where=where, options=options)
            require_format(found.name, record.format, where=where)
        load = construct if is_vouched(record) else _loader(apart=apart)
        return load(record.flavor, record.format, copy.path, trusted=record.trusted_types, where=where, options=options)


def _loader(*, apart: bool) -> Callable[..., LoadedModel]:
    """Return what loads a file that nobody vouches for: into this process, if it may end of it, or one of its own."""
    return ModelProcess if apart and not is_worker() else construct
