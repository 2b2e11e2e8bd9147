"""What all operators share: the artifact store, who the task is, how errors become Airflow's, rendered arguments.

Invariants: this is the one place that translates the package's errors: a retry can never mend one that is not
``retryable``, so it ends the task at once; all others, and the system's own errors, go through unchanged.
"""

from __future__ import annotations

import contextlib
import logging
import os
from abc import abstractmethod
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import BaseOperator

from airflow_batch_inference.exceptions import (
    BatchInferenceError,
    CheckFailedError,
    ConfigurationError,
    DriftDetectedError,
    EvaluationFailedError,
)
from airflow_batch_inference.models.aliases import parse_alias
from airflow_batch_inference.operators.arguments import is_known, number, optional_text, structure
from airflow_batch_inference.operators.groups.base import ArgumentGroup
from airflow_batch_inference.operators.stores import artifact_root, artifact_storage, storage_for
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.storage.temporary import sweep_temporary_folders
from airflow_batch_inference.storage.uris import normalize_uri, not_absolute
from airflow_batch_inference.wording.errors import harmless
from airflow_batch_inference.wording.logs import GuardedLogger
from airflow_batch_inference.wording.secrets import remember
from airflow_batch_inference.wording.texts import said_of
from airflow_batch_inference.wording.uris import has_secret, is_remote, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.operators.alerts import Cooldown
    from airflow_batch_inference.records import Record
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

RECORD_URI = "record_uri"
"""The XCom of what a task has recorded, where its verdict fails or skips it afterwards: it then returns nothing."""
_FREE = frozenset({"environment_variables", "program_arguments", "requirements", "op_args", "op_kwargs"})
"""Arguments that go to a user's own code, or to pip, and into no record: what is secret in them is hidden."""
_DATA = frozenset({"dataset", "sample_set", "golden_set", "rows", "baseline"})
"""Arguments that may be rows, whose values are nobody's URIs."""
_VERDICTS = (CheckFailedError, DriftDetectedError, EvaluationFailedError)


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

    def require_known(self, **parsers: Callable[[str, object], object]) -> None:
        """Refuse arguments that can never work while the DAG is parsed; templates are parsed when they are rendered.

        Parameters
        ----------
        parsers
            Argument to what parses it.

        Raises
        ------
        ConfigurationError
            As the parser says.
        """
        for argument, parse in parsers.items():
            value = getattr(self, argument)
            if is_known(value):
                parse(argument, value)

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
            value = [each for _, each in value.given()] if isinstance(value, ArgumentGroup) else value
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
        """Render a template, also in a path (``pathlib.Path``), which is text from then on, and in a group.

        Airflow keeps what is rendered to show it: what is secret in it is known before.
        """
        if isinstance(content, ArgumentGroup):
            with translated_errors():
                return content.rendered(lambda each: self.render_template(each, context, *rest, **more))
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
        for argument, value in self._given_arguments():
            for text in texts_in(value, in_rows=argument not in _DATA):
                remember(text)
                if argument not in _FREE and is_remote(text) and has_secret(text):
                    _refuse_secret(argument, text)

    def _given_arguments(self) -> Iterator[tuple[str, Any]]:
        """Yield each argument's name and value, those in groups by themselves."""
        for argument in (*self.template_fields, "artifact_conn_id"):
            value = getattr(self, argument, None)
            yield from value.given() if isinstance(value, ArgumentGroup) else [(argument, value)]

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
        from airflow_batch_inference.operators.alerts import MOST_SECONDS, Cooldown

        parsed = number("alert_cooldown_s", seconds, low=0, high=MOST_SECONDS)
        if not parsed:
            return None
        return Cooldown(storage=self.storage, root=self.root, task=task_key(context), seconds=parsed)


class StoppableOperator(BatchInferenceOperator):
    """Base of those that work through many mini-batches, and end between two of them when their task is killed."""

    _stop_requested = False

    def on_kill(self) -> None:
        """Ask the work to end before its next mini-batch; it then commits nothing."""
        self._stop_requested = True

    def is_stopped(self) -> bool:
        """Say whether the task was killed."""
        return self._stop_requested


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
    if argument == "tracking_uri":
        message = (
            f"tracking_uri is {redact(uri)!r}, in which there may be a login. Give it without, and the login by "
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
