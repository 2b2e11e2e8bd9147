"""A model in a process of its own, for files that nobody vouches for: what they do on some rows no trial can find.

Invariants: however such a model ends its process, or if it never answers, this process only hears of it; and a call
that got no answer is an error, never a result.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import BatchInferenceError, ModelLoadError, WorkerError
from airflow_batch_inference.flavors.base import LoadedModel
from airflow_batch_inference.flavors.construction import construct
from airflow_batch_inference.processes.child import for_transport, pipe_to_parent, received_first, send, start_process
from airflow_batch_inference.processes.limited_child import CRASHES, ending

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from airflow_batch_inference.flavors.base import Prediction
    from airflow_batch_inference.storage.handover import Pipe

CALL_TIMEOUT_S = 300.0
"""How long a call may take: some mini-batch of a model of which nobody says that it ends."""

_LOAD_TIMEOUT_S = 300.0
_POLL_S = 1.0
_FACTS = (
    *("feature_names", "n_features", "inputs", "output_names", "methods", "versions"),
    *(
        "classes",
        "importances",
        "is_one_pass",
        "names_outputs",
        "only_output",
        "releases_gil",
        "takes_lists",
        "tensor",
        "unnamed",
    ),
)
"""What the model says of itself: attributes here, which go before the defaults of the base class."""
_LEARNED = ("output_names", "classes", "only_output")
"""What a model may tell only once it has predicted."""


class ModelProcess(LoadedModel):
    """A :class:`~airflow_batch_inference.flavors.base.LoadedModel` that is loaded, and called, in another process.

    Parameters
    ----------
    flavor, model_format, path, trusted, options
        As for :func:`~airflow_batch_inference.flavors.construction.construct`; the path is needed while this is made
        only.
    where
        The file's URI, for messages.
    timeout_s
        After so many seconds without an answer to a call the process is killed; None: :data:`CALL_TIMEOUT_S`.

    Raises
    ------
    ModelError
        It cannot be loaded.
    """

    def __init__(
        self,
        flavor: str,
        model_format: str,
        path: Path,
        *,
        trusted: Sequence[str],
        where: str,
        options: Mapping[str, Any],
        timeout_s: float | None = None,
    ) -> None:
        self._where = where
        self._timeout_s = CALL_TIMEOUT_S if timeout_s is None else timeout_s
        self._ended: BatchInferenceError | None = None
        self._turn = threading.Lock()
        process, pipe = start_process("airflow_batch_inference.models.process", workers=1)
        self._process, self._pipe = process, pipe
        self._end = weakref.finalize(self, _end, process, pipe)
        send(pipe, (flavor, model_format, path, tuple(trusted), where, dict(options)))
        try:
            vars(self).update(self._answer("was loaded", max(self._timeout_s, _LOAD_TIMEOUT_S)))
        except BaseException:
            self._end()
            raise

    def predict(
        self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None
    ) -> Prediction:
        """Score one mini-batch there; see :class:`~airflow_batch_inference.flavors.base.LoadedModel`.

        Raises
        ------
        ModelLoadError
            It has ended its process, or gave no answer in time.
        WorkerError
            Its process was ended from outside.
        Exception
            Whatever the model raised there.
        """
        return self._call("predict", batch, method=method, kwargs=kwargs)

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> Mapping[str, Prediction]:
        """Score one mini-batch there by several methods, as :meth:`predict` does by one."""
        return self._call("predict_all", batch, methods=methods, kwargs=kwargs)  # type: ignore[no-any-return]

    def example(self, inputs: pa.Table) -> Mapping[str, object]:
        """As the model says."""
        return self._call("example", inputs)  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process; a call of the model is an error from now on."""
        message = f"{self._where}: the process of this model was ended, since other processes score with it."
        self._ended = ModelLoadError(message)
        self._end()

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as the member says
        with self._turn:
            if self._ended is not None:
                raise self._ended
            # Should the wait be given up, the answer would be taken for that of the next call.
            message = f"{self._where}: a call of this model was given up before its answer came. Load the model again."
            self._ended = WorkerError(message)
            send(self._pipe, (name, tuple(map(_alone, args)), kwargs))
            result, learned = self._answer(f"was asked for {kwargs.get('method') or name}", self._timeout_s)
            vars(self).update(learned)
            return result

    def _answer(self, what: str, timeout_s: float) -> Any:  # noqa: ANN401  # whatever the process sends
        """Return what the process answers, or raise what the model did; forget the process where it does not."""
        started = time.monotonic()
        how = None
        while how is None and not self._pipe.poll(_POLL_S):
            if time.monotonic() - started > timeout_s:
                how = f"gave no answer for {timeout_s:g} s and was killed"
                self._process.kill()
        try:
            is_error, value = self._pipe.recv()
        except (EOFError, OSError):  # it may end in the middle of an answer
            self._ended = self._error_of(what, how)
            self._end()
            raise self._ended from None
        self._ended = None
        if is_error:
            raise value
        return value

    def _error_of(self, what: str, how: str | None) -> BatchInferenceError:
        """Return the error for a process that has ended: the file's fault, or something that says nothing of it."""
        code = self._process.wait()
        message = (
            f"{self._where}: the process that a file which nobody vouches for is loaded in "
            f"{how or f'ended ({ending(code)})'} when the model {what}."
        )
        if how is None and code < 0 and -code not in CRASHES:
            return WorkerError(f"{message} That says nothing of the file: try again, with more memory.")
        more = "It is damaged, or such data are too much for it. If it is good, pin its digest with sha256=."
        return ModelLoadError(f"{message} {more}")


def _alone(value: object) -> object:
    """Return a slice of a table without the rows around it, which would go through the pipe with it."""
    import pyarrow as pa

    if not isinstance(value, pa.Table) or value.get_total_buffer_size() <= 2 * value.nbytes:
        return value
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, value.schema) as stream:
        stream.write_table(value)
    return pa.ipc.open_stream(sink.getvalue()).read_all()


def _end(process: subprocess.Popen[bytes], pipe: Pipe) -> None:
    process.kill()
    process.wait()
    pipe.close()


def _facts_of(model: LoadedModel, names: Sequence[str] = _FACTS) -> dict[str, Any]:
    return {name: getattr(model, name) for name in names}


def main(arguments: Sequence[str]) -> int:
    """Load a model and answer calls of it until the parent closes the pipe, whose file descriptor is the argument."""
    pipe = pipe_to_parent(arguments)
    if pipe is None:
        return 1
    try:
        _, (flavor, model_format, path, trusted, where, options) = received_first(pipe)
        _serve(pipe, lambda: construct(flavor, model_format, path, trusted=trusted, where=where, options=options))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent is done, or gone
    return 0


def _serve(pipe: Pipe, load: Any) -> None:  # noqa: ANN401  # returns the model
    try:
        model = load()
        answer: tuple[bool, Any] = (False, _facts_of(model))
    except Exception as error:  # noqa: BLE001  # told to the parent, which raises it
        pipe.send((True, for_transport(error)))
        return
    while True:
        pipe.send(answer)
        name, args, kwargs = pipe.recv()
        try:
            answer = (False, (getattr(model, name)(*args, **kwargs), _facts_of(model, _LEARNED)))
        except Exception as error:  # noqa: BLE001
            answer = (True, for_transport(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
