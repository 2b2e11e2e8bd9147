"""What a flavor is: the contract between a framework's adapter and everything else.

What must not be relaxed: a flavor recognises a file by its name AND its content without importing its framework,
states honestly whether the format can carry code, and row i of what a model returns belongs to row i of the batch.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from airflow_batch_inference.exceptions import ConfigurationError, FlavorNotInstalledError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    import numpy as np
    import pyarrow as pa

    from airflow_batch_inference.records import ColumnSpec

Trust = Literal["data", "allow-list", "code"]
"""``data``: cannot carry code. ``allow-list``: names types, which are audited first. ``code``: can run anything."""

METHODS = ("predict", "predict_proba", "decision_function", "raw_score", "leaf_index", "contributions")
"""The methods that a mini-batch can be scored with, where the model has them.

``raw_score`` is an ensemble's sum before its link function, ``leaf_index`` the leaf of each tree that a row falls into,
``contributions`` each input's part of the raw score (SHAP values) with the expected value as the last one.
"""

CATEGORY_COLUMNS = "category_columns"
"""The load option that names the columns that had pandas' category dtype in training, where a model has lists alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFormat:
    """A file format of a flavor.

    Attributes
    ----------
    name
        Unique within the flavor; kept in the model record.
    suffixes
        The endings of file names that claim this format, lower case, with the dot.
    trust
        What a file of this format can do when it is loaded.
    is_folder
        Whether the model is a folder; then ``suffixes`` are those that its name may have.
    """

    name: str
    suffixes: tuple[str, ...]
    trust: Trust
    is_folder: bool = False

    def names(self, path: Path) -> bool:
        """Say whether the file's name claims this format.

        Examples
        --------
        >>> from pathlib import Path
        >>> ModelFormat(name="skops", suffixes=(".skops",), trust="allow-list").names(Path("churn.SKOPS"))
        True
        """
        return path.name.lower().endswith(self.suffixes)


Prediction: TypeAlias = "np.ndarray | pa.Array | Mapping[str, np.ndarray | pa.Array]"


class LoadedModel(Protocol):
    """A model in memory.

    A model whose methods come from one pass may have ``predict_all(batch, *, methods, kwargs)``, which returns a
    mapping of each method to what ``predict`` returns for it. It may have further properties: ``importances``, input
    name to a number that is not negative (drift of unimportant columns weighs less); ``classes``, the class labels in
    the order of ``predict_proba``'s columns; and ``takes_lists``, whether an input of unknown type may be a list, a
    struct or a map (where it is not there, it may); ``names_outputs``, whether one output by name keeps its name;
    ``only_output``, what a network calls its only output, and ``tensor``, its only input
    (:class:`~airflow_batch_inference.schema.signature.OnlyTensor`);
    ``example(inputs)``, a value that it takes for those columns of which it knows one;
    ``unnamed``, the name of a first step of which nobody can tell which columns it takes unless somebody names them;
    and ``describe_failure(error)``, which says what failed and where, for a message.
    """

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """The input columns in the model's order; None where the model takes them by position."""

    @property
    def n_features(self) -> int | None:
        """How many input columns there are, where the model knows."""

    @property
    def inputs(self) -> tuple[ColumnSpec, ...] | None:
        """The input columns with Arrow type names, ``any`` where unknown; None where ``feature_names`` is."""

    @property
    def output_names(self) -> tuple[str, ...] | None:
        """The names of what ``predict`` returns, where the model knows."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Those of :data:`METHODS` that the model has."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Installed versions of all packages that determine the predictions."""

    def predict(
        self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None
    ) -> Prediction:
        """Score one mini-batch.

        Parameters
        ----------
        batch
            At least one row; exactly the model's columns in its order, already cast to ``inputs``.
        method
            One of :attr:`methods`.
        kwargs
            Passed to the framework's own method.

        Returns
        -------
        numpy.ndarray, pyarrow.Array or mapping
            Shape (n,), (n, k), or (n, …) for tensors; row i belongs to row i of the batch. Where a model has several
            outputs, one array each, by name.

        Raises
        ------
        ConfigurationError
            The model does not have the method.
        """


class Flavor(Protocol):
    """One framework's adapter; made without arguments, importing nothing of its framework.

    It may have further members: ``recognise_content(path, head)``, which tells a file by its content alone where its
    name says nothing; ``imported_names(path, model_format)``, what a file that can run code would import;
    ``safer``, how else to save such a model, for the message that refuses it; ``with_options(path, model_format,
    options)``, the format of what the load options ask for, where they choose among several models in a folder; and
    ``require_followable(path, model_format, options)``, called in the trial of a file that nobody vouches for, which
    refuses damage before the framework is imported, and what it would follow into other memory or without end.
    """

    @property
    def name(self) -> str:
        """The name that ``flavor=`` takes."""

    @property
    def formats(self) -> tuple[ModelFormat, ...]:
        """The formats that it loads."""

    @property
    def extra(self) -> str | None:
        """The pip extra of this package that installs the framework; None where it is always there."""

    def recognise(self, path: Path, head: bytes) -> ModelFormat | None:
        """Return the format if both the name and the first bytes (at least 64, if there are) agree on it.

        Where ``path`` is a folder there is no head; what lies in it tells. Nothing of it may be run, and a file that
        can be larger than memory is not read whole.
        """

    def load(
        self, path: Path, *, model_format: ModelFormat, trusted: tuple[str, ...], options: Mapping[str, Any]
    ) -> LoadedModel:
        """Load a local file or folder whose trust was decided before.

        Parameters
        ----------
        path
            A private copy that nobody else can change.
        model_format
            What :meth:`recognise` returned for it.
        trusted
            Types that an ``allow-list`` format may hold beyond the flavor's own list.
        options
            What the user gave as ``load_options``; :func:`take_options` refuses those that the flavor does not know.

        Raises
        ------
        ConfigurationError
            An option is unknown, or can never work.
        UntrustedModelError
            An ``allow-list`` file holds other types; they are named.
        ModelLoadError, Exception
            The file is damaged or from another version; any exception is reported as such.
        """


def require(module: str, *, extra: str | None) -> ModuleType:
    """Import a framework when it is needed.

    Parameters
    ----------
    module
        The module's name.
    extra
        The pip extra of this package that installs it; None: the package itself does.

    Raises
    ------
    FlavorNotInstalledError
        It is not installed; the message has the pip command.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = f"airflow-batch-inference[{extra}]" if extra else "airflow-batch-inference"
        message = f"The model needs {module}, which cannot be imported ({error}). Run: pip install '{package}'."
        raise FlavorNotInstalledError(message) from error


def take_options(options: Mapping[str, Any], known: Sequence[str], *, flavor: str) -> dict[str, Any]:
    """Return a model's load options, if the flavor knows all of them.

    Raises
    ------
    ConfigurationError
        Names the first unknown one.
    """
    unknown = [name for name in options if name not in known]
    if unknown:
        there = ", ".join(known) if known else "none"
        hint = did_you_mean(unknown[0], known)
        message = (
            f"load_options has {unknown[0]!r}, which the flavor {flavor!r} does not take{hint}. It takes: {there}."
        )
        raise ConfigurationError(message)
    return dict(options)


def require_method(method: str, methods: Sequence[str]) -> None:
    """Refuse a method that the model does not have.

    Raises
    ------
    ConfigurationError
        Names the methods that it has.
    """
    if method not in methods:
        hint = (
            ' For a network, load_options={"outputs": "logits"} or "probabilities" says what its outputs are.'
            if method == "predict_proba"
            else ""
        )
        message = f"The model has no method {method!r}. Choose one of: {', '.join(methods)}.{hint}"
        raise ConfigurationError(message)


def unnamed_columns(first_step: str) -> ConfigurationError:
    """Return the error for a model that does not say which columns it takes, and for which nobody else does."""
    message = (
        f"The model's first step, {first_step}, keeps neither the names nor the number of the columns that it was "
        "fitted on, so nobody can tell which columns it takes. Name them, in the order of the training data, with "
        'their types: LoadModelOperator(signature={"age": "int64", ...}).'
    )
    return ConfigurationError(message)
