"""Checking a committed prediction set again, offline: from the commit's URI alone, or also against its inputs.

Invariants: nothing that a receipt or the commit says is believed where the files can be asked.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airflow_batch_inference.exceptions import ArtifactError, BatchInferenceError, ConfigurationError
from airflow_batch_inference.ledger.accounting import as_text, row_hash, rows_hash
from airflow_batch_inference.predictors.nesting import open_written, written_fields
from airflow_batch_inference.predictors.split import SCORED_BY
from airflow_batch_inference.records import PredictionSetRecord, ProfileRecord
from airflow_batch_inference.schema.casting import converted
from airflow_batch_inference.schema.column_types import is_number, is_text
from airflow_batch_inference.schema.columns import replace_columns
from airflow_batch_inference.sources.recorded import require_parquet
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.temporary import private_folder
from airflow_batch_inference.storage.uris import is_record_uri
from airflow_batch_inference.storage.versions import is_touched_only
from airflow_batch_inference.workflows.verification import Verification
from airflow_batch_inference.workflows.verify_items import rows_of_table, verify_files, verify_items

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from airflow_batch_inference.records import Part
    from airflow_batch_inference.sources.batches import Origin
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

_BLOCK_ROWS = 65_536


def verify(uri: str, storage: Storage, *, inputs: Storage | None = None) -> Verification:
    """Check a committed prediction set: its files, its rows, its certificate; and its inputs, where they are reachable.

    Parameters
    ----------
    uri
        The commit's.
    storage
        Reaches the artifact store.
    inputs
        Reaches the input files, which are then read again and compared with the output, row by row; None: they are
        not read.

    Raises
    ------
    ArtifactNotFoundError, ArtifactIntegrityError
        There is no commit, or it is damaged: its own numbers do not add up.
    ConfigurationError
        The URI is that of another record, or of rows that an earlier state of this package has written.
    """
    record = storage.read_record(uri)
    if not isinstance(record, PredictionSetRecord):
        message = f"{uri} is a {record.to_dict()['kind']} record, not the commit of a prediction set."
        raise ConfigurationError(message)
    if record.items is None:
        require_parquet(record, uri)
    found = Verification(record)
    for part in (*record.parts, *record.quarantine):
        problem = _part_problem(part, record, storage)
        if problem:
            found.problems.append(problem)
    if not found.problems:
        found.checks.append(
            f"{len(record.parts)} part(s) and {len(record.quarantine)} of rejects have their digests and rows"
        )
        if record.items is None:
            _verify_certificate(found, storage)
        else:
            verify_items(found, record.items, storage)
        _verify_profile(found, storage)
        _verify_models(found, storage)
    if inputs is not None and not found.problems:
        _verify_inputs(found, storage, inputs)
    return found


def _part_problem(part: Part, record: PredictionSetRecord, storage: Storage) -> str | None:
    """Return what is wrong with a file, or None."""
    with private_folder() as folder:
        copy = folder / part.uri.rsplit("/", 1)[-1]
        try:
            digest = storage.copy_to_local(part.uri, copy)
        except ArtifactError as error:
            return str(error)
        if digest != part.sha256:
            return f"{part.uri} was changed: its SHA-256 is {digest}, the commit says {part.sha256}"
        if record.items is None:
            rows = int(pq.read_metadata(copy).num_rows)
        else:
            rows = rows_of_table(copy, record) if part in record.table else 0
        return None if rows == part.rows else f"{part.uri} holds {rows} rows, the commit says {part.rows}"


def _verify_profile(found: Verification, storage: Storage) -> None:
    """Check that the rows which were counted for drift are those that were scored."""
    uri = found.record.profile_uri
    if uri is None:
        return
    try:
        record = storage.read_record(uri)
    except ArtifactError as error:
        found.problems.append(str(error))
        return
    rows = record.profile.rows if isinstance(record, ProfileRecord) else None
    if rows == found.record.rows_out:
        found.checks.append(f"the profile {uri} counts the {rows:,} rows that were scored")
    else:
        found.problems.append(f"{uri} counts {rows} rows, and {found.record.rows_out} were scored")


def _verify_models(found: Verification, storage: Storage) -> None:
    """Check that each row of a split says which model scored it, and that every challenger's rows add up."""
    record = found.record
    by_model = {model.name: model.rows for model in record.models if model.role == "variant"}
    named = {record.input_names.get(name, name): name for name in record.added_columns}
    if by_model and record.kept and record.parts and SCORED_BY in named:
        counts: Counter[str] = Counter()
        output = open_written(record, storage).select([named[SCORED_BY]])
        for block in _blocks(output, [SCORED_BY]):
            found_here = pc.value_counts(block.column(SCORED_BY))
            counts.update({each["values"].as_py(): each["counts"].as_py() for each in found_here})
        if counts == {name: rows for name, rows in by_model.items() if rows}:
            found.checks.append(f"each row was scored by one of {', '.join(by_model)}, as often as the commit says")
        else:
            found.problems.append(f"the column {SCORED_BY} counts {dict(counts)}, the commit {by_model}")
    if record.challengers_uri is not None:
        try:
            storage.read_record(record.challengers_uri)
        except ArtifactError as error:
            found.problems.append(str(error))


def _verify_certificate(found: Verification, storage: Storage) -> None:
    record, certificate = found.record, found.record.certificate
    if certificate is None:
        found.problems.append("the commit has no certificate of its rows")
        return
    rejected = _rejected_rows(record, storage)
    hash_in = _hash_of_inputs(record)
    hash_rejected = sum(rows_hash(uri, rows) for uri, rows in rejected.items())
    names = [file.uri for file in record.dataset]
    if sum(record.dataset_rows) != record.rows_in:
        found.problems.append(f"the input files have {sum(record.dataset_rows)} rows, not {record.rows_in}")
    if record.dataset_uris and as_text(hash_in) != certificate.row_hash_in:
        found.problems.append("the certificate's hash of the input rows is not that of the input files")
    if as_text(hash_rejected) != certificate.row_hash_rejected:
        found.problems.append("the certificate's hash of the rejected rows is not that of the quarantine")
    if any(len(set(rows)) != len(rows) for rows in rejected.values()):
        found.problems.append("a row stands in the quarantine twice")
    foreign = [uri for uri in rejected if record.dataset_uris and uri not in names]
    if foreign:
        found.problems.append(f"the quarantine holds a row of {foreign[0]}, which is no input file")
    if not found.problems:
        found.checks.append(
            f"{record.rows_in:,} rows in = {record.rows_out:,} out + {record.rows_rejected:,} rejected, each once"
        )


def _hash_of_inputs(record: PredictionSetRecord) -> int:
    return sum(row_hash(file.uri, 0, rows) for file, rows in zip(record.dataset, record.dataset_rows, strict=True))


def _rejected_rows(record: PredictionSetRecord, storage: Storage) -> dict[str, list[int]]:
    rejected: dict[str, list[int]] = {}
    for part in record.quarantine:
        table = open_dataset(part.uri, storage).select(["_file", "_row"]).whole()
        for uri, row in zip(table.column("_file").to_pylist(), table.column("_row").to_pylist(), strict=True):
            rejected.setdefault(uri, []).append(row)
    return rejected


def _verify_inputs(found: Verification, storage: Storage, inputs: Storage) -> None:
    """Read the inputs again and compare each output row's columns with its input row's."""
    record, inputs = found.record, inputs.keeping()
    if record.items is not None:
        verify_files(found, inputs)
        return
    if not record.dataset_uris or not record.kept:
        found.checks.append("inputs not compared: they are inline, or the output was not kept")
        return
    others = [(file, now) for file in record.dataset if (now := inputs.versioned(file.uri)) != file]
    changed = [
        file.uri
        for file, now in others
        if now.size_bytes != file.size_bytes or not is_touched_only(file.version, now.version)
    ]
    if changed:
        found.problems.append(f"{changed[0]} was changed since it was scored: it cannot be compared")
        return
    if others:
        found.checks.append(
            f"{others[0][0].uri} was touched since it was scored (as chmod, a new hard link or a restored copy do): "
            "columns that are not in the output were not compared"
        )
    made = {*record.label_columns, *record.added_columns}
    # A field that is called time, as in.time: the column time is no field.
    fields = [name for name in written_fields(record) if not record.input_names or name in record.input_names]
    written = {record.input_names.get(name, name): name for name in fields}
    passed = [name for name, column in written.items() if column not in made]
    try:
        # The types of a prediction set's text files stand in its commit.
        given = [uri for uri in record.dataset_uris if is_record_uri(uri)] and list(record.dataset_uris)
        files = given or [file.uri for file in record.dataset]
        source = open_dataset(files, inputs, reading=record.reading, tolerant=True).with_index(passed)
        # What is not there is time, checks or metadata, or made from folder names such as day=1.
        passed = [name for name in passed if name in source.schema.names]
        output = open_written(record, storage).select([written[name] for name in passed])
        _compare(found, source.select(passed), output, _rejected_rows(record, storage))
    except BatchInferenceError as error:
        found.problems.append(str(error))


def _compare(found: Verification, source: Dataset, output: Dataset, rejected: dict[str, list[int]]) -> None:
    rows = 0
    names = source.schema.names
    written = _blocks(output, names)
    ahead = output.schema.empty_table().rename_columns(names)
    for batch in source.mini_batches(_BLOCK_ROWS):
        gone = {
            before + row - origin.first_row
            for before, origin in _placed(batch.origins)
            for row in rejected.get(origin.uri, ())
            if origin.first_row <= row < origin.first_row + origin.rows
        }
        expected = batch.table
        if gone:
            expected = expected.take([row for row in range(expected.num_rows) if row not in gone])
        while ahead.num_rows < expected.num_rows:
            more = next(written, None)
            if more is None:
                found.problems.append(f"the output ends after {rows + ahead.num_rows} rows")
                return
            ahead = pa.concat_tables([ahead, more])
        if not _equal(ahead.slice(0, expected.num_rows), expected, found.record.nulled):
            found.problems.append(f"the output's columns differ from those of the input, in {batch.describe()}")
            return
        rows += expected.num_rows
        ahead = ahead.slice(expected.num_rows)
    if ahead.num_rows or next(written, None) is not None:
        found.problems.append("the output has more rows than the input")
        return
    found.checks.append(f"{rows:,} output rows have the columns of their input rows, in input order")


def _as_written(expected: pa.Table, written: pa.Table, nulled: Collection[str]) -> pa.Table:
    """Return the input's rows with text as the numbers that it came out as; what stands for none as null, if any may.

    Raises
    ------
    pyarrow.ArrowInvalid
        Text came out as a number that it does not stand for.
    """
    numbers = {}
    for place, (name, kind) in enumerate(zip(expected.column_names, written.schema.types, strict=True)):
        text = expected.column(place)
        if is_text(text.type) and not is_text(kind) and is_number(kind):
            if name in nulled:
                text = pc.if_else(pc.is_null(written.column(place)), None, text.cast(pa.string()))
            numbers[place] = converted(text, kind)
    return replace_columns(expected, numbers)


def _equal(written: pa.Table, expected: pa.Table, nulled: Collection[str]) -> bool:
    """Compare values; text of the input may have come out as the numbers that it stands for."""
    try:
        as_written = _as_written(expected, written, nulled).cast(written.schema)
        columns = zip(written.columns, as_written.columns, strict=True)
        return all(_known(left).equals(_known(right)) and _nan(left).equals(_nan(right)) for left, right in columns)
    except pa.ArrowInvalid:
        return False


def _known(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values with nulls for NaN, which equals nothing."""
    return pc.if_else(pc.is_nan(values), None, values) if pa.types.is_floating(values.type) else values


def _nan(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_nan(values) if pa.types.is_floating(values.type) else pc.is_null(values)


def _placed(origins: tuple[Origin, ...]) -> Iterator[tuple[int, Origin]]:
    before = 0
    for origin in origins:
        yield before, origin
        before += origin.rows


def _blocks(dataset: Dataset, names: Sequence[str]) -> Iterator[pa.Table]:
    for batch in dataset.mini_batches(_BLOCK_ROWS):
        yield batch.table.rename_columns(list(names))
