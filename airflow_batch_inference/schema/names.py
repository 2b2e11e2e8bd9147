"""Columns by their names, also as LightGBM writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError, SignatureMismatchError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

_SHOWN = 5


def plain_name(name: str) -> str:
    """Return a column's name as LightGBM writes it: blanks are underscores.

    Examples
    --------
    >>> plain_name("petal length (cm)")
    'petal_length_(cm)'
    """
    return re.sub(r"\s", "_", name)


def known_names(known: Iterable[str]) -> Callable[[str], str]:
    """Return what finds a column's name among known ones, also with blanks for underscores; else the name itself.

    Examples
    --------
    >>> as_known = known_names(["petal length"])
    >>> as_known("petal_length"), as_known("other")
    ('petal length', 'other')
    """
    exact = set(known)
    plain = {plain_name(name): name for name in exact}
    return lambda name: name if name in exact else plain.get(plain_name(name), name)


def require_known(argument: str, name: str, known: Collection[str], what: str) -> str:
    """Return a name as it is known, also where it has blanks for underscores.

    Raises
    ------
    ConfigurationError
        It is not known; the message has a guess.
    """
    found = known_names(known)(name)
    if found in known:
        return found
    there = listed([*known])
    message = f"{argument} names {name!r}, which is not {what}{did_you_mean(name, known)}. There are: {there}."
    raise ConfigurationError(message)


def match_names(wanted: Sequence[str], there: Sequence[str], where: str) -> list[str]:
    """Find each wanted column; LightGBM writes blanks in names as underscores, so those match too."""
    exact = set(there)
    underscored: dict[str, list[str]] = {}
    for name in there:
        underscored.setdefault(plain_name(name), []).append(name)
    chosen = []
    missing = []
    for name in wanted:
        candidates = underscored.get(name, [])
        if name in exact:
            chosen.append(name)
        elif len(candidates) == 1:
            chosen.append(candidates[0])
        else:
            missing.append(name)
    if missing:
        taken = set(chosen)
        unused = [name for name in there if name not in taken]
        raise SignatureMismatchError(_missing_message(missing, there, unused, where))
    return chosen


def _missing_message(missing: Sequence[str], there: Sequence[str], unused: Sequence[str], where: str) -> str:
    hints = [f"{name!r}{did_you_mean(name, unused)}" for name in missing[:_SHOWN]]
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return (
        f"{where} lacks {len(missing)} column(s) that the model needs: {', '.join(hints)}{more}. "
        f"Its columns: {listed(there)}. Rename them in the dataset, or retrain the model on these names."
    )


def listed(names: Sequence[str], most: int = 30) -> str:
    """Return some names for a message."""
    more = f", … ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
