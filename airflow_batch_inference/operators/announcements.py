"""How a verdict goes out: to notifiers, and to the assets among a task's outlets."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias, BaseNotifier

from airflow_batch_inference import records
from airflow_batch_inference.operators.asset_state import keep_state
from airflow_batch_inference.wording.texts import said_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.operators.alerts import Cooldown
    from airflow_batch_inference.records import DriftResult

log = logging.getLogger(__name__)


def alert(
    result: DriftResult,
    uri: str,
    notifiers: Sequence[Any],
    context: Context,
    *,
    cooldown: Cooldown | None = None,
) -> None:
    """Log a drift verdict at WARNING and hand it to notifiers, whose templates may use ``{{ drift.… }}``.

    A notifier that fails is logged and does not change the task's outcome. Within a cooldown the notifiers are not
    called again for the same drift; it begins when at least one of them has worked.
    """
    reasons = " ".join(result.reasons)
    log.warning("%s: %s Report: %s", result.status, reasons, result.report_uri)
    if cooldown is not None and notifiers and (sent_at := cooldown.last_sent(result)) is not None:
        log.info(
            "The notifiers are not called: the same drift was last alerted at %s and is held back until %s "
            "(alert_cooldown_s is %g; see %s)",
            sent_at.isoformat(timespec="seconds"),
            cooldown.until(sent_at).isoformat(timespec="seconds"),
            cooldown.seconds,
            cooldown.uri,
        )
        return
    from airflow_batch_inference.drift.reasons import reasons_without_values
    from airflow_batch_inference.operators.alerts import drifted_columns

    drift = {
        "status": str(result.status),
        "metric": result.drift_metric,
        "reasons": reasons,
        "report_uri": result.report_uri,
        "result_uri": uri,
        "batch_id": result.batch_id,
        "drifted_columns": list(drifted_columns(result)),
        "summary": " ".join(reasons_without_values(result)),
    }
    drift = said_of(drift)
    told = [notify(notifier, {**context, "drift": drift}) for notifier in notifiers]
    if cooldown is not None and any(told):
        cooldown.start(result)


def notify(notifier: Any, context: Mapping[str, Any]) -> bool:  # noqa: ANN401  # any callable that takes a context
    """Call a notifier, and say whether it worked; one that fails is logged."""
    try:
        # Airflow's notifiers render their templates in place: the next task or alert would get what this one got.
        (copy.copy(notifier) if isinstance(notifier, BaseNotifier) else notifier)(context)
    except Exception:
        log.exception("The notifier %s failed; the alert above stands in this log", type(notifier).__name__)
        return False
    return True


def verdict(result: DriftResult, uri: str) -> dict[str, Any]:
    """Return a drift verdict as plain JSON types: what asset events carry.

    Parameters
    ----------
    uri
        The drift result's own.
    """
    from airflow_batch_inference.operators.alerts import drifted_columns

    return {
        "drift_status": str(result.status),
        "drift_metric": result.drift_metric,
        "reasons": " ".join(result.reasons),
        "report_uri": result.report_uri,
        "drift_uri": uri,
        "batch_id": result.batch_id,
        "model_sha256": result.model_sha256,
        "drifted_columns": list(drifted_columns(result)),
    }


def announce_drift(result: DriftResult, uri: str, outlets: Sequence[Any], context: Context) -> None:
    """Attach a drift verdict to the asset events that Airflow emits if the task succeeds.

    Every ``Asset`` gets the :func:`verdict` in its event's extra. An ``AssetAlias`` gets an event only where drift was
    detected, of the asset that has the alias's name: one asset however many runs there are. So a DAG that is
    scheduled on the alias runs after drift, and only then.
    """
    has_drifted = result.status == records.DriftStatus.DRIFT_DETECTED
    told = verdict(result, uri)
    announce("drift", told, outlets, context, lambda alias: Asset(alias.name) if has_drifted else None)


def announce(
    name: str,
    extra: Mapping[str, Any],
    outlets: Sequence[Any],
    context: Context,
    asset_of: Callable[[AssetAlias], Asset | None],
) -> None:
    """Attach values to the events of all assets among a task's outlets, and to those of aliases that get one.

    They become the assets' state too, under their name (:mod:`.asset_state`).
    """
    extra = said_of(dict(extra))
    events = context["outlet_events"]
    for outlet in outlets:
        if isinstance(outlet, Asset):
            events[outlet].extra.update(extra)
        elif isinstance(outlet, AssetAlias) and (asset := asset_of(outlet)) is not None:
            events[outlet].add(asset, extra=dict(extra))
    keep_state(name, extra, outlets, context)
