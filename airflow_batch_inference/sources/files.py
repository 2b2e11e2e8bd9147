"""Datasets of files: of one format, on any store, in one order, with one schema."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.exceptions import ArtifactNotFoundError, DataError, InputChangedError
from airflow_batch_inference.formats.json.parsing import merge_types
from airflow_batch_inference.formats.names import format_of
from airflow_batch_inference.formats.parquet.pandas_index import without_index
from airflow_batch_inference.formats.readers import inspect_file, read_tables
from airflow_batch_inference.formats.reading import Reading
from airflow_batch_inference.records import ColumnSpec, CsvOptions, DataFile, ReadOptions
from airflow_batch_inference.sources.base import Split
from airflow_batch_inference.sources.dataset import Dataset
from airflow_batch_inference.sources.listing import ListedFile, list_dataset
from airflow_batch_inference.sources.nested import flattened
from airflow_batch_inference.sources.partitions import with_partitions
from airflow_batch_inference.storage.parallel import in_order, threads_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from airflow_batch_inference.formats.units import FileInfo
    from airflow_batch_inference.sources.kinds import OpenRequest
    from airflow_batch_inference.storage.store import Storage

_HAVE_FOOTERS = frozenset({"parquet", "arrow"})
_KEPT_SCHEMAS = 8
_FEW = 4


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files, each of which is a split; see :class:`~airflow_batch_inference.sources.base.Source`."""

    files: tuple[ListedFile, ...]
    infos: tuple[FileInfo, ...]
    storage: Storage
    splits: tuple[Split, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make a split of each file."""
        names: dict[int, tuple[str, ...]] = {}  # many files share one schema
        splits = (
            _split(listed, info, names.setdefault(id(info.schema), ()) or _named(names, info))
            for listed, info in zip(self.files, self.infos, strict=True)
        )
        object.__setattr__(self, "splits", tuple(splits))

    @property
    def is_inline(self) -> bool:
        """No."""
        return False

    @property
    def identity(self) -> tuple[DataFile, ...]:
        """The files as they were when the dataset was opened."""
        return tuple(listed.file for listed in self.files)

    def tables(self, split: int, columns: Sequence[str], *, start: int, stop: int | None) -> Iterator[pa.Table]:
        """Yield rows of a file."""
        listed = self.files[split]
        with _at_one_version(listed, self.storage):
            yield from read_tables(listed.file.uri, self.storage, self.infos[split], columns, start=start, stop=stop)

    def require_unchanged(self, splits: Iterable[int]) -> None:
        """Look at files again."""
        files = [self.files[split] for split in dict.fromkeys(splits)]
        storage = self.storage if len(files) <= _FEW else self.storage.steady(each.file.uri for each in files)
        threads = _threads(files, storage) if len(files) > _FEW else 1
        for _ in in_order(partial(_require_unchanged, storage=storage), files, threads=threads):
            pass

    def for_transport(self) -> FileSource:
        """Return it with its file systems in the place of what finds them: other processes know no connections."""
        return replace(self, storage=self.storage.resolved(*(listed.file.uri for listed in self.files)))

    def describe(self) -> str:
        """Return how many files there are."""
        return f"{len(self.files):,} file(s)"


def _named(names: dict[int, tuple[str, ...]], info: FileInfo) -> tuple[str, ...]:
    names[id(info.schema)] = tuple(info.schema.names)
    return names[id(info.schema)]


def _split(listed: ListedFile, info: FileInfo, columns: tuple[str, ...]) -> Split:
    return Split(
        label=listed.file.uri,
        units=info.units,
        columns=columns,
        constants=listed.partition,
        version=listed.file,
        is_sequential=format_of(listed.file.uri)[0] in ("parquet", "arrow"),
    )


class FileKind:
    """A file, folder, glob, prediction set, or list of such URIs."""

    def claims(self, dataset: object) -> bool:
        """Take URIs."""
        return isinstance(dataset, (str, list, tuple))

    def open(self, dataset: str | Sequence[str], request: OpenRequest) -> Dataset:
        """List the files, look at each, and unite their columns.

        Raises
        ------
        ArtifactNotFoundError, DataError
            A file is missing, damaged, of an unknown format, or does not go with the others.
        """
        request = replace(request, storage=request.storage.keeping())
        files, infos, kinds, known = _looked_at(dataset, request)
        infos = tuple(
            replace(info, schema=_with_types(info.schema, listed.types)) if listed.types else info
            for listed, info in zip(files, infos, strict=True)
        )
        if "csv" in kinds:
            infos = _with_text_alike(infos, all_text=request.is_tolerant or request.is_text_alike)
        schema, absent = _unite(files, [info.schema for info in infos])
        schema, index = without_index(schema, infos, {key for listed in files for key, _ in listed.partition})
        schema = with_partitions(schema, files, known)
        more = "" if isinstance(dataset, str) or len(dataset) <= 1 else f" (and {len(dataset) - 1} more)"
        is_told = "csv" in kinds or "jsonl" in kinds or _has_folders(files)
        opened = Dataset(
            name=f"{dataset if isinstance(dataset, str) else next(iter(dataset), 'an empty list')}{more}",
            source=FileSource(files, infos, request.storage),
            schema=schema,
            absent=absent,
            options=_again(known, schema, kinds) if is_told else None,
            index=index,
        )
        whole = opened.with_index(request.model_names or ())
        return flattened(whole) if any(listed.is_nested for listed in files) else whole


def _looked_at(
    dataset: str | Sequence[str], request: OpenRequest
) -> tuple[tuple[ListedFile, ...], tuple[FileInfo, ...], dict[str, str], Reading]:
    """Return the files that hold something, what is known of each, their formats, and how they were read."""
    storage = request.storage
    files = tuple(
        listed
        for listed in list_dataset(dataset, storage, raise_if_stopped=request.raise_if_stopped)
        if listed.file.size_bytes > 0 or _has_header(listed)
    )
    kinds = {format_of(listed.file.uri)[0]: listed.file.uri for listed in files}
    if len(kinds) > 1:
        mixed = ", ".join(f"{kind} ({uri})" for kind, uri in kinds.items())
        message = f"The dataset mixes formats: {mixed}. Choose one with a glob, such as …/*.parquet."
        raise DataError(message)
    known = Reading(
        request.reading or ReadOptions(), None if request.model_names is None else tuple(request.model_names)
    )
    steady = storage.steady(listed.file.uri for listed in files)
    inspected = in_order(
        partial(_inspected, storage=steady, known=known, tolerant=request.is_tolerant),
        files,
        threads=_threads(files, storage) if {*kinds} <= _HAVE_FOOTERS else 1,  # text is read whole, by all cores
        raise_if_stopped=request.raise_if_stopped,
    )
    infos = list(_sharing_schemas(inspected))
    for listed, info in zip(files, infos, strict=True):
        _require_columns(listed, info)
    # A compressed text file may hold nothing, too.
    pairs = [(listed, info) for listed, info in zip(files, infos, strict=True) if info.schema.names]
    return tuple(listed for listed, _ in pairs), tuple(info for _, info in pairs), kinds, known


def _inspected(listed: ListedFile, storage: Storage, known: Reading, *, tolerant: bool) -> FileInfo:
    with _at_one_version(listed, storage):
        return inspect_file(listed.file.uri, storage, tolerant=tolerant, known=_known_of(listed, known))


def _sharing_schemas(infos: Iterable[FileInfo]) -> Iterator[FileInfo]:
    """Give infos with equal columns one schema: of many files, schemas would take more memory than all else."""
    known: list[pa.Schema] = []
    for info in infos:
        same = next((schema for schema in known if schema.equals(info.schema, check_metadata=True)), None)
        if same is None:
            known = [info.schema, *known[: _KEPT_SCHEMAS - 1]]
        yield info if same is None else replace(info, schema=same)


def _threads(files: Sequence[ListedFile], storage: Storage) -> int:
    return threads_for(storage.filesystem(files[0].file.uri)[0]) if files else 1


@contextlib.contextmanager
def _at_one_version(listed: ListedFile, storage: Storage) -> Iterator[None]:
    """Say of a file that could not be read that it was changed, if it was.

    Half of a file that is being written looks damaged, and some stores refuse to read on: s3fs raises an OSError of
    its own (FileExpired).

    Raises
    ------
    InputChangedError
        It was.
    """
    try:
        yield
    except GeneratorExit:  # when the interpreter ends, the names below may be gone
        raise
    except (DataError, OSError):
        _require_unchanged(listed, storage)
        raise


def _require_unchanged(listed: ListedFile, storage: Storage) -> None:
    planned = listed.file
    try:
        now = storage.versioned(planned.uri)
    except ArtifactNotFoundError as error:
        message = f"{planned.uri} was removed while it was being read. Run the task again when its writer is done."
        raise InputChangedError(message) from error
    if now != planned:
        message = (
            f"{planned.uri} was changed while it was being read ({planned.size_bytes} bytes, version "
            f"{planned.version}; now {now.size_bytes}, {now.version}). Run the task again when its writer is done."
        )
        raise InputChangedError(message)


def _known_of(listed: ListedFile, known: Reading) -> Reading:
    """Return what is known of a file; of a scoring script's table, whatever is said of other text files, its commit."""
    if not listed.types:
        return known
    return replace(known, options=ReadOptions(csv=CsvOptions(header=True), types=listed.types))


def _has_folders(files: Sequence[ListedFile]) -> bool:
    return any(listed.partition for listed in files)


def _again(known: Reading, schema: pa.Schema, kinds: Collection[str]) -> ReadOptions:
    """Return the options that give the same rows of the same files, whoever asks."""
    csv = replace(known.csv, header=known.csv.has_header) if "csv" in kinds else CsvOptions()
    return ReadOptions(csv=csv, types=tuple(ColumnSpec(name=field.name, type=str(field.type)) for field in schema))


def _require_columns(listed: ListedFile, info: FileInfo) -> None:
    """Refuse rows without any column, as empty JSON objects are: nothing could be read of them, nor would they count.

    Raises
    ------
    DataError
        There are some.
    """
    rows = sum(unit.rows for unit in info.units)
    if rows and not info.schema.names:
        message = (
            f"{listed.file.uri} holds {rows} row(s) and no column at all. Write them with their columns, or leave the "
            "file out."
        )
        raise DataError(message)


def _with_types(schema: pa.Schema, types: Sequence[ColumnSpec]) -> pa.Schema:
    """Read text columns as what they were when they were written."""
    fields = list(schema)
    for spec in types:
        position = schema.get_field_index(spec.name)
        if position >= 0:
            with contextlib.suppress(ValueError, KeyError):
                fields[position] = pa.field(spec.name, pa.type_for_alias(spec.type))
    return pa.schema(fields)


def _with_text_alike(infos: tuple[FileInfo, ...], *, all_text: bool) -> tuple[FileInfo, ...]:
    """Read a column as text from every CSV file where one of them holds codes such as 007, or a single bad value."""
    texts = {name for info in infos for name in info.codes}
    if all_text:
        texts |= {field.name for info in infos for field in info.schema if pa.types.is_string(field.type)}
    if not texts:
        return infos
    spec = [ColumnSpec(name=name, type="string") for name in sorted(texts)]
    return tuple(replace(info, schema=_with_types(info.schema, spec)) for info in infos)


def _has_header(listed: ListedFile) -> bool:
    """Say whether 0 bytes are too few for a file of this format: text may be empty, Parquet and Arrow may not."""
    return format_of(listed.file.uri)[0] in ("parquet", "arrow")


def _unite(files: Sequence[ListedFile], schemas: Sequence[pa.Schema]) -> tuple[pa.Schema, dict[str, str]]:
    types: dict[str, pa.DataType] = {}
    source: dict[str, str] = {}
    first: dict[int, tuple[ListedFile, pa.Schema]] = {}
    for listed, schema in zip(files, schemas, strict=True):
        first.setdefault(id(schema), (listed, schema))
    distinct = list(first.values())  # in the order of the files, which is that of the columns
    for listed, schema in distinct:
        for column in schema:
            known = types.setdefault(column.name, column.type)
            source.setdefault(column.name, listed.file.uri)
            try:
                types[column.name] = merge_types(known, column.type)
            except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
                message = (
                    f"Column {column.name!r} holds {column.type} in {listed.file.uri}, but {known} in "
                    f"{source[column.name]}. Write both with one type."
                )
                raise DataError(message) from error
    absent: dict[str, str] = {}
    for listed, schema in distinct:
        if len(schema) < len(types):
            for name in types.keys() - set(schema.names):
                absent.setdefault(name, listed.file.uri)
    return pa.schema(list(types.items())), absent
