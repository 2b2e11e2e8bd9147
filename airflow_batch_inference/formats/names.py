"""Which format a file has, by its name: one table, used for reading and for writing."""

from __future__ import annotations

from airflow_batch_inference.exceptions import ConfigurationError, DataError

SUFFIXES: dict[str, str] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".pqt": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
COMPRESSIONS: dict[str, str] = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
PART_FORMAT = "parquet"
"""Of all parts of prediction sets: in what format people read them is said where they are published."""
OUTPUT_SUFFIXES: dict[str, str] = {"parquet": ".parquet", "csv": ".csv", "arrow": ".arrow", "jsonl": ".jsonl"}


def format_of(uri: str) -> tuple[str, str | None]:
    """Return the format and the compression (or None) that a file's name tells.

    Raises
    ------
    DataError
        The name tells no known format.

    Examples
    --------
    >>> format_of("s3://bucket/day.csv.gz")
    ('csv', 'gzip')
    """
    name, compression = _uncompressed(uri)
    for suffix, kind in SUFFIXES.items():
        if name.endswith(suffix) and not (compression and kind in ("parquet", "arrow")):
            return kind, compression
    message = (
        f"The format of {uri} is unknown: its name ends with none of {', '.join(SUFFIXES)} "
        f"(csv and json lines also with {', '.join(COMPRESSIONS)}). Rename it, or leave it out with a glob "
        "(…/*.parquet)."
    )
    raise DataError(message)


def _uncompressed(uri: str) -> tuple[str, str | None]:
    name = uri.rsplit("/", 1)[-1].lower()
    for suffix, codec in COMPRESSIONS.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix), codec
    return name, None


def csv_separator(uri: str) -> str:
    """Return what separates the values of a CSV file of this name, where nobody says it."""
    return "\t" if _uncompressed(uri)[0].endswith(".tsv") else ","


def format_written(target: str, output_format: str | None) -> str:
    """Return in which format predictions are written to a target: that of its file's name, else the one asked for.

    Raises
    ------
    ConfigurationError
        The name says another format than the one asked for, or one that is not written under that name, as none is
        that is compressed; or there is no such format.

    Examples
    --------
    >>> format_written("/data/scores.csv", None), format_written("/data/scores", None)
    ('csv', 'parquet')
    """
    name, compression = _uncompressed(target)
    named = next((kind for suffix, kind in SUFFIXES.items() if name.endswith(suffix)), None)
    chosen = output_format or named or PART_FORMAT
    suffix = output_suffix(chosen)
    if named is not None and not target.endswith(suffix):
        what = f"{chosen}, without {compression}" if compression else chosen
        message = f"The target is {target}, but the format is {what}: end it with {suffix}, or give a folder."
        raise ConfigurationError(message)
    return chosen


def output_suffix(output_format: str) -> str:
    """Return the file suffix of an output format.

    Raises
    ------
    ConfigurationError
        The format is not one that can be written.
    """
    if output_format not in OUTPUT_SUFFIXES:
        message = f"output_format is {output_format!r}; it must be one of {', '.join(OUTPUT_SUFFIXES)}."
        raise ConfigurationError(message)
    return OUTPUT_SUFFIXES[output_format]
