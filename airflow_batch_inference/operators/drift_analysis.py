"""The operator that compares a dataset with a reference and records the verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError
from airflow_batch_inference.operators.arguments import choice, number, optional_boolean, optional_text, structure
from airflow_batch_inference.operators.base import BatchInferenceOperator, alert, push, storage_for, task_key
from airflow_batch_inference.operators.drift_gate import drift_error
from airflow_batch_inference.records import DriftStatus, ModelRecord, PredictionSetRecord, StatisticsRecord
from airflow_batch_inference.storage import is_record_uri, task_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.datasets.dataset import Dataset
    from airflow_batch_inference.records import DriftResult
    from airflow_batch_inference.storage import Storage


class DriftAnalysisOperator(BatchInferenceOperator):
    """Compare a dataset with its model's baseline, or with a sample set, and record the verdict with its report.

    Returns the drift result's URI; pushes ``drift_status`` and ``drift_metric`` by XCom. All is recorded before
    anything is raised.

    :param dataset: URI of a prediction set (``predict.output``), or a dataset as :class:`PredictOperator` takes it.
        (templated)
    :param model: URI of the model record whose baseline is the reference; None: that of the prediction set.
        (templated)
    :param sample_set: a dataset to compare with; wins over the baseline. (templated)
    :param perform_drift_analysis: True demands something to compare with; False analyses nothing; None: yes where
        there is something to compare with. (templated)
    :param drift_threshold: ``DRIFT_DETECTED`` at or over it, in [0, 1]. (templated)
    :param possible_drift_threshold: ``POSSIBLE_DRIFT`` at or over it, in [0, 1]. (templated)
    :param inf_capping: stands for an infinite metric. (templated)
    :param rule: how the verdict is found: ``mlrun``, the mean over the columns of (TVD + Hellinger) / 2. (templated)
    :param edges: ``padded``: values outside the reference's range count in bins of their own; ``open``: they are
        left out, as MLRun before 1.5 did. (templated)
    :param min_rows: below this number of rows the verdict is ``INSUFFICIENT``. (templated)
    :param on_drift: ``record``, ``alert`` (warn and notify), or ``fail`` the task. (templated)
    :param notifiers: Airflow notifiers that ``alert`` and ``fail`` call; their templates may use
        ``{{ drift.status }}``, ``drift.metric``, ``drift.reasons``, ``drift.report_uri``.
    :param conn_id: Airflow connection that reaches the dataset and the sample set. (templated)
    """

    template_fields: Sequence[str] = (
        *BatchInferenceOperator.template_fields,
        "dataset",
        "model",
        "sample_set",
        "perform_drift_analysis",
        "drift_threshold",
        "possible_drift_threshold",
        "inf_capping",
        "rule",
        "edges",
        "min_rows",
        "on_drift",
        "conn_id",
    )

    def __init__(
        self,
        *,
        dataset: object,
        model: str | None = None,
        sample_set: object = None,
        perform_drift_analysis: bool | str | None = None,
        drift_threshold: float | str = 0.7,
        possible_drift_threshold: float | str = 0.5,
        inf_capping: float | str = 10.0,
        rule: str = "mlrun",
        edges: str = "padded",
        min_rows: int | str = 30,
        on_drift: str = "record",
        notifiers: Sequence[Any] = (),
        conn_id: str | None = None,
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.model = model
        self.sample_set = sample_set
        self.perform_drift_analysis = perform_drift_analysis
        self.drift_threshold = drift_threshold
        self.possible_drift_threshold = possible_drift_threshold
        self.inf_capping = inf_capping
        self.rule = rule
        self.edges = edges
        self.min_rows = min_rows
        self.on_drift = on_drift
        self.notifiers = notifiers
        self.conn_id = conn_id

    def perform(self, context: Context) -> str:
        """Compare, record, then alert or fail."""
        from airflow_batch_inference.reports.drift_artifacts import store_drift

        on_drift = choice("on_drift", self.on_drift, {"record", "alert", "fail"})
        key = task_key(context)
        result, statistics = self._analyse()
        provenance = {
            "DAG": key.dag_id,
            "Run": key.run_id,
            "Batch": result.batch_id or "",
            "Dataset": result.dataset_uri or "",
            "Model SHA-256": result.model_sha256 or "",
            "Baseline": result.baseline_uri or "",
        }
        uri, result = store_drift(
            result, statistics, folder=task_folder(self.root, key), storage=self.storage, provenance=provenance
        )
        self.log.info(
            "%s (drift metric %s). %s Report: %s",
            result.status,
            result.drift_metric,
            " ".join(result.reasons),
            result.report_uri,
        )
        if result.missing_columns:
            self.log.warning(
                "The reference has %d column(s) that the data lack (%s): their drift cannot be seen. A prediction set "
                "holds the inputs that passthrough_columns keeps",
                len(result.missing_columns),
                ", ".join(result.missing_columns),
            )
        push(context, {"drift_status": str(result.status), "drift_metric": result.drift_metric})
        if result.status == DriftStatus.DRIFT_DETECTED and on_drift != "record":
            alert(result, uri, self.notifiers, context)
            if on_drift == "fail":
                raise drift_error(result, uri)
        return uri

    def _analyse(self) -> tuple[DriftResult, StatisticsRecord]:
        from airflow_batch_inference.drift.analysis import analyse
        from airflow_batch_inference.drift.rules import DriftRule

        rule = DriftRule(
            name=self.rule,
            drift_threshold=number("drift_threshold", self.drift_threshold, low=0, high=1),
            possible_drift_threshold=number("possible_drift_threshold", self.possible_drift_threshold, low=0, high=1),
            inf_capping=number("inf_capping", self.inf_capping, low=0),
            edges="open" if choice("edges", self.edges, {"padded", "open"}) == "open" else "padded",
            min_rows=int(number("min_rows", self.min_rows, low=0)),
        )
        predictions = self._prediction_set()
        dataset, dataset_uri = self._dataset(predictions)
        baseline, baseline_uri = self._reference(predictions)
        result, statistics = analyse(
            baseline,
            dataset.columns(),
            column_names=dataset.schema.names,
            rows=predictions.rows_out if predictions else dataset.count_rows(),
            source=dataset.snapshot,
            rule=rule,
        )
        completed = replace(
            result,
            baseline_uri=baseline_uri,
            dataset_uri=dataset_uri,
            batch_id=predictions.batch_id if predictions else None,
            model_sha256=predictions.model_sha256 if predictions else None,
        )
        return completed, statistics

    def _prediction_set(self) -> PredictionSetRecord | None:
        if not is_record_uri(self.dataset):
            return None
        record = self.storage.read_record(str(self.dataset))
        if not isinstance(record, PredictionSetRecord):
            message = f"dataset is {self.dataset}, which is no prediction set. Give the output of a PredictOperator."
            raise ConfigurationError(message)
        return record

    def _dataset(self, predictions: PredictionSetRecord | None) -> tuple[Dataset, str | None]:
        """Open the rows to judge: a prediction set's, its inputs where the rows were not kept, or any dataset."""
        from airflow_batch_inference.datasets.dataset import open_dataset

        if predictions is not None and predictions.kept:
            # Text formats do not keep types: "007" must not come back as 7.
            types = () if predictions.output_format in ("parquet", "arrow") else predictions.columns
            parts = [part.uri for part in predictions.parts]
            return open_dataset(parts, self.storage, types=types), str(self.dataset)
        data_storage = storage_for(optional_text(self.conn_id))
        if predictions is not None:
            return self._inputs(predictions, data_storage), str(self.dataset)
        given = structure(self.dataset)
        return open_dataset(given, data_storage), given if isinstance(given, str) else None

    def _inputs(self, predictions: PredictionSetRecord, storage: Storage) -> Dataset:
        """Open what a prediction set was made from, if it is still there as it was."""
        from airflow_batch_inference.datasets.dataset import open_dataset

        if not predictions.dataset_uris:
            message = (
                f"The rows of {self.dataset} were not kept (log_result_set=False) and came from inline records: "
                "nothing is left to analyse. Set log_result_set=True."
            )
            raise ConfigurationError(message)
        dataset = open_dataset(list(predictions.dataset_uris), storage, tolerant=True)
        if dataset.snapshot != predictions.dataset:
            message = (
                f"The input of {self.dataset} ({', '.join(predictions.dataset_uris)}) has changed since it was scored. "
                "Score it again, or keep the rows (log_result_set=True)."
            )
            raise ArtifactIntegrityError(message)
        return dataset

    def _reference(self, predictions: PredictionSetRecord | None) -> tuple[StatisticsRecord | None, str | None]:
        """Find what to compare with: the sample set, the model's baseline, or nothing."""
        demanded = optional_boolean("perform_drift_analysis", self.perform_drift_analysis)
        if demanded is False:
            return None, None
        sample_set = structure(self.sample_set)
        record = self._model_record(predictions)
        if sample_set is not None:
            return self._from_sample_set(sample_set, record), None
        baseline_uri = record.baseline_uri if record else predictions.baseline_uri if predictions else None
        if baseline_uri is None:
            if demanded:
                message = (
                    "perform_drift_analysis is True, but there is nothing to compare with: the model has no baseline "
                    "and no sample_set is given. Give sample_set here, or to the LoadModelOperator."
                )
                raise ConfigurationError(message)
            return None, None
        baseline = self.storage.read_record(baseline_uri)
        if not isinstance(baseline, StatisticsRecord):
            message = f"The baseline {baseline_uri} holds no statistics. Run the task that loads the model again."
            raise ConfigurationError(message)
        return baseline, baseline_uri

    def _from_sample_set(self, sample_set: object, record: ModelRecord | None) -> StatisticsRecord:
        from airflow_batch_inference.drift.statistics import dataset_statistics
        from airflow_batch_inference.registration import input_names, open_sample_set

        sample = open_sample_set(sample_set, storage_for(optional_text(self.conn_id)), names=input_names(record))
        return dataset_statistics(sample.columns(), rows=sample.count_rows(), source=sample.snapshot)

    def _model_record(self, predictions: PredictionSetRecord | None) -> ModelRecord | None:
        uri = optional_text(self.model) or (predictions.model_record_uri if predictions else None)
        if uri is None:
            return None
        record = self.storage.read_record(uri) if is_record_uri(uri) else None
        if not isinstance(record, ModelRecord):
            message = f"model is {uri}, which is no model record. Give the output of a LoadModelOperator."
            raise ConfigurationError(message)
        return record
