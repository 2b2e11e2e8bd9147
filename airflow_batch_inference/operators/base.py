"""What all operators share: where artifacts lie, who the task is, how errors become Airflow's, how verdicts go out.

This is the one place that translates the package's errors: a retry can never mend one that is not ``retryable``,
so it ends the task at once; all others, and the system's own errors, go through unchanged.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import functools
import logging
import os
from abc import abstractmethod
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, BaseHook, conf
from airflow.sdk import Asset, AssetAlias, BaseNotifier, BaseOperator

from airflow_batch_inference.exceptions import (
    BatchInferenceError,
    CheckFailedError,
    ConfigurationError,
    DriftDetectedError,
    EvaluationFailedError,
)
from airflow_batch_inference.models.aliases import parse_alias
from airflow_batch_inference.operators.alerts import MOST_SECONDS, Cooldown, drifted_columns
from airflow_batch_inference.operators.arguments import is_known, number, optional_text, structure
from airflow_batch_inference.operators.asset_state import keep_state
from airflow_batch_inference.records import DriftStatus, TaskKey
from airflow_batch_inference.storage.digests import parse_sha256
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.temporary import sweep_temporary_folders
from airflow_batch_inference.storage.uris import normalize_uri, not_absolute
from airflow_batch_inference.storage.web import WebFiles
from airflow_batch_inference.wording.errors import harmless
from airflow_batch_inference.wording.logs import GuardedLogger
from airflow_batch_inference.wording.secrets import on_secret, remember
from airflow_batch_inference.wording.texts import said_of
from airflow_batch_inference.wording.uris import has_secret, is_remote, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow.sdk.definitions.context import Context
    from fsspec import AbstractFileSystem

    from airflow_batch_inference.records import DriftResult, Record

log = logging.getLogger(__name__)

CONFIG_SECTION = "batch_inference"
_PROVIDERS = {
    "s3": "apache-airflow-providers-amazon[s3fs]",
    "gs": "apache-airflow-providers-google",
    "abfs": "apache-airflow-providers-microsoft-azure",
    "abfss": "apache-airflow-providers-microsoft-azure",
}
"""Whose connections reach which stores."""
RECORD_URI = "record_uri"
"""The XCom of what a task has recorded, where its verdict fails or skips it afterwards: it then returns nothing."""
_MLFLOW = ("models:/", "runs:/")
_FREE = frozenset({"environment_variables", "program_arguments", "requirements", "op_args", "op_kwargs"})
"""Arguments that go to a user's own code, or to pip, and into no record: what is secret in them is hidden."""
_DATA = frozenset({"dataset", "sample_set", "golden_set", "baseline"})
"""Arguments that may be rows, whose values are nobody's URIs."""
_VERDICTS = (CheckFailedError, DriftDetectedError, EvaluationFailedError)


def _mask(secret: str) -> None:
    """Have Airflow's own masker hide a secret too: in rendered templates, and in what other code logs."""
    from airflow.sdk.log import mask_secret

    mask_secret(secret)


on_secret(_mask)


def artifact_root() -> str:
    """Return the artifact store: ``[batch_inference] artifact_root``, else a folder in AIRFLOW_HOME."""
    configured = conf.get(CONFIG_SECTION, "artifact_root", fallback=None)
    if configured:
        return normalize_uri(str(configured))
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser().absolute()
    return normalize_uri(str(home / "batch_inference"))


def environments_folder() -> Path:
    """Return where environments of scripts are kept: ``[batch_inference] environments``, else in AIRFLOW_HOME.

    Raises
    ------
    ConfigurationError
        It is no local folder.
    """
    configured = str(conf.get(CONFIG_SECTION, "environments", fallback=None) or "")
    if "://" in configured:
        message = f"[batch_inference] environments is {configured!r}; it must be a folder of this machine."
        raise ConfigurationError(message)
    if configured:
        return Path(configured).expanduser().absolute()
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser().absolute()
    return home / "batch_inference_environments"


def trusted_digests() -> frozenset[str]:
    """Return the digests of models that may run code: ``[batch_inference] trusted_sha256``.

    Raises
    ------
    ConfigurationError
        One of them is no SHA-256.
    """
    configured = str(conf.get(CONFIG_SECTION, "trusted_sha256", fallback=None) or "")
    return frozenset(parse_sha256(text) for text in configured.replace(",", " ").split())


def _filesystem(protocol: str, *, conn_id: str | None) -> AbstractFileSystem:
    import fsspec
    from airflow.sdk.io import get_fs, has_fs

    if has_fs(protocol):
        return get_fs(protocol, conn_id)
    if conn_id is not None:
        package = _PROVIDERS.get(protocol, "the Airflow provider of that store")
        message = (
            f"The connection {conn_id!r} cannot reach {protocol}://, for no Airflow provider that is installed knows "
            f"such a store. Install {package}; or leave the connection out, and let the environment say how it is "
            "reached."
        )
        raise ConfigurationError(message)
    return fsspec.filesystem(protocol)


def _allowed_roots() -> list[str]:
    allowed = str(conf.get(CONFIG_SECTION, "allowed_roots", fallback=None) or "")
    return [root.strip() for root in allowed.split(",") if root.strip()]


def storage_for(conn_id: str | None) -> Storage:
    """Return a storage that reaches remote file systems through an Airflow connection (None: fsspec's defaults).

    It reaches nothing outside ``[batch_inference] allowed_roots`` and the artifact store.
    """
    allowed = _allowed_roots()
    folders = tuple(normalize_uri(root) for root in allowed if not root.startswith(_MLFLOW))
    roots = (*folders, artifact_root()) if allowed else ()
    return Storage(
        filesystem_for=functools.partial(_filesystem, conn_id=conn_id),
        roots=roots,
        web=None if conn_id is None else WebFiles(functools.partial(_web_headers, conn_id), roots=roots),
    )


def _web_headers(conn_id: str, host: str) -> dict[str, str]:
    """Return what a connection of type HTTP sends to be let in: to its own host, and to no other."""
    connection = BaseHook.get_connection(conn_id)
    own = str(connection.host or "").partition("://")[2] or str(connection.host or "")
    names = {own.partition("/")[0].lower(), f"{own.partition('/')[0]}:{connection.port}".lower()}
    if connection.conn_type != "http" or host.lower() not in names:
        return {}
    headers = {name: value for name, value in connection.extra_dejson.get("headers", {}).items() if value}
    if connection.login or connection.password:
        pair = f"{connection.login or ''}:{connection.password or ''}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return {str(name): str(value) for name, value in headers.items()}


def artifact_storage(conn_id: str | None = None) -> Storage:
    """Return what reaches the artifact store, by default through ``[batch_inference] artifact_conn_id``."""
    return storage_for(conn_id or conf.get(CONFIG_SECTION, "artifact_conn_id", fallback=None) or None)


def require_mlflow_allowed(uri: str) -> None:
    """Refuse a model of MLflow's, whose files may lie anywhere, where ``allowed_roots`` does not name its kind.

    Raises
    ------
    ConfigurationError
        Says what to add.
    """
    allowed = _allowed_roots()
    if allowed and not any(uri.startswith(root) for root in allowed if root.startswith(_MLFLOW)):
        kind = uri.partition("/")[0]
        message = (
            f"{redact(uri)} is a model of MLflow's, whose files may lie anywhere, and allowed_roots in the "
            f"[batch_inference] section of Airflow's config does not name it. Have {kind}/ added there, or "
            f"{kind}/<name> for one model."
        )
        raise ConfigurationError(message)


@contextlib.contextmanager
def translated_errors() -> Iterator[None]:
    """End the task at once for errors that a retry cannot mend; no error keeps a secret in its text or its causes."""
    in_its_place: BaseException | None = None
    try:
        yield
    except BatchInferenceError as error:
        harmless(error)
        if error.retryable:
            raise
        message = f"{type(error).__name__}: {error}"
        # The message says all that this package knows; a framework's own error has more, a verdict has no cause.
        raise AirflowFailException(message) from (None if isinstance(error, _VERDICTS) else error.__cause__)
    except Exception as error:
        in_its_place = harmless(error)
        if in_its_place is error:
            raise
    if in_its_place is not None:
        raise in_its_place  # outside of the block: it would keep the other as its context


class BatchInferenceOperator(BaseOperator):
    """Base of the operators: subclasses implement :meth:`perform`.

    :param artifact_root: folder or bucket path in which records, predictions and reports are kept. (templated)
        Default: ``[batch_inference] artifact_root`` in the Airflow config, else ``$AIRFLOW_HOME/batch_inference``.
    :param artifact_conn_id: Airflow connection that reaches it, if it is remote. Default:
        ``[batch_inference] artifact_conn_id``.
    """

    template_fields: Sequence[str] = ("artifact_root",)
    recorded: tuple[str, Record] | None = None
    """What this task has recorded, or judged, so far, with its URI: what links and lineage tell of it at its end."""

    def __init__(
        self,
        *,
        artifact_root: str | None = None,
        artifact_conn_id: str | None = None,
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.artifact_root = artifact_root
        self.artifact_conn_id = artifact_conn_id

    @property
    def log(self) -> Any:  # noqa: ANN401  # Airflow's own logger of the operator
        """Airflow's logger of this operator, to which no control character and no secret goes."""
        return GuardedLogger(super().log)

    def require_absolute(self, *arguments: str) -> None:
        """Refuse relative paths, and URIs with a secret, while the DAG is parsed; templates show theirs when they run.

        Airflow keeps what an operator is given in its database, for all who may read the DAG.

        Raises
        ------
        ConfigurationError
            Says what to write instead.
        """
        for argument in arguments:
            value = getattr(self, argument)
            for each in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(each, str):
                    remember(each)
                if is_relative(as_text(each)):
                    given = redact(str(each))
                    message = f"{argument} of the task {self.task_id!r} is {given!r}: {not_absolute(given)}."
                    raise ConfigurationError(message)
                if isinstance(each, str) and is_known(each) and is_remote(each) and has_secret(each):
                    _refuse_secret(argument, each)

    def render_template(self, content: Any, context: Context, *rest: Any, **more: Any) -> Any:  # noqa: ANN401  # Airflow's
        """Render a template, also in a path (``pathlib.Path``), which is text from then on.

        Airflow keeps what is rendered to show it: what is secret in it is known before.
        """
        try:
            rendered = super().render_template(as_text(content), context, *rest, **more)
        except Exception as error:
            harmless(error)
            raise
        if isinstance(rendered, str):
            remember(rendered)
        return rendered

    def require_no_secrets(self) -> None:
        """Refuse URIs with a login, a query or a fragment in any argument: records and events repeat arguments.

        Raises
        ------
        ConfigurationError
            Says which argument, and shows nothing of it.
        """
        for argument in (*self.template_fields, "artifact_conn_id"):
            value = getattr(self, argument, None)
            for text in texts_in(value, in_rows=argument not in _DATA):
                remember(text)
                if argument not in _FREE and is_remote(text) and has_secret(text):
                    _refuse_secret(argument, text)

    def execute(self, context: Context) -> str | None:
        """Do the task's work and return the URI of its record; push it where a verdict ends the task instead."""
        self.recorded = None
        sweep_temporary_folders()
        with translated_errors():
            self.require_no_secrets()
            try:
                uri = self.perform(context)
                return None if uri is None else str(uri)
            except (*_VERDICTS, AirflowSkipException):
                if self.recorded is not None:
                    push(context, {RECORD_URI: self.recorded[0]})
                raise

    @abstractmethod
    def perform(self, context: Context) -> str | None:
        """Do the work and return the record's URI; raise this package's errors freely."""

    def get_openlineage_facets_on_complete(self, task_instance: object) -> Any:  # noqa: ANN401, ARG002  # OpenLineage's
        """Return what the task has read and written, for OpenLineage."""
        from airflow_batch_inference.operators.lineage import lineage_of

        return lineage_of(self)

    def get_openlineage_facets_on_failure(self, task_instance: object) -> Any:  # noqa: ANN401  # OpenLineage's
        """Return what the task was to read, and what it had recorded before it failed."""
        return self.get_openlineage_facets_on_complete(task_instance)

    @property
    def root(self) -> str:
        """The artifact store's canonical URI."""
        return normalize_uri(self.artifact_root) if self.artifact_root else artifact_root()

    @property
    def storage(self) -> Storage:
        """Reaches the artifact store."""
        return artifact_storage(self.artifact_conn_id)

    def data_storage(self, conn_id: object) -> Storage:
        """Return what reaches a dataset through a connection, and prediction sets in the way of the artifact store."""
        return replace(storage_for(optional_text(conn_id)), artifacts=self.storage)

    def cooldown(self, context: Context, seconds: object) -> Cooldown | None:
        """Return what holds back this task's repeated alerts for some seconds, also from text; None for 0.

        Raises
        ------
        ConfigurationError
            It is no number of seconds from 0 to a year.
        """
        parsed = number("alert_cooldown_s", seconds, low=0, high=MOST_SECONDS)
        if not parsed:
            return None
        return Cooldown(storage=self.storage, root=self.root, task=task_key(context), seconds=parsed)


def task_key(context: Context) -> TaskKey:
    """Return the task instance that is running, without its try."""
    return TaskKey.of(context["ti"])


def run_date(context: Context) -> datetime | None:
    """Return the run's logical date, or when it was due where it has none; None where neither is known."""
    found = context.get("logical_date") or getattr(context.get("dag_run"), "run_after", None)
    return None if found is None else datetime.fromisoformat(found.isoformat())


def run_began(context: Context) -> str:
    """Return when the run began, in a form that sorts: anew where a run that was over is cleared; empty: unknown."""
    found = getattr(context.get("dag_run"), "start_date", None)
    return (
        ""
        if found is None
        else datetime.fromisoformat(found.isoformat()).astimezone(UTC).isoformat(timespec="microseconds")
    )


def as_text(content: Any) -> Any:  # noqa: ANN401  # an argument
    """Return a path as text; all else as it is.

    Raises
    ------
    ConfigurationError
        Airflow's own ``ObjectStoragePath`` with a connection in it, which has an argument here.
    """
    if getattr(content, "conn_id", None) and hasattr(content, "protocol"):
        message = (
            f"{content.protocol}://{content.path} comes with the connection {content.conn_id!r} in it. Give the "
            f"address alone, and conn_id={content.conn_id!r} beside it."
        )
        raise ConfigurationError(message)
    if isinstance(content, os.PathLike) or type(content).__name__ == "ObjectStoragePath":
        return str(content)
    return content


def _refuse_secret(argument: str, uri: str) -> None:
    """Refuse a URI that may have a secret in it, whatever the argument is for.

    Raises
    ------
    ConfigurationError
        Says why, and where such a thing belongs.
    """
    if argument == "mlflow_tracking_uri":
        message = (
            f"mlflow_tracking_uri is {redact(uri)!r}, in which there may be a login. Give it without, and the login by "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or the whole by MLFLOW_TRACKING_URI) in the "
            "worker's environment."
        )
        raise ConfigurationError(message)
    try:
        normalize_uri(uri)
    except ConfigurationError as error:
        message = f"{argument}: {error}"
        raise ConfigurationError(message) from None


def texts_in(value: object, *, in_rows: bool = True) -> Iterator[str]:
    """Yield each text in an argument; of what may be rows, only what is named in a list.

    Examples
    --------
    >>> list(texts_in(["/a", {"b": ["/c"]}])), list(texts_in(["/a", {"b": "/c"}], in_rows=False))
    (['/a', 'b', '/c'], ['/a'])
    """
    if isinstance(value, str):
        yield value
        if value[:1] in ("[", "{"):
            with contextlib.suppress(ConfigurationError):
                found = structure(value)
                yield from () if isinstance(found, str) else texts_in(found, in_rows=in_rows)
    elif isinstance(value, os.PathLike):
        yield str(value)
    elif isinstance(value, dict) and in_rows:
        for pair in value.items():
            yield from texts_in(pair)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in value if in_rows else filter(lambda each: isinstance(each, (str, os.PathLike)), value):
            yield from texts_in(each, in_rows=in_rows)


def is_relative(content: object) -> bool:
    """Say whether text is a path that begins in no folder; a template may still become anything.

    Examples
    --------
    >>> [is_relative(each) for each in ("in/a.csv", "~/a.csv", "/in/a.csv", "models/m@live", "{{ ds }}/a.csv", "a", 1)]
    [True, True, False, False, False, False, False]
    """
    if not isinstance(content, str) or "{{" in content or "{%" in content or content[:1] in ("/", "[", "{"):
        return False
    is_path = content.startswith("~") or "/" in content or content.count(".") == 1
    return is_path and ":" not in content and parse_alias(content) is None


def fence_of(context: Context) -> Callable[[], None]:
    """Return what tells, right before a commit, that this try is still the live one.

    Airflow 3.3's task state store refuses the write of a try that is over: a zombie that its retry has replaced.
    Earlier versions have no such store; there the numbered commits alone decide.
    """

    def fence() -> None:
        store = context.get("task_state_store")
        if store is not None:
            store.set("batch_inference_commit", str(context["ti"].id))

    return fence


def push(context: Context, values: Mapping[str, Any]) -> None:
    """Push plain scalars by XCom, each under its own key."""
    for key, value in values.items():
        context["ti"].xcom_push(key=key, value=said_of(value))


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
    told = [tell(notifier, {**context, "drift": drift}) for notifier in notifiers]
    if cooldown is not None and any(told):
        cooldown.start(result)


def tell(notifier: Any, context: Mapping[str, Any]) -> bool:  # noqa: ANN401  # any callable that takes a context
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
    has_drifted = result.status == DriftStatus.DRIFT_DETECTED
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
