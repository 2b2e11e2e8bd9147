"""What a case of the conformance suite is, and the rows that several cases score."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = 90
NAMES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Saved:
    """A saved model, and what its framework predicts with the original in memory.

    ``names`` is None where the model takes its columns by position. ``is_exact``: whether another number of rows
    gives the same bits; a network's or a linear model's kernels sum in another order then.
    """

    path: Path
    batch: pa.Table
    expected: dict[str, np.ndarray]
    names: tuple[str, ...] | None
    options: dict[str, object] = field(default_factory=dict)
    is_exact: bool = True


@dataclass(frozen=True)
class Case:
    """How to save a model into a folder; what it is then, what it needs, and what determines its predictions.

    ``module`` is the one without which it cannot be loaded, ``extra`` the pip extra that the message names then (""
    where this package itself needs it), ``versions`` the packages beside NumPy whose versions the model names.
    """

    name: str
    flavor: str
    format: str
    save: Callable[[Path], Saved]
    module: str
    extra: str
    versions: tuple[str, ...]
    needs_pin: bool = False


def numbers(gaps: bool = True) -> pd.DataFrame:
    data = pd.DataFrame(np.random.default_rng(21).normal(size=(ROWS, 4)), columns=list(NAMES))
    if gaps:
        data.loc[::7, "c"] = np.nan
    return data


def yes(data: pd.DataFrame) -> np.ndarray:
    town = (data["town"] == "Ulm").to_numpy() if "town" in data else False
    return ((data["a"] > 0.2).to_numpy() | town).astype(int)


def thirds(data: pd.DataFrame) -> np.ndarray:
    return np.digitize(data["a"], [-0.5, 0.5])


def table(data: pd.DataFrame) -> pa.Table:
    """Return the frame as a caller hands it over: categories as their values."""
    return pa.table({name: pa.array(data[name].tolist(), from_pandas=True) for name in data})


def rows() -> np.ndarray:
    return np.random.default_rng(11).normal(size=(ROWS, 4)).astype(np.float32)


def batch_of(values: np.ndarray) -> pa.Table:
    return pa.table(dict(zip(NAMES, values.astype(np.float64).T, strict=True)))
