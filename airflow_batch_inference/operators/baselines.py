"""What a ``baseline`` argument means: a baseline that this package has made, or MLRun's statistics of a sample set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_batch_inference import records
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators.inputs import read
from airflow_batch_inference.storage.uris import is_record_uri

if TYPE_CHECKING:
    from airflow_batch_inference.records import BaselineRecord
    from airflow_batch_inference.storage.store import Storage


def given_baseline(
    given: object, *, storage: Storage, data_storage: Storage
) -> tuple[str | None, BaselineRecord] | None:
    """Return a baseline, with its URI where it is stored; None where none is given.

    Parameters
    ----------
    given
        URI of a baseline; MLRun's statistics as a dict, or the URI of a JSON or YAML file that holds them.
    storage, data_storage
        Reach the artifact store, and such a file.

    Raises
    ------
    ConfigurationError
        It is neither.
    """
    from airflow_batch_inference.compat.mlrun.statistics import SUFFIXES, read_statistics, statistics_baseline
    from airflow_batch_inference.sources.recorded import record_at

    if given is None:
        return None
    if isinstance(given, Mapping):
        return None, statistics_baseline(given, where="baseline")
    if not isinstance(given, str):
        message = f"baseline is a {type(given).__name__}; give the URI of a baseline, or MLRun's statistics as a dict."
        raise ConfigurationError(message)
    is_ours = is_record_uri(given) and record_at(given, storage) is not None
    if not is_ours and given.lower().endswith(SUFFIXES) and record_at(given, data_storage) is None:
        return None, read_statistics(given, data_storage)
    return given, read(records.BaselineRecord, "baseline", given, storage)
