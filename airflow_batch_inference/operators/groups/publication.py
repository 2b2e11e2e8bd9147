"""What arguments say of a publication, and where tasks behind a scoring task will publish what it makes.

Invariants: an argument that can never work is refused when the DAG is parsed; a target is checked before the first row
only where it is known by then, and never because of what another task is yet to say.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, XComArg

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.formats.names import OUTPUT_SUFFIXES, PART_FORMAT, format_written
from airflow_batch_inference.operators.arguments import boolean, choice, is_known, optional_choice, optional_text
from airflow_batch_inference.operators.stores import storage_for
from airflow_batch_inference.sinks.base import IF_EXISTS, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow.sdk.definitions.context import Context

log = logging.getLogger(__name__)

ARGUMENTS = ("publish_to", "output_format", "if_exists", "allow_mixed_versions", "conn_id")
WHERE_FORMATS_ARE = (
    "The prediction set itself is always Parquet; output_format says what publish_to of a LogArtifactsOperator writes. "
    "Give publish_to there (a file's name says its format by itself), or leave output_format out."
)
PARSERS: dict[str, Callable[[str, object], object]] = {
    "output_format": partial(optional_choice, allowed=tuple(OUTPUT_SUFFIXES)),
    "if_exists": partial(choice, allowed=IF_EXISTS),
    "allow_mixed_versions": boolean,
}
_OF_A_TASK = re.compile(r"xcom|\bti\b|task_instance|\btask\b")
"""In a template: what the task that is rendered says, and another one would not."""


def require_target(publish_to: object, output_format: object) -> None:
    """Refuse a format in which nothing is written, and one that a file's name contradicts; templates tell nothing yet.

    Raises
    ------
    ConfigurationError
        Says what to write instead.
    """
    wanted = optional_text(output_format) if is_known(output_format) else None
    if wanted is None or not is_known(publish_to):
        return
    target = optional_text(publish_to)
    if target is not None:
        format_written(target, wanted)
    elif wanted != PART_FORMAT:
        message = f"output_format is {wanted!r}, and nothing is published. {WHERE_FORMATS_ARE}"
        raise ConfigurationError(message)


def target_of(arguments: Mapping[str, Any]) -> Target | None:
    """Return where predictions are published by rendered arguments; None for nowhere.

    Raises
    ------
    ConfigurationError
        One of them can never work.
    """
    name, output_format = optional_text(arguments["publish_to"]), arguments["output_format"]
    require_target(name, output_format)
    if name is None:
        return None
    return Target(
        name=name,
        storage=storage_for(optional_text(arguments["conn_id"])),
        output_format=optional_choice("output_format", output_format, tuple(OUTPUT_SUFFIXES)),
        if_exists=choice("if_exists", arguments["if_exists"], IF_EXISTS),
        allow_mixed_versions=boolean("allow_mixed_versions", arguments["allow_mixed_versions"]),
    )


def targets_behind(task: BaseOperator, context: Context) -> tuple[Target, ...]:
    """Return where other tasks of the DAG will publish what a task makes, as far as its run tells that by now.

    They are those that take its ``output`` among their ``artifacts``.

    Raises
    ------
    ConfigurationError
        An argument of one of them can never work.
    """
    found = []
    for other in _publishers_of(task):
        given = {argument: getattr(other, argument) for argument in ARGUMENTS}
        if any(_is_anothers(each) for each in given.values()):
            continue
        try:
            rendered = other.render_template(given, context, other.get_template_env())
        except Exception as error:  # noqa: BLE001  # a template may say anything of a task that has not begun
            log.debug("publish_to of the task %s is not known yet: %s", other.task_id, type(error).__name__)
            continue
        target = target_of(rendered)
        if target is not None:
            log.info("The task %s will publish to %s: checked before the first row", other.task_id, target.name)
            found.append(target)
    return tuple(found)


def _publishers_of(task: BaseOperator) -> Iterator[BaseOperator]:
    dag = task.get_dag()
    for other in () if dag is None else dag.tasks:
        if not isinstance(other, BaseOperator) or not hasattr(other, "publish_to"):
            continue  # of a mapped task nothing is known
        made = XComArg.iter_xcom_references(getattr(other, "artifacts", None))
        if any(maker.task_id == task.task_id for maker, _ in made):
            yield other


def _is_anothers(value: object) -> bool:
    """Say whether an argument hangs on what a task says, and so is not known before that has run."""
    if isinstance(value, str):
        return not is_known(value) and _OF_A_TASK.search(value) is not None
    return not isinstance(value, (bool, type(None)))
