"""What a preflight says: findings in words, an estimate, and how they read. Light: the command line imports it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from airflow_batch_inference.wording.texts import said

Level: TypeAlias = Literal["ok", "warning", "problem"]

_MANY = 60
_THOUSAND = 1000
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of a preflight."""

    level: Level
    text: str

    def __post_init__(self) -> None:
        """Take out what may not be shown: it may quote a library, or a name from a file."""
        object.__setattr__(self, "text", said(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a job will take, from a few mini-batches that were read, scored and written to a private file.

    Attributes
    ----------
    timed_rows, timed_s
        What it was made of.
    low_s, high_s
        Wall seconds of the whole job.
    memory_bytes
        Of all its processes together, at most about.
    output_bytes
        Of the prediction set, about.
    """

    timed_rows: int
    timed_s: float
    low_s: float
    high_s: float
    memory_bytes: int
    output_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a preflight has found.

    Attributes
    ----------
    findings
        In the order in which a job would meet them.
    rows, parts, workers
        Of the job; None where the dataset could not be opened. No worker: one process does it all, a part at a time.
    by
        Who would score, in words.
    rows_tried, rows_rejected
        How many of the first rows were scored, and how many of them could not be.
    estimate
        None where no mini-batch could be scored.
    """

    findings: tuple[Finding, ...]
    rows: int | None = None
    parts: int | None = None
    workers: int | None = None
    by: str = ""
    rows_tried: int = 0
    rows_rejected: int = 0
    estimate: Estimate | None = None

    @property
    def is_ready(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What would make the job fail."""
        return tuple(finding.text for finding in self.findings if finding.level == "problem")

    def numbers(self) -> dict[str, int | float | None]:
        """Return the numbers alone, as plain JSON types."""
        counts = {name: getattr(self, name) for name in ("rows", "parts", "workers", "rows_tried", "rows_rejected")}
        return counts | (asdict(self.estimate) if self.estimate else {})

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"is_ready": self.is_ready, **asdict(self)}

    def text(self) -> str:
        """Return the report, a line a finding."""
        words = {"ok": "ok", "warning": "warning", "problem": "PROBLEM"}
        lines = [f"{words[finding.level]:<9} {finding.text}" for finding in self.findings]
        if self.estimate is not None and self.rows is not None:
            lines.append(f"{'estimate':<9} {_in_words(self.estimate, self)}")
        lines.append(f"{'ready' if self.is_ready else 'NOT READY':<9} nothing was written")
        return "\n".join(lines)


def _in_words(estimate: Estimate, found: Preflight) -> str:
    output = f", output about {in_bytes(estimate.output_bytes)}" if estimate.output_bytes else ""
    made_of = f"{estimate.timed_rows:,} rows that were read, scored and written in {estimate.timed_s:.2f} s"
    return (
        f"{_duration(estimate.low_s)} to {_duration(estimate.high_s)} with {found.by}, at most about "
        f"{in_bytes(estimate.memory_bytes)} of memory{output}; from {made_of}"
    )


def _duration(seconds: float) -> str:
    """Return a duration as people say it.

    Examples
    --------
    >>> _duration(1.24), _duration(75), _duration(7300)
    ('1.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < _MANY:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MANY * _MANY:
        return f"{whole // _MANY} min {whole % _MANY} s"
    return f"{whole // (_MANY * _MANY)} h {whole // _MANY % _MANY} min"


def in_bytes(number: float) -> str:
    """Return a number of bytes in a unit that reads well.

    Examples
    --------
    >>> in_bytes(512), in_bytes(1_234_567)
    ('512 bytes', '1.2 MB')
    """
    for unit in _UNITS[:-1]:
        if number < _THOUSAND:
            return f"{number:.0f} {unit}" if unit == _UNITS[0] else f"{number:.1f} {unit}"
        number /= _THOUSAND
    return f"{number:.1f} {_UNITS[-1]}"
