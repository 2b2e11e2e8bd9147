"""The task that turns a drift verdict into what happens next.

Invariants: the arguments are checked whole in every run, whatever the verdict is, so that a mistake shows before the
night in which it would matter; and a choice that Airflow would ignore is refused, never pretended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

# Airflow's core brings this provider; by way of common.compat it warns of deprecation on Airflow 3.1.
from airflow.providers.standard.operators.branch import BranchMixIn

from airflow_batch_inference import records
from airflow_batch_inference.exceptions import ConfigurationError, DriftDetectedError
from airflow_batch_inference.links import DriftReportLink
from airflow_batch_inference.operators.announcements import alert, announce_drift, verdict
from airflow_batch_inference.operators.arguments import callables, choice, mapping, structure
from airflow_batch_inference.operators.base import BatchInferenceOperator, push, task_key
from airflow_batch_inference.operators.inputs import read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.records import DriftResult, DriftStatus

_OUTCOMES = {"pass", "alert", "skip", "fail", "branch"}
_WITHOUT_DRIFT = _OUTCOMES - {"fail"}


def drift_error(result: DriftResult, uri: str) -> DriftDetectedError:
    """Return the error that says what drifted, by how much, and where the report lies."""
    message = f"{result.status}: {' '.join(result.reasons)} Report: {result.report_uri}. Result: {uri}."
    return DriftDetectedError(message)


class DriftGateOperator(BatchInferenceOperator, BranchMixIn):
    """Act on the drift verdict: pass, alert, skip what follows, fail, or branch.

    Where it may fail it is a leaf: nothing may follow it with ``trigger_rule="all_done"``, or the run would be green in
    spite of it. Returns the drift result's URI; pushes ``drift_status`` by XCom, and where it branches
    ``drift_metric``, ``reasons`` and ``report_uri`` too, for whoever decides next.

    Every asset in ``outlets`` gets an event whose extra holds ``drift_status``, ``drift_metric``, ``reasons``,
    ``report_uri``, ``drift_uri``, ``batch_id``, ``model_sha256`` and ``drifted_columns``; an ``AssetAlias`` gets one
    only for ``DRIFT_DETECTED``. Airflow emits them if the task succeeds: not where it skips or fails.

    :param drift: URI of a drift result (``drift.output``). (templated)
    :param on_drift: outcome for ``DRIFT_DETECTED``: ``fail``, ``skip``, ``alert``, ``pass`` or ``branch``. (templated)
    :param on_possible_drift: outcome for ``POSSIBLE_DRIFT``. (templated)
    :param on_insufficient: outcome where there were too few rows to judge (``INSUFFICIENT``), or nothing to compare
        with (``NOT_ANALYSED``). (templated)
    :param on_no_drift: outcome for ``NO_DRIFT``: ``pass``, ``alert``, ``skip`` or ``branch``. (templated)
    :param branches: from a verdict to the task, or the list of tasks, to follow; the other tasks right after the gate
        are skipped. Tasks are named by their whole ids, or by the id of their task group. A verdict named here
        branches, whatever its ``on_…`` says; one that is not named follows its ``on_…``, so ``pass`` and ``alert`` let
        all tasks run. ``[]`` follows none. Not in mapped tasks, whose choice Airflow ignores. (templated)
    :param notifiers: Airflow notifiers that are called for ``alert``, and for ``skip``, ``fail`` and ``branch`` unless
        the verdict is ``NO_DRIFT``; their templates may use ``{{ drift.status }}``, ``drift.metric``,
        ``drift.reasons``, ``drift.report_uri``.
    :param alert_cooldown_s: for how many seconds the notifiers are not called again for the same drift, which is the
        same verdict of this task with the same drifted columns, in whatever run; 0: they are called every time. The
        log has its warning every time. (templated)
    """

    inherits_from_skipmixin = True

    template_fields: Sequence[str] = (
        *BatchInferenceOperator.template_fields,
        "drift",
        "on_drift",
        "on_possible_drift",
        "on_insufficient",
        "on_no_drift",
        "branches",
        "alert_cooldown_s",
    )
    operator_extra_links = (DriftReportLink(),)

    def __init__(
        self,
        *,
        drift: str,
        on_drift: str = "fail",
        on_possible_drift: str = "alert",
        on_insufficient: str = "alert",
        on_no_drift: str = "pass",
        branches: Mapping[str, str | Sequence[str]] | str | None = None,
        notifiers: Sequence[Any] = (),
        alert_cooldown_s: float | str = 0,
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.drift = drift
        self.on_drift = on_drift
        self.on_possible_drift = on_possible_drift
        self.on_insufficient = on_insufficient
        self.on_no_drift = on_no_drift
        self.branches = branches
        self.notifiers = notifiers
        self.alert_cooldown_s = alert_cooldown_s

    def perform(self, context: Context) -> str:
        """Read the verdict, announce it, and act on it."""
        followed = self._followed(context)
        outcomes = self._outcomes(followed)
        cooldown = self.cooldown(context, self.alert_cooldown_s)
        notifiers = callables("notifiers", self.notifiers)
        result = read(records.DriftResult, "drift", self.drift, self.storage)
        self.recorded = self.drift, result
        push(context, {"drift_status": str(result.status)})
        announce_drift(result, self.drift, self.outlets, context)
        outcome = outcomes[result.status]
        self.log.info("%s: %s", result.status, outcome)
        if outcome == "alert" or (outcome != "pass" and result.status != records.DriftStatus.NO_DRIFT):
            alert(result, self.drift, notifiers, context, cooldown=cooldown)
        if outcome == "skip":
            raise AirflowSkipException(str(drift_error(result, self.drift)))
        if outcome == "fail":
            raise drift_error(result, self.drift)
        if outcome == "branch":
            self._branch(result, followed[result.status], context)
        return self.drift

    def _outcomes(self, followed: Mapping[str, Sequence[str]]) -> dict[DriftStatus, str]:
        """Return what to do for each verdict."""
        arguments = {
            records.DriftStatus.NO_DRIFT: "on_no_drift",
            records.DriftStatus.DRIFT_DETECTED: "on_drift",
            records.DriftStatus.POSSIBLE_DRIFT: "on_possible_drift",
            records.DriftStatus.INSUFFICIENT: "on_insufficient",
            records.DriftStatus.NOT_ANALYSED: "on_insufficient",
        }
        outcomes: dict[DriftStatus, str] = {}
        for status, name in arguments.items():
            allowed = _WITHOUT_DRIFT if status == records.DriftStatus.NO_DRIFT else _OUTCOMES
            word = choice(name, getattr(self, name), allowed)
            if word == "branch" and status not in followed:
                message = (
                    f"{name} is 'branch', but branches names no task to follow for {status}. "
                    f"Add it: branches={{'{status}': 'task_id'}}."
                )
                raise ConfigurationError(message)
            outcomes[status] = "branch" if status in followed else word
        return outcomes

    def _followed(self, context: Context) -> dict[str, list[str]]:
        """Return the ids of the tasks to follow for each verdict that branches."""
        branches = mapping("branches", self.branches)
        unknown = sorted(set(branches) - set(records.DriftStatus))
        if unknown:
            message = f"branches names {unknown[0]!r}, which is no verdict; there are {', '.join(records.DriftStatus)}."
            raise ConfigurationError(message)
        map_index = task_key(context).map_index
        if branches and map_index >= 0:
            message = (
                f"branches is given to the mapped task {self.task_id!r} (map index {map_index}), but Airflow runs all "
                "tasks after a mapped one, whichever it chose. Branch in a task that is not mapped, or use 'skip'."
            )
            raise ConfigurationError(message)
        return {status: self._tasks(status, value) for status, value in branches.items()}

    def _tasks(self, status: str, value: object) -> list[str]:
        given = structure(value)
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, (list, tuple)) or any(not isinstance(name, str) for name in names):
            message = f"branches has {value!r} for {status}; it must be a task id or a list of task ids."
            raise ConfigurationError(message)
        dag = self.get_dag()
        groups = dag.task_group_dict if dag else {}
        found = [root.task_id for name in names if name in groups for root in groups[name].roots]
        found += [name for name in names if name not in groups]
        unknown = [name for name in found if name not in self.downstream_task_ids]
        if unknown:
            after = ", ".join(map(repr, sorted(self.downstream_task_ids))) or "no task at all"
            message = (
                f"branches follows {unknown[0]!r} for {status}, but that is no task right after {self.task_id!r}; "
                f"right after it comes {after}. Name one of these, or wire it: {self.task_id} >> {unknown[0]}."
            )
            raise ConfigurationError(message)
        return found

    def _branch(self, result: DriftResult, followed: list[str], context: Context) -> None:
        """Skip the tasks right after the gate that are not followed."""
        told = verdict(result, self.drift)
        push(context, {key: told[key] for key in ("drift_metric", "reasons", "report_uri")})
        if self.do_xcom_push:
            # Airflow skips by an exception, after which the return value would be lost.
            push(context, {"return_value": self.drift})
        self.do_branch(context, followed)
