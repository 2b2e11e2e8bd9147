"""What happens to rows that cannot be scored, or that do not fit the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_inference.operators.arguments import (
    boolean,
    choice,
    names,
    optional_number,
    optional_whole_number,
    whole_number,
    words,
)
from airflow_batch_inference.operators.groups.base import ArgumentGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.jobs.request import RowPolicy as Policy
    from airflow_batch_inference.jobs.request import ScoringRequest

MISMATCH_WORDS = ("cast", "fail", "null", "quarantine")
_EVERY = "*"


def _on_mismatch(name: str, value: object) -> dict[str, str]:
    """Return the word of each column; one for all is that of ``"*"``, and what is the default is left out.

    Examples
    --------
    >>> _on_mismatch("on_mismatch", "null"), _on_mismatch("on_mismatch", "cast")
    ({'*': 'null'}, {})
    """
    is_word = isinstance(value, str) and not value.startswith("{")
    by_column = {_EVERY: str(value)} if is_word else words(name, value)
    for word in by_column.values():
        choice(name, word, MISMATCH_WORDS)
    return {} if by_column == {_EVERY: "cast"} else by_column


def _redacted(name: str, value: object) -> tuple[str, ...]:
    return names(name, value) or ()


@dataclass(frozen=True, kw_only=True)
class RowPolicy(ArgumentGroup):
    """What happens to rows that cannot be scored, or that do not fit the model.

    :param error_threshold: how many rows may be rejected: set aside in a quarantine with file, row, stage and error,
        while the rest is scored; -1: any number. Default: none, the first bad row fails the task. (templated)
    :param max_rejected_fraction: which share of the rows may be rejected, from 0 to 1; where both limits are given,
        both hold. (templated)
    :param on_mismatch: what happens to a value that does not fit its input: ``cast`` (lossless casts; what cannot be
        cast fails, or its row is rejected), ``fail`` the task whatever may be rejected, ``null`` (it becomes null for
        the model, and is counted), or ``quarantine`` (its row is rejected). One word for all, or a dict of column to
        word, ``"*"`` for all others. Under the last three, a value out of the training sample's range, a category that
        it does not have, and a null where it has none do not fit either. (templated)
    :param allow_nan: whether a prediction may be NaN or missing; if not, its row is rejected. (templated)
    :param redact_columns: columns of which the quarantine holds SHA-256 digests instead of values. (templated)
    :param alignment_check_rows: how many rows of the first part, and of each eighth after it, are scored again, alone
        and in another order, and compared; 0: none. (templated)
    """

    error_threshold: int | str | None = None
    max_rejected_fraction: float | str | None = None
    on_mismatch: str | Mapping[str, str] = "cast"
    allow_nan: bool | str = False
    redact_columns: str | Sequence[str] | None = None
    alignment_check_rows: int | str = 4

    parsers: ClassVar[Mapping[str, Any]] = {
        "error_threshold": partial(optional_whole_number, low=-1),
        "max_rejected_fraction": partial(optional_number, low=0, high=1),
        "on_mismatch": _on_mismatch,
        "allow_nan": boolean,
        "redact_columns": _redacted,
        "alignment_check_rows": partial(whole_number, low=0),
    }

    def policy(self) -> Policy:
        """Return what happens to rows that cannot be scored."""
        from airflow_batch_inference.jobs.request import RowPolicy as Policy

        names = ("error_threshold", "max_rejected_fraction", "allow_nan", "redact_columns")
        return Policy(**{name: self.parse(name) for name in names})

    def applied_to(self, request: ScoringRequest) -> ScoringRequest:
        """Return a scoring job with this policy."""
        options = replace(request.options, on_mismatch=self.parse("on_mismatch"))
        return replace(
            request, options=options, policy=self.policy(), alignment_check_rows=self.parse("alignment_check_rows")
        )
