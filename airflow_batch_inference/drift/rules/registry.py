"""Which rules there are.

Built-in rules stand in a table of strings, others register under the entry-point group
``airflow_batch_inference.rules``.

Invariants: no rule is imported before it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_inference.drift.rules.base import Rule
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.registry import Registry

if TYPE_CHECKING:
    from airflow_batch_inference.records import DriftResult

_RULES = Registry(
    what="rule",
    group="airflow_batch_inference.rules",
    built_in={
        "effect": "airflow_batch_inference.drift.rules.effect:EffectRule",
        "mlrun": "airflow_batch_inference.drift.rules.mlrun:MlrunRule",
    },
)


def rule_names() -> tuple[str, ...]:
    """Return the names of all rules, built-in ones first; imports none of them."""
    return _RULES.names()


def get_rule(name: str) -> type[Rule]:
    """Return a rule by its name.

    Raises
    ------
    ConfigurationError
        There is none of that name, or it cannot be imported.

    Examples
    --------
    >>> get_rule("effect").usual_thresholds
    (0.1, 0.2)
    """
    rule: type[Rule] = _RULES.load(name)
    return rule


def make_rule(name: str, **settings: Any) -> Rule:  # noqa: ANN401  # the fields of Rule
    """Return a rule with settings; see :class:`~airflow_batch_inference.drift.rules.base.Rule`."""
    return get_rule(name)(**settings)


def rule_of(result: DriftResult) -> type[Rule]:
    """Return the rule that a result was judged by; one that is not installed here is shown as a rule is by default."""
    try:
        return get_rule(result.rule)
    except ConfigurationError:
        return Rule
