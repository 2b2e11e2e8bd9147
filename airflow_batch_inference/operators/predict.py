"""The operator that scores a dataset and commits the prediction set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_batch_inference.exceptions import ConfigurationError, EmptyDatasetError
from airflow_batch_inference.operators.arguments import (
    boolean,
    choice,
    columns,
    mapping,
    names,
    optional_text,
    structure,
)
from airflow_batch_inference.operators.base import BatchInferenceOperator, push, storage_for, task_key
from airflow_batch_inference.records import ModelRecord, fingerprint
from airflow_batch_inference.storage import is_record_uri

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.scoring.request import Destination, ScoringOptions, ScoringRequest


class PredictOperator(BatchInferenceOperator):
    """Score a dataset in mini-batches and commit the prediction set: inputs and predictions, in input order.

    Returns the commit's URI; pushes ``rows``, ``batch_id`` and ``model_sha256`` by XCom. Nothing is visible before
    the whole set is; the same job run again returns the commit that is there.

    :param model: URI of a model record (``load.output``), or of a model file whose format cannot run code. (templated)
    :param dataset: a file, folder, glob or list of URIs of Parquet, CSV, Arrow/Feather or JSON lines, or small inline
        records: list of lists, list of dicts, dict of columns. (templated)
    :param drop_columns: columns to leave out, of the model's inputs and of the output: names or positions; for a
        list of lists positions. (templated)
    :param feature_columns: column names for a list of lists; None: the model's. (templated)
    :param label_columns: names of the prediction columns; None: those of the model record, the model's own, or
        ``predicted_label`` (``predicted_label_0``, … for several). (templated)
    :param predict_method: ``predict``, ``predict_proba`` or ``decision_function``. (templated)
    :param predict_kwargs: passed to it. (templated)
    :param output_format: ``parquet``, ``csv``, ``arrow`` or ``jsonl``. (templated)
    :param result_set_name: the prediction set's name in the catalogue. (templated)
    :param log_result_set: whether the rows are kept; False: they are scored and counted only. (templated)
    :param passthrough_columns: input columns of the output: ``"all"``, a list, or None for none. (templated)
    :param mini_batch_rows: rows a predict call, or ``"auto"``; the output does not depend on it. (templated)
    :param on_empty: what no row at all means: ``fail``, ``skip``, or ``succeed`` with an empty prediction set.
        (templated)
    :param batch_id: id of the batch; None: made from the run, the same for each try. (templated)
    :param conn_id: Airflow connection that reaches the dataset. (templated)
    """

    template_fields: Sequence[str] = (
        *BatchInferenceOperator.template_fields,
        "model",
        "dataset",
        "drop_columns",
        "feature_columns",
        "label_columns",
        "predict_method",
        "predict_kwargs",
        "output_format",
        "result_set_name",
        "log_result_set",
        "passthrough_columns",
        "mini_batch_rows",
        "on_empty",
        "batch_id",
        "conn_id",
    )
    _stop_requested = False

    def __init__(
        self,
        *,
        model: str,
        dataset: object,
        drop_columns: str | int | Sequence[str | int] | None = None,
        feature_columns: Sequence[str] | None = None,
        label_columns: str | Sequence[str] | None = None,
        predict_method: str = "predict",
        predict_kwargs: Mapping[str, Any] | None = None,
        output_format: str = "parquet",
        result_set_name: str = "prediction",
        log_result_set: bool | str = True,
        passthrough_columns: str | Sequence[str] | None = "all",
        mini_batch_rows: int | str = "auto",
        on_empty: str = "fail",
        batch_id: str | None = None,
        conn_id: str | None = None,
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.dataset = dataset
        self.drop_columns = drop_columns
        self.feature_columns = feature_columns
        self.label_columns = label_columns
        self.predict_method = predict_method
        self.predict_kwargs = predict_kwargs
        self.output_format = output_format
        self.result_set_name = result_set_name
        self.log_result_set = log_result_set
        self.passthrough_columns = passthrough_columns
        self.mini_batch_rows = mini_batch_rows
        self.on_empty = on_empty
        self.batch_id = batch_id
        self.conn_id = conn_id

    def perform(self, context: Context) -> str:
        """Load the model, score, commit."""
        from airflow_batch_inference.scoring.job import score_dataset

        on_empty = choice("on_empty", self.on_empty, {"fail", "skip", "succeed"})
        try:
            uri, record = score_dataset(
                self._request(context, on_empty),
                storage=self.storage,
                data_storage=storage_for(optional_text(self.conn_id)),
                stopped=lambda: self._stop_requested,
            )
        except EmptyDatasetError as error:
            if on_empty == "skip":
                raise AirflowSkipException(str(error)) from error
            raise
        self.log.info("Prediction set %s: %d rows, %s", record.name, record.rows_out, uri)
        push(context, {"rows": record.rows_out, "batch_id": record.batch_id, "model_sha256": record.model_sha256})
        return uri

    def on_kill(self) -> None:
        """Ask the scoring loop to end before its next mini-batch; it then commits nothing."""
        self._stop_requested = True

    def _request(self, context: Context, on_empty: str) -> ScoringRequest:
        from airflow_batch_inference.scoring.request import ScoringRequest

        model, record = self._load()
        return ScoringRequest(
            model=model,
            record=record,
            model_record_uri=self.model if is_record_uri(self.model) else None,
            dataset=structure(self.dataset),
            options=self._options(),
            destination=self._destination(context),
            rows_per_batch=self.mini_batch_rows,
            on_empty="succeed" if on_empty == "succeed" else "fail",
        )

    def _load(self) -> tuple[LoadedModel, ModelRecord]:
        """Load the model of a record, as it was verified; or a plain model file."""
        from airflow_batch_inference.loading import load_recorded
        from airflow_batch_inference.registration import ModelRequest, describe_model

        if not is_record_uri(self.model):
            conn_id = optional_text(self.conn_id)
            return describe_model(ModelRequest(model_uri=self.model, conn_id=conn_id), storage=storage_for(conn_id))
        record = self.storage.read_record(self.model)
        if not isinstance(record, ModelRecord):
            message = f"model is {self.model}, which is no model record. Give the output of a LoadModelOperator."
            raise ConfigurationError(message)
        return load_recorded(record, storage=storage_for(record.conn_id)), record

    def _options(self) -> ScoringOptions:
        from airflow_batch_inference.scoring.request import ScoringOptions

        passthrough = structure(self.passthrough_columns)
        kept: Literal["all"] | tuple[str, ...] | None = (
            "all" if passthrough == "all" else names("passthrough_columns", passthrough)
        )
        return ScoringOptions(
            name=self.result_set_name,
            drop_columns=columns("drop_columns", self.drop_columns),
            feature_columns=names("feature_columns", self.feature_columns),
            label_columns=names("label_columns", self.label_columns),
            passthrough_columns=kept,
            predict_method=self.predict_method,
            predict_kwargs=mapping("predict_kwargs", self.predict_kwargs),
            output_format=self.output_format,
            keep=boolean("log_result_set", self.log_result_set),
        )

    def _destination(self, context: Context) -> Destination:
        from airflow_batch_inference.scoring.request import Destination

        key, ti = task_key(context), context["ti"]
        return Destination(
            root=self.root,
            task=key,
            attempt=f"{ti.try_number}-{str(ti.id)[-12:]}",
            batch_id=optional_text(self.batch_id)
            or fingerprint([key.dag_id, key.run_id, key.task_id, key.map_index])[:16],
        )
