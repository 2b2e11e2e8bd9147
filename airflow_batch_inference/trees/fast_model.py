"""A loaded model whose trees the kernel walks, once it has been shown to give the bits that the library gives.

Behind the contract of a loaded model, so that whatever scores sees no difference.

Invariants: until the kernel has answered as the library did for rows made from the trees, for all rows that came before
and for the first mini-batch, what is returned is the library's answer; the first bit that differs turns the kernel off
for good; and whatever the kernel does not cover goes to the library.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean
from airflow_batch_inference.flavors.forests.forest import NotCoveredError
from airflow_batch_inference.flavors.registry import trees_of
from airflow_batch_inference.flavors.wrapped import WrappedModel
from airflow_batch_inference.schema.arrays import from_numpy
from airflow_batch_inference.trees.compiled import NotCompiledError, apply_link, compile_ahead, is_installed
from airflow_batch_inference.trees.scorer import TreeScorer, ask, first_difference
from airflow_batch_inference.wording.texts import said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from airflow_batch_inference.flavors.base import LoadedModel, Prediction
    from airflow_batch_inference.flavors.forests.source import Trees

log = logging.getLogger(__name__)

T = TypeVar("T")

Accelerate = Literal["auto", "off", "require"]
CHOICES: tuple[Accelerate, ...] = ("auto", "off", "require")

DIFFERS = "it differs from the library"
"""How the reason begins where the kernel gave other bits."""
_NOT_INSTALLED = "llvmlite is not installed; pip install llvmlite"
_TOO_FEW = "there were too few rows to pay for it"
_WORTH = 4_000_000
"""Rows times trees that the library scores first: for fewer, compiling and comparing take longer than they save."""
_LIKELY = _WORTH // 2
"""How many of them make it likely that there are so many: the kernel is compiled beside the rest of them."""
_COMPARED_ROWS = 8192
_KEPT_ROWS = 12_000


def require_choice(word: str) -> Accelerate:
    """Return the word, if it is one of :data:`CHOICES`.

    Raises
    ------
    ConfigurationError
        It is another.
    """
    if word not in CHOICES:
        message = f"accelerate is {word!r}; it must be 'auto', 'off' or 'require'{did_you_mean(str(word), CHOICES)}."
        raise ConfigurationError(message)
    return word


def accelerated(model: LoadedModel, choice: Accelerate) -> LoadedModel:
    """Return a model that scores with the kernel where it can.

    Parameters
    ----------
    model
        As its flavor loaded it.
    choice
        ``auto``: tree ensembles get the kernel where it is installed, covers them, and there are rows enough;
        ``require``: or it is an error; ``off``: the model itself.

    Raises
    ------
    ConfigurationError
        ``require``, and the kernel cannot score this model.
    """
    if choice == "off" or isinstance(model, FastModel):
        return model
    trees = trees_of(model)
    if trees is None and choice == "require":
        message = "accelerate is 'require', but the model is no tree ensemble that is known. Choose 'auto'."
        raise ConfigurationError(message)
    return model if trees is None else FastModel(model, trees, is_required=choice == "require")


def for_call(model: LoadedModel, methods: Sequence[str], kwargs: Mapping[str, Any]) -> LoadedModel:
    """Return what is asked beside the job's own predictions: the library, where the kernel has no part in the call.

    So explanations, and golden sets of other methods, are neither refused nor taken for what the job is scored by.
    """
    return model.inner if isinstance(model, FastModel) and model.problem_of(methods, kwargs) else model


def why_slow(model: object) -> str | None:
    """Say why the library scores a tree ensemble by itself; empty: it does not; None: it is no such, or ``off``."""
    return model.why_slow if isinstance(model, FastModel) else None


class _UnableError(Exception):
    """The kernel must not score the model; the message says why."""


class FastModel(WrappedModel):
    """A tree ensemble; see :class:`~airflow_batch_inference.flavors.base.LoadedModel`.

    Parameters
    ----------
    model
        As its flavor loaded it.
    trees
        Its trees, to be read.
    is_required
        Whether it is an error where the kernel cannot score it.

    Raises
    ------
    ConfigurationError
        The kernel is required, and cannot score this model.
    """

    def __init__(self, model: LoadedModel, trees: Trees, *, is_required: bool) -> None:
        self._library = model
        self._trees = trees
        self._is_required = is_required
        self._lock = threading.Lock()
        self._scorer: TreeScorer | None = None
        self._left = _COMPARED_ROWS
        self._seen = 0
        self._kept: list[tuple[pa.Table, tuple[str, ...]]] = []
        self._has_scored = False
        self._problem: str | None = None
        self._at_first = "" if is_required else _TOO_FEW if is_installed() else _NOT_INSTALLED
        self._reason = self._at_first
        if is_required:
            self._attempt(self._engage)

    @property
    def why_slow(self) -> str:
        """Why the library scores by itself; empty: the kernel has scored rows, or is required and none have come."""
        if self._problem is not None:
            return self._problem
        return "" if self._has_scored else self._reason

    @property
    def inner(self) -> LoadedModel:
        """The model as its flavor loaded it: its versions too, as the same bits come of the same packages."""
        return self._library

    def problem_of(self, methods: Sequence[str], kwargs: Mapping[str, Any] | None) -> str | None:
        """Say why the kernel has no part in a call, whatever its rows are; None: it has."""
        if kwargs:
            return f"predict_kwargs were given ({', '.join(sorted(kwargs))})"
        if not set(methods) & set(self._trees.methods):
            return f"no method that it covers was asked for ({', '.join(methods)})"
        return None

    def predict(
        self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None
    ) -> Prediction:
        """Score one mini-batch; see :meth:`~airflow_batch_inference.flavors.base.LoadedModel.predict`."""
        return self.predict_all(batch, methods=(method,), kwargs=kwargs)[method]

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> dict[str, Prediction]:
        """Return what several methods give: the covered ones from one walk, the others from the library.

        Raises
        ------
        ConfigurationError
            The kernel is required, and has no part in it, or was found unable before.
        """
        problem = self._problem if self._is_required and self._problem else self.problem_of(methods, kwargs)
        if problem is not None:
            if self._is_required:
                raise _cannot(problem)
            self._reason = problem
            return ask(self.inner, batch, methods, kwargs)
        covered = tuple(method for method in methods if method in self._trees.methods)
        found = dict(self._walked(batch, covered) or {})
        others = tuple(method for method in methods if method not in found)
        return found | (ask(self.inner, batch, others) if others else {})

    def _walked(self, batch: pa.Table, methods: tuple[str, ...]) -> Mapping[str, np.ndarray] | None:
        """Return what the kernel gives; None where the library is to be asked: for no rows, some raise."""
        if not batch.num_rows:
            return None
        scorer = self._scorer_for(batch, methods)
        if scorer is None:
            self._reason = self._at_first
            return None
        found = self._attempt(lambda: scorer.score(batch, methods))
        if found is None:  # or it failed, for want of memory or threads, which is then the problem
            self._reason = "there were values that are left to the library"
        else:
            self._has_scored = True
        return found

    def _scorer_for(self, batch: pa.Table, methods: tuple[str, ...]) -> TreeScorer | None:
        """Return the scorer once it may score; before, compare it with the library on this mini-batch."""
        if self._left > 0:
            with self._lock:
                if self._left > 0 and (self._scorer is not None or self._is_worth(batch, methods)):
                    self._attempt(lambda: self._compare(batch, methods))
        return self._scorer

    def _is_worth(self, batch: pa.Table, methods: tuple[str, ...]) -> bool:
        """Say whether there have been rows enough; remember the first of them, to compare them later."""
        before, self._seen = self._seen, self._seen + batch.num_rows
        if self._seen * self._trees.number >= _WORTH:
            return True
        if before * self._trees.number < _LIKELY <= self._seen * self._trees.number and is_installed():
            compile_ahead()
        if self._seen <= _KEPT_ROWS:  # copied: a slice would keep the mini-batch that it is of
            self._kept.append((batch.take(from_numpy(np.arange(batch.num_rows))), methods))
        return False

    def _attempt(self, step: Callable[[], T]) -> T | None:
        """Return what a step does; where it fails, or finds a difference, turn the kernel off.

        Raises
        ------
        ConfigurationError
            The kernel is required.
        """
        try:
            return step()
        except NotCoveredError as error:
            problem = f"it is not covered: {error}"
        except (_UnableError, NotCompiledError) as error:
            problem = str(error)
        except ImportError as error:
            problem = f"llvmlite cannot be imported ({error}); pip install llvmlite"
        except Exception as error:  # noqa: BLE001  # the library goes on, whatever the way past it has met
            problem = said(f"the kernel failed: {type(error).__name__}: {error}".splitlines()[0])
        self._scorer, self._left, self._problem = None, 0, problem
        self._kept.clear()
        if self._is_required:
            raise _cannot(problem)
        log.warning("The model's own library scores it, not the kernel for tree ensembles: %s", problem)
        return None

    def _engage(self) -> TreeScorer:
        """Read the trees, and compare on rows made from them."""
        if not is_installed():
            raise _UnableError(_NOT_INSTALLED)
        source = self._trees.read(apply_link)
        scorer = TreeScorer.of(source)
        problem = scorer.difference(source, self._trees.methods)
        if problem is not None:
            message = f"{DIFFERS} on rows made from its trees: {problem}"
            raise _UnableError(message)
        self._scorer = scorer
        return scorer

    def _compare(self, batch: pa.Table, methods: tuple[str, ...]) -> None:
        """Compare on what was seen before and on a mini-batch, or rows from all over it."""
        scorer = self._scorer or self._engage()
        kept, self._kept = self._kept, []
        for table, asked in kept:
            _compared(scorer, table, asked)
        rows = min(self._left, batch.num_rows)
        even = np.linspace(0, batch.num_rows - 1, rows).astype(np.int64)
        self._left -= _compared(scorer, batch if rows == batch.num_rows else batch.take(from_numpy(even)), methods)


def _cannot(problem: str) -> ConfigurationError:
    message = f"accelerate is 'require', but the model cannot be accelerated: {problem}. Choose 'auto' or 'off'."
    return ConfigurationError(message)


def _compared(scorer: TreeScorer, batch: pa.Table, methods: tuple[str, ...]) -> int:
    """Return how many rows were compared: those that only the library can score are not.

    Raises
    ------
    _UnableError
        They differ.
    """
    found = scorer.score(batch, methods)
    if found is None:
        return 0
    expected = {name: np.asarray(values) for name, values in ask(scorer.reference, batch, methods).items()}
    problem = first_difference(found, expected)
    if problem is not None:
        message = f"{DIFFERS} on the first rows: {problem}"
        raise _UnableError(message)
    return int(batch.num_rows)
