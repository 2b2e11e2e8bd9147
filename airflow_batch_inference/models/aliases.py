"""Aliases of models (``models/churn@champion``): which version an alias meant, and since when.

Layout: ``models/<name>/aliases/<alias>/<number>.json`` in the artifact store, one immutable entry each time the alias
was moved.

Invariants: nothing that was once true is changed, so that a backfill finds the version that was live on its day; and of
two who move an alias at once both are kept, one after the other. No heavy import here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_batch_inference import records
from airflow_batch_inference.exceptions import (
    ArtifactConflictError,
    ArtifactNotFoundError,
    ConfigurationError,
    did_you_mean,
)
from airflow_batch_inference.storage.uris import decode_segment, encode_segment, join_uri, normalize_uri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import AliasRecord
    from airflow_batch_inference.storage.store import Storage

_REFERENCE = re.compile(r"models/([^@/]+)@([^@/]+)")
_MODELS, _ALIASES = "models", "aliases"
_TRIES = 100
_SHOWN = 20


def parse_alias(reference: str) -> tuple[str, str] | None:
    """Return the model's name and the alias of ``models/<name>@<alias>``; None for anything else.

    Examples
    --------
    >>> parse_alias("models/churn@champion"), parse_alias("/data/models/churn@champion")
    (('churn', 'champion'), None)
    """
    found = _REFERENCE.fullmatch(reference)
    return (found.group(1), found.group(2)) if found else None


def set_alias(
    name: str,
    alias: str,
    model_record_uri: str,
    *,
    root: str,
    storage: Storage,
    set_by: str,
    since: datetime | None = None,
) -> AliasRecord:
    """Let an alias mean a model from a time on; the same model again adds nothing.

    Parameters
    ----------
    name
        The model's name, the same for all versions.
    alias
        Such as ``champion``.
    model_record_uri
        The version.
    root
        The artifact store.
    storage
        Reaches it.
    set_by
        Who moves the alias, for the record.
    since
        When the version went live, with a time zone; None: now.

    Raises
    ------
    ConfigurationError
        The name or alias holds ``@`` or ``/``, the URI is that of another kind of record, or the time has no zone.
    """
    if parse_alias(f"{_MODELS}/{name}@{alias}") is None:
        message = f"The alias {alias!r} of the model {name!r} cannot be: neither may be empty or hold '@' or '/'."
        raise ConfigurationError(message)
    record = storage.read_record(model_record_uri)
    if not isinstance(record, records.ModelRecord):
        message = (
            f"{model_record_uri} is no model record, so no alias can mean it. Give the output of a LoadModelOperator."
        )
        raise ConfigurationError(message)
    if record.name != name:
        message = (
            f"{model_record_uri} is a record of the model {record.name!r}, so models/{name}@{alias} cannot mean it."
        )
        raise ConfigurationError(message)
    if since is not None and since.tzinfo is None:
        message = f"since is {since.isoformat()}, which has no time zone. Add one, such as +00:00."
        raise ConfigurationError(message)
    for _ in range(_TRIES):
        history = alias_history(name, alias, root=root, storage=storage)
        same = _entered(history, model_record_uri, since)
        if same is not None:
            return same
        entry = records.AliasRecord(
            name=name,
            alias=alias,
            number=len(history) + 1,
            model_record_uri=model_record_uri,
            model_sha256=record.sha256,
            since=(since or datetime.now(UTC)).astimezone(UTC).isoformat(),
            set_by=set_by,
        )
        if storage.put_new(join_uri(_folder(name, alias, root), f"{entry.number:010d}.json"), entry.to_json()):
            return entry
    message = f"The alias {alias!r} of the model {name!r} is being moved by others all the time. Try again."
    raise ArtifactConflictError(message)


def resolve_alias(name: str, alias: str, *, root: str, storage: Storage, as_of: datetime | None = None) -> AliasRecord:
    """Return what an alias means, now or at some time.

    Parameters
    ----------
    name, alias, root, storage
        As for :func:`set_alias`.
    as_of
        The version that was live then; None: now.

    Raises
    ------
    ArtifactNotFoundError
        There is no such alias, or it meant nothing yet at that time.
    ConfigurationError
        There is none, but one of nearly the same name.
    """
    history = alias_history(name, alias, root=root, storage=storage)
    if not history:
        raise _no_such_alias(name, alias, root, storage)
    live = _live(history, as_of or datetime.now(UTC))
    if live is None:
        first = min(entry.since for entry in history)
        when = "by now" if as_of is None else f"at {as_of.isoformat()}"
        message = (
            f"The alias {alias!r} of the model {name!r} meant nothing yet {when}: its first version "
            f"went live at {first}. Leave out as_of, or say since when a version was live with "
            "`airflow batch-inference alias … --since`."
        )
        raise ArtifactNotFoundError(message)
    return live


def _no_such_alias(name: str, alias: str, root: str, storage: Storage) -> ConfigurationError | ArtifactNotFoundError:
    """Return the error of an alias that is not there: no retry mends a name that is all but one that is there."""
    there = _known(name, root, storage)
    meant = did_you_mean(alias, there)
    known = f"The model {name!r} has no alias {alias!r} in {normalize_uri(root)}{meant}. Its aliases: "
    if meant:
        return ConfigurationError(f"{known}{', '.join(there)}. Correct the name.")
    if not there and (other := did_you_mean(name, models := _models(root, storage))):
        return ConfigurationError(
            f"No model {name!r} in {normalize_uri(root)} has an alias{other}. Models with aliases: "
            f"{', '.join(models[:_SHOWN])}. Correct the name."
        )
    return ArtifactNotFoundError(
        f"{known}{', '.join(there) or 'none'}. Set one with LoadModelOperator(name={name!r}, alias={alias!r})."
    )


def _live(history: Sequence[AliasRecord], at: datetime) -> AliasRecord | None:
    """Return what an alias meant at a time; of two entered for the same instant the later one counts."""
    entered = [entry for entry in history if datetime.fromisoformat(entry.since) <= at]
    return max(entered, key=lambda entry: (datetime.fromisoformat(entry.since), entry.number), default=None)


def _entered(history: Sequence[AliasRecord], uri: str, since: datetime | None) -> AliasRecord | None:
    """Return the entry that says already what is to be entered."""
    if since is None:
        live = _live(history, datetime.now(UTC))
        return live if live is not None and live.model_record_uri == uri else None
    same = (entry for entry in history if datetime.fromisoformat(entry.since) == since)
    last = max(same, key=lambda entry: entry.number, default=None)
    return last if last is not None and last.model_record_uri == uri else None


def alias_history(name: str, alias: str, *, root: str, storage: Storage) -> list[AliasRecord]:
    """Return all that an alias ever meant, in the order in which it was set."""
    folder = _folder(name, alias, root)
    if not storage.exists(folder):
        return []
    uris = [file.uri for file in storage.list_files(folder) if file.uri.endswith(".json")]
    return [_entry(uri, storage) for uri in sorted(uris)]


def _folder(name: str, alias: str, root: str) -> str:
    return join_uri(normalize_uri(root), _MODELS, encode_segment(name), _ALIASES, encode_segment(alias))


def _known(name: str, root: str, storage: Storage) -> list[str]:
    folder = join_uri(normalize_uri(root), _MODELS, encode_segment(name), _ALIASES)
    if not storage.exists(folder):
        return []
    by_folder = {file.uri.rsplit("/", 2)[-2]: file.uri for file in storage.list_files(folder)}
    return sorted(decode_segment(each) or _entry(uri, storage).alias for each, uri in by_folder.items())


def _models(root: str, storage: Storage) -> list[str]:
    """Return the names of the models that have aliases."""
    folder = join_uri(normalize_uri(root), _MODELS)
    found = storage.glob(f"{folder}/*/{_ALIASES}") if storage.exists(folder) else []
    return sorted(
        decode_segment(uri.rsplit("/", 2)[-2]) or _entry(storage.list_files(uri)[0].uri, storage).name for uri in found
    )


def _entry(uri: str, storage: Storage) -> AliasRecord:
    """Return a record, which holds the names that are too long to stand in its path."""
    return records.AliasRecord.from_json(storage.read_bytes(uri), where=uri)
