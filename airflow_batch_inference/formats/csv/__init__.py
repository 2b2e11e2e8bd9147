"""CSV, as people write it."""
