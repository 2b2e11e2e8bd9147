"""The numbers of the link functions that the kernel knows."""

from __future__ import annotations

SIGMOID, SOFTMAX, EXPONENTIAL, LOG_EXPONENTIAL, SINGLE_SIGMOID = range(5)
