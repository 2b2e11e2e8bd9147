"""Which columns a result has, what they are called and in which order, as Wallaroo's are.

``time``, ``in.<field>``, ``out.<output>``, ``check_failures``, then the rest.

Invariants: the order is this one, whatever was asked for; and a name that stands for no column is an error, never a
silent nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean, require_one_of
from airflow_batch_inference.jobs.output_layout import CHECKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVERYTHING = "*"
TIME, INPUT, OUTPUT, ANOMALY, ERROR, METADATA = "time", "in", "out", "anomaly", "error", "metadata"
ELAPSED, LAST_MODEL, VERSION = "elapsed", "last_model", "pipeline_version"
_OTHERS = {"meta": METADATA}
"""What Wallaroo calls a parent, too."""
_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Leaf:
    """One column that a result can have.

    Attributes
    ----------
    group
        Its parent: ``in``, ``out``, ``anomaly``, ``metadata``; empty for ``time`` and others that stand alone.
    name
        Within the parent.
    is_default
        Whether ``*`` means it, too.
    """

    group: str
    name: str
    is_default: bool = True

    @property
    def path(self) -> str:
        """What it is asked for by, whatever the separator."""
        return self.named(".")

    def named(self, separator: str) -> str:
        """Return the column's name.

        Examples
        --------
        >>> Leaf("in", "age").named("_"), Leaf("", "time").named("_")
        ('in_age', 'time')
        """
        return f"{self.group}{separator}{self.name}" if self.group else self.name


def leaves(
    inputs: Sequence[str],
    outputs: Sequence[str],
    checks: Sequence[str] = (),
    *,
    beside: Sequence[Leaf] = (),
    with_errors: bool = False,
) -> tuple[Leaf, ...]:
    """Return all columns that a result can have, in their order.

    Parameters
    ----------
    inputs, outputs, checks
        Names of the input's fields, of the model's outputs, and of the validation checks.
    beside
        What challengers return, each in a group of its own (``out_<name>``).
    with_errors
        Whether rows may fail, each with its error.

    Examples
    --------
    >>> [leaf.path for leaf in leaves(["age"], ["risk"]) if leaf.is_default]
    ['time', 'in.age', 'out.risk', 'check_failures']
    """
    return (
        Leaf("", TIME),
        *(Leaf(INPUT, name) for name in inputs),
        *(Leaf(OUTPUT, name) for name in outputs),
        *beside,
        Leaf("", CHECKS),
        *(Leaf(ANOMALY, name, is_default=False) for name in ("count", *checks)),
        *((Leaf("", ERROR),) if with_errors else ()),
        *(Leaf(METADATA, name, is_default=False) for name in (ELAPSED, LAST_MODEL, VERSION)),
    )


_ERROR_COLUMN = Leaf("", ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChoice:
    """Which of them are wanted: Wallaroo's ``dataset``, ``dataset_exclude`` and ``dataset_separator``.

    Attributes
    ----------
    include
        ``*`` (time, in, out, check_failures), parents (``in`` or ``in.*``) and leaves (``in.age``), always with a dot.
    exclude
        Parents and leaves. A leaf that ``include`` names beats an excluded parent.
    separator
        Between parent and field in the columns' names; None: a parent is one column that holds its fields.
    """

    include: tuple[str, ...] = (EVERYTHING,)
    exclude: tuple[str, ...] = ()
    separator: str | None = "."

    @classmethod
    def of_arguments(cls, arguments: Mapping[str, Any]) -> ColumnChoice:
        """Return the choice that plain JSON types say: lists, and text or null.

        Raises
        ------
        ConfigurationError
            There is no such argument.
        """
        for name in arguments:
            require_one_of("an argument of the layout", name, ("include", "exclude", "separator"))
        names = {name: tuple(arguments[name]) for name in ("include", "exclude") if name in arguments}
        return cls(**names, separator=arguments.get("separator", "."))

    def of(self, there: Sequence[Leaf]) -> tuple[Leaf, ...]:
        """Return those that are wanted, in their order.

        Raises
        ------
        ConfigurationError
            A name stands for none of them, one is both included and excluded, or none is left.

        Examples
        --------
        >>> choice = ColumnChoice(include=("*", "in.age"), exclude=("in",))
        >>> [leaf.path for leaf in choice.of(leaves(["age", "zip"], ["risk"]))]
        ['time', 'in.age', 'out.risk', 'check_failures']
        """
        paths, groups = {leaf.path for leaf in there}, {leaf.group for leaf in there if leaf.group}
        included = _resolved("dataset", self.include, paths, groups)
        excluded = _resolved("dataset_exclude", self.exclude, paths, groups)
        both = next((name for name in included if name in excluded), None)
        if both is not None:
            message = f"dataset and dataset_exclude both name {both!r}. Name it in one of them."
            raise ConfigurationError(message)
        found = tuple(leaf for leaf in there if _is_wanted(leaf, included, excluded))
        if all(leaf == _ERROR_COLUMN for leaf in found):
            message = f"dataset {list(self.include)} without {list(self.exclude)} leaves no column. Ask for one."
            raise ConfigurationError(message)
        return found


def _resolved(argument: str, names: Sequence[str], paths: set[str], groups: set[str]) -> frozenset[str]:
    """Return names with ``in.*`` as ``in``; refuse unknown ones."""
    found = set()
    for name in names:
        plain = _OTHERS.get(name.removesuffix(".*"), name)
        plain = plain[:-2] if plain.endswith(".*") and plain[:-2] in groups else plain
        # A parent without any field, such as the inputs of a model that takes none, is still known.
        is_known = plain in paths or plain in groups or plain in (INPUT, OUTPUT)
        if not is_known and not (plain == EVERYTHING and argument == "dataset"):
            known = [*sorted(groups), *sorted(paths)]
            more = f", … ({len(known)} in all)" if len(known) > _SHOWN else ""
            message = (
                f"{argument} names {name!r}, which no column of the result has{did_you_mean(name, known)}. There are: "
                f"{', '.join(known[:_SHOWN])}{more}."
            )
            raise ConfigurationError(message)
        found.add(plain)
    return frozenset(found)


def _is_wanted(leaf: Leaf, included: frozenset[str], excluded: frozenset[str]) -> bool:
    if leaf.path in included or leaf.path in excluded:
        return leaf.path in included
    if leaf == _ERROR_COLUMN:
        return True  # without it nobody would know why a row has no prediction
    if leaf.group in excluded:
        return False
    return leaf.group in included or (EVERYTHING in included and leaf.is_default)


def require_different(names: Sequence[str]) -> None:
    """Refuse names that two columns would have.

    Raises
    ------
    ConfigurationError
        Names the first one.
    """
    taken: set[str] = set()
    for name in names:
        if name in taken:
            message = (
                f"Two columns of the result would be called {name!r}. Choose another dataset_separator, or leave one "
                "of them out (dataset_exclude)."
            )
            raise ConfigurationError(message)
        taken.add(name)
