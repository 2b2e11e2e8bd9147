"""The last word on an asset, kept in Airflow's asset state store where there is one (Airflow 3.3 and later).

An asset event is emitted only by a task that succeeds; the state is kept in any case. So whoever has the asset among
its inlets or outlets can ask for the last verdict, that of a task which has failed because of it too.

Invariants: a store that is missing, refuses or cannot be reached changes no task's outcome.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk.definitions.context import Context

log = logging.getLogger(__name__)

PREFIX = "batch_inference_"
_MOST_BYTES = 65_535


def keep_state(name: str, values: Mapping[str, Any], outlets: Sequence[Any], context: Context) -> None:
    """Keep values, and the run they are of, as the state of every asset among a task's outlets.

    Parameters
    ----------
    name
        What they are: ``drift``, ``evaluation`` or ``published``; the key is ``batch_inference_<name>``.
    values
        Plain JSON types.
    outlets
        The task's.
    context
        The task's.
    """
    store = context.get("asset_state_store")
    assets = [outlet for outlet in outlets if isinstance(outlet, Asset)]
    if store is None or not assets:
        return
    ti = context["ti"]
    state = {**values, "dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id}
    size = len(json.dumps(state))
    if size > _MOST_BYTES:
        log.warning("The state of %s is not kept: %d bytes are more than %d", name, size, _MOST_BYTES)
        return
    for asset in assets:
        try:
            store[asset].set(f"{PREFIX}{name}", state)
        except Exception:
            log.exception("The state of asset %s was not kept", asset.name)
