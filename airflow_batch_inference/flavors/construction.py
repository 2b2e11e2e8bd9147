"""From a file whose trust was decided to a model in this process, with every error reported as ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import BatchInferenceError, ModelLoadError, UntrustedModelError
from airflow_batch_inference.flavors.registry import get_flavor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from airflow_batch_inference.flavors.base import LoadedModel, ModelFormat

_MOST_CHARACTERS = 500


def find_format(flavor: str, name: str, *, where: str) -> ModelFormat:
    """Return a flavor's format by its name.

    Raises
    ------
    ModelLoadError
        The flavor does not have it (any more).
    """
    formats = {known.name: known for known in get_flavor(flavor).formats}
    if name not in formats:
        message = f"{where} is recorded as {name!r}, which the flavor {flavor!r} does not load: {', '.join(formats)}."
        raise ModelLoadError(message)
    return formats[name]


def require_format(found: str, expected: str, *, where: str) -> None:
    """Refuse a file that a record takes for what it is not.

    Raises
    ------
    UntrustedModelError
        Says what the file is.
    """
    if found != expected:
        message = (
            f"The record of {where} says that it is {expected}, but by its bytes it is {found}. Load the model again, "
            "and find out who made the record."
        )
        raise UntrustedModelError(message)


def construct(
    flavor: str,
    model_format: str,
    path: Path,
    *,
    trusted: Sequence[str],
    where: str,
    options: Mapping[str, Any] | None = None,
    is_trial: bool = False,
) -> LoadedModel:
    """Load a local file into this process.

    Parameters
    ----------
    flavor, model_format
        What the file is, by name.
    path
        A private copy, of which trust was decided before.
    trusted
        Types that an ``allow-list`` format may hold beyond the flavor's own list.
    where
        The URI, for messages.
    options
        The user's ``load_options``.
    is_trial
        Whether the flavor looks through the file first, because nobody vouches for it.

    Raises
    ------
    ModelLoadError
        Whatever the framework raised, chained.
    UntrustedModelError, FlavorNotInstalledError
        As the flavor says.
    """
    known, adapter = find_format(flavor, model_format, where=where), get_flavor(flavor)
    try:
        if is_trial:
            adapter.require_followable(path, known, options or {})
        return adapter.load(path, model_format=known, trusted=tuple(trusted), options=options or {})
    except BatchInferenceError as error:
        message = f"{where} ({flavor}, {model_format}) cannot be loaded. {error}"
        raise type(error)(message) from error
    except Exception as error:
        message = (
            f"{where} cannot be loaded as {model_format} ({flavor}): {type(error).__name__}: {brief(error)}. It is "
            "damaged, or needs other packages or versions than are installed here; save the model again."
        )
        raise ModelLoadError(message) from error


def brief(error: Exception) -> str:
    """Return an error's text in one line, without the stack that some libraries put into it."""
    text = " ".join(str(error).partition("Stack trace:")[0].split()).rstrip(". ")
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} …"
