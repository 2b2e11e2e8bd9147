"""Receipts of neighbouring parts together in one file, so that a job of very many parts is read with few calls.

Whoever collects the receipts of a job puts such a file when the last one of its parts has come. The receipts themselves
stay: they alone say that a part is done.

Invariants: an entry counts only while the receipt's own file lies there with as many bytes; a file that is missing,
damaged or out of date costs time and nothing else.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from airflow_batch_inference.exceptions import ArtifactNotFoundError
from airflow_batch_inference.ledger.receipts import receipt_uri, work_folder
from airflow_batch_inference.ledger.retries import retrying
from airflow_batch_inference.storage.parallel import in_order, threads_for
from airflow_batch_inference.storage.uris import join_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

R = TypeVar("R", bound="_Receipt")
PARTS = 256
"""Of which a bundle has the receipts: half a megabyte."""
_NAME = re.compile(r"/receipts-(\d{5,})\.json$")


class _Receipt(Protocol):
    @property
    def index(self) -> int: ...

    def to_json(self) -> bytes: ...


def bundle_uri(folder: str, job_key: str, index: int) -> str:
    """Return where the bundle lies, or will lie, that has the receipt of a part."""
    return join_uri(work_folder(folder, job_key), f"receipts-{index // PARTS:05d}.json")


class Bundler(Generic[R]):
    """Puts bundles as their last receipts come; nothing for a job of few parts.

    Parameters
    ----------
    folder, job_key
        The job.
    parts
        How many it has.
    receipts
        By index, those that are there; whoever adds one puts it here first.
    storage
        Reaches the artifact store.
    """

    def __init__(self, folder: str, job_key: str, parts: int, receipts: Mapping[int, R], storage: Storage) -> None:
        self._folder, self._key, self._parts = folder, job_key, parts
        self._receipts, self._storage = receipts, storage
        self._there = Counter(index // PARTS for index in receipts)

    def add(self, index: int) -> list[R]:
        """Note that a receipt has come; where it was the last one, put the bundle, and return its receipts in order."""
        number = index // PARTS
        self._there[number] += 1
        all_of_it = range(number * PARTS, min((number + 1) * PARTS, self._parts))
        if self._parts <= PARTS or self._there[number] < len(all_of_it):
            return []
        bundled = [self._receipts[each] for each in all_of_it]
        texts = {str(receipt.index): receipt.to_json().decode() for receipt in bundled}
        data = json.dumps(texts).encode()
        uri = bundle_uri(self._folder, self._key, index)
        try:
            retrying("A bundle of receipts", lambda: self._storage.put(uri, data))
        except OSError as error:
            what = f"{type(error).__name__}: {error}"
            log.warning("%s was not put (%s): a retry reads its receipts one by one", uri, what)
        return bundled


def read_bundles(
    uris: Iterable[str], storage: Storage, raise_if_stopped: Callable[[], None] = lambda: None
) -> dict[int, bytes]:
    """Return the texts of receipts, by index, from those of some files that are bundles; damaged ones give none."""
    bundles = [uri for uri in uris if _NAME.search(uri)]
    if not bundles:
        return {}
    found: dict[int, bytes] = {}
    threads, read = threads_for(storage.filesystem(bundles[0])[0]), partial(_texts, storage=storage)
    for texts in in_order(read, bundles, threads=threads, raise_if_stopped=raise_if_stopped):
        found.update(texts)
    return found


def _texts(uri: str, *, storage: Storage) -> dict[int, bytes]:
    try:
        texts = json.loads(storage.read_bytes(uri))
        return {int(index): text.encode() for index, text in texts.items()}
    except (ArtifactNotFoundError, ValueError, AttributeError):
        return {}


def forget_receipt(folder: str, job_key: str, index: int, storage: Storage) -> None:
    """Remove the receipt of a part, and before it the bundle that has it."""
    storage.remove(bundle_uri(folder, job_key, index))
    storage.remove(receipt_uri(folder, job_key, index))
