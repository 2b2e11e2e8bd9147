"""Records of several models in one pass: who scored how many rows, and how a challenger differs from its champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_batch_inference.records.base import Record, TaskKey

Role = Literal["step", "champion", "challenger", "variant"]
OTHER_LABELS = "\N{HORIZONTAL ELLIPSIS}"
"""Stands for all labels that are not counted by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisagreeingRow:
    """A row on which champion and challenger differ."""

    uri: str
    row: int
    """Its number in the file, from 0."""
    champion: str
    challenger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreements:
    """Rows that were compared, and those among them that differ."""

    rows: int
    disagreements: int
    pairs: tuple[tuple[str, str, int], ...]
    """(champion's label, challenger's label, rows), in the labels' order; empty of numbers."""
    examples: tuple[DisagreeingRow, ...]
    """The first few rows that differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberPairs:
    """What is counted of two columns of numbers."""

    rows: int
    low: float
    """The least of all numbers of both."""
    high: float
    champion_mean: float
    challenger_mean: float
    champion_squares: float
    """Sum of the squared distances from the mean."""
    challenger_squares: float
    products: float
    """Sum of the products of both distances."""
    absolute: float
    """Sum of the absolute differences."""
    largest: float
    bins: tuple[int, ...]
    """Rows by the size of their difference, relative to the larger number."""
    density: tuple[tuple[int, int, int], ...]
    """(champion, challenger, rows) of each filled cell of [0, 1] squared; empty where a number lies outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPairs:
    """One output of the champion and the challenger's beside it, counted; what two parts have counted can be added."""

    output: str
    challenger_output: str
    labels: Disagreements
    """Of labels; of numbers, their sides of the threshold."""
    numbers: NumberPairs | None
    beyond: Disagreements | None
    """Of numbers: those that are farther apart than the tolerance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRows:
    """What a challenger or a model of a split has done in one part."""

    name: str
    rows: int
    """That it scored."""
    rows_failed: int
    """A challenger's that are null; a split's that were rejected."""
    seconds: float
    error: str | None
    """The first one."""
    outputs: tuple[OutputPairs, ...] = ()
    """A challenger's, beside the champion's."""
    not_compared: str | None = None
    """Why there are none; None: there are, or nothing was scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedModel:
    """One of several models that made a prediction set."""

    role: Role
    name: str
    """Of the challenger or the split's model; else the model's own."""
    step: int
    """From 1, where models stand behind one another."""
    model_uri: str | None
    """None for a challenger that nobody could read."""
    model_sha256: str | None
    model_flavor: str | None
    model_record_uri: str | None
    rows: int
    rows_failed: int
    error: str | None
    """The first thing that went wrong; a challenger's only, which fails nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberDifferences:
    """How far two columns of numbers are apart."""

    champion_mean: float
    challenger_mean: float
    mean_absolute: float
    largest: float
    correlation: float | None
    """Pearson's; None where one of them is constant."""
    bins: tuple[int, ...]
    """Rows by the size of their difference, relative to the larger number: see ``bin_edges``."""
    bin_edges: tuple[float, ...]
    """The upper ends of all bins but the last; the first bin holds those that are equal."""
    density: tuple[tuple[int, int, int], ...]
    """(champion, challenger, rows) of each filled cell of [0, 1] squared; empty for other numbers."""
    density_bins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDisagreements:
    """One output of the champion against the challenger's."""

    output: str
    challenger_output: str
    kind: Literal["labels", "decisions", "numbers"]
    """What a disagreement is: another label, the other side of the threshold, or a difference beyond the tolerance."""
    rows: int
    disagreements: int
    disagreement_fraction: float | None
    """Of the rows; None without any."""
    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]
    """Rows by the champion's label (down) and the challenger's (across); empty of numbers."""
    numbers: NumberDifferences | None
    examples: tuple[DisagreeingRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengerResult:
    """What came of one challenger."""

    name: str
    models: tuple[UsedModel, ...]
    rows: int
    """That it scored."""
    rows_failed: int
    error: str | None
    not_compared: str | None
    """Why its outputs were not compared with the champion's; None: they were."""
    seconds: float
    outputs: tuple[OutputDisagreements, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengersRecord(Record):
    """All challengers of a prediction set against its champion."""

    kind: Literal["challengers"] = "challengers"
    task: TaskKey
    batch_id: str
    dataset_uris: tuple[str, ...]
    rows: int
    """That the champion scored."""
    champion: tuple[UsedModel, ...]
    threshold: float | None
    """From which number on a decision is made; None: 0.5, of numbers from 0 to 1."""
    tolerance: float
    """How far numbers may be apart, relative to the larger one."""
    challengers: tuple[ChallengerResult, ...]
    report_uri: str | None = None
