"""What an earlier try has left: the receipts of this very job, or the reason why there are none.

Invariants: a receipt counts only for the job key that it was written under, and only while the files
that it names lie there with their size; what lay beside it may be gone once the job is committed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ArtifactNotFoundError, EngineError
from airflow_batch_inference.jobs.plan import versions_digest
from airflow_batch_inference.ledger.bundles import forget_receipt, read_bundles
from airflow_batch_inference.ledger.commit import committed
from airflow_batch_inference.ledger.receipts import AnyReceipt, receipt_uri, work_folder
from airflow_batch_inference.records import Receipt
from airflow_batch_inference.storage.parallel import in_order, threads_for
from airflow_batch_inference.storage.uris import join_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_batch_inference.jobs.spec import JobSpec
    from airflow_batch_inference.records import Part
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

R = TypeVar("R", bound=AnyReceipt)
_JOB = "job.json"
_RECEIPT = re.compile(r"/part-(\d{5,})\.json$")


def finished_parts(spec: JobSpec, raise_if_stopped: Callable[[], None] = lambda: None) -> dict[int, Receipt]:
    """Return the receipts of parts that need not be scored again, by their index.

    Where there are none, but an earlier try has worked on another job, the log says what has changed since.
    """
    job, storage, folder = spec.job, spec.storage, spec.request.destination.folder
    receipts = receipts_of(Receipt, folder, job.key, job.fingerprint, storage, raise_if_stopped)
    others = [
        plan.index
        for plan in (spec.plans if receipts else ())
        if (found := receipts.get(plan.index)) and found.versions_digest != versions_digest(job.dataset, plan)
    ]
    for index in others:
        uri = receipt_uri(folder, job.key, index)
        log.warning("The receipt %s is of other versions of its files. Its part is scored again", uri)
        forget_receipt(folder, job.key, index, storage)
        del receipts[index]
    return receipts


def require_own(spec: JobSpec, receipt: Receipt) -> None:
    """Refuse a receipt that an engine gave, and that is of another job, or of no part of this one.

    Raises
    ------
    EngineError
        It is.
    """
    if receipt.job_key != spec.job.key or receipt.index not in range(len(spec.plans)):
        message = (
            f"The engine gave a receipt of part {receipt.index} of the job {receipt.job_key[:16]}, and was asked for "
            f"the {len(spec.plans)} part(s) of {spec.job.key[:16]}: nothing was committed. Report this to its maker."
        )
        raise EngineError(message)


def receipts_of(
    kind: type[R],
    folder: str,
    job_key: str,
    fingerprint: dict[str, Any],
    storage: Storage,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> dict[int, R]:
    """Return the receipts of a job that hold, by their index; note the job where it is a new one.

    Parameters
    ----------
    kind
        The receipts' class.
    folder
        The task instance's.
    job_key, fingerprint
        The job, and what its key is made of.
    storage
        Reaches the artifact store.
    raise_if_stopped
        Called several times a second; raises to stop.
    """
    work = work_folder(folder, job_key)
    is_new = storage.put_new(join_uri(work, _JOB), json.dumps(fingerprint, default=str).encode())
    if is_new:
        _tell_changes(folder, work, fingerprint, storage)
        return {}
    storage = storage.steady([work])
    # Receipts first: whoever puts one has put its files before, so that a list made afterwards holds them.
    sizes = {file.uri: file.size_bytes for file in storage.list_files(work)}
    listed = {int(name[1]): uri for uri in sizes if (name := _RECEIPT.search(uri))}
    if not listed:
        return {}
    bundled = read_bundles(sizes, storage, raise_if_stopped)
    for part in ("data", "quarantine"):
        if storage.exists(there := join_uri(folder, part, job_key[:16])):
            sizes.update((file.uri, file.size_bytes) for file in storage.list_files(there))
    threads = threads_for(storage.filesystem(work)[0])
    is_committed = cache(lambda: committed(folder, job_key, storage) is not None)

    def is_there(part: Part) -> bool:
        """Say whether a file lies there, or is one that the commit has made superfluous."""
        if part.uri in sizes:
            return sizes[part.uri] == part.size_bytes
        if part.uri.startswith(f"{work}/") and is_committed():
            return True
        with contextlib.suppress(ArtifactNotFoundError):  # it may have come while the lists were made
            return storage.stat(part.uri).size_bytes == part.size_bytes
        return False

    known = {index: text for index, text in bundled.items() if len(text) == sizes.get(listed.get(index, ""))}
    usable = partial(_usable, kind, folder, job_key, known, is_there, storage)
    found = in_order(usable, list(listed.items()), threads=threads, raise_if_stopped=raise_if_stopped)
    return {receipt.index: receipt for receipt in found if receipt is not None}


def _usable(
    kind: type[R],
    folder: str,
    key: str,
    known: Mapping[int, bytes],
    is_there: Callable[[Part], bool],
    storage: Storage,
    listed: tuple[int, str],
) -> R | None:
    """Return a receipt, or remove it where its files are not what it says."""
    index, uri = listed
    text = known.get(index)
    try:
        receipt = kind.from_json(storage.read_bytes(uri) if text is None else text, where=uri)
    except ArtifactNotFoundError:
        return None  # another writer has just found it unusable
    except ArtifactIntegrityError as error:
        reason = str(error)
    else:
        if receipt.job_key == key and all(map(is_there, receipt.files)):
            return receipt
        reason = "its files are gone, or of another size"
    log.warning("The receipt %s does not hold any more: %s. Its part is scored again", uri, reason)
    forget_receipt(folder, key, index, storage)
    return None


def _tell_changes(folder: str, work: str, now: dict[str, Any], storage: Storage) -> None:
    """Log what differs from the job that an earlier try worked on, if there is one."""
    others = [
        file
        for file in storage.list_files(join_uri(folder, "_work"))
        if file.uri.endswith(f"/{_JOB}") and not file.uri.startswith(f"{work}/")
    ]
    for file in sorted(others, key=lambda file: file.version)[-1:]:
        before = None
        with contextlib.suppress(ValueError, ArtifactNotFoundError):  # torn, or just removed: it is for the log alone
            before = json.loads(storage.read_bytes(file.uri))
        told = changes(before, json.loads(json.dumps(now, default=str))) if isinstance(before, dict) else []
        log.warning("Nothing can be resumed of an earlier try, which was another job: %s", "; ".join(told) or "unknown")


def changes(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """Name what differs between two fingerprints of jobs.

    Examples
    --------
    >>> changes({"dataset": {"a": [1, "x"]}}, {"dataset": {"a": [2, "x"], "b": [1, "y"]}})
    ["dataset a: [1, 'x'] became [2, 'x']", 'dataset b: new']
    """
    found = []
    for key in dict.fromkeys([*before, *now]):
        name = f"{prefix}{key}"
        if key not in before:
            found.append(f"{name}: new")
        elif key not in now:
            found.append(f"{name}: gone")
        elif isinstance(before[key], dict) and isinstance(now[key], dict):
            found += changes(before[key], now[key], f"{name} ")
        elif before[key] != now[key]:
            found.append(f"{name}: {before[key]} became {now[key]}")
    return found
