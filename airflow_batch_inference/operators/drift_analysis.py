"""The operator that compares a dataset with a reference and with earlier runs, and records the verdict."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_batch_inference import records
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.links import DriftReportLink
from airflow_batch_inference.operators.announcements import alert, announce_drift
from airflow_batch_inference.operators.arguments import (
    callables,
    choice,
    csv_options,
    given_data,
    is_known,
    mapping,
    names,
    number,
    optional_boolean,
    optional_number,
    optional_text,
    require_csv_options,
    structure,
)
from airflow_batch_inference.operators.base import (
    RECORD_URI,
    BatchInferenceOperator,
    push,
    run_date,
    task_key,
    translated_errors,
)
from airflow_batch_inference.operators.drift_gate import drift_error
from airflow_batch_inference.operators.groups.drift import EffectRule, History, MlrunRule
from airflow_batch_inference.operators.inputs import resolve_model
from airflow_batch_inference.storage.uris import task_folder
from airflow_batch_inference.wording.logs import Lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.drift.monitor import Monitored, Persistence
    from airflow_batch_inference.drift.rules.base import Rule
    from airflow_batch_inference.drift.runs import Which
    from airflow_batch_inference.records import DriftResult, HistoryEntry, TaskKey

ON_DRIFT = ("record", "alert", "fail")


class DriftAnalysisOperator(BatchInferenceOperator):
    """Compare a dataset with its model's baseline, or with a sample set, and with earlier runs of this task.

    Returns the drift result's URI; pushes ``drift_status`` and ``drift_metric`` by XCom. All is recorded before
    anything is raised. Where data and reference share no column that can be compared, or the reference has fewer than
    ``min_rows`` rows, nothing could ever be seen: the task fails. Every asset in ``outlets`` gets an event whose extra
    holds the verdict; an ``AssetAlias`` gets one only where drift was detected.

    :param dataset: URI of a prediction set (``predict.output``), several of them as a list, or a dataset as
        :class:`PredictOperator` takes it. (templated)
    :param model: URI of the model record whose baseline is the reference; None: that of the prediction set.
        (templated)
    :param sample_set: a dataset to compare with, or the URI of a prediction set; wins over the baseline. (templated)
    :param baseline: what to compare with in place of the model's baseline: the URI of one, or MLRun's statistics of a
        sample set, as a dict or as the URI of a JSON or YAML file; not together with a sample set. (templated)
    :param target_column: columns of true labels in the reference, which the data rightly lack; that of the model's
        baseline is known. (templated)
    :param perform_drift_analysis: True demands something to compare with; False analyses nothing; None: yes where
        there is something to compare with. (templated)
    :param rule: how the verdict is found. ``effect``: a column drifts where an effect is large enough to matter and
        too large for chance; ``mlrun``: the mean over the columns of (TVD + Hellinger) / 2; or :class:`EffectRule` or
        :class:`MlrunRule`, with what else they can be told. (templated)
    :param drift_threshold: ``DRIFT_DETECTED`` at or over it, from 0 to 1. None: 0.2 under ``effect`` (standard
        deviations of the reference, or Jensen-Shannon distance), 0.7 under ``mlrun``. (templated)
    :param possible_drift_threshold: ``POSSIBLE_DRIFT`` at or over it; None: 0.1, or 0.5. (templated)
    :param column_limits: column name, or ``"*"`` for all that are not named, to a dict of limits of its own:
        ``drift_threshold`` (of a named column of numbers over 1 too, under ``effect``), ``possible_drift_threshold``,
        and the shares ``missing``, ``infinite``, ``range``, ``unseen``. (templated)
    :param watch_columns: columns whose drift alone is the dataset's; without them, those that make up 95 % of the
        model where it knows its importances, else all. (templated)
    :param ignore_columns: columns that are not judged. (templated)
    :param history: which earlier runs this one is compared with: ``last``, ``weekday`` (the same weekday's), ``none``,
        or :class:`History`, which also says in how many runs drift must have lasted. (templated)
    :param on_drift: ``record``, ``alert`` (warn and notify), or ``fail`` the task. (templated)
    :param notifiers: Airflow notifiers that ``alert`` and ``fail`` call; their templates may use
        ``{{ drift.status }}``, ``drift.metric``, ``drift.reasons``, ``drift.report_uri``.
    :param alert_cooldown_s: for so many seconds the same drift is not told the notifiers again. (templated)
    :param conn_id: Airflow connection that reaches the dataset and the sample set. (templated)
    :param csv_options: what CSV files look like: a dict of ``separator``, ``decimal``, ``thousands``, ``quote``,
        ``escape``, ``encoding``, ``header``, ``names`` and ``null_words``; see docs/types.md. (templated)
    """

    template_fields: Sequence[str] = (
        *BatchInferenceOperator.template_fields,
        "dataset",
        "model",
        "sample_set",
        "baseline",
        "target_column",
        "perform_drift_analysis",
        "rule",
        "drift_threshold",
        "possible_drift_threshold",
        "column_limits",
        "watch_columns",
        "ignore_columns",
        "history",
        "on_drift",
        "alert_cooldown_s",
        "conn_id",
        "csv_options",
    )

    operator_extra_links = (DriftReportLink(),)

    def __init__(
        self,
        *,
        dataset: object,
        model: str | None = None,
        sample_set: object = None,
        baseline: str | Mapping[str, Any] | None = None,
        target_column: str | Sequence[str] | None = None,
        perform_drift_analysis: bool | str | None = None,
        rule: str | EffectRule | MlrunRule = "effect",
        drift_threshold: float | str | None = None,
        possible_drift_threshold: float | str | None = None,
        column_limits: Mapping[str, Mapping[str, float]] | None = None,
        watch_columns: str | Sequence[str] | None = None,
        ignore_columns: str | Sequence[str] | None = None,
        history: str | History = "last",
        on_drift: str = "record",
        notifiers: Sequence[Any] = (),
        alert_cooldown_s: float | str = 0,
        conn_id: str | None = None,
        csv_options: Mapping[str, Any] | None = None,
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = given_data("dataset", dataset)
        self.model = model
        self.sample_set = given_data("sample_set", sample_set)
        self.baseline = baseline
        self.target_column = target_column
        self.perform_drift_analysis = perform_drift_analysis
        self.rule = rule
        self.drift_threshold = drift_threshold
        self.possible_drift_threshold = possible_drift_threshold
        self.column_limits = column_limits
        self.watch_columns = watch_columns
        self.ignore_columns = ignore_columns
        self.history = history if isinstance(history, History) else History(history)
        self.on_drift = on_drift
        self.notifiers = notifiers
        self.alert_cooldown_s = alert_cooldown_s
        self.conn_id = conn_id
        self.csv_options = csv_options
        self.require_absolute("dataset", "sample_set")
        self.require_known(
            csv_options=require_csv_options,
            target_column=names,
            perform_drift_analysis=optional_boolean,
            watch_columns=names,
            ignore_columns=names,
            on_drift=partial(choice, allowed=ON_DRIFT),
        )
        callables("notifiers", notifiers)
        with translated_errors():
            self._require_limits()

    def _require_limits(self) -> None:
        """Refuse thresholds that can never work while the DAG is parsed, unless a template is yet to make them."""
        rule = _name_of(self.rule)
        given = (rule, self.drift_threshold, self.possible_drift_threshold, self.column_limits)
        if not all(map(is_known, given)):
            return
        from airflow_batch_inference.drift.rules.registry import get_rule

        get_rule(rule).require_limits(
            optional_number("drift_threshold", self.drift_threshold),
            optional_number("possible_drift_threshold", self.possible_drift_threshold),
            _column_limits(self.column_limits),
        )

    def perform(self, context: Context) -> str:
        """Compare, record, then alert or fail."""
        on_drift = choice("on_drift", self.on_drift, ON_DRIFT)
        cooldown = self.cooldown(context, self.alert_cooldown_s)
        key, at = task_key(context), run_date(context) or datetime.now(UTC)
        notifiers = callables("notifiers", self.notifiers)
        compared, recent = self._runs(key, at)
        monitored = self._monitor(compared, recent)
        uri, result = self._store(monitored, key, at, compared)
        self.recorded = uri, result
        self._log(result)
        push(context, {"drift_status": str(result.status), "drift_metric": result.drift_metric})
        if monitored.problem is not None:
            push(context, {RECORD_URI: uri})
            message = f"{monitored.problem} What was found is recorded: {uri}."
            raise ConfigurationError(message)
        announce_drift(result, uri, self.outlets, context)
        if result.status == records.DriftStatus.DRIFT_DETECTED and on_drift != "record":
            alert(result, uri, notifiers, context, cooldown=cooldown)
            if on_drift == "fail":
                raise drift_error(result, uri)
        return uri

    def _rule(self) -> Rule:
        from airflow_batch_inference.drift.rules.registry import make_rule

        further = self.rule.parse_all() if isinstance(self.rule, (EffectRule, MlrunRule)) else {}
        return make_rule(
            _name_of(self.rule),
            drift_threshold=optional_number("drift_threshold", self.drift_threshold, low=0),
            possible_drift_threshold=optional_number("possible_drift_threshold", self.possible_drift_threshold, low=0),
            limits=_column_limits(self.column_limits),
            watch=names("watch_columns", self.watch_columns) or (),
            ignore=names("ignore_columns", self.ignore_columns) or (),
            **further,
        )

    def _persistence(self) -> Persistence:
        from airflow_batch_inference.drift.monitor import Persistence

        return Persistence(needed=self.history.parse("min_drift_runs"), of=self.history.parse("of_runs"))

    def _runs(self, key: TaskKey, at: datetime) -> tuple[list[HistoryEntry], list[HistoryEntry]]:
        """Return the earlier runs that this one is compared with, and the last ones before it, for drift that lasts."""
        from airflow_batch_inference.drift.runs import earlier_runs, last_of

        which = self.history.parse("which")
        number = self.history.parse("runs") if which != "none" else 0
        needed = self._persistence().of - 1
        if not number and not needed:
            return [], []
        earlier = earlier_runs(self.root, key, at, storage=self.storage)
        kind: Which = "weekday" if which == "weekday" else "last"
        compared = last_of(earlier, at, number=number, which=kind, storage=self.storage)
        return compared, last_of(earlier, at, number=needed, which="last", storage=self.storage)

    def _monitor(self, compared: Sequence[HistoryEntry], recent: Sequence[HistoryEntry]) -> Monitored:
        from airflow_batch_inference.drift.monitor import monitor
        from airflow_batch_inference.operators.drift_data import DriftData, with_targets

        demanded = optional_boolean("perform_drift_analysis", self.perform_drift_analysis)
        model = optional_text(self.model)
        data = DriftData.of(
            structure(self.dataset),
            model_uri=None if model is None else resolve_model(model, None, root=self.root, storage=self.storage),
            sample_set=None if demanded is False else structure(self.sample_set),
            storage=self.storage,
            data_storage=self.data_storage(self.conn_id),
            csv=csv_options(self.csv_options),
        )
        data = data.against(None if demanded is False else structure(self.baseline))
        baseline, baseline_uri = (None, None) if demanded is False else data.reference()
        baseline = with_targets(baseline, names("target_column", self.target_column) or ())
        if demanded and baseline is None:
            message = (
                "perform_drift_analysis is True, but there is nothing to compare with: the model has no baseline "
                "and neither sample_set nor baseline is given. Give one here, or to the LoadModelOperator."
            )
            raise ConfigurationError(message)
        monitored = monitor(
            data.current(baseline, baseline_uri, is_demanded=demanded is not False),
            baseline,
            rule=self._rule(),
            previous=compared,
            recent=recent,
            persistence=self._persistence(),
            is_switched_off=demanded is False,
        )
        return replace(monitored, result=data.with_provenance(monitored.result, baseline_uri))

    def _store(
        self, monitored: Monitored, key: TaskKey, at: datetime, previous: Sequence[HistoryEntry]
    ) -> tuple[str, DriftResult]:
        from airflow_batch_inference.compat.mlrun.features_drift import features_drift_json
        from airflow_batch_inference.drift.runs import remember
        from airflow_batch_inference.reports.drift_artifacts import store_drift

        result = monitored.result
        provenance = {
            "Model": result.model_name or "",
            "DAG": key.dag_id,
            "Run": key.run_id,
            "Date": f"{at:%Y-%m-%d %H:%M %Z}".replace(" 00:00 UTC", ""),
            "Batch": result.batch_id or "",
            "Dataset": result.dataset_uri or "",
            "Model SHA-256": result.model_sha256 or "",
            "Baseline": result.baseline_uri or "",
        }
        uri, result = store_drift(
            result,
            monitored.statistics,
            folder=task_folder(self.root, key),
            storage=self.storage,
            features_drift=features_drift_json(result),
            provenance=provenance,
            previous=previous,
        )
        entry = records.HistoryEntry(
            task=key,
            at=at.isoformat(),
            status=result.status,
            run_status=result.run_status,
            rows=result.current_rows,
            columns=monitored.summaries,
            result_uri=uri,
            baseline_sha256=result.baseline_sha256,
        )
        if monitored.problem is None:  # later runs are not to be compared with it
            remember(self.root, entry, self.storage)
        return uri, result

    def _log(self, result: DriftResult) -> None:
        from airflow_batch_inference.reports.drift_text import drift_table, performance_line

        self.log.info("%s. %s Report: %s", result.status, " ".join(result.reasons), result.report_uri)
        table = drift_table(result)
        if table:
            self.log.info("%s", Lines(table))
        if result.performance:
            self.log.info("Estimated without labels: %s", performance_line(result))


def _name_of(rule: str | EffectRule | MlrunRule) -> str:
    return rule.name if isinstance(rule, (EffectRule, MlrunRule)) else rule


def _column_limits(value: object) -> dict[str, dict[str, float]]:
    return {
        column: {
            name: number(f"{name} of column {column!r}", limit, low=0)
            for name, limit in mapping(f"column_limits of {column!r}", limits).items()
        }
        for column, limits in mapping("column_limits", value).items()
    }
