"""What columns of challengers are called."""

from __future__ import annotations


def challenger_column(challenger: str, output: str) -> str:
    """Return what an output of a challenger is called, where no layout has a name of its own.

    Examples
    --------
    >>> challenger_column("b", "risk")
    'b.risk'
    """
    return f"{challenger}.{output}"
