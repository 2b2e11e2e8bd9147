"""What a command of the command line is, how it ends, and what its output looks like.

Invariants: the result goes to standard output, all that is told on the way to standard error; a known error is one line
there and exit status 1; and nothing from a file gets to the terminal that could steer it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import BatchInferenceError, ConfigurationError
from airflow_batch_inference.models.aliases import parse_alias
from airflow_batch_inference.storage.foreign_uris import advice_for
from airflow_batch_inference.storage.uris import normalize_uri
from airflow_batch_inference.wording.errors import harmless
from airflow_batch_inference.wording.signs import visible
from airflow_batch_inference.wording.texts import hidden_in, said
from airflow_batch_inference.wording.uris import has_login, redact

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Argument = tuple[str, dict[str, Any]]

_INTERRUPTED = 130

AS_JSON: Argument = ("--json", {"help": "print JSON instead of text", "action": "store_true", "dest": "as_json"})
CSV_OPTIONS: Argument = (
    "--csv-options",
    {"help": 'what CSV files look like, as JSON: {"separator": ";", "decimal": ","}'},
)
ARTIFACT_ROOT: Argument = ("--artifact-root", {"help": "the artifact store (artifact_root of the config)"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command: its arguments, declared once for both entrances, and what it does.

    Attributes
    ----------
    name, help, epilog
        What it is called, what it is for, and what its exit status says, where that is more than 0 and 1.
    arguments
        Flag (or name, of a positional one) to the options of ``argparse``.
    run
        Does it, and returns the exit status.
    """

    name: str
    help: str
    arguments: tuple[Argument, ...]
    run: Callable[[argparse.Namespace], int]
    epilog: str | None = None

    def __call__(self, arguments: argparse.Namespace) -> None:
        """Run it; end the process with its status, where that is not 0."""
        try:
            with messages_on_stderr():
                status = self.run(arguments)
        except (BatchInferenceError, OSError) as error:
            sys.exit(f"{type(error).__name__}: {said(' '.join(str(error).split()))}")
        except Exception as error:
            if (shown := harmless(error)) is error:
                raise
            raise shown from shown.__cause__
        except KeyboardInterrupt:
            sys.stderr.write("Stopped. What was finished is kept: the same command goes on from there.\n")
            sys.exit(_INTERRUPTED)
        if status:
            sys.exit(status)


@contextlib.contextmanager
def messages_on_stderr() -> Iterator[None]:
    """Send what the package logs to standard error, and nowhere else: Airflow's own handler writes to the output."""
    logger = logging.getLogger("airflow_batch_inference")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)-8s %(message)s"))
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def absolute(place: str) -> str:
    """Return a path of the shell's as an absolute one; a URI or an alias of a model as it is."""
    if "://" in place or advice_for(place) is not None or (parse_alias(place) is not None and not Path(place).exists()):
        return place
    if has_login(place) and place[0] not in "/~." and not os.path.lexists(place):
        return normalize_uri(place)  # a URI without its scheme, which it refuses: below a folder it would be a path
    return os.path.abspath(Path(place).expanduser())  # noqa: PTH100  # pathlib would follow links, or keep ".."


def absolutes(places: Sequence[str]) -> str | list[str]:
    """Return one path or several (as a shell makes of ``*.parquet``) as absolute ones."""
    found = [absolute(place) for place in places]
    return found[0] if len(found) == 1 else found


def listed(text: str | None) -> list[str] | None:
    """Return names that are separated by commas; None for none.

    Examples
    --------
    >>> listed("a, b"), listed(None)
    (['a', 'b'], None)
    """
    return [name.strip() for name in text.split(",") if name.strip()] or None if text else None


def require_alone(arguments: argparse.Namespace, options: Sequence[str], why: str) -> None:
    """Refuse options that say something of what is not there.

    Raises
    ------
    ConfigurationError
        Names the first one that is given.
    """
    for option in options:
        if getattr(arguments, option) is not None:
            message = f"--{option.replace('_', '-')} {why}"
            raise ConfigurationError(message)


def show_json(document: Mapping[str, Any]) -> None:
    """Print a document of plain JSON types without secrets; what would steer a terminal is escaped as JSON has it."""
    text = json.dumps(hidden_in(document), indent=1, ensure_ascii=False, default=str)
    print(re.sub(r"[^\n -~]", lambda found: _in_json(found.group()), text))


def _in_json(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def show(rows: Mapping[str, object]) -> None:
    """Print labels and values, one a line, aligned; a list is one line an item, and what is None is left out."""
    there = {said(label): value for label, value in rows.items() if value is not None and value not in ((), [], "")}
    width = max(map(len, there), default=0)
    for label, value in there.items():
        lines = value if isinstance(value, (list, tuple)) else [value]
        for place, line in enumerate(lines):
            print(f"{label if place == 0 else '':<{width}}  {said(str(line))}")


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, aligned, indented; nothing where it has no row."""
    head = [said(cell) for cell in head]
    rows = [[said(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows) if rows else ():
        print(f"  {'  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))}".rstrip())


def shown(uri: str) -> str:
    """Return a URI as a shell takes it: a local one as its path."""
    return visible(redact(uri).removeprefix("file://"))
