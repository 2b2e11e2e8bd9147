"""How the input is cut into parts, and how large a mini-batch is: pure functions of the input alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from airflow_batch_inference.records import DataFile

_PART_BYTES = 256 << 20
_BATCH_BYTES = 16 << 20
_MIN_BATCH_ROWS = 1_024
_MAX_BATCH_ROWS = 65_536
_VARIABLE_WIDTH_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPlan:
    """One output file: which input files it holds, by their position, in input order."""

    index: int
    positions: tuple[int, ...]


def plan_parts(files: Sequence[DataFile]) -> tuple[PartPlan, ...]:
    """Pack consecutive files into parts of at most about 256 MiB of input; a larger file is a part of its own.

    Without files (an empty or an inline dataset) there is one part.
    """
    groups: list[list[int]] = [[]]
    held = 0
    for position, file in enumerate(files):
        if groups[-1] and held + file.size_bytes > _PART_BYTES:
            groups.append([])
            held = 0
        groups[-1].append(position)
        held += file.size_bytes
    return tuple(PartPlan(index=index, positions=tuple(group)) for index, group in enumerate(groups))


def mini_batch_rows(wanted: int | str, schema: pa.Schema) -> int:
    """Return how many rows one predict call gets.

    Parameters
    ----------
    wanted
        A number of at least 1 (also as text, from a template), or ``"auto"``: about 16 MiB, 1,024 to 65,536 rows.
    schema
        The dataset's columns.

    Raises
    ------
    ConfigurationError
        Neither.

    Examples
    --------
    >>> import pyarrow as pa
    >>> mini_batch_rows("500", pa.schema([]))
    500
    """
    if wanted == "auto":
        width = sum(_width(field.type) for field in schema) or 1
        return max(_MIN_BATCH_ROWS, min(_MAX_BATCH_ROWS, _BATCH_BYTES // width))
    if isinstance(wanted, str) and wanted.isdecimal():
        wanted = int(wanted)
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        message = f'mini_batch_rows is {wanted!r}; it must be "auto" or a whole number of at least 1.'
        raise ConfigurationError(message)
    return wanted


def _width(kind: pa.DataType) -> int:
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:
        return _VARIABLE_WIDTH_BYTES
