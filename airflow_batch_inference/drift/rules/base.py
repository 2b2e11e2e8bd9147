"""What a rule is: how it judges, which limits it takes, and how reports show it.

Invariants: nothing heavy is imported here or in a rule's module, since the DAG processor asks a rule for its limits
while it parses; a rule that can never work is refused before any data are read.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from airflow_batch_inference.drift.corrections import CORRECTIONS
from airflow_batch_inference.drift.limits import (
    EDGES,
    SHAPE_LIMITS,
    SHARE_LIMITS,
    THRESHOLDS,
    own_limits,
    require_ordered,
    thresholds_of,
    within,
)
from airflow_batch_inference.drift.statuses import SEVERITY
from airflow_batch_inference.exceptions import ConfigurationError, require_one_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_batch_inference.records import BaselineRecord, ColumnDrift, DriftStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a rule knows beside the columns.

    Attributes
    ----------
    baseline
        The reference.
    rows
        Of the current data.
    metrics
        Of the whole dataset, by name.
    missing_columns, extra_columns
        That one side has alone: the reference, the current data.
    """

    baseline: BaselineRecord
    rows: int
    metrics: Mapping[str, float]
    missing_columns: tuple[str, ...]
    extra_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule says.

    Attributes
    ----------
    status
        Of the dataset.
    metric
        The rule's own number of the dataset, if there is one.
    columns
        The comparisons, each with its status.
    reasons
        In words, the deciding one first.
    """

    status: DriftStatus
    metric: float | None
    columns: tuple[ColumnDrift, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A column's drift as a report draws it.

    Attributes
    ----------
    text
        The value, in words.
    share
        How much of the bar is filled, from 0 to 1; a larger one fills it.
    mark
        Where the possible-drift limit stands, if it is not that of all columns.
    noise
        Where what chance alone makes stands, if that is known.
    """

    text: str
    share: float
    mark: float | None = None
    noise: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(ABC):
    """How to judge: a subclass has a name and :meth:`judge`, the rest as it needs it.

    Attributes
    ----------
    name
        By which it is chosen.
    usual_thresholds
        The possible-drift and the drift threshold where none are given.
    limit_names
        Limits that a column may have of its own.
    ends_at
        Why nothing is over :meth:`highest`, for messages.
    judges_every_column
        Whether every column that was compared has a say, whatever the model takes.
    weighs_only_metrics
        Whether metrics are all that counts: no column that is gone, no earlier run beside a reference, no word on how
        coarse a reference is.
    shows_noise
        Whether its bars show what chance alone makes.
    drift_threshold, possible_drift_threshold
        A value at or over them is ``DRIFT_DETECTED`` or ``POSSIBLE_DRIFT``. None: the rule's usual ones.
    inf_capping
        Stands for an infinite metric; finite and not negative.
    edges
        Of the equal-width histogram. ``padded``: what lies outside the reference's range counts in two bins of its own;
        ``open``: it is left out.
    min_rows
        Below it, on either side, the verdict is ``INSUFFICIENT``.
    significance
        Of a whole analysis: how likely any false alarm in it may be at most, in [0, 1].
    correction
        For the number of columns and checks: ``holm`` or ``bonferroni``.
    max_drifted_fraction
        A larger share of drifted columns is drift of the dataset, important or not.
    limits
        Column name, or ``"*"`` for all that are not named, to limits of its own: ``drift_threshold``,
        ``possible_drift_threshold``, and the shares ``missing`` (0.1), ``infinite`` (0.1), ``range`` (0.05) and
        ``unseen`` (0.05) from which a change is ``DRIFT_DETECTED``; a fifth of it is ``POSSIBLE_DRIFT``. With a limit
        for ``missing`` the other checks leave missing values out.
    watch, ignore
        Columns whose drift alone is the dataset's, whatever their importance; and columns that are not judged.

    Raises
    ------
    ConfigurationError
        An unknown kind of edges, correction or limit, or a number out of its range.
    """

    name: ClassVar[str]
    usual_thresholds: ClassVar[tuple[float, float]] = SHAPE_LIMITS
    limit_names: ClassVar[tuple[str, ...]] = (*THRESHOLDS, *SHARE_LIMITS)
    ends_at: ClassVar[str] = ""
    judges_every_column: ClassVar[bool] = False
    weighs_only_metrics: ClassVar[bool] = False
    shows_noise: ClassVar[bool] = False

    drift_threshold: float | None = None
    possible_drift_threshold: float | None = None
    inf_capping: float = 10.0
    edges: Literal["padded", "open"] = "padded"
    min_rows: int = 30
    significance: float = 0.01
    correction: Literal["holm", "bonferroni"] = "holm"
    max_drifted_fraction: float = 0.3
    limits: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    watch: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a rule that can never work."""
        require_one_of("edges", self.edges, EDGES)
        require_one_of("correction", self.correction, CORRECTIONS)
        self.require_limits(self.drift_threshold, self.possible_drift_threshold, self.limits)
        within("inf_capping", self.inf_capping, 0, math.inf)
        within("min_rows", self.min_rows, 0, math.inf)
        within("significance", self.significance, 0, 1)
        within("max_drifted_fraction", self.max_drifted_fraction, 0, 1)
        both = sorted({*self.watch} & {*self.ignore})
        if both:
            message = f"{both[0]!r} is among both watch_columns and ignore_columns. Leave it out of one."
            raise ConfigurationError(message)

    # -- judging ------------------------------------------------------------------------------------------------------

    @abstractmethod
    def judge(self, comparisons: Sequence[ColumnDrift], context: Context) -> Verdict:
        """Return the verdict.

        Parameters
        ----------
        comparisons
            The columns with their metrics, checks, roles and importance.
        context
            What else there is to know.
        """

    def is_judged(self, column: ColumnDrift) -> bool:
        """Say whether a column is among those that the model takes or gives, or that are watched."""
        return column.name not in self.ignore and (column.role != "other" or column.name in self.watch)

    def has_enough(self, context: Context) -> bool:
        """Say whether both sides have the rows that a verdict needs."""
        return min(context.rows, context.baseline.rows) >= self.min_rows

    # -- limits -------------------------------------------------------------------------------------------------------

    @classmethod
    def highest(cls, column: str | None) -> float:  # noqa: ARG003  # a rule may tell columns apart
        """Return what a threshold may be at most: that of all columns (None), or one that stands under a name."""
        return math.inf

    @classmethod
    def require_limits(
        cls, drift: float | None, possible: float | None, limits: Mapping[str, Mapping[str, float]]
    ) -> None:
        """Refuse thresholds and limits that can never work.

        Parameters
        ----------
        drift, possible
            The thresholds of all columns; None: the usual ones.
        limits
            Column, or ``"*"`` for all others, to limits of its own.

        Raises
        ------
        ConfigurationError
            Says which, its value, and what it may be.
        """
        cls._require_highest("drift_threshold", drift, cls.highest(None))
        cls._require_highest("possible_drift_threshold", possible, cls.highest(None))
        require_ordered(*thresholds_of(cls.usual_thresholds, drift, possible, {}), "")
        for column, own in limits.items():
            for limit, value in own.items():
                require_one_of(f"A limit of column {column!r}", limit, cls.limit_names)
                within(f"{limit} of column {column!r}", value, 0, 1 if limit in SHARE_LIMITS else math.inf)
                if limit not in SHARE_LIMITS:
                    cls._require_highest(f"{limit} of column {column!r}", value, cls.highest(column))
            thresholds = thresholds_of(cls.usual_thresholds, drift, possible, own_limits(limits, column))
            require_ordered(*thresholds, f" of column {column!r}")

    @classmethod
    def _require_highest(cls, argument: str, value: float | None, highest: float) -> None:
        if value is not None and highest < math.inf and not 0 <= value <= highest:
            message = (
                f"{argument} is {value:g} under rule {cls.name!r}; it must lie in [0, {highest:g}]: {cls.ends_at}."
            )
            raise ConfigurationError(message)

    def require_reachable(self, baseline: BaselineRecord) -> None:  # noqa: B027  # a rule may have nothing to refuse
        """Refuse a column's threshold that nothing could ever be over, now that the columns' kinds are known.

        Raises
        ------
        ConfigurationError
            Names the column, the threshold, and the most that it may be.
        """

    def thresholds(self, column: str | None = None) -> tuple[float, float]:
        """Return the possible-drift and the drift threshold, of a column or in general."""
        own = {} if column is None else self.own_limits(column)
        return thresholds_of(self.usual_thresholds, self.drift_threshold, self.possible_drift_threshold, own)

    def own_limits(self, column: str) -> dict[str, float]:
        """Return the limits that a column has of its own: those of its name, else those of ``"*"``."""
        return own_limits(self.limits, column)

    def shape_limits(self, column: str) -> tuple[float, float]:  # noqa: ARG002  # a rule may tell columns apart
        """Return the limits of a column's distance and divergence; a rule that does not judge by them shows them."""
        return SHAPE_LIMITS

    def limits_of(self, check: str, column: str) -> tuple[float, float]:
        """Return the limits of a check of a column."""
        if check not in SHARE_LIMITS:
            return self.shape_limits(column)
        own = self.own_limits(column).get(check)
        return SHARE_LIMITS[check] if own is None else (own / 5, own)

    def parameters(self) -> dict[str, float | str]:
        """Return what the verdict depends on, for the record."""
        possible, drift = self.thresholds()
        own = {f"{column}: {name}": value for column, limits in self.limits.items() for name, value in limits.items()}
        return {
            "drift_threshold": drift,
            "possible_drift_threshold": possible,
            "min_rows": float(self.min_rows),
            "inf_capping": self.inf_capping,
            "edges": self.edges,
            **own,
            **({"watch": ", ".join(self.watch)} if self.watch else {}),
            **({"ignore": ", ".join(self.ignore)} if self.ignore else {}),
        }

    # -- how reports show it ------------------------------------------------------------------------------------------

    @classmethod
    def has_a_say(cls, column: ColumnDrift) -> bool:
        """Say whether a column has a say in the verdict."""
        return column.is_judged or cls.judges_every_column

    @classmethod
    def rank(cls, column: ColumnDrift) -> tuple[float, ...]:
        """Return what columns are sorted by, the worst first."""
        return -(SEVERITY[column.status] if cls.has_a_say(column) else 0), -(column.effect or 0.0)

    @classmethod
    def marks(cls, possible: float, drift: float) -> tuple[float, float]:
        """Return where the limits stand on a bar, from 0 to 1: it goes to twice the drift limit."""
        return min(1.0, possible / (2 * drift or 1)), 0.5

    @classmethod
    def bar(cls, column: ColumnDrift, limits: tuple[float, float]) -> Bar | None:  # noqa: ARG003  # a rule's own marks
        """Return a column's bar; None where there is nothing to draw.

        Parameters
        ----------
        column
            Judged by this rule.
        limits
            The possible-drift and the drift limit of all columns.
        """
        return None if column.effect is None else Bar(text=f"{column.effect:.2g}", share=column.effect / 2)
