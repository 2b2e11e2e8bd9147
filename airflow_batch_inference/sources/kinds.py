"""What a kind of dataset is: how users name it, and how it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_batch_inference.records import ReadOptions
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """How a dataset is to be opened.

    Attributes
    ----------
    storage
        Reaches files.
    feature_columns, dropped_positions
        Of inline lists without names: what their columns are called, and which are left out.
    model_names
        The inputs that a model takes (for lists without names, for pandas' index, and to tell whether the first row of
        a CSV file has names).
    reading
        How text files are read, and which types somebody wants.
    is_tolerant
        Whether lines of text files that cannot be read are rows that mini-batches name as broken.
    is_text_alike
        Whether a column that is text in one CSV file is text in all; so it is with ``is_tolerant``.
    is_scored
        Whether the caller has arguments for the columns of inline lists.
    raise_if_stopped
        Called several times a second while many files are looked at; raises to stop.
    """

    storage: Storage
    feature_columns: Sequence[str] | None = None
    dropped_positions: Sequence[int] = ()
    model_names: Sequence[str] | None = None
    reading: ReadOptions | None = None
    is_tolerant: bool = False
    is_text_alike: bool = False
    is_scored: bool = False
    raise_if_stopped: Callable[[], None] = lambda: None


class SourceKind(Protocol):
    """A kind of dataset that users can name; made without arguments, importing nothing heavy."""

    def claims(self, dataset: object) -> bool:
        """Say whether a dataset, as it was given, is of this kind; nothing is read."""

    def open(self, dataset: object, request: OpenRequest) -> Dataset:
        """Find out what the dataset holds, and at which version.

        Raises
        ------
        ConfigurationError, ArtifactNotFoundError, DataError
            It is missing, damaged, or cannot be read.
        """
