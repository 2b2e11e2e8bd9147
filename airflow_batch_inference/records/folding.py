"""The commit of a prediction set of many files: its long lists lie in files of their own, which the commit names.

A commit is one small file that is put if absent, and read by every page and task that looks at a prediction set. With
ten thousand parts it would have megabytes. So where it would have more than one, its lists of parts, rejects and input
files lie beside it, ten thousand entries in each file, and the commit has ``lists`` in their place: the URI, the
SHA-256, the size and the number of entries of each file. In memory, a record always has its lists.

Invariants: an ordinary commit has the bytes of its record; the same record always has the same bytes; a list that is
not what its commit says is an error.
"""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ArtifactIntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_batch_inference.records.scoring import PredictionSetRecord

MOST_BYTES = 900_000
"""From this estimated size of its lists on they lie beside a commit, which then stays below 1 MB with all else."""
ITEMS_A_FILE = 10_000
LISTS_FOLDER = "_lists"
_FIELDS = ("parts", "quarantine", "dataset", "dataset_rows", "dataset_uris")
_FEW = 100
"""So many entries of one list stay in the commit whatever the others have."""
_ENTRY_BYTES = 220
"""Of an entry in the commit's JSON, beside its URI."""
_KEYS = {"field", "uri", "sha256", "size_bytes", "items"}


@dataclass(frozen=True, slots=True)
class Folded:
    """A prediction set as it is stored.

    Attributes
    ----------
    commit
        The bytes of its commit.
    lists
        By URI: the bytes of the files that must lie there before the commit does.
    """

    commit: bytes
    lists: dict[str, bytes]


def fold(record: PredictionSetRecord, folder: str) -> Folded:
    """Return how a prediction set is stored in a task instance's folder."""
    if _estimate(record) <= MOST_BYTES:
        return Folded(record.to_json(), {})
    short, lists, told = copy.copy(record), {}, []
    for name in _FIELDS:
        items = getattr(record, name)
        if len(items) <= _FEW:
            continue
        object.__setattr__(short, name, ())  # its rows would not add up, so it is no record any more
        for start in range(0, len(items), ITEMS_A_FILE):
            piece = items[start : start + ITEMS_A_FILE]
            data = json.dumps(list(map(_plain, piece)), ensure_ascii=False, separators=(",", ":")).encode()
            digest = hashlib.sha256(data).hexdigest()
            uri = f"{folder.rstrip('/')}/{LISTS_FOLDER}/{name}-{digest}.json"
            lists[uri] = data
            told.append({"field": name, "uri": uri, "sha256": digest, "size_bytes": len(data), "items": len(piece)})
    document = {**asdict(short), "lists": told}
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return Folded(text.encode() + b"\n", lists)


def is_folded(data: bytes) -> bool:
    """Say whether the bytes of a record are those of a commit whose lists lie beside it."""
    return b'\n "lists": [' in data and b'\n "kind": "prediction-set"' in data


def list_uris(data: bytes, *, where: str) -> list[str]:
    """Return the URIs of the lists that lie beside a commit.

    Raises
    ------
    ArtifactIntegrityError
        The commit is damaged.
    """
    return [each["uri"] for each in _document(data, where)[1]] if is_folded(data) else []


def unfold(data: bytes, *, where: str, read: Callable[[Sequence[str]], Iterable[bytes]]) -> bytes:
    """Return the JSON text of a whole prediction set.

    Parameters
    ----------
    data
        Its commit, which :func:`is_folded`.
    where
        The commit's URI, for messages.
    read
        Reads the files of some URIs, in their order.

    Raises
    ------
    ArtifactNotFoundError
        A list is gone.
    ArtifactIntegrityError
        The commit is damaged, or a list is not the one that it names.
    """
    document, lists = _document(data, where)
    found: dict[str, list[bytes]] = {each["field"]: [] for each in lists}
    for each, content in zip(lists, read([each["uri"] for each in lists]), strict=True):
        is_same = len(content) == each["size_bytes"] and hashlib.sha256(content).hexdigest() == each["sha256"]
        if not is_same or not content.startswith(b"[") or not content.endswith(b"]"):
            message = (
                f"{each['uri']} is not the list that the commit {where} names ({each['size_bytes']} bytes, SHA-256 "
                f"{each['sha256']}): it was changed afterwards. Score the batch again."
            )
            raise ArtifactIntegrityError(message)
        found[each["field"]].append(content[1:-1])
    for name in found:
        document.pop(name, None)
    whole = [f"{json.dumps(name)}:[".encode() + b",".join(pieces) + b"]" for name, pieces in found.items()]
    return b"".join([json.dumps(document).encode()[:-1], b",", b",".join(whole), b"}"])


def _document(data: bytes, where: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a commit without its lists, and what it says of them."""
    try:
        document = json.loads(data)
        lists = document.pop("lists")
        if all({*each} == _KEYS and each["field"] in _FIELDS and isinstance(each["uri"], str) for each in lists):
            return document, lists
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    message = f"{where} is no commit whose lists can be read: it was damaged. Score the batch again."
    raise ArtifactIntegrityError(message)


def _estimate(record: PredictionSetRecord) -> int:
    files = (*(part.uri for part in (*record.parts, *record.quarantine)), *(file.uri for file in record.dataset))
    given = sum(len(uri.encode()) for uri in record.dataset_uris)
    return given + sum(len(uri.encode()) + _ENTRY_BYTES for uri in files)


def _plain(item: Any) -> Any:  # noqa: ANN401  # an entry of a list
    return {each.name: getattr(item, each.name) for each in fields(item)} if is_dataclass(item) else item
