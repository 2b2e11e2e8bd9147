"""What estimators are fitted on whose arrays compiled code follows."""

from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(4)
X = np.abs(RNG.normal(size=(60, 4)))
Y = (X[:, 0] > 0.6).astype(int)
THREE = np.digitize(X[:, 0], [0.4, 0.9])
TOWNS = RNG.integers(0, 6, size=(60, 2))
PERSONS = [{"town": name, "age": age} for name, age in zip("uvwxyz" * 10, range(60), strict=True)]
TEXTS = ["a b c", "b c d", "c d e"] * 20
