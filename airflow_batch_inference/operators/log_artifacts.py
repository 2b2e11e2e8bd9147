"""The operator that registers a run's artifacts, publishes its prediction set, and tells the world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset

from airflow_batch_inference import records
from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.links import PublishedArtifactsLink
from airflow_batch_inference.operators.announcements import announce
from airflow_batch_inference.operators.arguments import optional_text, structure
from airflow_batch_inference.operators.base import BatchInferenceOperator, fence_of, push, run_began, task_key
from airflow_batch_inference.operators.groups.publication import ARGUMENTS, PARSERS, require_target, target_of
from airflow_batch_inference.operators.stores import storage_for
from airflow_batch_inference.storage.catalog import register
from airflow_batch_inference.storage.uris import is_record_uri, normalize_uri, task_folder
from airflow_batch_inference.wording.signs import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.records import DriftResult, LoggedArtifactsRecord, PredictionSetRecord, Record, TaskKey


class LogArtifactsOperator(BatchInferenceOperator):
    """Register a run's artifacts under their names and a tag, publish the prediction set, emit an asset event.

    Returns the URI of the record of what was logged; pushes ``rows``, ``published_uri``, ``drift_status`` and
    ``drift_metric`` by XCom. Every asset in ``outlets`` gets an event whose extra holds ``rows``, ``model_sha256``,
    ``rows_rejected``, ``certificate`` (rows and row hashes in, out and rejected; for files that a script scored,
    ``items``), ``drift_status``, ``drift_metric``, ``batch_id``, ``published_uri``, ``prediction_uri``, ``drift_uri``,
    ``report_uri`` and ``artifacts_uri``; an ``AssetAlias`` gets one for the published URI.

    :param artifacts: record URIs (outputs of the other operators), which are registered under the names of what they
        hold (``model``, ``prediction``, ``drift_results``, ``drift_table_plot``, ``features_drift_results``,
        ``dataset_statistics``, ``evaluation``, ``evaluation_report``, ``evaluation_metrics``); or a dict of names to
        URIs, of records or of any files. (templated)
    :param artifacts_tag: tag of all of them. (templated)
    :param publish_to: where people read the prediction set: a file (``….parquet``, ``….csv``, ``….arrow``,
        ``….jsonl``), or a folder; replaced in one step. A file has a small manifest beside it
        (``_….parquet_published.json``), a folder has it inside. The task whose ``output`` is among the artifacts checks
        it before it scores the first row. (templated)
    :param output_format: in which format ``publish_to`` is written: ``parquet``, ``csv``, ``arrow`` or ``jsonl``; None:
        as a file's name says, a folder as Parquet. The prediction set itself is always Parquet. (templated)
    :param if_exists: what may be replaced at ``publish_to``: ``replace``: whatever this DAG published there; ``fail``:
        only the same batch, as a retry, a clear or a backfill does. What others wrote is always refused. (templated)
    :param allow_mixed_versions: whether the files of one partition (a folder named ``key=value``) may come from several
        versions of a model; by default a file beside those of another version is refused. (templated)
    :param conn_id: Airflow connection that reaches ``publish_to`` and files that are no records. (templated)
    """

    template_fields: Sequence[str] = (
        *BatchInferenceOperator.template_fields,
        "artifacts",
        "artifacts_tag",
        "publish_to",
        "output_format",
        "if_exists",
        "allow_mixed_versions",
        "conn_id",
    )
    operator_extra_links = (PublishedArtifactsLink(),)

    def __init__(
        self,
        *,
        artifacts: Sequence[str] | Mapping[str, str],
        artifacts_tag: str | None = None,
        publish_to: str | None = None,
        output_format: str | None = None,
        if_exists: str = "replace",
        allow_mixed_versions: bool | str = False,
        conn_id: str | None = None,
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.artifacts = artifacts
        self.artifacts_tag = artifacts_tag
        self.publish_to = publish_to
        self.output_format = output_format
        self.if_exists = if_exists
        self.allow_mixed_versions = allow_mixed_versions
        self.conn_id = conn_id
        self.require_absolute("publish_to")
        self.require_known(**PARSERS)
        require_target(publish_to, output_format)

    def perform(self, context: Context) -> str:
        """Publish, register, announce."""
        key, tag = task_key(context), optional_text(self.artifacts_tag) or ""
        named, found = self._resolve()
        sets = [record for record in found if isinstance(record, records.PredictionSetRecord)]
        if len(sets) > 1 and optional_text(self.publish_to):
            message = (
                f"publish_to takes one prediction set, but {len(sets)} are among the artifacts: log each by itself."
            )
            raise ConfigurationError(message)
        predictions = sets[0] if sets else None
        drift = next((record for record in found if isinstance(record, records.DriftResult)), None)
        published = self._publish(predictions, context)
        if published is not None:
            named["published"] = ("dataset", published)
        logged = records.LoggedArtifactsRecord(
            task=key,
            tag=tag,
            entries={name: uri for name, (_, uri) in named.items()},
            published_uri=published,
            rows=predictions.rows_out if predictions else None,
            model_sha256=predictions.model_sha256 if predictions else None,
            drift_status=drift.status if drift else None,
            drift_metric=drift.drift_metric if drift else None,
        )
        # Its folder is made before anything is registered: where there is none, no try of this task
        # has registered anything. It is looked for after the publication, which may take long.
        is_new = not self.storage.exists(task_folder(self.root, key))
        uri = self.storage.put_record(task_folder(self.root, key), "artifacts", logged)
        self._register(named, key, tag, predictions.batch_id if predictions else None, is_new=is_new)
        self.recorded = uri, logged
        values = _scalars(logged)
        push(context, values)
        extra = {**values, **_accounts(predictions), **_uris(named, drift), "artifacts_uri": uri}
        announce("published", extra, self.outlets, context, lambda _: Asset(visible(published)) if published else None)
        return uri

    def _resolve(self) -> tuple[dict[str, tuple[str, str]], list[Record]]:
        """Return name -> (kind, URI) of all artifacts, those inside of records too, and the records."""
        given = structure(self.artifacts)
        if isinstance(given, str):
            given = [given]
        pairs = list(given.items()) if isinstance(given, Mapping) else [(None, uri) for uri in given or ()]
        if not pairs:
            message = "artifacts is empty; give the outputs of the tasks whose artifacts should be logged."
            raise ConfigurationError(message)
        named: dict[str, tuple[str, str]] = {}
        found: list[Record] = []
        for name, uri in pairs:
            if not is_record_uri(uri):
                _enter(named, *self._plain_file(name, uri))
                continue
            record = self.storage.read_record(uri)
            found.append(record)
            for own_name, kind, artifact_uri in (*_contents(record, uri), *self._challengers(record)):
                _enter(named, name if name and artifact_uri == uri else own_name, kind, artifact_uri)
        return named, found

    def _challengers(self, record: Record) -> list[tuple[str, str, str]]:
        """Return (name, kind, URI) of what a prediction set says of its challengers."""
        if not isinstance(record, records.PredictionSetRecord) or record.challengers_uri is None:
            return []
        found = self.storage.read_record(record.challengers_uri)
        name = f"{record.name}_challengers"
        contents = [(name, "challengers", record.challengers_uri)]
        if isinstance(found, records.ChallengersRecord) and found.report_uri is not None:
            contents.append((f"{name}_report", "html", found.report_uri))
        return contents

    def _plain_file(self, name: str | None, uri: str) -> tuple[str, str, str]:
        if name is None:
            message = f"{uri} is no record of this package. Give other files with a name: artifacts={{name: uri}}."
            raise ConfigurationError(message)
        if not storage_for(optional_text(self.conn_id)).exists(uri):
            message = f"The artifact {name!r} does not exist: nothing lies at {uri}."
            raise ArtifactNotFoundError(message)
        return name, "file", normalize_uri(uri)

    def _publish(self, predictions: PredictionSetRecord | None, context: Context) -> str | None:
        from airflow_batch_inference.sinks.base import PublishRequest
        from airflow_batch_inference.sinks.manifest import Publisher
        from airflow_batch_inference.sinks.registry import publish

        target = target_of({argument: getattr(self, argument) for argument in ARGUMENTS})
        if target is None:
            return None
        if predictions is None:
            message = f"publish_to is {target.name}, but no prediction set is among the artifacts. Add predict.output."
            raise ConfigurationError(message)
        request = PublishRequest(
            record=predictions,
            target=target,
            storage=self.storage,
            publisher=Publisher(task_key(context), str(context["ti"].id), run_began(context), fence_of(context)),
        )
        published = publish(request)
        self.log.info("Published %d rows to %s", predictions.rows_out, published)
        return published

    def _register(
        self, named: Mapping[str, tuple[str, str]], key: TaskKey, tag: str, batch_id: str | None, *, is_new: bool
    ) -> None:
        for name, (kind, uri) in named.items():
            register(
                root=self.root,
                name=name,
                artifact_kind=kind,
                uri=uri,
                tag=tag,
                task=key,
                batch_id=batch_id,
                storage=self.storage,
                is_new=is_new,
            )
            self.log.info("Logged %s: %s", name, uri)


def _scalars(logged: LoggedArtifactsRecord) -> dict[str, Any]:
    return {
        "rows": logged.rows,
        "published_uri": logged.published_uri,
        "model_sha256": logged.model_sha256,
        "drift_status": None if logged.drift_status is None else str(logged.drift_status),
        "drift_metric": logged.drift_metric,
    }


def _uris(named: Mapping[str, tuple[str, str]], drift: DriftResult | None) -> dict[str, str | None]:
    """Return where the records are that tell more of the batch."""
    of_kind = dict(reversed(list(named.values())))
    return {
        "prediction_uri": of_kind.get("prediction-set"),
        "drift_uri": of_kind.get("drift"),
        "report_uri": drift.report_uri if drift else None,
    }


def _accounts(predictions: PredictionSetRecord | None) -> dict[str, Any]:
    """Return which batch it was, and the proof that none of its rows was lost or doubled."""
    if predictions is None:
        return {"batch_id": None, "rows_rejected": None, "certificate": None}
    return {
        "batch_id": predictions.batch_id,
        "rows_rejected": predictions.rows_rejected,
        "certificate": None if predictions.certificate is None else asdict(predictions.certificate),
        **({} if predictions.items is None else {"items": asdict(predictions.items)}),
    }


def _contents(record: Record, uri: str) -> list[tuple[str, str, str]]:
    """Return (name, kind, URI) of a record and of the files that it names."""
    if isinstance(record, records.ModelRecord):
        found = [("model", "model", uri), ("baseline", "baseline", record.baseline_uri)]
    elif isinstance(record, records.PredictionSetRecord):
        found = [(record.name, "prediction-set", uri), ("mini_batches", "jsonl", record.mini_batches_uri)]
    elif isinstance(record, records.DriftResult):
        found = [
            ("drift_results", "drift", uri),
            ("drift_table_plot", "html", record.report_uri),
            ("features_drift_results", "json", record.features_drift_uri),
            ("dataset_statistics", "statistics", record.statistics_uri),
        ]
    elif isinstance(record, records.EvaluationRecord):
        found = [
            ("evaluation", "evaluation", uri),
            ("evaluation_report", "html", record.report_uri),
            ("evaluation_metrics", "json", record.metrics_uri),
        ]
    else:
        found = [(str(getattr(record, "kind", "record")), "record", uri)]
    return [(name, kind, place) for name, kind, place in found if place is not None]


def _enter(named: dict[str, tuple[str, str]], name: str, kind: str, uri: str) -> None:
    if name in named and named[name][1] != uri:
        both = f"{named[name][1]} and {uri}"
        message = f"Two artifacts of this run are named {name!r}: {both}. Give them names: artifacts={{name: uri}}."
        raise ConfigurationError(message)
    named[name] = (kind, uri)
