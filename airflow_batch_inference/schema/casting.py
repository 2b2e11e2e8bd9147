"""Which values of a column fit another type, found for a whole column at once.

Invariants: a value fits only if the cast changes nothing of it (a decimal fraction excepted, which has no exact double:
the nearest one is meant), and what :func:`unfit` passes, :func:`converted` converts.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.schema.column_types import is_nested, is_number, is_text

EXACT_INTEGERS = 2.0**53
"""Up to here a double holds every integer."""
_EXACT_BITS = {64: 53, 32: 24, 16: 11}
_LONGEST = 2**63 - 1
_SURE_NUMBER = r"^-?\d{1,15}(\.\d{1,15})?$"
_SURE_INTEGER = r"^[+-]?\d{1,18}(\.0*)?$"
_CAST_ERRORS = (pa.ArrowInvalid, pa.ArrowNotImplementedError)


def loses_digits(text: pa.Array | pa.ChunkedArray) -> bool:
    """Say whether a string is an integer that a double would change, such as a long identifier."""
    long = text.filter(pc.fill_null(pc.match_substring_regex(text, r"^[+-]?\d{16,}$"), fill_value=False))
    return any(changes_in_a_double(value) for value in long.to_pylist())


def changes_in_a_double(integer: str | int) -> bool:
    """Say whether a double is another number than an integer, or holds none that large.

    Examples
    --------
    >>> changes_in_a_double("+9007199254740993"), changes_in_a_double(-(2**60)), changes_in_a_double("9" * 5000)
    (True, False, True)
    """
    try:
        nearest = float(integer)
    except OverflowError:
        return True
    # Python makes no integer of thousands of digits, be they zeros.
    whole = int(integer.lstrip("+-0") or "0") if isinstance(integer, str) and np.isfinite(nearest) else integer
    return not np.isfinite(nearest) or abs(int(whole)) != abs(int(nearest))


def converted(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Cast a column without loss.

    Raises
    ------
    pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError
        A value does not fit.
    """
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_decimal(values.type):
        doubles = values.cast(kind, safe=False)
        if values.type.scale <= 0 and _beyond(doubles, EXACT_INTEGERS).any():
            message = "an integer has more digits than a double holds"
            raise pa.ArrowInvalid(message)
        return doubles
    if is_text(values.type) and is_number(kind):
        return _parsed(values, kind)
    found = values.cast(kind)
    if _narrows(values.type, kind) and _overflows(values, found).any():
        message = f"a number is too large for {kind}"
        raise pa.ArrowInvalid(message)
    return found


def _narrows(there: pa.DataType, kind: pa.DataType) -> bool:
    both = pa.types.is_floating(there) and pa.types.is_floating(kind)
    return bool(both and kind.bit_width < there.bit_width)


def _overflows(values: pa.ChunkedArray, narrow: pa.ChunkedArray) -> np.ndarray:
    """Find the finite numbers that a narrower type makes infinite."""
    return _mask(pc.and_(pc.is_finite(values), pc.is_inf(narrow)))


def unfit(values: pa.ChunkedArray, kind: pa.DataType | None) -> np.ndarray:
    """Say of each value whether a cast would change it or is not possible; a null always fits.

    Parameters
    ----------
    values
        A column, of n rows.
    kind
        The type wanted; None: its own.

    Returns
    -------
    numpy.ndarray
        Shape (n,), bool.
    """
    none = np.zeros(len(values), dtype=bool)
    if kind is None or values.type == kind or _converts(values, kind):
        return none
    found = none if is_nested(values.type) or is_nested(kind) else _candidates(values, kind)
    if found.any() and _converts(without(values, found), kind):
        return found
    return np.array([not _converts(values.slice(row, 1), kind) for row in range(len(values))], dtype=bool)


def fitted(values: pa.ChunkedArray, kind: pa.DataType | None, wrong: np.ndarray) -> pa.ChunkedArray:
    """Cast a column with nulls for the values that :func:`unfit` has found."""
    kept = without(values, wrong)
    return kept if kind is None or kept.type == kind else converted(kept, kind)


def without(values: pa.ChunkedArray, wrong: np.ndarray) -> pa.ChunkedArray:
    """Return a column with nulls for the values that a mask names."""
    if not wrong.any():
        return values
    rows = pa.array(np.arange(len(values)), mask=wrong)
    return values.take(rows)


def _converts(values: pa.ChunkedArray, kind: pa.DataType) -> bool:
    try:
        converted(values, kind)
    except _CAST_ERRORS:
        return False
    return True


def _candidates(values: pa.ChunkedArray, kind: pa.DataType) -> np.ndarray:
    """Find what cannot be cast by the rule of the two types."""
    there = values.type
    if is_text(there):
        return _unparsed(values, kind)
    if pa.types.is_decimal(there):
        return _beyond(values.cast(kind, safe=False), EXACT_INTEGERS)
    if pa.types.is_integer(there) and pa.types.is_floating(kind):
        return _beyond(values, 2 ** _EXACT_BITS[kind.bit_width])
    if pa.types.is_integer(there):
        return _mask(pc.greater(values, pa.scalar(_LONGEST, there)))
    if _narrows(there, kind):
        return _overflows(values, values.cast(kind))
    there_and_back = values.cast(kind, safe=False).cast(there, safe=False)
    return _mask(pc.not_equal(there_and_back, values))


def _beyond(values: pa.ChunkedArray, limit: float) -> np.ndarray:
    most = pa.scalar(int(limit)).cast(values.type) if pa.types.is_integer(values.type) else limit
    too_large = pc.greater(values, most)
    if pa.types.is_unsigned_integer(values.type):
        return _mask(too_large)
    return _mask(pc.or_(too_large, pc.less(values, pc.negate(most))))


def _mask(found: pa.ChunkedArray) -> np.ndarray:
    mask: np.ndarray = pc.fill_null(found, fill_value=False).to_numpy()
    return mask


def _parsed(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Read text as numbers, as the CSV reader does: blanks around them, and integers written as 3.0.

    Raises
    ------
    pyarrow.ArrowInvalid
        A value is no number, or an integer that a float would change.
    """
    text = pc.utf8_trim_whitespace(values.cast(pa.string()))
    if pa.types.is_integer(kind):
        whole = pc.replace_substring_regex(text, r"^([+-]?\d+)\.0*$", r"\1")
        return pc.replace_substring_regex(whole, r"^\+", "").cast(kind)
    if pa.types.is_floating(kind) and loses_digits(text):
        message = "an integer has more digits than a float holds"
        raise pa.ArrowInvalid(message)
    return text.cast(kind)


def _unparsed(values: pa.ChunkedArray, kind: pa.DataType) -> np.ndarray:
    """Find text that is no number; each form that is not plain is tried once, however often it stands there."""
    text = values.cast(pa.string())
    sure = pc.match_substring_regex(text, _SURE_INTEGER if pa.types.is_integer(kind) else _SURE_NUMBER)
    odd = pc.unique(text.filter(pc.invert(pc.fill_null(sure, fill_value=True))))
    each = (pa.chunked_array([odd.slice(place, 1)]) for place in range(len(odd)))
    wrong = odd.filter(pa.array([not _converts(one, kind) for one in each], pa.bool_()))
    return _mask(pc.is_in(text, value_set=wrong, skip_nulls=True))
