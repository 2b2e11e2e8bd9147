"""Columns: their Arrow types, casting, and how a model's inputs are found among a dataset's columns."""
