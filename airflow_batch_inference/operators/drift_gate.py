"""The leaf that turns a drift verdict into the state of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_batch_inference.exceptions import ConfigurationError, DriftDetectedError
from airflow_batch_inference.operators.arguments import choice
from airflow_batch_inference.operators.base import BatchInferenceOperator, alert, push
from airflow_batch_inference.records import DriftResult, DriftStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk.definitions.context import Context

_OUTCOMES = {"pass", "alert", "skip", "fail"}


def drift_error(result: DriftResult, uri: str) -> DriftDetectedError:
    """Return the error that says what drifted, by how much, and where the report lies."""
    message = f"{result.status}: {' '.join(result.reasons)} Report: {result.report_uri}. Result: {uri}."
    return DriftDetectedError(message)


class DriftGateOperator(BatchInferenceOperator):
    """End the DAG according to the drift verdict: pass, alert, skip what follows, or fail.

    A leaf: nothing may follow it with ``trigger_rule="all_done"``, or the run would be green in spite of it.
    Returns the drift result's URI; pushes ``drift_status`` by XCom.

    :param drift: URI of a drift result (``drift.output``). (templated)
    :param on_drift: outcome for ``DRIFT_DETECTED``: ``fail``, ``skip``, ``alert`` or ``pass``. (templated)
    :param on_possible_drift: outcome for ``POSSIBLE_DRIFT``. (templated)
    :param on_insufficient: outcome where there were too few rows to judge, or nothing to compare with. (templated)
    :param notifiers: Airflow notifiers that every outcome but ``pass`` calls; their templates may use
        ``{{ drift.status }}``, ``drift.metric``, ``drift.reasons``, ``drift.report_uri``.
    """

    template_fields: Sequence[str] = (
        *BatchInferenceOperator.template_fields,
        "drift",
        "on_drift",
        "on_possible_drift",
        "on_insufficient",
    )

    def __init__(
        self,
        *,
        drift: str,
        on_drift: str = "fail",
        on_possible_drift: str = "alert",
        on_insufficient: str = "alert",
        notifiers: Sequence[Any] = (),
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.drift = drift
        self.on_drift = on_drift
        self.on_possible_drift = on_possible_drift
        self.on_insufficient = on_insufficient
        self.notifiers = notifiers

    def perform(self, context: Context) -> str:
        """Read the verdict and act on it."""
        result = self.storage.read_record(self.drift)
        if not isinstance(result, DriftResult):
            message = f"drift is {self.drift}, which is no drift result. Give the output of a DriftAnalysisOperator."
            raise ConfigurationError(message)
        push(context, {"drift_status": str(result.status)})
        outcome = self._outcome(result.status)
        self.log.info("%s: %s", result.status, outcome)
        if outcome != "pass":
            alert(result, self.drift, self.notifiers, context)
        if outcome == "skip":
            raise AirflowSkipException(str(drift_error(result, self.drift)))
        if outcome == "fail":
            raise drift_error(result, self.drift)
        return self.drift

    def _outcome(self, status: DriftStatus) -> str:
        outcomes = {
            DriftStatus.NO_DRIFT: "pass",
            DriftStatus.DRIFT_DETECTED: choice("on_drift", self.on_drift, _OUTCOMES),
            DriftStatus.POSSIBLE_DRIFT: choice("on_possible_drift", self.on_possible_drift, _OUTCOMES),
            DriftStatus.INSUFFICIENT: choice("on_insufficient", self.on_insufficient, _OUTCOMES),
            DriftStatus.NOT_ANALYSED: choice("on_insufficient", self.on_insufficient, _OUTCOMES),
        }
        return outcomes[status]
