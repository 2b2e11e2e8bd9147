"""What every task that scores needs: the model that its argument names, and where its prediction set goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.operators.base import task_key
from airflow_batch_inference.operators.inputs import read_model
from airflow_batch_inference.operators.stores import storage_for, trusted_digests
from airflow_batch_inference.records import fingerprint
from airflow_batch_inference.storage.uris import is_record_uri

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.jobs.request import Destination
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.storage.store import Storage


def model_of(
    uri: str, conn_id: str | None, root: str, storage: Storage
) -> tuple[LoadedModel | None, ModelRecord, str | None]:
    """Return a record with its URI, whose model is loaded where it is needed; or load and describe a plain file.

    Parameters
    ----------
    uri
        Of a model record, or of a model file whose format cannot run code.
    conn_id
        The Airflow connection that reaches such a file.
    root, storage
        The artifact store, and what reaches it.
    """
    from airflow_batch_inference.models.describe import ModelRequest, describe_model
    from airflow_batch_inference.models.trust import TrustRequest

    if not is_record_uri(uri):
        trust = TrustRequest(config_sha256=trusted_digests())
        request = ModelRequest(model_uri=uri, conn_id=conn_id, trust=trust)
        return *describe_model(request, storage=storage_for(conn_id)), None
    return None, read_model("model", uri, root=root, storage=storage), uri


def destination_of(context: Context, root: str, batch_id: str | None) -> Destination:
    """Return where a task's prediction set goes; ``batch_id`` None: made from the run, the same for each try."""
    from airflow_batch_inference.jobs.request import Destination

    key, ti = task_key(context), context["ti"]
    return Destination(
        root=root,
        task=key,
        attempt=f"{ti.try_number}-{str(ti.id)[-12:]}",
        try_id=str(ti.id),
        batch_id=batch_id or fingerprint([key.dag_id, key.run_id, key.task_id, key.map_index])[:16],
    )
