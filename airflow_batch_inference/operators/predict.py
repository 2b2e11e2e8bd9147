"""The operator that scores a dataset and commits the prediction set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_batch_inference.exceptions import CheckFailedError, ConfigurationError, EmptyDatasetError
from airflow_batch_inference.links import PredictionsLink
from airflow_batch_inference.operators.arguments import (
    boolean,
    byte_size,
    callables,
    choice,
    columns,
    csv_options,
    given_data,
    mapping,
    names,
    number,
    optional_boolean,
    optional_text,
    optional_whole_number,
    structure,
    whole_number,
    words,
)
from airflow_batch_inference.operators.base import BatchInferenceOperator, fence_of, push
from airflow_batch_inference.operators.checks import refuse_expressions, shape_options, tell_of_checks
from airflow_batch_inference.operators.inputs import read
from airflow_batch_inference.operators.model_argument import Models, report_of_challengers, scalars
from airflow_batch_inference.operators.predict_script import file_scorer, score_files, variables
from airflow_batch_inference.operators.preflight import try_out
from airflow_batch_inference.operators.task_context import destination_of
from airflow_batch_inference.records import BaselineRecord, ModelRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.jobs.request import RowPolicy, ScoringOptions, ScoringRequest
    from airflow_batch_inference.predictors.graphs.base import ModelGraph
    from airflow_batch_inference.scripts.job import Scorer
    from airflow_batch_inference.workflows.score import Resources


class PredictOperator(BatchInferenceOperator):
    """Score a dataset in mini-batches and commit the prediction set: inputs and predictions, in input order.

    Returns the commit's URI; pushes ``rows``, ``rows_rejected``, ``batch_id`` and ``model_sha256`` by XCom, with
    challengers ``challengers_uri`` and ``flip_fraction`` too, and with checks ``check_failures``, the number of rows
    that each of them marks. Nothing is visible before the whole set is; the same job run again returns the commit that
    is there, and a retry scores only the parts that are missing.

    With a ``scoring_script``, its ``init()`` runs once in each worker process and its ``run(mini_batch)`` on the files,
    as in Azure ML's batch deployments: see docs/scripts.md. Then ``items`` and ``items_failed`` (files) are pushed in
    the place of ``rows_rejected``, and a retry runs only the mini-batches that are missing.

    :param model: URI of a model record (``load.output``), an alias (``models/churn@champion``), or the URI of a model
        file whose format cannot run code. A list of them is steps, each of which takes what the one before it returns;
        a dict of names and such is the models of a ``split``. With a scoring script: a file or folder of any kind that
        it finds by ``AZUREML_MODEL_DIR``, or None. (templated)
    :param dataset: a file, folder, glob or list of URIs of Parquet, CSV, Arrow/Feather, JSON lines or JSON lists of
        objects; the URI of a prediction set (``predict.output``), which means its rows; or at most 10,000 rows in the
        DAG file or by XCom: list of lists, list of dicts, dict of columns, NumPy array, pandas or polars data frame,
        Arrow table. (templated)
    :param as_of: with an alias, the version that was live at this time, for backfills:
        ``"{{ logical_date | default(dag_run.run_after, true) }}"``; None: the newest. (templated)
    :param drop_columns: columns to leave out, of the model's inputs and of the output: names or positions; for a
        list of lists or an array positions. (templated)
    :param feature_columns: column names for a list of lists, an array, or a frame whose columns are numbered; None: the
        model's (of a frame, its own). (templated)
    :param label_columns: names of the prediction columns; None: those of the model record, the model's own, or
        ``predicted_label`` (``predicted_label_0``, … for several). (templated)
    :param predict_method: ``predict``, ``predict_proba``, ``decision_function``, or for tree ensembles ``raw_score``,
        ``leaf_index`` or ``contributions``; a list calls several in one pass, whose columns are then named
        ``predicted_label``, ``predicted_probability_0``, … (templated)
    :param decision_threshold: the positive class of two is predicted for probabilities at or over it; None: as the
        model decides. (templated)
    :param explain: ``{"top_k": 3, "when": "predicted_label >= 0.8"}`` adds the column ``explanation``: for the rows of
        that condition (all without it) the inputs that moved the prediction most, each with its contribution to the
        raw score. For tree ensembles. (templated)
    :param predict_kwargs: passed to it. (templated)
    :param on_mismatch: what happens to a value that does not fit its input: ``cast`` (lossless casts; what cannot be
        cast fails, or its row is rejected), ``fail`` the task whatever may be rejected, ``null`` (it becomes null for
        the model, and is counted), or ``quarantine`` (its row is rejected). One word for all, or a dict of column to
        word, ``"*"`` for all others. Under the last three, a value out of the training sample's range, a category that
        it does not have, and a null where it has none do not fit either. (templated)
    :param output_format: ``parquet``, ``csv``, ``arrow`` or ``jsonl``. (templated)
    :param result_set_name: the prediction set's name in the catalogue. (templated)
    :param log_result_set: whether the rows are kept; False: they are scored and counted only. (templated)
    :param passthrough_columns: input columns of the output: ``"all"``, a list, or None for none. Drift is seen in those
        columns only, where it is analysed on the prediction set. (templated)
    :param mini_batch_rows: rows a predict call, or ``"auto"``; the output does not depend on it. (templated)
    :param on_empty: what no row at all means: ``fail``, ``skip``, or ``succeed`` with an empty prediction set.
        (templated)
    :param batch_id: id of the batch; None: made from the run, the same for each try. (templated)
    :param conn_id: Airflow connection that reaches the dataset. (templated)
    :param csv_options: what CSV files look like: a dict of ``separator``, ``decimal``, ``thousands``, ``quote``,
        ``escape``, ``encoding``, ``header``, ``names`` and ``null_words``; see docs/types.md. (templated)
    :param error_threshold: how many rows may be rejected: set aside in a quarantine with file, row, stage and error,
        while the rest is scored; -1: any number. Default: none, the first bad row fails the task. With a scoring
        script: how many files may fail, by default any number. (templated)
    :param max_rejected_fraction: which share of the rows may be rejected, from 0 to 1; where both limits are given,
        both hold. (templated)
    :param allow_nan: whether a prediction may be NaN or missing; if not, its row is rejected. (templated)
    :param redact_columns: columns of which the quarantine holds SHA-256 digests instead of values. (templated)
    :param alignment_check_rows: how many rows of the first part, and of each eighth after it, are scored again, alone
        and in another order, and compared; 0: none. (templated)
    :param max_workers: most worker processes; None: one a core, where there are some million rows or more. The
        output does not depend on it. (templated)
    :param max_memory: memory for all of them: bytes, or text such as ``"2GiB"``. (templated)
    :param mini_batch_timeout_s: after so many seconds without a sign of life, a worker process is killed and its
        mini-batch tried again, then bisected. With a scoring script: seconds that one ``run()`` may take, by default
        30; past them its process is killed, and the attempt counts. (templated)
    :param profile: count the rows on the model's baseline while they are scored, so that drift needs no second reading;
        None: where the model has a baseline. (templated)
    :param isolate: score in a worker process even where one is enough, for models that may crash. (templated)
    :param scoring_script: a Python file with ``init()`` and ``run(mini_batch)``: a path or URI, relative to ``code``
        where that is given. Whoever names it here lets it run, with whatever it does to its model. (templated)
    :param code: folder of the script's modules; None: the script's own. (templated)
    :param python: the interpreter that the script runs in, such as ``/opt/envs/score/bin/python``: Python 3.8 or later,
        with packages of its own; None: the worker's. With ``requirements``, the one that the environment is made with.
        (templated)
    :param requirements: a requirements file (path or URI), or a list of its lines: the script runs in a virtual
        environment of them, which is built once and kept in ``[batch_inference] environments``. (templated)
    :param program_arguments: what the script finds in ``sys.argv[1:]``: a list, or text as in a shell. (templated)
    :param mini_batch_size: files given to one ``run()``; or, with a unit, their bytes (``"10MB"``): as many files as
        stay within it, and at least one. (templated)
    :param max_concurrency_per_instance: worker processes of this task. (templated)
    :param max_attempts: how often a mini-batch is tried in all; Azure's ``retry_settings.max_retries``. (templated)
    :param output_action: ``append_row``: what ``run()`` returns goes to one file; ``summary_only``: it is counted, and
        the files that the script writes to ``AZUREML_BI_OUTPUT_PATH`` are the prediction set. (templated)
    :param output_file_name: the file of ``append_row``; its suffix says the format (CSV if none). (templated)
    :param header: whether a CSV file begins with its columns' names; Azure's do not. (templated)
    :param logging_level: of the worker processes: ``warning``, ``info`` or ``debug``. (templated)
    :param environment_variables: set in every worker process before the script or the model is loaded. A worker gets
        none of the task's own variables but those that programs need: no connections, no Airflow settings, no keys.
        With rows, the model is then loaded in worker processes only. (templated)
    :param mini_batch_error_threshold: how many mini-batches may fail; -1: any number. (templated)
    :param allowed_failed_percent: which percentage of the mini-batches may fail. (templated)
    :param progress_timeout_s: after so many seconds in which no mini-batch ended, the task fails; None: never.
        (templated)
    :param recursive: whether the files of sub-folders belong to a folder, for a scoring script. (templated)
    :param output_schema: ``wallaroo``: the output has the columns ``time``, ``in.<field>``, ``out.<output>`` and
        ``check_failures``; ``azure``: the model predicts once a file (``.csv``, ``.parquet``), and the columns are
        ``row``, ``prediction`` and ``file_name``; None: the input's columns, then the predictions. (templated)
    :param result_columns: which of Wallaroo's columns, as its ``dataset``: ``*``, ``in``, ``out.<output>``,
        ``anomaly``, ``metadata``, …; None: ``*``. (templated)
    :param result_exclude: which of them not, as its ``dataset_exclude``. (templated)
    :param result_separator: between ``in`` and the field, as its ``dataset_separator``; None: the columns ``in`` and
        ``out`` hold their fields (not in CSV). (templated)
    :param checks: validation checks: a dict of names to expressions over ``in.<field>`` and ``out.<output>``
        (``"out.predicted_label > 0.9"``), or to ``{"when": expression, "max_rate": 0.01, "action": "fail"}``. They add
        the column ``check_failures``. For more than ``max_rate`` of the rows, ``fail`` fails the task before anything
        is committed, and ``alert`` calls the notifiers; ``quarantine`` sets each such row aside, and fails above
        ``max_rate``. (templated)
    :param notifiers: called with ``{{ checks }}`` when a check holds for too many rows, whatever its action.
    :param preflight: only try the job out: load the model, check the dataset, score 100 rows, and estimate time, memory
        and size; nothing is written. The report goes to the log, its numbers (``rows``, ``parts``, ``workers``,
        ``low_s``, ``high_s``, ``memory_bytes``, ``output_bytes``, …) to XCom; the task returns nothing, and fails
        where it finds a problem. Meant for a task of its own, with the arguments of the one that scores, in front of
        it: ``PredictOperator(task_id="preflight", preflight=True, **arguments) >> PredictOperator(task_id="predict",
        **arguments)``; or for one run, with a DAG param: ``preflight="{{ params.preflight }}"``, where no task behind
        it needs the prediction set. (templated)
    :param challengers: dict of a name to a model (or a list of steps) that scores the same rows beside ``model``, into
        columns ``<name>.<output>``. It decides nothing: where it fails, its columns are null. How it differs is in the
        record of ``challengers_uri``, and on the page that this names. (templated)
    :param split: which of the models that ``model`` names scores a row: ``{"weights": {"a": 0.9, "b": 0.1}, "key":
        "customer", "seed": 0}``, the same for all rows of one key (without ``key`` each row by itself); or ``{"key":
        "tier", "values": {"gold": "b"}, "default": "a"}``. The column ``scored_by`` says which it was. (templated)
    :param accelerate: whether a compiled kernel scores tree ensembles (LightGBM, XGBoost, scikit-learn) in place of
        their own library: ``auto``, where the extra ``fast`` is installed, the ensemble is covered and there are rows
        enough (40,000 of 100 trees); ``require``: or the task fails; ``off``. It is compared with the library first,
        and left out at the first bit that differs; the output has the same bits. (templated)
    :param flips: what a difference of numbers between champion and challenger is: ``{"threshold": 0.5}``, that they lie
        on two sides of it, or ``{"tolerance": 0.05}``, that they are farther apart than this share of the larger one.
        None: a threshold of 0.5 for numbers from 0 to 1, for others that tolerance. (templated)
    """

    template_fields: Sequence[str] = (
        *BatchInferenceOperator.template_fields,
        "model",
        "dataset",
        "as_of",
        "drop_columns",
        "feature_columns",
        "label_columns",
        "predict_method",
        "decision_threshold",
        "explain",
        "predict_kwargs",
        "on_mismatch",
        "output_format",
        "result_set_name",
        "log_result_set",
        "passthrough_columns",
        "mini_batch_rows",
        "on_empty",
        "batch_id",
        "conn_id",
        "csv_options",
        "error_threshold",
        "max_rejected_fraction",
        "allow_nan",
        "redact_columns",
        "alignment_check_rows",
        "max_workers",
        "max_memory",
        "mini_batch_timeout_s",
        "profile",
        "isolate",
        "scoring_script",
        "code",
        "python",
        "requirements",
        "program_arguments",
        "mini_batch_size",
        "max_concurrency_per_instance",
        "max_attempts",
        "output_action",
        "output_file_name",
        "header",
        "logging_level",
        "environment_variables",
        "mini_batch_error_threshold",
        "allowed_failed_percent",
        "progress_timeout_s",
        "recursive",
        "output_schema",
        "result_columns",
        "result_exclude",
        "result_separator",
        "checks",
        "preflight",
        "challengers",
        "split",
        "flips",
        "accelerate",
    )
    operator_extra_links = (PredictionsLink(),)
    files_may_fail = True
    """Whether any number of files may fail where ``error_threshold`` is not given, as in Azure ML."""
    _stop_requested = False

    def __init__(
        self,
        *,
        model: str | Sequence[str | Mapping[str, str]] | Mapping[str, Any] | None = None,
        dataset: object,
        as_of: str | datetime | None = None,
        drop_columns: str | int | Sequence[str | int] | None = None,
        feature_columns: Sequence[str] | None = None,
        label_columns: str | Sequence[str] | None = None,
        predict_method: str | Sequence[str] = "predict",
        decision_threshold: float | str | None = None,
        explain: Mapping[str, Any] | None = None,
        predict_kwargs: Mapping[str, Any] | None = None,
        on_mismatch: str | Mapping[str, str] = "cast",
        output_format: str = "parquet",
        result_set_name: str = "prediction",
        log_result_set: bool | str = True,
        passthrough_columns: str | Sequence[str] | None = "all",
        mini_batch_rows: int | str = "auto",
        on_empty: str = "fail",
        batch_id: str | None = None,
        conn_id: str | None = None,
        csv_options: Mapping[str, Any] | None = None,
        error_threshold: int | str | None = None,
        max_rejected_fraction: float | str | None = None,
        allow_nan: bool | str = False,
        redact_columns: str | Sequence[str] | None = None,
        alignment_check_rows: int | str = 4,
        max_workers: int | str | None = None,
        max_memory: int | str | None = None,
        mini_batch_timeout_s: float | str | None = None,
        profile: bool | str | None = None,
        isolate: bool | str = False,
        scoring_script: str | None = None,
        code: str | None = None,
        python: str | None = None,
        requirements: str | Sequence[str] | None = None,
        program_arguments: str | Sequence[str] | None = None,
        mini_batch_size: int | str = 10,
        max_concurrency_per_instance: int | str = 1,
        max_attempts: int | str = 3,
        output_action: str = "append_row",
        output_file_name: str = "predictions.csv",
        header: bool | str = True,
        logging_level: str = "info",
        environment_variables: Mapping[str, str] | None = None,
        mini_batch_error_threshold: int | str = -1,
        allowed_failed_percent: float | str = 100,
        progress_timeout_s: float | str | None = None,
        recursive: bool | str = False,
        output_schema: str | None = None,
        result_columns: str | Sequence[str] | None = None,
        result_exclude: str | Sequence[str] | None = None,
        result_separator: str | None = ".",
        checks: Mapping[str, Any] | None = None,
        notifiers: object = None,
        preflight: bool | str = False,
        challengers: Mapping[str, Any] | str | None = None,
        split: Mapping[str, Any] | str | None = None,
        flips: Mapping[str, Any] | str | None = None,
        accelerate: str = "auto",
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.dataset = given_data("dataset", dataset)
        self.as_of = as_of
        self.drop_columns = drop_columns
        self.feature_columns = feature_columns
        self.label_columns = label_columns
        self.predict_method = predict_method
        self.decision_threshold = decision_threshold
        self.explain = explain
        self.predict_kwargs = predict_kwargs
        self.on_mismatch = on_mismatch
        self.output_format = output_format
        self.result_set_name = result_set_name
        self.log_result_set = log_result_set
        self.passthrough_columns = passthrough_columns
        self.mini_batch_rows = mini_batch_rows
        self.on_empty = on_empty
        self.batch_id = batch_id
        self.conn_id = conn_id
        self.csv_options = csv_options
        self.error_threshold = error_threshold
        self.max_rejected_fraction = max_rejected_fraction
        self.allow_nan = allow_nan
        self.redact_columns = redact_columns
        self.alignment_check_rows = alignment_check_rows
        self.max_workers = max_workers
        self.max_memory = max_memory
        self.mini_batch_timeout_s = mini_batch_timeout_s
        self.profile = profile
        self.isolate = isolate
        self.scoring_script = scoring_script
        self.code = code
        self.python = python
        self.requirements = requirements
        self.program_arguments = program_arguments
        self.mini_batch_size = mini_batch_size
        self.max_concurrency_per_instance = max_concurrency_per_instance
        self.max_attempts = max_attempts
        self.output_action = output_action
        self.output_file_name = output_file_name
        self.header = header
        self.logging_level = logging_level
        self.environment_variables = environment_variables
        self.mini_batch_error_threshold = mini_batch_error_threshold
        self.allowed_failed_percent = allowed_failed_percent
        self.progress_timeout_s = progress_timeout_s
        self.recursive = recursive
        self.output_schema = output_schema
        self.result_columns = result_columns
        self.result_exclude = result_exclude
        self.result_separator = result_separator
        self.checks = checks
        self.notifiers = notifiers
        self.preflight = preflight
        self.challengers = challengers
        self.split = split
        self.flips = flips
        self.accelerate = accelerate
        self.require_absolute("model", "dataset")
        refuse_expressions(checks)

    def perform(self, context: Context) -> str | None:
        """Load the model, score, commit; or only try it out."""
        on_empty = choice("on_empty", self.on_empty, {"fail", "skip", "succeed"})
        try:
            scorer = self._file_scorer(context)
            if scorer is not None:
                return score_files(self, scorer, context, on_empty)
            if boolean("preflight", self.preflight):
                allowed = "fail" if on_empty == "fail" else "succeed"
                try_out(self, lambda: self._request(context, allowed), self._resources(), context)
                return None
            return self._score(context, on_empty)
        except EmptyDatasetError as error:
            if on_empty == "skip":
                raise AirflowSkipException(str(error)) from error
            raise

    def _file_scorer(self, context: Context) -> Scorer | None:  # noqa: ARG002  # functions want it
        """Return what scores files; None where rows are scored."""
        return file_scorer(self)

    def _score(self, context: Context, on_empty: str) -> str:
        """Score the rows, commit, and say so."""
        from airflow_batch_inference.workflows.score import score_dataset

        notifiers = callables("notifiers", self.notifiers)
        try:
            uri, record = score_dataset(
                self._request(context, on_empty),
                storage=self.storage,
                data_storage=self.data_storage(self.conn_id),
                stopped=lambda: self._stop_requested,
                resources=self._resources(),
                fence=fence_of(context),
                report=report_of_challengers(self.storage),
            )
        except CheckFailedError as error:
            tell_of_checks(error.results, error.rows, {"checks_uri": error.uri or ""}, notifiers, context)
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
        tell_of_checks(record.checks, record.rows_in, where, notifiers, context)
        return uri

    def on_kill(self) -> None:
        """Ask the scoring loop to end before its next mini-batch; it then commits nothing."""
        self._stop_requested = True

    @property
    def is_stopped(self) -> bool:
        """Whether the task has been asked to end."""
        return self._stop_requested

    @classmethod
    def from_azure_deployment(
        cls,
        path: str | Path,
        *,
        task_id: str,
        dataset: object,
        **overrides: Any,  # noqa: ANN401  # this operator's own arguments
    ) -> PredictOperator:
        """Make an operator of an Azure ML batch deployment's YAML file, which is read while the DAG is parsed.

        :param path: of the file; ``model.path`` and ``code_configuration`` in it are relative to its folder.
        :param task_id: the task's.
        :param dataset: the files that are scored.
        :param overrides: further arguments; they win over those of the file. A model of Azure's registry
            (``azureml:name@version``) must be given so.
        """
        from airflow_batch_inference.compat.azureml.deployment import arguments_of

        return cls(task_id=task_id, dataset=dataset, **arguments_of(path, overrides))

    def _request(self, context: Context, on_empty: str) -> ScoringRequest:
        from airflow_batch_inference.jobs.plan import batch_bytes
        from airflow_batch_inference.jobs.request import ScoringRequest
        from airflow_batch_inference.trees.fast_model import require_choice

        models = self._models()
        return ScoringRequest(
            models=models,
            dataset=structure(self.dataset),
            options=self._options(context),
            destination=destination_of(context, self.root, optional_text(self.batch_id)),
            rows_per_batch=self.mini_batch_rows,
            on_empty="succeed" if on_empty == "succeed" else "fail",
            policy=self._policy(),
            baseline=self._baseline(models.first.record),
            alignment_check_rows=whole_number("alignment_check_rows", self.alignment_check_rows, low=0),
            batch_bytes=batch_bytes(self._max_memory()),
            accelerate=require_choice(self.accelerate),
            environment=variables(self),
        )

    def _models(self) -> ModelGraph:
        return Models(
            model=self.model,
            challengers=self.challengers,
            split=self.split,
            flips=self.flips,
            as_of=self.as_of,
            conn_id=optional_text(self.conn_id),
            root=self.root,
            storage=self.storage,
        ).read()

    def _baseline(self, record: ModelRecord) -> BaselineRecord | None:
        """Return the baseline that the rows are counted on, if any."""
        wanted = optional_boolean("profile", self.profile)
        if wanted is False or record.baseline_uri is None:
            if wanted:
                message = (
                    f"profile is True, but the model {record.name} has no baseline to count the rows on. Give the "
                    "LoadModelOperator a sample_set or a baseline, or leave profile out."
                )
                raise ConfigurationError(message)
            return None
        return read(BaselineRecord, "The model's baseline", record.baseline_uri, self.storage)

    def _policy(self) -> RowPolicy:
        from airflow_batch_inference.jobs.request import RowPolicy

        fraction = optional_text(self.max_rejected_fraction)
        return RowPolicy(
            error_threshold=optional_whole_number("error_threshold", self.error_threshold, low=-1),
            max_rejected_fraction=None
            if fraction is None
            else number("max_rejected_fraction", fraction, low=0, high=1),
            allow_nan=boolean("allow_nan", self.allow_nan),
            redact_columns=names("redact_columns", self.redact_columns) or (),
        )

    def _max_memory(self) -> int | None:
        return None if optional_text(self.max_memory) is None else byte_size("max_memory", self.max_memory)

    def _resources(self) -> Resources:
        from airflow_batch_inference.workflows.score import Resources

        timeout = optional_text(self.mini_batch_timeout_s)
        return Resources(
            max_workers=optional_whole_number("max_workers", self.max_workers, low=1),
            max_memory=self._max_memory(),
            timeout_s=None if timeout is None else number("mini_batch_timeout_s", timeout, low=0.001),
            isolate=boolean("isolate", self.isolate),
        )

    def _options(self, context: Context) -> ScoringOptions:
        from airflow_batch_inference.jobs.request import ScoringOptions
        from airflow_batch_inference.predictors.explanations import parse_explain

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
            predict_method=names("predict_method", self.predict_method) or "predict",
            decision_threshold=None
            if optional_text(self.decision_threshold) is None
            else number("decision_threshold", self.decision_threshold, low=0, high=1),
            predict_kwargs=mapping("predict_kwargs", self.predict_kwargs),
            explain=parse_explain(mapping("explain", self.explain)),
            on_mismatch=self._on_mismatch(),
            output_format=self.output_format,
            keep=boolean("log_result_set", self.log_result_set),
            csv=csv_options(self.csv_options),
            **shape_options(
                context,
                output_schema=self.output_schema,
                columns=self.result_columns,
                exclude=self.result_exclude,
                separator=self.result_separator,
                checks=self.checks,
            ),
        )

    def _on_mismatch(self) -> dict[str, str]:
        """Return the word of each column; one for all is that of ``"*"``, and what is the default is left out."""
        from airflow_batch_inference.predictors.input_validation import OTHERS, require_policy

        given = self.on_mismatch
        is_word = isinstance(given, str) and not given.startswith("{")
        by_column = {OTHERS: str(given)} if is_word else words("on_mismatch", given)
        for word in by_column.values():
            require_policy(word)
        return {} if by_column == {OTHERS: "cast"} else by_column
