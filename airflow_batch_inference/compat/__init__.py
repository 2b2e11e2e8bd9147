"""The contracts of other platforms."""
