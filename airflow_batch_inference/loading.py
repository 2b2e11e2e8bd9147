"""From a URI to a model in memory: resolve, verify the digest, decide trust, construct; in that order.

What must not be relaxed: the file is copied once into a private folder and that copy is hashed, judged and loaded,
so nobody can change it in between; trust comes from the caller's arguments, never from a file beside the model; a
format that can run code is refused unless the caller pinned its digest; and no refusal falls back to another way of
loading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError, UntrustedModelError
from airflow_batch_inference.flavors.registry import recognise
from airflow_batch_inference.flavors.trial import construct, find_format, try_in_child
from airflow_batch_inference.model_copy import private_copy
from airflow_batch_inference.signing import SignatureCheck, verify_signature
from airflow_batch_inference.storage import parse_sha256
from airflow_batch_inference.uris import normalize_uri, redact

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from airflow_batch_inference.flavors.base import Flavor, LoadedModel, ModelFormat, Trust
    from airflow_batch_inference.model_copy import ModelCopy
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.records.scoring import TrustReason
    from airflow_batch_inference.storage import Storage

_SHOWN_NAMES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRequest:
    """What the caller says about a model file: why it may be loaded, if its format can run code.

    Attributes
    ----------
    sha256
        The digest that it must have (64 hex digits, ``sha256:`` before them allowed).
    trusted
        Types that a skops file may hold beyond our own list, by full name.
    signature
        The signature that it must have.
    config_sha256
        Digests that the deployment's config trusts.
    asked_by
        Who says so, for the record.
    """

    sha256: str | None = None
    trusted: Sequence[str] | None = None
    signature: SignatureCheck | None = None
    config_sha256: Collection[str] = ()
    asked_by: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """What a model file is, told without loading it.

    Attributes
    ----------
    flavor, format, trust
        What the file is, by name, and what such a file can do when it is loaded.
    sha256, size_bytes
        Of its bytes.
    imports
        What it would import, as far as that can be told; of files that can run code only.
    safer
        How else such a model is saved.
    """

    flavor: str
    format: str
    trust: Trust
    sha256: str
    size_bytes: int
    imports: tuple[str, ...]
    safer: str


def look_at(uri: str, *, storage: Storage, flavor: str | None = None) -> FoundModel:
    """Tell what a model file or folder is without loading it: nothing in it is run.

    Parameters
    ----------
    uri, storage, flavor
        As for :func:`load_model`.

    Raises
    ------
    ArtifactError, FlavorNotFoundError, FlavorNotInstalledError
        As :func:`load_model` says.
    """
    with private_copy(uri, storage) as copy:
        adapter, found = recognise(copy.path, flavor=flavor, where=redact(normalize_uri(uri)))
        return FoundModel(
            flavor=adapter.name,
            format=found.name,
            trust=found.trust,
            sha256=copy.sha256,
            size_bytes=copy.size_bytes,
            imports=_imports(adapter, copy, found) if found.trust == "code" else (),
            safer=_safer(adapter),
        )


def load_model(
    uri: str,
    *,
    storage: Storage,
    flavor: str | None = None,
    trust: TrustRequest | None = None,
    options: Mapping[str, Any] | None = None,
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
    """
    asked = trust or TrustRequest()
    pinned = None if asked.sha256 is None else parse_sha256(asked.sha256)
    types = _parse_trusted(asked.trusted)
    with private_copy(uri, storage) as copy:
        where = redact(normalize_uri(uri))
        if pinned is not None and copy.sha256 != pinned:
            message = (
                f"{where} is not the file that was pinned: its SHA-256 is {copy.sha256}, sha256= says {pinned}. Find "
                "out who replaced it before you pin another."
            )
            raise ArtifactIntegrityError(message)
        signer = None
        if asked.signature is not None:
            signer = verify_signature(copy.path, asked.signature, storage=storage, where=where)
        adapter, found = recognise(copy.path, flavor=flavor, where=where, options=options)
        if types and found.trust != "allow-list":
            message = (
                f"trusted= is for skops files, whose types can be named, but {where} is {found.name}. Leave it out."
            )
            raise ConfigurationError(message)
        reason = _decide_trust(found, copy, asked, adapter, where=where)
        if reason in ("data", "allow-list") and pinned is None and signer is None:
            try_in_child(adapter.name, found.name, copy.path, trusted=types, where=where, options=options)
        model = construct(adapter.name, found.name, copy.path, trusted=types, where=where, options=options)
    return VerifiedModel(
        model=model,
        sha256=copy.sha256,
        size_bytes=copy.size_bytes,
        flavor=adapter.name,
        format=found.name,
        trust=reason,
        trusted_by=_trusted_by(reason, asked, signer),
        trusted_types=types,
        options=dict(options or {}),
    )


def load_recorded(record: ModelRecord, *, storage: Storage) -> LoadedModel:
    """Load the model of a record again, to score with it.

    Raises
    ------
    ArtifactNotFoundError, ArtifactIntegrityError
        The file is gone, or no longer the one that was recorded.
    ModelError
        It loaded when it was recorded, but does not here: other packages or versions.
    """
    with private_copy(record.model_uri, storage) as copy:
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
        return construct(
            record.flavor,
            record.format,
            copy.path,
            trusted=record.trusted_types,
            where=where,
            options=record.load_options,
        )


def _parse_trusted(trusted: Sequence[str] | None) -> tuple[str, ...]:
    names = () if trusted is None else trusted
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        message = f"trusted must be a list of full type names (['package.module.Type']), got {trusted!r}."
        raise ConfigurationError(message)
    return tuple(names)


def _decide_trust(
    found: ModelFormat, copy: ModelCopy, asked: TrustRequest, adapter: Flavor, *, where: str
) -> TrustReason:
    """Say why the file may be loaded, or refuse it.

    Raises
    ------
    UntrustedModelError
        It can run code, and nobody vouches for it.
    """
    if found.trust != "code":
        return found.trust
    if asked.sha256 is not None:
        return "sha256"
    if asked.signature is not None:
        return "signature"
    if copy.sha256 in asked.config_sha256:
        return "config"
    raise UntrustedModelError(_refusal(found, copy, adapter, where))


def _imports(adapter: Flavor, copy: ModelCopy, found: ModelFormat) -> tuple[str, ...]:
    listing = getattr(adapter, "imported_names", None)
    return tuple(listing(copy.path, found)) if listing is not None else ()


def _safer(adapter: Flavor) -> str:
    return str(getattr(adapter, "safer", "in a format that cannot hold code"))


def _refusal(found: ModelFormat, copy: ModelCopy, adapter: Flavor, where: str) -> str:
    names = _imports(adapter, copy, found)
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    imports = f" It would import at least {', '.join(names[:_SHOWN_NAMES])}{more}." if names else ""
    return (
        f"{where} is {found.name}, which can run any code when it is loaded.{imports} Only if you trust where it came "
        f'from, pin these very bytes with LoadModelOperator(sha256="{copy.sha256}"), or --sha256 on the command line; '
        f"or save the model {_safer(adapter)}, which needs no pin."
    )


def _trusted_by(reason: TrustReason, asked: TrustRequest, signer: str | None) -> str | None:
    """Say who vouched for the file."""
    by = asked.asked_by or "the caller"
    said = {
        "sha256": f"sha256= in {by}",
        "config": "[batch_inference] trusted_sha256",
        "allow-list": f"trusted= in {by}" if asked.trusted else None,
    }.get(reason)
    return f"signature by {signer}" if signer is not None else said
