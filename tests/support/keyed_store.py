"""A store on the local disk that opens nothing without its key, as a bucket does; importable by worker processes."""

from __future__ import annotations

from fsspec.implementations.local import LocalFileSystem


class KeyedFileSystem(LocalFileSystem):
    """Files by ``keyed://``, for whoever has a key of 32 characters."""

    protocol = "keyed"

    def __init__(self, key="", **options):
        super().__init__(auto_mkdir=True, **options)
        self.key = key

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + str(path).removeprefix("keyed://").strip("/")

    def _open(self, path, mode="rb", **options):
        if len(self.key) != 32:
            raise PermissionError(path)
        return super()._open(path, mode, **options)
