"""Datasets: what files there are, in which format, and their rows as mini-batches, read and written."""
