"""Several models of which each row meets one: at random in given shares, or by a key.

Which one it is depends on the row alone: on the value of its key, or without a key on its file and its number there.
With a key of value ``v`` the row's share is the number that the first 13 hexadecimal digits of SHA-256 of the text
``<seed>:<v>`` make, divided by 16^13; anybody can compute it anywhere. The models' weights, in their order, cut [0, 1)
into pieces.

Invariants: neither process nor platform, neither the size of mini-batches nor the integer type of the key changes a
row's model.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_batch_inference.exceptions import ConfigurationError, did_you_mean
from airflow_batch_inference.ledger.accounting import row_shares, share_of
from airflow_batch_inference.schema.column_types import is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.sources.batches import MiniBatch

_KEYS = ("weights", "key", "values", "default", "seed")
_LARGEST = 2.0**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which model scores a row.

    Attributes
    ----------
    models
        The models' names, in their order.
    weights
        Their shares, which add up to 1; empty where ``values`` decide.
    key
        A column of the dataset: rows of the same value meet the same model. None: each row by itself.
    values
        The text of a value of the key to a model's name.
    default
        The model of all other values, and of nulls.
    seed
        Another one gives another split.
    """

    models: tuple[str, ...]
    weights: tuple[float, ...] = ()
    key: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    default: str | None = None
    seed: str = "0"

    def route(self, batch: MiniBatch) -> np.ndarray:
        """Return the place of each row's model among :attr:`models`, shape (rows,).

        Raises
        ------
        ConfigurationError
            The key holds values that have no text of their own.
        """
        if self.key is None:
            return self._by_share(_shares_of_rows(batch, self.seed))
        texts = key_texts(batch.table.column(self.key), self.key)
        if self.weights:
            shares = key_shares(texts, self.seed)
            without = np.isnan(shares)
            if without.any():  # one model would get all of them
                shares[without] = _shares_of_rows(batch, self.seed)[without]
            return self._by_share(shares)
        encoded = texts.dictionary_encode()
        others = self.models.index(str(self.default))
        places = [self.models.index(self.values[text]) if text in self.values else others
                  for text in encoded.dictionary.to_pylist()]  # fmt: skip
        which = encoded.indices.fill_null(len(places)).to_numpy(zero_copy_only=False)
        found: np.ndarray = np.array([*places, others])[which]
        return found

    def _by_share(self, shares: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.searchsorted(np.cumsum(self.weights)[:-1], shares, side="right")
        return found


def parse_split(given: Mapping[str, Any], models: Sequence[str]) -> Split:
    """Return what ``split={"weights": {"a": 0.9, "b": 0.1}, "key": "customer", "seed": 1}`` asks for.

    Parameters
    ----------
    given
        ``weights``, a number for each model, of which only their ratios count; or ``values``, the key's values to
        models, and ``default``, the model of all others. ``key``: a column; ``seed``: any number or text.
    models
        The models' names.

    Raises
    ------
    ConfigurationError
        An unknown key or model, a weight that is none, or what cannot go together.

    Examples
    --------
    >>> parse_split({"weights": {"a": 9, "b": 1}}, ["a", "b"]).weights
    (0.9, 0.1)
    """
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        message = f"split has {unknown[0]!r}{did_you_mean(str(unknown[0]), _KEYS)}; it takes {', '.join(_KEYS)}."
        raise ConfigurationError(message)
    key, weights, values = given.get("key"), given.get("weights"), given.get("values")
    if (weights is None) == (values is None):
        message = (
            'split takes either weights ({"weights": {"a": 0.9, "b": 0.1}}) or values of a key ({"key": "tier", '
            f'"values": {{"gold": "b"}}, "default": "a"}}); it has {", ".join(given) or "nothing"}.'
        )
        raise ConfigurationError(message)
    if key is not None and (not isinstance(key, str) or not key):
        message = f"split has key={key!r}; it must be a column's name."
        raise ConfigurationError(message)
    seed = str(given.get("seed", 0))
    if weights is not None:
        if "default" in given:
            message = (
                "split has weights and default; a default is the model of values that are not named. Leave it out."
            )
            raise ConfigurationError(message)
        return Split(models=tuple(models), weights=_weights(weights, models), key=key, seed=seed)
    default = given.get("default")
    if key is None or default is None:
        lacking = "key" if key is None else "default"
        message = f"split has values, but no {lacking}: name the column, and the model of all others."
        raise ConfigurationError(message)
    named = _named(values)
    for name in (*named.values(), default):
        _require_model(name, models)
    return Split(models=tuple(models), key=key, values=named, default=default, seed=seed)


def _weights(given: object, models: Sequence[str]) -> tuple[float, ...]:
    weights: dict[Any, Any] = dict(given) if isinstance(given, Mapping) else {}
    for name in weights:
        _require_model(name, models)
    found = []
    for name in models:
        weight: Any = weights.get(name)
        try:
            number = math.nan if isinstance(weight, bool) else float(weight)  # a template makes text of numbers
        except (TypeError, ValueError):
            number = math.nan
        if not 0 <= number < math.inf:
            message = f"split has the weight {weight!r} for the model {name!r}; give each a number from 0 on."
            raise ConfigurationError(message)
        found.append(number)
    total = sum(found)
    if total <= 0 or not math.isfinite(total):
        message = f"split has weights that add up to {total:g}: no row would meet a model. Give one a positive number."
        raise ConfigurationError(message)
    return tuple(weight / total for weight in found)


def _named(values: object) -> dict[str, str]:
    if not isinstance(values, Mapping) or not values:
        message = f'split has values={values!r}; it must be a dict of the key\'s values to models, {{"gold": "b"}}.'
        raise ConfigurationError(message)
    return {str(value).lower() if isinstance(value, bool) else str(value): name for value, name in values.items()}


def _require_model(name: object, models: Sequence[str]) -> None:
    if name not in models:
        there = ", ".join(models)
        message = f"split names {name!r}, which is no model{did_you_mean(str(name), models)}. The models: {there}."
        raise ConfigurationError(message)


def key_texts(values: pa.ChunkedArray, column: str) -> pa.Array:
    """Return the text of each value of a key, by which it is hashed and compared; null for null and NaN.

    Numbers are written in decimal, whole ones without a point whatever their type; booleans are ``true`` and
    ``false``; dates ``2026-11-22``.

    Raises
    ------
    ConfigurationError
        The column's type has no such text.

    Examples
    --------
    >>> key_texts(pa.chunked_array([[270.0, 1.5, None]]), "id").to_pylist()
    ['270', '1.5', None]
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_floating(kind):
        return _texts_of_floats(array)
    if pa.types.is_decimal(kind):
        text = array.cast(pa.string())
        return text if kind.scale == 0 else pc.utf8_rtrim(pc.utf8_rtrim(text, "0"), ".")
    if is_text(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_date32(kind):
        return array.cast(pa.string())
    message = (
        f"split has the key {column!r}, which holds {kind}. It must hold whole numbers, text, booleans or dates: make "
        "such a column where the dataset is made."
    )
    raise ConfigurationError(message)


def _texts_of_floats(array: pa.Array) -> pa.Array:
    values = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    whole = np.isfinite(values) & (np.floor(values) == values) & (np.abs(values) < _LARGEST)
    texts = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(pa.string())
    others = [None if math.isnan(value) else repr(value) for value in values[~whole].tolist()]
    return pc.replace_with_mask(texts, pa.array(~whole), pa.array(others, pa.string()))


def key_shares(texts: pa.Array, seed: str) -> np.ndarray:
    """Return the share of each key, a number in [0, 1), shape (rows,); NaN for null.

    The first 13 hexadecimal digits of SHA-256 of ``<seed>:<text>`` as a number, divided by 16^13.

    Examples
    --------
    >>> key_shares(pa.array(["ann", None]), "0").tolist()
    [0.4601790126691816, nan]
    >>> int(hashlib.sha256(b"0:ann").hexdigest()[:13], 16) / 16**13
    0.4601790126691816
    """
    encoded = texts.dictionary_encode()
    prefix = f"{seed}:".encode()
    texts_once = encoded.dictionary.cast(pa.binary()).to_pylist()
    digests = [hashlib.sha256(prefix + text).digest()[:8] for text in texts_once]
    shares = share_of(np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64))
    places = encoded.indices.fill_null(len(shares)).to_numpy(zero_copy_only=False)
    found: np.ndarray = np.append(shares, np.nan)[places]
    return found


def _shares_of_rows(batch: MiniBatch, seed: str) -> np.ndarray:
    runs = [row_shares(of.uri, of.first_row, of.rows, salt=seed) for of in batch.origins]
    return np.concatenate(runs) if runs else np.empty(0)
