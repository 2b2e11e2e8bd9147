"""What a flavor gives of a tree ensemble: its trees, and how their sums become what the library's methods return.

Invariants: what is asked of :attr:`TreeSource.library` is the library itself, untouched by anything here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from airflow_batch_inference.flavors.forests.forest import Forest

    Answers = Mapping[str, np.ndarray]

SUMMED_METHODS = ("predict", "predict_proba", "decision_function", "raw_score")
"""Those that a sum over an ensemble's trees may answer."""


class ApplyLink(Protocol):
    """The kernel's own link functions, bit for bit those of the libraries."""

    def __call__(self, raw: np.ndarray, link: int | None, *, steepness: float = 1.0) -> np.ndarray:
        """Return what a link function (:mod:`~.links`; None: none) makes of sums of shape (rows, outputs)."""


class Library(Protocol):
    """What a library answers; see :class:`~airflow_batch_inference.flavors.base.LoadedModel`."""

    @property
    def is_one_pass(self) -> bool:
        """Whether several methods come from one pass."""

    def predict(self, batch: pa.Table, *, method: str = "predict", kwargs: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401  # a prediction
        """Score one mini-batch."""

    def predict_all(
        self, batch: pa.Table, *, methods: Sequence[str], kwargs: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """Score one mini-batch by several methods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """A tree ensemble that can be read.

    Attributes
    ----------
    number
        How many trees it has.
    methods
        The model's methods that a sum over its trees answers.
    read
        Reads them, given the kernel's link functions; raises :class:`~.forest.NotCoveredError` where the kernel does
        not cover them.
    """

    number: int
    methods: tuple[str, ...]
    read: Callable[[ApplyLink], TreeSource]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TreeSource:
    """A model's trees, as a reader found them, and how they answer.

    Attributes
    ----------
    forest
        The trees.
    encode
        Makes one numeric column an input of a mini-batch, as the flavor does before it calls the library.
    answers
        Makes of sums, shape (rows, outputs), what each of some methods returns.
    library
        What the library's own predict returns for a float64 matrix of encoded rows, by method.
    reference
        The model whose answers are the right ones.
    takes_infinite, takes_missing
        Whether the library takes infinite values (where it compares in float32, those that are too large for it are),
        and missing ones, and not only raises.
    """

    forest: Forest
    encode: Callable[[pa.Table], pa.Table]
    answers: Callable[[np.ndarray, Sequence[str]], Answers]
    library: Callable[[np.ndarray, Sequence[str]], Answers]
    reference: Library
    takes_infinite: bool = True
    takes_missing: bool = True


def is_plain(kind: pa.DataType) -> bool:
    """Say whether a column holds numbers or booleans as Arrow has them."""
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))
