"""What a task has read and written, for OpenLineage, where Airflow's provider for it is installed.

All of it comes from the record that the task holds at its end, so a task that fails after it has recorded something
tells as much as one that succeeds.

Invariants: nothing of OpenLineage is imported before it asks; a name holds no credentials and no control character; and
an event stays small, however many files and columns there are.
"""

from __future__ import annotations

import logging
import posixpath
import re
from typing import TYPE_CHECKING, Any, Protocol

from airflow_batch_inference.exceptions import BatchInferenceError, ConfigurationError
from airflow_batch_inference.records import (
    DriftResult,
    DriftStatus,
    EvaluationRecord,
    LoggedArtifactsRecord,
    ModelRecord,
    PredictionSetRecord,
    StatisticsRecord,
)
from airflow_batch_inference.storage.uris import is_record_uri, normalize_uri
from airflow_batch_inference.wording.signs import visible
from airflow_batch_inference.wording.texts import said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_batch_inference.records import Record
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_OF_A_RUN = re.compile(r"run_id=.*|[0-9a-f]{16}")
MOST_DATASETS = 50
MOST_COLUMNS = 1000
MOST_EDGES = 10_000
"""Of the lineage of columns: inputs times outputs."""


class Recorder(Protocol):
    """What lineage needs of a task; its ``dataset`` is looked at too, where it has one."""

    recorded: tuple[str, Record] | None

    @property
    def storage(self) -> Storage:
        """Reaches the artifact store."""


def dataset_name(uri: str) -> tuple[str, str]:
    """Return the namespace and the name of a dataset, as OpenLineage's naming has them.

    A pattern is named by the folder that it begins in. What stands for the run and the job in a task's folder of the
    artifact store is left out: each run writes another version of the same dataset.

    Examples
    --------
    >>> dataset_name("s3://bucket/day=1/*.parquet"), dataset_name("/data/a.csv")
    (('s3://bucket', 'day=1'), ('file', '/data/a.csv'))

    Raises
    ------
    ConfigurationError
        It is no URI that may be used, such as one with credentials in it.
    """
    scheme, rest = normalize_uri(uri).split("://", 1)
    segments = rest.split("/")
    pattern = next((place for place, each in enumerate(segments) if re.search(r"[*?\[]", each)), len(segments))
    is_ours = re.search(r"/dag_id=[^/]+/run_id=[^/]+/task_id=", rest)
    kept = [each for each in segments[:pattern] if not (is_ours and _OF_A_RUN.fullmatch(each))]
    if scheme == "file":
        return "file", visible("/".join(kept)) or "/"
    return visible(f"{scheme}://{segments[0]}"), visible("/".join(kept[1:])) or "/"


def lineage_of(operator: Recorder) -> Any:  # noqa: ANN401  # OperatorLineage, where it is installed
    """Return a task's inputs and outputs as an ``OperatorLineage``; None where OpenLineage is not installed."""
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
    except ImportError:
        return None
    if operator.recorded is None:
        return OperatorLineage(inputs=_inputs(_asked(operator)))
    uri, record = operator.recorded
    for kind, build in _BUILDERS.items():
        if isinstance(record, kind):
            inputs, outputs = build(uri, record, operator.storage)
            return OperatorLineage(inputs=inputs, outputs=outputs)
    return OperatorLineage()


def _asked(operator: Recorder) -> list[str]:
    """Return the dataset that a task was to read, where it failed before it recorded anything."""
    given = getattr(operator, "dataset", None)
    uris = [given] if isinstance(given, str) else given if isinstance(given, (list, tuple)) else []
    return [uri for uri in uris if isinstance(uri, str) and not is_record_uri(uri)]


def _named(uris: Iterable[str]) -> list[tuple[str, str]]:
    """Return the names of datasets, each once; of very many files those of their folders."""
    names: dict[tuple[str, str], None] = {}
    for uri in uris:
        try:
            names[dataset_name(uri)] = None
        except ConfigurationError:
            log.debug("A dataset that has no name of its own is left out of the lineage")
    if len(names) > MOST_DATASETS:
        names = dict.fromkeys((namespace, posixpath.dirname(name) or "/") for namespace, name in names)
    return list(names)[:MOST_DATASETS]


def _inputs(uris: Iterable[str], facets: dict[str, Any] | None = None, **input_facets: Any) -> list[Any]:  # noqa: ANN401
    from openlineage.client.event_v2 import InputDataset

    return [
        InputDataset(namespace=namespace, name=name, facets=facets or {}, inputFacets=dict(input_facets))
        for namespace, name in _named(uris)
    ]


def _fitting(kind: type[Any], **values: Any) -> Any:  # noqa: ANN401  # what OpenLineage has
    """Make an object of OpenLineage's of those values that the installed version knows."""
    import attrs

    known = attrs.fields_dict(kind)
    return kind(**{name: value for name, value in values.items() if name in known})


# -- of each record ---------------------------------------------------------------------------------------------------


def _of_model(uri: str, record: ModelRecord, storage: Storage) -> tuple[list[Any], list[Any]]:  # noqa: ARG001
    from openlineage.client.facet_v2 import dataset_version_dataset

    version = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=said(record.sha256))
    return _inputs([record.model_uri], {"version": version}), []


def _of_predictions(uri: str, record: PredictionSetRecord, storage: Storage) -> tuple[list[Any], list[Any]]:  # noqa: ARG001
    assertions = [_rejects(record), *_checks(record)]
    sources = _data_of_all(record.dataset_uris, storage)
    inputs = _inputs(sources, None, dataQualityAssertions=_asserted(assertions))
    if len(inputs) == 1:
        inputs[0].inputFacets["dataQualityMetrics"] = _totals(record)
    model = _inputs([record.model_uri])
    return [*inputs, *model], _output(record, _folder(record), _column_lineage(record, _named(sources)))


def _of_drift(uri: str, record: DriftResult, storage: Storage) -> tuple[list[Any], list[Any]]:  # noqa: ARG001
    facets = {"dataQualityAssertions": _asserted(_drift_assertions(record))}
    if record.statistics_uri is not None:
        metrics = _column_metrics(record.statistics_uri, record.current_rows, storage)
        facets |= {} if metrics is None else {"dataQualityMetrics": metrics}
    return _inputs(_data_of(record.dataset_uri, storage), None, **facets), []


def _of_evaluation(uri: str, record: EvaluationRecord, storage: Storage) -> tuple[list[Any], list[Any]]:  # noqa: ARG001
    assertions = [
        {
            "assertion": verdict.metric,
            "success": verdict.passed,
            "actual": _text(verdict.value),
            "description": verdict.reason,
        }
        for verdict in record.verdicts
    ]
    return [*_inputs(_data_of_all(record.dataset_uris, storage), None, dataQualityAssertions=_asserted(assertions))], []


def _of_artifacts(uri: str, record: LoggedArtifactsRecord, storage: Storage) -> tuple[list[Any], list[Any]]:  # noqa: ARG001
    committed = [each for each in record.entries.values() if re.search(r"/_commits/\d{10}\.json$", each)]
    found = [_read(each, storage) for each in committed]
    sets = [each for each in found if isinstance(each, PredictionSetRecord)]
    inputs = _inputs(folder for each in sets if (folder := _folder(each)) is not None)
    if record.published_uri is None or len(sets) != 1:
        return inputs, []
    same = {column.name: [column.name] for column in sets[0].columns}
    lineage = _edges(same, _named(filter(None, [_folder(sets[0])])), identities=set(same))
    return inputs, _output(sets[0], record.published_uri, lineage)


_BUILDERS: dict[type[Record], Callable[..., tuple[list[Any], list[Any]]]] = {
    ModelRecord: _of_model,
    PredictionSetRecord: _of_predictions,
    DriftResult: _of_drift,
    EvaluationRecord: _of_evaluation,
    LoggedArtifactsRecord: _of_artifacts,
}


# -- prediction sets --------------------------------------------------------------------------------------------------


def _read(uri: str, storage: Storage) -> Record | None:
    try:
        return storage.read_record(uri)
    except (BatchInferenceError, OSError):
        log.debug("%s cannot be read, and is left out of the lineage", uri, exc_info=True)
        return None


def _folder(record: PredictionSetRecord) -> str | None:
    """Return the folder of a prediction set's parts."""
    return posixpath.dirname(record.parts[0].uri) if record.parts else None


def _data_of_all(uris: Iterable[str], storage: Storage) -> list[str]:
    return [place for uri in uris for place in _data_of(uri, storage)]


def _data_of(uri: str | None, storage: Storage) -> list[str]:
    """Return where the data lie that a URI means: a prediction set's, or its own."""
    if uri is None or not is_record_uri(uri):
        return [] if uri is None else [uri]
    record = _read(uri, storage)
    if not isinstance(record, PredictionSetRecord):
        return []
    folder = _folder(record)
    return list(record.dataset_uris) if folder is None else [folder]


def _output(record: PredictionSetRecord, uri: str | None, lineage: Any) -> list[Any]:  # noqa: ANN401  # a facet
    """Return a prediction set as it lies somewhere; nothing where it was not kept."""
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import dataset_version_dataset, output_statistics_output_dataset, schema_dataset

    if uri is None:
        return []
    fields = [
        schema_dataset.SchemaDatasetFacetFields(name=said(column.name), type=said(column.type))
        for column in record.columns[:MOST_COLUMNS]
    ]
    facets = {
        "schema": schema_dataset.SchemaDatasetFacet(fields=fields),
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=said(record.batch_id)),
    }
    if lineage is not None:
        facets["columnLineage"] = lineage
    written = _fitting(
        output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
        rowCount=record.rows_out,
        size=sum(part.size_bytes for part in record.parts),
        fileCount=len(record.parts),
    )
    return [
        OutputDataset(namespace=namespace, name=name, facets=facets, outputFacets={"outputStatistics": written})
        for namespace, name in _named([uri])
    ]


def _totals(record: PredictionSetRecord) -> Any:  # noqa: ANN401  # a facet
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset

    return _fitting(
        data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet,
        columnMetrics={},
        rowCount=sum(record.dataset_rows) or record.rows_in,
        bytes=sum(file.size_bytes for file in record.dataset),
        fileCount=len(record.dataset),
    )


def _column_lineage(record: PredictionSetRecord, sources: Sequence[tuple[str, str]]) -> Any:  # noqa: ANN401  # a facet
    """Return which input columns make which output columns: all of the model's a prediction, one itself."""
    from airflow_batch_inference.predictors.nesting import written_fields

    original = record.input_names
    inputs = [original.get(name, name) for name in record.feature_columns]
    made = {*record.label_columns, *record.added_columns}
    edges = {name: inputs if name in made else [original.get(name, name)] for name in written_fields(record)}
    return _edges(edges, sources, identities={name for name in edges if name not in made})


def _edges(edges: dict[str, list[str]], sources: Sequence[tuple[str, str]], *, identities: set[str]) -> Any:  # noqa: ANN401
    """Return the facet; None where there is nothing to say, or too much."""
    from openlineage.client.facet_v2 import column_lineage_dataset as facets

    count = len(sources) * sum(map(len, edges.values()))
    if not 0 < count <= MOST_EDGES:
        return None

    def step(name: str) -> Any:  # noqa: ANN401  # OpenLineage's
        subtype = "IDENTITY" if name in identities else "TRANSFORMATION"
        description = "" if name in identities else "predicted by the model"
        return facets.Transformation(type="DIRECT", subtype=subtype, description=description, masking=False)

    return facets.ColumnLineageDatasetFacet(
        fields={
            said(name): facets.Fields(
                inputFields=[
                    facets.InputField(
                        namespace=namespace, name=dataset, field=said(field), transformations=[step(name)]
                    )
                    for namespace, dataset in sources
                    for field in fields
                ]
            )
            for name, fields in edges.items()
            if fields
        }
    )


# -- data quality -----------------------------------------------------------------------------------------------------


def _asserted(assertions: Sequence[dict[str, Any]]) -> Any:  # noqa: ANN401  # a facet
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as facets

    made = [
        _fitting(
            facets.Assertion, **{key: said(value) if isinstance(value, str) else value for key, value in each.items()}
        )
        for each in assertions[:MOST_COLUMNS]
    ]
    return facets.DataQualityAssertionsDatasetFacet(assertions=made)


def _rejects(record: PredictionSetRecord) -> dict[str, Any]:
    return {
        "assertion": "no_rejected_rows",
        "success": record.rows_rejected == 0,
        "severity": "warn",
        "expected": "0",
        "actual": str(record.rows_rejected),
    }


def _checks(record: PredictionSetRecord) -> list[dict[str, Any]]:
    return [
        {
            "assertion": check.name,
            "success": not check.is_exceeded,
            "severity": "error" if check.action == "fail" else "warn",
            "content": check.expression,
            "contentType": "expression",
            "actual": str(check.rows),
        }
        for check in record.checks
    ]


def _drift_assertions(record: DriftResult) -> list[dict[str, Any]]:
    """Return the verdicts, in words without the values of rows: whoever reads events may not see the data."""
    from airflow_batch_inference.drift.reasons import reasons_without_values

    whole = {
        "assertion": "no_drift",
        "success": record.status != DriftStatus.DRIFT_DETECTED,
        "actual": str(record.status),
        "description": " ".join(reasons_without_values(record))[:1000],
    }
    columns = [
        {
            "assertion": "no_drift",
            "success": column.status != DriftStatus.DRIFT_DETECTED,
            "column": column.name,
            "actual": _text(column.effect),
            "expected": "1",
        }
        for column in record.columns
        if column.is_judged and column.status != DriftStatus.NOT_ANALYSED
    ]
    return [whole, *columns]


def _column_metrics(uri: str, rows: int, storage: Storage) -> Any:  # noqa: ANN401  # a facet
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as facets

    statistics = _read(uri, storage)
    if not isinstance(statistics, StatisticsRecord):
        return None
    columns = {}
    for column in statistics.columns[:MOST_COLUMNS]:
        values: dict[str, Any] = {"nullCount": column.missing, "count": float(column.rows)}
        if column.kind == "numeric":
            quantiles = {"0.25": column.q25, "0.5": column.q50, "0.75": column.q75}
            known = {name: value for name, value in quantiles.items() if value is not None}
            values |= {"min": column.min, "max": column.max, "quantiles": known}
        else:
            values["distinctCount"] = column.distinct
        columns[said(column.name)] = _fitting(facets.ColumnMetrics, **values)
    return _fitting(facets.DataQualityMetricsInputDatasetFacet, columnMetrics=columns, rowCount=rows)


def _text(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}"
