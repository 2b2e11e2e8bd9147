"""Scoring: from a model and a dataset to a committed prediction set."""
