"""Flat arguments of a parametrized test, put into the groups that have them."""

from __future__ import annotations


def grouped(arguments, **kinds):
    """Return arguments in which those of some groups (``rows=RowPolicy``) are given as these groups."""
    rest = dict(arguments)
    made = {}
    for argument, kind in kinds.items():
        asked = {name: rest.pop(name) for name in kind.parsers if name in rest}
        if asked:
            made[argument] = kind(**asked)
    return rest | made
