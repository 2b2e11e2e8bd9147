"""The operator that scores a labelled dataset, measures the model, and stops what is not good enough."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.sdk import Asset

from airflow_batch_inference import records
from airflow_batch_inference.exceptions import ConfigurationError, EmptyDatasetError, EvaluationFailedError
from airflow_batch_inference.links import EvaluationReportLink
from airflow_batch_inference.operators.announcements import announce
from airflow_batch_inference.operators.arguments import (
    choice,
    columns,
    csv_options,
    given_data,
    mapping,
    names,
    optional_text,
    require_csv_options,
    structure,
)
from airflow_batch_inference.operators.base import StoppableOperator, fence_of, push, task_key
from airflow_batch_inference.operators.groups.base import require_group
from airflow_batch_inference.operators.groups.compare import EarlierEvaluation
from airflow_batch_inference.operators.groups.engines import require_engine
from airflow_batch_inference.operators.groups.models import Problem
from airflow_batch_inference.operators.groups.rows import RowPolicy
from airflow_batch_inference.operators.inputs import read, resolve_model
from airflow_batch_inference.operators.stores import storage_for
from airflow_batch_inference.operators.task_context import destination_of, model_of
from airflow_batch_inference.storage.uris import task_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.evaluation.evaluate import Scored
    from airflow_batch_inference.evaluation.labelled import LabelledData
    from airflow_batch_inference.evaluation.limits import Limit
    from airflow_batch_inference.evaluation.spec import EvaluationSpec
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.operators.groups.engines import Processes, Threads
    from airflow_batch_inference.records import EvaluationRecord, ModelRecord

_PUSHED = {
    "classification": ("accuracy", "f1", "f1_macro", "roc_auc", "log_loss"),
    "regression": ("mae", "rmse", "r2"),
}

ON_FAILURE, ON_EMPTY = ("fail", "record"), ("fail", "skip")


class EvaluateModelOperator(StoppableOperator):
    """Score a labelled dataset, measure the model by scikit-learn's metrics, and fail where they miss their limits.

    The gate before a new model goes live. Returns the evaluation's URI; pushes ``passed``, ``rows``, ``model_sha256``
    and, where they are measured, ``accuracy``, ``f1``, ``f1_macro``, ``roc_auc`` and ``log_loss`` of a classification,
    ``mae``, ``rmse`` and ``r2`` of a regression by XCom. All is recorded before anything is raised. Every asset in
    ``outlets`` gets an event whose extra holds the verdict; an ``AssetAlias`` gets one only where the model passed.

    :param model: URI of a model record (``load.output``), an alias (``models/churn@champion``), or the URI of a model
        file whose format cannot run code. (templated)
    :param dataset: the labelled data, as :class:`PredictOperator` takes a dataset; a prediction set that has a column
        of labels too. (templated)
    :param label_columns: its column of true labels; of a model with several outputs one each, in their order. They are
        kept, and never reach the model. (templated)
    :param as_of: with an alias, the version that was live at this time; None: the newest. (templated)
    :param metrics: names of those to measure: of this package (docs/evaluation.md), or functions of
        ``sklearn.metrics`` that take (y_true, y_pred), such as ``mean_pinball_loss``; None: all that fit the
        problem. (templated)
    :param thresholds: metric to what it must reach: a number (the least value where more is better, the most of a loss
        or an error), ``{"min": …, "max": …}``, ``">=0.9"`` or ``"<=3"``. A metric without a value misses it.
        (templated)
    :param compare: :class:`EarlierEvaluation`: one to compare with, and how much worse than there the model may be.
        (templated)
    :param on_failure: what a missed limit does: ``fail`` the task without a retry, or ``record`` it only. (templated)
    :param problem: :class:`Problem`: classification or regression, the labels' classes, the decision threshold; None:
        told by the model and the labels. (templated)
    :param drop_columns: further columns that are not the model's inputs: names or positions. (templated)
    :param feature_columns: column names for a list of lists or an array. (templated)
    :param passthrough_columns: columns that are kept beside labels and predictions, such as a key. (templated)
    :param predict_kwargs: passed to the model's methods. (templated)
    :param on_empty: what no row, or no row with a label, means: ``fail`` or ``skip``. (templated)
    :param conn_id: Airflow connection that reaches the dataset. (templated)
    :param csv_options: what CSV files look like: a dict of ``separator``, ``decimal``, ``thousands``, ``quote``,
        ``escape``, ``encoding``, ``header``, ``names`` and ``null_words``; see docs/types.md. (templated)
    :param rows: :class:`RowPolicy`: what happens to rows that cannot be scored, or that do not fit; rejected rows are
        not evaluated. (templated)
    :param engine: how the rows are scored, on which the result does not depend: ``"auto"``, ``"threads"``,
        ``"processes"``, ``"in_process"``, the name of an engine that another package registers, :class:`Threads` or
        :class:`Processes`. (templated)
    """

    template_fields: Sequence[str] = (
        *StoppableOperator.template_fields,
        "model",
        "dataset",
        "label_columns",
        "as_of",
        "metrics",
        "thresholds",
        "compare",
        "on_failure",
        "problem",
        "drop_columns",
        "feature_columns",
        "passthrough_columns",
        "predict_kwargs",
        "on_empty",
        "conn_id",
        "csv_options",
        "rows",
        "engine",
    )
    operator_extra_links = (EvaluationReportLink(),)

    def __init__(
        self,
        *,
        model: str,
        dataset: object,
        label_columns: str | Sequence[str],
        as_of: str | datetime | None = None,
        metrics: str | Sequence[str] | None = None,
        thresholds: Mapping[str, object] | str | None = None,
        compare: EarlierEvaluation | None = None,
        on_failure: str = "fail",
        problem: Problem | None = None,
        drop_columns: str | int | Sequence[str | int] | None = None,
        feature_columns: Sequence[str] | None = None,
        passthrough_columns: str | Sequence[str] | None = None,
        predict_kwargs: Mapping[str, Any] | None = None,
        on_empty: str = "fail",
        conn_id: str | None = None,
        csv_options: Mapping[str, Any] | None = None,
        rows: RowPolicy | None = None,
        engine: str | Threads | Processes = "auto",
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.dataset = given_data("dataset", dataset)
        self.label_columns = label_columns
        self.as_of = as_of
        self.metrics = metrics
        self.thresholds = thresholds
        self.compare = compare
        require_group("compare", compare, EarlierEvaluation)
        self.on_failure = on_failure
        self.problem = problem
        require_group("problem", problem, Problem)
        self.drop_columns = drop_columns
        self.feature_columns = feature_columns
        self.passthrough_columns = passthrough_columns
        self.predict_kwargs = predict_kwargs
        self.on_empty = on_empty
        self.conn_id = conn_id
        self.csv_options = csv_options
        self.rows = rows
        require_group("rows", rows, RowPolicy)
        self.engine = require_engine(engine)
        self.require_absolute("model", "dataset")
        self.require_known(
            csv_options=require_csv_options,
            on_failure=partial(choice, allowed=ON_FAILURE),
            on_empty=partial(choice, allowed=ON_EMPTY),
            label_columns=names,
            metrics=names,
            thresholds=mapping,
            drop_columns=columns,
            feature_columns=names,
            passthrough_columns=names,
            predict_kwargs=mapping,
        )
        if self.engine.environment_variables:
            message = (
                "engine has environment_variables, which are set in worker processes, and an evaluation loads its "
                "model in the task itself. Leave them out."
            )
            raise ConfigurationError(message)

    def perform(self, context: Context) -> str:
        """Score, measure, record, then pass or fail."""
        from airflow_batch_inference.evaluation.evaluate import evaluate
        from airflow_batch_inference.reports.evaluation_artifacts import store_evaluation

        on_failure = choice("on_failure", self.on_failure, ON_FAILURE)
        on_empty = choice("on_empty", self.on_empty, ON_EMPTY)
        spec = self._spec()
        try:
            evaluation = evaluate(self._scored(spec, context), spec, self.storage)
        except EmptyDatasetError as error:
            if on_empty == "skip":
                raise AirflowSkipException(str(error)) from error
            raise
        folder = task_folder(self.root, task_key(context))
        uri, evaluation = store_evaluation(evaluation, folder=folder, storage=self.storage)
        self.recorded = uri, evaluation
        self._announce(uri, evaluation, context)
        if not evaluation.passed and on_failure == "fail":
            raise evaluation_error(evaluation, uri)
        return uri

    def _spec(self) -> EvaluationSpec:
        from airflow_batch_inference.evaluation.spec import EvaluationSpec

        problem, (baseline_uri, _) = (self.problem or Problem()).parse_all(), self._compared()
        return EvaluationSpec(
            label_columns=names("label_columns", self.label_columns) or (),
            problem=problem["kind"],
            classes=problem["classes"],
            decision_threshold=problem["decision_threshold"],
            metrics=names("metrics", self.metrics),
            limits=self._limits(),
            baseline=None
            if baseline_uri is None
            else (baseline_uri, read(records.EvaluationRecord, "compare", baseline_uri, self.storage)),
        )

    def _compared(self) -> tuple[str | None, dict[str, Any]]:
        """Return an earlier evaluation's URI, and how much worse each metric may be than there."""
        asked = (self.compare or EarlierEvaluation(None)).parse_all()
        return asked["evaluation"], asked["max_regression"]

    def _limits(self) -> tuple[Limit, ...]:
        from airflow_batch_inference.evaluation.limits import parse_regressions, parse_thresholds

        return (
            *parse_thresholds(mapping("thresholds", self.thresholds)),
            *parse_regressions(self._compared()[1]),
        )

    def _scored(self, spec: EvaluationSpec, context: Context) -> Scored:
        """Score the dataset and commit its prediction set."""
        from airflow_batch_inference.evaluation.evaluate import Scored
        from airflow_batch_inference.evaluation.labelled import require_labels
        from airflow_batch_inference.workflows.score import score_dataset

        request, described = self._request(spec, context)
        data_storage = self.data_storage(self.conn_id)
        require_labels(spec, request, data_storage)
        uri, record = score_dataset(
            request,
            storage=self.storage,
            data_storage=data_storage,
            stopped=self.is_stopped,
            resources=self.engine.resources(),
            engine=self.engine.create(),
            fence=fence_of(context),
        )
        self.log.info("Prediction set %s: %d rows, %s", record.name, record.rows_out, uri)
        return Scored(
            uri=uri,
            record=record,
            model_name=described.name,
            methods=request.options.methods,
            classes=spec.known_classes(described),
        )

    def _request(self, spec: EvaluationSpec, context: Context) -> tuple[ScoringRequest, ModelRecord]:
        """Return the scoring job, and the model's record; all that can be known to be wrong is refused here."""
        from airflow_batch_inference.evaluation.labelled import scoring_request
        from airflow_batch_inference.predictors.golden import load_checked

        uri = resolve_model(self.model, self.as_of, root=self.root, storage=self.storage)
        model, record, record_uri = model_of(uri, optional_text(self.conn_id), self.root, self.storage)
        model_storage = storage_for(record.conn_id)
        model = model or load_checked(record, model_storage=model_storage, storage=self.storage)
        spec.require_possible(model, record)
        rows = self.rows or RowPolicy()
        request = scoring_request(
            spec,
            self._data(),
            model=model,
            record=record,
            record_uri=record_uri,
            destination=destination_of(context, self.root, None),
            policy=rows.policy(),
            model_storage=model_storage,
        )
        return self.engine.applied_to(rows.applied_to(request)), record

    def _data(self) -> LabelledData:
        from airflow_batch_inference.evaluation.labelled import LabelledData

        return LabelledData(
            dataset=structure(self.dataset),
            drop_columns=columns("drop_columns", self.drop_columns),
            feature_columns=names("feature_columns", self.feature_columns),
            kept_columns=names("passthrough_columns", self.passthrough_columns) or (),
            predict_kwargs=mapping("predict_kwargs", self.predict_kwargs),
            csv=csv_options(self.csv_options),
        )

    def _announce(self, uri: str, evaluation: EvaluationRecord, context: Context) -> None:
        """Log the verdict, push it, and attach it to the asset events."""
        told = "passed" if evaluation.passed else "not good enough"
        self.log.info("Model %s: %s. Report: %s", evaluation.model_name, told, evaluation.report_uri)
        for verdict in evaluation.verdicts:
            self.log.log(
                20 if verdict.passed else 30, "%s: %s", "passes" if verdict.passed else "fails", verdict.reason
            )
        values = {
            "passed": evaluation.passed,
            "rows": evaluation.rows,
            "model_sha256": evaluation.model_sha256,
            **{name: evaluation.metrics.get(name) for name in _PUSHED[evaluation.problem]},
        }
        push(context, values)
        extra = {**values, "evaluation_uri": uri, "report_uri": evaluation.report_uri}
        announce(
            "evaluation",
            extra,
            self.outlets,
            context,
            lambda alias: Asset(alias.name) if evaluation.passed else None,
        )


def evaluation_error(evaluation: EvaluationRecord, uri: str) -> EvaluationFailedError:
    """Return the error that says which metrics missed their limits, and where the report lies."""
    reasons = " ".join(verdict.reason for verdict in evaluation.verdicts if not verdict.passed)
    message = (
        f"The model {evaluation.model_name} is not good enough: {reasons} Report: {evaluation.report_uri}. "
        f"Evaluation: {uri}."
    )
    return EvaluationFailedError(message)
