"""Store a drift analysis: the statistics, a flat JSON, the HTML table, and last the result that names them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_batch_inference.reports.drift_html import render_drift_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.records import DriftResult, HistoryEntry, StatisticsRecord
    from airflow_batch_inference.storage.store import Storage


def store_drift(
    result: DriftResult,
    statistics: StatisticsRecord,
    *,
    folder: str,
    storage: Storage,
    features_drift: bytes,
    provenance: Mapping[str, str],
    previous: Sequence[HistoryEntry] = (),
) -> tuple[str, DriftResult]:
    """Write a drift analysis's artifacts and return the result's URI and the completed result.

    Parameters
    ----------
    result, statistics
        From :func:`~airflow_batch_inference.drift.analysis.analyse`.
    folder
        The task's folder in the artifact store; every file there is named after its content.
    storage
        Reaches it.
    features_drift
        Column to drift, as flat JSON.
    provenance
        Label to value, shown in the report.
    previous
        Earlier runs, oldest first, shown in the report.
    """
    statistics_uri = storage.put_record(folder, "dataset_statistics", statistics)
    flat = storage.put_content(folder, "features_drift_results", ".json", features_drift)
    report = render_drift_report(result, provenance=provenance, previous=previous).encode()
    report_uri = storage.put_content(folder, "drift_table_plot", ".html", report)
    completed = replace(result, statistics_uri=statistics_uri, features_drift_uri=flat, report_uri=report_uri)
    return storage.put_record(folder, "drift_results", completed), completed
