"""Requests that are polars data frames. polars is never imported: it is there where somebody has such a frame."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.inference.forms import Form, cut
from airflow_batch_inference.sources.in_memory import of_polars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from airflow_batch_inference.inference.forms import Column


class PolarsForm(Form[Any]):
    """A polars data frame."""

    def __init__(self, frame: Any) -> None:  # noqa: ANN401  # a polars.DataFrame
        self.frame = frame
        self.rows = frame.height

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns."""
        return tuple(self.frame.columns)

    @property
    def size_bytes(self) -> int:
        """See :meth:`Form.size_bytes`."""
        return int(self.frame.estimated_size())

    def goes_with(self, other: Form[Any]) -> bool:
        """See :meth:`Form.goes_with`."""
        return isinstance(other, PolarsForm) and list(self.frame.schema.items()) == list(other.frame.schema.items())

    def arrow(self, *, tolerant: bool) -> pa.Table:  # noqa: ARG002  # its columns have types
        """Return its columns."""
        return of_polars(self.frame)

    @classmethod
    def joined(cls, forms: Sequence[PolarsForm]) -> PolarsForm:
        """Put frames below each other."""
        return forms[0] if len(forms) == 1 else cls(sys.modules["polars"].concat([form.frame for form in forms]))

    @classmethod
    def answers(cls, forms: Sequence[PolarsForm], columns: Mapping[str, Column]) -> list[Any]:
        """Return frames, whose fields are those of the requests."""
        polars = sys.modules["polars"]
        return [
            polars.DataFrame(
                [
                    form.frame.get_column(values).alias(name)
                    if isinstance(values, str)
                    else polars.Series(name, polars.from_arrow(values))
                    for name, values in part.items()
                ]
            )
            for form, part in zip(forms, cut(forms, columns), strict=True)
        ]
