"""Metrics: how far a column's current values are from the reference's."""
