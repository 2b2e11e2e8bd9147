"""An output layout of somebody else's: the predictions first, all names in capitals, and no count of checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.jobs.output_layout import JobOutput, OutputLayout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    import pyarrow as pa

    from airflow_batch_inference.checks.checks import Marked


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalLayout(OutputLayout):
    """Takes ``prefix``, which begins each name."""

    prefix: str
    is_whole: ClassVar[bool] = True

    @classmethod
    def of(cls, output: JobOutput, arguments: Mapping[str, Any]) -> Self:
        """Refuse two columns of one name."""
        prefix = str(arguments.get("prefix", ""))
        if len({name.upper() for name in output.base.names}) < len(output.base.names):
            message = f"Two of the columns {output.base.names} have one name in capitals. Drop one of them."
            raise ConfigurationError(message)
        return cls(output=output, prefix=prefix)

    @property
    def written_as(self) -> dict[str, str]:
        """All columns are written."""
        return {name: f"{self.prefix}{name.upper()}" for name in self.base.names}

    def table(self, base: pa.Table, marked: Marked, elapsed: Sequence[int] = (0, 0)) -> pa.Table:
        """Return the columns in their new order."""
        names = [*self.output.made, *self.output.passed]
        return base.select(names).rename_columns([self.written_as[name] for name in names])
