"""Signatures of models, as OpenSSF's ``model-signing`` makes and verifies them.

What must not be relaxed: the key comes from the DAG or the config, never from beside the model; and what is verified
is the private copy that is loaded afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError, UntrustedModelError
from airflow_batch_inference.flavors.base import require
from airflow_batch_inference.storage import private_folder
from airflow_batch_inference.uris import redact

if TYPE_CHECKING:
    from airflow_batch_inference.storage import Storage

_SHOWN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureCheck:
    """A signature that a model must have.

    Attributes
    ----------
    signature_uri
        The signature file (``model.sig``) that ``model_signing sign key`` has made.
    public_key_uri
        The signer's public key in PEM form (elliptic curve). Keep it where those who can write the model cannot
        write.
    """

    signature_uri: str
    public_key_uri: str


def verify_signature(model: Path, check: SignatureCheck, *, storage: Storage, where: str) -> str:
    """Verify a local model file or folder, and return who signed it: the key's SHA-256, shortened.

    Raises
    ------
    FlavorNotInstalledError
        ``model-signing`` is not installed.
    ConfigurationError
        The key is none.
    UntrustedModelError
        The signature is not of this key or of these bytes.
    ArtifactNotFoundError
        The signature or the key is not there.
    """
    verifying = require("model_signing.verifying", extra="signing")
    with private_folder() as folder:
        key, signature = folder / "key.pem", folder / "model.sig"
        digest = storage.copy_to_local(check.public_key_uri, key)
        storage.copy_to_local(check.signature_uri, signature)
        try:
            verifier = verifying.Config().use_elliptic_key_verifier(public_key=key)
        except Exception as error:
            message = (
                f"{redact(check.public_key_uri)} is no public key on an elliptic curve, in PEM form "
                f"({type(error).__name__}: {error})."
            )
            raise ConfigurationError(message) from error
        try:
            verifier.verify(Path(model), signature)
        except Exception as error:
            # The library's text for other bytes is a listing of digests.
            why = "the bytes are others" if "mismatch" in str(error).lower() else f"{type(error).__name__}: {error}"
            message = (
                f"The signature {redact(check.signature_uri)} does not prove that {where} is what the owner of "
                f"{redact(check.public_key_uri)} signed ({why}). Do not load it before you "
                "know who changed it."
            )
            raise UntrustedModelError(message) from error
    return f"key sha256:{digest[:_SHOWN]}"
