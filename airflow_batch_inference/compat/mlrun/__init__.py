"""MLRun's statistics."""
