"""What a manifest says of a publication, whose it is, and which of two publications is the newer one.

A manifest has a state. ``complete``: every file that it names lies there, with its size and SHA-256. ``writing``:
somebody is at work, or has died; what ``files`` names is the set that was there before (none, for a new target), and
``next`` the set that is being put.

Invariants: what another DAG, or somebody else, put there is never replaced; and neither an older try of a publishing
task nor an older commit of a scoring task wins over a newer one.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ArtifactConflictError
from airflow_batch_inference.formats.names import PART_FORMAT
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.storage.uris import join_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_batch_inference.records import PredictionSetRecord

MANIFEST = "_published.json"
SPARE = "_published.next.json"
"""A copy of the manifest that is being put, on stores that may tear it in two."""
COMPLETE, WRITING = "complete", "writing"
_NUMBERS = ("commit_number", "number", "since")
_TEXTS = ("batch_id", "commit", "job_key", "state", "try_id")
_OBJECTS = ("contents", "next", "published_by", "task")
_LISTS = ("files", "leftover", "superseded")
_MOST = 1 << 40
_OF_WRITING = ("leftover", "next", "nonce", "since", "writer")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Publisher:
    """The task instance that publishes.

    Attributes
    ----------
    task
        Its key; None: nobody knows, as on the command line.
    try_id
        Of its try; ids of later tries sort after those of earlier ones.
    began
        When its run began (UTC, ISO 8601): of two runs the later one is the newer. Airflow sets it anew where a run
        that was over is cleared, and not where a task is tried again. Empty: unknown.
    fence
        Called right before anything is replaced; raises where this try is no longer the live one.
    """

    task: TaskKey | None = None
    try_id: str = ""
    began: str = ""
    fence: Callable[[], None] = lambda: None

    def as_document(self) -> Document:
        """Return what a manifest says of it."""
        return {"began": self.began, "task": None if self.task is None else asdict(self.task), "try_id": self.try_id}

    @classmethod
    def of(cls, document: Document) -> Publisher:
        """Return the one that a manifest names; what it has published needs no fence any more."""
        by = document.get("published_by") or {}
        task = TaskKey(**by["task"]) if by.get("task") else None
        return cls(task, str(by.get("try_id") or ""), str(by.get("began") or ""))


@dataclass(frozen=True, slots=True)
class Content:
    """What one published file is."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Publication:
    """A prediction set on its way to a target.

    Attributes
    ----------
    record
        The prediction set.
    target
        Its canonical URI.
    if_exists
        What may be replaced there.
    publisher
        Who publishes.
    commit
        The number and the URI of the commit; (0, None) where it was not found.
    output_format
        What its files are; those that a scoring script has made stay as they are.
    """

    record: PredictionSetRecord
    target: str
    if_exists: str = "replace"
    publisher: Publisher = field(default_factory=Publisher)
    commit: tuple[int, str | None] = (0, None)
    output_format: str = PART_FORMAT

    # -- whose it is ------------------------------------------------------------------------------------------

    def admit(self, manifest: bytes | None) -> Document:
        """Read the manifest of what is there; refuse to replace what is not this DAG's, not this batch's, or newer.

        Raises
        ------
        ArtifactConflictError
            Says whose it is, or which one is newer.
        """
        document = parsed(manifest)
        whose = self.record.task.dag_id, self.record.batch_id
        require_replaceable(document, self.target, *whose, self.if_exists)
        for there in (document, next_of(document)):
            if there:
                self._admit_after(there)
        return document

    def _admit_after(self, there: Document) -> None:
        by = there.get("published_by")
        if isinstance(by, dict) and self.publisher.task is not None and by.get("task") == asdict(self.publisher.task):
            theirs = str(by.get("try_id", ""))
            if theirs > self.publisher.try_id:
                message = (
                    f"A later try of this task ({theirs}) has published to {self.target}: this one "
                    f"({self.publisher.try_id}) came too late, and publishes nothing."
                )
                raise ArtifactConflictError(message)
        if self._is_older_commit(there):
            message = (
                f"{self.target} holds a newer commit of the same task ({_commit_in_words(there)}) than this one "
                f"({_commit_in_words(self.document({}))}), which is not published over it. Publish the newer one; "
                "where the older one is wanted, give it a publish_to of its own, or move away what is there."
            )
            raise ArtifactConflictError(message)

    def _is_older_commit(self, there: Document) -> bool:
        """Say whether the same task instance has committed another job after this one."""
        if there.get("task") != asdict(self.record.task) or there.get("job_key") == self.record.job_key:
            return False
        ours, theirs = self.commit[0], there.get("commit_number") or 0
        return ours < theirs if ours and theirs else self.record.try_id < str(there.get("try_id") or "")

    def is_outdated_by(self, there: Document) -> bool:
        """Say whether what is published is of a run of this DAG that began after this one: then it stays.

        It is as if this run had published first. Within one run, and where nobody knows, the last one wins.
        """
        by = there.get("published_by") or {}
        task = self.publisher.task or self.record.task
        other = by.get("task") or there.get("task") or {}
        if there.get("state") != COMPLETE or other.get("run_id") == task.run_id:
            return False
        mine, theirs = self.publisher.began, by.get("began") or ""
        if not mine and not theirs:
            mine, theirs = self.record.try_id, there.get("try_id") or ""
        return bool(mine and theirs and mine < theirs)

    def is_published_as(self, there: Document, names: Iterable[str]) -> bool:
        """Say whether a manifest is the complete one of this very set in files of these names, which tell the format.

        The files are still to be compared.
        """
        ours, same = self.document({}), ("job_key", "batch_id", "task")
        is_same = all(there.get(key) == ours[key] for key in same) and {*names_in(there)} == {*names}
        return there.get("state") == COMPLETE and is_same

    # -- what is written --------------------------------------------------------------------------------------

    def document(self, contents: Mapping[str, Content | None], **more: object) -> Document:
        """Return what a complete manifest of this set says; of files that are yet to be made it has the names."""
        record, by = self.record, self.publisher
        number, uri = self.commit
        return {
            "batch_id": record.batch_id,
            "commit": uri,
            "commit_number": number or None,
            "contents": {name: asdict(content) for name, content in contents.items() if content is not None},
            "files": list(contents),
            "job_key": record.job_key,
            "model_sha256": record.model_sha256,
            "published_by": by.as_document(),
            "rows": record.rows_out,
            "state": COMPLETE,
            "task": asdict(record.task),
            "try_id": record.try_id,
            **({"models": digests(record)} if digests(record) else {}),
            **more,
        }

    def claim(self, before: Document, contents: Mapping[str, Content | None], **more: object) -> Document:
        """Return what the manifest says while this set is being put in the place of another, or of none."""
        is_set = bool(names_in(before))
        kept = {key: value for key, value in before.items() if key not in _OF_WRITING} if is_set else None
        number = int(before.get("number") or 0) + 1
        superseded = {*(before.get("superseded") or ()), *(each.sha256 for each in contents_of(next_of(before)))}
        return {
            **(kept or {**self.document({}), "rows": 0}),
            "next": self.document(contents, number=number, **more),
            "number": number,
            "state": WRITING,
            "superseded": sorted(superseded),
        }


def require_replaceable(document: Document, target: str, dag_id: str, batch_id: str, if_exists: str) -> None:
    """Refuse to replace what a DAG has not published itself, and another batch where that is not wanted.

    Raises
    ------
    ArtifactConflictError
        Says whose it is, or which batch.
    """
    task = document.get("task")
    owner = task.get("dag_id") if isinstance(task, dict) else None
    if owner != dag_id:
        does = "is publishing" if document.get("state") == WRITING and not document.get("files") else "published"
        whose = f"DAG {owner!r} {does} it" if owner else "no manifest says that this package published it"
        message = (
            f"{target} is not this DAG's to replace: {whose}. Choose another publish_to, or move away what is there."
        )
        raise ArtifactConflictError(message)
    if if_exists == "fail" and names_in(document) and document.get("batch_id") != batch_id:
        message = (
            f"{target} holds batch {document.get('batch_id')!r}, this one is {batch_id!r}, and "
            'if_exists is "fail". Give each batch a publish_to of its own, or set if_exists="replace".'
        )
        raise ArtifactConflictError(message)


def as_json(document: Mapping[str, object]) -> bytes:
    """Return a manifest's bytes."""
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def parsed(manifest: bytes | None) -> Document:
    """Return what a manifest says; nothing where it is none, or where somebody has made it one of another form."""
    if manifest is not None:
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(manifest)
            return found if _is_formed(found) else {}
    return {}


def _is_formed(document: object) -> bool:
    """Say whether what a manifest says is of the kinds that it is asked for; it need not say all of it."""
    if not isinstance(document, dict):
        return False
    kinds = ((_NUMBERS, (int, float)), (_TEXTS, str), (_OBJECTS, dict), (_LISTS, list))
    if any(not isinstance(document.get(key), (kind, type(None))) for keys, kind in kinds for key in keys):
        return False
    if not all(0 <= (document.get(key) or 0) < _MOST for key in _NUMBERS):
        return False
    by = document.get("published_by") or {}
    task, contents = by.get("task"), document.get("contents") or {}
    is_task = task is None or (isinstance(task, dict) and set(task) == {each.name for each in fields(TaskKey)})
    return (
        is_task
        and all(isinstance(by.get(key), (str, type(None))) for key in ("began", "try_id"))
        and all(isinstance(each, dict) and set(each) == {"sha256", "size_bytes"} for each in contents.values())
        and all(isinstance(each["size_bytes"], int) for each in contents.values())
        and all(isinstance(each, str) for each in document.get("superseded") or ())
        and (document.get("next") is None or _is_formed(document["next"]))
    )


def next_of(document: Document) -> Document:
    """Return what a manifest says of the set that is being put; nothing where none is."""
    found = document.get("next")
    return found if isinstance(found, dict) else {}


def names_in(document: Document, which: str = "files") -> list[str]:
    """Return the names of files that a manifest lists."""
    names = document.get(which)
    return [str(name) for name in names] if isinstance(names, list) else []


def all_names(document: Document) -> set[str]:
    """Return the names of all files that a manifest says may lie there."""
    return {*names_in(document), *names_in(document, "leftover"), *names_in(next_of(document))}


def named_contents(document: Document) -> dict[str, Content]:
    """Return the contents of the files that a manifest lists, by their names; without those that it says nothing of."""
    found = document.get("contents")
    pairs = found.items() if isinstance(found, dict) else ()
    return {
        str(name): Content(str(each.get("sha256")), int(each.get("size_bytes") or 0))
        for name, each in pairs
        if isinstance(each, dict)
    }


def contents_of(document: Document) -> list[Content]:
    """Return the contents of the files that a manifest lists."""
    return list(named_contents(document).values())


def known_digests(document: Document) -> set[str]:
    """Return the digests of all files that a single file's manifest says may be there."""
    named = (*contents_of(document), *contents_of(next_of(document)))
    return {*(document.get("superseded") or ()), *(each.sha256 for each in named)}


def manifest_beside(target: str) -> str:
    """Name the manifest of a single file so that readers of the folder pass over it."""
    folder, _, name = target.rpartition("/")
    return f"{folder}/_{name}{MANIFEST}"


def own_manifests(target: str) -> tuple[str, str]:
    """Return where the manifest of a target lies, be it a file or a folder."""
    return manifest_beside(target), join_uri(target, MANIFEST)


def digests(record: PredictionSetRecord) -> list[str | None]:
    """Return the digests of the models that make the predictions, where those are several."""
    found = [model.model_sha256 for model in record.models if model.role != "challenger"]
    return found if len(found) > 1 else []


def require_only(ours: Iterable[str], there: set[str], target: str) -> None:
    """Refuse to replace a folder into which somebody else has put something.

    Raises
    ------
    ArtifactConflictError
        Names it.
    """
    foreign: Sequence[str] = sorted(there - set(ours))
    if foreign:
        message = (
            f"{target} holds what this package did not publish ({', '.join(foreign[:3])}): replacing the folder would "
            "remove it. Move it away, or choose another publish_to."
        )
        raise ArtifactConflictError(message)


def _commit_in_words(document: Document) -> str:
    number = document.get("commit_number")
    return f"number {number}" if number else f"of try {document.get('try_id')}"
