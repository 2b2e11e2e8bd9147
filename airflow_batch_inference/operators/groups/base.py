"""What groups of arguments have in common: Airflow renders them, and what can never work is refused at once.

Invariants: a value that is no template is parsed when the group is made, that is while the DAG is parsed; all values
are parsed again once they are rendered, before a task uses one of them. Nothing heavy is imported for either.

Why a group is not the core's own class, even where both have one name (``EffectRule``, ``RowPolicy``, ``Split``): it
must be Airflow's ``ResolveMixin``, or a mapped task (``partial(rule=…).expand(…)``) would not wait for the outputs of
other tasks in it: no constructor of an operator runs before Airflow looks for them. The core knows nothing of Airflow;
and what it takes is parsed, never a template. A group names no range or word twice where the core has it by name.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from airflow.sdk import XComArg
from airflow.sdk.definitions._internal.mixins import ResolveMixin

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators.arguments import is_known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

G = TypeVar("G", bound="ArgumentGroup")


@dataclass(frozen=True, kw_only=True)
class ArgumentGroup(ResolveMixin):
    """Base of the groups: subclasses are frozen data classes that name a parser for each of their fields.

    Airflow looks for outputs of other tasks in what is a ``ResolveMixin``, so that a task waits for those in a group.
    """

    parsers: ClassVar[Mapping[str, Callable[[str, object], Any]]] = {}
    """Field to what makes the value that the core takes of it, given its name; raises ``ConfigurationError``."""
    template_fields: ClassVar[Sequence[str]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401  # object's own
        super().__init_subclass__(**kwargs)
        cls.template_fields = tuple(cls.parsers)

    def __post_init__(self) -> None:
        """Refuse what can never work.

        Raises
        ------
        ConfigurationError
            Names the argument, its value, and what it may be.
        """
        known = [name for name, value in self.given() if is_known(value)]
        for name in known:
            self.parse(name)
        if len(known) == len(self.parsers):
            self.require_together()

    def require_together(self) -> None:
        """Refuse values that mean nothing together; asked once none of them is a template."""

    def given(self) -> Iterator[tuple[str, Any]]:
        """Yield each argument's name and its value as it was given."""
        for name in self.parsers:
            yield name, getattr(self, name)

    def parse(self, name: str) -> Any:  # noqa: ANN401  # whatever its parser makes
        """Return an argument as the core takes it."""
        return self.parsers[name](name, getattr(self, name))

    def parse_all(self) -> dict[str, Any]:
        """Return all arguments as the core takes them; they are rendered by then."""
        return {name: self.parse(name) for name in self.parsers}

    def rendered(self, render: Callable[[Any], Any]) -> Self:
        """Return the group with each value rendered, and checked again."""
        return type(self)(**{name: render(value) for name, value in self.given()})

    def serialize(self) -> dict[str, Any]:
        """Return the arguments that were given, for Airflow's page of rendered templates."""
        defaults = {each.name: each.default for each in fields(self)}
        return {name: value for name, value in self.given() if defaults[name] is MISSING or value != defaults[name]}

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        """Yield the tasks whose outputs are among the values, for Airflow."""
        return XComArg.iter_xcom_references(dict(self.given()))


def anything(name: str, value: object) -> object:  # noqa: ARG001  # a parser
    """Return a value that can be anything."""
    return value


def require_group(name: str, value: object, *kinds: type[ArgumentGroup]) -> None:
    """Refuse what is neither None nor a group of one of some kinds.

    Raises
    ------
    ConfigurationError
        Says what to give.
    """
    if value is not None and not isinstance(value, kinds):
        there = " or ".join(f"{kind.__name__}(…)" for kind in kinds)
        message = f"{name} is {value!r}; it must be {there}."
        raise ConfigurationError(message)
