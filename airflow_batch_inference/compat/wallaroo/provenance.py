"""The columns of a result that are neither inputs nor outputs: what checks say, of which models it is, and of when.

Invariants: all but ``metadata.elapsed`` depends on the job alone, so that a part that is scored again has the same
bytes.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_batch_inference.compat.wallaroo.result_columns import ELAPSED, LAST_MODEL, METADATA, TIME, VERSION, Leaf
from airflow_batch_inference.records import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.checks.checks import Check, Marked

MODEL_TYPE = pa.struct([("model_name", pa.string()), ("model_sha", pa.string())])
ELAPSED_TYPE = pa.list_(pa.int64())
TIME_TYPE = pa.timestamp("ms")
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "airflow-batch-inference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What ``time`` and ``metadata.*`` say.

    Attributes
    ----------
    time_ms
        Milliseconds since 1970 in UTC: one value for all rows.
    model_name, model_sha
        Of the last model; no digest where it came from no file.
    version
        Of the models and checks together, a UUID.
    """

    time_ms: int
    model_name: str
    model_sha: str | None
    version: str

    def column(self, leaf: Leaf, rows: int, elapsed: Sequence[int]) -> pa.Array | None:
        """Return one of these columns; None for another one.

        Parameters
        ----------
        leaf
            Which one.
        rows
            Its length.
        elapsed
            Nanoseconds: of reading the input, then of each step.
        """
        values: dict[Leaf, tuple[object, pa.DataType]] = {
            Leaf("", TIME): (self.time_ms, TIME_TYPE),
            Leaf(METADATA, ELAPSED, is_default=False): (list(elapsed), ELAPSED_TYPE),
            Leaf(METADATA, LAST_MODEL, is_default=False): (
                {"model_name": self.model_name, "model_sha": self.model_sha},
                MODEL_TYPE,
            ),
            Leaf(METADATA, VERSION, is_default=False): (self.version, pa.string()),
        }
        if leaf not in values:
            return None
        value, kind = values[leaf]
        return pa.repeat(pa.scalar(value, kind), rows) if rows else pa.array([], kind)


def pipeline_version(digests: Iterable[str], checks: Iterable[Check]) -> str:
    """Return the UUID (version 5) that models and checks have together.

    Examples
    --------
    >>> pipeline_version(["a" * 64], ()) == pipeline_version(["b" * 64], ())
    False
    """
    return str(uuid.uuid5(_NAMESPACE, fingerprint([list(digests), [asdict(check) for check in checks]])))


def marks_column(leaf: Leaf, marked: Marked) -> pa.Array:
    """Return ``check_failures``, ``anomaly.count`` or ``anomaly.<check>``."""
    return pa.array(marked.by_check[leaf.name]) if leaf.name in marked.by_check and leaf.group else marked.failures
