"""The errors of the package, and what a retry does for each.

Every message says what went wrong, the value, the limit, where it happened and what to do next. Operating
system and network errors are not wrapped: they propagate as they are and Airflow retries them. The Airflow
layer translates the classes below in one place (``operators/base.py``): ``retryable = False`` ends the task at
once, because the same inputs can only fail again.

Invariants: a message never holds a secret of a URI, nor a control character, whoever has written it; both are taken out
here, in the base (:mod:`.wording`), so that no message can forget it.

::

    BatchInferenceError
    ├── ConfigurationError             an argument or the wiring can never work
    │   ├── NotDescribableError        only this process can have it, and no other
    │   └── EnvironmentMismatchError   a process has other versions than the one that planned the job
    ├── ArtifactError
    │   ├── ArtifactNotFoundError      retryable: the file may still be on its way
    │   ├── ArtifactIntegrityError     digest, truncation, unknown schema_version
    │   └── ArtifactConflictError      other bytes are already published under this key
    │       └── ArtifactBusyError      retryable: another run of this DAG is publishing there
    ├── ModelError
    │   ├── FlavorNotFoundError        no flavor knows the file
    │   ├── FlavorNotInstalledError    names the pip extra
    │   ├── UntrustedModelError        names what would run, or the offending types
    │   ├── ModelLoadError             the file is damaged, or from another version
    │   │   └── UncertainColumnsError  it does not say which columns its lists of categories are of
    │   └── GoldenSetError             it no longer predicts what it once did
    ├── DataError
    │   ├── SignatureMismatchError     missing, wrong type, with "did you mean"
    │   ├── EmptyDatasetError          nothing to score
    │   ├── InputChangedError          retryable: a file was changed while it was read
    │   └── TooManyRejectedRowsError   counts, limit, first reasons, where the rejects lie
    ├── PredictionError                file, row range, cause chained
    │   └── RowAlignmentError             the predictions are not one a row, each of its own row
    ├── ScriptError                    a scoring script that cannot be run, with its own traceback
    │   └── TooManyFailedItemsError    retryable: a retry runs the mini-batches that failed, and only those
    ├── WorkerError                    retryable: worker processes died, made no progress, or have no environment
    ├── EngineError                    retryable: an engine has ended, and parts are missing
    ├── CheckFailedError               check, count, rate, limit, first rows
    ├── DriftDetectedError             columns, scores, thresholds, report URI
    ├── EvaluationFailedError          metrics, limits, report URI
    └── PreflightFailedError           everything that was found to be wrong
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_inference.wording.texts import said

if TYPE_CHECKING:
    from collections.abc import Iterable


class BatchInferenceError(Exception):
    """Base of every error that this package raises on purpose."""

    retryable: ClassVar[bool] = False
    """Whether the same task, tried again with the same arguments, may succeed."""
    has_lines: ClassVar[bool] = False
    """Whether its message may have several lines, all but the first of which are then indented."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(said(each, lines=self.has_lines) if isinstance(each, str) else each for each in args))

    def add_note(self, note: str, /) -> None:
        """Add a note, such as a traceback of another process, as it may be shown."""
        super().add_note(said(note, lines=True))


class ConfigurationError(BatchInferenceError):
    """An argument or the wiring of tasks can never work."""

    retryable: ClassVar[bool] = False


class NotDescribableError(ConfigurationError):
    """Something has no description that another process could read: only this process can have it."""

    retryable: ClassVar[bool] = False


class EnvironmentMismatchError(ConfigurationError):
    """A process has other versions of packages than the one that planned the job."""

    retryable: ClassVar[bool] = False


class ArtifactError(BatchInferenceError):
    """An artifact (model file, record, report, part) is not what it should be."""

    retryable: ClassVar[bool] = False


class ArtifactNotFoundError(ArtifactError):
    """Nothing lies under the URI; it may still arrive, so a retry can help."""

    retryable: ClassVar[bool] = True


class ArtifactIntegrityError(ArtifactError):
    """The bytes under the URI are not the expected ones: digest, truncation or schema version."""

    retryable: ClassVar[bool] = False


class ArtifactConflictError(ArtifactError):
    """Other bytes are already published under this key, and they are not ours to replace."""

    retryable: ClassVar[bool] = False


class ArtifactBusyError(ArtifactConflictError):
    """Another writer of this DAG is publishing there, or has just taken over; once it is done, a retry can go on."""

    retryable: ClassVar[bool] = True


class ModelError(BatchInferenceError):
    """A model cannot be used."""

    retryable: ClassVar[bool] = False


class FlavorNotFoundError(ModelError):
    """No flavor recognises the model file, or the named flavor does not exist."""

    retryable: ClassVar[bool] = False


class FlavorNotInstalledError(ModelError):
    """The flavor's framework is not installed; the message names the pip extra."""

    retryable: ClassVar[bool] = False


class UntrustedModelError(ModelError):
    """Loading the file could run code, and nobody has said that this file may."""

    retryable: ClassVar[bool] = False


class ModelLoadError(ModelError):
    """The framework could not read the file: damaged, or written by another version."""

    retryable: ClassVar[bool] = False


class UncertainColumnsError(ModelLoadError):
    """A model has lists of categories, and it is not certain which columns they are of."""

    retryable: ClassVar[bool] = False


class GoldenSetError(ModelError):
    """The model no longer predicts what it predicted when its golden set was stored."""

    retryable: ClassVar[bool] = False


class DataError(BatchInferenceError):
    """The dataset cannot be read or does not fit the model."""

    retryable: ClassVar[bool] = False


class SignatureMismatchError(DataError):
    """A column that the model needs is missing, or holds values of the wrong type."""

    retryable: ClassVar[bool] = False


class EmptyDatasetError(DataError):
    """There is not a single row to score."""

    retryable: ClassVar[bool] = False


class InputChangedError(DataError):
    """A file was changed while it was read; a retry begins anew, with the version that it finds then."""

    retryable: ClassVar[bool] = True


class TooManyRejectedRowsError(DataError):
    """More rows were rejected than the run allows.

    Attributes
    ----------
    rejects
        The mini-batch in which it happened, and its rejected rows; None where they are stored already, or unknown.
    """

    retryable: ClassVar[bool] = False
    rejects: tuple[Any, list[Any]] | None = None


class PredictionError(BatchInferenceError):
    """The model failed on a mini-batch, or returned something that cannot be its predictions."""

    retryable: ClassVar[bool] = False


class RowAlignmentError(PredictionError):
    """The model returned too many or too few rows, or rows that depend on the rows around them."""

    retryable: ClassVar[bool] = False


class ScriptError(BatchInferenceError):
    """A scoring script cannot be loaded, its ``init()`` raised, or its outputs contradict each other."""

    retryable: ClassVar[bool] = False
    has_lines: ClassVar[bool] = True


class TooManyFailedItemsError(ScriptError):
    """More files or mini-batches failed than the run allows, or all of them did."""

    retryable: ClassVar[bool] = True
    has_lines: ClassVar[bool] = True


class WorkerError(BatchInferenceError):
    """Worker processes died or made no progress, again and again; or a script's environment cannot be built.

    Or the trial of a model file was ended by something else than the file.
    """

    retryable: ClassVar[bool] = True
    has_lines: ClassVar[bool] = True


class EngineError(BatchInferenceError):
    """An engine has ended without an error, and parts of the job have no receipt; a retry scores those that do not."""

    retryable: ClassVar[bool] = True


class CheckFailedError(BatchInferenceError):
    """A validation check holds for more rows than it may.

    Attributes
    ----------
    results
        What came of all checks (records.CheckResult); empty where they were not counted.
    rows
        How many rows went in.
    uri
        Where the results are stored; None: nowhere.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, results: tuple[Any, ...] = (), rows: int = 0, uri: str | None = None) -> None:
        super().__init__(message)
        self.results = results
        self.rows = rows
        self.uri = uri


class DriftDetectedError(BatchInferenceError):
    """The data have drifted from the reference beyond the limit that was set."""

    retryable: ClassVar[bool] = False


class EvaluationFailedError(BatchInferenceError):
    """A model's metrics on a labelled set are not as good as they must be."""

    retryable: ClassVar[bool] = False


class PreflightFailedError(BatchInferenceError):
    """A scoring job was tried out, and would fail."""

    retryable: ClassVar[bool] = False
    has_lines: ClassVar[bool] = True


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the closest of the known names, in brackets behind a blank; nothing where none is close.

    Examples
    --------
    >>> did_you_mean("quarantene", ["fail", "quarantine"]), did_you_mean("x", ["fail"])
    (" (did you mean 'quarantine'?)", '')
    """
    by_folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return f" (did you mean {by_folded[close[0]]!r}?)" if close else ""


def require_one_of(argument: str, value: object, known: Iterable[str]) -> None:
    """Refuse a word that is not among the known ones.

    Raises
    ------
    ConfigurationError
        Names them, and the nearest one.
    """
    if value not in (known := tuple(known)):
        hint = did_you_mean(value, known) if isinstance(value, str) else ""
        message = f"{argument} is {value!r}; it must be one of {', '.join(map(repr, known))}{hint}."
        raise ConfigurationError(message)
