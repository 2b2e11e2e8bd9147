"""SHA-256 of bytes and files, and as users write it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import (
    ConfigurationError,
)

if TYPE_CHECKING:
    from pathlib import Path


def parse_sha256(text: str) -> str:
    """Return a digest in its plain form.

    Raises
    ------
    ConfigurationError
        It is none.
    """
    digest = text.strip().lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        message = f"sha256 must be 64 hexadecimal digits (as sha256sum prints them), got {text!r}."
        raise ConfigurationError(message)
    return digest


def sha256_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of some bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 (hex) of a local file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
