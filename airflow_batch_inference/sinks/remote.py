"""Publications on a store: the manifest says who is writing, and is replaced only by who has read it.

A writer claims the target in the manifest (``state: writing``), puts its files, and completes the manifest. Others of
its DAG wait for it while it lives, and take over once it is dead.

Invariants: readers of the manifest see the old set or the new one; nobody writes without a claim; and who has lost it
notices, and puts nothing more.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import (
    ArtifactBusyError,
    ArtifactConflictError,
    ArtifactError,
    ArtifactNotFoundError,
)
from airflow_batch_inference.records import PredictionSetRecord
from airflow_batch_inference.sinks import lock
from airflow_batch_inference.sinks.content import part_contents, write_file, write_part
from airflow_batch_inference.sinks.local import unknown_file
from airflow_batch_inference.sinks.manifest import (
    COMPLETE,
    MANIFEST,
    SPARE,
    WRITING,
    Content,
    Publisher,
    all_names,
    as_json,
    known_digests,
    manifest_beside,
    named_contents,
    next_of,
    parsed,
    require_only,
)
from airflow_batch_inference.sinks.swap import Cell
from airflow_batch_inference.storage.liveness import is_alive, this_process
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.uris import join_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_batch_inference.sinks.manifest import Document, Publication
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

LEASE_S = 1800.0
"""After so long without a sign a writer on another machine is taken for dead."""
_OWN_PATIENCE_S = 15.0
"""How long a later try waits for an earlier one that still runs, and that Airflow has given up."""
_BEAT_S = 60.0
_CHECK_S = 1.0
_POLL_S = 0.05
_LONGEST_POLL_S = 2.0
_at_work: set[tuple[str, str]] = set()
"""Process and claim of all that is being published here: what failed in this process is not alive because it is."""


@dataclass(slots=True)
class Claim:
    """A target that this writer may write to, as long as the manifest says so."""

    job: Publication
    cell: Cell
    document: Document
    bytes: bytes
    checked: float = 0.0
    beaten: float = 0.0

    def require(self, *, now: bool = True) -> None:
        """Make sure that nobody has taken over; not ``now``: unless that was done a second ago.

        Raises
        ------
        ArtifactBusyError
            Somebody has.
        """
        moment = time.monotonic()
        if not now and moment - self.checked < _CHECK_S:
            return
        if moment - self.beaten > _BEAT_S:
            self.beaten = moment
            self.change({**self.document, "since": round(time.time(), 3)})
        elif self.cell.read() != self.bytes:
            self._lost()
        self.checked = moment

    def change(self, document: Document) -> None:
        """Replace the manifest.

        Raises
        ------
        ArtifactBusyError
            Somebody has taken over.
        """
        data = as_json(document)
        if not self.cell.swap(self.bytes, data):
            self._lost()
        self.document, self.bytes = document, data

    def _lost(self) -> None:
        message = (
            f"Another writer has taken over {self.job.target} from this one, which stopped there. A retry goes on when "
            "that one is done."
        )
        raise ArtifactBusyError(message)


@contextlib.contextmanager
def _claimed(
    job: Publication,
    cell: Cell,
    contents: Mapping[str, Content | None],
    there: Callable[[Document], bool | None],
    **more: object,
) -> Iterator[Claim | bool]:
    """Claim a target; or give at once whether the set is there already (True), or that of a later run (False).

    Parameters
    ----------
    job, cell
        The publication, and the target's manifest.
    contents
        What is to be put; None: a file that is yet to be made.
    there
        Looks at what the target holds, given its manifest: refuses it, or says that it is this very set (True), or
        that nothing at all is there (None), or neither.
    more
        What the complete manifest says besides.
    """
    nonce = secrets.token_hex(8)
    mine = (this_process(), nonce)
    _at_work.add(mine)
    try:
        while True:
            found = cell.read()
            document = parsed(found)
            if found is not None:
                document = job.admit(found)
                if _wait_for(job, cell, document) and cell.read() != found:
                    continue
            try:
                state = there(document)
                if found is None and state is not None:
                    job.admit(None)
            except ArtifactConflictError:
                if cell.read() != found:
                    continue  # what was found there is another writer's, which has come since
                raise
            if found is not None and job.is_outdated_by(document):
                yield False
                return
            if found is not None and state and job.is_published_as(document, contents):
                cell.settle(found)
                yield True
                return
            claim = job.claim(document, contents, **more)
            claim |= {"nonce": nonce, "since": round(time.time(), 3), "writer": this_process()}
            claim["leftover"] = sorted(all_names(document) | set(contents))
            job.publisher.fence()
            if cell.swap(found, as_json(claim)):
                yield Claim(job, cell, claim, as_json(claim), time.monotonic(), time.monotonic())
                return
    finally:
        _at_work.discard(mine)


def _wait_for(job: Publication, cell: Cell, document: Document) -> bool:
    """Wait until nobody alive is writing to a target, and say whether that took any time.

    Raises
    ------
    ArtifactBusyError
        Somebody still is, after five minutes.
    """
    began, pause = time.monotonic(), _POLL_S
    while _is_being_written(job, document):
        waited = time.monotonic() - began
        if _is_own(job, document) and waited > _OWN_PATIENCE_S:
            return True
        if waited > lock.PATIENCE_S:
            message = (
                f"{job.target} is being published by another writer (number {document.get('number')}, since "
                f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(float(document.get('since') or 0)))}); waited "
                f"{lock.PATIENCE_S:g} s for it. A retry goes on when it is done."
            )
            raise ArtifactBusyError(message)
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_POLL_S)
        document = parsed(cell.read())
    return pause != _POLL_S


def _is_being_written(job: Publication, document: Document) -> bool:
    if document.get("state") != WRITING:
        return False
    writer = str(document.get("writer"))
    if writer == this_process():
        return (writer, str(document.get("nonce"))) in _at_work
    alive = is_alive(writer)
    if alive is None:  # on another machine
        since = float(document.get("since") or 0)
        # A sign from the future is of a clock that was wrong: it must not hold the target until then.
        return not _is_own(job, document) and abs(time.time() - since) < LEASE_S
    return alive


def _is_own(job: Publication, document: Document) -> bool:
    """Say whether an earlier try of the publishing task is the writer."""
    theirs = next_of(document) or document
    by, task = Publisher.of(theirs), job.publisher.task
    if task is None and by.task is None:
        return bool(theirs.get("task") == asdict(job.record.task))
    return by.task == task


# -- a folder ---------------------------------------------------------------------------------------------------------


def publish_folder(job: Publication, storage: Storage, target_storage: Storage) -> bool:
    """Publish to a folder of a store, and say whether the set is now there; that of a later run may be, and stays."""
    target = job.target
    cell = Cell(join_uri(target, MANIFEST), target_storage)
    contents = part_contents(job)
    has_own_names = any(part.name is not None for part in job.record.parts)

    def there(document: Document) -> bool | None:
        names = names_in_folder(target, target_storage)
        require_known(names, document)
        if not names:
            return None
        named = named_contents(document)
        return names == set(named) == set(contents) and all(
            _content(join_uri(target, name), target_storage) == content for name, content in named.items()
        )

    def require_known(names: set[str], document: Document) -> None:
        if document:
            require_only(all_names(document), names, target)

    with _claimed(job, cell, contents, there) as claim:
        if not isinstance(claim, Claim):
            return bool(claim)
        put = {}
        for index, name in enumerate(contents):
            with target_storage.writing(join_uri(target, name)) as path:
                put[name] = write_part(job, index, path, storage)
                claim.require(now=has_own_names)
        _require_put(job, put, target_storage)
        job.publisher.fence()
        new = {**claim.document["next"], "contents": {name: asdict(content) for name, content in put.items()}}
        obsolete = sorted(set(claim.document["leftover"]) - set(contents))
        claim.change({**claim.document, **new, "state": WRITING, "next": None, "leftover": obsolete})
        for name in sorted(names_in_folder(target, target_storage) - set(contents)):
            if name in obsolete:
                claim.require(now=False)
                target_storage.remove(join_uri(target, name))
        # What a writer that was taken for dead may still put is known by its name.
        late = {"leftover": obsolete} if obsolete and claim.document["superseded"] else {}
        claim.change({**new, **late})
    return True


def _require_put(job: Publication, contents: Mapping[str, Content], storage: Storage) -> None:
    """Make sure that the store has what it was given, before anybody is told.

    Raises
    ------
    ArtifactNotFoundError
        It has not.
    """
    sizes = {file.uri.removeprefix(f"{job.target}/"): file.size_bytes for file in storage.list_files(job.target)}
    for name, content in contents.items():
        if sizes.get(name) != content.size_bytes:
            message = (
                f"{join_uri(job.target, name)} was put with {content.size_bytes} bytes, but the store lists "
                f"{sizes.get(name)}. Nothing was published; a retry puts it again."
            )
            raise ArtifactNotFoundError(message)


def names_in_folder(target: str, storage: Storage) -> set[str]:
    """Return the paths of all files of a published folder, but for its manifest."""
    listed = storage.list_files(target) if storage.exists(target) else []
    return {file.uri.removeprefix(f"{target}/") for file in listed} - {MANIFEST, SPARE}


def _content(uri: str, storage: Storage) -> Content | None:
    """Return what a file of a store is; None where there is none."""
    try:
        return Content(*storage.sha256_at(uri))
    except ArtifactNotFoundError:
        return None


# -- a file -----------------------------------------------------------------------------------------------------------


def publish_file(job: Publication, storage: Storage, target_storage: Storage) -> bool:
    """Publish to a file of a store, and say whether the set is now there; that of a later run may be, and stays."""
    target = job.target
    name = target.rpartition("/")[2]
    cell = Cell(manifest_beside(target), target_storage)

    def there(document: Document) -> bool | None:
        if not target_storage.exists(target):
            return None
        return _require_known(job, document, contents, target_storage)

    with private_folder() as folder:
        prepared = folder / name
        contents = {name: write_file(job, prepared, storage)}
        size = contents[name].size_bytes
        with _claimed(job, cell, contents, there, size_bytes=size) as claim:
            if not isinstance(claim, Claim):
                return bool(claim)
            with target_storage.writing(target) as path:
                prepared.replace(path)
                claim.require()
            version = _version(target, size, target_storage)
            job.publisher.fence()
            superseded = {"superseded": found} if (found := claim.document["superseded"]) else {}
            try:
                claim.change({**claim.document["next"], **superseded, "stamp": version})
            except ArtifactBusyError:
                _give_back(job, cell, contents[name], storage, target_storage)
                raise
    return True


def _require_known(job: Publication, document: Document, contents: Mapping[str, Content], storage: Storage) -> bool:
    """Refuse to replace a file that is not the one that was published there; say whether it is the one to be put.

    Raises
    ------
    ArtifactConflictError
        Says what it should be.
    """
    if not document:
        return False  # its owner is asked for
    (new,) = contents.values()
    file = storage.stat(job.target)
    is_same = document.get("stamp") == f"{file.size_bytes}-{file.version}" and bool(file.version)
    if is_same and not job.is_published_as(document, contents):
        return False
    found = _content(job.target, storage)
    if found is None or is_same or found.sha256 in known_digests(document):
        return found == new
    # A store that puts a file bit by bit has a piece of it where its writer was killed.
    is_piece = document.get("state") == WRITING and any(
        found.size_bytes < Content(**each).size_bytes for each in (next_of(document).get("contents") or {}).values()
    )
    if not is_piece:
        raise unknown_file(job.target, found.size_bytes, document)
    return False


def _version(target: str, size: int, storage: Storage) -> str:
    """Return what changes whenever the file does, once the store has what it was given.

    Raises
    ------
    ArtifactNotFoundError
        It has not.
    """
    file = storage.stat(target)
    if file.size_bytes != size:
        message = f"{target} was put with {size} bytes, but the store has {file.size_bytes}. A retry puts it again."
        raise ArtifactNotFoundError(message)
    return f"{file.size_bytes}-{file.version}"


def _give_back(job: Publication, cell: Cell, mine: Content, storage: Storage, target_storage: Storage) -> None:
    """Put the file of the one that took over once more, where this writer's came after it."""
    document = parsed(cell.read())
    commit = document.get("commit")
    if document.get("state") != COMPLETE or not isinstance(commit, str):
        return  # whoever is writing puts its own after this one
    if _content(job.target, target_storage) != mine or mine in named_contents(document).values():
        return
    with contextlib.suppress(ArtifactError):
        record = storage.read_record(commit)
        if isinstance(record, PredictionSetRecord):
            number, them = document["commit_number"], Publisher.of(document)
            theirs = replace(job, record=record, publisher=them, commit=(number, commit))
            publish_file(theirs, storage, target_storage)
            log.warning("%s was put after a newer one, which has been put back", job.target)
