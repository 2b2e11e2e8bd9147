"""Checking a prediction set of files again: the account of its files, and the record of its mini-batches."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_batch_inference.exceptions import ArtifactError
from airflow_batch_inference.ledger.accounting import as_text, row_hash

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_batch_inference.records import ItemAccount, PredictionSetRecord
    from airflow_batch_inference.storage.store import Storage
    from airflow_batch_inference.workflows.verification import Verification

_MOST_FIELD_BYTES = 1 << 30


def rows_of_table(path: Path, record: PredictionSetRecord) -> int:
    """Count the rows of the table that a script's returned elements make.

    Parameters
    ----------
    path
        A local copy.
    record
        Says the format, and whether there is a header.
    """
    if record.output_format == "parquet":
        return int(pq.read_metadata(path).num_rows)
    if record.output_format == "arrow":
        with pa.ipc.open_file(str(path)) as reader:
            return sum(reader.get_batch(index).num_rows for index in range(reader.num_record_batches))
    if record.output_format == "jsonl":
        with path.open("rb") as lines:
            return sum(1 for line in lines if line.strip())
    csv.field_size_limit(_MOST_FIELD_BYTES)
    with path.open(newline="", encoding="utf-8") as text:
        rows = sum(1 for row in csv.reader(text) if row)
    return rows - 1 if record.items is not None and record.items.has_header and record.columns else rows


def verify_items(found: Verification, items: ItemAccount, storage: Storage) -> None:
    """Check the account of the files against the input's list, and against the record of the mini-batches."""
    record = found.record
    if len(record.dataset) != items.files_in:
        found.problems.append(f"the commit names {len(record.dataset)} input files, and accounts for {items.files_in}")
    if as_text(sum(row_hash(file.uri, 0, 1) for file in record.dataset)) != items.file_hash_in:
        found.problems.append("the account's hash of the files is not that of the input files")
    _verify_mini_batches(found, items, storage)
    if not found.problems:
        found.checks.append(
            f"{items.files_in:,} files in {items.mini_batches:,} mini-batch(es), each once: {items.files_succeeded:,} "
            f"succeeded, {items.files_failed:,} failed; {items.returned:,} elements returned"
        )


def _verify_mini_batches(found: Verification, items: ItemAccount, storage: Storage) -> None:
    uri = found.record.mini_batches_uri
    if uri is None:
        found.problems.append("the commit has no record of its mini-batches")
        return
    try:
        data = storage.read_bytes(uri)
    except ArtifactError as error:
        found.problems.append(str(error))
        return
    named = re.search(r"-([0-9a-f]{64})\.jsonl$", uri)
    if named is None or hashlib.sha256(data).hexdigest() != named.group(1):
        found.problems.append(f"{uri} was changed: its SHA-256 is not the one in its name")
        return
    entries = [json.loads(line) for line in data.splitlines()]
    files = [file for entry in entries for file in entry["files"]]
    if files != [file.uri for file in found.record.dataset]:
        found.problems.append(f"the mini-batches of {uri} do not have the input files, each once and in order")
    told = (
        len(entries),
        sum(entry["outcome"] == "failed" for entry in entries),
        sum(entry["files_failed"] for entry in entries),
        sum(entry["returned"] for entry in entries),
    )
    if told != (items.mini_batches, items.mini_batches_failed, items.files_failed, items.returned):
        found.problems.append(f"the mini-batches of {uri} do not add up to the commit's account")


def verify_files(found: Verification, inputs: Storage) -> None:
    """Check that the input files are those that were scored; what a script made of them, nobody else can tell."""
    changed = [file.uri for file in found.record.dataset if inputs.versioned(file.uri) != file]
    if changed:
        found.problems.append(f"{changed[0]} was changed, or touched (as chmod does), since it was scored")
    else:
        found.checks.append(f"the {len(found.record.dataset):,} input files are as they were; a script read them")
