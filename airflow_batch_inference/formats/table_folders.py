"""Folders that are tables: Delta Lake, Iceberg, Hudi and others like them, told by what they keep beside their files.

Such a folder also keeps files whose rows were replaced or deleted; only its log says which files count.

Invariants: no file of such a table is read as if it were a loose one, from wherever it is named; and no message leads
into the table's folder.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.storage.uris import is_task_uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.storage.store import Storage


@dataclass(frozen=True, slots=True)
class _Sign:
    """A folder within a table's folder, and the files in it by which the table is known."""

    table: str
    folder: str
    file: re.Pattern[str]
    export: str
    """What writes the table's present rows as plain files."""
    beside: str = ""
    """A folder that must lie beside the first, where its name alone is not certain."""


_SPARK: Final = "spark.table(…).write.parquet(…)"
_SIGNS: Final = (
    _Sign(
        "a Delta Lake table",
        "_delta_log",
        re.compile(r".*\.(json|crc|parquet)$|_last_checkpoint$"),
        "pyarrow.parquet.write_table(DeltaTable(…).to_pyarrow_table(), …) of the package deltalake, or Spark's "
        'spark.read.format("delta").load(…).write.parquet(…)',
    ),
    _Sign(
        "an Apache Iceberg table",
        "metadata",
        re.compile(r".*\.metadata\.json(\.gz)?$|version-hint\.text$"),
        f"pyarrow.parquet.write_table(table.scan().to_arrow(), …) of the package pyiceberg, or Spark's {_SPARK}",
    ),
    _Sign(
        "an Apache Hudi table", ".hoodie", re.compile(""), 'Spark\'s spark.read.format("hudi").load(…).write.parquet(…)'
    ),
    _Sign(
        "the output of a Spark stream",
        "_spark_metadata",
        re.compile(r"\d+(\.compact)?$"),
        "Spark's spark.read.parquet(…).write.parquet(…)",
    ),
    _Sign(
        "an Apache Paimon table",
        "snapshot",
        re.compile(r"snapshot-\d+$|(LATEST|EARLIEST)$"),
        f"Spark's {_SPARK}",
        beside="schema",
    ),
    _Sign(
        "a Lance dataset",
        "_versions",
        re.compile(r".*\.manifest$"),
        "pyarrow.parquet.write_table(lance.dataset(…).to_table(), …) of the package pylance",
    ),
)
_FOLDERS: Final = {sign.folder: sign for sign in _SIGNS}
_ICEBERG: Final = _FOLDERS["metadata"]
_HOODIE: Final = _FOLDERS[".hoodie"]
_HOODIE_PARTITION: Final = ".hoodie_partition_metadata"
_LOGS: Final = frozenset({"_delta_log", ".hoodie", "_spark_metadata"})
_ACID: Final = _Sign("a transactional table of Hive", "", re.compile(""), "Hive's INSERT OVERWRITE DIRECTORY …")
_DUCKLAKE: Final = _Sign("a DuckLake table", "", re.compile(""), "DuckDB's COPY (FROM …) TO '….parquet'")
_ACID_FOLDER: Final = re.compile(r"(delete_)?delta_0\d{6}_0\d{6}(_\d{4})?|base_0\d{6}(_v\d{7})?")
_DUCKLAKE_FILE: Final = re.compile(r"ducklake-[0-9a-f]{8}-[0-9a-f-]{27}(-delete)?\.parquet")
SIGN_FOLDERS: Final = frozenset(_FOLDERS)
"""Names of folders to look into, though they may be hidden."""


def refuse_tables(
    storage: Storage, *, named: Iterable[str], seen: Iterable[str], taken: Sequence[str], linked: Iterable[str] = ()
) -> None:
    """Refuse a dataset that would read the files of a table one by one.

    Parameters
    ----------
    storage
        Reaches them; above what is named, only whether the signs of a table are there is looked at.
    named
        The folders that the dataset starts from.
    seen
        What lies below them, and their own names.
    taken
        The files of the dataset.
    linked
        Where local links among them lead to.

    Raises
    ------
    DataError
        They lie in a table, or some folder among them is one.
    """
    starts = list(dict.fromkeys((*named, *linked)))
    for folder in dict.fromkeys((*starts, *(posixpath.dirname(uri) for uri in taken))):
        _refuse_by_folder(folder)
    _refuse_by_file(taken)
    within = with_parents((*taken, *starts))
    roots, partitions = _signs_below(seen)
    for folder in dict.fromkeys((*(each for each in partitions if each in within), *starts)):
        if folder in partitions or (_is_asked_about(folder) and _is_hudi_partition(folder, storage)):
            raise DataError(_message(folder, _HOODIE))
    for root, signs in roots.items():
        found = _sign_at(root, storage, signs) if root in within else None
        if found is not None:
            raise DataError(_message(root, found))
    for above in _above([*starts, *map(_real, starts)]):
        found = _sign_at(above, storage)
        if found is not None:
            raise DataError(_message(above, found))


def refuse_target(uri: str, storage: Storage) -> None:
    """Refuse to put files into the folder of a table, whose readers would never see them.

    Raises
    ------
    DataError
        The folder is one, or lies in one.
    """
    for above in _above([uri, _real(uri)]):
        found = _sign_at(above, storage)
        if found is not None:
            message = (
                f"{above} is {found.table}: files that are put there are not in its log, so its readers would never "
                "see them. Publish to a folder of its own, and load that into the table with the engine that writes it."
            )
            raise DataError(message)


def iceberg_file(uri: str) -> str:
    """Return what to say of a data file that Iceberg wrote, wherever it lies."""
    return (
        f"{uri} is a file of {_ICEBERG.table} (its footer says so), and may hold rows that the table has replaced or "
        f"deleted since. {_remedy(_ICEBERG)}"
    )


def _message(root: str, sign: _Sign) -> str:
    holds = f" (it holds {sign.folder}/)" if sign.folder else ""
    return (
        f"{root} is {sign.table}{holds}. Its folder also keeps files with rows that were replaced or deleted since, so "
        f"its files cannot be read one by one. {_remedy(sign)}"
    )


def _remedy(sign: _Sign) -> str:
    return (
        "Tables of this kind cannot be read yet: write the present rows to plain Parquet in a folder of its own first "
        f"({sign.export}), and give that folder."
    )


def with_parents(uris: Iterable[str]) -> set[str]:
    """Return some paths and all folders that they lie in."""
    found: set[str] = set()
    for start in uris:
        uri = start
        while uri not in found and not uri.endswith("/"):
            found.add(uri)
            uri = posixpath.dirname(uri)
    return found


def _refuse_by_folder(folder: str) -> None:
    """Refuse what the path itself tells: a table's own log, or a transaction's folder."""
    segments = folder.split("/")
    for position, segment in enumerate(segments):
        if segment in _LOGS or _ACID_FOLDER.fullmatch(segment):
            raise DataError(_message("/".join(segments[:position]), _FOLDERS.get(segment, _ACID)))


def _refuse_by_file(taken: Iterable[str]) -> None:
    for uri in taken:
        folder, _, name = uri.rpartition("/")
        if name.startswith("ducklake-") and _DUCKLAKE_FILE.fullmatch(name):
            raise DataError(_message(folder, _DUCKLAKE))


def _signs_below(seen: Iterable[str]) -> tuple[dict[str, list[_Sign]], set[str]]:
    """Find the folders that may be tables by the names of what lies in them, and those that are partitions of Hudi."""
    roots: dict[str, list[_Sign]] = {}
    partitions: set[str] = set()
    for uri in seen:
        segments = uri.split("/")
        for position, segment in enumerate(segments):
            sign = _FOLDERS.get(segment)
            if sign is not None:
                signs = roots.setdefault("/".join(segments[:position]), [])
                signs.extend([] if sign in signs else [sign])
            elif segment == _HOODIE_PARTITION:
                partitions.add("/".join(segments[:position]))
    return roots, partitions


def _real(uri: str) -> str:
    return f"file://{os.path.realpath(uri.removeprefix('file://'))}" if uri.startswith("file://") else uri


def _above(starts: Iterable[str]) -> list[str]:
    """Return some folders and all that they lie in, each once; none for what a task of this package has written."""
    found: dict[str, None] = {}
    for start in starts:
        if not _is_asked_about(start):
            continue
        scheme, rest = start.split("://", 1)
        while rest.strip("/"):
            found.setdefault(f"{scheme}://{rest}")
            rest = posixpath.dirname(rest)
    return list(found)


def _is_asked_about(uri: str) -> bool:
    """Say whether a table may lie there: not behind a web address, nor where a task of this package writes."""
    return not uri.startswith(("http://", "https://")) and not is_task_uri(f"{uri}/")


def _sign_at(folder: str, storage: Storage, signs: Sequence[_Sign] = _SIGNS) -> _Sign | None:
    """Say which table a folder is. What the worker may not look into tells nothing."""
    fs, path = storage.filesystem_of(folder)
    path = path.rstrip("/")
    try:
        for sign in signs:
            # One request a sign on most stores; to ask whether something exists takes two.
            if fs.isdir(f"{path}/{sign.folder}") and (not sign.beside or fs.isdir(f"{path}/{sign.beside}")):
                names = map(posixpath.basename, fs.find(f"{path}/{sign.folder}"))
                if any(map(sign.file.match, names)):
                    return sign
    except (PermissionError, NotADirectoryError):
        return None
    return None


def _is_hudi_partition(folder: str, storage: Storage) -> bool:
    fs, path = storage.filesystem_of(folder)
    try:
        return bool(fs.exists(f"{path.rstrip('/')}/{_HOODIE_PARTITION}"))
    except (PermissionError, NotADirectoryError):
        return False
