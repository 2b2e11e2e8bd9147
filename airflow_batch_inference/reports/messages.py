"""What is told of a run: a drift verdict, failed checks, rejected rows, a failure, a missed deadline; as one message.

Invariants: a message has no secret and no value of a row in it. So an error is quoted only where this package has made
all of its words of names, counts and limits, and of any other there is no more than its name; what looks like a
password, a token or a signed URL is taken out of whatever is quoted; and a message is short, whatever the names and
numbers of columns are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_batch_inference import exceptions
from airflow_batch_inference.wording.texts import without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_SENTENCES = 6
MOST_CHARACTERS = 300
"""Of a sentence, a name or a value."""
_MOST_NAMES = 8
_VALUE = r"(\"[^\"]*\"?|'[^']*'?|\S+)"
_SECRETS = (
    (re.compile(r"-----BEGIN [^-]*-----.*?(?:-----END [^-]*-----|$)"), "…"),
    (re.compile(r"\?[^\s/?=]*+=\S*"), "?…"),
    (re.compile(r"(?i)\b(hooks\.[\w.-]++/|webhooks?/)\S+"), r"\1…"),
    (re.compile(r"(?i)\b(authorization[\"']?\s*[=:]\s*[\"']?)(?:\w+\s+)?\S+"), r"\1…"),
    (
        re.compile(
            r"(?i)\b(\w*(?:password|passwd|passphrase|pwd|secret|token|signature|credential"
            r"|(?:api|access|account|private|shared)[_-]?key)\w*+)([\"']?\s*[=:]\s*|\s+is\s+)" + _VALUE
        ),
        r"\1\2…",
    ),
    (re.compile(r"(?i)\b((?:\w*_)?(?:pass|sig))(\s*=\s*|[\"']\s*:\s*)" + _VALUE), r"\1\2…"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w+/=.~-]{8,}"), r"\1 …"),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), "…"),
    (re.compile(r"\b(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-)[\w-]{10,}"), "…"),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?"), "…"),
)
_TITLES = {
    "DriftDetectedError": "Drift detected",
    "CheckFailedError": "A check has failed",
    "EvaluationFailedError": "A model is not good enough",
    "TooManyRejectedRowsError": "Too many rows were rejected",
    "TooManyFailedItemsError": "Too many files have failed",
    "PreflightFailedError": "A job would fail",
    "UntrustedModelError": "A model is not trusted",
}
_QUOTED = (
    exceptions.ArtifactError,
    exceptions.CheckFailedError,
    exceptions.EvaluationFailedError,
    exceptions.FlavorNotFoundError,
    exceptions.FlavorNotInstalledError,
    exceptions.UntrustedModelError,
)
"""Other errors may quote a row, an argument, or what a framework or a user's function has said."""
_VERDICTS = {
    "DRIFT_DETECTED": "Drift detected",
    "POSSIBLE_DRIFT": "Possible drift",
    "NO_DRIFT": "No drift",
    "INSUFFICIENT": "Too few rows to judge drift",
    "NOT_ANALYSED": "Drift was not analysed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a message is about."""

    dag_id: str
    run_id: str
    task_id: str | None = None
    """None: the whole run."""
    map_index: int = -1
    """Of an instance of a mapped task."""
    url: str | None = None
    """Its page in Airflow's UI, at http or https."""

    @property
    def name(self) -> str:
        """The task, or the DAG."""
        return self.dag_id if self.task_id is None else f"{self.dag_id}.{self.task_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message, in whatever format it is sent (:mod:`.message_formats`)."""

    kind: str
    """What happened, in a word that letters and ``_`` make."""
    title: str
    sentences: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    """Labels and values."""
    url: str | None
    """Where there is more, at http or https."""
    detail: str = ""
    """What the kind leaves open, such as an error's class: two of a kind and a detail about a task say the same."""


def clean(text: object, limit: int = MOST_CHARACTERS) -> str:
    r"""Return text on one line, without what looks like a secret, cut to a number of characters.

    Examples
    --------
    >>> clean("cannot read s3://me:key@bucket/a?X-Signature=1\nagain, password=hunter2")
    'cannot read s3://…@bucket/a?… again, password=…'
    """
    given = without_secrets(str(text)[: 20 * limit])
    printable = "".join(each if each.isprintable() else " " for each in given)
    found = " ".join(printable.split())
    for pattern, replacement in _SECRETS:
        found = pattern.sub(replacement, found)
    return found if len(found) <= limit else f"{found[: limit - 1]}…"


def drift_message(drift: Mapping[str, Any], place: Place) -> Message:
    """Return the message of a drift verdict.

    Parameters
    ----------
    drift
        As notifiers get it: ``status``, ``metric``, ``summary`` (reasons that quote no values), ``report_uri``,
        ``batch_id`` and ``drifted_columns``.
    place
        The task that has found it.
    """
    status = str(drift.get("status", ""))
    columns = list(drift.get("drifted_columns") or ())
    facts = [("Drift metric", _number(drift.get("metric"))), ("Drifted columns", _listed(columns))]
    facts += [("Batch", drift.get("batch_id")), ("Report", drift.get("report_uri"))]
    kind = status.lower() if status in _VERDICTS else "drift"
    return _message(kind, _VERDICTS.get(status, "Drift"), [str(drift.get("summary") or "")], facts, place)


def checks_message(checks: Sequence[Mapping[str, Any]], place: Place) -> Message:
    """Return the message of validation checks that mark too many rows, as notifiers get them."""
    sentences = [
        f"{check.get('name')} marks {check.get('rows')} of {check.get('of')} rows"
        f" (at most {_percent(check.get('max_rate'))}): {check.get('expression')}"
        for check in checks
    ]
    more = len(sentences) - MOST_SENTENCES
    if more > 0:
        sentences = [*sentences[: MOST_SENTENCES - 1], f"… and {more + 1} checks more."]
    title = "A check has failed" if len(checks) == 1 else f"{len(checks)} checks have failed"
    return _message("check_failed", title, sentences, [], place)


def rejected_message(rejected: int, rows: int | None, place: Place) -> Message:
    """Return the message of rows that were set aside while the others were scored."""
    of = "" if rows is None else f" of {rejected + rows}"
    sentence = f"{rejected}{of} rows could not be scored. They lie in the quarantine, each with its error."
    return _message("rejected_rows", "Rows were rejected", [sentence], [], place)


def failure_message(name: str, text: str, place: Place) -> Message:
    """Return the message of a failed task.

    Parameters
    ----------
    name
        The error's class; empty where Airflow does not tell, as of a task that was killed.
    text
        What it says; it is told of some of this package's errors only, since others may hold what is secret.
    place
        The task.
    """
    found = getattr(exceptions, name, None)
    known = found if isinstance(found, type) else Exception
    is_ours = issubclass(known, exceptions.BatchInferenceError)
    kind = re.sub(r"(?<!^)([A-Z])", r"_\1", name.removesuffix("Error")).lower() if is_ours else "failed"
    if not issubclass(known, _QUOTED):
        told = f"The error is {clean(name, 80)}; its message" if name else "What happened"
        text = f"{told} is in the task's log."
    facts = [("Error", name)] if is_ours and name not in _TITLES else []
    message = _message(kind, _TITLES.get(name, "A task has failed"), [text], facts, place)
    return message if is_ours else replace(message, detail=name)


def run_message(reason: str, place: Place) -> Message:
    """Return the message of a failed run.

    Parameters
    ----------
    reason
        Airflow's word for it, such as ``task_failure`` or ``timed_out``.
    place
        The run.
    """
    said = f"Airflow says: {reason.replace('_', ' ')}."
    return replace(_message("run_failed", "A run has failed", [said], [], place), detail=reason)


def deadline_message(deadline: str, place: Place) -> Message:
    """Return the message of a run that has not ended by its deadline (ISO 8601)."""
    sentence = f"The run was to have ended by {deadline}."
    return _message("deadline_missed", "A deadline was missed", [sentence], [], place)


def _message(
    kind: str, title: str, sentences: Sequence[str], facts: Sequence[tuple[str, object]], place: Place
) -> Message:
    where = [("DAG", place.dag_id), ("Task", place.task_id), ("Run", place.run_id)]
    told = tuple((label, clean(value)) for label, value in (*facts, *where) if value not in (None, ""))
    return Message(
        kind=kind,
        title=f"{title}: {clean(place.name, 100)}",
        sentences=tuple(filter(None, (clean(each, 3 * MOST_CHARACTERS) for each in sentences[:MOST_SENTENCES]))),
        facts=told,
        url=place.url,
    )


def _listed(names: Sequence[object]) -> str:
    shown = ", ".join(clean(name, 28) for name in names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def _number(value: object) -> str | None:
    return f"{value:.3g}" if isinstance(value, (int, float)) else None


def _percent(value: object) -> str:
    return f"{value:.2%}" if isinstance(value, (int, float)) else "none"
