"""Arrow's own file and stream formats."""
