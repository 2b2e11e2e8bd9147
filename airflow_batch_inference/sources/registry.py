"""Which kinds of datasets there are, and which of them a dataset is.

Built-in kinds stand in a table of strings, others register under the entry-point group
``airflow_batch_inference.sources``.

Invariants: nothing is imported before a dataset is opened, and others are asked before the built-in kinds, which take
any text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.registry import Registry
from airflow_batch_inference.sources.kinds import OpenRequest
from airflow_batch_inference.storage.uris import plain_uris

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_batch_inference.records import ReadOptions
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.sources.kinds import SourceKind
    from airflow_batch_inference.storage.store import Storage

GROUP = "airflow_batch_inference.sources"

_KINDS = Registry(
    what="source",
    group=GROUP,
    built_in={
        "inline": "airflow_batch_inference.sources.rows:InlineKind",
        "files": "airflow_batch_inference.sources.files:FileKind",
    },
)


def source_kinds() -> Iterator[SourceKind]:
    """Yield the kinds of datasets in the order in which they are asked."""
    yield from _KINDS.create_all()


def open_dataset(
    dataset: object,
    storage: Storage,
    *,
    feature_columns: Sequence[str] | None = None,
    dropped_positions: Sequence[int] = (),
    model_names: Sequence[str] | None = None,
    reading: ReadOptions | None = None,
    tolerant: bool = False,
    text_alike: bool = False,
    is_scored: bool = False,
    raise_if_stopped: Callable[[], None] = lambda: None,
) -> Dataset:
    """Open a dataset of any kind; the parameters are those of :class:`~.kinds.OpenRequest`.

    Raises
    ------
    ConfigurationError
        No kind takes it.
    ArtifactNotFoundError, DataError
        It is missing, damaged, or cannot be read.
    """
    dataset = plain_uris(dataset)
    request = OpenRequest(
        storage=storage,
        feature_columns=feature_columns,
        dropped_positions=dropped_positions,
        model_names=model_names,
        reading=reading,
        is_tolerant=tolerant,
        is_text_alike=text_alike,
        is_scored=is_scored,
        raise_if_stopped=raise_if_stopped,
    )
    for kind in source_kinds():
        if kind.claims(dataset):
            return kind.open(dataset, request)
    message = (
        f"dataset is a {type(dataset).__name__}; give a URI, a list of URIs, inline records (lists or dicts), a "
        "NumPy array, a pandas or polars DataFrame, or an Arrow table."
    )
    raise ConfigurationError(message)
