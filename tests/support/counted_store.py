"""Counts what is asked of stores: each call that a task makes, not those that a call makes of its own accord."""

from __future__ import annotations

from airflow_batch_inference.storage.reading import Reader
from airflow_batch_inference.storage.store import Storage

READS = ("exists", "read_bytes", "stat", "is_dir", "tree", "copy_to_local", "sha256_at", "glob")
WRITES = ("put_new", "writing", "remove")


class Counted:
    """The calls so far, as (what, URI)."""

    def __init__(self):
        self.calls = []
        self._depth = 0
        for kind, names in ((Reader, READS), (Storage, WRITES)):
            for name in names:
                setattr(kind, name, self._counting(name, getattr(kind, name)))

    def _counting(self, name, method):
        def counting(storage, uri, *rest, **more):
            if self._depth == 0:
                self.calls.append((name, str(uri)))
            self._depth += 1
            try:
                return method(storage, uri, *rest, **more)
            finally:
                self._depth -= 1

        return counting
