"""Signatures of models, as OpenSSF's ``model-signing`` makes and verifies them.

Invariants: the key comes from the DAG or the config, never from beside the model; what is verified is the private copy
that is loaded afterwards; and every file of a folder must be covered by the signature, whatever its maker has left out:
a file that is not could be put there by anybody.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, UntrustedModelError
from airflow_batch_inference.flavors.base import require
from airflow_batch_inference.storage.digests import sha256_of
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.uris import normalize_uri
from airflow_batch_inference.wording.uris import redact

if TYPE_CHECKING:
    from airflow_batch_inference.storage.store import Storage

_SHOWN = 16
_MOST_NAMED = 5


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
        The signature is not of this key or of these bytes, or not of all files of the folder.
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
        payload = _payload(signature)
        try:
            verifier.set_hashing_config(_everything(model, payload, _own_signature(model, signature, check, where)))
            verifier.verify(Path(model), signature)
        except Exception as error:
            message = (
                f"The signature {redact(check.signature_uri)} does not prove that {where} is what the owner of "
                f"{redact(check.public_key_uri)} signed ({_why(error, model, payload)}). Do not load it before you "
                "know who changed it."
            )
            raise UntrustedModelError(message) from error
    return f"key sha256:{digest[:_SHOWN]}"


def _payload(signature: Path) -> dict[str, Any]:
    """Return what a signature says of the model, not verified yet: it is asked how to hash, and to name what differs.

    An empty one where it cannot be read: the verifier will say why.
    """
    try:
        envelope = json.loads(signature.read_bytes())["dsseEnvelope"]
        payload = json.loads(base64.b64decode(envelope["payload"]))
    except Exception:  # noqa: BLE001  # whatever it is, it is not ours to describe
        return {}
    return payload if isinstance(payload, dict) else {}


def _everything(model: Path, payload: dict[str, Any], own: tuple[str, ...]) -> Any:  # noqa: ANN401  # the library's
    """Return how to hash a model: as the signature says, but all of its files.

    Raises
    ------
    ValueError
        It is a way that leaves out empty files, and there are some; or one that is unknown.
    """
    hashing = require("model_signing.hashing", extra="signing")

    class Everything(hashing.Config):  # type: ignore[misc, name-defined]  # made here, as the library may be missing
        def add_ignored_paths(self, **_: object) -> None:
            """Leave out nothing that the signature says may be left out."""

    predicate = payload.get("predicate")
    given = predicate.get("serialization") if isinstance(predicate, dict) else None
    how = given if isinstance(given, dict) else {}
    config = Everything().set_ignored_paths(paths=own, ignore_git_paths=False)
    kind = how.get("hash_type", "sha256")
    kind = "blake2" if kind == "blake2b" else kind  # what it is called where it is asked for
    if how.get("method") != "shards":
        return config.use_file_serialization(hashing_algorithm=kind)
    empty = [each for each in _files(model) if (model / each).stat().st_size == 0]
    if empty:
        message = f"it was made by shards, which do not cover empty files: {_named(empty)}. Sign the folder by files"
        raise ValueError(message)
    return config.use_shard_serialization(hashing_algorithm=kind, shard_size=int(how["shard_size"]))


def _own_signature(model: Path, signature: Path, check: SignatureCheck, where: str) -> tuple[str, ...]:
    """Return the path of the signature itself, where it lies in the model's folder: it cannot cover itself."""
    uri = normalize_uri(check.signature_uri)
    name = uri.removeprefix(f"{where}/")
    is_own = name != uri and (model / name).is_file() and sha256_of(model / name) == sha256_of(signature)
    return (name,) if is_own else ()


def _why(error: Exception, model: Path, payload: dict[str, Any]) -> str:
    """Say what is wrong: the library's text for other bytes is a listing of digests."""
    if "mismatch" not in str(error).lower():
        return f"{type(error).__name__}: {error}"
    covered = _covered(payload)
    added = [each for each in _files(model) if each not in covered] if covered and model.is_dir() else []
    if not added:
        return "the bytes are others"
    left_out = " (model_signing leaves them out unless it is given --no-ignore-git-paths)" * any(
        each.startswith((".git/", ".github/", ".gitattributes", ".gitignore")) for each in added
    )
    return f"it does not cover {len(added)} file(s) of the folder: {_named(added)}{left_out}. Remove them, or sign them"


def _covered(payload: dict[str, Any]) -> set[str]:
    try:
        names = [str(each["name"]) for each in payload["predicate"]["resources"]]
        by_shards = payload["predicate"]["serialization"]["method"] == "shards"
    except (KeyError, TypeError):
        return set()
    return {name.rsplit(":", 2)[0] if by_shards else name for name in names}


def _files(model: Path) -> list[str]:
    return sorted(each.relative_to(model).as_posix() for each in model.rglob("*") if each.is_file())


def _named(files: list[str]) -> str:
    shown = ", ".join(map(repr, files[:_MOST_NAMED]))
    return f"{shown}, … ({len(files)} in all)" if len(files) > _MOST_NAMED else shown
