"""JSON lines, and lists of objects."""
