"""A few rows that a model is made to score: it may refuse them, but not crash, hang or fill the memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from airflow_batch_inference.exceptions import ModelLoadError
from airflow_batch_inference.flavors.sandbox.limits import MOST_RESERVED_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_batch_inference.flavors.base import LoadedModel

_MOST_SEARCHED = 10_000
_OF_MEMORY = re.compile(r"alloc|out of memory|\bOOM\b", re.IGNORECASE)
PROBE = (0.0, None, 1e9, -1e9)


def _nulls(kind: str) -> pa.Array:
    try:
        return pa.nulls(len(PROBE), pa.type_for_alias(kind))
    except ValueError:  # a nested type has no alias
        return pa.nulls(len(PROBE))


def probe(
    model: LoadedModel,
    *,
    where: str,
    kwargs: Mapping[str, Any] | None = None,
    begin: Callable[[str], None] = lambda method: None,  # noqa: ARG005
) -> None:
    """Score zeros, nulls and large numbers by each method that the model has.

    The model may refuse them, but not crash, hang or fill the memory.

    Parameters
    ----------
    model, where
        What is tried, and its URI for messages.
    kwargs
        What the methods are called with a second time.
    begin
        Called with a method's name before it is called.

    Raises
    ------
    ModelLoadError
        Four rows need more memory than there may be.
    """
    names = model.feature_names or tuple(map(str, range(model.n_features or 0)))
    types = [spec.type for spec in model.inputs] if model.inputs else ["any"] * len(names)
    columns = [pa.array(PROBE) if kind in ("any", "double", "float") else _nulls(kind) for kind in types]
    batch = pa.table(columns, names=list(names))
    for method in ("predict", *(each for each in model.methods if each != "predict")):
        chosen: dict[str, Any] = {} if method == "predict" else {"method": method}
        for more in (chosen, chosen | {"kwargs": dict(kwargs)}) if kwargs else (chosen,):
            begin(method)
            try:
                model.predict(batch, **more)
            except Exception as error:
                if isinstance(error, MemoryError) or _OF_MEMORY.search(str(error)[:_MOST_SEARCHED]):
                    message = (
                        f"{where} asks for more memory than {MOST_RESERVED_BYTES >> 30} GiB to predict {len(PROBE)} "
                        f"rows by {method} ({type(error).__name__}). If it is good, pin its digest with sha256=: then "
                        "there is no trial."
                    )
                    raise ModelLoadError(message) from error
