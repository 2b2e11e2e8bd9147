"""What a flavor is: the contract between a framework's adapter and everything else.

Invariants: a flavor recognises a file by its name AND its content without importing its framework, states honestly
whether the format can carry code, and row i of what a model returns belongs to row i of the batch.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from airflow_batch_inference.exceptions import ConfigurationError, FlavorNotInstalledError, did_you_mean

if TYPE_CHECKING:
    from builtins import property as overridable
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    import numpy as np
    import pyarrow as pa

    from airflow_batch_inference.flavors.forests.source import Trees
    from airflow_batch_inference.flavors.tensors import TensorInputs
    from airflow_batch_inference.records import ColumnSpec
    from airflow_batch_inference.schema.inputs import OnlyTensor
else:
    from airflow_batch_inference.flavors.overridable import overridable

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


class LoadedModel:
    """A model in memory. Flavors' models derive from it, and say only what is not as here.

    What is read here like a property may be an attribute, a dataclass's field or a property of a derived class.
    """

    __slots__ = ()

    @overridable
    def inputs(self) -> tuple[ColumnSpec, ...] | None:
        """The input columns with Arrow type names, ``any`` where unknown; None where ``feature_names`` is."""
        return None

    @overridable
    def feature_names(self) -> tuple[str, ...] | None:
        """The input columns in the model's order; None where the model takes them by position."""
        return None if self.inputs is None else tuple(spec.name for spec in self.inputs)

    @overridable
    def n_features(self) -> int | None:
        """How many input columns there are, where the model knows."""
        return None if self.feature_names is None else len(self.feature_names)

    @overridable
    def output_names(self) -> tuple[str, ...] | None:
        """The names of what ``predict`` returns, where the model knows; it may learn them when it first predicts."""
        return None

    @overridable
    def methods(self) -> tuple[str, ...]:
        """Those of :data:`METHODS` that the model has."""
        return ("predict",)

    @overridable
    def versions(self) -> Mapping[str, str]:
        """Installed versions of all packages that determine the predictions."""
        message = f"{type(self).__name__} does not say which packages' versions determine its predictions"
        raise NotImplementedError(message)

    @overridable
    def classes(self) -> tuple[Any, ...] | None:
        """The class labels in the order of ``predict_proba``'s columns; None where there are none."""
        return None

    @overridable
    def importances(self) -> Mapping[str, float] | None:
        """A number that is not negative for each input, if known: drift of unimportant columns weighs less."""
        return None

    @overridable
    def takes_lists(self) -> bool:
        """Whether an input of unknown type may be a list, a struct or a map."""
        return True

    @overridable
    def tensor(self) -> OnlyTensor | None:
        """A network's only input, where nobody says what its columns are called."""
        return None

    @overridable
    def tensors(self) -> TensorInputs | None:
        """The tensors that a network takes; None where columns are taken as they are."""
        return None

    @overridable
    def only_output(self) -> str | None:
        """What a network calls its only output."""
        return None

    @overridable
    def names_outputs(self) -> bool:
        """Whether one output by name keeps its name."""
        return False

    @overridable
    def unnamed(self) -> str | None:
        """The name of a first step of which nobody can tell which columns it takes unless somebody names them."""
        return None

    @overridable
    def is_one_pass(self) -> bool:
        """Whether several methods come from one pass, so that :meth:`predict_all` saves time."""
        return False

    @overridable
    def releases_gil(self) -> bool:
        """Whether threads of one process can predict with it side by side, and gain by that.

        Only where its library says that it may be called so, and ``benchmarks/gil.py`` shows that it pays.
        """
        return False

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
        raise NotImplementedError

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> Mapping[str, Prediction]:
        """Return what :meth:`predict` returns for each of several methods."""
        return {method: self.predict(batch, method=method, kwargs=kwargs) for method in methods}

    def example(self, inputs: pa.Table) -> Mapping[str, object]:  # noqa: ARG002  # for those that know
        """Return a value that the model takes for those columns of which it knows one."""
        return {}

    def describe_failure(self, error: Exception, method: str) -> str:  # noqa: ARG002  # for those that know
        """Say what failed when a method raised an error, and where, as the subject of a message."""
        return f"The model's {method}"


class Flavor(ABC):
    """One framework's adapter; made without arguments, importing nothing of its framework."""

    name: ClassVar[str]
    """What ``flavor=`` takes."""
    formats: ClassVar[tuple[ModelFormat, ...]]
    """The formats that it loads."""
    extra: ClassVar[str | None] = None
    """The pip extra of this package that installs the framework; None where it is always there."""
    safer: ClassVar[str] = "in a format that cannot hold code"
    """How else to save such a model, for the message that refuses it."""
    packages: ClassVar[tuple[str, ...] | None] = None
    """The distributions that decide what a file is loaded as; None where it may be any flavor's."""

    @abstractmethod
    def recognise(self, path: Path, head: bytes) -> ModelFormat | None:
        """Return the format if both the name and the first bytes (at least 64, if there are) agree on it.

        Where ``path`` is a folder there is no head; what lies in it tells. Nothing of it may be run, and a file that
        can be larger than memory is not read whole.
        """

    @abstractmethod
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

    def recognise_content(self, path: Path, head: bytes) -> ModelFormat | None:  # noqa: ARG002  # few can
        """Tell a file by its content alone, where its name says nothing."""
        return None

    def with_options(
        self,
        path: Path,  # noqa: ARG002  # few need it
        model_format: ModelFormat,
        options: Mapping[str, Any],  # noqa: ARG002
    ) -> ModelFormat:
        """Return the format of what the load options ask for, where they choose among several models in a folder."""
        return model_format

    def imported_names(self, path: Path, model_format: ModelFormat) -> tuple[str, ...]:  # noqa: ARG002  # few can
        """Return what a file that can run code would import, as far as can be told without loading it."""
        return ()

    def require_followable(  # noqa: B027  # there may be nothing to refuse
        self, path: Path, model_format: ModelFormat, options: Mapping[str, Any]
    ) -> None:
        """Refuse what would crash the framework's parser, or lead it into other memory or on without end.

        Called in the trial of a file that nobody vouches for, before the framework is imported.
        """

    def trees(self, model: LoadedModel) -> Trees | None:  # noqa: ARG002  # few have any
        """Return the trees of a model of this flavor, for the kernel; None where it is no tree ensemble."""
        return None

    def accepts(self, model: object) -> bool:  # noqa: ARG002  # few can
        """Say whether :meth:`wrap` makes a loaded model of this object, which is in memory."""
        return False

    def wrap(self, model: object) -> LoadedModel:
        """Return an object in memory as a loaded model."""
        raise NotImplementedError


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
