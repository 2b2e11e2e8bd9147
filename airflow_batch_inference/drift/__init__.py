"""Drift: statistics of a dataset, measures of distance, and the one place that judges them."""
