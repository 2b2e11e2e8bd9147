"""Why a model file may be loaded: what its format can do, and who vouches for its bytes.

Invariants: trust comes from the caller's arguments, never from a file beside the model; and a format that can run code
is refused unless somebody vouched for its digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError, UntrustedModelError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow_batch_inference.flavors.base import Flavor, ModelFormat
    from airflow_batch_inference.models.local_copy import ModelCopy
    from airflow_batch_inference.models.signing import SignatureCheck
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.records.scoring import TrustReason

_SHOWN_NAMES = 12
_BY_PIN, _BY_SIGNATURE, BY_CONFIG = "sha256= in ", "signature by ", "[batch_inference] trusted_sha256"
_VOUCHING = (_BY_PIN, _BY_SIGNATURE, BY_CONFIG)
"""How a record's ``trusted_by`` begins where somebody vouched for the file's very bytes."""


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


def is_vouched(record: ModelRecord) -> bool:
    """Say whether a record names somebody who vouched for the very bytes of its file, whatever their format."""
    by = record.trusted_by or ""
    return record.trust in ("sha256", "signature", "config", "dag") or by.startswith(_VOUCHING)


def parse_trusted(trusted: Sequence[str] | None) -> tuple[str, ...]:
    """Return the types that were named; ConfigurationError: they are no list of names."""
    names = () if trusted is None else trusted
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        message = f"trusted must be a list of full type names (['package.module.Type']), got {trusted!r}."
        raise ConfigurationError(message)
    return tuple(names)


def decide_trust(
    found: ModelFormat,
    copy: ModelCopy,
    asked: TrustRequest,
    adapter: Flavor,
    imports: tuple[str, ...],
    *,
    where: str,
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
    raise UntrustedModelError(_refusal(found, copy, adapter, imports, where))


def _refusal(found: ModelFormat, copy: ModelCopy, adapter: Flavor, names: tuple[str, ...], where: str) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    imports = f" It would import at least {', '.join(names[:_SHOWN_NAMES])}{more}." if names else ""
    return (
        f"{where} is {found.name}, which can run any code when it is loaded.{imports} Only if you trust where it came "
        f'from, pin these very bytes with LoadModelOperator(sha256="{copy.sha256}"), or --sha256 on the command line; '
        f"or save the model {adapter.safer}, which needs no pin."
    )


def trusted_by(reason: TrustReason, sha256: str, asked: TrustRequest, signer: str | None) -> str | None:
    """Say who vouched for the file, also where its format asks for nobody: it is not tried out then."""
    by = asked.asked_by or "the caller"
    if signer is not None:
        return f"{_BY_SIGNATURE}{signer}"
    if asked.sha256 is not None:
        return f"{_BY_PIN}{by}"
    if sha256 in asked.config_sha256:
        return BY_CONFIG
    return f"trusted= in {by}" if asked.trusted and reason == "allow-list" else None
