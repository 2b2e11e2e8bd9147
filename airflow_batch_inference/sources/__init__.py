"""Datasets: what rows there are, at which version, as mini-batches."""
