"""Validation checks: expressions over a model's inputs and outputs."""
