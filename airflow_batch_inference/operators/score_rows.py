"""What operators that score rows have in common: the dataset, the output, the checks, and one workflow that is called.

Invariants: an argument that means nothing for rows is none of the constructor's; and one that can never work is refused
when the DAG is parsed, where no template is yet to make it.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_batch_inference.exceptions import CheckFailedError, ConfigurationError, EmptyDatasetError
from airflow_batch_inference.links import PredictionsLink
from airflow_batch_inference.operators.arguments import (
    boolean,
    callables,
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
from airflow_batch_inference.operators.base import StoppableOperator, fence_of, push
from airflow_batch_inference.operators.checks import announce_checks, layout_options, refuse_expressions, require_checks
from airflow_batch_inference.operators.groups.base import require_group
from airflow_batch_inference.operators.groups.engines import require_engine
from airflow_batch_inference.operators.groups.output import require_layout
from airflow_batch_inference.operators.groups.publication import WHERE_FORMATS_ARE, targets_behind
from airflow_batch_inference.operators.groups.rows import RowPolicy
from airflow_batch_inference.operators.model_argument import report_of_challengers, scalars
from airflow_batch_inference.operators.task_context import destination_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import BaseOperatorLink
    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.jobs.request import ScoringOptions, ScoringRequest
    from airflow_batch_inference.operators.groups.engines import Processes, Threads
    from airflow_batch_inference.operators.groups.output import Layout, WallarooLayout
    from airflow_batch_inference.predictors.graphs.base import ModelGraph

ON_EMPTY = ("fail", "skip", "succeed")


class RowScoringOperator(StoppableOperator):
    """Score a dataset in mini-batches and commit the prediction set; subclasses say with what.

    :param dataset: a file, folder, glob or list of URIs of Parquet, CSV, Arrow/Feather, JSON lines or JSON lists of
        objects; the URI of a prediction set (``predict.output``), which means its rows; or at most 10,000 rows in the
        DAG file or by XCom: list of lists, list of dicts, dict of columns, NumPy array, pandas or polars data frame,
        Arrow table. (templated)
    :param drop_columns: columns to leave out, of the model's inputs and of the output: names or positions; for a
        list of lists or an array positions. (templated)
    :param feature_columns: column names for a list of lists, an array, or a frame whose columns are numbered; None: the
        model's (of a frame, its own). (templated)
    :param label_columns: names of the prediction columns; None: those of the model record, the model's own, or
        ``predicted_label`` (``predicted_label_0``, … for several). (templated)
    :param passthrough_columns: input columns of the output: ``"all"``, a list, or None for none. Drift is seen in those
        columns only, where it is analysed on the prediction set. (templated)
    :param result_set_name: the prediction set's name in the catalogue. (templated)
    :param log_result_set: whether the rows are kept; False: they are scored and counted only. (templated)
    :param on_empty: what no row at all means: ``fail``, ``skip``, or ``succeed`` with an empty prediction set.
        (templated)
    :param batch_id: id of the batch; None: made from the run, the same for each try. (templated)
    :param conn_id: Airflow connection that reaches the dataset. (templated)
    :param csv_options: what CSV files look like: a dict of ``separator``, ``decimal``, ``thousands``, ``quote``,
        ``escape``, ``encoding``, ``header``, ``names`` and ``null_words``; see docs/types.md. (templated)
    :param rows: :class:`RowPolicy`: what happens to rows that cannot be scored, or that do not fit. (templated)
    :param checks: validation checks: a dict of names to expressions over ``in.<field>`` and ``out.<output>``
        (``"out.predicted_label > 0.9"``), or to ``{"when": expression, "max_rate": 0.01, "action": "fail"}``. They add
        the column ``check_failures``. For more than ``max_rate`` of the rows, ``fail`` fails the task before anything
        is committed, and ``alert`` calls the notifiers; ``quarantine`` sets each such row aside, and fails above
        ``max_rate``. (templated)
    :param notifiers: called with ``{{ checks }}`` when a check holds for too many rows, whatever its action.
    :param layout: :class:`WallarooLayout`: the output has Wallaroo's columns; :class:`Layout`, or its name: those of a
        layout that another package registers; None: the input's columns, then the predictions. (templated)
    :param engine: how the job is run, on which the output does not depend: ``"auto"``, ``"threads"``,
        ``"processes"``, ``"in_process"``, the name of an engine that another package registers, :class:`Threads` or
        :class:`Processes`. (templated)
    """

    template_fields: Sequence[str] = (
        *StoppableOperator.template_fields,
        "dataset",
        "drop_columns",
        "feature_columns",
        "label_columns",
        "passthrough_columns",
        "result_set_name",
        "log_result_set",
        "on_empty",
        "batch_id",
        "conn_id",
        "csv_options",
        "rows",
        "checks",
        "layout",
        "engine",
    )
    operator_extra_links: Sequence[BaseOperatorLink] = (PredictionsLink(),)

    def __init__(
        self,
        *,
        dataset: object,
        drop_columns: str | int | Sequence[str | int] | None = None,
        feature_columns: Sequence[str] | None = None,
        label_columns: str | Sequence[str] | None = None,
        passthrough_columns: str | Sequence[str] | None = "all",
        result_set_name: str = "prediction",
        log_result_set: bool | str = True,
        on_empty: str = "fail",
        batch_id: str | None = None,
        conn_id: str | None = None,
        csv_options: Mapping[str, Any] | None = None,
        rows: RowPolicy | None = None,
        checks: Mapping[str, Any] | None = None,
        notifiers: object = None,
        layout: WallarooLayout | Layout | str | None = None,
        engine: str | Threads | Processes = "auto",
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        if "output_format" in kwargs:
            message = f"output_format is no argument of the task {kwargs.get('task_id')!r}. {WHERE_FORMATS_ARE}"
            raise ConfigurationError(message)
        super().__init__(**kwargs)
        self.dataset = given_data("dataset", dataset)
        self.drop_columns = drop_columns
        self.feature_columns = feature_columns
        self.label_columns = label_columns
        self.passthrough_columns = passthrough_columns
        self.result_set_name = result_set_name
        self.log_result_set = log_result_set
        self.on_empty = on_empty
        self.batch_id = batch_id
        self.conn_id = conn_id
        self.csv_options = csv_options
        self.rows = rows
        require_group("rows", rows, RowPolicy)
        self.checks = checks
        self.notifiers = notifiers
        self.layout = require_layout(layout)
        self.engine = require_engine(engine)
        self.require_absolute("dataset")
        self.require_known(
            csv_options=require_csv_options,
            on_empty=partial(choice, allowed=ON_EMPTY),
            log_result_set=boolean,
            drop_columns=columns,
            feature_columns=names,
            label_columns=names,
            passthrough_columns=names,
            checks=require_checks,
        )
        refuse_expressions(checks)
        callables("notifiers", notifiers)

    def perform(self, context: Context) -> str | None:
        """Score the rows, commit, and say so."""
        from airflow_batch_inference.workflows.score import score_dataset

        on_empty = choice("on_empty", self.on_empty, ON_EMPTY)
        notifiers = callables("notifiers", self.notifiers)
        try:
            uri, record = score_dataset(
                self.request(context, on_empty),
                storage=self.storage,
                data_storage=self.data_storage(self.conn_id),
                stopped=self.is_stopped,
                resources=self.engine.resources(),
                engine=self.engine.create(),
                fence=fence_of(context),
                report=report_of_challengers(self.storage),
                targets=targets_behind(self, context),
            )
        except CheckFailedError as error:
            announce_checks(error.results, error.rows, {"checks_uri": error.uri or ""}, notifiers, context)
            raise
        except EmptyDatasetError as error:
            if on_empty == "skip":
                raise AirflowSkipException(str(error)) from error
            raise
        self.recorded = uri, record
        self.log.info("Prediction set %s: %d rows, %s", record.name, record.rows_out, uri)
        if record.rows_rejected:
            self.log.warning("%d rows were rejected: %s", record.rows_rejected, record.quarantine[0].uri)
        push(
            context,
            {
                "rows": record.rows_out,
                "rows_rejected": record.rows_rejected,
                "batch_id": record.batch_id,
                "model_sha256": record.model_sha256,
                **scalars(record, self.storage),
            },
        )
        where = {"prediction_set_uri": uri, "batch_id": record.batch_id}
        announce_checks(record.checks, record.rows_in, where, notifiers, context)
        return uri

    @abstractmethod
    def models(self, context: Context) -> ModelGraph:
        """Return what scores the rows, one model or several."""

    def request(self, context: Context, on_empty: str) -> ScoringRequest:
        """Return the scoring job that the arguments ask for.

        Raises
        ------
        ConfigurationError
            One of them can never work.
        """
        from airflow_batch_inference.jobs.request import ScoringRequest

        asked = ScoringRequest(
            models=self.models(context),
            dataset=structure(self.dataset),
            options=self.options(context),
            destination=destination_of(context, self.root, optional_text(self.batch_id)),
            on_empty="succeed" if on_empty == "succeed" else "fail",
        )
        return self.engine.applied_to((self.rows or RowPolicy()).applied_to(asked))

    def options(self, context: Context) -> ScoringOptions:
        """Return what determines the prediction set besides the model and the input."""
        from airflow_batch_inference.jobs.request import ScoringOptions

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
            keep=boolean("log_result_set", self.log_result_set),
            csv=csv_options(self.csv_options),
            **layout_options(context, self.layout, mapping("checks", self.checks)),
        )
